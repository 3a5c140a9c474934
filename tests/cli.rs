//! The command line: help, exit codes, and what is printed where.

use std::ffi::OsStr;
use std::process::Command;

use serde_json::Value;

use crate::support::program::{PROGRAM, run};
use crate::support::{artefacts, golden, names_in, ort, uniseg};

#[test]
fn help_reads_well() {
    let commands: [&[&str]; 20] = [
        &[],
        &["import"],
        &["export"],
        &["inspect"],
        &["verify"],
        &["segment"],
        &["evaluate"],
        &["tune"],
        &["doctor"],
        &["runtime"],
        &["runtime", "install"],
        &["runtime", "list"],
        &["plan"],
        &["preprocess"],
        &["train"],
        &["finetune"],
        &["bench"],
        &["bench", "train"],
        &["bench", "case"],
        &["demo"],
    ];
    for command in commands {
        let help = uniseg(command.iter().copied().chain(["--help"])).succeeds();
        let name = [&["uniseg"], command].concat().join("_");
        insta::assert_snapshot!(format!("help_{name}"), help);
        assert!(
            help.lines().all(|line| line.chars().count() <= 100),
            "{help}"
        );
    }
    // What is asked for is a result, what is missing is an error.
    let bare = uniseg([] as [&str; 0]);
    assert_eq!((bare.code, bare.stdout.as_str()), (Some(2), ""));
    assert!(bare.stderr.contains("Usage: uniseg"), "{}", bare.stderr);
}

#[test]
fn the_version_is_the_packages() {
    let said = uniseg(["--version"]).succeeds();
    assert_eq!(said, concat!("uniseg ", env!("CARGO_PKG_VERSION"), "\n"));
}

#[test]
fn what_cannot_be_parsed_is_exit_code_2() {
    for arguments in [
        vec!["nonsense"],
        vec!["segment"],
        vec!["segment", "model.onnx", "image.nii", "-o", "labels.nii"],
        vec![
            "segment", "m", "i", "--task", "0", "-o", "l.nii", "--engine", "fpga",
        ],
        vec![
            "segment",
            "m",
            "i",
            "--task",
            "0",
            "-o",
            "l.nii",
            "--threads",
            "0",
        ],
        vec!["export", "-o", "model.onnx"],
        vec!["export", "folder", "--plan", "paper", "-o", "model.onnx"],
        vec![
            "export",
            "--plan",
            "paper",
            "--opset",
            "24",
            "-o",
            "model.onnx",
        ],
        vec!["runtime", "install", "--cuda", "--openvino"],
    ] {
        let run = uniseg(&arguments);
        assert_eq!(run.code, Some(2), "{arguments:?}");
        assert!(
            run.stdout.is_empty() && run.stderr.starts_with("error: "),
            "{}",
            run.stderr
        );
    }
}

#[test]
fn an_error_is_one_sentence_with_its_causes() {
    let run = uniseg(["inspect", "no/such/model.onnx"]);
    insta::assert_snapshot!(run.stderr, @"uniseg: cannot use no/such/model.onnx as a model: the file cannot be read: No such file or directory (os error 2)");
}

#[test]
fn inspect_shows_the_manifest() {
    let model = artefacts::tiny().to_str().unwrap();
    insta::assert_snapshot!("inspect_tiny", uniseg(["inspect", model]).succeeds());
    let json: Value =
        serde_json::from_str(&uniseg(["inspect", model, "--json"]).succeeds()).unwrap();
    assert_eq!(json["tasks"][1]["labels"][2], "rim");
    assert_eq!(json["network"]["patch_zyx"], serde_json::json!([2, 3, 4]));
    insta::assert_snapshot!(
        "inspect_tiny_graph",
        uniseg(["inspect", model, "--graph"]).succeeds()
    );
}

#[test]
fn verify_says_yes_or_no() {
    ort::library();
    let model = artefacts::tiny().to_str().unwrap();
    let yes = uniseg(["verify", model]);
    assert_eq!(yes.code, Some(0), "{}", yes.stderr);
    assert!(
        yes.stdout.contains("blob") && yes.stdout.contains("tract"),
        "{}",
        yes.stdout
    );
    let Some(golden) = golden("verify_says_yes_or_no") else {
        return;
    };
    let model = artefacts::trained(&golden).to_str().unwrap();
    let no = uniseg([
        "verify",
        model,
        "--tolerance",
        "1e-12",
        "--seed",
        "3",
        "--json",
    ]);
    assert_eq!(no.code, Some(1), "{}", no.stderr);
    let rows: Value = serde_json::from_str(&no.stdout).unwrap();
    assert_eq!(rows["tasks"].as_array().unwrap().len(), 11);
    assert_eq!(rows["seed"], 3);
    for row in rows["tasks"].as_array().unwrap() {
        let gap = row["max_abs"].as_f64().unwrap();
        assert!(gap > 0.0 && gap <= 1e-3, "{row}");
    }
    assert_eq!(uniseg(["verify", model]).code, Some(0));
}

