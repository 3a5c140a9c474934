//! On an NVIDIA GPU: `cargo test --workspace --lib -- --ignored gpu`, with ONNX Runtime for CUDA
//! installed or in `ORT_DYLIB_PATH`.

use std::sync::Mutex;

use crate::{
    CudaOptions, Device, Engine, EngineKind, EngineOptions, Model, Precision, open_engine,
    testing::graphs::{close, decoder, encoder, held, run, whole, windows},
};

/// One at a time: while one records a graph, no other may allocate on the GPU.
pub(super) static GPU: Mutex<()> = Mutex::new(());

fn open(model: &Model, device: Device, cuda: CudaOptions) -> Box<dyn Engine> {
    open_in(model, device, Precision::F32, cuda)
}

fn open_in(
    model: &Model,
    device: Device,
    precision: Precision,
    cuda: CudaOptions,
) -> Box<dyn Engine> {
    let options = EngineOptions {
        kind: EngineKind::Ort,
        device,
        precision,
        cuda,
        ..EngineOptions::default()
    };
    let opened = open_engine(model, &options).unwrap();
    assert_eq!(opened.note, None);
    opened.engine
}

/// Channels first in f32, last in TensorFloat-32, recorded and not, one window and several.
#[test]
#[ignore = "needs an NVIDIA GPU"]
fn gpu_gives_what_the_processor_does() {
    let _alone = GPU.lock();
    let model = whole();
    let mut cpu = open(&model, Device::Cpu, CudaOptions::default());
    for (precision, own_norm, graph, bound) in [
        (Precision::F32, false, false, 1e-5),
        (Precision::F32, false, true, 1e-5),
        (Precision::Tf32, false, false, 5e-3),
        (Precision::F32, true, false, 1e-5),
        (Precision::Tf32, true, false, 5e-3),
        (Precision::F32, true, true, 1e-5),
        (Precision::Tf32, true, true, 5e-3),
    ] {
        let cuda = CudaOptions {
            own_norm: Some(own_norm),
            graph: Some(graph),
            ..CudaOptions::default()
        };
        let mut gpu = open_in(&model, Device::Cuda(0), precision, cuda);
        for (count, seed, task) in [(1, 0, 0), (1, 1, 1), (2, 2, 1), (2, 0, 0), (1, 3, 1)] {
            if graph && count > 1 {
                continue;
            }
            let image = windows(count, seed);
            let expected = run(cpu.as_mut(), &image, task).unwrap();
            let found = run(gpu.as_mut(), &image, task).unwrap();
            close(&found[0].1, &expected[0].1, bound);
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
        let found = held(encoder.as_mut(), decoder.as_mut(), &image, &[1, 0]).unwrap();
        for (found, task) in found.iter().zip([1, 0]) {
            let expected = run(cpu.as_mut(), &image, task).unwrap();
            close(&found[0].1, &expected[0].1, 1e-5);
        }
    }
}
