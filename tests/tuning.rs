//! `uniseg tune`: what passes is remembered, what does not is never chosen, and on what it is compared.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::support::program::{PROGRAM, Run, run};
use crate::support::{Golden, artefacts, golden, ort, uniseg};

/// The program with a library and a cache of its own.
fn in_cache(cache: &Path, library: &Path, arguments: &[&str]) -> Run {
    run(Command::new(PROGRAM)
        .args(arguments)
        .arg("--ort-lib")
        .arg(library)
        .env("UNISEG_CACHE", cache))
}

#[test]
fn what_is_tuned_is_remembered_and_a_corrupt_memory_only_noted() {
    let cache = tempfile::tempdir().unwrap();
    let in_cache = |arguments: &[&str]| in_cache(cache.path(), ort::library(), arguments);
    let model = artefacts::tiny().to_str().unwrap();
    let said = in_cache(&["tune", model, "--threads", "1,2", "--json"]).succeeds();
    let report: Value = serde_json::from_str(&said).unwrap();
    let tried = report["tried"].as_array().unwrap();
    assert_eq!(tried.len(), 2, "{said}");
    assert!(tried.iter().all(|row| row["failure"].is_null()), "{said}");
    assert_eq!(report["fastest"]["device"], "cpu");
    let file = report["remembered_in"].as_str().unwrap();
    assert!(fs::read_to_string(file).unwrap().contains("median_ms"));
    let doctor = in_cache(&["doctor"]).succeeds();
    assert!(doctor.contains("ms a window"), "{doctor}");

    let rows = || {
        fs::read_to_string(file)
            .unwrap()
            .matches("median_ms")
            .count()
    };
    assert_eq!(rows(), 2);
    // What is not tried again stays, what is tried again is replaced.
    in_cache(&["tune", model, "--threads", "1"]).succeeds();
    assert_eq!(rows(), 2);
    in_cache(&["tune", model, "--threads", "3"]).succeeds();
    assert_eq!(rows(), 3);

    fs::write(file, "{ cut short").unwrap();
    let doctor = in_cache(&["doctor"]).succeeds();
    assert!(doctor.contains("what was tuned is not used"), "{doctor}");
    // It neither stops anything nor stays.
    in_cache(&["tune", model, "--threads", "1"]).succeeds();
    let doctor = in_cache(&["doctor"]).succeeds();
    assert!(doctor.contains("ms a window"), "{doctor}");
}

#[test]
fn tune_says_why_a_device_was_not_taken_and_fails_if_nothing_is_left() {
    let library = ort::library().to_str().unwrap();
    let model = artefacts::tiny().to_str().unwrap();
    let arguments = ["tune", model, "--dry-run", "--device", "cuda"];
    let said = uniseg(arguments.iter().chain(&["--ort-lib", library]));
    assert_eq!(said.code, Some(1), "{}{}", said.stdout, said.stderr);
    for word in ["exhaustive", "heuristic", "default", "is built without"] {
        assert!(said.stdout.contains(word), "{}", said.stdout);
    }
}

/// The real CT, for the tasks that the reference network was trained on.
fn real_ct(golden: &Golden) -> String {
    let path = golden.path("data/ct_small.nii.gz");
    format!("all:CT={}", path.display())
}

#[test]
fn on_images_every_label_is_compared() {
    let Some(golden) = golden("on_images_every_label_is_compared") else {
        return;
    };
    let model = artefacts::trained(&golden).to_str().unwrap();
    let cache = tempfile::tempdir().unwrap();
    let image = real_ct(&golden);
    let on_image = ["tune", model, "--image", &image, "--repeats", "1", "--json"];
    let said = in_cache(
        cache.path(),
        ort::library(),
        &[&on_image[..], &["--device", "cpu"]].concat(),
    )
    .succeeds();
    let report: Value = serde_json::from_str(&said).unwrap();
    let row = &report["tried"][0];
    assert!(row["failure"].is_null(), "{said}");
    assert_eq!(row["least"]["dice"], 1.0, "{said}");
    assert!(row["least"]["voxels"].as_u64().unwrap() > 0, "{said}");
}

