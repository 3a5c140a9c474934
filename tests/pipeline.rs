//! The whole path, from an official checkpoint and a file to labels in a file, as a user runs it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Instant;

use serde::Deserialize;
use uniseg_imaging::{label_counts, read_nifti};
use uniseg_runtime::{EngineKind, Model, Statistics};

use crate::support::{
    Golden, artefacts,
    compare::{SAME_LABELS, SAME_UNDECIDED_LABELS, read_labels, same_labels},
    golden, kept, names_in, ort, uniseg,
};

/// A row of a golden `predict.json`.
#[derive(Deserialize)]
struct Case {
    task: u32,
    mirroring: bool,
    step: f64,
    voxels_per_label: Vec<u64>,
}

fn segment(
    model: &Path,
    image: &Path,
    case: &Case,
    engine: EngineKind,
    on: &[&str],
    output: &Path,
) -> (String, PathBuf) {
    let (task, step) = (case.task.to_string(), case.step.to_string());
    let mut arguments: Vec<&str> = vec![
        "segment",
        model.to_str().unwrap(),
        image.to_str().unwrap(),
        "--task",
        &task,
        "--step",
        &step,
        // The reference runs every window.
        "--no-skip",
        "-o",
        output.to_str().unwrap(),
    ];
    let engine = engine.to_string();
    arguments.extend(["--engine", &engine]);
    arguments.extend(on);
    if case.mirroring {
        arguments.push("--mirror");
    }
    let said = uniseg(arguments).succeeds();
    let name = output.file_name().unwrap().to_str().unwrap();
    let statistics = name.strip_suffix(".nii.gz").unwrap().to_owned() + ".json";
    (said, output.with_file_name(statistics))
}

/// A set of golden cases.
struct Set<'a> {
    golden: &'a Golden,
    /// Folder of the official label maps.
    folder: &'static str,
    model: &'a Path,
    /// More arguments, which say what it computes on.
    on: &'a [&'a str],
    least_dice: f64,
}

/// Runs a golden case and holds labels, statistics and grid against the official ones.
fn check(set: &Set<'_>, name: &str, input: &str, case: &Case, engine: EngineKind) {
    let Set {
        golden,
        folder,
        model,
        on,
        least_dice,
    } = *set;
    ort::library();
    let scratch = tempfile::tempdir().unwrap();
    let image = golden.path(input);
    let output = scratch.path().join(format!("{name}.nii.gz"));
    let start = Instant::now();
    let (_, statistics) = segment(model, &image, case, engine, on, &output);
    println!("{name} with {engine}: {:.1?}", start.elapsed());
    assert_eq!(
        names_in(scratch.path()),
        [format!("{name}.json"), format!("{name}.nii.gz")]
    );

    let official = read_labels(&golden.path(&format!("{folder}/{name}.nii.gz")));
    let found = read_labels(&output);
    let labels = case.voxels_per_label.len();
    assert_eq!(
        label_counts(official.view(), labels),
        case.voxels_per_label,
        "{name}"
    );
    same_labels(
        &format!("{name} with {engine}"),
        &found,
        &official,
        labels,
        least_dice,
    );

    let statistics: Statistics =
        serde_json::from_slice(&std::fs::read(statistics).unwrap()).unwrap();
    let counts: Vec<u64> = statistics.labels.iter().map(|label| label.voxels).collect();
    assert_eq!(counts, label_counts(found.view(), labels));
    let spacing = read_nifti(&image).unwrap().volume.geometry().spacing.zyx();
    let voxel_ml = spacing.iter().product::<f64>() / 1000.0;
    for label in &statistics.labels {
        let expected = label.voxels as f64 * voxel_ml;
        assert!((label.ml - expected).abs() <= 1e-6 * expected, "{label:?}");
    }
    assert_eq!(
        (statistics.step, statistics.mirror),
        (case.step, case.mirroring)
    );
    assert_eq!(statistics.task_id, case.task);
}

#[derive(Deserialize)]
struct TrainedCase {
    input: String,
    #[serde(flatten)]
    case: Case,
}

fn trained_cases(engine: EngineKind) {
    let Some(golden) = golden(&format!("trained_cases with {engine}")) else {
        return;
    };
    official_labels(&golden, artefacts::trained(&golden), engine, &[]);
}

