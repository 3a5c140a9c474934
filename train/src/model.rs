//! The UniSeg network (Ye et al., MICCAI 2023).
//!
//! An nnU-Net style encoder and decoder around a learnable *universal prompt*: the prompt is fused
//! with the bottleneck features into one map per task, and the map of the task at hand is what
//! tells the decoder what to segment. The paper's [variants](crate::plan::Variant) are the same
//! network with a part of this left out or moved.

mod block;
mod decoder;
mod deploy;
mod encoder;
mod prompt;
mod resize;

pub use block::ConvBlock;
pub use decoder::{Decoder, DecoderLevel};
pub use deploy::Deploy;
pub use encoder::{Encoded, Encoder, Stage, Stem};
pub use prompt::UniversalPrompt;

use std::sync::{Mutex, PoisonError};

use burn::module::{Module, ModuleVisitor, Param};
use burn::prelude::*;

use crate::plan::NetworkConfig;

/// The whole network.
#[derive(Module, Debug)]
pub struct UniSeg {
    /// Stems and strided stages.
    pub encoder: Encoder,
    /// The universal prompt and its fusion with the image's features; none in the baseline.
    pub prompt: Option<UniversalPrompt>,
    /// Up-sampling path and its heads.
    pub decoder: Decoder,
    /// Whether the task's map goes to the heads instead of the bottleneck.
    prompts_heads: bool,
}

/// What the network says about a patch.
pub struct Prediction {
    /// Raw class scores at full resolution, `[batch, classes, z, y, x]`.
    pub logits: Tensor<5>,
    /// Raw class scores of the coarser decoder levels, finest first (deep supervision).
    pub deep: Vec<Tensor<5>>,
}

impl UniSeg {
    /// A freshly initialised network: He normal weights, zero biases, a standard normal prompt
    /// (uniseg spec, section 4).
    ///
    /// burn draws a weight when it is first read, which is never if another is loaded in its place.
    /// For weights that a seed decides there is [`Self::random`].
    ///
    /// `config` must have passed [`NetworkConfig::check`].
    pub fn new(config: &NetworkConfig, device: &Device) -> Self {
        Self {
            encoder: Encoder::new(config, device),
            prompt: UniversalPrompt::new(config, device),
            decoder: Decoder::new(config, device),
            prompts_heads: config.variant.prompts_heads(),
        }
    }

    /// A freshly initialised network, the same for the same seed.
    ///
    /// Networks may be made in several threads at once. What must not run meanwhile is code of
    /// another kind that seeds burn's generator or draws from it.
    ///
    /// `config` must have passed [`NetworkConfig::check`].
    pub fn random(config: &NetworkConfig, seed: u64, device: &Device) -> Self {
        // burn's backends have one generator for all threads: from the seed to the last weight it
        // is ours alone. Whoever panicked over it does no harm, for it is seeded anew.
        static DRAWING: Mutex<()> = Mutex::new(());
        let _drawing = DRAWING.lock().unwrap_or_else(PoisonError::into_inner);
        device.seed(seed);
        let network = Self::new(config, device);
        // All weights are read now, in their own order, or they would depend on what is done with
        // the network first.
        network.visit(&mut ReadAll);
        network
    }

    /// Predicts one task for a batch of patches.
    ///
    /// Shapes: `image` [batch, channels, z, y, x] with a channel count that has a stem and the
    /// plan's patch size; `task` `[1]`, an index into the prompts (the baseline does not read it).
    ///
    /// Panics if no stem takes that many channels, as burn's own layers do on shapes that cannot
    /// be.
    pub fn forward(&self, image: Tensor<5>, task: Tensor<1, Int>) -> Prediction {
        let encoded = self.encoder.forward(image);
        let (encoded, map) = self.condition(encoded, task);
        let mut outputs = self.decoder.forward_all(encoded, map);
        let logits = outputs.remove(0);
        Prediction {
            logits,
            deep: outputs,
        }
    }

    /// As [`forward`](Self::forward), but only the scores at full resolution: no head of a coarser
    /// level is computed.
    pub fn forward_finest(&self, image: Tensor<5>, task: Tensor<1, Int>) -> Tensor<5> {
        let (encoded, map) = self.condition(self.encoder.forward(image), task);
        self.decoder.forward_finest(encoded, map)
    }

    /// Joins the task's map to the bottleneck, or hands it out for the heads.
    fn condition(&self, encoded: Encoded, task: Tensor<1, Int>) -> (Encoded, Option<Tensor<5>>) {
        let Some(prompt) = &self.prompt else {
            return (encoded, None);
        };
        let map = prompt.forward(encoded.bottleneck.clone()).select(1, task);
        if self.prompts_heads {
            return (encoded, Some(map));
        }
        let bottleneck = Tensor::cat(vec![encoded.bottleneck, map], 1);
        (
            Encoded {
                bottleneck,
                ..encoded
            },
            None,
        )
    }
}

/// Reads every parameter, and so makes it.
struct ReadAll;

impl ModuleVisitor for ReadAll {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        param.val();
    }
}

#[cfg(test)]
mod tests;
