//! 16-bit artefacts, computed by ONNX's own reference evaluator.
//!
//! No engine of ours on a CPU convolves in bfloat16. The evaluator does, with rounding at the places
//! that the file asks for; `half/evaluate.py` says where it is helped. What an accelerator makes of
//! these files is not shown here.

use std::collections::BTreeMap;

use burn::prelude::*;
use uniseg::bridge::{Request, compile_for};
use uniseg_export::Precision;
use uniseg_imaging::ndarray::Array5;
use uniseg_runtime::{EngineKind, Model, forward, random_patch};
use uniseg_train::Checkpoint;
use uniseg_train::plan::Variant;

use crate::support::{kept, ort::engine, python::python};
use crate::variants::plans;

/// One computation in one order or another; 3.5e-6 was measured.
const SAME: (f32, f64) = (1e-4, 0.9999);
/// Against f32, with random weights, whose logits are close to each other: 3.4e-3 and 0.9984 of the
/// labels were measured,
const F16: (f32, f64) = (0.005, 0.995);
/// and 2.9e-2 and 0.9917.
const BF16: (f32, f64) = (0.05, 0.98);

const PRECISIONS: [Precision; 3] = [Precision::F32, Precision::F16, Precision::BF16];

/// Largest difference, as a share of the largest logit, and the share of voxels with the same label.
struct Distance {
    largest: f32,
    same_labels: f64,
}

fn distance(
    found: &Array5<f32>,
    expected: &Array5<f32>,
    classes: std::ops::Range<usize>,
) -> Distance {
    assert!(found.iter().all(|logit| logit.is_finite()));
    let scale = expected.iter().fold(0.0, |most: f32, x| most.max(x.abs()));
    let gaps = found.iter().zip(expected).map(|(a, b)| (a - b).abs());
    let labels = |logits: &Array5<f32>| -> Vec<usize> {
        let [_, _, d, h, w] = *logits.shape() else {
            unreachable!("five axes")
        };
        let voxels = (0..d).flat_map(|z| (0..h).flat_map(move |y| (0..w).map(move |x| [z, y, x])));
        voxels
            .map(|[z, y, x]| {
                let of = |class: &usize| logits[[0, *class, z, y, x]];
                let best = classes.clone().max_by(|a, b| of(a).total_cmp(&of(b)));
                best.expect("a task has classes")
            })
            .collect()
    };
    let [ours, theirs] = [found, expected].map(labels);
    let same = ours.iter().zip(&theirs).filter(|(a, b)| a == b).count();
    Distance {
        largest: gaps.fold(0.0, f32::max) / scale,
        same_labels: same as f64 / ours.len() as f64,
    }
}

#[test]
fn the_reference_evaluator_computes_16_bits() {
    let plan = plans(Variant::Uniseg).remove(0).complete().unwrap();
    let checkpoint = Checkpoint::random(plan, 5, &Device::flex());
    let folder = kept("half");
    let models = PRECISIONS.map(|precision| {
        let request = Request {
            precision,
            ..Request::default()
        };
        let artefact = compile_for(&checkpoint, &request).unwrap().artefact;
        artefact
            .save(folder.join(format!("{precision}.onnx")))
            .unwrap();
        Model::from(artefact)
    });
    let manifest = models[0].manifest();
    // Of different images and stems.
    let tasks = [&manifest.tasks[0], &manifest.tasks[3]];
    for task in tasks {
        let image = random_patch(manifest, task, 1);
        let bytes: Vec<u8> = image.iter().flat_map(|voxel| voxel.to_le_bytes()).collect();
        std::fs::write(folder.join(format!("{}.image", task.id)), bytes).unwrap();
    }

    let said = python(include_str!("half/evaluate.py"), &[&folder]);
    println!("{said}");
    let counts: BTreeMap<String, BTreeMap<String, usize>> = serde_json::from_str(&said).unwrap();
    assert!(counts["f32"].is_empty());
    for (precision, kind) in [("f16", "FLOAT16"), ("bf16", "BFLOAT16")] {
        // All but the head.
        for (op, least) in [("Conv", 10), ("ConvTranspose", 3)] {
            let found = counts[precision].get(&format!("{op} {kind}"));
            assert!(
                found.is_some_and(|&found| found >= least),
                "{op}: {found:?}"
            );
        }
        assert!(!counts[precision].contains_key(&format!("InstanceNormalization {kind}")));
    }

    let mut ort = engine(&models[0], EngineKind::Ort);
    for task in tasks {
        let image = random_patch(manifest, task, 1);
        let expected = forward(ort.as_mut(), &manifest.network, image.view(), task.id).unwrap();
        let read = |precision: Precision| {
            let path = folder.join(format!("{precision}-{}.logits", task.id));
            let bytes = std::fs::read(path).unwrap();
            let logits = bytes
                .chunks_exact(4)
                .map(|four| f32::from_le_bytes(four.try_into().unwrap()));
            Array5::from_shape_vec(expected.raw_dim(), logits.collect()).unwrap()
        };
        let full = read(Precision::F32);
        for (precision, against, (most, least_same)) in [
            (Precision::F32, &expected, SAME),
            (Precision::F16, &full, F16),
            (Precision::BF16, &full, BF16),
        ] {
            let found = distance(&read(precision), against, 0..task.labels.len());
            let Distance {
                largest,
                same_labels,
            } = found;
            println!(
                "{} {precision}: {largest:.2e} of the largest logit, {same_labels:.5} of the labels",
                task.name
            );
            assert!(largest <= most, "{} {precision}: {largest:.2e}", task.name);
            assert!(
                same_labels >= least_same,
                "{} {precision}: {same_labels}",
                task.name
            );
        }
    }
}
