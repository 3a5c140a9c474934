//! M5, convolutions over a raw waveform (Dai et al., Very deep convolutional neural networks for
//! raw waveforms, 2016, table 1).

use burn::module::Module;
use burn::nn::conv::{Conv1d, Conv1dConfig};
use burn::nn::pool::{AdaptiveAvgPool1d, AdaptiveAvgPool1dConfig, MaxPool1d, MaxPool1dConfig};
use burn::nn::{BatchNorm, BatchNormConfig, Linear, LinearConfig, PaddingConfig1d};
use burn::prelude::*;
use burn::tensor::activation::{log_softmax, relu};

use super::Subject;

/// Output channels, kernel and stride of each convolution.
const LAYERS: [[usize; 3]; 4] = [[128, 80, 4], [128, 3, 1], [256, 3, 1], [512, 3, 1]];

#[derive(Module, Debug)]
struct Layer {
    conv: Conv1d,
    norm: BatchNorm,
    pool: MaxPool1d,
}

#[derive(Module, Debug)]
struct M5 {
    layers: Vec<Layer>,
    average: AdaptiveAvgPool1d,
    head: Linear,
}

impl M5 {
    fn new(device: &Device) -> Self {
        let mut channels = 1;
        let layers = LAYERS.into_iter().map(|[to, kernel, stride]| {
            let from = std::mem::replace(&mut channels, to);
            let pad = kernel / 2;
            Layer {
                conv: Conv1dConfig::new(from, to, kernel)
                    .with_stride(stride)
                    .with_padding(PaddingConfig1d::Explicit(pad, pad))
                    .init(device),
                norm: BatchNormConfig::new(to).init(device),
                pool: MaxPool1dConfig::new(4).with_stride(4).init(),
            }
        });
        Self {
            layers: layers.collect(),
            average: AdaptiveAvgPool1dConfig::new(1).init(),
            head: LinearConfig::new(512, 10).init(device),
        }
    }

    /// Shapes: `waveform` [N, 1, T]; returns [N, 10].
    fn forward(&self, waveform: Tensor<3>) -> Tensor<2> {
        let mut x = waveform;
        for layer in &self.layers {
            let y = layer.norm.forward(layer.conv.forward(x));
            x = layer.pool.forward(relu(y));
        }
        let x = self.average.forward(x).squeeze_dim::<2>(2);
        log_softmax(self.head.forward(x), 1)
    }
}

/// All channels, on half a second at 8 kHz.
pub fn subject() -> Subject {
    let network = M5::new(&Device::flex());
    Subject::of_floats("m5", [2, 1, 4000], network, M5::forward)
}

#[test]
fn a_network_over_waveforms_is_the_same_everywhere() {
    insta::assert_snapshot!(subject().check(), @"
    1 Add
    4 Conv
    1 LogSoftmax
    1 MatMul
    4 MaxPool
    1 ReduceMean
    4 Relu
    1 Reshape
    ");
}
