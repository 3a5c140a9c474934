use super::*;

const GOOD: &str = r#"
root = "raw"

[[task]]
name = "kidney"
aliases = ["kits"]
dataset = "Dataset040_KiTS"
format = "nnunet-v1"
spacing_zyx_mm = [3.0, 1.5, 1.0]
channels = [{ modality = "CT", source = "0", normalization = "clip_-325_325_to_0_1" }]
labels = ["kidney", "tumour"]
empty_labels = "drop"
split = { file = "splits_final.json", fold = 2 }

[task.label_map]
1 = "kidney"
"tumor" = "tumour"
"cyst" = "background"
"*" = "kidney"

[[task]]
name = "spleen"
dataset = "/data/spleen"
channels = [{ modality = "CT", normalization = "clip_foreground_to_0_1" }]
labels = ["spleen"]
"#;

fn parse(text: &str) -> Result<Tasks, DataError> {
    Tasks::parse(text, Path::new("study/tasks.toml"), None)
}

#[test]
fn a_file_says_everything_about_a_task() {
    let tasks = parse(GOOD).unwrap();
    let kidney = tasks.find("kits").unwrap();
    assert_eq!(kidney.dataset, Path::new("study/raw/Dataset040_KiTS"));
    assert_eq!(kidney.format, Some(Format::NnunetV1));
    assert_eq!(kidney.labels, ["background", "kidney", "tumour"]);
    assert_eq!(kidney.spacing.unwrap().zyx(), [3.0, 1.5, 1.0]);
    assert_eq!(kidney.empty_labels, EmptyLabels::Drop);
    let split = SplitRule::File {
        path: "study/splits_final.json".into(),
        fold: 2,
    };
    assert_eq!(kidney.split, split);
    let map = [
        (Source::Rest, 1),
        (Source::Value(1), 1),
        (Source::Name("cyst".into()), 0),
        (Source::Name("tumor".into()), 2),
    ];
    assert_eq!(kidney.label_map, LabelMap::new(map.to_vec()));

    let spleen = &tasks.tasks[1];
    assert_eq!(spleen.dataset, Path::new("/data/spleen"));
    assert_eq!(
        spleen.channels[0].normalization,
        NormalizationRule::ClipForeground
    );
    assert_eq!((spleen.format, spleen.spacing), (None, None));
    assert_eq!(spleen.split, SplitRule::default());
    let moved = Tasks::parse(GOOD, Path::new("tasks.toml"), Some(Path::new("/raw"))).unwrap();
    assert_eq!(moved.tasks[0].dataset, Path::new("/raw/Dataset040_KiTS"));
    let error = tasks.find("splen").unwrap_err().to_string();
    assert_eq!(
        error,
        "there is no task 'splen' in study/tasks.toml (did you mean 'spleen'?)"
    );
}

/// serde's sentence about unknown fields is taken apart; this holds its form.
#[test]
fn a_typo_names_the_key_its_line_and_the_nearest_known_key() {
    for (from, to, line, nearest) in [
        ("root =", "rot =", 2, Some("root")),
        (
            "spacing_zyx_mm",
            "spacing_zxy_mm",
            9,
            Some("spacing_zyx_mm"),
        ),
        ("labels =", "lables =", 11, Some("labels")),
        (
            "normalization = \"clip_-",
            "normalisation = \"clip_-",
            10,
            Some("normalization"),
        ),
        ("fold = 2", "flod = 2", 13, Some("fold")),
        ("[task.label_map]", "[task.labelmap]", 15, Some("label_map")),
        ("empty_labels", "qqq", 12, None),
    ] {
        let error = parse(&GOOD.replacen(from, to, 1)).unwrap_err();
        let DataError::UnknownKey {
            line: found_line,
            nearest: found_nearest,
            known,
            ..
        } = &error
        else {
            panic!("{to}: {error:?}");
        };
        assert_eq!(
            (*found_line, found_nearest.as_deref()),
            (line, nearest),
            "{error}"
        );
        assert!(known.len() >= 2, "{error}");
    }
    let error = parse(&GOOD.replacen("labels =", "lables =", 1)).unwrap_err();
    assert_eq!(
        error.to_string(),
        "study/tasks.toml, line 11: unknown key 'lables' (did you mean 'labels'?)"
    );
}

#[test]
fn values_that_cannot_be_meant_name_the_task_and_the_key() {
    for (from, to, parts) in [
        (
            "name = \"kidney\"",
            "name = \"../kidney\"",
            ["name or alias", "'../kidney'"],
        ),
        (
            "aliases = [\"kits\"]",
            "aliases = [\"spleen\"]",
            ["another task has it", "spleen"],
        ),
        (
            "[3.0, 1.5, 1.0]",
            "[3.0, -1.5, 1.0]",
            ["spacing_zyx_mm", "positive"],
        ),
        (
            "nnunet-v1",
            "nifti",
            ["format", "nnunet-v1, nnunet-v2, msd"],
        ),
        (
            "clip_-325_325_to_0_1",
            "clip_325_to_0_1",
            ["normalization", "clip_LOWER_UPPER"],
        ),
        (
            "\"kidney\", \"tumour\"]",
            "\"kidney\", \"kidney\"]",
            ["labels", "different names"],
        ),
        ("[\"kidney\", \"tumour\"]", "[]", ["labels", "1 to 999"]),
        (
            "1 = \"kidney\"",
            "1 = \"kidny\"",
            ["label_map, entry '1'", "did you mean 'kidney'?"],
        ),
        (
            "\"drop\"",
            "\"skip\"",
            ["empty_labels", "refuse, keep, drop"],
        ),
        (
            "fold = 2",
            "fraction = 0.5",
            ["split", "both a file and a fraction"],
        ),
        (
            "file = \"splits_final.json\", ",
            "",
            ["split", "a fold without a file"],
        ),
        (
            "file = \"splits_final.json\", fold = 2",
            "fraction = 1.5",
            ["split.fraction", "1.5"],
        ),
    ] {
        let error = parse(&GOOD.replacen(from, to, 1)).unwrap_err();
        let text = error.to_string();
        assert!(matches!(error, DataError::InvalidTask { .. }), "{error:?}");
        assert!(text.starts_with("study/tasks.toml, task '"), "{text}");
        assert!(
            parts.iter().all(|part| text.contains(part)),
            "{text} should say {parts:?}"
        );
    }
    for text in ["[[task]]\nname = 3", "[[task]]\nname = \"a\"", "x", "a = ["] {
        let error = parse(text).unwrap_err();
        assert!(!matches!(error, DataError::InvalidTask { .. }), "{error}");
    }
    assert!(
        parse("root = \"x\"")
            .unwrap_err()
            .to_string()
            .contains("a universal model has tasks")
    );
}
