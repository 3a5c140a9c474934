//! Compares the planner's estimate of a training step's memory with what the process really took.
//!
//! ```text
//! cargo run --release -p uniseg-train --example step_memory -- Z Y X FEATURES BATCH
//! ```
//!
//! One configuration a process, since the peak is the process's. Linux only: it reads
//! `/proc/self/status`.

use std::process::ExitCode;

use burn::optim::GradientsParams;
use burn::prelude::*;
use burn::tensor::Distribution;
use uniseg_train::UniSeg;
use uniseg_train::data::{ResolvedTask, Tasks, recipes};
use uniseg_train::loss::{DiceOver, SegmentationLoss, downsample_labels, level_extents};
use uniseg_train::optim::{MAX_GRADIENT_NORM, Sgd, clip_global_norm};
use uniseg_train::planner::{Cost, PlanOptions, make_plan};

fn main() -> ExitCode {
    let numbers: Vec<usize> = std::env::args()
        .skip(1)
        .filter_map(|argument| argument.parse().ok())
        .collect();
    let [z, y, x, features, batch] = numbers[..] else {
        eprintln!("usage: step_memory Z Y X FEATURES BATCH");
        return ExitCode::from(2);
    };
    match measure([z, y, x], features, batch) {
        Ok(line) => {
            println!("{line}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("step_memory: {error}");
            ExitCode::from(2)
        }
    }
}

fn measure(
    patch: [usize; 3],
    features: usize,
    batch: usize,
) -> Result<String, Box<dyn std::error::Error>> {
    let tasks = Tasks::parse(recipes::text("phantom")?, "tasks.toml".as_ref(), None)?;
    let tasks: Vec<ResolvedTask> = tasks
        .tasks
        .iter()
        .map(|task| task.resolve(None))
        .collect::<Result<_, _>>()?;
    let options = PlanOptions {
        patch_size: Some(patch),
        base_num_features: Some(features),
        batch_size: batch,
        ..PlanOptions::default()
    };
    let plan = make_plan(&tasks, &[], &options)?;
    let estimate = Cost::of(&plan.network, batch).step.bytes();

    let device = Device::flex().autodiff();
    let mut network = UniSeg::new(&plan.network, &device);
    let mut optimizer = Sgd::default().init();
    let extents = level_extents(&plan.network);
    let loss = SegmentationLoss::new(extents.len(), DiceOver::Sample);
    // The brain: most channels, most classes.
    let (task, classes, channels) = (9, 4, 4);
    let [z, y, x] = patch;
    // The second step has velocities.
    for _ in 0..2 {
        let image = Tensor::random([batch, channels, z, y, x], Distribution::Default, &device);
        let labels = Tensor::<5>::random([batch, 1, z, y, x], Distribution::Default, &device);
        let labels = (labels * classes as f64).int();
        let prediction = network.forward(image, Tensor::from_ints([task], &device));
        let mut outputs = prediction.deep;
        outputs.insert(0, prediction.logits);
        let total = loss.forward(outputs, downsample_labels(labels, &extents), classes);
        let gradients = GradientsParams::from_grads(total.backward(), &network);
        let clipped = clip_global_norm(&network, gradients, MAX_GRADIENT_NORM);
        network = optimizer.step(0.01, network, clipped.gradients);
    }

    let status = std::fs::read_to_string("/proc/self/status")?;
    let peak = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .and_then(|rest| rest.trim().strip_suffix("kB"))
        .ok_or("no VmHWM in /proc/self/status")?;
    let measured = peak.trim().parse::<u64>()? * 1024;
    Ok(format!(
        "{z}x{y}x{x} features {features} batch {batch}: estimated {:.0} MB, measured {:.0} MB, \
         ratio {:.2}",
        estimate as f64 / 1e6,
        measured as f64 / 1e6,
        estimate as f64 / measured as f64
    ))
}
