//! How long does one forward pass take, in each engine and in burn?
//!
//! A UniSeg network of an eighth of the paper's width on a patch of 32 x 96 x 96 voxels, with random
//! weights: time does not depend on them.

use std::hint::black_box;
use std::num::NonZeroUsize;
use std::thread::available_parallelism;
use std::time::Duration;

use burn::prelude::*;
use burn::tensor::TensorData;
use criterion::{Criterion, SamplingMode, Throughput, criterion_group, criterion_main};
use uniseg::bridge;
use uniseg_runtime::{
    EngineKind, EngineOptions, Model, find_ort, forward, open_engine, random_patch,
};
use uniseg_train::{Checkpoint, Deploy, plan};

/// Logits of two engines on the same input differ by less.
const SAME_MATH: f32 = 1e-3;

fn one_forward_pass(criterion: &mut Criterion) {
    let mut plan = plan::paper();
    plan.network.patch_size = [32, 96, 96];
    plan.network.base_num_features = 4;
    plan.network.max_num_features = 40;
    let device = Device::flex();
    let checkpoint = Checkpoint::random(plan, 1, &device);
    let model = Model::from(bridge::artefact(&checkpoint).expect("the network compiles"));
    let manifest = model.manifest();
    let task = &manifest.tasks[0];
    let image = random_patch(manifest, task, 1);
    let voxels: usize = manifest.network.patch_zyx.iter().product();

    let deploy = Deploy::new(checkpoint.network);
    let data = TensorData::new(image.iter().copied().collect(), image.shape().to_vec());
    let tensor = Tensor::<5>::from_data(data, &device);
    let in_burn = || {
        let logits = deploy.forward(tensor.clone(), Tensor::from_ints([task.id as i32], &device));
        logits
            .into_data()
            .try_into_vec::<f32>()
            .expect("f32 logits")
    };
    let expected = in_burn();

    let mut group = criterion.benchmark_group("forward");
    group.throughput(Throughput::Elements(voxels as u64));
    group
        .sampling_mode(SamplingMode::Flat)
        .sample_size(10)
        .measurement_time(Duration::from_secs(10));
    group.bench_function("burn flex", |bencher| bencher.iter(&in_burn));
    let all = available_parallelism().map_or(1, NonZeroUsize::get);
    let threads: &[usize] = if all > 1 { &[1, all] } else { &[1] };
    for kind in [EngineKind::Ort, EngineKind::Tract] {
        if kind == EngineKind::Ort && !find_ort(None).is_ok_and(|found| found.is_some()) {
            eprintln!("no ONNX Runtime: `cargo run --release -- runtime install` fetches it");
            continue;
        }
        for &threads in threads {
            let options = EngineOptions {
                kind,
                threads: NonZeroUsize::new(threads),
                ort_lib: None,
                ..EngineOptions::default()
            };
            let mut engine = open_engine(&model, &options)
                .expect("the engine opens")
                .engine;
            let mut run = || {
                forward(engine.as_mut(), &manifest.network, image.view(), task.id)
                    .expect("the engine runs")
            };
            let found = run();
            let worst = found
                .iter()
                .zip(&expected)
                .map(|(a, b)| (a - b).abs())
                .fold(0.0, f32::max);
            assert!(
                worst <= SAME_MATH,
                "{kind} computes something else: {worst}"
            );
            let id = format!("{kind}, {threads} thread(s)");
            group.bench_function(id, |bencher| bencher.iter(|| black_box(run())));
        }
    }
    group.finish();
}

criterion_group!(benches, one_forward_pass);
criterion_main!(benches);
