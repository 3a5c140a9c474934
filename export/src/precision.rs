//! Reduced precision: an optimised graph rewritten to compute in fewer bits.
//!
//! [`half`] stores and computes convolutions and products in 16 bits; [`quantise`] in 8, after
//! [`equalise`] has balanced channels, with ranges that [`calibrate`] measures through a
//! [`Calibrator`], so that no engine is needed here; [`relieve`] leaves out what would suffer, and
//! [`bf16_ends`] prepares what stays in float for engines that compute it in bf16.
//! Neither changes the graph's inputs and outputs.

mod bf16_ends;
mod calibrate;
mod chain;
mod equalise;
mod half;
mod histogram;
mod quantise;
mod relieve;
mod roles;

use std::fmt;

use uniseg_onnx::proto::ModelProto;

pub(crate) use roles::Ends;

use crate::error::ExportError;
use crate::verify::{signature, verify};
use crate::{Exported, Graph};

/// In which numbers a model is stored and computed.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub enum Precision {
    /// 32-bit floats, as trained.
    #[default]
    F32,
    /// IEEE half in convolutions and products; norms, soft-max, reductions and logits in f32.
    F16,
    /// As [`Precision::F16`] in bfloat16, which has f32's range and 8 bits of mantissa.
    ///
    /// ONNX Runtime convolves in bfloat16 on accelerators only.
    BF16,
    /// Weights in signed bytes by output channel, activations in unsigned bytes; norms, the first
    /// and last convolution, and what costs little stay in f32. Needs a [`Calibrator`].
    Int8(Int8),
}

/// How a network is put in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Int8 {
    /// From measurements to the range of an activation's bytes.
    pub range: Range,
    /// The share of all operations and weights that may stay in float, 0 to 1: where bytes disturb
    /// the result most for what they save. With 0, the default here, none is tried, and only
    /// stems, heads and what is cheap in every way stay. On the reference network 0.1, the command
    /// line's default, leaves 517 voxels of all tasks with another label instead of 716; 0.2 leaves
    /// 466.
    pub float_share: f64,
}

/// From what was measured of an activation to the range that its bytes cover.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub enum Range {
    /// All of it: of a few strong voxels, such as a small organ's, none is cut away.
    #[default]
    MinMax,
    /// Cuts so many percent of the values away at each end: 99.99 cuts 0.01 % in all.
    Percentile(f64),
    /// The range with the least mean squared error of rounding and clipping.
    LeastError,
}

impl Precision {
    /// Name for texts and manifests: `f32`, `f16`, `bf16`, `int8`.
    pub fn name(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::F16 => "f16",
            Self::BF16 => "bf16",
            Self::Int8(_) => "int8",
        }
    }
}

impl fmt::Display for Precision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Why calibration data could not be run; whatever the caller's engine reports.
pub type CalibrationError = Box<dyn std::error::Error + Send + Sync>;

/// What a probe model returned for one input: its outputs by name, flattened.
pub type Readings = Vec<(String, Vec<f32>)>;

/// Runs models on representative inputs; the caller's way to an engine and to data.
pub trait Calibrator {
    /// Runs `probe` on every calibration input and hands each run's outputs to `take`.
    ///
    /// `probe` has the inputs of the exported graph, and small f32 outputs: minima, maxima and
    /// histograms of activations. It is called up to three times with different probes and must use
    /// the same inputs each time.
    fn run(
        &mut self,
        probe: &ModelProto,
        take: &mut dyn FnMut(Readings),
    ) -> Result<(), CalibrationError>;

    /// How far the results of `model`, the exported graph with some of it in bytes, are from those
    /// at full precision: a mean of squares, 0 or more, in any unit that stays the same.
    ///
    /// It is called once for each layer, so a few of the inputs must do, the same each time.
    fn disturbance(&mut self, model: &ModelProto) -> Result<f64, CalibrationError>;

    /// So many of the layers that [`Calibrator::disturbance`] is asked for are `done`.
    fn progress(&mut self, done: usize, all: usize) {
        let _ = (done, all);
    }
}

impl Exported {
    /// Rewrites the graph to `precision`; inputs and outputs keep their types.
    ///
    /// Errors: [`ExportError::WeightOverflow`] if a weight is beyond the 16-bit type's range;
    /// [`ExportError::NoCalibrator`], [`ExportError::Calibration`] and
    /// [`ExportError::BadReading`] for int8.
    pub fn with_precision(
        mut self,
        precision: Precision,
        calibrator: Option<&mut dyn Calibrator>,
    ) -> Result<Self, ExportError> {
        let rewritten = rewrite(&self.graph, self.ends, precision, calibrator)?;
        if let Some(mut graph) = rewritten {
            graph.name_axes_like(&self.graph);
            verify(&graph, precision.name())?;
            if signature(&graph) != signature(&self.graph) {
                return Err(ExportError::BrokenGraph {
                    step: precision.name(),
                    finding: "an input or output changed its name, type or shape".into(),
                });
            }
            self.graph = graph;
        }
        Ok(self)
    }
}

fn rewrite(
    graph: &Graph,
    ends: Ends,
    precision: Precision,
    calibrator: Option<&mut dyn Calibrator>,
) -> Result<Option<Graph>, ExportError> {
    Ok(match (precision, calibrator) {
        (Precision::F32, _) => None,
        (Precision::F16, _) => Some(half::convert(graph, ends, half::Format::F16)?),
        (Precision::BF16, _) => Some(half::convert(graph, ends, half::Format::BF16)?),
        (Precision::Int8(_), None) => return Err(ExportError::NoCalibrator),
        (Precision::Int8(int8), Some(calibrator)) => {
            let graph = bf16_ends::fit_heads(graph, ends);
            let sites = quantise::sites(&graph, ends);
            let graph = equalise::equalise(&graph, &sites, calibrator)?;
            let activations = sites.activations(&graph);
            let ranges = calibrate::ranges(&graph, &activations, int8.range, calibrator)?;
            let sites = relieve::relieve(&graph, sites, &ranges, int8.float_share, calibrator)?;
            let graph = bf16_ends::round_stems(&graph, ends);
            Some(quantise::convert(&graph, &sites, &ranges)?)
        }
    })
}

#[cfg(test)]
mod tests;
