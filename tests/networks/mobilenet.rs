//! MobileNetV2 (Sandler et al., Inverted residuals and linear bottlenecks, 2018, table 2).

use burn::module::Module;
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::pool::{AdaptiveAvgPool2d, AdaptiveAvgPool2dConfig};
use burn::nn::{BatchNorm, BatchNormConfig, Linear, LinearConfig, PaddingConfig2d};
use burn::prelude::*;
use burn::tensor::activation::relu6;

use super::Subject;

/// Expansion, channels, blocks and stride of each stage.
const STAGES: [[usize; 4]; 7] = [
    [1, 16, 1, 1],
    [6, 24, 2, 2],
    [6, 32, 3, 2],
    [6, 64, 4, 2],
    [6, 96, 3, 1],
    [6, 160, 3, 2],
    [6, 320, 1, 1],
];

/// A convolution without bias, its BatchNorm, and ReLU6 unless it is a linear bottleneck.
#[derive(Module, Debug)]
struct ConvNorm {
    conv: Conv2d,
    norm: BatchNorm,
    linear: bool,
}

impl ConvNorm {
    fn new(config: Conv2dConfig, linear: bool, device: &Device) -> Self {
        let [_, channels] = config.channels;
        let pad = config.kernel_size[0] / 2;
        Self {
            conv: config
                .with_padding(PaddingConfig2d::Explicit(pad, pad, pad, pad))
                .with_bias(false)
                .init(device),
            norm: BatchNormConfig::new(channels).init(device),
            linear,
        }
    }

    fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let x = self.norm.forward(self.conv.forward(x));
        if self.linear { x } else { relu6(x) }
    }
}

/// An inverted residual: wide inside, one filter a channel there, narrow outside.
#[derive(Module, Debug)]
struct Block {
    layers: Vec<ConvNorm>,
    residual: bool,
}

impl Block {
    fn new(from: usize, to: usize, expansion: usize, stride: usize, device: &Device) -> Self {
        let wide = from * expansion;
        let mut layers = Vec::new();
        if expansion > 1 {
            let widen = Conv2dConfig::new([from, wide], [1, 1]);
            layers.push(ConvNorm::new(widen, false, device));
        }
        let depthwise = Conv2dConfig::new([wide, wide], [3, 3])
            .with_stride([stride, stride])
            .with_groups(wide);
        layers.push(ConvNorm::new(depthwise, false, device));
        let narrow = Conv2dConfig::new([wide, to], [1, 1]);
        layers.push(ConvNorm::new(narrow, true, device));
        Self {
            layers,
            residual: stride == 1 && from == to,
        }
    }

    fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let y = self
            .layers
            .iter()
            .fold(x.clone(), |x, layer| layer.forward(x));
        if self.residual { x + y } else { y }
    }
}

#[derive(Module, Debug)]
struct MobileNetV2 {
    stem: ConvNorm,
    blocks: Vec<Block>,
    last: ConvNorm,
    average: AdaptiveAvgPool2d,
    head: Linear,
}

impl MobileNetV2 {
    fn new(device: &Device) -> Self {
        let stem = Conv2dConfig::new([3, 32], [3, 3]).with_stride([2, 2]);
        let mut channels = 32;
        let mut blocks = Vec::new();
        for [expansion, to, count, stride] in STAGES {
            for index in 0..count {
                let stride = if index == 0 { stride } else { 1 };
                blocks.push(Block::new(channels, to, expansion, stride, device));
                channels = to;
            }
        }
        let last = Conv2dConfig::new([channels, 1280], [1, 1]);
        Self {
            stem: ConvNorm::new(stem, false, device),
            blocks,
            last: ConvNorm::new(last, false, device),
            average: AdaptiveAvgPool2dConfig::new([1, 1]).init(),
            head: LinearConfig::new(1280, 1000).init(device),
        }
    }

    /// Shapes: `image` [N, 3, H, W]; returns [N, 1000].
    fn forward(&self, image: Tensor<4>) -> Tensor<2> {
        let mut x = self.stem.forward(image);
        for block in &self.blocks {
            x = block.forward(x);
        }
        let x = self.average.forward(self.last.forward(x));
        self.head.forward(x.flatten::<2>(1, 3))
    }
}

/// All channels, on small images.
pub fn subject() -> Subject {
    let network = MobileNetV2::new(&Device::flex());
    Subject::of_floats(
        "mobilenet-v2",
        [2, 3, 64, 64],
        network,
        MobileNetV2::forward,
    )
}

#[test]
fn mobilenet_v2_is_the_same_everywhere() {
    insta::assert_snapshot!(subject().check(), @"
    11 Add
    35 Clip
    52 Conv
     1 MatMul
     1 ReduceMean
     1 Reshape
    ");
}
