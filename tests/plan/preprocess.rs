//! `uniseg preprocess`: what is done, what is kept, and what survives a kill or a full disk.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, SystemTime};

use uniseg_train::Plan;
use uniseg_train::data::CacheIndex;

use super::bench::Bench;
use crate::support::program::{PROGRAM, run};
use crate::support::{Run, names_in, uniseg};

/// The numbers of a task's row: done, reused, dropped, failed, train, held out.
#[track_caller]
fn counts(table: &str, task: &str) -> Vec<usize> {
    let row = table
        .lines()
        .find(|line| line.split_whitespace().next() == Some(task));
    let row = row.unwrap_or_else(|| panic!("no row of {task} in\n{table}"));
    let numbers = row.split_whitespace().skip(1).take(6);
    numbers.map(|number| number.parse().unwrap()).collect()
}

fn planned() -> Bench {
    let bench = Bench::new();
    bench
        .plan(&["--no-check", "--patch", "16,32,32", "--base", "4"])
        .succeeds();
    bench
}

fn cases(cache: &Path, task: &str) -> BTreeMap<String, SystemTime> {
    let folder = CacheIndex::folder(cache, task);
    let names = names_in(&folder)
        .into_iter()
        .filter(|name| name.ends_with(".safetensors"));
    names
        .map(|name| {
            let changed = fs::metadata(folder.join(&name))
                .unwrap()
                .modified()
                .unwrap();
            (name, changed)
        })
        .collect()
}

#[test]
fn a_second_run_finds_everything_done() {
    let bench = planned();
    let cache = bench.path("cache");
    let run = uniseg(bench.preprocess());
    let said = run.stderr.clone();
    let table = run.succeeds();
    println!("{table}{said}");
    assert_eq!(counts(&table, "spleen"), [3, 0, 0, 0, 2, 1]);
    assert_eq!(counts(&table, "kidney"), [3, 0, 0, 0, 2, 1]);
    assert!(
        said.contains("spleen: 3 done") && said.contains("next: uniseg train"),
        "{said}"
    );
    let plan = Plan::read(&bench.path("plan.json")).unwrap();
    let index = CacheIndex::read(&cache, "kidney").unwrap();
    assert_eq!(index.task, (&plan.tasks[1]).into());
    for case in &index.cases {
        index.open(&cache, case).unwrap().verify().unwrap();
    }

    let before = cases(&cache, "spleen");
    let verified = uniseg(bench.preprocess().into_iter().chain(["--verify".into()])).succeeds();
    assert_eq!(counts(&verified, "spleen"), [0, 3, 0, 0, 2, 1]);
    assert_eq!(cases(&cache, "spleen"), before);

    // Another spacing in the plan counts, and is said to.
    bench.edit("plan.json", |text| text.replacen("6.0", "7.0", 1));
    let run = uniseg(bench.preprocess());
    assert!(
        run.stderr.contains("note: task spleen: the plan's spacing"),
        "{}",
        run.stderr
    );
    let table = run.succeeds();
    assert_eq!(counts(&table, "spleen")[..2], [3, 0]);
    assert_eq!(counts(&table, "kidney")[..2], [0, 3]);
}

#[test]
fn one_task_can_be_asked_for() {
    let bench = planned();
    let table = uniseg(
        bench
            .preprocess()
            .into_iter()
            .chain(["--task".into(), "kidney".into()]),
    );
    assert_eq!(counts(&table.succeeds(), "kidney")[0], 3);
    assert_eq!(names_in(&bench.path("cache")), ["kidney"]);
}

