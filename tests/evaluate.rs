//! `uniseg evaluate`: its numbers against an oracle, its files, and what it does with bad input.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use burn::prelude::Device;
use serde_json::Value;
use uniseg_imaging::{Agreement, dice, read_nifti};
use uniseg_train::data::recipes;
use uniseg_train::plan::paper;
use uniseg_train::{Checkpoint, NetworkConfig, Plan, TaskPlan};

use crate::support::{Run, compare::read_labels, kept, names_in, uniseg};

const TASKS: [&str; 2] = ["spleen", "prostate"];
const CASES: usize = 3;

/// Two datasets with their tasks file, and a small random network for their tasks.
struct World {
    data: PathBuf,
    checkpoint: PathBuf,
    model: PathBuf,
}

fn world() -> &'static World {
    static MADE: OnceLock<World> = OnceLock::new();
    MADE.get_or_init(|| {
        let folder = kept("evaluate");
        let world = World {
            data: folder.join("data"),
            checkpoint: folder.join("checkpoint"),
            model: folder.join("model.onnx"),
        };
        let (data, cases) = (world.data.to_str().unwrap(), CASES.to_string());
        let fixed = [
            "phantom", data, "--cases", &cases, "--size", "small", "--task",
        ];
        uniseg(fixed.iter().chain(&TASKS)).succeeds();
        fs::write(world.data.join("tasks.toml"), tasks_file()).unwrap();
        let checkpoint = Checkpoint::random(plan(), 5, &Device::flex());
        checkpoint.save(&world.checkpoint).unwrap();
        let (from, to) = (
            world.checkpoint.to_str().unwrap(),
            world.model.to_str().unwrap(),
        );
        uniseg(["export", from, "-o", to]).succeeds();
        world
    })
}

/// The ready-made file for phantoms, of two of its tasks.
fn tasks_file() -> String {
    let text = recipes::text("phantom").unwrap();
    let tasks = text.split("[[task]]").skip(1);
    tasks
        .filter(|task| {
            TASKS
                .iter()
                .any(|name| task.contains(&format!("name = \"{name}\"\n")))
        })
        .map(|task| format!("[[task]]{task}"))
        .collect()
}

/// The paper's tasks on coarse grids and on a network of four small stages.
fn plan() -> Plan {
    let paper = paper();
    let of_paper = |name: &&str| paper.tasks.iter().find(|task| task.name == **name);
    let tasks: Vec<TaskPlan> = TASKS
        .iter()
        .filter_map(of_paper)
        .enumerate()
        .map(|(id, task)| TaskPlan {
            id,
            spacing_zyx_mm: [7.0, 6.0, 6.0],
            ..task.clone()
        })
        .collect();
    let network = NetworkConfig {
        patch_size: [16, 32, 32],
        strides_between_stages: vec![[1, 2, 2], [2; 3], [2; 3]],
        kernel_sizes: vec![[1, 3, 3], [3; 3], [3; 3], [3; 3]],
        base_num_features: 4,
        num_tasks: tasks.len(),
        ..paper.network
    };
    let plan = Plan {
        network,
        batch_size: paper.batch_size,
        tasks,
    };
    plan.complete().unwrap()
}

/// Runs the command on a model and the tasks file of a folder of datasets.
fn evaluate(model: &Path, data: &Path, more: &[&str]) -> Run {
    let tasks = data.join("tasks.toml");
    let fixed = [
        "evaluate",
        model.to_str().unwrap(),
        "--tasks",
        tasks.to_str().unwrap(),
        "--engine",
        "tract",
    ];
    uniseg(fixed.iter().chain(more))
}

