use burn::module::Module;
use burn::nn::conv::{Conv3d, Conv3dConfig};
use burn::nn::{Initializer, InstanceNorm, InstanceNormConfig, PaddingConfig3d};
use burn::prelude::*;
use burn::tensor::activation::leaky_relu;

use crate::plan::NetworkConfig;
use crate::precision::in_precision_of;

/// Convolution, InstanceNorm, LeakyReLU: the building block of every nnU-Net.
#[derive(Module, Debug)]
pub struct ConvBlock {
    /// Convolution with bias; padding keeps the size at stride 1.
    pub conv: Conv3d,
    /// Affine InstanceNorm without running statistics.
    pub norm: InstanceNorm,
    slope: f64,
}

impl ConvBlock {
    pub(super) fn new(
        channels: [usize; 2],
        kernel: [usize; 3],
        stride: [usize; 3],
        config: &NetworkConfig,
        device: &Device,
    ) -> Self {
        Self {
            conv: conv(channels, kernel, stride, config, device),
            norm: norm(channels[1], config, device),
            slope: config.leaky_relu_slope,
        }
    }

    pub(super) fn forward(&self, x: Tensor<5>) -> Tensor<5> {
        let x = in_precision_of(&self.conv.weight, x, |x| self.conv.forward(x));
        leaky_relu(self.norm.forward(x), self.slope)
    }
}

/// A convolution as nnU-Net initialises it: He normal weights for the network's slope, zero bias.
pub(super) fn conv(
    channels: [usize; 2],
    kernel: [usize; 3],
    stride: [usize; 3],
    config: &NetworkConfig,
    device: &Device,
) -> Conv3d {
    let fan_in = channels[0] * kernel.iter().product::<usize>();
    let mut conv = Conv3dConfig::new(channels, kernel)
        .with_stride(stride)
        .with_padding(PaddingConfig3d::Explicit(
            kernel[0] / 2,
            kernel[1] / 2,
            kernel[2] / 2,
        ))
        .with_initializer(he_normal(fan_in, config.leaky_relu_slope))
        .init(device);
    conv.bias = Some(Initializer::Zeros.init([channels[1]], device));
    conv
}

pub(super) fn norm(channels: usize, config: &NetworkConfig, device: &Device) -> InstanceNorm {
    InstanceNormConfig::new(channels)
        .with_epsilon(config.norm_eps)
        .init(device)
}

/// PyTorch's `kaiming_normal_(a = slope)` in its default fan-in mode.
pub(super) fn he_normal(fan_in: usize, slope: f64) -> Initializer {
    Initializer::Normal {
        mean: 0.0,
        std: (2.0 / ((1.0 + slope * slope) * fan_in as f64)).sqrt(),
    }
}
