//! On an NVIDIA GPU: `cargo test --workspace --lib -- --ignored gpu`, with ONNX Runtime for CUDA
//! installed or in `ORT_DYLIB_PATH`.

use std::sync::Mutex;

use crate::{
    CudaOptions, Device, Engine, EngineKind, EngineOptions, Model, open_engine,
    testing::graphs::{close, decoder, encoder, held, run, whole, windows},
};

/// One at a time: while one records a graph, no other may allocate on the GPU.
pub(super) static GPU: Mutex<()> = Mutex::new(());

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
