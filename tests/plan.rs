//! `uniseg plan` and `uniseg preprocess`: from datasets to a plan and a cache, as a user would.

mod bad_input;
mod bench;
mod preprocess;

use std::fs;

use serde_json::Value;
use uniseg_train::plan::paper;
use uniseg_train::planner::{Cost, MemorySize};
use uniseg_train::{Plan, UniSeg};

use crate::support::{names_in, uniseg};
use bench::Bench;

#[test]
fn clean_datasets_give_the_papers_plan() {
    let bench = Bench::new();
    let run = bench.plan(&[]);
    assert_eq!(run.code, Some(0), "{}{}", run.stdout, run.stderr);
    println!("{}{}", run.stdout, run.stderr);
    let plan = Plan::read(&bench.path("plan.json")).unwrap();
    let paper = paper();
    assert_eq!(plan.network.patch_size, paper.network.patch_size);
    assert_eq!(plan.network.kernel_sizes, paper.network.kernel_sizes);
    assert_eq!(
        plan.network.strides_between_stages,
        paper.network.strides_between_stages
    );
    assert_eq!(plan.network.base_num_features, 32);
    assert_eq!((plan.network.num_tasks, plan.network.num_classes), (2, 3));
    assert_eq!(plan.network.input_channel_variants, [1]);
    assert_eq!(plan.batch_size, 2);
    assert_eq!(plan.tasks[0].spacing_zyx_mm, bench::SPACING);
    // One line for each task, and what to do next.
    let said: Vec<&str> = run.stderr.lines().collect();
    assert_eq!(said.len(), 3, "{}", run.stderr);
    assert!(said[0].starts_with("spleen: 3 case(s) read"), "{}", said[0]);
    assert!(said[2].contains("uniseg preprocess"), "{}", said[2]);
    for word in ["CT ", "kidney ", "64x192x192", "million", "GFLOP", "GiB"] {
        assert!(run.stdout.contains(word), "{word}:\n{}", run.stdout);
    }
    let prints: Value =
        serde_json::from_slice(&fs::read(bench.path("fingerprint.json")).unwrap()).unwrap();
    assert_eq!(prints[1]["task"], "kidney");
    assert_eq!(prints[1]["cases"].as_array().map(Vec::len), Some(3));
    assert_eq!(
        names_in(bench.folder()),
        [
            "Dataset002_kidney",
            "Dataset007_spleen",
            "fingerprint.json",
            "plan.json",
            "tasks.toml"
        ]
    );
}

#[test]
fn spacing_and_window_come_from_the_data_where_the_file_leaves_them() {
    let bench = Bench::new();
    bench.edit("tasks.toml", |text| {
        text.replace(&format!("spacing_zyx_mm = {:?}\n", bench::SPACING), "")
            .replace("clip_-325_325_to_0_1", "clip_foreground_to_0_1")
    });
    bench.plan(&["--task", "spleen"]).succeeds();
    let plan = Plan::read(&bench.path("plan.json")).unwrap();
    assert_eq!(plan.tasks.len(), 1);
    assert_ne!(plan.tasks[0].spacing_zyx_mm, bench::SPACING);
    let text = fs::read_to_string(bench.path("plan.json")).unwrap();
    assert!(
        text.contains("\"clip_") && !text.contains("foreground"),
        "{text}"
    );
    // Without a look at the data there is none.
    bench
        .plan(&["--no-check"])
        .refuses(&["spleen", "spacing", "state it in the tasks file"]);
}

