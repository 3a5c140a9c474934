//! Datasets broken file by file: every problem is named with its file, all in one table.

use std::fs;

use super::bench::Bench;
use crate::support::Run;

const SPLEEN: &str = "Dataset007_spleen";
const KIDNEY: &str = "Dataset002_kidney";

/// Exit code 1, nothing written, and a table with a row for each of `expected` (the words of a
/// row), and no further errors.
#[track_caller]
fn finds(bench: &Bench, run: &Run, expected: &[&[&str]]) {
    assert_eq!(run.code, Some(1), "{}{}", run.stdout, run.stderr);
    println!("{}{}", run.stdout, run.stderr);
    assert!(!run.stderr.contains("panicked"), "{}", run.stderr);
    for words in expected {
        let row = |line: &str| words.iter().all(|word| line.contains(word));
        assert!(run.stdout.lines().any(row), "{words:?} in\n{}", run.stdout);
    }
    let errors = run.stdout.lines().filter(|line| line.starts_with("error "));
    assert_eq!(errors.count(), expected.len(), "{}", run.stdout);
    for name in ["plan.json", "fingerprint.json"] {
        assert!(!bench.path(name).exists(), "{name} was written");
    }
}

#[test]
fn every_problem_of_every_dataset_is_in_one_table() {
    let bench = Bench::new();
    let labels = |dataset: &str, case: &str| format!("{dataset}/labelsTr/{case}.nii.gz");
    let first =
        |voxels: &mut uniseg::imaging::ndarray::Array3<f32>, value| voxels[[0, 0, 0]] = value;
    bench.paint(&labels(SPLEEN, "spleen_000"), |voxels| first(voxels, 7.0));
    bench.paint(
        &format!("{SPLEEN}/imagesTr/spleen_001_0000.nii.gz"),
        |voxels| {
            first(voxels, f32::NAN);
        },
    );
    bench.shorten(&labels(SPLEEN, "spleen_002"));
    fs::remove_file(bench.path(&labels(KIDNEY, "kidney_000"))).unwrap();
    bench.paint(&labels(KIDNEY, "kidney_001"), |voxels| voxels.fill(0.0));
    // Declared by the dataset, but not among the task's labels.
    bench.edit(&format!("{KIDNEY}/dataset.json"), |text| {
        text.replacen("\"labels\": {", "\"labels\": {\"cyst\": 3,", 1)
    });
    bench.paint(&labels(KIDNEY, "kidney_002"), |voxels| first(voxels, 3.0));

    let run = bench.plan(&[]);
    finds(
        &bench,
        &run,
        &[
            &[
                "spleen",
                "spleen_000",
                "label 7 (1 voxels) is not declared",
                "labelsTr/spleen_000.nii.gz",
            ],
            &[
                "spleen",
                "spleen_001",
                "1 voxel(s) are nan",
                "spleen_001_0000.nii.gz",
            ],
            &[
                "spleen",
                "spleen_002",
                "the grid is",
                "the first channel's is",
                "labelsTr/spleen_002.nii.gz",
            ],
            &[
                "kidney",
                "kidney_000",
                "the file is missing",
                "labelsTr/kidney_000.nii.gz",
            ],
            &[
                "kidney",
                "kidney_001",
                "the labels are empty",
                "labelsTr/kidney_001.nii.gz",
            ],
            &[
                "kidney",
                "kidney_002",
                "label 3 (1 voxels) is not in the task's label map",
                "labelsTr/kidney_002.nii.gz",
            ],
        ],
    );
    assert!(run.stderr.contains("6 errors"), "{}", run.stderr);
    // What the tasks file says is meant is no problem.
    bench.edit("tasks.toml", |text| {
        text.replace("[\"kidney\", \"tumour\"]\n", "[\"kidney\", \"tumour\"]\nempty_labels = \"keep\"\nlabel_map = { \"*\" = \"kidney\", 2 = \"tumour\" }\n")
    });
    let run = bench.plan(&["--task", "kidney"]);
    finds(&bench, &run, &[&["kidney_000", "the file is missing"]]);
}

#[test]
fn a_dataset_as_a_whole_can_be_to_blame() {
    let bench = Bench::new();
    for case in ["spleen_001", "spleen_002"] {
        fs::remove_file(bench.path(&format!("{SPLEEN}/labelsTr/{case}.nii.gz"))).unwrap();
        fs::remove_file(bench.path(&format!("{SPLEEN}/imagesTr/{case}_0000.nii.gz"))).unwrap();
    }
    finds(
        &bench,
        &bench.plan(&[]),
        &[&[
            "spleen",
            "the dataset has 1 case(s), at least 2 are needed",
            SPLEEN,
        ]],
    );
    let bench = Bench::new();
    bench.edit("tasks.toml", |text| {
        text.replace(
            "labels = [\"spleen\"]",
            "labels = [\"spleen\"]\nempty_labels = \"keep\"",
        )
    });
    for case in 0..3 {
        bench.paint(
            &format!("{SPLEEN}/labelsTr/spleen_00{case}.nii.gz"),
            |voxels| voxels.fill(0.0),
        );
    }
    fs::remove_dir_all(bench.path(KIDNEY)).unwrap();
    finds(
        &bench,
        &bench.plan(&[]),
        &[
            &["spleen", "the task has no foreground", SPLEEN],
            &["kidney", "is not a dataset", KIDNEY],
        ],
    );
}

#[test]
fn warnings_are_told_and_do_not_fail() {
    let bench = Bench::new();
    bench.edit(&format!("{SPLEEN}/dataset.json"), |text| {
        text.replace("\"numTraining\": 3", "\"numTraining\": 32")
    });
    let said = bench.plan(&["--task", "spleen"]).succeeds();
    let row = said.lines().find(|line| line.starts_with("warning "));
    assert!(
        row.is_some_and(|row| row.contains("declares 32 training case(s), the dataset has 3")),
        "{said}"
    );
    assert!(bench.path("plan.json").exists());
}

#[test]
fn a_typo_in_the_tasks_file_names_the_nearest_key() {
    let bench = Bench::new();
    bench.edit("tasks.toml", |text| {
        text.replacen("spacing_zyx_mm", "spacing_xyz_mm", 1)
    });
    for run in [bench.plan(&[]), crate::support::uniseg(bench.preprocess())] {
        // Preprocessing has no plan yet, and says so first.
        let words: &[&str] = match run.stderr.contains("plan.json") {
            true => &["cannot read", "plan.json"],
            false => &["line 4", "spacing_xyz_mm", "did you mean 'spacing_zyx_mm'?"],
        };
        run.refuses(words);
    }
    bench.edit("tasks.toml", |text| {
        text.replace("spacing_xyz_mm = [6.0", "spacing_zyx_mm = [-6.0")
    });
    bench
        .plan(&[])
        .refuses(&["task 'spleen'", "spacing_zyx_mm", "positive"]);
}
