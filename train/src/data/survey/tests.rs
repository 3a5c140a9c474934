use std::path::PathBuf;

use serde_json::json;
use uniseg_imaging::{Affine, Geometry, Volume, write_image};

use super::*;
use crate::data::testing::{EXTENT, Folder, SPACING, like, phantom, write_stacked};

fn run(task: &Task) -> Survey {
    let options = SurveyOptions {
        threads: 2,
        ..SurveyOptions::default()
    };
    survey(task, &options, &mut |_| {})
}

/// The problems that are more than warnings, by their file and message.
fn errors(survey: &Survey) -> Vec<(PathBuf, String)> {
    let errors = survey
        .problems
        .iter()
        .filter(|p| p.severity() == Severity::Error);
    errors
        .map(|problem| (problem.path.clone(), problem.fault.to_string()))
        .collect()
}

#[track_caller]
fn check(found: &Survey, expected: &[(PathBuf, &str)]) {
    let found = errors(found);
    assert_eq!(found.len(), expected.len(), "{found:#?}");
    for ((path, text), (expected_path, expected_text)) in found.iter().zip(expected) {
        assert_eq!(path, expected_path, "{text}");
        assert!(
            text.contains(expected_text),
            "{text} should say {expected_text}"
        );
    }
}

#[test]
fn a_clean_dataset_gives_a_fingerprint_and_no_problem() {
    let folder = Folder::new(3);
    let task = folder.task("");
    let mut seen = Vec::new();
    let options = SurveyOptions {
        threads: 2,
        seed: 5,
    };
    let found = survey(&task, &options, &mut |progress| {
        seen.push((progress.finished, progress.total, progress.problems));
    });
    assert_eq!(seen, [(1, 3, 0), (2, 3, 0), (3, 3, 0)]);
    assert!(
        found.is_clean() && found.problems.is_empty(),
        "{:?}",
        found.problems
    );
    let fingerprint = found.fingerprint.unwrap();
    assert_eq!(fingerprint.cases[1].name, "ct_1");
    assert_eq!(fingerprint.cases[1].extent_zyx, EXTENT);
    assert_eq!(fingerprint.cases[1].spacing_zyx_mm, SPACING);
    assert_eq!(fingerprint.target_spacing_zyx_mm(), Some(SPACING));
    let (image, labels) = phantom(1);
    let count = |label| labels.iter().filter(|l| **l == label).count() as u64;
    assert_eq!(fingerprint.cases[1].label_voxels, [0, 1, 2].map(count));
    // Every foreground voxel of so small a volume is looked at.
    let [intensity] = fingerprint.intensities[..] else {
        panic!("{fingerprint:?}")
    };
    assert_eq!(
        intensity.samples,
        fingerprint.label_voxels()[1..].iter().sum::<u64>()
    );
    assert!((80.0..150.0).contains(&intensity.mean), "{intensity:?}");
    assert!(intensity.percentile_00_5 < intensity.median);
    assert!(
        image.voxels().iter().any(|v| f64::from(*v) < intensity.min),
        "foreground alone"
    );
    // The same whatever the threads, and through JSON.
    let options = SurveyOptions {
        threads: 1,
        seed: 5,
    };
    let again = survey(&task, &options, &mut |_| {}).fingerprint.unwrap();
    assert_eq!(again, fingerprint);
    let text = serde_json::to_string(&again).unwrap();
    assert_eq!(
        serde_json::from_str::<Fingerprint>(&text).unwrap(),
        fingerprint
    );
}

#[test]
fn every_bad_case_is_listed_with_its_file_and_the_others_are_read() {
    let folder = Folder::new(12);
    let (image, labels) = phantom(0);
    let file = |case: usize| folder.image(&format!("ct_{case}"), 0);
    let label = |case: usize| folder.labels(&format!("ct_{case}"));
    std::fs::remove_file(file(1)).unwrap();
    std::fs::remove_file(label(2)).unwrap();
    std::fs::write(file(3), b"not an image").unwrap();
    // Another grid: one slice less, the same size elsewhere.
    let short = image.voxels().slice(ndarray::s![1.., .., ..]).to_owned();
    let mut geometry = *image.geometry();
    geometry.extent = short.dim().into();
    write_image(&file(4), &Volume::new(short, geometry).unwrap()).unwrap();
    let mut rows = image.geometry().affine.rows();
    rows[0][3] += 7.0;
    let moved = Geometry {
        affine: Affine::from_rows(rows),
        ..*image.geometry()
    };
    let moved = Volume::new(image.voxels().to_owned(), moved).unwrap();
    write_image(&file(5), &moved).unwrap();
    write_image(&file(6), &like(&image, |v| v[[1, 2, 3]] = f32::NAN)).unwrap();
    write_image(&file(7), &like(&image, |v| v[[1, 2, 3]] = f32::INFINITY)).unwrap();
    write_image(&file(8), &like(&image, |v| v.fill(0.0))).unwrap();
    let mut strange = labels.clone();
    strange[[0, 0, 0]] = 5;
    strange[[0, 0, 1]] = 5;
    folder.put_labels("ct_9", &image, &strange);
    folder.put_labels("ct_10", &image, &labels.mapv(|_| 0));
    write_image(&label(11), &like(&image, |v| v.fill(0.5))).unwrap();

    let found = run(&folder.task(""));
    check(
        &found,
        &[
            (label(1), "there are labels but no image"),
            // The order is that of names: ct_10 and ct_11 before ct_2.
            (label(10), "the labels are empty"),
            (label(11), "5760 voxel(s) are no label, such as 0.5"),
            (label(2), "the file is missing"),
            (file(3), "not a nifti file"),
            (
                label(4),
                "the grid is 12 x 20 x 24 (z, y, x), the first channel's is 11 x 20 x 24",
            ),
            (label(5), "the grid lies up to 7.00 mm away"),
            (file(6), "1 voxel(s) are nan"),
            (file(7), "1 voxel(s) are infinite"),
            (file(8), "the image is empty"),
            (
                label(9),
                "label 5 (2 voxels) is not declared in dataset.json",
            ),
        ],
    );
    assert!(!found.is_clean());
    let missing = found
        .problems
        .iter()
        .find(|problem| problem.path == label(2))
        .unwrap();
    assert_eq!(missing.case.as_deref(), Some("ct_2"));
    let line = format!("error: {}: the file is missing", missing.path.display());
    assert_eq!(missing.to_string(), line);
    let read = found.fingerprint.unwrap().cases;
    let names: Vec<&str> = read.iter().map(|case| case.name.as_str()).collect();
    assert_eq!(names, ["ct_0", "ct_10", "ct_6", "ct_7"]);
}

