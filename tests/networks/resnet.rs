//! ResNet-18 (He et al., Deep residual learning for image recognition, 2015, table 1).

use burn::module::Module;
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::pool::{AdaptiveAvgPool2d, AdaptiveAvgPool2dConfig, MaxPool2d, MaxPool2dConfig};
use burn::nn::{BatchNorm, BatchNormConfig, Linear, LinearConfig, PaddingConfig2d};
use burn::prelude::*;
use burn::tensor::activation::relu;

use super::Subject;

/// A convolution without bias and its BatchNorm.
#[derive(Module, Debug)]
struct ConvNorm {
    conv: Conv2d,
    norm: BatchNorm,
}

impl ConvNorm {
    fn new(channels: [usize; 2], kernel: usize, stride: usize, device: &Device) -> Self {
        let pad = kernel / 2;
        Self {
            conv: Conv2dConfig::new(channels, [kernel, kernel])
                .with_stride([stride, stride])
                .with_padding(PaddingConfig2d::Explicit(pad, pad, pad, pad))
                .with_bias(false)
                .init(device),
            norm: BatchNormConfig::new(channels[1]).init(device),
        }
    }

    fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        self.norm.forward(self.conv.forward(x))
    }
}

/// The basic block: two convolutions and a way around them, projected where sizes change.
#[derive(Module, Debug)]
struct Block {
    first: ConvNorm,
    second: ConvNorm,
    shortcut: Option<ConvNorm>,
}

impl Block {
    fn new(channels: [usize; 2], stride: usize, device: &Device) -> Self {
        let [from, to] = channels;
        Self {
            first: ConvNorm::new(channels, 3, stride, device),
            second: ConvNorm::new([to, to], 3, 1, device),
            shortcut: (from != to || stride != 1)
                .then(|| ConvNorm::new(channels, 1, stride, device)),
        }
    }

    fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let residual = self.second.forward(relu(self.first.forward(x.clone())));
        let around = match &self.shortcut {
            Some(shortcut) => shortcut.forward(x),
            None => x,
        };
        relu(residual + around)
    }
}

#[derive(Module, Debug)]
struct ResNet18 {
    stem: ConvNorm,
    pool: MaxPool2d,
    blocks: Vec<Block>,
    average: AdaptiveAvgPool2d,
    head: Linear,
}

impl ResNet18 {
    fn new(device: &Device) -> Self {
        let stages = [
            ([64, 64], 1),
            ([64, 128], 2),
            ([128, 256], 2),
            ([256, 512], 2),
        ];
        let blocks = stages.into_iter().flat_map(|(channels, stride)| {
            let [_, to] = channels;
            [
                Block::new(channels, stride, device),
                Block::new([to, to], 1, device),
            ]
        });
        Self {
            stem: ConvNorm::new([3, 64], 7, 2, device),
            pool: MaxPool2dConfig::new([3, 3])
                .with_strides([2, 2])
                .with_padding(PaddingConfig2d::Explicit(1, 1, 1, 1))
                .init(),
            blocks: blocks.collect(),
            average: AdaptiveAvgPool2dConfig::new([1, 1]).init(),
            head: LinearConfig::new(512, 1000).init(device),
        }
    }

    /// Shapes: `image` [N, 3, H, W]; returns [N, 1000].
    fn forward(&self, image: Tensor<4>) -> Tensor<2> {
        let mut x = self.pool.forward(relu(self.stem.forward(image)));
        for block in &self.blocks {
            x = block.forward(x);
        }
        self.head
            .forward(self.average.forward(x).flatten::<2>(1, 3))
    }
}

/// All channels, on small images.
pub fn subject() -> Subject {
    let network = ResNet18::new(&Device::flex());
    Subject::of_floats("resnet-18", [2, 3, 64, 64], network, ResNet18::forward)
}

#[test]
fn resnet_18_is_the_same_everywhere() {
    insta::assert_snapshot!(subject().check(), @"
     9 Add
    20 Conv
     1 MatMul
     1 MaxPool
     1 ReduceMean
    17 Relu
     1 Reshape
    ");
}
