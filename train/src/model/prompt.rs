use burn::module::{Module, Param};
use burn::nn::Initializer;
use burn::prelude::*;

use super::block::ConvBlock;
use crate::plan::NetworkConfig;

/// What the network knows of its tasks: one map for each, at the bottleneck's resolution.
///
/// In UniSeg a learnable universal prompt and FUSE, which mixes it with the image's features
/// (paper section 2.2; the code's one channel per task is the reading that we follow). Its
/// variants leave one of the two out.
#[derive(Module, Debug)]
pub struct UniversalPrompt {
    /// `[1, tasks, z, y, x]`. None is the fixed prompt: zeros, and nothing that could be trained.
    pub universal: Option<Param<Tensor<5>>>,
    /// FUSE, three convolution blocks: features + tasks -> a quarter -> a quarter -> tasks. Empty
    /// for multiple prompts, where the channels of `universal` are the maps: channels never mix,
    /// so they are as separate as one tensor for each.
    pub fuse: Vec<ConvBlock>,
}

impl UniversalPrompt {
    /// None for the baseline.
    pub(super) fn new(config: &NetworkConfig, device: &Device) -> Option<Self> {
        let variant = config.variant;
        let [depth, height, width] = config.bottleneck_size();
        let tasks = config.num_tasks;
        let joined = config.features(config.stages() - 1) + tasks;
        let hidden = (joined / 4).max(1);
        let block = |channels| ConvBlock::new(channels, [3; 3], [1; 3], config, device);
        variant.has_prompt().then(|| Self {
            universal: variant.learns_prompt().then(|| {
                Initializer::Normal {
                    mean: 0.0,
                    std: 1.0,
                }
                .init([1, tasks, depth, height, width], device)
            }),
            fuse: match variant.fuses() {
                true => [[joined, hidden], [hidden, hidden], [hidden, tasks]]
                    .map(block)
                    .into(),
                false => Vec::new(),
            },
        })
    }

    /// One prompt map for each task.
    ///
    /// Shapes: `bottleneck` [batch, features, z, y, x]; returns [batch, tasks, z, y, x].
    pub fn forward(&self, bottleneck: Tensor<5>) -> Tensor<5> {
        let [batch, _, depth, height, width] = bottleneck.dims();
        let shape = |tasks| [batch, tasks, depth, height, width];
        let universal = match (&self.universal, self.fuse.last()) {
            (Some(universal), _) => {
                let universal = universal.val();
                let tasks = universal.dims()[1];
                universal.expand(shape(tasks))
            }
            (None, Some(last)) => {
                let tasks = last.conv.weight.dims()[0];
                Tensor::zeros(shape(tasks), (&bottleneck.device(), bottleneck.dtype()))
            }
            (None, None) => unreachable!("no variant has neither a prompt of its own nor FUSE"),
        };
        if self.fuse.is_empty() {
            return universal;
        }
        let joined = Tensor::cat(vec![bottleneck, universal], 1);
        self.fuse.iter().fold(joined, |x, block| block.forward(x))
    }
}