#[test]
fn a_killed_run_is_continued() {
    let bench = planned();
    // Fine voxels, so that there is time between the first case and the last.
    bench.edit("plan.json", |text| {
        let [z, y, x] = super::bench::SPACING.map(|mm| format!("{mm:?}"));
        let old = format!("[\n        {z},\n        {y},\n        {x}\n      ]");
        text.replace(&old, "[3.0, 3.0, 3.0]")
    });
    let cache = bench.path("cache");
    let mut child = Command::new(PROGRAM)
        .args(bench.preprocess())
        .args(["--threads", "1", "--task", "kidney"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    while cases(&cache, "kidney").is_empty() {
        assert!(
            child.try_wait().unwrap().is_none(),
            "it ended without a case"
        );
        std::thread::sleep(Duration::from_millis(1));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let before = cases(&cache, "kidney");
    assert!(
        (1..3).contains(&before.len()),
        "killed too late: {before:?}"
    );
    assert!(
        CacheIndex::read(&cache, "kidney").is_err(),
        "there is an index already"
    );

    let table = uniseg(bench.preprocess()).succeeds();
    let found = counts(&table, "kidney");
    assert_eq!(found[..4], [3 - before.len(), before.len(), 0, 0]);
    let after = cases(&cache, "kidney");
    assert_eq!(after.len(), 3);
    for (name, changed) in &before {
        assert_eq!(after[name], *changed, "{name} was made again");
    }
    let left: Vec<String> = names_in(&CacheIndex::folder(&cache, "kidney"));
    assert!(!left.iter().any(|name| name.ends_with(".tmp")), "{left:?}");
}

#[test]
fn bad_cases_are_reported_and_the_others_go_on() {
    let bench = planned();
    bench.paint(
        "Dataset007_spleen/imagesTr/spleen_001_0000.nii.gz",
        |voxels| {
            voxels[[0, 0, 0]] = f32::INFINITY;
        },
    );
    fs::remove_file(bench.path("Dataset002_kidney/labelsTr/kidney_002.nii.gz")).unwrap();
    let run = uniseg(bench.preprocess());
    assert_eq!(run.code, Some(1), "{}{}", run.stdout, run.stderr);
    println!("{}{}", run.stdout, run.stderr);
    assert_eq!(counts(&run.stdout, "spleen")[..4], [2, 0, 0, 1]);
    assert_eq!(counts(&run.stdout, "kidney")[..4], [2, 0, 0, 1]);
    for words in [
        ["spleen_001", "infinite", "spleen_001"],
        ["kidney_002", "missing", "kidney_002.nii.gz"],
    ] {
        let row = |line: &str| words.iter().all(|word| line.contains(word));
        assert!(run.stdout.lines().any(row), "{words:?} in\n{}", run.stdout);
    }
    assert_eq!(cases(&bench.path("cache"), "spleen").len(), 2);
}

#[test]
fn a_task_that_cannot_be_opened_does_not_stop_the_others() {
    let bench = planned();
    fs::remove_dir_all(bench.path("Dataset007_spleen")).unwrap();
    let run = uniseg(bench.preprocess());
    assert_eq!(run.code, Some(2), "{}{}", run.stdout, run.stderr);
    assert_eq!(counts(&run.stdout, "kidney")[0], 3);
    for word in ["task spleen", "is not a dataset", "1 of 2 task(s)"] {
        assert!(run.stderr.contains(word), "{word}: {}", run.stderr);
    }
}

#[test]
fn a_plan_of_other_tasks_is_refused_with_every_difference() {
    let bench = planned();
    bench.edit("plan.json", |text| {
        text.replace("\"name\": \"spleen\"", "\"name\": \"milt\"")
            .replace("\"tumour\"", "\"cyst\"")
    });
    uniseg(bench.preprocess()).refuses(&[
        "tasks.toml",
        "task 'milt' is in the plan only",
        "task 'spleen' is not in the plan",
        "kidney, cyst in the plan, but background, kidney, tumour",
        "make the plan again",
    ]);
    assert!(!bench.path("cache").exists());
}

/// A file may not grow beyond some 50 or 100 kB; the signal is ignored, so that writing fails.
fn limited(bench: &Bench) -> Run {
    let script = r#"trap "" XFSZ; ulimit -f 100; exec "$@""#;
    run(Command::new("sh")
        .args(["-c", script, "sh", PROGRAM])
        .args(bench.preprocess()))
}

#[test]
fn a_full_disk_fails_the_case_and_leaves_the_cache_whole() {
    let bench = planned();
    bench.edit("plan.json", |text| {
        text.replace("6.0", "3.0").replace("4.0", "3.0")
    });
    let cache = bench.path("cache");
    uniseg(bench.preprocess()).succeeds();
    let victim = CacheIndex::case_path(&cache, "spleen", "spleen_001");
    assert!(
        fs::metadata(&victim).unwrap().len() > 110_000,
        "the limit would not be reached"
    );
    fs::remove_file(&victim).unwrap();
    let run = limited(&bench);
    assert_eq!(run.code, Some(1), "{}{}", run.stdout, run.stderr);
    assert_eq!(counts(&run.stdout, "spleen")[..4], [0, 2, 0, 1]);
    assert_eq!(counts(&run.stdout, "kidney")[..4], [0, 3, 0, 0]);
    let row = |line: &&str| line.contains("spleen_001") && line.contains("cannot be written");
    assert!(run.stdout.lines().any(|line| row(&line)), "{}", run.stdout);
    let index = CacheIndex::read(&cache, "spleen").unwrap();
    assert_eq!(index.cases.len(), 2);
    for case in &index.cases {
        index.open(&cache, case).unwrap().verify().unwrap();
    }
    assert_eq!(cases(&cache, "spleen").len(), 2);
    let again = uniseg(bench.preprocess()).succeeds();
    assert_eq!(counts(&again, "spleen")[..4], [1, 2, 0, 0]);
}
