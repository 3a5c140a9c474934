extern crate alloc;
use burn::prelude::*;
use burn::nn::Linear;
use burn::nn::LinearConfig;
use burn::nn::PaddingConfig1d;
use burn::nn::conv::Conv1d;
use burn::nn::conv::Conv1dConfig;
use burn::nn::pool::MaxPool1d;
use burn::nn::pool::MaxPool1dConfig;
use burn::tensor::Bytes;
use burn::tensor::activation::log_softmax;
use burn_store::BurnpackStore;
use burn_store::ModuleSnapshot;


#[derive(Module, Debug)]
pub struct Model {
    conv1d1: Conv1d,
    maxpool1d1: MaxPool1d,
    conv1d2: Conv1d,
    maxpool1d2: MaxPool1d,
    conv1d3: Conv1d,
    maxpool1d3: MaxPool1d,
    conv1d4: Conv1d,
    maxpool1d4: MaxPool1d,
    linear1: Linear,
    #[module(skip)]
    device: Device,
}


impl Model {
    /// Load model weights from in-memory bytes.
    ///
    /// The bytes must be the contents of a `.bpk` file.
    pub fn from_bytes(bytes: Bytes, device: &Device) -> Self {
        let mut model = Self::new(device);
        let mut store = BurnpackStore::from_bytes(Some(bytes));
        model
            .load_from(&mut store)
            .unwrap_or_else(|e| panic!("Failed to load burnpack bytes: {e}"));
        model
    }
}

impl Model {
    #[allow(unused_variables)]
    pub fn new(device: &Device) -> Self {
        let conv1d1 = Conv1dConfig::new(1, 128, 80)
            .with_stride(4)
            .with_padding(PaddingConfig1d::Explicit(40, 40))
            .with_dilation(1)
            .with_groups(1)
            .with_bias(true)
            .init(device);
        let maxpool1d1 = MaxPool1dConfig::new(4)
            .with_stride(4)
            .with_padding(PaddingConfig1d::Valid)
            .with_dilation(1)
            .with_ceil_mode(false)
            .init();
        let conv1d2 = Conv1dConfig::new(128, 128, 3)
            .with_stride(1)
            .with_padding(PaddingConfig1d::Explicit(1, 1))
            .with_dilation(1)
            .with_groups(1)
            .with_bias(true)
            .init(device);
        let maxpool1d2 = MaxPool1dConfig::new(4)
            .with_stride(4)
            .with_padding(PaddingConfig1d::Valid)
            .with_dilation(1)
            .with_ceil_mode(false)
            .init();
        let conv1d3 = Conv1dConfig::new(128, 256, 3)
            .with_stride(1)
            .with_padding(PaddingConfig1d::Explicit(1, 1))
            .with_dilation(1)
            .with_groups(1)
            .with_bias(true)
            .init(device);
        let maxpool1d3 = MaxPool1dConfig::new(4)
            .with_stride(4)
            .with_padding(PaddingConfig1d::Valid)
            .with_dilation(1)
            .with_ceil_mode(false)
            .init();
        let conv1d4 = Conv1dConfig::new(256, 512, 3)
            .with_stride(1)
            .with_padding(PaddingConfig1d::Explicit(1, 1))
            .with_dilation(1)
            .with_groups(1)
            .with_bias(true)
            .init(device);
        let maxpool1d4 = MaxPool1dConfig::new(4)
            .with_stride(4)
            .with_padding(PaddingConfig1d::Valid)
            .with_dilation(1)
            .with_ceil_mode(false)
            .init();
        let linear1 = LinearConfig::new(512, 10).with_bias(true).init(device);
        Self {
            conv1d1,
            maxpool1d1,
            conv1d2,
            maxpool1d2,
            conv1d3,
            maxpool1d3,
            conv1d4,
            maxpool1d4,
            linear1,
            device: device.clone(),
        }
    }

    #[allow(clippy::let_and_return, clippy::approx_constant)]
    pub fn forward(&self, x: Tensor<3>) -> Tensor<2> {
        let conv1d1_out1 = self.conv1d1.forward(x);
        let relu1_out1 = burn::tensor::activation::relu(conv1d1_out1);
        let maxpool1d1_out1 = self.maxpool1d1.forward(relu1_out1);
        let conv1d2_out1 = self.conv1d2.forward(maxpool1d1_out1);
        let relu2_out1 = burn::tensor::activation::relu(conv1d2_out1);
        let maxpool1d2_out1 = self.maxpool1d2.forward(relu2_out1);
        let conv1d3_out1 = self.conv1d3.forward(maxpool1d2_out1);
        let relu3_out1 = burn::tensor::activation::relu(conv1d3_out1);
        let maxpool1d3_out1 = self.maxpool1d3.forward(relu3_out1);
        let conv1d4_out1 = self.conv1d4.forward(maxpool1d3_out1);
        let relu4_out1 = burn::tensor::activation::relu(conv1d4_out1);
        let maxpool1d4_out1 = self.maxpool1d4.forward(relu4_out1);
        let reducemean1_out1 = { maxpool1d4_out1.mean_dim(2usize) };
        let reshape1_out1 = reducemean1_out1.reshape([-1, 512]);
        let linear1_out1 = self.linear1.forward(reshape1_out1);
        let logsoftmax1_out1 = log_softmax(linear1_out1, 1);
        logsoftmax1_out1
    }
}
