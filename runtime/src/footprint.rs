//! What one pass of a graph costs, read from its shapes and types.

mod keeping;
mod shape;
mod trace;

use uniseg_onnx::{Network, proto::GraphProto};

pub use self::keeping::Keeping;
use self::{shape::product, trace::Trace};

/// Bytes of a 32-bit float.
const F32: u64 = 4;

/// The cost of one window.
///
/// Only values of five axes are followed, which is where the cost of a 3-D network lies, and what
/// is made of weights alone.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Footprint {
    /// Floating-point operations of convolutions, transposed ones included; a multiplication and
    /// an addition are two.
    pub flops: u64,
    /// Bytes of the outputs that are volumes.
    pub output_bytes: u64,
    /// Bytes of the weights if they were 32-bit floats, whatever they are stored in.
    pub weight_bytes: u64,
    /// Every value, from where it is made to where it is read last.
    trace: Trace,
}

impl Footprint {
    /// That of `graph` on one window of `network`.
    pub(crate) fn of(graph: &GraphProto, network: &Network) -> Footprint {
        let weights = graph.initializer.iter().map(|tensor| product(&tensor.dims));
        let weights = weights.fold(0, u64::saturating_add);
        let (trace, flops) = Trace::of(graph, network);
        Footprint {
            flops,
            output_bytes: trace.output_bytes(),
            weight_bytes: weights.saturating_mul(F32),
            trace,
        }
    }

    /// Bytes of the values that are there together, at the most, in an engine that keeps them so:
    /// inputs and outputs as the graph has them, which are there all the time, and what is between.
    /// An engine's working space is not part of it.
    pub fn alive(&self, keeping: Keeping) -> u64 {
        keeping.alive(&self.trace)
    }
}

#[cfg(test)]
mod tests;
