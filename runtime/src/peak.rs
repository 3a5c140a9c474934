//! What a machine can do at most: how fast an engine convolves, and how much memory was used.

use std::time::Instant;

use ndarray::{Array5, Ix5};
use serde::Serialize;
use uniseg_onnx::{
    encode,
    proto::{DataType, GraphProto, ModelProto, NodeProto, TensorProto, ValueInfoProto},
};

use crate::{EngineOptions, Model, Precision, RuntimeError, Tensor, TensorView, open_engine};

/// Channels of the convolutions, in and out.
const CHANNELS: usize = 64;
/// What they run over, (z, y, x): 4 MB of activations, which no cache makes free.
const EXTENT: [usize; 3] = [16, 32, 32];
/// Convolutions in a run, one behind another: what a run costs beside them is shared.
const CHAIN: usize = 4;

/// Runs that are measured, of which the fastest counts: anything else was disturbed.
const REPEATS: usize = 6;

/// How fast an engine convolves.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Peak {
    /// Billions of floating-point operations a second; a multiplication and an addition are two.
    pub gflop_per_second: f64,
    /// What was measured, for a reader.
    pub of: String,
}

/// Measures 3 x 3 x 3 convolutions, which are nearly all of what a network here computes, in the
/// engine, on the device and with the threads that `options` ask for.
///
/// It is the peak that this engine reaches on this machine, not that of the data sheet. `like` is
/// an artefact whose manifest is borrowed; its network is not run. Where the device cannot compute
/// an f32 artefact in the precision asked for, they are in f32.
///
/// Errors: those of [`open_engine`] and of the engine.
pub fn measure_peak(like: &Model, options: &EngineOptions) -> Result<Peak, RuntimeError> {
    let model = Model::unchecked(encode(&convolutions()), like.manifest().clone());
    let opened = match open_engine(&model, options) {
        Err(RuntimeError::NoPrecision { .. }) => {
            let precision = Precision::Auto;
            let options = EngineOptions {
                precision,
                ..options.clone()
            };
            open_engine(&model, &options)?
        }
        opened => opened?,
    };
    let mut engine = opened.engine;
    let [d, h, w] = EXTENT;
    let image = Array5::from_shape_fn((1, CHANNELS, d, h, w), |(_, channel, z, y, x)| {
        ((channel * 7 + z * 5 + y * 3 + x) % 13) as f32 / 13.0
    });
    let mut fastest = f64::INFINITY;
    // The first one warms up.
    for repeat in 0..=REPEATS {
        let begin = Instant::now();
        let input = [("values", TensorView::F32(image.view().into_dyn()))];
        let outputs = engine.run(&input)?;
        let seconds = begin.elapsed().as_secs_f64();
        let found = outputs.first().is_some_and(|(_, tensor)| match tensor {
            Tensor::F32(values) => values.view().into_dimensionality::<Ix5>().is_ok(),
            Tensor::I64(_) => false,
        });
        if !found {
            return Err(RuntimeError::MissingOutput {
                engine: engine.name().to_owned(),
                value: "convolved".to_owned(),
            });
        }
        if repeat > 0 {
            fastest = fastest.min(seconds);
        }
    }
    let voxels: usize = EXTENT.iter().product();
    let flops = CHAIN * 2 * 27 * CHANNELS * CHANNELS * voxels;
    Ok(Peak {
        gflop_per_second: flops as f64 / 1e9 / fastest,
        of: format!(
            "3 x 3 x 3 convolutions of {CHANNELS} channels by {}",
            engine.name()
        ),
    })
}

fn convolutions() -> ModelProto {
    let channels = CHANNELS as i64;
    let dims = [channels, channels, 3, 3, 3];
    let count = CHANNELS * CHANNELS * 27;
    // So small, and of both signs, that nothing grows or vanishes along the chain.
    let weights: Vec<f32> = (0..count)
        .map(|i| ((i % 11) as f32 / 10.0 - 0.5) / 16.0)
        .collect();
    let value = |place: usize| match place {
        // Not the name of a network's input: engines give that the sizes of the manifest.
        0 => "values".to_owned(),
        CHAIN => "convolved".to_owned(),
        between => format!("step{between}"),
    };
    let convolution = |place| {
        let from = value(place);
        NodeProto::new("Conv", [from.as_str(), "weights"], [value(place + 1)])
            .attr_ints("kernel_shape", &[3, 3, 3])
            .attr_ints("pads", &[1; 6])
    };
    let tensor = |name: &str| {
        let [d, h, w] = EXTENT.map(|size| size as i64);
        ValueInfoProto::tensor(name, DataType::Float, [1, channels, d, h, w])
    };
    ModelProto::new(GraphProto {
        name: "convolutions".to_owned(),
        node: (0..CHAIN).map(convolution).collect(),
        initializer: vec![TensorProto::from_f32("weights", &dims, &weights)],
        input: vec![tensor("values")],
        output: vec![tensor("convolved")],
        ..GraphProto::default()
    })
}

/// The most memory that this process has had resident so far, in bytes; `None` where the system
/// does not say (anything but Linux).
pub fn peak_memory_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kilobytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kilobytes * 1024)
}

#[cfg(test)]
mod tests {
    use uniseg_onnx::sample;

    use super::*;
    use crate::EngineKind;

    #[test]
    fn both_engines_convolve() {
        let model: Model = sample::tiny_artefact().into();
        for kind in [EngineKind::Ort, EngineKind::Tract] {
            let options = EngineOptions {
                kind,
                ..EngineOptions::default()
            };
            let peak = measure_peak(&model, &options).unwrap();
            assert!(peak.gflop_per_second > 0.1, "{peak:?}");
            assert!(
                peak.of
                    .contains("3 x 3 x 3 convolutions of 64 channels by "),
                "{peak:?}"
            );
        }
        if cfg!(target_os = "linux") {
            assert!(peak_memory_bytes().unwrap() > 1 << 20);
        }
    }
}