#[track_caller]
fn json(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

#[track_caller]
fn number(value: &Value) -> f64 {
    value
        .as_f64()
        .unwrap_or_else(|| panic!("{value} is no number"))
}

#[track_caller]
fn close(found: &Value, expected: f64) {
    assert!(
        (number(found) - expected).abs() < 1e-9,
        "{found} is not {expected}"
    );
}

fn dataset(data: &Path, task: &str) -> PathBuf {
    let found = names_in(data).into_iter().find(|name| name.ends_with(task));
    data.join(found.unwrap_or_else(|| panic!("no dataset of {task}")))
}

#[test]
fn the_numbers_are_those_of_the_label_maps_and_finished_cases_are_kept() {
    let world = world();
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("scores");
    let asked = [
        "--split",
        "all",
        "-o",
        out.to_str().unwrap(),
        "--save-labels",
        "--preview",
    ];
    let first = evaluate(&world.checkpoint, &world.data, &asked);
    let said = first.stderr.clone();
    let table = first.succeeds();
    assert!(!said.contains("earlier run"), "{said}");
    // A label and the whole for each task, the heading and the mean.
    assert_eq!(table.lines().count(), 2 * TASKS.len() + 2, "{table}");
    let names = [
        "cases",
        "evaluation.csv",
        "evaluation.html",
        "evaluation.json",
        "prostate",
        "prostate.svg",
        "spleen",
        "spleen.svg",
    ];
    assert_eq!(names_in(&out), names);
    let csv = fs::read_to_string(out.join("evaluation.csv")).unwrap();
    assert_eq!(csv.lines().count(), 1 + TASKS.len() * CASES, "{csv}");

    let result = json(&out.join("evaluation.json"));
    let mut means = Vec::new();
    let mut partial = 0;
    for (task, name) in result["tasks"].as_array().unwrap().iter().zip(TASKS) {
        assert_eq!(task["name"], *name);
        let cases = task["cases"].as_array().unwrap();
        assert_eq!(cases.len(), CASES);
        let mut dices = Vec::new();
        for case in cases {
            let case_name = case["case"].as_str().unwrap();
            let file = format!("{case_name}.nii.gz");
            assert!(out.join(name).join(format!("{case_name}.png")).is_file());
            let found = read_labels(&out.join(name).join(&file));
            let path = dataset(&world.data, name).join("labelsTr").join(&file);
            let truth = read_labels(&path);
            let one = &case["labels"][0];
            let expected = dice(truth.view(), found.view(), 1);
            close(&one["dice"], expected);
            let spacing = read_nifti(&path).unwrap().volume.geometry().spacing;
            let all = Agreement::measure(found.view(), truth.view(), 1, spacing, 2.0);
            close(&one["surface_dice"], all.surface_dice);
            close(&one["hd95_mm"], all.hd95_mm);
            close(&one["average_surface_distance_mm"], all.average_mm);
            let count = |map: &uniseg_imaging::ndarray::Array3<u16>| {
                map.iter().filter(|label| **label == 1).count() as f64
            };
            close(&one["truth_voxels"], count(&truth));
            close(&one["predicted_voxels"], count(&found));
            close(&one["truth_ml"], count(&truth) * spacing.voxel_ml());
            partial += usize::from(expected > 0.0 && expected < 1.0);
            dices.push(expected);
        }
        let mean = dices.iter().sum::<f64>() / CASES as f64;
        close(&task["labels"][0]["mean"]["dice"], mean);
        close(&task["mean"]["dice"], mean);
        means.push(mean);
    }
    assert!(partial > 0, "all cases are trivial: {result}");
    close(
        &result["mean"]["dice"],
        means.iter().sum::<f64>() / TASKS.len() as f64,
    );

    // The artefact is the checkpoint, so nothing is left to do.
    let record = out
        .join("cases/spleen")
        .join(&names_in(&out.join("cases/spleen"))[0]);
    let before = fs::metadata(&record).unwrap().modified().unwrap();
    let again = evaluate(&world.model, &world.data, &asked);
    assert_eq!(
        again.stderr.matches("earlier run").count(),
        TASKS.len() * CASES,
        "{}",
        again.stderr
    );
    assert_eq!(again.succeeds(), table);
    assert_eq!(json(&out.join("evaluation.json")), result);
    assert_eq!(fs::metadata(&record).unwrap().modified().unwrap(), before);
    // Other settings give other numbers; a record that is not whole counts for nothing.
    fs::write(&record, "{").unwrap();
    fs::remove_file(
        out.join("prostate")
            .join(&names_in(&out.join("prostate"))[0]),
    )
    .unwrap();
    let mended = evaluate(&world.model, &world.data, &asked);
    assert_eq!(
        mended.stderr.matches("earlier run").count(),
        TASKS.len() * CASES - 2
    );
    assert_eq!(mended.succeeds(), table);
    let other = [
        &asked[..4],
        &["--tolerance-mm", "9", "--json", "--task", "spleen"],
    ]
    .concat();
    let other = evaluate(&world.model, &world.data, &other);
    assert!(!other.stderr.contains("earlier run"), "{}", other.stderr);
    let other: Value = serde_json::from_str(&other.succeeds()).unwrap();
    assert_eq!(other["tasks"].as_array().unwrap().len(), 1);
    let near = |result: &Value| number(&result["tasks"][0]["mean"]["surface_dice"]);
    assert!(near(&other) > near(&result), "{other}");
    assert_eq!(other["mean"]["dice"], result["tasks"][0]["mean"]["dice"]);
}

#[test]
fn artefact_and_checkpoint_are_the_same_and_a_split_is_a_part() {
    let world = world();
    let asked = ["--task", "prostate", "--json", "--split"];
    let run = |model, part| {
        let run = evaluate(model, &world.data, &[&asked[..], &[part]].concat());
        serde_json::from_str::<Value>(&run.succeeds()).unwrap()
    };
    let (held, of_artefact) = (
        run(&world.checkpoint, "validation"),
        run(&world.model, "validation"),
    );
    assert_eq!(held, of_artefact);
    let trained = run(&world.model, "train");
    let names = |result: &Value| -> Vec<String> {
        let cases = result["tasks"][0]["cases"].as_array().unwrap();
        cases.iter().map(|case| case["case"].to_string()).collect()
    };
    let mut all = [names(&held), names(&trained)].concat();
    all.sort();
    all.dedup();
    assert_eq!(all.len(), CASES);
    assert!(!names(&held).is_empty() && !names(&trained).is_empty());
    assert_eq!(held["settings"]["split"], "validation");
}

/// A copy of a dataset folder, to be spoilt.
fn copied(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for name in names_in(from) {
        let (from, to) = (from.join(&name), to.join(&name));
        if from.is_dir() {
            copied(&from, &to);
        } else {
            fs::copy(from, to).unwrap();
        }
    }
}

#[test]
fn a_bad_case_is_reported_and_the_others_go_on() {
    let world = world();
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    copied(&world.data, &data);
    let images = dataset(&data, "spleen").join("imagesTr");
    let bad = names_in(&images)[1].clone();
    let bytes = fs::read(images.join(&bad)).unwrap();
    fs::write(images.join(&bad), &bytes[..bytes.len() / 2]).unwrap();
    let out = folder.path().join("out");
    let asked = [
        "--split",
        "all",
        "--task",
        "spleen",
        "-o",
        out.to_str().unwrap(),
    ];
    let run = evaluate(&world.model, &data, &asked);
    assert_eq!(run.code, Some(1), "{}{}", run.stdout, run.stderr);
    assert!(
        run.stderr.contains(&bad) && run.stdout.contains("spleen"),
        "{}",
        run.stderr
    );
    let result = json(&out.join("evaluation.json"));
    let task = &result["tasks"][0];
    assert_eq!(task["cases"].as_array().unwrap().len(), CASES - 1);
    assert_eq!(task["failures"].as_array().unwrap().len(), 1);
    assert!(
        task["failures"][0]["error"]
            .as_str()
            .unwrap()
            .contains(&bad)
    );
    assert!(
        fs::read_to_string(out.join("evaluation.html"))
            .unwrap()
            .contains(&bad)
    );
    // Mended, only it is left to do.
    fs::write(images.join(&bad), &bytes).unwrap();
    let run = evaluate(&world.model, &data, &asked);
    assert_eq!(
        run.stderr.matches("earlier run").count(),
        CASES - 1,
        "{}",
        run.stderr
    );
    run.succeeds();

    let high = [&asked[..], &["--min-dice", "0.99"]].concat();
    let run = evaluate(&world.model, &data, &high);
    assert_eq!(run.code, Some(1), "{}", run.stderr);
    assert!(
        run.stderr.contains("0.99") && run.stdout.contains("mean"),
        "{}",
        run.stderr
    );
    let low = [&asked[..], &["--min-dice", "0"]].concat();
    evaluate(&world.model, &data, &low).succeeds();

    for name in names_in(&images) {
        fs::write(images.join(name), "no image").unwrap();
    }
    evaluate(&world.model, &data, &asked).refuses(&["none of 3 case(s)"]);
}

#[test]
fn what_cannot_be_evaluated_is_refused() {
    let world = world();
    let run = |more: &[&str]| evaluate(&world.model, &world.data, more);
    run(&["--task", "liver"]).refuses(&["liver", "spleen"]);
    run(&["--task", "spline"]).refuses(&["spline", "spleen"]);
    run(&["--min-dice", "90"]).refuses(&["--min-dice", "90"]);
    run(&["--tolerance-mm=-1"]).refuses(&["tolerance"]);
    run(&["--root", "no/such/folder"]).refuses(&["no/such/folder", "dataset.json"]);
    let inside = dataset(&world.data, "spleen");
    run(&["-o", inside.to_str().unwrap()]).refuses(&["another folder"]);
    for parse in [&["--split", "test"][..], &["--preview"], &["--save-labels"]] {
        let run = run(parse);
        assert_eq!(
            (run.code, run.stdout.as_str()),
            (Some(2), ""),
            "{}",
            run.stderr
        );
    }
    evaluate(&world.data, &world.data, &[]).refuses(&["checkpoint", "data"]);
    evaluate(Path::new("no/such.onnx"), &world.data, &[]).refuses(&["no/such.onnx"]);

    let folder = tempfile::tempdir().unwrap();
    let with = |from: &str, to: &str| {
        let text = tasks_file();
        assert!(text.contains(from));
        fs::write(folder.path().join("tasks.toml"), text.replace(from, to)).unwrap();
        let root = world.data.to_str().unwrap();
        evaluate(
            &world.model,
            folder.path(),
            &["--root", root, "--split", "all"],
        )
    };
    with("labels = [\"spleen\"]", "labels = [\"organ\"]")
        .refuses(&["labels of task spleen differ", "organ"]);
    let one = with("name = \"spleen\"", "name = \"milt\"");
    assert!(
        one.stderr.contains("task spleen of the model is not in"),
        "{}",
        one.stderr
    );
    assert!(!one.succeeds().contains("milt"));
}
