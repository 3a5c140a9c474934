extern crate alloc;
use burn::prelude::*;
use burn::nn::InstanceNorm;
use burn::nn::InstanceNormConfig;
use burn::nn::PaddingConfig3d;
use burn::nn::conv::Conv3d;
use burn::nn::conv::Conv3dConfig;
use burn::nn::conv::ConvTranspose3d;
use burn::nn::conv::ConvTranspose3dConfig;
use burn::tensor::Bytes;
use burn_store::BurnpackStore;
use burn_store::ModuleSnapshot;


#[derive(Module, Debug)]
pub struct Model {
    constant17: burn::module::Param<Tensor<5>>,
    conv3d1: Conv3d,
    instancenormalization1: InstanceNorm,
    conv3d2: Conv3d,
    instancenormalization2: InstanceNorm,
    conv3d3: Conv3d,
    instancenormalization3: InstanceNorm,
    conv3d4: Conv3d,
    instancenormalization4: InstanceNorm,
    conv3d5: Conv3d,
    instancenormalization5: InstanceNorm,
    conv3d6: Conv3d,
    instancenormalization6: InstanceNorm,
    conv3d7: Conv3d,
    instancenormalization7: InstanceNorm,
    conv3d8: Conv3d,
    instancenormalization8: InstanceNorm,
    conv3d9: Conv3d,
    instancenormalization9: InstanceNorm,
    conv3d10: Conv3d,
    instancenormalization10: InstanceNorm,
    conv3d11: Conv3d,
    instancenormalization11: InstanceNorm,
    convtranspose3d1: ConvTranspose3d,
    conv3d12: Conv3d,
    instancenormalization12: InstanceNorm,
    conv3d13: Conv3d,
    instancenormalization13: InstanceNorm,
    convtranspose3d2: ConvTranspose3d,
    conv3d14: Conv3d,
    instancenormalization14: InstanceNorm,
    conv3d15: Conv3d,
    instancenormalization15: InstanceNorm,
    convtranspose3d3: ConvTranspose3d,
    conv3d16: Conv3d,
    instancenormalization16: InstanceNorm,
    conv3d17: Conv3d,
    instancenormalization17: InstanceNorm,
    conv3d18: Conv3d,
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
        let constant17: burn::module::Param<Tensor<5>> = burn::module::Param::uninitialized(
            burn::module::ParamId::new(),
            move |device, _require_grad| Tensor::<
                5,
            >::zeros([1, 4, 4, 4, 4], (device, burn::tensor::DType::F32)),
            device.clone(),
            false,
            [1, 4, 4, 4, 4].into(),
        );
        let conv3d1 = Conv3dConfig::new([7, 4], [1, 3, 3])
            .with_stride([1, 1, 1])
            .with_padding(PaddingConfig3d::Explicit(0, 1, 1))
            .with_dilation([1, 1, 1])
            .with_groups(1)
            .with_bias(false)
            .init(device);
        let instancenormalization1 = InstanceNormConfig::new(4)
            .with_epsilon(0.000009999999747378752f64)
            .init(device);
        let conv3d2 = Conv3dConfig::new([4, 4], [1, 3, 3])
            .with_stride([1, 1, 1])
            .with_padding(PaddingConfig3d::Explicit(0, 1, 1))
            .with_dilation([1, 1, 1])
            .with_groups(1)
            .with_bias(false)
            .init(device);
        let instancenormalization2 = InstanceNormConfig::new(4)
            .with_epsilon(0.000009999999747378752f64)
            .init(device);
        let conv3d3 = Conv3dConfig::new([4, 8], [3, 3, 3])
            .with_stride([1, 2, 2])
            .with_padding(PaddingConfig3d::Explicit(1, 1, 1))
            .with_dilation([1, 1, 1])
            .with_groups(1)
            .with_bias(false)
            .init(device);
        let instancenormalization3 = InstanceNormConfig::new(8)
            .with_epsilon(0.000009999999747378752f64)
            .init(device);
        let conv3d4 = Conv3dConfig::new([8, 8], [3, 3, 3])
            .with_stride([1, 1, 1])
            .with_padding(PaddingConfig3d::Explicit(1, 1, 1))
            .with_dilation([1, 1, 1])
            .with_groups(1)
            .with_bias(false)
            .init(device);
        let instancenormalization4 = InstanceNormConfig::new(8)
            .with_epsilon(0.000009999999747378752f64)
            .init(device);
        let conv3d5 = Conv3dConfig::new([8, 16], [3, 3, 3])
            .with_stride([2, 2, 2])
            .with_padding(PaddingConfig3d::Explicit(1, 1, 1))
            .with_dilation([1, 1, 1])
            .with_groups(1)
            .with_bias(false)
            .init(device);
        let instancenormalization5 = InstanceNormConfig::new(16)
            .with_epsilon(0.000009999999747378752f64)
            .init(device);
        let conv3d6 = Conv3dConfig::new([16, 16], [3, 3, 3])
            .with_stride([1, 1, 1])
            .with_padding(PaddingConfig3d::Explicit(1, 1, 1))
            .with_dilation([1, 1, 1])
            .with_groups(1)
            .with_bias(false)
            .init(device);
        let instancenormalization6 = InstanceNormConfig::new(16)
            .with_epsilon(0.000009999999747378752f64)
            .init(device);
        let conv3d7 = Conv3dConfig::new([16, 32], [3, 3, 3])
            .with_stride([2, 2, 2])
            .with_padding(PaddingConfig3d::Explicit(1, 1, 1))
            .with_dilation([1, 1, 1])
            .with_groups(1)
            .with_bias(false)
            .init(device);
        let instancenormalization7 = InstanceNormConfig::new(32)
            .with_epsilon(0.000009999999747378752f64)
            .init(device);
        let conv3d8 = Conv3dConfig::new([32, 32], [3, 3, 3])
            .with_stride([1, 1, 1])
            .with_padding(PaddingConfig3d::Explicit(1, 1, 1))
            .with_dilation([1, 1, 1])
            .with_groups(1)
            .with_bias(false)
            .init(device);
        let instancenormalization8 = InstanceNormConfig::new(32)
            .with_epsilon(0.000009999999747378752f64)
            .init(device);
        let conv3d9 = Conv3dConfig::new([36, 9], [3, 3, 3])
            .with_stride([1, 1, 1])
            .with_padding(PaddingConfig3d::Explicit(1, 1, 1))
            .with_dilation([1, 1, 1])
            .with_groups(1)
            .with_bias(false)
            .init(device);
        let instancenormalization9 = InstanceNormConfig::new(9)
            .with_epsilon(0.000009999999747378752f64)
            .init(device);
        let conv3d10 = Conv3dConfig::new([9, 9], [3, 3, 3])
            .with_stride([1, 1, 1])
            .with_padding(PaddingConfig3d::Explicit(1, 1, 1))
            .with_dilation([1, 1, 1])
            .with_groups(1)
            .with_bias(false)
            .init(device);
        let instancenormalization10 = InstanceNormConfig::new(9)
            .with_epsilon(0.000009999999747378752f64)
            .init(device);
        let conv3d11 = Conv3dConfig::new([9, 4], [3, 3, 3])
            .with_stride([1, 1, 1])
            .with_padding(PaddingConfig3d::Explicit(1, 1, 1))
            .with_dilation([1, 1, 1])
            .with_groups(1)
            .with_bias(false)
            .init(device);
        let instancenormalization11 = InstanceNormConfig::new(4)
            .with_epsilon(0.000009999999747378752f64)
            .init(device);
        let convtranspose3d1 = ConvTranspose3dConfig::new([33, 16], [2, 2, 2])
            .with_stride([2, 2, 2])
            .with_padding([0, 0, 0])
            .with_padding_out([0, 0, 0])
            .with_dilation([1, 1, 1])
            .with_groups(1)
            .with_bias(false)
            .init(device);
        let conv3d12 = Conv3dConfig::new([32, 16], [3, 3, 3])
            .with_stride([1, 1, 1])
            .with_padding(PaddingConfig3d::Explicit(1, 1, 1))
            .with_dilation([1, 1, 1])
            .with_groups(1)
            .with_bias(false)
            .init(device);
        let instancenormalization12 = InstanceNormConfig::new(16)
            .with_epsilon(0.000009999999747378752f64)
            .init(device);
        let conv3d13 = Conv3dConfig::new([16, 16], [3, 3, 3])
            .with_stride([1, 1, 1])
            .with_padding(PaddingConfig3d::Explicit(1, 1, 1))
            .with_dilation([1, 1, 1])
            .with_groups(1)
            .with_bias(false)
            .init(device);
        let instancenormalization13 = InstanceNormConfig::new(16)
            .with_epsilon(0.000009999999747378752f64)
            .init(device);
        let convtranspose3d2 = ConvTranspose3dConfig::new([16, 8], [2, 2, 2])
            .with_stride([2, 2, 2])
            .with_padding([0, 0, 0])
            .with_padding_out([0, 0, 0])
            .with_dilation([1, 1, 1])
            .with_groups(1)
            .with_bias(false)
            .init(device);
        let conv3d14 = Conv3dConfig::new([16, 8], [3, 3, 3])
            .with_stride([1, 1, 1])
            .with_padding(PaddingConfig3d::Explicit(1, 1, 1))
            .with_dilation([1, 1, 1])
            .with_groups(1)
            .with_bias(false)
            .init(device);
        let instancenormalization14 = InstanceNormConfig::new(8)
            .with_epsilon(0.000009999999747378752f64)
            .init(device);
        let conv3d15 = Conv3dConfig::new([8, 8], [3, 3, 3])
            .with_stride([1, 1, 1])
            .with_padding(PaddingConfig3d::Explicit(1, 1, 1))
            .with_dilation([1, 1, 1])
            .with_groups(1)
            .with_bias(false)
            .init(device);
        let instancenormalization15 = InstanceNormConfig::new(8)
            .with_epsilon(0.000009999999747378752f64)
            .init(device);
        let convtranspose3d3 = ConvTranspose3dConfig::new([8, 4], [1, 2, 2])
            .with_stride([1, 2, 2])
            .with_padding([0, 0, 0])
            .with_padding_out([0, 0, 0])
            .with_dilation([1, 1, 1])
            .with_groups(1)
            .with_bias(false)
            .init(device);
        let conv3d16 = Conv3dConfig::new([8, 4], [3, 3, 3])
            .with_stride([1, 1, 1])
            .with_padding(PaddingConfig3d::Explicit(1, 1, 1))
            .with_dilation([1, 1, 1])
            .with_groups(1)
            .with_bias(false)
            .init(device);
        let instancenormalization16 = InstanceNormConfig::new(4)
            .with_epsilon(0.000009999999747378752f64)
            .init(device);
        let conv3d17 = Conv3dConfig::new([4, 4], [3, 3, 3])
            .with_stride([1, 1, 1])
            .with_padding(PaddingConfig3d::Explicit(1, 1, 1))
            .with_dilation([1, 1, 1])
            .with_groups(1)
            .with_bias(false)
            .init(device);
        let instancenormalization17 = InstanceNormConfig::new(4)
            .with_epsilon(0.000009999999747378752f64)
            .init(device);
        let conv3d18 = Conv3dConfig::new([4, 4], [1, 1, 1])
            .with_stride([1, 1, 1])
            .with_padding(PaddingConfig3d::Valid)
            .with_dilation([1, 1, 1])
            .with_groups(1)
            .with_bias(false)
            .init(device);
        Self {
            constant17,
            conv3d1,
            instancenormalization1,
            conv3d2,
            instancenormalization2,
            conv3d3,
            instancenormalization3,
            conv3d4,
            instancenormalization4,
            conv3d5,
            instancenormalization5,
            conv3d6,
            instancenormalization6,
            conv3d7,
            instancenormalization7,
            conv3d8,
            instancenormalization8,
            conv3d9,
            instancenormalization9,
            conv3d10,
            instancenormalization10,
            conv3d11,
            instancenormalization11,
            convtranspose3d1,
            conv3d12,
            instancenormalization12,
            conv3d13,
            instancenormalization13,
            convtranspose3d2,
            conv3d14,
            instancenormalization14,
            conv3d15,
            instancenormalization15,
            convtranspose3d3,
            conv3d16,
            instancenormalization16,
            conv3d17,
            instancenormalization17,
            conv3d18,
            device: device.clone(),
        }
    }

    #[allow(clippy::let_and_return, clippy::approx_constant)]
    pub fn forward(&self, image: Tensor<5>, task: Tensor<1, Int>) -> Tensor<5> {
        let constant17_out1 = self.constant17.val();
        let conv3d1_out1 = self.conv3d1.forward(image);
        let instancenormalization1_out1 = self
            .instancenormalization1
            .forward(conv3d1_out1);
        let leakyrelu1_out1 = burn::tensor::activation::leaky_relu(
            instancenormalization1_out1,
            0.009999999776482582,
        );
        let conv3d2_out1 = self.conv3d2.forward(leakyrelu1_out1);
        let instancenormalization2_out1 = self
            .instancenormalization2
            .forward(conv3d2_out1);
        let leakyrelu2_out1 = burn::tensor::activation::leaky_relu(
            instancenormalization2_out1,
            0.009999999776482582,
        );
        let conv3d3_out1 = self.conv3d3.forward(leakyrelu2_out1.clone());
        let instancenormalization3_out1 = self
            .instancenormalization3
            .forward(conv3d3_out1);
        let leakyrelu3_out1 = burn::tensor::activation::leaky_relu(
            instancenormalization3_out1,
            0.009999999776482582,
        );
        let conv3d4_out1 = self.conv3d4.forward(leakyrelu3_out1);
        let instancenormalization4_out1 = self
            .instancenormalization4
            .forward(conv3d4_out1);
        let leakyrelu4_out1 = burn::tensor::activation::leaky_relu(
            instancenormalization4_out1,
            0.009999999776482582,
        );
        let conv3d5_out1 = self.conv3d5.forward(leakyrelu4_out1.clone());
        let instancenormalization5_out1 = self
            .instancenormalization5
            .forward(conv3d5_out1);
        let leakyrelu5_out1 = burn::tensor::activation::leaky_relu(
            instancenormalization5_out1,
            0.009999999776482582,
        );
        let conv3d6_out1 = self.conv3d6.forward(leakyrelu5_out1);
        let instancenormalization6_out1 = self
            .instancenormalization6
            .forward(conv3d6_out1);
        let leakyrelu6_out1 = burn::tensor::activation::leaky_relu(
            instancenormalization6_out1,
            0.009999999776482582,
        );
        let conv3d7_out1 = self.conv3d7.forward(leakyrelu6_out1.clone());
        let instancenormalization7_out1 = self
            .instancenormalization7
            .forward(conv3d7_out1);
        let leakyrelu7_out1 = burn::tensor::activation::leaky_relu(
            instancenormalization7_out1,
            0.009999999776482582,
        );
        let conv3d8_out1 = self.conv3d8.forward(leakyrelu7_out1);
        let instancenormalization8_out1 = self
            .instancenormalization8
            .forward(conv3d8_out1);
        let leakyrelu8_out1 = burn::tensor::activation::leaky_relu(
            instancenormalization8_out1,
            0.009999999776482582,
        );
        let concat1_out1 = burn::tensor::Tensor::cat(
            [leakyrelu8_out1.clone(), constant17_out1].into(),
            1,
        );
        let conv3d9_out1 = self.conv3d9.forward(concat1_out1);
        let instancenormalization9_out1 = self
            .instancenormalization9
            .forward(conv3d9_out1);
        let leakyrelu9_out1 = burn::tensor::activation::leaky_relu(
            instancenormalization9_out1,
            0.009999999776482582,
        );
        let conv3d10_out1 = self.conv3d10.forward(leakyrelu9_out1);
        let instancenormalization10_out1 = self
            .instancenormalization10
            .forward(conv3d10_out1);
        let leakyrelu10_out1 = burn::tensor::activation::leaky_relu(
            instancenormalization10_out1,
            0.009999999776482582,
        );
        let conv3d11_out1 = self.conv3d11.forward(leakyrelu10_out1);
        let instancenormalization11_out1 = self
            .instancenormalization11
            .forward(conv3d11_out1);
        let leakyrelu11_out1 = burn::tensor::activation::leaky_relu(
            instancenormalization11_out1,
            0.009999999776482582,
        );
        let gather1_out1 = {
            let axis_size = leakyrelu11_out1.dims()[1] as i64;
            let negative = task.clone().lower_elem(0i64);
            let corrected = task.clone() + axis_size;
            let indices = task.mask_where(negative, corrected);
            leakyrelu11_out1.take::<1, 5>(1, indices)
        };
        let concat2_out1 = burn::tensor::Tensor::cat(
            [leakyrelu8_out1, gather1_out1].into(),
            1,
        );
        let convtranspose3d1_out1 = self.convtranspose3d1.forward(concat2_out1);
        let concat3_out1 = burn::tensor::Tensor::cat(
            [convtranspose3d1_out1, leakyrelu6_out1].into(),
            1,
        );
        let conv3d12_out1 = self.conv3d12.forward(concat3_out1);
        let instancenormalization12_out1 = self
            .instancenormalization12
            .forward(conv3d12_out1);
        let leakyrelu12_out1 = burn::tensor::activation::leaky_relu(
            instancenormalization12_out1,
            0.009999999776482582,
        );
        let conv3d13_out1 = self.conv3d13.forward(leakyrelu12_out1);
        let instancenormalization13_out1 = self
            .instancenormalization13
            .forward(conv3d13_out1);
        let leakyrelu13_out1 = burn::tensor::activation::leaky_relu(
            instancenormalization13_out1,
            0.009999999776482582,
        );
        let convtranspose3d2_out1 = self.convtranspose3d2.forward(leakyrelu13_out1);
        let concat4_out1 = burn::tensor::Tensor::cat(
            [convtranspose3d2_out1, leakyrelu4_out1].into(),
            1,
        );
        let conv3d14_out1 = self.conv3d14.forward(concat4_out1);
        let instancenormalization14_out1 = self
            .instancenormalization14
            .forward(conv3d14_out1);
        let leakyrelu14_out1 = burn::tensor::activation::leaky_relu(
            instancenormalization14_out1,
            0.009999999776482582,
        );
        let conv3d15_out1 = self.conv3d15.forward(leakyrelu14_out1);
        let instancenormalization15_out1 = self
            .instancenormalization15
            .forward(conv3d15_out1);
        let leakyrelu15_out1 = burn::tensor::activation::leaky_relu(
            instancenormalization15_out1,
            0.009999999776482582,
        );
        let convtranspose3d3_out1 = self.convtranspose3d3.forward(leakyrelu15_out1);
        let concat5_out1 = burn::tensor::Tensor::cat(
            [convtranspose3d3_out1, leakyrelu2_out1].into(),
            1,
        );
        let conv3d16_out1 = self.conv3d16.forward(concat5_out1);
        let instancenormalization16_out1 = self
            .instancenormalization16
            .forward(conv3d16_out1);
        let leakyrelu16_out1 = burn::tensor::activation::leaky_relu(
            instancenormalization16_out1,
            0.009999999776482582,
        );
        let conv3d17_out1 = self.conv3d17.forward(leakyrelu16_out1);
        let instancenormalization17_out1 = self
            .instancenormalization17
            .forward(conv3d17_out1);
        let leakyrelu17_out1 = burn::tensor::activation::leaky_relu(
            instancenormalization17_out1,
            0.009999999776482582,
        );
        let conv3d18_out1 = self.conv3d18.forward(leakyrelu17_out1);
        conv3d18_out1
    }
}
