//! Many cases through the program: resuming, failing, sharing out, merging, and Ctrl-C.

mod replacing;

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;
use uniseg_imaging::ndarray::Array3;
use uniseg_imaging::{Extent, Geometry, SpacingMm, Volume, write_image};

use crate::support::compare::{SAME_LABELS, read_labels, same_labels};
use crate::support::program::PROGRAM;
use crate::support::{Run, artefacts, golden, names_in, ort, uniseg};

/// Writes a CT of `side` voxels each way, of the sample's spacing.
fn image(path: &Path, side: usize) {
    let spacing = SpacingMm::from_zyx([3.0, 1.5, 1.5]).unwrap();
    let geometry = Geometry::axis_aligned(Extent::from_zyx([side; 3]), spacing);
    let voxels = Array3::from_shape_fn([side; 3], |(z, y, x)| ((z * 7 + y * 3 + x) % 101) as f32);
    write_image(path, &Volume::new(voxels, geometry).unwrap()).unwrap();
}

/// A folder of cases and an output folder that is not there yet.
fn cases(names: &[&str]) -> (TempDir, PathBuf, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let input = folder.path().join("in");
    std::fs::create_dir(&input).unwrap();
    for name in names {
        image(&input.join(name), 7);
    }
    let output = folder.path().join("out");
    (folder, input, output)
}

fn arguments(input: &Path, output: &Path, more: &[&str]) -> Vec<String> {
    arguments_for("blob", input, output, more)
}

fn arguments_for(task: &str, input: &Path, output: &Path, more: &[&str]) -> Vec<String> {
    let model = artefacts::tiny().to_str().unwrap();
    let paths = [input, output].map(|path| path.to_str().unwrap());
    let fixed = [
        "segment", model, paths[0], "--task", task, "--engine", "tract", "-o", paths[1],
    ];
    fixed
        .iter()
        .chain(more)
        .map(|&word| word.to_owned())
        .collect()
}

fn segment(input: &Path, output: &Path, more: &[&str]) -> Run {
    uniseg(arguments(input, output, more))
}

/// The state of each case in the table that was printed.
fn states(run: &Run) -> Vec<(String, String)> {
    let lines = run.stdout.lines().skip(1);
    lines
        .map(|line| {
            let mut words = line.split_whitespace().map(str::to_owned);
            (words.next().unwrap(), words.next().unwrap())
        })
        .collect()
}

fn expect(run: &Run, code: i32, expected: &[(&str, &str)]) {
    assert_eq!(run.code, Some(code), "{}{}", run.stdout, run.stderr);
    let expected: Vec<_> = expected
        .iter()
        .map(|&(case, state)| (case.to_owned(), state.to_owned()))
        .collect();
    assert_eq!(states(run), expected, "{}", run.stdout);
}