#[test]
fn without_onnx_runtime_tract_steps_in_and_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let image = folder.path().join("image.nii");
    std::fs::write(&image, crate::nifti_bad::builder::sample()).unwrap();
    let output = folder.path().join("labels.nii.gz");
    // Nothing is installed in this world: an empty cache, no Python on the path.
    let elsewhere = |arguments: &[&OsStr]| {
        run(Command::new(PROGRAM)
            .env_remove("ORT_DYLIB_PATH")
            .env_remove("VIRTUAL_ENV")
            .env_remove("LD_LIBRARY_PATH")
            .env("UNISEG_CACHE", folder.path().join("cache"))
            .env("PATH", folder.path())
            .args(arguments))
    };
    if !elsewhere(&["runtime".as_ref(), "list".as_ref()])
        .stdout
        .is_empty()
    {
        println!("this system has its own ONNX Runtime, which cannot be hidden");
        return;
    }
    let segment = |engine: &str| {
        elsewhere(&[
            "segment".as_ref(),
            artefacts::tiny().as_os_str(),
            image.as_os_str(),
            "--task".as_ref(),
            "0".as_ref(),
            "--engine".as_ref(),
            engine.as_ref(),
            "-o".as_ref(),
            output.as_os_str(),
        ])
    };
    let auto = segment("auto");
    assert_eq!(auto.code, Some(0), "{}", auto.stderr);
    assert_eq!(auto.stderr.lines().count(), 1, "{}", auto.stderr);
    assert!(auto.stderr.contains("uniseg runtime install") && auto.stderr.contains("tract"));
    assert_eq!(
        names_in(folder.path()),
        ["image.nii", "labels.json", "labels.nii.gz"]
    );
    segment("ort").refuses(&["ort", "uniseg runtime install"]);
}

#[test]
fn installed_libraries_are_listed() {
    let library = ort::library();
    let listed = uniseg(["runtime", "list"]).succeeds();
    assert!(listed.contains(library.to_str().unwrap()), "{listed}");
    assert!(
        listed
            .lines()
            .nth(1)
            .is_some_and(|line| line.starts_with('*')),
        "{listed}"
    );
}

/// A few steps, which teach it next to nothing, but every stage of the story; then again, with
/// nothing left to do.
#[test]
fn the_demo_tells_its_whole_story() {
    ort::library();
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("demo");
    let demo = || uniseg(["demo", "--out", out.to_str().unwrap(), "--epochs", "1"]);
    let run = demo();
    assert_eq!(run.code, Some(0), "{}{}", run.stdout, run.stderr);
    println!("{}{}", run.stdout, run.stderr);
    let expected = [
        "cache",
        "evaluation",
        "model.onnx",
        "plan.json",
        "raw",
        "report.html",
        "run",
        "tasks.toml",
    ];
    assert_eq!(names_in(&out), expected);
    for task in ["liver", "kidney", "spleen", "prostate", "mean"] {
        assert!(run.stdout.contains(task), "{task}:\n{}", run.stdout);
    }
    let evaluation: Value =
        serde_json::from_slice(&std::fs::read(out.join("evaluation/evaluation.json")).unwrap())
            .unwrap();
    assert_eq!(evaluation["tasks"].as_array().map(Vec::len), Some(4));
    let page = std::fs::read_to_string(out.join("report.html")).unwrap();
    for part in [
        "The same volume under every task",
        "How it learned",
        "Two engines, one answer",
        "<svg",
        "data:image/png;base64,",
    ] {
        assert!(page.contains(part), "{part}");
    }
    let model = std::fs::read(out.join("model.onnx")).unwrap();
    let again = demo();
    assert_eq!(again.code, Some(0), "{}", again.stderr);
    assert_eq!(again.stdout, run.stdout);
    assert_eq!(std::fs::read(out.join("model.onnx")).unwrap(), model);
}
