use burn::module::{Module, Param};
use burn::nn::Initializer;
use burn::prelude::*;

use super::block::ConvBlock;
use crate::plan::NetworkConfig;

/// The learnable universal prompt and FUSE, which mixes it with the image's features into one map
/// per task (paper section 2.2; the code's one channel per task is the reading that we follow).
#[derive(Module, Debug)]
pub struct UniversalPrompt {
    /// `[1, tasks, z, y, x]` at the bottleneck's resolution.
    pub universal: Param<Tensor<5>>,
    /// Three convolution blocks: features + tasks -> a quarter -> a quarter -> tasks.
    pub fuse: Vec<ConvBlock>,
}

impl UniversalPrompt {
    pub(super) fn new(config: &NetworkConfig, device: &Device) -> Self {
        let [depth, height, width] = config.bottleneck_size();
        let tasks = config.num_tasks;
        let joined = config.features(config.stages() - 1) + tasks;
        let hidden = (joined / 4).max(1);
        let fuse = [[joined, hidden], [hidden, hidden], [hidden, tasks]]
            .map(|channels| ConvBlock::new(channels, [3; 3], [1; 3], config, device));
        Self {
            universal: Initializer::Normal {
                mean: 0.0,
                std: 1.0,
            }
            .init([1, tasks, depth, height, width], device),
            fuse: fuse.into(),
        }
    }

    /// One prompt map for each task.
    ///
    /// Shapes: `bottleneck` [batch, features, z, y, x]; returns [batch, tasks, z, y, x].
    pub fn forward(&self, bottleneck: Tensor<5>) -> Tensor<5> {
        let [batch, ..] = bottleneck.dims();
        let universal = self.universal.val();
        let [_, tasks, depth, height, width] = universal.dims();
        let universal = universal.expand([batch, tasks, depth, height, width]);
        let joined = Tensor::cat(vec![bottleneck, universal], 1);
        self.fuse.iter().fold(joined, |x, block| block.forward(x))
    }
}
