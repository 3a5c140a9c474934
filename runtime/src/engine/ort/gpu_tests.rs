//! On an NVIDIA GPU: `cargo test --workspace --lib -- --ignored gpu`, with ONNX Runtime for CUDA
//! installed or in `ORT_DYLIB_PATH`.

use std::sync::Mutex;

use ndarray::{Array1, Array5};
use uniseg_onnx::{IMAGE, TASK};

use crate::{
    CudaOptions, Device, Engine, EngineKind, EngineOptions, Model, Tensor, TensorView, open_engine,
    testing::graphs::{decoder, encoder, whole, windows},
};

/// One at a time: while one records a graph, no other may allocate on the GPU.
static GPU: Mutex<()> = Mutex::new(());

fn open(model: &Model, device: Device, cuda: CudaOptions) -> Box<dyn Engine> {
    let options = EngineOptions {
        kind: EngineKind::Ort,
        device,
        cuda,
        ..EngineOptions::default()
    };
    let opened = open_engine(model, &options).unwrap();
    assert_eq!(opened.note, None);
    opened.engine
}

fn logits(engine: &mut dyn Engine, image: &Array5<f32>, task: i64) -> Tensor {
    let task = Array1::from_elem(1, task);
    let outputs = engine.run(&[
        (IMAGE, TensorView::F32(image.view().into_dyn())),
        (TASK, TensorView::I64(task.view().into_dyn())),
    ]);
    outputs.unwrap().remove(0).1
}

#[track_caller]
fn close(found: &Tensor, expected: &Tensor, bound: f32) {
    let (Tensor::F32(found), Tensor::F32(expected)) = (found, expected) else {
        panic!("{found} and {expected}");
    };
    assert_eq!(found.shape(), expected.shape());
    let off = (found - expected)
        .mapv(f32::abs)
        .into_iter()
        .fold(0.0, f32::max);
    assert!(off <= bound, "{off}");
}

/// Channels first in f32, last in TensorFloat-32, recorded and not, one window and several.
#[test]
#[ignore = "needs an NVIDIA GPU"]
fn gpu_gives_what_the_processor_does() {
    let _alone = GPU.lock();
    let model = whole();
    let mut cpu = open(&model, Device::Cpu, CudaOptions::default());
    for (own_norm, tf32, graph, bound) in [
        (false, false, false, 1e-5),
        (false, false, true, 1e-5),
        (true, false, false, 1e-5),
        (true, true, false, 5e-3),
        (true, false, true, 1e-5),
        (true, true, true, 5e-3),
    ] {
        let cuda = CudaOptions {
            tf32,
            own_norm: Some(own_norm),
            graph: Some(graph),
            ..CudaOptions::default()
        };
        let mut gpu = open(&model, Device::Cuda(0), cuda);
        for (count, seed, task) in [(1, 0, 0), (1, 1, 1), (2, 2, 1), (2, 0, 0), (1, 3, 1)] {
            if graph && count > 1 {
                continue;
            }
            let image = windows(count, seed);
            let expected = logits(cpu.as_mut(), &image, task);
            close(&logits(gpu.as_mut(), &image, task), &expected, bound);
        }
    }
}

#[test]
#[ignore = "needs an NVIDIA GPU"]
fn gpu_keeps_features_for_the_other_half() {
    let _alone = GPU.lock();
    let mut cpu = open(&whole(), Device::Cpu, CudaOptions::default());
    let mut encoder = open(&encoder(), Device::Cuda(0), CudaOptions::default());
    let mut decoder = open(&decoder(), Device::Cuda(0), CudaOptions::default());
    for (count, seed) in [(1, 0), (2, 1), (1, 2)] {
        let image = windows(count, seed);
        let held = encoder
            .hold(&[(IMAGE, TensorView::F32(image.view().into_dyn()))])
            .unwrap();
        for task in [1, 0] {
            let expected = logits(cpu.as_mut(), &image, task);
            let task = Array1::from_elem(1, task);
            let inputs = [(TASK, TensorView::I64(task.view().into_dyn()))];
            let lent = decoder.lend(Some(&held), &inputs, &mut |_, output| {
                close(&output.to_tensor(), &expected, 1e-5);
                Ok(())
            });
            lent.unwrap();
        }
    }
}
