//! Several tasks in one call of a network in one file: what each gives alone.

use std::path::Path;

use burn::prelude::*;
use uniseg::bridge::{self, Request};
use uniseg_imaging::ndarray::{Array3, Array5};
use uniseg_imaging::{Extent, Geometry, SpacingMm, Volume, write_image};
use uniseg_onnx::{Artefact, proto::TensorProto, sample};
use uniseg_runtime::{EngineOptions, Logits, Model, Pieces, random_patch};
use uniseg_train::Checkpoint;
use uniseg_train::plan::{Plan, Variant, paper};

use crate::support::{
    artefacts,
    compare::{read_labels, same_math},
    golden, kept, names_in, ort, uniseg,
};

#[test]
fn tasks_in_one_call_have_the_logits_that_each_has_alone() {
    for variant in Variant::ALL {
        let mut plan: Plan = paper();
        plan.network.variant = variant;
        plan.network.patch_size = [32, 64, 64];
        plan.network.base_num_features = 4;
        let checkpoint = Checkpoint::random(plan, 5, &Device::flex());
        for lean in [false, true] {
            let request = Request {
                lean,
                ..Request::default()
            };
            let compiled = bridge::compile_for(&checkpoint, &request).unwrap();
            let model = Model::from(compiled.artefact);
            let flops = |tasks| model.footprint_of(tasks).flops as f64;
            let share = flops(4) / (4.0 * flops(1));
            println!("{variant}, lean {lean}: {share:.2} of four tasks alone");
            let most = if lean { 0.65 } else { 0.8 };
            let at_once = match variant {
                // It does not know of the task.
                Variant::Baseline => 1,
                _ => 8,
            };
            assert_eq!(model.tasks_at_once(), at_once, "{variant}");
            if at_once > 1 {
                assert!(share < most, "{variant}, lean {lean}: {share}");
            }
            let task = &model.manifest().tasks[0];
            let image = random_patch(model.manifest(), task, 3);
            for kind in ort::ENGINES {
                let [alone, joined] = [1, 3].map(|together| {
                    let pieces = Pieces::from(model.clone());
                    let options = ort::options(kind);
                    logits(pieces, &options, image.clone(), together)
                });
                for ((found, expected), task) in joined.iter().zip(&alone).zip([0, 1, 7]) {
                    let what = format!("{variant}, lean {lean}, {kind}, task {task}");
                    same_math(&what, found.view().into_dyn(), expected.view().into_dyn());
                }
            }
        }
    }
}

/// Those of three tasks, `together` in a call.
fn logits(
    pieces: Pieces,
    options: &EngineOptions,
    image: Array5<f32>,
    together: usize,
) -> Vec<Array5<f32>> {
    let mut engines = pieces.open_engines(options, together).unwrap();
    let mut found = Vec::new();
    for tasks in [0, 1, 7].chunks(together) {
        let mut each = |_, mut logits: Logits<'_>| {
            found.push(logits.view()?.to_owned());
            Ok(())
        };
        let predictor = engines.predictor();
        predictor.logits(image.view(), tasks, &mut each).unwrap();
    }
    assert_eq!(found.len(), 3);
    found
}

#[test]
fn segment_gives_the_same_labels_however_many_tasks_run_together() {
    let name = "segment_gives_the_same_labels_however_many_tasks_run_together";
    let Some(golden) = golden(name) else {
        return;
    };
    let folder = kept("together");
    let plain = artefacts::trained(&golden);
    let volume = golden.path("data/ct_small.nii.gz");
    let bytes = folder.join("bytes.onnx");
    let checkpoint = kept("artefacts").join("uniseg-trained");
    let [checkpoint, to] = [&checkpoint, &bytes].map(|path| path.to_str().unwrap());
    let arguments = ["export", checkpoint, "--modality", "CT", "--lean", "-o", to];
    let calibrate = format!("liver={}", volume.display());
    let int8 = ["--precision", "int8", "--calibrate", &calibrate];
    let int8 = [&int8[..], &["--calibrate-windows", "1"]].concat();
    uniseg([&arguments[..], &int8].concat()).succeeds();
    for (what, model) in [("f32", plain), ("int8", &bytes)] {
        the_same_labels(what, model, &volume, &folder);
    }
}