#[test]
fn a_ready_made_tasks_file_is_a_start() {
    let folder = tempfile::tempdir().unwrap();
    let tasks = folder.path().join("tasks.toml");
    let tasks = tasks.to_str().unwrap();
    let recipe = |name| uniseg(["plan", "--recipe", name, "-o", tasks]);
    recipe("fantom").refuses(&["fantom", "did you mean 'phantom'?"]);
    assert_eq!(names_in(folder.path()), [""; 0]);
    recipe("phantom").succeeds();
    recipe("upstream").refuses(&["tasks.toml", "not overwritten"]);

    let output = folder.path().join("plan.json");
    let output = output.to_str().unwrap();
    uniseg(["plan", tasks, "-o", output, "--no-check"]).succeeds();
    assert_eq!(Plan::read(output.as_ref()).unwrap(), paper());
    assert_eq!(names_in(folder.path()), ["plan.json", "tasks.toml"]);
    uniseg(["plan", tasks, "-o", tasks, "--no-check"]).refuses(&["is the tasks file"]);
}

#[test]
fn a_budget_gives_a_network_that_can_be_built_and_fits() {
    let folder = tempfile::tempdir().unwrap();
    let [tasks, output] = ["tasks.toml", "plan.json"].map(|name| folder.path().join(name));
    let [tasks_name, output_name] = [&tasks, &output].map(|path| path.to_str().unwrap());
    uniseg(["plan", "--recipe", "phantom", "-o", tasks_name]).succeeds();
    for (budget, batch) in [("1G", 2), ("4G", 1), ("4G", 2), ("16GiB", 2)] {
        let said = uniseg([
            "plan",
            tasks_name,
            "-o",
            output_name,
            "--no-check",
            "--budget",
            budget,
            "--batch",
            &batch.to_string(),
        ])
        .succeeds();
        println!("{budget}, batch {batch}\n{said}");
        let plan = Plan::read(&output).unwrap();
        assert_eq!(plan.batch_size, batch);
        let limit: MemorySize = budget.parse().unwrap();
        assert!(Cost::of(&plan.network, batch).step <= limit, "{budget}");
        let [z, y, x] = plan.network.bottleneck_size();
        assert!(z >= 2 && y >= 3 && x >= 3, "{budget}: {z} {y} {x}");
        UniSeg::new(&plan.network, &burn::prelude::Device::flex());
    }
    let stated = [
        "plan",
        tasks_name,
        "-o",
        output_name,
        "--no-check",
        "--patch",
        "32,96,96",
        "--base",
        "8",
        "--variant",
        "uniseg_t",
    ];
    uniseg(stated).succeeds();
    let network = Plan::read(&output).unwrap().network;
    assert_eq!(network.patch_size, [32, 96, 96]);
    assert_eq!(
        (network.base_num_features, network.variant.key()),
        (8, "uniseg_t")
    );
}

#[test]
fn what_cannot_be_planned_is_refused() {
    let bench = Bench::new();
    for (budget, words) in [
        ("lots", ["'lots'", "begin with a number"]),
        ("4X", ["'4X'", "the unit is K, M, G or T"]),
        ("-1G", ["-1G", "budget"]),
        ("0", ["'0'", "not between 1 byte"]),
    ] {
        let run = bench.plan(&[&format!("--budget={budget}")]);
        assert_eq!((run.code, run.stdout.as_str()), (Some(2), ""), "{budget}");
        for word in words {
            assert!(run.stderr.contains(word), "{word}:\n{}", run.stderr);
        }
    }
    bench
        .plan(&["--no-check", "--budget", "10M"])
        .refuses(&["10 MiB", "need"]);
    bench
        .plan(&["--no-check", "--patch", "3,64,64"])
        .refuses(&["patch_size", "[3, 64, 64]"]);
    bench
        .plan(&["--no-check", "--batch", "0"])
        .refuses(&["batch_size"]);
    bench
        .plan(&["--no-check", "--base", "0"])
        .refuses(&["base_num_features"]);
    bench
        .plan(&["--no-check", "--variant", "baseline"])
        .refuses(&["baseline", "one plan for each"]);
    bench
        .plan(&["--task", "splen"])
        .refuses(&["did you mean 'spleen'?"]);
    assert!(!bench.path("plan.json").exists());
    assert_eq!(
        bench.plan(&["--no-check", "--patch", "32,96"]).code,
        Some(2)
    );
    assert_eq!(uniseg(["plan", "-o", "plan.json"]).code, Some(2));
}
