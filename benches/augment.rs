//! What does a training patch cost before the device sees it, on one core?
//!
//! Low resolution shares its work among all threads unless `RAYON_NUM_THREADS=1` is set.

use std::hint::black_box;

use criterion::{BatchSize, Criterion, SamplingMode, Throughput, criterion_group, criterion_main};
use uniseg_imaging::ndarray::{Array3, Array4};
use uniseg_train::augment::{Augmentation, Random};
use uniseg_train::data::Block;

/// A patch for two cores, and the paper's.
const PATCHES: [[usize; 3]; 2] = [[32, 96, 96], [64, 192, 192]];

/// One member on its own, in every sample.
type Member = (&'static str, fn(&mut Augmentation));

const MEMBERS: [Member; 9] = [
    ("none, cut out", |_| {}),
    ("rotation + scaling", |to| {
        to.rotation.probability = 1.0;
        to.scaling.probability = 1.0;
    }),
    ("noise", |to| to.noise.probability = 1.0),
    ("blur", |to| {
        to.blur.probability = 1.0;
        to.blur.channel_probability = 1.0;
    }),
    ("brightness", |to| to.brightness.probability = 1.0),
    ("contrast", |to| to.contrast.probability = 1.0),
    ("low resolution", |to| {
        to.low_resolution.probability = 1.0;
        to.low_resolution.channel_probability = 1.0;
    }),
    ("gamma", |to| to.gamma.probability = 1.0),
    ("mirror", |to| to.mirror.probability = 0.5),
];

/// A CT-like block with two organs.
fn block([z, y, x]: [usize; 3]) -> Block {
    let wave = |z: usize, y: usize, x: usize| {
        (z as f32 * 0.11).sin() + (y as f32 * 0.07).cos() * (x as f32 * 0.05).sin()
    };
    Block {
        image: Array4::from_shape_fn((1, z, y, x), |(_, z, y, x)| 0.4 + 0.2 * wave(z, y, x)),
        label: Array3::from_shape_fn((z, y, x), |(z, y, x)| match wave(z, y, x) {
            value if value > 1.2 => 2,
            value if value > 0.6 => 1,
            _ => 0,
        }),
    }
}

fn augmentation(criterion: &mut Criterion) {
    for patch in PATCHES {
        let [z, y, x] = patch;
        let mut group = criterion.benchmark_group(format!("augment {z} x {y} x {x}"));
        group.sample_size(10).sampling_mode(SamplingMode::Flat);
        group.throughput(Throughput::Elements((z * y * x) as u64));
        let full = Augmentation::default().block_size(patch);
        let members = MEMBERS.map(|(name, switch)| {
            let mut settings = Augmentation::none();
            switch(&mut settings);
            (name, settings)
        });
        let paper = ("the paper's, on average", Augmentation::default());
        for (name, settings) in members.into_iter().chain([paper]) {
            let block = block(full);
            let mut random = Random::new(1);
            let sample = settings.apply(block.clone(), patch, &mut random);
            assert_eq!(sample.label.dim(), (z, y, x), "{name}");
            group.bench_function(name, |bencher| {
                bencher.iter_batched(
                    || block.clone(),
                    |block| black_box(settings.apply(block, patch, &mut random)),
                    BatchSize::PerIteration,
                );
            });
        }
    }
}

criterion_group!(benches, augmentation);
criterion_main!(benches);