#[test]
fn a_bad_case_does_not_stop_the_others_and_finished_ones_are_skipped() {
    let (_folder, input, output) = cases(&["a.nii.gz", "c.nii"]);
    std::fs::write(input.join("b.nii"), "this is no image").unwrap();
    let first = segment(&input, &output, &[]);
    expect(&first, 1, &[("a", "done"), ("b", "failed"), ("c", "done")]);
    assert!(first.stdout.contains("b.nii"), "{}", first.stdout);
    assert!(
        first.stderr.contains("1 of 3 cases failed"),
        "{}",
        first.stderr
    );
    let whole = ["a.json", "a.nii.gz", "c.json", "c.nii.gz"];
    assert_eq!(names_in(&output), whole);

    // One that is not whole, and one that is of other settings, is not finished.
    image(&input.join("b.nii"), 6);
    std::fs::remove_file(output.join("a.nii.gz")).unwrap();
    let second = segment(&input, &output, &[]);
    expect(
        &second,
        0,
        &[("a", "done"), ("b", "done"), ("c", "skipped")],
    );
    let third = segment(&input, &output, &["--step", "1"]);
    expect(&third, 0, &[("a", "done"), ("b", "done"), ("c", "done")]);
    // What a killed run leaves.
    std::fs::write(output.join("c.json"), r#"{"unfinished": true}"#).unwrap();
    let fourth = segment(&input, &output, &["--step", "1"]);
    expect(
        &fourth,
        0,
        &[("a", "skipped"), ("b", "skipped"), ("c", "done")],
    );
    let fifth = segment(&input, &output, &["--step", "1", "--again"]);
    expect(&fifth, 0, &[("a", "done"), ("b", "done"), ("c", "done")]);
}

#[test]
fn what_was_made_otherwise_is_made_again_unless_it_is_to_be_kept() {
    let (_folder, input, output) = cases(&["a.nii", "b.nii"]);
    let all = |state| [("a", state), ("b", state)];
    expect(&segment(&input, &output, &[]), 0, &all("done"));
    let record = output.join("a.json");
    let written = std::fs::read_to_string(&record).unwrap();
    for (field, other) in [
        ("\"precision\": \"f32\"", "\"precision\": \"bf16\""),
        ("\"device\": \"cpu\"", "\"device\": \"cuda\""),
        // A record of a version that did not say.
        ("\"device\": \"cpu\"", "\"device\": null"),
    ] {
        assert!(written.contains(field), "{written}");
        std::fs::write(&record, written.replace(field, other)).unwrap();
        let kept = segment(&input, &output, &["--keep-finished"]);
        expect(&kept, 0, &all("skipped"));
        let again = segment(&input, &output, &[]);
        expect(&again, 0, &[("a", "done"), ("b", "skipped")]);
        let note = "1 finished case(s) were made on another device or in another precision";
        assert!(again.stderr.contains(note), "{}", again.stderr);
        expect(&segment(&input, &output, &[]), 0, &all("skipped"));
        assert_eq!(std::fs::read_to_string(&record).unwrap(), written);
    }
}

#[test]
fn a_case_that_lacks_a_channel_fails_and_the_others_do_not() {
    let (_folder, input, output) = cases(&["a_0000.nii", "b_0000.nii", "b_0002.nii"]);
    let found = segment(&input, &output, &[]);
    expect(&found, 1, &[("a", "done"), ("b", "failed")]);
    let said = "case b has no file of channel _0001, but b_0000.nii, b_0002.nii";
    assert!(found.stdout.contains(said), "{}", found.stdout);
}

#[test]
fn a_case_of_many_is_the_case_alone() {
    let (folder, input, output) = cases(&["a.nii.gz", "b.nii.gz"]);
    expect(
        &segment(&input, &output, &[]),
        0,
        &[("a", "done"), ("b", "done")],
    );
    let alone = folder.path().join("alone.nii.gz");
    assert_eq!(segment(&input.join("b.nii.gz"), &alone, &[]).code, Some(0));
    let bytes = |path: PathBuf| std::fs::read(path).unwrap();
    assert_eq!(bytes(output.join("b.nii.gz")), bytes(alone));
    assert_eq!(
        bytes(output.join("b.json")),
        bytes(folder.path().join("alone.json"))
    );
}

#[test]
fn shards_and_patterns_and_tables_choose_cases() {
    let (folder, input, output) = cases(&["a.nii", "b.nii", "c.nii"]);
    let odd = segment(&input, &output, &["--shard", "1/2"]);
    expect(&odd, 0, &[("a", "done"), ("c", "done")]);
    let even = segment(&input, &output, &["--shard", "2/2"]);
    expect(&even, 0, &[("b", "done")]);
    let some = segment(&input.join("[xy]*.nii"), &output, &[]);
    some.refuses(&["no nifti file matches"]);
    let some = segment(&input.join("[ab]*.nii"), &output, &[]);
    expect(&some, 0, &[("a", "skipped"), ("b", "skipped")]);
    let some = segment(
        &input.join("?.nii"),
        &folder.path().join("other"),
        &["--shard", "3/3"],
    );
    expect(&some, 0, &[("c", "done")]);

    let table = folder.path().join("cases.csv");
    std::fs::write(
        &table,
        "case,ct,task\none,in/a.nii,\ntwo,in/b.nii,klecks\nno,in/a.nii,x\n",
    )
    .unwrap();
    let listed = segment(&table, &output, &[]);
    expect(
        &listed,
        1,
        &[("no", "failed"), ("one", "done"), ("two", "done")],
    );

    segment(&input, &output, &["--shard", "3/2"])
        .code
        .filter(|code| *code == 2)
        .unwrap();
    segment(&input.join("a.nii"), &output, &["--shard", "1/2"]).refuses(&["--shard is for many"]);
    segment(&input, &output, &["--preview", "x.png"]).refuses(&["--preview", "leave them out"]);
    // Results beside the images would be images of the next run, or replace them.
    let names = names_in(&input);
    for images in [input.join("a*"), input.clone()] {
        segment(&images, &input, &[]).refuses(&["holds the images", "-o"]);
    }
    assert_eq!(names_in(&input), names);
    let beside = folder.path().join("beside.csv");
    std::fs::write(&beside, "case,ct\nlabels,in/a.nii\n").unwrap();
    expect(&segment(&beside, &input, &[]), 0, &[("labels", "done")]);
}

#[test]
fn a_task_that_no_case_can_have_is_refused_before_any() {
    let (_folder, input, output) = cases(&["a.nii"]);
    for (task, said) in [
        ("blop", "blob"),
        ("", "no task is named"),
        (",", "no task is named"),
        ("all:XX", "of modality xx"),
    ] {
        for images in [input.clone(), input.join("a.nii")] {
            uniseg(arguments_for(task, &images, &output, &[])).refuses(&[said]);
        }
    }
    assert!(!output.exists());
}

#[test]
fn two_cases_that_would_write_the_same_file_are_refused() {
    let (_folder, input, output) = cases(&["a.nii", "a.probabilities.nii"]);
    segment(&input, &output, &["--probabilities"]).refuses(&["a.probabilities.nii.gz"]);
    assert!(!output.exists());
    segment(&input, &output, &[]).succeeds();
}

#[test]
fn a_case_whose_image_changed_is_not_finished() {
    let (_folder, input, output) = cases(&["a.nii", "b.nii", "c.nii"]);
    let of = |a, b, c| [("a", a), ("b", b), ("c", c)];
    let all_done = of("done", "done", "done");
    expect(&segment(&input, &output, &[]), 0, &all_done);
    // Another patient's image, and one that was written again.
    image(&input.join("a.nii"), 8);
    image(&input.join("b.nii"), 7);
    let later = std::time::SystemTime::now() + Duration::from_secs(60);
    let mut writing = std::fs::File::options();
    let touched = writing.write(true).open(input.join("b.nii")).unwrap();
    touched.set_modified(later).unwrap();
    let kept = segment(&input, &output, &["--keep-finished"]);
    expect(&kept, 0, &of("done", "skipped", "skipped"));
    let again = segment(&input, &output, &[]);
    expect(&again, 0, &of("skipped", "done", "skipped"));
    let note = "1 finished case(s) have images that were written again";
    assert!(again.stderr.contains(note), "{}", again.stderr);
    // A folder of other images with the same names.
    let (_other, others, _) = cases(&["a.nii", "b.nii", "c.nii"]);
    image(&others.join("c.nii"), 9);
    let moved = segment(&others, &output, &["--keep-finished"]);
    expect(&moved, 0, &of("done", "skipped", "done"));
}

#[test]
fn what_no_case_can_do_is_refused_before_any() {
    let (folder, input, output) = cases(&["a.nii", "b.nii"]);
    segment(&input, &output, &["--step", "5"]).refuses(&["window step 5"]);
    segment(&input, &output, &["--merge", "--priority", "blop"]).refuses(&["blop"]);
    // A task of the model, but not of this command.
    let other = ["--merge", "--priority", "two-channel blob"];
    let run = segment(&input, &output, &other);
    expect(&run, 1, &[("a", "failed"), ("b", "failed")]);
    assert!(
        run.stdout.contains("neither a task nor a label of blob"),
        "{}",
        run.stdout
    );
    for name in ["out.nii.gz", "out.txt", "OUT.NRRD"] {
        let output = folder.path().join(name);
        segment(&input, &output, &[]).refuses(&["looks like a file"]);
        assert!(!output.exists());
    }
    let two = [input.join("a.nii"), input.join("b.nii")].map(|path| path.display().to_string());
    let mut arguments = arguments(&input.join("a.nii"), &output, &[]);
    arguments.insert(3, two[1].clone());
    uniseg(arguments).refuses(&["a pattern in quotes"]);
    assert!(!output.exists());
}

/// The exit code of the program if nobody reads what it prints.
fn unread<S: AsRef<OsStr>>(arguments: impl IntoIterator<Item = S>) -> Option<i32> {
    let mut child = Command::new(PROGRAM)
        .args(arguments)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    child.wait().unwrap().code()
}

#[test]
fn a_reader_that_went_away_does_not_end_the_work() {
    let (_folder, input, output) = cases(&["a.nii", "c.nii"]);
    std::fs::write(input.join("b.nii"), "no image").unwrap();
    // Whoever looks at the exit code learns that a case failed.
    assert_eq!(unread(arguments(&input, &output, &[])), Some(1));
    assert_eq!(
        names_in(&output),
        ["a.json", "a.nii.gz", "c.json", "c.nii.gz"]
    );
}

#[test]
fn tasks_that_come_after_a_closed_output_are_done_too() {
    let Some(golden) = golden("tasks_that_come_after_a_closed_output_are_done_too") else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let output = folder.path().join("out");
    let image = golden.path("data/ct_small.nii.gz");
    let paths = [artefacts::trained(&golden), &image, &output];
    let [model, image, to] = paths.map(|path| path.to_str().unwrap());
    let tasks = ["--task", "spleen,liver", "--together", "1", "--merge"];
    let arguments = ["segment", model, image].into_iter().chain(tasks);
    assert_eq!(unread(arguments.chain(["-o", to])), Some(0));
    assert!(names_in(&output).contains(&"merged.nii.gz".to_owned()));
}

#[test]
fn ctrl_c_stops_and_leaves_nothing_half_written() {
    stops("-INT", 130);
}

#[test]
fn a_scheduler_stops_it_like_ctrl_c() {
    stops("-TERM", 143);
}

fn stops(signal: &str, code: i32) {
    let (_folder, input, output) = cases(&["a.nii"]);
    // Some ten thousand windows of the sample's few voxels.
    image(&input.join("b.nii"), 60);
    let mut child = Command::new(PROGRAM)
        .args(arguments(&input, &output, &["--step", "0.5"]))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let patience = Instant::now();
    let record = output.join("a.json");
    while !std::fs::read_to_string(&record).is_ok_and(|record| record.contains("voxel_ml")) {
        assert!(
            patience.elapsed() < Duration::from_secs(120),
            "the first case never came"
        );
        std::thread::sleep(Duration::from_millis(20));
    }
    let kill = Command::new("kill")
        .args([signal, &child.id().to_string()])
        .status();
    assert!(kill.unwrap().success());
    let asked = Instant::now();
    while child.try_wait().unwrap().is_none() {
        // The program gives itself one second; the rest is for tests beside this one.
        if asked.elapsed() > Duration::from_secs(4) {
            child.kill().unwrap();
            panic!("it did not stop");
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    println!("stopped after {:.2?}", asked.elapsed());
    let ended = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&ended.stderr);
    assert_eq!(ended.status.code(), Some(code), "{said}");
    assert!(said.contains("what is finished is kept"), "{said}");
    assert_eq!(names_in(&output), ["a.json", "a.nii.gz"]);
}

#[test]
fn a_merged_map_is_finished_only_as_what_was_asked_for() {
    let Some(golden) = golden("a_merged_map_is_finished_only_as_what_was_asked_for") else {
        return;
    };
    ort::library();
    let (_folder, input, output) = cases(&[]);
    std::fs::copy(golden.path("data/ct_small.nii.gz"), input.join("ct.nii.gz")).unwrap();
    let merged = output.join("ct").join("merged.nii.gz");
    let run = |task: &str, more: &[&str], state| {
        let model = artefacts::trained(&golden).to_str().unwrap();
        let [input, output] = [&input, &output].map(|path| path.to_str().unwrap());
        let fixed = [
            "segment", model, input, "--task", task, "--step", "1", "-o", output,
        ];
        let found = uniseg(fixed.iter().chain(more));
        expect(&found, 0, &[("ct", state)]);
        read_labels(&merged)
    };
    let first = run("spleen,liver", &["--merge"], "done");
    assert_eq!(run("spleen,liver", &["--merge"], "skipped"), first);
    // Another priority, another order, another task, and maps that were made again since.
    run("spleen,liver", &["--merge", "--priority", "liver"], "done");
    let turned = run("liver,spleen", &["--merge"], "done");
    assert_ne!(turned, first);
    run("spleen,kidney", &["--merge"], "done");
    assert_eq!(run("spleen,liver", &["--merge"], "done"), first);
    run("spleen,liver", &["--no-skip"], "done");
    run("spleen,liver", &["--merge", "--no-skip"], "done");
}

#[test]
fn tasks_merge_into_one_map_with_a_table() {
    let Some(golden) = golden("tasks_merge_into_one_map_with_a_table") else {
        return;
    };
    ort::library();
    let folder = tempfile::tempdir().unwrap();
    let model = artefacts::trained(&golden);
    let run = |output: &Path, more: &[&str]| {
        let image = golden.path("data/ct_small.nii.gz");
        let paths = [model, &image, output].map(|path| path.to_str().unwrap().to_owned());
        let [model, image, output] = &paths;
        let fixed = [
            "segment",
            model,
            image,
            "--task",
            "spleen,liver",
            "--merge",
            "-o",
            output,
        ];
        uniseg(fixed.iter().chain(more)).succeeds()
    };
    let (first, second) = (folder.path().join("first"), folder.path().join("second"));
    run(&first, &["--no-skip"]);
    let names = [
        "liver.json",
        "liver.nii.gz",
        "merged.json",
        "merged.nii.gz",
        "spleen.json",
        "spleen.nii.gz",
    ];
    assert_eq!(names_in(&first), names);
    let merged = read_labels(&first.join("merged.nii.gz"));
    let [spleen, liver] =
        ["spleen", "liver"].map(|task| read_labels(&first.join(format!("{task}.nii.gz"))));
    let table: Value =
        serde_json::from_slice(&std::fs::read(first.join("merged.json")).unwrap()).unwrap();
    assert_eq!(table["labels"][0]["task"], "spleen");
    assert_eq!(table["labels"][1]["task"], "liver");
    // The spleen is value 1 and wins over the liver's values 2 and up.
    for ((merged, spleen), liver) in merged.iter().zip(&spleen).zip(&liver) {
        let expected = match (*spleen, *liver) {
            (1, _) => 1,
            (_, 0) => 0,
            (_, liver) => liver + 1,
        };
        assert_eq!(*merged, expected);
    }
    let ones = merged.iter().filter(|value| **value == 1).count();
    assert_eq!(table["labels"][0]["voxels"], ones);
    assert!(ones > 0);

    // Skipping windows of air costs nothing here.
    run(&second, &["--priority", "liver"]);
    let table: Value =
        serde_json::from_slice(&std::fs::read(second.join("merged.json")).unwrap()).unwrap();
    assert_eq!(table["priority"][0], 2);
    for (task, labels) in [("spleen", 2), ("liver", 3)] {
        let [with, without] =
            [&second, &first].map(|folder| read_labels(&folder.join(format!("{task}.nii.gz"))));
        same_labels(
            &format!("{task} with windows of air skipped"),
            &with,
            &without,
            labels,
            SAME_LABELS,
        );
    }
}
