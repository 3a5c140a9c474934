//! What training computes, against the official PyTorch code: the loss and its gradients, and six
//! whole steps of the network, its prompt included.

use burn::optim::GradientsParams;
use burn::prelude::*;
use burn::tensor::TensorData;
use serde::Deserialize;
use uniseg_train::loss::{DiceOver, SegmentationLoss, downsample_labels, level_extents};
use uniseg_train::optim::{Sgd, clip_global_norm};
use uniseg_train::{Checkpoint, Plan};

use crate::support::{Golden, golden, golden::Tensors};

/// Loss values, relative.
const SAME_LOSS: f64 = 1e-5;
/// Gradients, relative to the largest absolute gradient of the same tensor.
const SAME_GRADIENT: f64 = 1e-4;
/// Losses, gradient norms and weights of a network in training, relative: the same sums in another
/// order, carried through every layer and back.
const SAME_TRAINING: f64 = 1e-3;
#[derive(Deserialize)]
struct Reference {
    deep_supervision_weights: Vec<f64>,
    cases: std::collections::BTreeMap<String, Case>,
    sgd: Steps,
}

#[derive(Deserialize)]
struct Case {
    batch_dice: bool,
    loss: f64,
    first_output_only: f64,
}

#[derive(Deserialize)]
struct Steps {
    tasks: Vec<i64>,
    classes: Vec<usize>,
    lr: f64,
    momentum: f64,
    weight_decay: f64,
    clip_global_norm: f64,
    losses: Vec<f64>,
    gradient_norms_before_clipping: Vec<f64>,
    prompt_norm_after: f64,
    stem1_norm_after: f64,
}

#[test]
fn loss_and_gradients_are_the_official_ones() {
    let Some(golden) = golden("loss_and_gradients_are_the_official_ones") else {
        return;
    };
    let reference: Reference = golden.json("loss/loss.json");
    let tensors = golden.tensors("loss/loss.safetensors");
    let levels = reference.deep_supervision_weights.len();
    assert_eq!(reference.cases.len(), 3);
    for (name, case) in &reference.cases {
        let over = match case.batch_dice {
            true => DiceOver::Batch,
            false => DiceOver::Sample,
        };
        let loss = SegmentationLoss::new(levels, over);
        for (found, expected) in loss
            .weights()
            .iter()
            .zip(&reference.deep_supervision_weights)
        {
            assert!((found - expected).abs() < 1e-15, "{:?}", loss.weights());
        }
        check_case(name, case, &loss, &tensors);
    }
}

fn check_case(name: &str, case: &Case, loss: &SegmentationLoss, tensors: &Tensors) {
    let device = Device::flex().autodiff();
    let load =
        |part: &str, level: usize| tensor(tensors, &format!("{name}.{part}{level}"), &device);
    let levels = 0..loss.weights().len();
    let logits: Vec<Tensor<5>> = levels
        .clone()
        .map(|level| load("logits", level).require_grad())
        .collect();
    let targets: Vec<Tensor<5, Int>> = levels.map(|level| load("target", level).int()).collect();
    let classes = logits[0].dims()[1];

    let finest = loss.level(logits[0].clone(), targets[0].clone(), classes);
    same(
        &format!("{name}, finest level"),
        value(finest),
        case.first_output_only,
        SAME_LOSS,
    );
    let total = loss.forward(logits.clone(), targets, classes);
    let gradients = total.backward();
    same(&format!("{name}, loss"), value(total), case.loss, SAME_LOSS);

    for (level, logits) in logits.iter().enumerate() {
        let expected = tensors.get(&format!("{name}.grad{level}"));
        let largest = expected
            .iter()
            .fold(0.0_f32, |largest, v| largest.max(v.abs()));
        // A level of weight zero has no gradient here and one of zeros there.
        let Some(found) = logits.grad(&gradients) else {
            assert_eq!(largest, 0.0, "{name}, level {level} has no gradient");
            continue;
        };
        assert_eq!(found.dims().as_slice(), expected.shape());
        let found: Vec<f32> = found.into_data().iter().collect();
        let worst = found
            .iter()
            .zip(&expected)
            .map(|(found, expected)| f64::from(found - expected).abs())
            .fold(0.0, worse)
            / f64::from(largest);
        println!("{name}, gradient of level {level}: {worst:.1e} of the largest");
        assert!(worst <= SAME_GRADIENT, "{name}, level {level}: {worst:.1e}");
    }
}