#[test]
fn images_that_are_not_there_and_tasks_that_do_not_exist_are_refused_at_once() {
    let model = artefacts::tiny().to_str().unwrap();
    let tune = |more: &[&str]| uniseg(["tune", model].iter().chain(more));
    tune(&["--image", "absent.nii.gz"]).refuses(&["cannot read absent.nii.gz"]);
    tune(&["--image", "livr=absent.nii.gz"]).refuses(&["livr"]);
    for wrong in [
        &["--windows", "2"][..],
        &["--image", "absent.nii.gz", "--seed", "1"],
    ] {
        let said = tune(wrong);
        assert_eq!(said.code, Some(2), "{}", said.stderr);
        assert!(said.stderr.contains("--image"), "{}", said.stderr);
    }
}

/// What `auto` is, in `segment`, is what `tune` found fastest.
#[test]
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
fn what_is_tuned_is_what_a_case_is_computed_on() {
    let Some(golden) = golden("what_is_tuned_is_what_a_case_is_computed_on") else {
        return;
    };
    let library = ort::openvino_library();
    let model = artefacts::trained(&golden).to_str().unwrap();
    let cache = tempfile::tempdir().unwrap();
    let in_cache =
        |arguments: &[&str]| in_cache(cache.path(), Path::new(&library), arguments).succeeds();
    let image = golden.path("data/ct_small.nii.gz");
    let labels = cache.path().join("liver.nii.gz");
    let computed_on = || {
        let [image, labels] = [&image, &labels].map(|path| path.to_str().unwrap());
        in_cache(&["segment", model, image, "--task", "liver", "-o", labels]);
        let record = fs::read_to_string(cache.path().join("liver.json")).unwrap();
        let record: Value = serde_json::from_str(&record).unwrap();
        [&record["device"], &record["precision"]].map(|value| value.as_str().unwrap().to_owned())
    };
    // With nothing tuned it is what the library is for, in the artefact's own precision.
    assert_eq!(computed_on(), ["openvino", "f32"]);
    let on_cpu = ["--device", "cpu", "--precision", "f32", "--repeats", "1"];
    in_cache(
        &[
            &["tune", model][..],
            &on_cpu,
            &["--image", &real_ct(&golden)],
        ]
        .concat(),
    );
    assert_eq!(computed_on(), ["cpu", "f32"]);
}

#[test]
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
fn bf16_is_judged_by_its_labels_on_an_image() {
    let Some(golden) = golden("bf16_is_judged_by_its_labels_on_an_image") else {
        return;
    };
    let library = ort::openvino_library();
    let model = artefacts::trained(&golden).to_str().unwrap();
    let image = real_ct(&golden);
    let tune = |more: &[&str]| {
        let arguments = ["tune", model, "--dry-run", "--json", "--repeats", "1"];
        let on = ["--device", "openvino", "--ort-lib", &library];
        let said = uniseg([&arguments[..], &on, more].concat()).succeeds();
        let report: Value = serde_json::from_str(&said).unwrap();
        let bf16 = report["tried"]
            .as_array()
            .unwrap()
            .iter()
            .find(|row| row["precision"] == "bf16")
            .cloned();
        (bf16.unwrap(), said)
    };
    let (bf16, said) = tune(&["--image", &image, "--windows", "8"]);
    assert!(bf16["failure"].is_null(), "{said}");
    let dice = bf16["least"]["dice"].as_f64().unwrap();
    // Where the processor does not compute in bf16, OpenVINO may not either.
    assert!((0.98..=1.0).contains(&dice), "{said}");
    // A random window is not compared label by label.
    let (bf16, said) = tune(&[]);
    assert!(bf16["least"].is_null(), "{said}");
}