fn the_same_labels(what: &str, model: &Path, volume: &Path, folder: &Path) {
    // Three that see the same image: all together, two and one, one by one.
    let tasks = "liver,kidney,spleen";
    let found = ["3", "2", "1"].map(|together| {
        let to = folder.join(format!("{what}-{together}"));
        let [model, volume, to] = [model, volume, &to].map(|path| path.to_str().unwrap());
        let arguments = ["segment", model, volume, "--task", tasks, "-o", to];
        let on = ["--device", "cpu", "--together", together];
        uniseg([&arguments[..], &on].concat()).succeeds();
        ["liver", "kidney", "spleen"]
            .map(|task| read_labels(&Path::new(to).join(format!("{task}.nii.gz"))))
    });
    let [_, _, alone] = &found;
    for (joined, together) in found.iter().zip(["three", "two"]) {
        for (found, expected) in joined.iter().zip(alone) {
            assert!(expected.iter().any(|label| *label != 0));
            let differ = expected.iter().zip(found).filter(|(a, b)| a != b).count();
            println!(
                "{what}, {together}: {differ} of {} voxels differ",
                found.len()
            );
            assert!(differ <= 2, "{what}, {together}: {differ} voxels differ");
        }
    }
}

#[test]
fn a_task_that_fails_does_not_take_those_beside_it_with_it() {
    let mut manifest = sample::tiny_manifest();
    let mut twin = manifest.tasks[0].clone();
    twin.name = "twin".to_owned();
    twin.aliases.clear();
    twin.id = 1;
    manifest.tasks[1] = twin;
    let mut graph = sample::tiny_model();
    let biases = [0.0, 0.5, 0.25, f32::NAN, 0.5, 0.25];
    let weights = &mut graph.graph.as_mut().unwrap().initializer;
    weights[1] = TensorProto::from_f32("biases", &[2, 3, 1, 1, 1], &biases);
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let artefact = Artefact::new(graph, manifest).unwrap();
    artefact.save(path("model.onnx")).unwrap();
    let geometry = Geometry::axis_aligned(
        Extent::from_zyx([4, 5, 6]),
        SpacingMm::from_zyx([3.0, 1.5, 1.5]).unwrap(),
    );
    let volume = Volume::new(Array3::from_elem((4, 5, 6), 7.0), geometry).unwrap();
    write_image(Path::new(&path("ct.nii")), &volume).unwrap();
    let [model, image, to] = ["model.onnx", "ct.nii", "labels"].map(path);
    let tasks = ["--task", "blob,twin", "--together", "2", "-o", &to];
    let run = uniseg([&["segment", &model, &image][..], &tasks].concat());
    assert_eq!(run.code, Some(1), "{}", run.stderr);
    assert!(run.stderr.contains("one by one"), "{}", run.stderr);
    assert!(run.stderr.contains("1 of 2 tasks failed"), "{}", run.stderr);
    let labels = |name: &str| Path::new(&to).join(name);
    assert_eq!(read_labels(&labels("blob.nii.gz")).dim(), (4, 5, 6));
    assert!(!labels("twin.nii.gz").exists());
    // Among many cases the same: the task that works is there, and the case has failed. A merged map
    // that was there would be of other maps.
    std::fs::create_dir(path("cases")).unwrap();
    std::fs::rename(&image, path("cases/one.nii")).unwrap();
    let [cases, to] = ["cases", "many"].map(path);
    let tasks = ["--task", "blob,twin", "--together", "2", "-o", &to];
    let run = uniseg([&["segment", &model, &cases][..], &tasks].concat());
    assert_eq!(run.code, Some(1), "{}", run.stderr);
    assert!(run.stdout.contains("1 of 2 tasks failed"), "{}", run.stdout);
    let one = Path::new(&to).join("one");
    assert_eq!(names_in(&one), ["blob.json", "blob.nii.gz"]);
    let merged = ["merged.nii.gz", "merged.json"].map(|name| one.join(name));
    for file in &merged {
        std::fs::write(file, r#"{"unfinished": true}"#).unwrap();
    }
    uniseg([&["segment", &model, &cases, "--merge"][..], &tasks].concat());
    assert!(merged.iter().all(|file| !file.exists()));
}
