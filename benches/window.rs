//! What does the sliding window cost beside the network? The engine here computes nothing.

use std::hint::black_box;

use criterion::{Criterion, SamplingMode, Throughput, criterion_group, criterion_main};
use uniseg_imaging::ndarray::{Array4, ArrayD};
use uniseg_onnx::{LOGITS, Manifest, sample};
use uniseg_runtime::{Engine, RuntimeError, Tensor, TensorView, WindowOptions, predict};

const PATCH: [usize; 3] = [32, 96, 96];
const VOLUME: [usize; 3] = [64, 192, 192];
const CLASSES: usize = 3;

/// Returns the same logits whatever it is given.
struct Nothing(ArrayD<f32>);

impl Engine for Nothing {
    fn name(&self) -> &str {
        "nothing"
    }

    fn run(
        &mut self,
        _inputs: &[(&str, TensorView<'_>)],
    ) -> Result<Vec<(String, Tensor)>, RuntimeError> {
        Ok(vec![(LOGITS.to_owned(), Tensor::F32(self.0.clone()))])
    }
}

fn sliding_window(criterion: &mut Criterion) {
    let mut manifest: Manifest = sample::tiny_manifest();
    manifest.network.patch_zyx = PATCH;
    manifest.network.classes = CLASSES;
    let task = &manifest.tasks[0];
    let [d, h, w] = PATCH;
    let logits = ArrayD::from_shape_fn(vec![1, CLASSES, d, h, w], |at| at[1] as f32);
    let mut engine = Nothing(logits);
    let [z, y, x] = VOLUME;
    let channels = Array4::from_elem((1, z, y, x), 0.5_f32);
    let mut group = criterion.benchmark_group("window");
    group.sample_size(10).sampling_mode(SamplingMode::Flat);
    group.throughput(Throughput::Elements((z * y * x) as u64));
    for (name, step, mirror) in [
        ("step 0.5", 0.5, false),
        ("step 0.25", 0.25, false),
        ("step 0.5, mirrored", 0.5, true),
    ] {
        let options = WindowOptions {
            step,
            mirror,
            ..WindowOptions::of(&manifest)
        };
        let mut run = || {
            let done = &mut |_| {};
            predict(
                &mut engine,
                &manifest,
                task,
                channels.view(),
                &options,
                done,
            )
            .expect("a volume to slide over")
        };
        // Soft-max of 0, 1, 2 everywhere, whatever the weights.
        let background = 1.0 / (1.0 + 1_f32.exp() + 2_f32.exp());
        assert!((run()[[0, 17, 100, 3]] - background).abs() < 1e-5);
        group.bench_function(format!("{name}, no network (voxels)"), |bencher| {
            bencher.iter(|| black_box(run()));
        });
    }
    group.finish();
}

criterion_group!(benches, sliding_window);
criterion_main!(benches);
