//! Memory of whole cases: it does not grow with classes times volume, and it can be bounded.

use std::path::{Path, PathBuf};

use serde_json::Value;
use uniseg_imaging::ndarray::Array3;
use uniseg_imaging::{Extent, Geometry, SpacingMm, Volume, write_image};
use uniseg_onnx::proto::{
    DataType, GraphProto, ModelProto, NodeProto, TensorProto, ValueInfoProto,
};
use uniseg_onnx::{Artefact, IMAGE, LOGITS, TASK, sample};
use uniseg_train::{Checkpoint, plan::paper};

use uniseg_runtime::{
    Case, Device, EngineKind, EngineOptions, MemoryEstimate, MemoryUse, Pieces, Precision,
    WindowOptions,
};

use crate::support::program::PROGRAM;
use crate::support::{artefacts, chain::chain, kept, names_in, ort, python::python, uniseg};

const CLASSES: usize = 60;
const PATCH: [usize; 3] = [16, 64, 64];
const SIDE: usize = 64;

/// An artefact with many classes and next to no computing.
fn many_classes() -> PathBuf {
    let [d, h, w] = PATCH.map(|size| size as i64);
    let classes = CLASSES as i64;
    let weight: Vec<f32> = (0..CLASSES).map(|class| class as f32 / 60.0).collect();
    let bias: Vec<f32> = (0..CLASSES)
        .map(|class| (class * 7 % 11) as f32 / 50.0)
        .collect();
    let graph = GraphProto {
        name: "many".to_owned(),
        node: vec![
            NodeProto::new("Conv", [IMAGE, "weight"], ["scored"])
                .attr_ints("kernel_shape", &[1, 1, 1]),
            NodeProto::new("Gather", ["biases", TASK], ["bias"]).attr_int("axis", 0),
            NodeProto::new("Add", ["scored", "bias"], [LOGITS]),
        ],
        initializer: vec![
            TensorProto::from_f32("weight", &[classes, 1, 1, 1, 1], &weight),
            TensorProto::from_f32("biases", &[1, classes, 1, 1, 1], &bias),
        ],
        input: vec![
            ValueInfoProto::tensor(IMAGE, DataType::Float, [1, 1, d, h, w]),
            ValueInfoProto::tensor(TASK, DataType::Int64, [1]),
        ],
        output: vec![ValueInfoProto::tensor(
            LOGITS,
            DataType::Float,
            [1, classes, d, h, w],
        )],
        ..GraphProto::default()
    };
    let mut manifest = sample::tiny_manifest();
    manifest.tasks.truncate(1);
    manifest.tasks[0].labels = (0..CLASSES).map(|class| format!("label{class}")).collect();
    manifest.network.patch_zyx = PATCH;
    manifest.network.slots = 1;
    manifest.network.classes = CLASSES;
    let path = kept("artefacts").join("many.onnx");
    let artefact = Artefact::new(ModelProto::new(graph), manifest).unwrap();
    artefact.save(&path).unwrap();
    path
}

fn image(path: &Path) {
    image_of(path, [SIDE; 3]);
}

fn image_of(path: &Path, zyx: [usize; 3]) {
    let spacing = SpacingMm::from_zyx([3.0, 1.5, 1.5]).unwrap();
    let geometry = Geometry::axis_aligned(Extent::from_zyx(zyx), spacing);
    let voxels = Array3::from_shape_fn(zyx, |(z, y, x)| ((z * 7 + y * 3 + x) % 301) as f32);
    write_image(path, &Volume::new(voxels, geometry).unwrap()).unwrap();
}

#[test]
fn peak_memory_does_not_grow_with_classes_times_volume() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("case.nii");
    image(&path);
    let model = many_classes();
    let [model, path] = [&model, &path].map(|path| path.to_str().unwrap());
    let said = uniseg([
        "bench", "case", model, path, "--task", "blob", "--engine", "tract", "--growth", "1,8",
        "--step", "1", "--json",
    ])
    .succeeds();
    println!("{said}");
    let measured: Value = serde_json::from_str(&said).unwrap();
    let number = |row: usize, field: &str| measured["cases"][row][field].as_u64().unwrap();
    assert_eq!(number(1, "windows"), 8 * number(0, "windows"));
    let voxels = (SIDE * SIDE * SIDE) as u64;
    assert_eq!(number(1, "voxels"), 8 * voxels);
    // One convolution: a weight a class, on the voxels of a patch.
    let flops = (2 * CLASSES * PATCH.iter().product::<usize>()) as f64;
    let found = measured["gflop_per_window"].as_f64().unwrap();
    assert!((found * 1e9 - flops).abs() < 1.0, "{found}");
    // All probabilities of the longer volume would be 500 MB.
    let probabilities = 8 * voxels * CLASSES as u64 * 4 / 1_000_000;
    let grown = number(1, "peak_memory_mb").saturating_sub(number(0, "peak_memory_mb"));
    assert!(
        grown < probabilities / 4,
        "{grown} MB of {probabilities} MB"
    );
}

