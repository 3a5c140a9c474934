//! What a machine can do at most: how fast an engine multiplies, and how much memory was used.

use std::time::Instant;

use ndarray::{Array2, Ix2};
use serde::Serialize;
use uniseg_onnx::{
    encode,
    proto::{DataType, GraphProto, ModelProto, NodeProto, TensorProto, ValueInfoProto},
};

use crate::{EngineOptions, Model, Precision, RuntimeError, Tensor, TensorView, open_engine};

/// Rows, columns and depth of the product: 12 MB of operands, which no loop overhead shows in and
/// no cache makes free.
const SIZE: usize = 1024;

/// Products in a run, one behind another: what a run costs beside them is shared.
const CHAIN: usize = 8;

/// Runs that are measured, of which the fastest counts: anything else was disturbed.
const REPEATS: usize = 6;

/// How fast an engine multiplies two matrices.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Peak {
    /// Billions of floating-point operations a second; a multiplication and an addition are two.
    pub gflop_per_second: f64,
    /// What was measured, for a reader.
    pub of: String,
}

/// Measures products of two matrices, one of them constant as a convolution's weights are, in the
/// engine, on the device and with the threads that `options` ask for.
///
/// It is the peak that this engine reaches on this machine, not that of the data sheet. `like` is
/// an artefact whose manifest is borrowed; its network is not run. Where the device cannot compute
/// an f32 artefact in the precision asked for, the product is in f32.
///
/// Errors: those of [`open_engine`] and of the engine.
pub fn measure_peak(like: &Model, options: &EngineOptions) -> Result<Peak, RuntimeError> {
    let model = Model::unchecked(encode(&products()), like.manifest().clone());
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
    let matrix = Array2::from_shape_fn((SIZE, SIZE), |(row, column)| {
        ((row * 7 + column * 3) % 13) as f32 / 13.0
    });
    let mut fastest = f64::INFINITY;
    // The first one warms up.
    for repeat in 0..=REPEATS {
        let begin = Instant::now();
        let input = [("matrix", TensorView::F32(matrix.view().into_dyn()))];
        let outputs = engine.run(&input)?;
        let seconds = begin.elapsed().as_secs_f64();
        let found = outputs.first().is_some_and(|(_, tensor)| match tensor {
            Tensor::F32(values) => values.view().into_dimensionality::<Ix2>().is_ok(),
            Tensor::I64(_) => false,
        });
        if !found {
            return Err(RuntimeError::MissingOutput {
                engine: engine.name().to_owned(),
                value: "product".to_owned(),
            });
        }
        if repeat > 0 {
            fastest = fastest.min(seconds);
        }
    }
    Ok(Peak {
        gflop_per_second: CHAIN as f64 * 2.0 * (SIZE as f64).powi(3) / 1e9 / fastest,
        of: format!("{SIZE} x {SIZE} x {SIZE} products by {}", engine.name()),
    })
}

fn products() -> ModelProto {
    let size = SIZE as i64;
    // So small, and of both signs, that nothing grows or vanishes along the chain.
    let weights: Vec<f32> = (0..SIZE * SIZE)
        .map(|i| ((i % 11) as f32 / 10.0 - 0.5) / 10.0)
        .collect();
    let value = |place: usize| match place {
        0 => "matrix".to_owned(),
        CHAIN => "product".to_owned(),
        between => format!("product{between}"),
    };
    let product = |place| {
        let from = value(place);
        NodeProto::new("MatMul", [from.as_str(), "weights"], [value(place + 1)])
    };
    ModelProto::new(GraphProto {
        name: "product".to_owned(),
        node: (0..CHAIN).map(product).collect(),
        initializer: vec![TensorProto::from_f32("weights", &[size, size], &weights)],
        input: vec![ValueInfoProto::tensor(
            "matrix",
            DataType::Float,
            [size, size],
        )],
        output: vec![ValueInfoProto::tensor(
            "product",
            DataType::Float,
            [size, size],
        )],
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
    fn both_engines_multiply() {
        let model: Model = sample::tiny_artefact().into();
        for kind in [EngineKind::Ort, EngineKind::Tract] {
            let options = EngineOptions {
                kind,
                ..EngineOptions::default()
            };
            let peak = measure_peak(&model, &options).unwrap();
            assert!(peak.gflop_per_second > 0.1, "{peak:?}");
            assert!(
                peak.of.contains("1024 x 1024 x 1024 products by "),
                "{peak:?}"
            );
        }
        if cfg!(target_os = "linux") {
            assert!(peak_memory_bytes().unwrap() > 1 << 20);
        }
    }
}
