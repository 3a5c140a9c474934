//! A U-Net (Ronneberger et al., 2015) that interpolates where the original has up-convolutions:
//! padded convolutions, GroupNorm (Wu and He, 2018), bilinear above and nearest at the bottom.

use burn::module::Module;
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::interpolate::{Interpolate2d, Interpolate2dConfig, InterpolateMode};
use burn::nn::pool::{MaxPool2d, MaxPool2dConfig};
use burn::nn::{GroupNorm, GroupNormConfig, PaddingConfig2d};
use burn::prelude::*;
use burn::tensor::activation::relu;

use super::Subject;

/// Channels of each level, from the top.
const CHANNELS: [usize; 4] = [16, 32, 64, 128];
const GROUPS: usize = 8;

#[derive(Module, Debug)]
struct Layer {
    conv: Conv2d,
    norm: GroupNorm,
}

impl Layer {
    fn new(channels: [usize; 2], device: &Device) -> Self {
        Self {
            conv: Conv2dConfig::new(channels, [3, 3])
                .with_padding(PaddingConfig2d::Same)
                .init(device),
            norm: GroupNormConfig::new(GROUPS, channels[1]).init(device),
        }
    }

    fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        relu(self.norm.forward(self.conv.forward(x)))
    }
}

/// Two layers, as everywhere in a U-Net.
#[derive(Module, Debug)]
struct Level {
    layers: Vec<Layer>,
}

impl Level {
    fn new([from, to]: [usize; 2], device: &Device) -> Self {
        Self {
            layers: vec![Layer::new([from, to], device), Layer::new([to, to], device)],
        }
    }

    fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        self.layers.iter().fold(x, |x, layer| layer.forward(x))
    }
}

#[derive(Module, Debug)]
struct UNet {
    down: Vec<Level>,
    pool: MaxPool2d,
    /// From the bottom.
    up: Vec<Level>,
    double: Vec<Interpolate2d>,
    head: Conv2d,
}

impl UNet {
    fn new(device: &Device) -> Self {
        let [top, .., bottom] = CHANNELS;
        let mut down = vec![Level::new([1, top], device)];
        let mut up = vec![];
        let mut double = vec![];
        for pair in CHANNELS.windows(2) {
            let [above, below] = [pair[0], pair[1]];
            down.push(Level::new([above, below], device));
            up.insert(0, Level::new([above + below, above], device));
            let mode = match below == bottom {
                true => InterpolateMode::Nearest,
                false => InterpolateMode::Linear,
            };
            let config = Interpolate2dConfig::new()
                .with_scale_factor(Some([2.0, 2.0]))
                .with_align_corners(false)
                .with_mode(mode);
            double.insert(0, config.init());
        }
        Self {
            down,
            pool: MaxPool2dConfig::new([2, 2]).with_strides([2, 2]).init(),
            up,
            double,
            head: Conv2dConfig::new([top, 2], [1, 1]).init(device),
        }
    }

    /// Shapes: `image` [N, 1, H, W]; returns [N, 2, H, W].
    fn forward(&self, image: Tensor<4>) -> Tensor<4> {
        let mut skips = Vec::new();
        let mut x = image;
        for (index, level) in self.down.iter().enumerate() {
            if index > 0 {
                skips.push(x.clone());
                x = self.pool.forward(x);
            }
            x = level.forward(x);
        }
        for (level, double) in self.up.iter().zip(&self.double) {
            let skip = skips.pop().expect("a skip for each level");
            x = level.forward(Tensor::cat(vec![skip, double.forward(x)], 1));
        }
        self.head.forward(x)
    }
}

/// Four levels, on an image that is not square.
pub fn subject() -> Subject {
    let network = UNet::new(&Device::flex());
    Subject::of_floats("u-net", [2, 1, 48, 64], network, UNet::forward)
}

#[test]
fn a_u_net_with_interpolation_is_the_same_everywhere() {
    insta::assert_snapshot!(subject().check(), @"
    14 Add
     3 Concat
    15 Conv
     2 Gather
    14 InstanceNormalization
     3 MaxPool
    14 Mul
    14 Relu
    28 Reshape
     2 Resize
    ");
}