/// Holds the labels that the trained checkpoint, compiled to `model`, gives against the official ones.
fn official_labels(golden: &Golden, model: &Path, engine: EngineKind, on: &[&str]) {
    let cases: BTreeMap<String, TrainedCase> = golden.json("uniseg-trained/predict.json");
    assert!(cases.values().any(|row| row.case.mirroring) && cases.len() >= 6);
    let set = Set {
        golden,
        folder: "uniseg-trained",
        model,
        on,
        least_dice: SAME_LABELS,
    };
    for (name, TrainedCase { input, case }) in cases {
        check(&set, &name, &input, &case, engine);
    }
}

#[test]
fn the_trained_checkpoint_gives_the_official_labels_with_onnx_runtime() {
    trained_cases(EngineKind::Ort);
}

#[test]
fn the_trained_checkpoint_gives_the_official_labels_with_tract() {
    trained_cases(EngineKind::Tract);
}

/// What is fastest in f32, as in `benches/against_pytorch.sh`: other convolutions, on OpenVINO, in
/// one file and as a pair.
#[test]
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
fn the_fastest_exports_in_f32_give_the_official_labels_on_openvino() {
    let Some(golden) = golden("the_fastest_exports_in_f32_give_the_official_labels_on_openvino")
    else {
        return;
    };
    let library = ort::openvino_library();
    let on = [
        "--device",
        "openvino",
        "--precision",
        "f32",
        "--ort-lib",
        &library,
    ];
    artefacts::trained(&golden);
    let folder = kept("artefacts");
    let checkpoint = folder.join("uniseg-trained");
    for (name, more) in [
        ("fast", &[][..]),
        ("fast-pair", &["--split", "--channels-last"]),
    ] {
        let model = folder.join(format!("uniseg-trained-{name}.onnx"));
        let [from, to] = [&checkpoint, &model].map(|path| path.to_str().unwrap());
        let fewer = ["--merge-upsampling", "--winograd", "-o", to];
        uniseg([&["export", from][..], more, &fewer].concat()).succeeds();
        let model = match more.is_empty() {
            true => model,
            false => folder.join(format!("uniseg-trained-{name}.decoder.onnx")),
        };
        official_labels(&golden, &model, EngineKind::Ort, &on);
    }
}

#[derive(Deserialize)]
struct SmallCases {
    input: String,
    cases: BTreeMap<String, Case>,
}

fn small_cases(engine: EngineKind) {
    let Some(golden) = golden(&format!("small_cases with {engine}")) else {
        return;
    };
    let SmallCases { input, cases } = golden.json("predict/predict.json");
    assert!(cases.values().any(|case| case.mirroring));
    let set = Set {
        golden: &golden,
        folder: "predict",
        model: artefacts::small(&golden),
        on: &[],
        least_dice: SAME_UNDECIDED_LABELS,
    };
    for (name, case) in cases {
        check(&set, &name, &input, &case, engine);
    }
}

#[test]
fn random_weights_give_the_official_labels_with_onnx_runtime() {
    small_cases(EngineKind::Ort);
}

#[test]
fn random_weights_give_the_official_labels_with_tract() {
    small_cases(EngineKind::Tract);
}

#[test]
fn all_ct_tasks_of_a_case_go_into_one_folder() {
    let Some(golden) = golden("all_ct_tasks_of_a_case_go_into_one_folder") else {
        return;
    };
    ort::library();
    let model = artefacts::trained(&golden);
    let scratch = tempfile::tempdir().unwrap();
    let image = golden.path("data/ct_small.nii.gz");
    let output = scratch.path().join("labels");
    std::fs::create_dir(&output).unwrap();
    uniseg([
        "segment",
        model.to_str().unwrap(),
        image.to_str().unwrap(),
        "--task",
        "all:CT",
        "--preview",
        scratch.path().join("preview.png").to_str().unwrap(),
        "-o",
        output.to_str().unwrap(),
    ])
    .succeeds();
    let manifest = Model::open(model).unwrap().manifest().clone();
    let ct: Vec<&str> = manifest
        .tasks
        .iter()
        .take(8)
        .map(|task| task.name.as_str())
        .collect();
    let mut expected: Vec<String> = ct
        .iter()
        .flat_map(|name| [format!("{name}.json"), format!("{name}.nii.gz")])
        .collect();
    expected.sort();
    assert_eq!(names_in(&output), expected);
    for name in ct {
        let picture = std::fs::read(scratch.path().join(format!("preview-{name}.png"))).unwrap();
        assert!(picture.starts_with(b"\x89PNG\r\n\x1a\n"), "{name}");
    }
    // One task after another gives what each gives alone.
    let official = read_labels(&golden.path("uniseg-trained/ct_spleen.nii.gz"));
    same_labels(
        "spleen among all",
        &read_labels(&output.join("spleen.nii.gz")),
        &official,
        2,
        SAME_LABELS,
    );
}
