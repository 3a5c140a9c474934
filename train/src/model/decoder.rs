use burn::module::Module;
use burn::nn::conv::{Conv3d, Conv3dConfig, ConvTranspose3d, ConvTranspose3dConfig};
use burn::prelude::*;

use super::block::{ConvBlock, he_normal};
use super::encoder::Encoded;
use super::resize::trilinear;
use crate::plan::NetworkConfig;
use crate::precision::in_precision_of;

/// One resolution of the decoder.
#[derive(Module, Debug)]
pub struct DecoderLevel {
    /// Transposed convolution whose kernel is its stride, without bias.
    pub up: ConvTranspose3d,
    /// Two blocks over (up-sampled, skip).
    pub blocks: Vec<ConvBlock>,
    /// 1 x 1 x 1 convolution to class scores, without bias; of (features, task map) in UniSeg-T.
    pub head: Conv3d,
}

impl DecoderLevel {
    fn features(&self, x: Tensor<5>, skip: Tensor<5>) -> Tensor<5> {
        let x = in_precision_of(&self.up.weight, x, |x| self.up.forward(x));
        let joined = Tensor::cat(vec![x, skip], 1);
        self.blocks.iter().fold(joined, |x, block| block.forward(x))
    }

    /// Class scores of the level's features and, where there is one, of a task map
    /// [batch, 1, z, y, x] of any size.
    fn scores(&self, features: Tensor<5>, map: Option<&Tensor<5>>) -> Tensor<5> {
        let scored = match map {
            None => features,
            Some(map) => {
                let [.., depth, height, width] = features.dims();
                let map = trilinear(map.clone(), [depth, height, width]);
                Tensor::cat(vec![features, map], 1)
            }
        };
        in_precision_of(&self.head.weight, scored, |x| self.head.forward(x))
    }
}

/// The decoder: one level for each skip, coarsest first.
#[derive(Module, Debug)]
pub struct Decoder {
    /// Coarsest first, as the official checkpoint numbers them.
    pub levels: Vec<DecoderLevel>,
}

impl Decoder {
    pub(super) fn new(config: &NetworkConfig, device: &Device) -> Self {
        let deepest = config.stages() - 1;
        let slope = config.leaky_relu_slope;
        let levels = (0..deepest)
            .map(|level| {
                // The stage whose skip this level takes.
                let stage = deepest - 1 - level;
                let features = config.features(stage);
                // The task's map is one more channel beside the bottleneck's, or the head's.
                let prompted = level == 0 && config.variant.prompts_bottleneck();
                let below = config.features(stage + 1) + usize::from(prompted);
                let scored = features + usize::from(config.variant.prompts_heads());
                let stride = config.strides_between_stages[stage];
                // Kernels are indexed from the end of the list, so that the finest level has the
                // kernel of stage 1, not that of stage 0 (uniseg spec, section 1).
                let kernel = config.kernel_sizes[deepest - level];
                let up_fan_in = features * stride.iter().product::<usize>();
                let block = |channels| ConvBlock::new(channels, kernel, [1; 3], config, device);
                DecoderLevel {
                    up: ConvTranspose3dConfig::new([below, features], stride)
                        .with_stride(stride)
                        .with_bias(false)
                        .with_initializer(he_normal(up_fan_in, slope))
                        .init(device),
                    blocks: vec![block([2 * features, features]), block([features; 2])],
                    head: Conv3dConfig::new([scored, config.num_classes], [1; 3])
                        .with_bias(false)
                        .with_initializer(he_normal(scored, slope))
                        .init(device),
                }
            })
            .collect();
        Self { levels }
    }

    /// Class scores of every level, finest first. `map` is the task's, if the heads take one.
    pub(super) fn forward_all(&self, encoded: Encoded, map: Option<Tensor<5>>) -> Vec<Tensor<5>> {
        let mut outputs: Vec<_> = self
            .walk(encoded)
            .map(|(level, x)| level.scores(x, map.as_ref()))
            .collect();
        outputs.reverse();
        outputs
    }

    /// Class scores at full resolution only: no head of a coarser level is computed.
    pub(super) fn forward_finest(&self, encoded: Encoded, map: Option<Tensor<5>>) -> Tensor<5> {
        let (level, features) = self
            .walk(encoded)
            .last()
            .expect("a checked plan has at least two stages");
        level.scores(features, map.as_ref())
    }

    /// Each level with its features, coarsest first.
    fn walk(&self, encoded: Encoded) -> impl Iterator<Item = (&DecoderLevel, Tensor<5>)> {
        let Encoded {
            mut skips,
            bottleneck,
        } = encoded;
        let mut x = bottleneck;
        self.levels.iter().map(move |level| {
            let skip = skips.pop().expect("one skip for each level");
            x = level.features(x.clone(), skip);
            (level, x.clone())
        })
    }
}
