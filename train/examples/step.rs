//! How long does a training step take, and where, and how much memory does it need?
//!
//! `cargo run --release -p uniseg-train --example step -- [FEATURES Z Y X BATCH STEPS]`; without
//! arguments the paper's network on one patch of 32 x 96 x 96. Prints seconds of wall clock per
//! phase, the smallest of all steps, then the peak of resident memory.

use std::time::Instant;

use burn::optim::GradientsParams;
use burn::prelude::*;
use burn::tensor::Distribution;
use uniseg_train::loss::{DiceOver, SegmentationLoss, downsample_labels, level_extents};
use uniseg_train::optim::{MAX_GRADIENT_NORM, Sgd, clip_global_norm};
use uniseg_train::{UniSeg, plan};

const PHASES: [&str; 6] = ["forward", "loss", "backward", "clip", "update", "all"];

fn main() {
    let arguments: Vec<usize> = std::env::args()
        .skip(1)
        .map(|argument| argument.parse().expect("arguments are numbers"))
        .collect();
    let [features, z, y, x, batch, steps] = match arguments[..] {
        [] => [32, 32, 96, 96, 1, 3],
        [features, z, y, x, batch, steps] => [features, z, y, x, batch, steps],
        _ => panic!("either no arguments or FEATURES Z Y X BATCH STEPS"),
    };
    let mut config = plan::paper().network;
    config.base_num_features = features;
    config.max_num_features = 10 * features;
    config.patch_size = [z, y, x];
    // As many of the paper's stages as the patch can be halved for.
    let mut size = config.patch_size;
    let halves = config.strides_between_stages.iter().take_while(|stride| {
        let next = [0, 1, 2].map(|axis| size[axis] / stride[axis]);
        let whole = (0..3).all(|axis| next[axis] >= 2 && size[axis] % stride[axis] == 0);
        size = next;
        whole
    });
    let stages = halves.count();
    config.strides_between_stages.truncate(stages);
    config.kernel_sizes.truncate(stages + 1);
    config.check().expect("the patch suits the plan");
    let device = Device::flex().autodiff();
    device.seed(1);
    let mut network = UniSeg::new(&config, &device);
    let mut optimizer = Sgd::default().init();
    let extents = level_extents(&config);
    let criterion = SegmentationLoss::new(extents.len(), DiceOver::Sample);
    let uniform = Distribution::Uniform(0.0, 1.0);
    let image = Tensor::<5>::random([batch, 1, z, y, x], uniform, &device);
    let labels = (image.clone() * 2.0).int();
    let task = Tensor::<1, Int>::from_ints([0], &device);

    let mut best = [f64::INFINITY; PHASES.len()];
    let mut value = 0.0;
    for _ in 0..steps {
        let mut times = Vec::new();
        let start = Instant::now();
        let prediction = network.forward(image.clone(), task.clone());
        let mut outputs = prediction.deep;
        outputs.insert(0, prediction.logits);
        times.push(start.elapsed());
        let targets = downsample_labels(labels.clone(), &extents);
        let loss = criterion.forward(outputs, targets, 2);
        value = loss.clone().into_scalar::<f32>();
        times.push(start.elapsed());
        let gradients = GradientsParams::from_grads(loss.backward(), &network);
        times.push(start.elapsed());
        let clipped = clip_global_norm(&network, gradients, MAX_GRADIENT_NORM);
        times.push(start.elapsed());
        network = optimizer.step(0.01, network, clipped.gradients);
        times.push(start.elapsed());
        let mut last = 0.0;
        for (best, time) in best.iter_mut().zip(&times) {
            *best = best.min(time.as_secs_f64() - last);
            last = time.as_secs_f64();
        }
        best[PHASES.len() - 1] = best[PHASES.len() - 1].min(last);
    }
    for (phase, seconds) in PHASES.iter().zip(best) {
        println!("{phase:9} {seconds:7.3} s");
    }
    println!("loss      {value:9.5}");
    // Linux's high water mark; elsewhere there is no such file.
    if let Ok(status) = std::fs::read_to_string("/proc/self/status") {
        for line in status.lines().filter(|line| line.starts_with("VmHWM")) {
            println!("{line}");
        }
    }
}
