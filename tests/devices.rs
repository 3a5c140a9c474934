//! Devices and precisions: what is asked for is used or is an error that says what is missing;
//! what is tuned is remembered; what is broken is said.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;
use uniseg_runtime::Surroundings;

use crate::support::program::{PROGRAM, run};
use crate::support::{artefacts, ort, uniseg};

/// `verify` on the smallest artefact, with more arguments.
fn verify(arguments: &[&str]) -> crate::support::program::Run {
    ort::library();
    let model = artefacts::tiny().to_str().unwrap();
    uniseg(["verify", model].iter().chain(arguments))
}

/// The path of ONNX Runtime's plain library, as text.
fn plain_library() -> &'static str {
    ort::library().to_str().unwrap()
}

#[test]
fn a_device_that_the_library_does_not_have_is_an_error_with_a_remedy() {
    for (device, provider, remedy) in [
        ("cuda", "CUDAExecutionProvider", "--cuda"),
        ("tensorrt:1", "TensorrtExecutionProvider", "--cuda"),
        ("openvino", "OpenVINOExecutionProvider", "--openvino"),
    ] {
        let said = verify(&["--device", device, "--ort-lib", plain_library()]);
        let remedy = format!("uniseg runtime install {remedy}");
        said.refuses(&["is not available", "is built without", provider, &remedy]);
    }
}

/// With nothing tuned, and more than one package installed, nobody has said what is fastest.
#[test]
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
fn what_was_never_measured_is_said_once_there_is_a_choice() {
    use uniseg_imaging::ndarray::Array3;
    use uniseg_imaging::{Extent, Geometry, SpacingMm, Volume, write_image};
    use uniseg_runtime::{Flavour, cache_folder, install_ort};

    ort::openvino_library();
    install_ort(Flavour::Cpu, &mut |_| {}).unwrap();
    // The same packages in a cache in which nothing is remembered.
    let cache = tempfile::tempdir().unwrap();
    let installed = cache_folder().unwrap().join("onnxruntime");
    std::os::unix::fs::symlink(installed, cache.path().join("onnxruntime")).unwrap();
    let spacing = SpacingMm::from_zyx([3.0, 1.5, 1.5]).unwrap();
    let geometry = Geometry::axis_aligned(Extent::from_zyx([4, 5, 6]), spacing);
    let volume = Volume::new(Array3::from_elem((4, 5, 6), 7.0), geometry).unwrap();
    let image = cache.path().join("ct.nii");
    write_image(&image, &volume).unwrap();
    let segment = |more: &[&str]| {
        let said = run(Command::new(PROGRAM)
            .args([Path::new("segment"), artefacts::tiny(), &image])
            .args(["--task", "blob", "-o"])
            .arg(cache.path().join("labels.nii"))
            .args(more)
            .env("UNISEG_CACHE", cache.path())
            .env_remove("ORT_DYLIB_PATH"));
        assert_eq!(said.code, Some(0), "{}", said.stderr);
        said.stderr
    };
    let said = segment(&[]);
    let note = "openvino is installed, too: `uniseg tune MODEL`";
    assert!(said.contains(note), "{said}");
    let said = segment(&["--device", "cpu"]);
    assert!(!said.contains("uniseg tune"), "{said}");
}

#[test]
fn a_batch_that_the_model_does_not_take_is_said() {
    let model = artefacts::tiny().to_str().unwrap();
    let arguments = [
        "segment",
        model,
        "nowhere.nii",
        "--task",
        "blob",
        "-o",
        "x.nii",
    ];
    let said = |batch| {
        let run = uniseg(arguments.iter().chain(&["--batch", batch]));
        assert_eq!(run.code, Some(2), "there is no image: {}", run.stderr);
        run.stderr
    };
    assert!(said("8").contains("--batch is not used"), "{}", said("8"));
    assert!(!said("1").contains("--batch"), "{}", said("1"));
}

#[test]
fn a_recording_takes_one_window_at_a_time() {
    let model = artefacts::tiny().to_str().unwrap();
    let said = uniseg([
        "segment",
        model,
        "ct.nii.gz",
        "--task",
        "0",
        "-o",
        "out.nii.gz",
        "--cuda-graph",
        "--batch",
        "4",
    ]);
    said.refuses(&["--cuda-graph", "--batch 4"]);
}

#[test]
fn no_library_at_all_is_an_error_for_a_device_that_was_named() {
    let empty = tempfile::tempdir().unwrap();
    let mut command = Command::new(PROGRAM);
    command
        .arg("verify")
        .arg(artefacts::tiny())
        .args(["--device", "cuda"]);
    // No Python, no cache, nothing named.
    command
        .env("PATH", empty.path())
        .env("UNISEG_CACHE", empty.path());
    command
        .env_remove("ORT_DYLIB_PATH")
        .env_remove("VIRTUAL_ENV");
    run(&mut command).refuses(&["device cuda is not available", "runtime install --cuda"]);
}

#[test]
fn an_unknown_device_or_precision_gets_the_nearest_name() {
    let said = verify(&["--device", "opnvino"]);
    assert_eq!(said.code, Some(2));
    assert!(
        said.stderr.contains("did you mean \"openvino\"?"),
        "{}",
        said.stderr
    );
    let said = verify(&["--precision", "bf61"]);
    assert_eq!(said.code, Some(2));
    assert!(
        said.stderr.contains("did you mean \"bf16\"?"),
        "{}",
        said.stderr
    );
}