#[test]
fn a_missing_case_of_the_list_and_a_wrong_count_are_found() {
    let folder = Folder::new(2);
    folder.describe(json!({
        "modality": {"0": "CT"}, "labels": {"0": "background", "1": "liver", "2": "spleen"},
        "numTraining": 9,
        "training": [
            {"image": "./imagesTr/ct_0.nii.gz", "label": "./labelsTr/ct_0.nii.gz"},
            {"image": "./imagesTr/ct_7.nii.gz", "label": "./labelsTr/ct_7.nii.gz"},
        ],
    }));
    let found = run(&folder.task(""));
    let missing = "the file is missing";
    check(
        &found,
        &[
            (folder.image("ct_7", 0), missing),
            (folder.labels("ct_7"), missing),
        ],
    );
    let text = found.problems[0].to_string();
    assert!(
        text.starts_with("warning: ") && text.contains("declares 9 training case(s)"),
        "{text}"
    );
}

#[test]
fn labels_outside_the_map_are_told_from_undeclared_ones() {
    let folder = Folder::new(2);
    let found = run(&folder.task("label_map = { 1 = \"liver\" }\n"));
    check(
        &found,
        &[
            (folder.labels("ct_0"), "is not in the task's label map"),
            (folder.labels("ct_1"), "is not in the task's label map"),
        ],
    );
    let dropped = run(&folder.task("label_map = { 1 = \"liver\", 2 = \"background\" }\n"));
    check(&dropped, &[]);
    assert_eq!(dropped.problems.len(), 1);
    assert_eq!(
        dropped.problems[0].fault.to_string(),
        "label 'spleen' is in no case"
    );
}

#[test]
fn one_case_is_too_few() {
    let folder = Folder::new(1);
    let found = run(&folder.task(""));
    let text = "the dataset has 1 case(s), at least 2 are needed";
    check(&found, &[(folder.task("").dataset, text)]);
}

#[test]
fn a_task_without_foreground_is_refused_even_where_healthy_cases_are_kept() {
    let folder = Folder::new(2);
    let task = folder.task("empty_labels = \"keep\"\nlabel_map = { \"*\" = \"background\" }\n");
    check(&run(&task), &[(task.dataset, "the task has no foreground")]);
}

#[test]
fn a_dataset_that_does_not_fit_the_task_is_one_problem() {
    let folder = Folder::new(2);
    let mut task = folder.task("");
    task.channels.push(task.channels[0].clone());
    check(
        &run(&task),
        &[(
            task.dataset,
            "the image is 1 channel(s), CT, but task 'liver' has 2",
        )],
    );
    let mut task = folder.task("");
    task.channels[0].source = Some("PET".into());
    check(
        &run(&task),
        &[(task.dataset, "task 'liver' wants channel 'PET'")],
    );
    let task = folder.task("label_map = { \"livr\" = \"liver\" }\n");
    check(
        &run(&task),
        &[(task.dataset, "speaks of 'livr' (did it mean 'liver'?)")],
    );
    let mut task = folder.task("");
    task.dataset = folder.path().join("nowhere");
    check(&run(&task), &[(task.dataset.clone(), "is not a dataset")]);
    let mut task = folder.task("split = { file = \"splits_final.json\" }\n");
    check(&run(&task), &[(task.dataset.clone(), "cannot read")]);
    std::fs::write(
        folder.path().join("splits_final.json"),
        r#"[{"train": ["ct_0"], "val": ["ct_9"]}]"#,
    )
    .unwrap();
    check(&run(&task), &[(task.dataset.clone(), "such as 'ct_9'")]);
    task.dataset = folder.path().join("nowhere");
    assert!(run(&task).fingerprint.is_none());
}

#[test]
fn stacked_channels_are_counted_and_chosen() {
    let folder = Folder::new(0);
    let (image, labels) = phantom(1);
    let double = like(&image, |v| v.mapv_inplace(|v| 2.0 * v));
    for (name, channels) in [
        ("a", vec![&image, &double]),
        ("b", vec![&image, &double]),
        ("c", vec![&image]),
    ] {
        write_stacked(
            &folder.path().join(format!("imagesTr/{name}.nii.gz")),
            &channels,
        );
        folder.put_labels(name, &image, &labels);
    }
    folder.describe(json!({
        "modality": {"0": "FLAIR", "1": "T1w"},
        "labels": {"0": "background", "1": "liver", "2": "spleen"},
    }));
    let mut task = folder.task("");
    task.channels[0].source = Some("T1w".into());
    let file = folder.path().join("imagesTr/c.nii.gz");
    check(
        &run(&task),
        &[(file, "the image has 1 channel(s), dataset.json declares 2")],
    );
    let data = TaskData::open(&task).unwrap();
    let case = data.load(&data.dataset.cases[0]).unwrap();
    assert_eq!(case.channels, [double]);
    assert_eq!(case.labels, labels);
}