#[test]
fn six_steps_are_the_official_ones() {
    let Some(golden) = golden("six_steps_are_the_official_ones") else {
        return;
    };
    let steps = golden.json::<Reference>("loss/loss.json").sgd;
    let tensors = golden.tensors("loss/sgd_steps.safetensors");
    let device = Device::flex().autodiff();
    let Checkpoint {
        plan, mut network, ..
    } = small(&golden, &device);
    let extents = level_extents(&plan.network);
    let loss = SegmentationLoss::new(extents.len(), DiceOver::Sample);
    let sgd = Sgd::default();
    assert_eq!(
        (sgd.momentum, sgd.weight_decay),
        (steps.momentum, steps.weight_decay)
    );
    let mut optimizer = sgd.init();

    for (step, (task, classes)) in steps.tasks.iter().zip(&steps.classes).enumerate() {
        let image = tensor(&tensors, &format!("image{step}"), &device);
        let labels = tensor(&tensors, &format!("target{step}"), &device).int();
        let task = Tensor::<1, Int>::from_ints([*task], &device);
        let prediction = network.forward(image, task);
        let mut outputs = prediction.deep;
        outputs.insert(0, prediction.logits);
        let total = loss.forward(outputs, downsample_labels(labels, &extents), *classes);
        let gradients = GradientsParams::from_grads(total.backward(), &network);
        let clipped = clip_global_norm(&network, gradients, steps.clip_global_norm);
        network = optimizer.step(steps.lr, network, clipped.gradients);

        same(
            &format!("step {step}, loss"),
            value(total),
            steps.losses[step],
            SAME_TRAINING,
        );
        same(
            &format!("step {step}, gradient norm"),
            clipped.norm,
            steps.gradient_norms_before_clipping[step],
            SAME_TRAINING,
        );
    }

    let prompt = network
        .prompt
        .and_then(|prompt| prompt.universal)
        .expect("UniSeg learns a prompt")
        .val();
    let stem = network.encoder.stem.convs[0].weight.val();
    same(
        "prompt after",
        norm(prompt),
        steps.prompt_norm_after,
        SAME_TRAINING,
    );
    same(
        "stem after",
        norm(stem),
        steps.stem1_norm_after,
        SAME_TRAINING,
    );
}

fn small(golden: &Golden, device: &Device) -> Checkpoint {
    let plan = Plan::read(&golden.path("uniseg-small/model.json")).unwrap();
    let official = golden.path("uniseg-small/model_final_checkpoint.model");
    Checkpoint::import(&official, plan, device).unwrap()
}

fn tensor(tensors: &Tensors, name: &str, device: &Device) -> Tensor<5> {
    let array = tensors.get(name);
    let shape = array.shape().to_vec();
    let (elements, _) = array.into_raw_vec_and_offset();
    Tensor::from_data(TensorData::new(elements, shape), device)
}

fn value(tensor: Tensor<1>) -> f64 {
    f64::from(tensor.into_scalar::<f32>())
}

fn norm(tensor: Tensor<5>) -> f64 {
    value(tensor.square().sum().sqrt())
}

/// The larger of two errors; a NaN stays.
fn worse(a: f64, b: f64) -> f64 {
    if a >= b { a } else { b }
}

#[track_caller]
fn same(what: &str, found: f64, expected: f64, tolerance: f64) {
    let error = (found - expected).abs() / expected.abs();
    println!("{what}: {found:.7}, official {expected:.7}, relative error {error:.1e}");
    assert!(
        error <= tolerance,
        "{what}: {found} is not {expected} ({error:.1e})"
    );
}
