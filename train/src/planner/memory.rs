//! What a training step keeps in memory.
//!
//! Everything that the backward pass needs is counted where the forward pass makes it, in f32. The
//! factors were fitted to the peak resident memory of whole steps on the CPU back end, which
//! `examples/step_memory.rs` measures again; when the step is made leaner or fatter,
//! `KEPT_BY_BLOCK` is the one to change. They should rather be high: a plan that is a little small
//! trains, one that is a little large is killed.
//!
//! | patch | features | batch | estimated MB | measured MB | ratio |
//! |---|---|---|---|---|---|
//! | 16 x 48 x 48 | 4 | 2 | 63 | 43 | 1.46 |
//! | 16 x 64 x 64 | 8 | 2 | 142 | 109 | 1.31 |
//! | 16 x 48 x 48 | 32 | 2 | 280 | 230 | 1.22 |
//! | 24 x 80 x 80 | 16 | 2 | 497 | 408 | 1.22 |
//! | 32 x 96 x 96 | 8 | 2 | 471 | 392 | 1.20 |
//! | 32 x 96 x 96 | 32 | 1 | 948 | 815 | 1.16 |
//! | 32 x 96 x 96 | 32 | 2 | 1657 | 1427 | 1.16 |

use super::MemorySize;
use super::layers::{Kind, Layer};
use crate::plan::NetworkConfig;

/// Tensors of its output's size that a convolution block keeps for the backward pass: the
/// convolution's result, which its InstanceNorm needs, and the activation, the next block's input.
const KEPT_BY_BLOCK: f64 = 2.0;

/// Tensors of the logits' size that a level of the loss keeps: logits, log-probabilities,
/// probabilities, one-hot reference and their products.
const KEPT_BY_LOSS: f64 = 6.0;

/// Tensors of the largest block's output size that the backward pass works with on top of what is
/// kept: a gradient, since what the forward pass kept is freed on the way.
const WORKED_WITH: f64 = 1.0;

/// Copies of the parameters: weights, gradients, velocities, and the clipped gradients.
const PARAMETER_COPIES: f64 = 4.0;

/// The process itself: program, threads, blocks that are being loaded.
const PROCESS: f64 = 60e6;

const F32: f64 = 4.0;

/// Peak memory of one training step.
pub(super) fn of_step(
    network: &NetworkConfig,
    layers: &[Layer],
    batch_size: usize,
    parameters: f64,
) -> MemorySize {
    let kept: f64 = layers.iter().map(|layer| kept_by(layer, network)).sum();
    let largest = layers
        .iter()
        .filter(|layer| layer.kind == Kind::Block)
        .map(Layer::elements)
        .fold(0.0, f64::max);
    let channels = network.input_channel_variants.last().copied().unwrap_or(1);
    // Labels are counted as one more channel, and their copies of other types as two more.
    let input = (channels + 3) as f64 * super::layers::product(network.patch_size);
    let of_sample = kept + WORKED_WITH * largest + input;
    let numbers = batch_size as f64 * of_sample + PARAMETER_COPIES * parameters;
    MemorySize::from_bytes((PROCESS + F32 * numbers) as u64)
}

/// Numbers that one sample's forward pass through a layer leaves behind.
fn kept_by(layer: &Layer, network: &NetworkConfig) -> f64 {
    match layer.kind {
        Kind::Block => KEPT_BY_BLOCK * layer.elements(),
        // The concatenation is kept; what went into it is the skip, which its block keeps, and
        // the transposed convolution's output, which nothing needs.
        Kind::Up => 2.0 * layer.elements(),
        Kind::Head => {
            let joined = match network.variant.prompts_heads() {
                true => layer.channels_in * layer.voxels,
                false => 0.0,
            };
            KEPT_BY_LOSS * layer.elements() + joined
        }
    }
}
