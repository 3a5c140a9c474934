//! A disk that fills up while a result is written: an error, and neither a result nor a trace.

use std::path::{Path, PathBuf};

use tempfile::TempDir;
use uniseg_imaging::ndarray::Array3;
use uniseg_imaging::{Extent, Geometry, SpacingMm, Volume, write_image};

use crate::support::program::{LIMITED, shell};
use crate::support::{artefacts, names_in};

/// Voxels each way; uncompressed labels take a byte each.
const SIDE: usize = 64;

/// An image whose uncompressed labels do not fit, and an empty folder for them.
fn bench() -> (TempDir, PathBuf, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let spacing = SpacingMm::from_zyx([3.0, 1.5, 1.5]).unwrap();
    let geometry = Geometry::axis_aligned(Extent::from_zyx([SIDE; 3]), spacing);
    let voxels = Array3::from_shape_fn([SIDE; 3], |(z, y, x)| ((z * 7 + y * 3 + x) % 101) as f32);
    let image = folder.path().join("image.nii.gz");
    write_image(&image, &Volume::new(voxels, geometry).unwrap()).unwrap();
    let output = folder.path().join("output");
    std::fs::create_dir(&output).unwrap();
    (folder, image, output)
}

fn segment<'a>(image: &'a Path, output: &'a str) -> Vec<&'a str> {
    let model = artefacts::tiny().to_str().unwrap();
    let image = image.to_str().unwrap();
    vec![
        "segment", model, image, "--task", "blob", "--step", "1", "--engine", "tract", "-o", output,
    ]
}

#[test]
fn labels_that_do_not_fit_leave_nothing() {
    let (_folder, image, output) = bench();
    let labels = output.join("labels.nii");
    shell("sh", LIMITED, &segment(&image, labels.to_str().unwrap())).refuses(&[
        "cannot write",
        "labels.nii",
        "too large",
    ]);
    assert_eq!(names_in(&output), [] as [&str; 0]);
}

#[test]
fn a_result_that_was_there_stays_when_a_new_one_does_not_fit() {
    let (_folder, image, output) = bench();
    let labels = output.join("labels.nii");
    std::fs::write(&labels, "the old one").unwrap();
    shell("sh", LIMITED, &segment(&image, labels.to_str().unwrap())).refuses(&["cannot write"]);
    assert_eq!(names_in(&output), ["labels.nii"]);
    assert_eq!(std::fs::read_to_string(&labels).unwrap(), "the old one");
}

#[test]
fn artefacts_and_checkpoints_that_do_not_fit_leave_nothing() {
    let (_folder, _, output) = bench();
    let model = output.join("model.onnx");
    let plan = output.with_file_name("plan.json");
    let mut small = uniseg_train::plan::paper();
    small.network.patch_size = [32, 64, 64];
    small.network.base_num_features = 2;
    std::fs::write(&plan, serde_json::to_string(&small).unwrap()).unwrap();
    let export = [
        "export",
        "--plan",
        plan.to_str().unwrap(),
        "-o",
        model.to_str().unwrap(),
    ];
    shell("sh", LIMITED, &export).refuses(&["cannot write", "model.onnx"]);
    assert_eq!(names_in(&output), [] as [&str; 0]);
}

#[test]
fn an_imported_checkpoint_that_does_not_fit_leaves_nothing() {
    let test = "an_imported_checkpoint_that_does_not_fit_leaves_nothing";
    let Some(golden) = crate::support::golden(test) else {
        return;
    };
    let (_folder, _, output) = bench();
    let [plan, checkpoint] = ["model.json", "model_final_checkpoint.model"]
        .map(|name| golden.path(&format!("uniseg-small/{name}")));
    let output_name = output.to_str().unwrap();
    let import = [
        "import",
        checkpoint.to_str().unwrap(),
        "--plan",
        plan.to_str().unwrap(),
        "-o",
        output_name,
    ];
    shell("sh", LIMITED, &import).refuses(&["cannot write"]);
    assert_eq!(names_in(&output), [] as [&str; 0]);
}

/// A real full file system, where this machine lets us mount one that only the program sees.
#[cfg(target_os = "linux")]
#[test]
fn a_file_system_without_space_is_left_as_it_was() {
    const MOUNTED: &str = r#"
        mount -t tmpfs -o size=128k none "$FULL" || exit 77
        echo mounted >&2
        "$@"; code=$?
        ls -A "$FULL" >&2
        exit $code"#;
    let (_folder, image, output) = bench();
    let labels = output.join("labels.nii");
    let script = format!("FULL='{}'; {MOUNTED}", output.display());
    let run = shell(
        "unshare -rm sh",
        &script,
        &segment(&image, labels.to_str().unwrap()),
    );
    if !run.stderr.lines().any(|line| line == "mounted") {
        // The limits above have shown the same; only the cause is another.
        println!(
            "no private file system can be mounted here: {}",
            run.stderr.trim()
        );
        return;
    }
    let listed = run.stderr.lines().last().unwrap_or_default().to_owned();
    run.refuses(&["cannot write", "labels.nii", "no space left"]);
    assert!(listed.starts_with("uniseg: "), "left behind: {listed}");
}

#[cfg(target_os = "linux")]
#[test]
fn standard_output_without_space_is_an_error() {
    let model = artefacts::tiny().to_str().unwrap();
    for command in [["inspect", model], ["inspect", "--json"]] {
        let mut arguments = command.to_vec();
        if !arguments.contains(&model) {
            arguments.push(model);
        }
        shell("sh", r#"exec "$@" >/dev/full"#, &arguments).refuses(&["cannot write", "output"]);
        let closed = shell("sh", r#""$@" | true"#, &arguments);
        assert_eq!((closed.code, closed.stderr.as_str()), (Some(0), ""));
    }
}