#[test]
fn what_a_device_has_no_use_for_is_an_error() {
    for flag in ["--device-sums", "--cuda-graph", "--own-norm"] {
        verify(&["--device", "cpu", flag]).refuses(&[flag]);
    }
}

#[test]
fn a_precision_that_cannot_be_had_is_an_error() {
    for (precision, words) in [
        ("bf16", "bf16 needs --device openvino"),
        ("int8", "whose weights are int8"),
        ("f16", "whose weights are f16"),
    ] {
        verify(&["--precision", precision]).refuses(&["cannot compute", words]);
    }
}

#[test]
#[cfg(target_os = "linux")]
fn a_library_that_is_none_or_too_old_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let fake = folder.path().join("libonnxruntime.so");
    fs::write(&fake, "not a library").unwrap();
    verify(&["--ort-lib", fake.to_str().unwrap(), "--device", "openvino"])
        .refuses(&["is not a shared library"]);
    let whole = fs::read(ort::library()).unwrap();
    fs::write(&fake, &whole[..1_000_000]).unwrap();
    verify(&["--ort-lib", fake.to_str().unwrap()])
        .refuses(&["libonnxruntime.so that --ort-lib names: it is cut short"]);
    let old = folder.path().join("libonnxruntime.so.1.9.0");
    fs::copy(ort::library(), &old).unwrap();
    verify(&["--ort-lib", old.to_str().unwrap(), "--device", "cuda"])
        .refuses(&["is version 1.9.0, at least 1.22 is needed"]);
}

/// A build whose provider library was lost: ONNX Runtime knows the provider and cannot load it.
#[test]
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
fn a_provider_whose_library_is_missing_is_an_error_that_names_it() {
    let complete = ort::openvino_library();
    let complete = std::path::Path::new(&complete);
    let folder = tempfile::tempdir().unwrap();
    let copy = folder.path().join(complete.file_name().unwrap());
    fs::copy(complete, &copy).unwrap();
    let copy = copy.to_str().unwrap();
    verify(&["--ort-lib", copy, "--device", "openvino"]).refuses(&[
        "the device openvino is not available",
        "libonnxruntime_providers_",
    ]);
    // The processor's own provider is in the library itself.
    verify(&["--ort-lib", copy, "--device", "cpu"]).succeeds();
}

/// A provider library that is none, one that is cut short, and one of another version.
#[test]
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
fn a_provider_whose_library_is_wrong_is_an_error_with_a_remedy() {
    let complete = ort::openvino_library();
    let complete = std::path::Path::new(&complete);
    let folder = tempfile::tempdir().unwrap();
    let beside = complete.parent().unwrap();
    let library = folder.path().join(complete.file_name().unwrap());
    fs::copy(complete, &library).unwrap();
    let shared = "libonnxruntime_providers_shared.so";
    fs::copy(beside.join(shared), folder.path().join(shared)).unwrap();
    let provider = folder.path().join("libonnxruntime_providers_openvino.so");
    let library = library.to_str().unwrap();
    let refuses = |why: &str| {
        verify(&["--ort-lib", library, "--device", "openvino"]).refuses(&[
            "the device openvino is not available",
            "libonnxruntime_providers_openvino.so",
            why,
            "uniseg runtime install --openvino",
        ]);
    };
    fs::write(&provider, "not a library").unwrap();
    refuses("is not a shared library of this system");
    let whole = fs::read(ort::library()).unwrap();
    fs::write(&provider, &whole[..whole.len() / 2]).unwrap();
    refuses("is cut short");
    // A library of ONNX Runtime, but not the one that this version would load.
    fs::write(&provider, whole).unwrap();
    refuses("of another version than 1.24");
    verify(&["--ort-lib", library, "--device", "cpu"]).succeeds();
}

#[test]
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
fn openvino_computes_the_same_in_f32_and_nearly_in_bf16() {
    let library = ort::openvino_library();
    let on = ["--device", "openvino", "--ort-lib", &library];
    let said = verify(&on).succeeds();
    assert!(said.contains("(openvino) against tract"), "{said}");
    let bf16 = [&on[..], &["--precision", "bf16", "--tolerance", "0.1"]].concat();
    let said = verify(&bf16).succeeds();
    assert!(said.contains("(openvino, bf16) against tract"), "{said}");
}

#[test]
fn doctor_finds_the_library_and_says_what_does_not_work() {
    let said = uniseg(["doctor", "--json", "--ort-lib", plain_library()]).succeeds();
    let findings: Value = serde_json::from_str(&said).unwrap();
    assert_eq!(findings["works"], true);
    assert!(findings["machine"]["cores"].as_u64().unwrap() >= 1);
    let providers = findings["libraries"][0]["probe"]["providers"]
        .as_array()
        .unwrap();
    let problem = |device: &str| {
        let row = providers.iter().find(|row| row["device"] == device);
        row.unwrap()["problem"].clone()
    };
    assert_eq!(problem("cpu"), Value::Null);
    let cuda = findings["cuda_libraries"].as_array().unwrap();
    assert!(cuda.iter().any(|library| library["name"] == "libcudnn"));
    assert!(problem("cuda").is_string());
    let absent = uniseg(["doctor", "--ort-lib", "no-such-library.so"]);
    assert_eq!(absent.code, Some(1), "{}", absent.stdout);
    assert!(absent.stderr.contains("no-such-library.so"));
    // The installer's surroundings and the doctor's are the same.
    assert!(
        Surroundings::of_this_process()
            .find(None)
            .unwrap()
            .is_some()
    );
}
