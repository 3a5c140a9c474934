use burn::module::Module;
use burn::nn::InstanceNorm;
use burn::nn::conv::Conv3d;
use burn::prelude::*;
use burn::tensor::activation::leaky_relu;

use super::block::{ConvBlock, conv, norm};
use crate::plan::NetworkConfig;
use crate::precision::in_precision_of;

/// First convolutions, one for each image channel count, before a norm and activation they share.
#[derive(Module, Debug)]
pub struct Stem {
    /// In the order of the plan's `input_channel_variants`.
    pub convs: Vec<Conv3d>,
    /// Shared by all of them.
    pub norm: InstanceNorm,
    slope: f64,
}

impl Stem {
    fn new(config: &NetworkConfig, device: &Device) -> Self {
        let features = config.features(0);
        let kernel = config.kernel_sizes[0];
        Self {
            convs: config
                .input_channel_variants
                .iter()
                .map(|&channels| conv([channels, features], kernel, [1; 3], config, device))
                .collect(),
            norm: norm(features, config, device),
            slope: config.leaky_relu_slope,
        }
    }

    fn forward(&self, image: Tensor<5>) -> Tensor<5> {
        let channels = image.dims()[1];
        let conv = self
            .convs
            .iter()
            .find(|conv| conv.weight.dims()[1] == channels)
            .unwrap_or_else(|| panic!("no stem takes {channels} image channels"));
        self.finish(in_precision_of(&conv.weight, image, |image| {
            conv.forward(image)
        }))
    }

    /// What follows whichever first convolution was used.
    pub(super) fn finish(&self, x: Tensor<5>) -> Tensor<5> {
        leaky_relu(self.norm.forward(x), self.slope)
    }
}

/// Convolution blocks of one resolution.
#[derive(Module, Debug)]
pub struct Stage {
    /// The first one brings the stride.
    pub blocks: Vec<ConvBlock>,
}

impl Stage {
    pub(super) fn forward(&self, x: Tensor<5>) -> Tensor<5> {
        self.blocks.iter().fold(x, |x, block| block.forward(x))
    }
}

/// The encoder: a stem and stages, the last of which is the bottleneck.
#[derive(Module, Debug)]
pub struct Encoder {
    /// First convolutions.
    pub stem: Stem,
    /// Stage 0 has one block, since the stem is its other one; the rest have two.
    pub stages: Vec<Stage>,
}

/// What the decoder needs of the encoder.
pub struct Encoded {
    /// Features of the coarsest stage.
    pub bottleneck: Tensor<5>,
    /// Features of the other stages, finest first.
    pub skips: Vec<Tensor<5>>,
}

impl Encoder {
    pub(super) fn new(config: &NetworkConfig, device: &Device) -> Self {
        let block =
            |channels, kernel, stride| ConvBlock::new(channels, kernel, stride, config, device);
        let stages = (0..config.stages())
            .map(|stage| {
                let kernel = config.kernel_sizes[stage];
                let features = config.features(stage);
                let second = block([features; 2], kernel, [1; 3]);
                let blocks = match stage {
                    0 => vec![second],
                    _ => {
                        let stride = config.strides_between_stages[stage - 1];
                        let channels = [config.features(stage - 1), features];
                        vec![block(channels, kernel, stride), second]
                    }
                };
                Stage { blocks }
            })
            .collect();
        Self {
            stem: Stem::new(config, device),
            stages,
        }
    }

    /// Encodes a batch of patches with the stem for their channel count.
    pub fn forward(&self, image: Tensor<5>) -> Encoded {
        self.encode(self.stem.forward(image))
    }

    /// Runs the stages on what a stem made.
    pub(super) fn encode(&self, stem: Tensor<5>) -> Encoded {
        let mut skips = Vec::with_capacity(self.stages.len());
        let mut x = stem;
        for stage in &self.stages {
            x = stage.forward(x);
            skips.push(x.clone());
        }
        // The last stage is the bottleneck, not a skip.
        skips.pop();
        Encoded {
            bottleneck: x,
            skips,
        }
    }
}
