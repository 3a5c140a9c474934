extern crate alloc;
use burn::prelude::*;
use burn::nn::InstanceNorm;
use burn::nn::InstanceNormConfig;
use burn::nn::PaddingConfig2d;
use burn::nn::conv::Conv2d;
use burn::nn::conv::Conv2dConfig;
use burn::nn::pool::MaxPool2d;
use burn::nn::pool::MaxPool2dConfig;
use burn::tensor::Bytes;
use burn_store::BurnpackStore;
use burn_store::ModuleSnapshot;


#[derive(Module, Debug)]
pub struct Model {
    constant7: burn::module::Param<Tensor<4>>,
    constant8: burn::module::Param<Tensor<4>>,
    constant13: burn::module::Param<Tensor<4>>,
    constant14: burn::module::Param<Tensor<4>>,
    constant19: burn::module::Param<Tensor<4>>,
    constant20: burn::module::Param<Tensor<4>>,
    constant25: burn::module::Param<Tensor<4>>,
    constant26: burn::module::Param<Tensor<4>>,
    constant31: burn::module::Param<Tensor<4>>,
    constant32: burn::module::Param<Tensor<4>>,
    constant37: burn::module::Param<Tensor<4>>,
    constant38: burn::module::Param<Tensor<4>>,
    constant43: burn::module::Param<Tensor<4>>,
    constant44: burn::module::Param<Tensor<4>>,
    constant49: burn::module::Param<Tensor<4>>,
    constant50: burn::module::Param<Tensor<4>>,
    constant51: burn::module::Param<Tensor<1, Int>>,
    constant52: burn::module::Param<Tensor<1, Int>>,
    constant57: burn::module::Param<Tensor<4>>,
    constant58: burn::module::Param<Tensor<4>>,
    constant63: burn::module::Param<Tensor<4>>,
    constant64: burn::module::Param<Tensor<4>>,
    constant71: burn::module::Param<Tensor<4>>,
    constant72: burn::module::Param<Tensor<4>>,
    constant77: burn::module::Param<Tensor<4>>,
    constant78: burn::module::Param<Tensor<4>>,
    constant83: burn::module::Param<Tensor<4>>,
    constant84: burn::module::Param<Tensor<4>>,
    constant89: burn::module::Param<Tensor<4>>,
    constant90: burn::module::Param<Tensor<4>>,
    conv2d1: Conv2d,
    instancenormalization1: InstanceNorm,
    conv2d2: Conv2d,
    instancenormalization2: InstanceNorm,
    maxpool2d1: MaxPool2d,
    conv2d3: Conv2d,
    instancenormalization3: InstanceNorm,
    conv2d4: Conv2d,
    instancenormalization4: InstanceNorm,
    maxpool2d2: MaxPool2d,
    conv2d5: Conv2d,
    instancenormalization5: InstanceNorm,
    conv2d6: Conv2d,
    instancenormalization6: InstanceNorm,
    maxpool2d3: MaxPool2d,
    conv2d7: Conv2d,
    instancenormalization7: InstanceNorm,
    conv2d8: Conv2d,
    instancenormalization8: InstanceNorm,
    conv2d9: Conv2d,
    instancenormalization9: InstanceNorm,
    conv2d10: Conv2d,
    instancenormalization10: InstanceNorm,
    resize1: burn::nn::interpolate::Interpolate2d,
    conv2d11: Conv2d,
    instancenormalization11: InstanceNorm,
    conv2d12: Conv2d,
    instancenormalization12: InstanceNorm,
    resize2: burn::nn::interpolate::Interpolate2d,
    conv2d13: Conv2d,
    instancenormalization13: InstanceNorm,
    conv2d14: Conv2d,
    instancenormalization14: InstanceNorm,
    conv2d15: Conv2d,
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
        let constant7: burn::module::Param<Tensor<4>> = burn::module::Param::uninitialized(
            burn::module::ParamId::new(),
            move |device, _require_grad| Tensor::<
                4,
            >::zeros([1, 16, 1, 1], (device, burn::tensor::DType::F32)),
            device.clone(),
            false,
            [1, 16, 1, 1].into(),
        );
        let constant8: burn::module::Param<Tensor<4>> = burn::module::Param::uninitialized(
            burn::module::ParamId::new(),
            move |device, _require_grad| Tensor::<
                4,
            >::zeros([1, 16, 1, 1], (device, burn::tensor::DType::F32)),
            device.clone(),
            false,
            [1, 16, 1, 1].into(),
        );
        let constant13: burn::module::Param<Tensor<4>> = burn::module::Param::uninitialized(
            burn::module::ParamId::new(),
            move |device, _require_grad| Tensor::<
                4,
            >::zeros([1, 16, 1, 1], (device, burn::tensor::DType::F32)),
            device.clone(),
            false,
            [1, 16, 1, 1].into(),
        );
        let constant14: burn::module::Param<Tensor<4>> = burn::module::Param::uninitialized(
            burn::module::ParamId::new(),
            move |device, _require_grad| Tensor::<
                4,
            >::zeros([1, 16, 1, 1], (device, burn::tensor::DType::F32)),
            device.clone(),
            false,
            [1, 16, 1, 1].into(),
        );
        let constant19: burn::module::Param<Tensor<4>> = burn::module::Param::uninitialized(
            burn::module::ParamId::new(),
            move |device, _require_grad| Tensor::<
                4,
            >::zeros([1, 32, 1, 1], (device, burn::tensor::DType::F32)),
            device.clone(),
            false,
            [1, 32, 1, 1].into(),
        );
        let constant20: burn::module::Param<Tensor<4>> = burn::module::Param::uninitialized(
            burn::module::ParamId::new(),
            move |device, _require_grad| Tensor::<
                4,
            >::zeros([1, 32, 1, 1], (device, burn::tensor::DType::F32)),
            device.clone(),
            false,
            [1, 32, 1, 1].into(),
        );
        let constant25: burn::module::Param<Tensor<4>> = burn::module::Param::uninitialized(
            burn::module::ParamId::new(),
            move |device, _require_grad| Tensor::<
                4,
            >::zeros([1, 32, 1, 1], (device, burn::tensor::DType::F32)),
            device.clone(),
            false,
            [1, 32, 1, 1].into(),
        );
        let constant26: burn::module::Param<Tensor<4>> = burn::module::Param::uninitialized(
            burn::module::ParamId::new(),
            move |device, _require_grad| Tensor::<
                4,
            >::zeros([1, 32, 1, 1], (device, burn::tensor::DType::F32)),
            device.clone(),
            false,
            [1, 32, 1, 1].into(),
        );
        let constant31: burn::module::Param<Tensor<4>> = burn::module::Param::uninitialized(
            burn::module::ParamId::new(),
            move |device, _require_grad| Tensor::<
                4,
            >::zeros([1, 64, 1, 1], (device, burn::tensor::DType::F32)),
            device.clone(),
            false,
            [1, 64, 1, 1].into(),
        );
        let constant32: burn::module::Param<Tensor<4>> = burn::module::Param::uninitialized(
            burn::module::ParamId::new(),
            move |device, _require_grad| Tensor::<
                4,
            >::zeros([1, 64, 1, 1], (device, burn::tensor::DType::F32)),
            device.clone(),
            false,
            [1, 64, 1, 1].into(),
        );
        let constant37: burn::module::Param<Tensor<4>> = burn::module::Param::uninitialized(
            burn::module::ParamId::new(),
            move |device, _require_grad| Tensor::<
                4,
            >::zeros([1, 64, 1, 1], (device, burn::tensor::DType::F32)),
            device.clone(),
            false,
            [1, 64, 1, 1].into(),
        );
        let constant38: burn::module::Param<Tensor<4>> = burn::module::Param::uninitialized(
            burn::module::ParamId::new(),
            move |device, _require_grad| Tensor::<
                4,
            >::zeros([1, 64, 1, 1], (device, burn::tensor::DType::F32)),
            device.clone(),
            false,
            [1, 64, 1, 1].into(),
        );
        let constant43: burn::module::Param<Tensor<4>> = burn::module::Param::uninitialized(
            burn::module::ParamId::new(),
            move |device, _require_grad| Tensor::<
                4,
            >::zeros([1, 128, 1, 1], (device, burn::tensor::DType::F32)),
            device.clone(),
            false,
            [1, 128, 1, 1].into(),
        );
        let constant44: burn::module::Param<Tensor<4>> = burn::module::Param::uninitialized(
            burn::module::ParamId::new(),
            move |device, _require_grad| Tensor::<
                4,
            >::zeros([1, 128, 1, 1], (device, burn::tensor::DType::F32)),
            device.clone(),
            false,
            [1, 128, 1, 1].into(),
        );
        let constant49: burn::module::Param<Tensor<4>> = burn::module::Param::uninitialized(
            burn::module::ParamId::new(),
            move |device, _require_grad| Tensor::<
                4,
            >::zeros([1, 128, 1, 1], (device, burn::tensor::DType::F32)),
            device.clone(),
            false,
            [1, 128, 1, 1].into(),
        );
        let constant50: burn::module::Param<Tensor<4>> = burn::module::Param::uninitialized(
            burn::module::ParamId::new(),
            move |device, _require_grad| Tensor::<
                4,
            >::zeros([1, 128, 1, 1], (device, burn::tensor::DType::F32)),
            device.clone(),
            false,
            [1, 128, 1, 1].into(),
        );
        let constant51: burn::module::Param<Tensor<1, Int>> = burn::module::Param::uninitialized(
            burn::module::ParamId::new(),
            move |device, _require_grad| Tensor::<
                1,
                Int,
            >::zeros([12], (device, burn::tensor::DType::I64)),
            device.clone(),
            false,
            [12].into(),
        );
        let constant52: burn::module::Param<Tensor<1, Int>> = burn::module::Param::uninitialized(
            burn::module::ParamId::new(),
            move |device, _require_grad| Tensor::<
                1,
                Int,
            >::zeros([16], (device, burn::tensor::DType::I64)),
            device.clone(),
            false,
            [16].into(),
        );
        let constant57: burn::module::Param<Tensor<4>> = burn::module::Param::uninitialized(
            burn::module::ParamId::new(),
            move |device, _require_grad| Tensor::<
                4,
            >::zeros([1, 64, 1, 1], (device, burn::tensor::DType::F32)),
            device.clone(),
            false,
            [1, 64, 1, 1].into(),
        );
        let constant58: burn::module::Param<Tensor<4>> = burn::module::Param::uninitialized(
            burn::module::ParamId::new(),
            move |device, _require_grad| Tensor::<
                4,
            >::zeros([1, 64, 1, 1], (device, burn::tensor::DType::F32)),
            device.clone(),
            false,
            [1, 64, 1, 1].into(),
        );
        let constant63: burn::module::Param<Tensor<4>> = burn::module::Param::uninitialized(
            burn::module::ParamId::new(),
            move |device, _require_grad| Tensor::<
                4,
            >::zeros([1, 64, 1, 1], (device, burn::tensor::DType::F32)),
            device.clone(),
            false,
            [1, 64, 1, 1].into(),
        );
        let constant64: burn::module::Param<Tensor<4>> = burn::module::Param::uninitialized(
            burn::module::ParamId::new(),
            move |device, _require_grad| Tensor::<
                4,
            >::zeros([1, 64, 1, 1], (device, burn::tensor::DType::F32)),
            device.clone(),
            false,
            [1, 64, 1, 1].into(),
        );
        let constant71: burn::module::Param<Tensor<4>> = burn::module::Param::uninitialized(
            burn::module::ParamId::new(),
            move |device, _require_grad| Tensor::<
                4,
            >::zeros([1, 32, 1, 1], (device, burn::tensor::DType::F32)),
            device.clone(),
            false,
            [1, 32, 1, 1].into(),
        );
        let constant72: burn::module::Param<Tensor<4>> = burn::module::Param::uninitialized(
            burn::module::ParamId::new(),
            move |device, _require_grad| Tensor::<
                4,
            >::zeros([1, 32, 1, 1], (device, burn::tensor::DType::F32)),
            device.clone(),
            false,
            [1, 32, 1, 1].into(),
        );
        let constant77: burn::module::Param<Tensor<4>> = burn::module::Param::uninitialized(
            burn::module::ParamId::new(),
            move |device, _require_grad| Tensor::<
                4,
            >::zeros([1, 32, 1, 1], (device, burn::tensor::DType::F32)),
            device.clone(),
            false,
            [1, 32, 1, 1].into(),
        );
        let constant78: burn::module::Param<Tensor<4>> = burn::module::Param::uninitialized(
            burn::module::ParamId::new(),
            move |device, _require_grad| Tensor::<
                4,
            >::zeros([1, 32, 1, 1], (device, burn::tensor::DType::F32)),
            device.clone(),
            false,
            [1, 32, 1, 1].into(),
        );
        let constant83: burn::module::Param<Tensor<4>> = burn::module::Param::uninitialized(
            burn::module::ParamId::new(),
            move |device, _require_grad| Tensor::<
                4,
            >::zeros([1, 16, 1, 1], (device, burn::tensor::DType::F32)),
            device.clone(),
            false,
            [1, 16, 1, 1].into(),
        );
        let constant84: burn::module::Param<Tensor<4>> = burn::module::Param::uninitialized(
            burn::module::ParamId::new(),
            move |device, _require_grad| Tensor::<
                4,
            >::zeros([1, 16, 1, 1], (device, burn::tensor::DType::F32)),
            device.clone(),
            false,
            [1, 16, 1, 1].into(),
        );
        let constant89: burn::module::Param<Tensor<4>> = burn::module::Param::uninitialized(
            burn::module::ParamId::new(),
            move |device, _require_grad| Tensor::<
                4,
            >::zeros([1, 16, 1, 1], (device, burn::tensor::DType::F32)),
            device.clone(),
            false,
            [1, 16, 1, 1].into(),
        );
        let constant90: burn::module::Param<Tensor<4>> = burn::module::Param::uninitialized(
            burn::module::ParamId::new(),
            move |device, _require_grad| Tensor::<
                4,
            >::zeros([1, 16, 1, 1], (device, burn::tensor::DType::F32)),
            device.clone(),
            false,
            [1, 16, 1, 1].into(),
        );
        let conv2d1 = Conv2dConfig::new([1, 16], [3, 3])
            .with_stride([1, 1])
            .with_padding(PaddingConfig2d::Explicit(1, 1, 1, 1))
            .with_dilation([1, 1])
            .with_groups(1)
            .with_bias(true)
            .init(device);
        let instancenormalization1 = InstanceNormConfig::new(8)
            .with_epsilon(0.000009999999747378752f64)
            .init(device);
        let conv2d2 = Conv2dConfig::new([16, 16], [3, 3])
            .with_stride([1, 1])
            .with_padding(PaddingConfig2d::Explicit(1, 1, 1, 1))
            .with_dilation([1, 1])
            .with_groups(1)
            .with_bias(true)
            .init(device);
        let instancenormalization2 = InstanceNormConfig::new(8)
            .with_epsilon(0.000009999999747378752f64)
            .init(device);
        let maxpool2d1 = MaxPool2dConfig::new([2, 2])
            .with_strides([2, 2])
            .with_padding(PaddingConfig2d::Valid)
            .with_dilation([1, 1])
            .with_ceil_mode(false)
            .init();
        let conv2d3 = Conv2dConfig::new([16, 32], [3, 3])
            .with_stride([1, 1])
            .with_padding(PaddingConfig2d::Explicit(1, 1, 1, 1))
            .with_dilation([1, 1])
            .with_groups(1)
            .with_bias(true)
            .init(device);
        let instancenormalization3 = InstanceNormConfig::new(8)
            .with_epsilon(0.000009999999747378752f64)
            .init(device);
        let conv2d4 = Conv2dConfig::new([32, 32], [3, 3])
            .with_stride([1, 1])
            .with_padding(PaddingConfig2d::Explicit(1, 1, 1, 1))
            .with_dilation([1, 1])
            .with_groups(1)
            .with_bias(true)
            .init(device);
        let instancenormalization4 = InstanceNormConfig::new(8)
            .with_epsilon(0.000009999999747378752f64)
            .init(device);
        let maxpool2d2 = MaxPool2dConfig::new([2, 2])
            .with_strides([2, 2])
            .with_padding(PaddingConfig2d::Valid)
            .with_dilation([1, 1])
            .with_ceil_mode(false)
            .init();
        let conv2d5 = Conv2dConfig::new([32, 64], [3, 3])
            .with_stride([1, 1])
            .with_padding(PaddingConfig2d::Explicit(1, 1, 1, 1))
            .with_dilation([1, 1])
            .with_groups(1)
            .with_bias(true)
            .init(device);
        let instancenormalization5 = InstanceNormConfig::new(8)
            .with_epsilon(0.000009999999747378752f64)
            .init(device);
        let conv2d6 = Conv2dConfig::new([64, 64], [3, 3])
            .with_stride([1, 1])
            .with_padding(PaddingConfig2d::Explicit(1, 1, 1, 1))
            .with_dilation([1, 1])
            .with_groups(1)
            .with_bias(true)
            .init(device);
        let instancenormalization6 = InstanceNormConfig::new(8)
            .with_epsilon(0.000009999999747378752f64)
            .init(device);
        let maxpool2d3 = MaxPool2dConfig::new([2, 2])
            .with_strides([2, 2])
            .with_padding(PaddingConfig2d::Valid)
            .with_dilation([1, 1])
            .with_ceil_mode(false)
            .init();
        let conv2d7 = Conv2dConfig::new([64, 128], [3, 3])
            .with_stride([1, 1])
            .with_padding(PaddingConfig2d::Explicit(1, 1, 1, 1))
            .with_dilation([1, 1])
            .with_groups(1)
            .with_bias(true)
            .init(device);
        let instancenormalization7 = InstanceNormConfig::new(8)
            .with_epsilon(0.000009999999747378752f64)
            .init(device);
        let conv2d8 = Conv2dConfig::new([128, 128], [3, 3])
            .with_stride([1, 1])
            .with_padding(PaddingConfig2d::Explicit(1, 1, 1, 1))
            .with_dilation([1, 1])
            .with_groups(1)
            .with_bias(true)
            .init(device);
        let instancenormalization8 = InstanceNormConfig::new(8)
            .with_epsilon(0.000009999999747378752f64)
            .init(device);
        let conv2d9 = Conv2dConfig::new([192, 64], [3, 3])
            .with_stride([1, 1])
            .with_padding(PaddingConfig2d::Explicit(1, 1, 1, 1))
            .with_dilation([1, 1])
            .with_groups(1)
            .with_bias(true)
            .init(device);
        let instancenormalization9 = InstanceNormConfig::new(8)
            .with_epsilon(0.000009999999747378752f64)
            .init(device);
        let conv2d10 = Conv2dConfig::new([64, 64], [3, 3])
            .with_stride([1, 1])
            .with_padding(PaddingConfig2d::Explicit(1, 1, 1, 1))
            .with_dilation([1, 1])
            .with_groups(1)
            .with_bias(true)
            .init(device);
        let instancenormalization10 = InstanceNormConfig::new(8)
            .with_epsilon(0.000009999999747378752f64)
            .init(device);
        let resize1 = burn::nn::interpolate::Interpolate2dConfig::new()
            .with_output_size(None)
            .with_scale_factor(Some([2.0, 2.0]))
            .with_mode(burn::nn::interpolate::InterpolateMode::Linear)
            .with_align_corners(false)
            .init();
        let conv2d11 = Conv2dConfig::new([96, 32], [3, 3])
            .with_stride([1, 1])
            .with_padding(PaddingConfig2d::Explicit(1, 1, 1, 1))
            .with_dilation([1, 1])
            .with_groups(1)
            .with_bias(true)
            .init(device);
        let instancenormalization11 = InstanceNormConfig::new(8)
            .with_epsilon(0.000009999999747378752f64)
            .init(device);
        let conv2d12 = Conv2dConfig::new([32, 32], [3, 3])
            .with_stride([1, 1])
            .with_padding(PaddingConfig2d::Explicit(1, 1, 1, 1))
            .with_dilation([1, 1])
            .with_groups(1)
            .with_bias(true)
            .init(device);
        let instancenormalization12 = InstanceNormConfig::new(8)
            .with_epsilon(0.000009999999747378752f64)
            .init(device);
        let resize2 = burn::nn::interpolate::Interpolate2dConfig::new()
            .with_output_size(None)
            .with_scale_factor(Some([2.0, 2.0]))
            .with_mode(burn::nn::interpolate::InterpolateMode::Linear)
            .with_align_corners(false)
            .init();
        let conv2d13 = Conv2dConfig::new([48, 16], [3, 3])
            .with_stride([1, 1])
            .with_padding(PaddingConfig2d::Explicit(1, 1, 1, 1))
            .with_dilation([1, 1])
            .with_groups(1)
            .with_bias(true)
            .init(device);
        let instancenormalization13 = InstanceNormConfig::new(8)
            .with_epsilon(0.000009999999747378752f64)
            .init(device);
        let conv2d14 = Conv2dConfig::new([16, 16], [3, 3])
            .with_stride([1, 1])
            .with_padding(PaddingConfig2d::Explicit(1, 1, 1, 1))
            .with_dilation([1, 1])
            .with_groups(1)
            .with_bias(true)
            .init(device);
        let instancenormalization14 = InstanceNormConfig::new(8)
            .with_epsilon(0.000009999999747378752f64)
            .init(device);
        let conv2d15 = Conv2dConfig::new([16, 2], [1, 1])
            .with_stride([1, 1])
            .with_padding(PaddingConfig2d::Valid)
            .with_dilation([1, 1])
            .with_groups(1)
            .with_bias(true)
            .init(device);
        Self {
            constant7,
            constant8,
            constant13,
            constant14,
            constant19,
            constant20,
            constant25,
            constant26,
            constant31,
            constant32,
            constant37,
            constant38,
            constant43,
            constant44,
            constant49,
            constant50,
            constant51,
            constant52,
            constant57,
            constant58,
            constant63,
            constant64,
            constant71,
            constant72,
            constant77,
            constant78,
            constant83,
            constant84,
            constant89,
            constant90,
            conv2d1,
            instancenormalization1,
            conv2d2,
            instancenormalization2,
            maxpool2d1,
            conv2d3,
            instancenormalization3,
            conv2d4,
            instancenormalization4,
            maxpool2d2,
            conv2d5,
            instancenormalization5,
            conv2d6,
            instancenormalization6,
            maxpool2d3,
            conv2d7,
            instancenormalization7,
            conv2d8,
            instancenormalization8,
            conv2d9,
            instancenormalization9,
            conv2d10,
            instancenormalization10,
            resize1,
            conv2d11,
            instancenormalization11,
            conv2d12,
            instancenormalization12,
            resize2,
            conv2d13,
            instancenormalization13,
            conv2d14,
            instancenormalization14,
            conv2d15,
            device: device.clone(),
        }
    }

    #[allow(clippy::let_and_return, clippy::approx_constant)]
    pub fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let constant7_out1 = self.constant7.val();
        let constant8_out1 = self.constant8.val();
        let constant13_out1 = self.constant13.val();
        let constant14_out1 = self.constant14.val();
        let constant19_out1 = self.constant19.val();
        let constant20_out1 = self.constant20.val();
        let constant25_out1 = self.constant25.val();
        let constant26_out1 = self.constant26.val();
        let constant31_out1 = self.constant31.val();
        let constant32_out1 = self.constant32.val();
        let constant37_out1 = self.constant37.val();
        let constant38_out1 = self.constant38.val();
        let constant43_out1 = self.constant43.val();
        let constant44_out1 = self.constant44.val();
        let constant49_out1 = self.constant49.val();
        let constant50_out1 = self.constant50.val();
        let constant51_out1 = self.constant51.val();
        let constant52_out1 = self.constant52.val();
        let constant57_out1 = self.constant57.val();
        let constant58_out1 = self.constant58.val();
        let constant63_out1 = self.constant63.val();
        let constant64_out1 = self.constant64.val();
        let constant71_out1 = self.constant71.val();
        let constant72_out1 = self.constant72.val();
        let constant77_out1 = self.constant77.val();
        let constant78_out1 = self.constant78.val();
        let constant83_out1 = self.constant83.val();
        let constant84_out1 = self.constant84.val();
        let constant89_out1 = self.constant89.val();
        let constant90_out1 = self.constant90.val();
        let conv2d1_out1 = self.conv2d1.forward(x);
        let reshape1_out1 = conv2d1_out1.reshape([-1, 8, 6144]);
        let instancenormalization1_out1 = self
            .instancenormalization1
            .forward(reshape1_out1);
        let reshape2_out1 = instancenormalization1_out1.reshape([-1, 16, 48, 64]);
        let mul1_out1 = reshape2_out1.mul(constant7_out1);
        let add1_out1 = mul1_out1.add(constant8_out1);
        let relu1_out1 = burn::tensor::activation::relu(add1_out1);
        let conv2d2_out1 = self.conv2d2.forward(relu1_out1);
        let reshape3_out1 = conv2d2_out1.reshape([-1, 8, 6144]);
        let instancenormalization2_out1 = self
            .instancenormalization2
            .forward(reshape3_out1);
        let reshape4_out1 = instancenormalization2_out1.reshape([-1, 16, 48, 64]);
        let mul2_out1 = reshape4_out1.mul(constant13_out1);
        let add2_out1 = mul2_out1.add(constant14_out1);
        let relu2_out1 = burn::tensor::activation::relu(add2_out1);
        let maxpool2d1_out1 = self.maxpool2d1.forward(relu2_out1.clone());
        let conv2d3_out1 = self.conv2d3.forward(maxpool2d1_out1);
        let reshape5_out1 = conv2d3_out1.reshape([-1, 8, 3072]);
        let instancenormalization3_out1 = self
            .instancenormalization3
            .forward(reshape5_out1);
        let reshape6_out1 = instancenormalization3_out1.reshape([-1, 32, 24, 32]);
        let mul3_out1 = reshape6_out1.mul(constant19_out1);
        let add3_out1 = mul3_out1.add(constant20_out1);
        let relu3_out1 = burn::tensor::activation::relu(add3_out1);
        let conv2d4_out1 = self.conv2d4.forward(relu3_out1);
        let reshape7_out1 = conv2d4_out1.reshape([-1, 8, 3072]);
        let instancenormalization4_out1 = self
            .instancenormalization4
            .forward(reshape7_out1);
        let reshape8_out1 = instancenormalization4_out1.reshape([-1, 32, 24, 32]);
        let mul4_out1 = reshape8_out1.mul(constant25_out1);
        let add4_out1 = mul4_out1.add(constant26_out1);
        let relu4_out1 = burn::tensor::activation::relu(add4_out1);
        let maxpool2d2_out1 = self.maxpool2d2.forward(relu4_out1.clone());
        let conv2d5_out1 = self.conv2d5.forward(maxpool2d2_out1);
        let reshape9_out1 = conv2d5_out1.reshape([-1, 8, 1536]);
        let instancenormalization5_out1 = self
            .instancenormalization5
            .forward(reshape9_out1);
        let reshape10_out1 = instancenormalization5_out1.reshape([-1, 64, 12, 16]);
        let mul5_out1 = reshape10_out1.mul(constant31_out1);
        let add5_out1 = mul5_out1.add(constant32_out1);
        let relu5_out1 = burn::tensor::activation::relu(add5_out1);
        let conv2d6_out1 = self.conv2d6.forward(relu5_out1);
        let reshape11_out1 = conv2d6_out1.reshape([-1, 8, 1536]);
        let instancenormalization6_out1 = self
            .instancenormalization6
            .forward(reshape11_out1);
        let reshape12_out1 = instancenormalization6_out1.reshape([-1, 64, 12, 16]);
        let mul6_out1 = reshape12_out1.mul(constant37_out1);
        let add6_out1 = mul6_out1.add(constant38_out1);
        let relu6_out1 = burn::tensor::activation::relu(add6_out1);
        let maxpool2d3_out1 = self.maxpool2d3.forward(relu6_out1.clone());
        let conv2d7_out1 = self.conv2d7.forward(maxpool2d3_out1);
        let reshape13_out1 = conv2d7_out1.reshape([-1, 8, 768]);
        let instancenormalization7_out1 = self
            .instancenormalization7
            .forward(reshape13_out1);
        let reshape14_out1 = instancenormalization7_out1.reshape([-1, 128, 6, 8]);
        let mul7_out1 = reshape14_out1.mul(constant43_out1);
        let add7_out1 = mul7_out1.add(constant44_out1);
        let relu7_out1 = burn::tensor::activation::relu(add7_out1);
        let conv2d8_out1 = self.conv2d8.forward(relu7_out1);
        let reshape15_out1 = conv2d8_out1.reshape([-1, 8, 768]);
        let instancenormalization8_out1 = self
            .instancenormalization8
            .forward(reshape15_out1);
        let reshape16_out1 = instancenormalization8_out1.reshape([-1, 128, 6, 8]);
        let mul8_out1 = reshape16_out1.mul(constant49_out1);
        let add8_out1 = mul8_out1.add(constant50_out1);
        let relu8_out1 = burn::tensor::activation::relu(add8_out1);
        let gather1_out1 = {
            let axis_size = relu8_out1.dims()[2] as i64;
            let negative = constant51_out1.clone().lower_elem(0i64);
            let corrected = constant51_out1.clone() + axis_size;
            let indices = constant51_out1.mask_where(negative, corrected);
            relu8_out1.take::<1, 4>(2, indices)
        };
        let gather2_out1 = {
            let axis_size = gather1_out1.dims()[3] as i64;
            let negative = constant52_out1.clone().lower_elem(0i64);
            let corrected = constant52_out1.clone() + axis_size;
            let indices = constant52_out1.mask_where(negative, corrected);
            gather1_out1.take::<1, 4>(3, indices)
        };
        let concat1_out1 = burn::tensor::Tensor::cat(
            [relu6_out1, gather2_out1].into(),
            1,
        );
        let conv2d9_out1 = self.conv2d9.forward(concat1_out1);
        let reshape17_out1 = conv2d9_out1.reshape([-1, 8, 1536]);
        let instancenormalization9_out1 = self
            .instancenormalization9
            .forward(reshape17_out1);
        let reshape18_out1 = instancenormalization9_out1.reshape([-1, 64, 12, 16]);
        let mul9_out1 = reshape18_out1.mul(constant57_out1);
        let add9_out1 = mul9_out1.add(constant58_out1);
        let relu9_out1 = burn::tensor::activation::relu(add9_out1);
        let conv2d10_out1 = self.conv2d10.forward(relu9_out1);
        let reshape19_out1 = conv2d10_out1.reshape([-1, 8, 1536]);
        let instancenormalization10_out1 = self
            .instancenormalization10
            .forward(reshape19_out1);
        let reshape20_out1 = instancenormalization10_out1.reshape([-1, 64, 12, 16]);
        let mul10_out1 = reshape20_out1.mul(constant63_out1);
        let add10_out1 = mul10_out1.add(constant64_out1);
        let relu10_out1 = burn::tensor::activation::relu(add10_out1);
        let resize1_out1 = self.resize1.forward(relu10_out1);
        let concat2_out1 = burn::tensor::Tensor::cat(
            [relu4_out1, resize1_out1].into(),
            1,
        );
        let conv2d11_out1 = self.conv2d11.forward(concat2_out1);
        let reshape21_out1 = conv2d11_out1.reshape([-1, 8, 3072]);
        let instancenormalization11_out1 = self
            .instancenormalization11
            .forward(reshape21_out1);
        let reshape22_out1 = instancenormalization11_out1.reshape([-1, 32, 24, 32]);
        let mul11_out1 = reshape22_out1.mul(constant71_out1);
        let add11_out1 = mul11_out1.add(constant72_out1);
        let relu11_out1 = burn::tensor::activation::relu(add11_out1);
        let conv2d12_out1 = self.conv2d12.forward(relu11_out1);
        let reshape23_out1 = conv2d12_out1.reshape([-1, 8, 3072]);
        let instancenormalization12_out1 = self
            .instancenormalization12
            .forward(reshape23_out1);
        let reshape24_out1 = instancenormalization12_out1.reshape([-1, 32, 24, 32]);
        let mul12_out1 = reshape24_out1.mul(constant77_out1);
        let add12_out1 = mul12_out1.add(constant78_out1);
        let relu12_out1 = burn::tensor::activation::relu(add12_out1);
        let resize2_out1 = self.resize2.forward(relu12_out1);
        let concat3_out1 = burn::tensor::Tensor::cat(
            [relu2_out1, resize2_out1].into(),
            1,
        );
        let conv2d13_out1 = self.conv2d13.forward(concat3_out1);
        let reshape25_out1 = conv2d13_out1.reshape([-1, 8, 6144]);
        let instancenormalization13_out1 = self
            .instancenormalization13
            .forward(reshape25_out1);
        let reshape26_out1 = instancenormalization13_out1.reshape([-1, 16, 48, 64]);
        let mul13_out1 = reshape26_out1.mul(constant83_out1);
        let add13_out1 = mul13_out1.add(constant84_out1);
        let relu13_out1 = burn::tensor::activation::relu(add13_out1);
        let conv2d14_out1 = self.conv2d14.forward(relu13_out1);
        let reshape27_out1 = conv2d14_out1.reshape([-1, 8, 6144]);
        let instancenormalization14_out1 = self
            .instancenormalization14
            .forward(reshape27_out1);
        let reshape28_out1 = instancenormalization14_out1.reshape([-1, 16, 48, 64]);
        let mul14_out1 = reshape28_out1.mul(constant89_out1);
        let add14_out1 = mul14_out1.add(constant90_out1);
        let relu14_out1 = burn::tensor::activation::relu(add14_out1);
        let conv2d15_out1 = self.conv2d15.forward(relu14_out1);
        conv2d15_out1
    }
}
