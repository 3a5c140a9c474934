//! The sliding window's probabilities, before they become labels, against the official ones.

use std::path::Path;

use uniseg_imaging::ndarray::ArrayD;
use uniseg_imaging::{Normalization, Recipe, SpacingMm, ZScoreScope, read_nifti};
use uniseg_runtime::{EngineKind, Model, WindowOptions, predict};

use crate::support::{Golden, artefacts, compare::max_abs, golden, ort::engine};

/// The reference is stored in 16 bits: up to 2.5e-4 near one, and f32 sums in another order.
const STORED_IN_16_BITS: f32 = 2e-3;

const CT: Normalization = Normalization::ClipRescale {
    lower: -325.0,
    upper: 325.0,
};
const MR: Normalization = Normalization::ZScore {
    scope: ZScoreScope::WholeImage,
};

fn check(
    golden: &Golden,
    model: &Path,
    (image, normalization): (&str, Normalization),
    task: u32,
    expected: &ArrayD<f32>,
) {
    let image = read_nifti(&golden.path(image)).unwrap();
    let spacing = SpacingMm::from_zyx([3.0; 3]).unwrap();
    let recipe = Recipe {
        spacing,
        normalizations: vec![normalization],
    };
    let ready = recipe.apply(&[&image.volume]).unwrap();
    let model = Model::open(model).unwrap();
    let task = model.manifest().task_by_id(task).unwrap();
    for kind in [EngineKind::Ort, EngineKind::Tract] {
        let mut engine = engine(&model, kind);
        let mut steps = Vec::new();
        let found = predict(
            engine.as_mut(),
            model.manifest(),
            task,
            ready.channels.view(),
            &WindowOptions {
                step: 0.5,
                mirror: false,
                ..WindowOptions::of(model.manifest())
            },
            &mut |progress| steps.push((progress.done, progress.total)),
        )
        .unwrap();
        let total = steps.len() - 1;
        assert!(
            steps
                .iter()
                .copied()
                .eq((0..=total).map(|done| (done, total))),
            "{steps:?}"
        );
        let worst = max_abs(found.view().into_dyn(), expected.view());
        println!("{} with {kind}: max abs difference {worst:.2e}", task.name);
        assert!(
            worst <= STORED_IN_16_BITS,
            "{} with {kind}: {worst:.2e}",
            task.name
        );
    }
}

#[test]
fn trained_probabilities_are_the_official_ones() {
    let Some(golden) = golden("trained_probabilities_are_the_official_ones") else {
        return;
    };
    let official = golden.tensors("uniseg-trained/probabilities.safetensors");
    let model = artefacts::trained(&golden);
    let liver = official.get("ct_liver.probabilities");
    check(&golden, model, ("data/ct_small.nii.gz", CT), 0, &liver);
    let mr_liver = official.get("mr_liver.probabilities");
    check(&golden, model, ("data/mr_small.nii.gz", MR), 8, &mr_liver);
}

#[test]
fn random_probabilities_are_the_official_ones() {
    let Some(golden) = golden("random_probabilities_are_the_official_ones") else {
        return;
    };
    let official = golden.tensors("predict/predict.safetensors");
    let expected = official.get("task0_step0.5.probabilities");
    check(
        &golden,
        artefacts::small(&golden),
        ("data/ct_small.nii.gz", CT),
        0,
        &expected,
    );
}