#[test]
fn a_bound_that_cannot_be_kept_is_refused_before_anything_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("case.nii");
    image(&path);
    let output = folder.path().join("labels.nii");
    let run = |bound: &str| {
        uniseg([
            "segment",
            artefacts::tiny().to_str().unwrap(),
            path.to_str().unwrap(),
            "--task",
            "blob",
            "--engine",
            "tract",
            "--step",
            "1",
            "-o",
            output.to_str().unwrap(),
            "--memory",
            bound,
        ])
    };
    run("90M").refuses(&["the case needs about", "more than the 90 MiB allowed"]);
    assert_eq!(names_in(folder.path()), ["case.nii"]);
    assert_eq!(run("4x").code, Some(2));
    run("1G").succeeds();
}

/// Bytes that a command holds at most, the program itself included.
fn peak_of(arguments: &[&Path]) -> u64 {
    const MEASURE: &str = r#"
import resource, subprocess, sys
subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * (1 if sys.platform == "darwin" else 1024))
"#;
    let said = python(MEASURE, &[&[Path::new(PROGRAM)], arguments].concat());
    said.trim().parse().unwrap()
}

#[test]
fn an_export_holds_less_than_three_times_its_file() {
    let folder = tempfile::tempdir().unwrap();
    let [stored, file] = ["checkpoint", "model.onnx"].map(|name| folder.path().join(name));
    let checkpoint = Checkpoint::random(paper(), 0, &burn::prelude::Device::flex());
    checkpoint.save(&stored).unwrap();
    drop(checkpoint);
    let [export, plan, name, to] = ["export", "--plan", "paper", "-o"].map(Path::new);
    for source in [&[plan, name][..], &[&stored]] {
        let peak = peak_of(&[&[export], source, &[to, &file]].concat());
        let size = std::fs::metadata(&file).unwrap().len();
        println!("{peak} bytes for a file of {size}");
        assert!(peak < 3 * size, "{peak} bytes for a file of {size}");
    }
}

/// What a case really takes in an engine, and the estimate: the most that it may be above.
#[cfg(target_os = "linux")]
#[track_caller]
fn the_estimate_holds(options: EngineOptions, name: &str, most: f64) {
    let model = chain(&format!("memory-{name}"), 3, [32, 128, 128]);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("case.nii");
    // Half of the task's spacing: what is resampled is eight times what comes of it.
    let spacing = SpacingMm::from_zyx([1.5, 0.75, 0.75]).unwrap();
    let zyx = [128, 256, 256];
    let geometry = Geometry::axis_aligned(Extent::from_zyx(zyx), spacing);
    let voxels = Array3::from_shape_fn(zyx, |(z, y, x)| ((z * 7 + y * 3 + x) % 301) as f32);
    write_image(&path, &Volume::new(voxels, geometry).unwrap()).unwrap();

    let pieces = Pieces::open(&model).unwrap();
    let case = Case::read(std::slice::from_ref(&path), &mut |_| ()).unwrap();
    let work = MemoryUse {
        pieces: &pieces,
        on: pieces.planned_on(&options).unwrap(),
        tasks: &[&pieces.model().manifest().tasks[0]],
        options: WindowOptions {
            step: 1.0,
            ..WindowOptions::of(pieces.model().manifest())
        },
        together: 1,
        merged: false,
        waiting: 0,
        preview: false,
    };
    let estimate = MemoryEstimate::of(&work, &case);
    let output = folder.path().join("labels.nii.gz");
    let flags = format!(
        "--task blob --engine {} --device {} --precision {} --step 1 --memory 4G -o",
        options.kind, options.device, options.precision
    );
    let mut arguments = vec![Path::new("segment"), &model, &path];
    arguments.extend(flags.split(' ').map(Path::new));
    arguments.push(&output);
    if let Some(library) = &options.ort_lib {
        arguments.extend([Path::new("--ort-lib"), library]);
    }
    let (used, expected) = (peak_of(&arguments), estimate.peak());
    let on = work.on.main;
    println!(
        "{} on {on}: used {} MB, estimated {} MB",
        options.kind,
        used >> 20,
        expected >> 20
    );
    assert!(used <= expected, "{used} of {expected}: {estimate:?}");
    assert!(
        expected as f64 <= most * used as f64,
        "{used} of {expected}: {estimate:?}"
    );
}

#[test]
#[cfg(target_os = "linux")]
fn the_estimate_is_above_what_is_used_and_not_far_above() {
    for kind in ort::ENGINES {
        let options = EngineOptions {
            device: Device::Cpu,
            ..ort::options(kind)
        };
        the_estimate_holds(options, &kind.to_string(), 2.0);
    }
}

