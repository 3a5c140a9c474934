//! The UniSeg network (Ye et al., MICCAI 2023).
//!
//! An nnU-Net style encoder and decoder around a learnable *universal prompt*: the prompt is fused
//! with the bottleneck features into one map per task, and the map of the task at hand is what
//! tells the decoder what to segment.

mod block;
mod decoder;
mod deploy;
mod encoder;
mod prompt;

pub use block::ConvBlock;
pub use decoder::{Decoder, DecoderLevel};
pub use deploy::Deploy;
pub use encoder::{Encoded, Encoder, Stage, Stem};
pub use prompt::UniversalPrompt;

use burn::module::Module;
use burn::prelude::*;

use crate::plan::NetworkConfig;

/// The whole network.
#[derive(Module, Debug)]
pub struct UniSeg {
    /// Stems and strided stages.
    pub encoder: Encoder,
    /// The universal prompt and its fusion with the image's features.
    pub prompt: UniversalPrompt,
    /// Up-sampling path and its heads.
    pub decoder: Decoder,
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
    /// (uniseg spec, section 4). Seed the device first for reproducible weights.
    ///
    /// `config` must have passed [`NetworkConfig::check`].
    pub fn new(config: &NetworkConfig, device: &Device) -> Self {
        Self {
            encoder: Encoder::new(config, device),
            prompt: UniversalPrompt::new(config, device),
            decoder: Decoder::new(config, device),
        }
    }

    /// Predicts one task for a batch of patches.
    ///
    /// Shapes: `image` [batch, channels, z, y, x] with a channel count that has a stem and the
    /// plan's patch size; `task` `[1]`, an index into the prompts.
    ///
    /// Panics if no stem takes that many channels, as burn's own layers do on shapes that cannot
    /// be.
    pub fn forward(&self, image: Tensor<5>, task: Tensor<1, Int>) -> Prediction {
        let encoded = self.encoder.forward(image);
        let mut outputs = self.decoder.forward_all(self.condition(encoded, task));
        let logits = outputs.remove(0);
        Prediction {
            logits,
            deep: outputs,
        }
    }

    /// Joins the task's prompt to the bottleneck.
    fn condition(&self, encoded: Encoded, task: Tensor<1, Int>) -> Encoded {
        let prompts = self.prompt.forward(encoded.bottleneck.clone());
        let prompt = prompts.select(1, task);
        Encoded {
            bottleneck: Tensor::cat(vec![encoded.bottleneck, prompt], 1),
            ..encoded
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::paper;

    #[test]
    fn the_paper_network_has_the_papers_parameters() {
        // uniseg spec, section 6; `num_params` does not initialise lazily created weights.
        let model = UniSeg::new(&paper().network, &Device::flex());
        assert_eq!(model.num_params(), 32_114_381);
    }

    #[test]
    fn outputs_have_the_shapes_of_their_levels() {
        let config = NetworkConfig {
            patch_size: [8, 16, 16],
            strides_between_stages: vec![[1, 2, 2], [2; 3]],
            kernel_sizes: vec![[1, 3, 3], [3; 3], [3; 3]],
            base_num_features: 4,
            num_tasks: 3,
            num_classes: 3,
            input_channel_variants: vec![1, 2],
            ..paper().network
        };
        let device = Device::flex();
        let model = UniSeg::new(&config, &device);
        let task = Tensor::<1, Int>::from_ints([2], &device);
        let prediction = model.forward(Tensor::zeros([2, 2, 8, 16, 16], &device), task);
        assert_eq!(prediction.logits.dims(), [2, 3, 8, 16, 16]);
        let deep: Vec<_> = prediction.deep.iter().map(|level| level.dims()).collect();
        assert_eq!(deep, [[2, 3, 8, 8, 8]]);
    }
}