#[test]
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
fn the_estimate_knows_what_openvino_needs() {
    for precision in [Precision::F32, Precision::Bf16] {
        let options = EngineOptions {
            kind: EngineKind::Ort,
            device: Device::OpenVino,
            ort_lib: Some(ort::openvino_library().into()),
            precision,
            ..EngineOptions::default()
        };
        the_estimate_holds(options, &format!("openvino-{precision}"), 2.0);
    }
}

/// Weights of the middle convolution of [`wide`].
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
const WIDE: [usize; 2] = [5120, 2048];
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
const WIDE_PATCH: [usize; 3] = [4, 8, 8];

/// An artefact with 42 MB of weights and next to nothing else.
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
fn wide() -> Artefact {
    let [d, h, w] = WIDE_PATCH.map(|size| size as i64);
    let weight = |name: &str, [to, from]: [usize; 2]| {
        // Of either sign and the size that keeps values as they are.
        let values = (0..to * from).map(|at| ((at * 7919 % 2003) as f32 / 1001.0 - 1.0) / 32.0);
        let dims = [to as i64, from as i64, 1, 1, 1];
        TensorProto::from_f32(name, &dims, &values.collect::<Vec<_>>())
    };
    let convolution = |from: &str, weight: &str, to: &str| {
        NodeProto::new("Conv", [from, weight], [to]).attr_ints("kernel_shape", &[1, 1, 1])
    };
    let [to, from] = WIDE;
    let graph = GraphProto {
        name: "wide".to_owned(),
        node: vec![
            convolution(IMAGE, "first", "a"),
            convolution("a", "middle", "b"),
            convolution("b", "head", "scored"),
            NodeProto::new("Gather", ["biases", TASK], ["bias"]).attr_int("axis", 0),
            NodeProto::new("Add", ["scored", "bias"], [LOGITS]),
        ],
        initializer: vec![
            weight("first", [from, 1]),
            weight("middle", WIDE),
            weight("head", [2, to]),
            TensorProto::from_f32("biases", &[1, 2, 1, 1, 1], &[0.0, 0.0]),
        ],
        input: vec![
            ValueInfoProto::tensor(IMAGE, DataType::Float, [1, 1, d, h, w]),
            ValueInfoProto::tensor(TASK, DataType::Int64, [1]),
        ],
        output: vec![ValueInfoProto::tensor(
            LOGITS,
            DataType::Float,
            [1, 2, d, h, w],
        )],
        ..GraphProto::default()
    };
    let mut manifest = sample::tiny_manifest();
    manifest.tasks.truncate(1);
    manifest.tasks[0].labels.truncate(2);
    manifest.network.patch_zyx = WIDE_PATCH;
    manifest.network.slots = 1;
    manifest.network.classes = 2;
    Artefact::new(ModelProto::new(graph), manifest).unwrap()
}

/// OpenVINO packs weights and keeps what it was given beside them, unless that lies in a file whose
/// pages can be let go.
#[test]
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
fn openvino_does_not_hold_weights_twice() {
    use std::{ffi::OsStr, os::unix::ffi::OsStrExt};

    let folder = tempfile::tempdir().unwrap();
    // A graph can say where weights lie in UTF-8 only: those of the other file are handed over.
    let [named, unnameable] = [b"wide.onnx".as_slice(), b"w\xefde.onnx"]
        .map(|name| folder.path().join(OsStr::from_bytes(name)));
    let artefact = wide();
    artefact.save(&named).unwrap();
    artefact.save(&unnameable).unwrap();
    let linked = folder.path().join("linked").join("model.onnx");
    std::fs::create_dir(linked.parent().unwrap()).unwrap();
    std::os::unix::fs::symlink(&named, &linked).unwrap();
    let path = folder.path().join("case.nii");
    image_of(&path, WIDE_PATCH);
    let library = ort::openvino_library();
    let run = |model: &Path, to: &str| {
        let to = folder.path().join(to);
        let flags = [
            "--task",
            "blob",
            "--device",
            "openvino",
            "--precision",
            "f32",
            "--ort-lib",
            &library,
            "-o",
        ];
        let mut arguments = vec![Path::new("segment"), model, &path];
        arguments.extend(flags.map(Path::new));
        arguments.push(&to);
        (peak_of(&arguments), std::fs::read(&to).unwrap())
    };
    let (once, labels) = run(&named, "a.nii");
    let (through_link, same) = run(&linked, "b.nii");
    let (twice, expected) = run(&unnameable, "c.nii");
    let weights = (WIDE[0] * WIDE[1] * 4) as u64;
    println!("{once} bytes, {through_link} through a link, {twice} with weights handed over");
    assert!(labels == expected && same == expected);
    for peak in [once, through_link] {
        assert!(
            peak + weights * 3 / 4 < twice,
            "{peak} and {twice}, weights {weights}"
        );
    }
}
