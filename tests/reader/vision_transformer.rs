extern crate alloc;
use burn::prelude::*;
use burn::nn::LayerNorm;
use burn::nn::LayerNormConfig;
use burn::nn::Linear;
use burn::nn::LinearConfig;
use burn::nn::PaddingConfig2d;
use burn::nn::conv::Conv2d;
use burn::nn::conv::Conv2dConfig;
use burn::tensor::Bytes;
use burn_store::BurnpackStore;
use burn_store::ModuleSnapshot;


#[derive(Module, Debug)]
pub struct Model {
    constant7: burn::module::Param<Tensor<3>>,
    constant8: burn::module::Param<Tensor<3>>,
    constant20: burn::module::Param<Tensor<1>>,
    constant28: burn::module::Param<Tensor<1>>,
    constant29: burn::module::Param<Tensor<1>>,
    constant30: burn::module::Param<Tensor<1>>,
    conv2d1: Conv2d,
    layernormalization1: LayerNorm,
    linear1: Linear,
    linear2: Linear,
    linear3: Linear,
    linear4: Linear,
    layernormalization2: LayerNorm,
    linear5: Linear,
    linear6: Linear,
    layernormalization3: LayerNorm,
    linear7: Linear,
    linear8: Linear,
    linear9: Linear,
    linear10: Linear,
    layernormalization4: LayerNorm,
    linear11: Linear,
    linear12: Linear,
    layernormalization5: LayerNorm,
    linear13: Linear,
    linear14: Linear,
    linear15: Linear,
    linear16: Linear,
    layernormalization6: LayerNorm,
    linear17: Linear,
    linear18: Linear,
    layernormalization7: LayerNorm,
    linear19: Linear,
    linear20: Linear,
    linear21: Linear,
    linear22: Linear,
    layernormalization8: LayerNorm,
    linear23: Linear,
    linear24: Linear,
    layernormalization9: LayerNorm,
    linear25: Linear,
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
        let constant7: burn::module::Param<Tensor<3>> = burn::module::Param::uninitialized(
            burn::module::ParamId::new(),
            move |device, _require_grad| Tensor::<
                3,
            >::zeros([1, 1, 64], (device, burn::tensor::DType::F32)),
            device.clone(),
            false,
            [1, 1, 64].into(),
        );
        let constant8: burn::module::Param<Tensor<3>> = burn::module::Param::uninitialized(
            burn::module::ParamId::new(),
            move |device, _require_grad| Tensor::<
                3,
            >::zeros([1, 37, 64], (device, burn::tensor::DType::F32)),
            device.clone(),
            false,
            [1, 37, 64].into(),
        );
        let constant20: burn::module::Param<Tensor<1>> = burn::module::Param::uninitialized(
            burn::module::ParamId::new(),
            move |device, _require_grad| Tensor::<
                1,
            >::from_data(
                burn::tensor::TensorData::from([4f64]),
                (device, burn::tensor::DType::F32),
            ),
            device.clone(),
            false,
            [1].into(),
        );
        let constant28: burn::module::Param<Tensor<1>> = burn::module::Param::uninitialized(
            burn::module::ParamId::new(),
            move |device, _require_grad| Tensor::<
                1,
            >::from_data(
                burn::tensor::TensorData::from([1.4142135381698608f64]),
                (device, burn::tensor::DType::F32),
            ),
            device.clone(),
            false,
            [1].into(),
        );
        let constant29: burn::module::Param<Tensor<1>> = burn::module::Param::uninitialized(
            burn::module::ParamId::new(),
            move |device, _require_grad| Tensor::<
                1,
            >::from_data(
                burn::tensor::TensorData::from([1f64]),
                (device, burn::tensor::DType::F32),
            ),
            device.clone(),
            false,
            [1].into(),
        );
        let constant30: burn::module::Param<Tensor<1>> = burn::module::Param::uninitialized(
            burn::module::ParamId::new(),
            move |device, _require_grad| Tensor::<
                1,
            >::from_data(
                burn::tensor::TensorData::from([0.5f64]),
                (device, burn::tensor::DType::F32),
            ),
            device.clone(),
            false,
            [1].into(),
        );
        let conv2d1 = Conv2dConfig::new([3, 64], [8, 8])
            .with_stride([8, 8])
            .with_padding(PaddingConfig2d::Valid)
            .with_dilation([1, 1])
            .with_groups(1)
            .with_bias(true)
            .init(device);
        let layernormalization1 = LayerNormConfig::new(64)
            .with_epsilon(0.000009999999747378752f64)
            .with_bias(true)
            .init(device);
        let linear1 = LinearConfig::new(64, 64).with_bias(true).init(device);
        let linear2 = LinearConfig::new(64, 64).with_bias(true).init(device);
        let linear3 = LinearConfig::new(64, 64).with_bias(true).init(device);
        let linear4 = LinearConfig::new(64, 64).with_bias(true).init(device);
        let layernormalization2 = LayerNormConfig::new(64)
            .with_epsilon(0.000009999999747378752f64)
            .with_bias(true)
            .init(device);
        let linear5 = LinearConfig::new(64, 256).with_bias(true).init(device);
        let linear6 = LinearConfig::new(256, 64).with_bias(true).init(device);
        let layernormalization3 = LayerNormConfig::new(64)
            .with_epsilon(0.000009999999747378752f64)
            .with_bias(true)
            .init(device);
        let linear7 = LinearConfig::new(64, 64).with_bias(true).init(device);
        let linear8 = LinearConfig::new(64, 64).with_bias(true).init(device);
        let linear9 = LinearConfig::new(64, 64).with_bias(true).init(device);
        let linear10 = LinearConfig::new(64, 64).with_bias(true).init(device);
        let layernormalization4 = LayerNormConfig::new(64)
            .with_epsilon(0.000009999999747378752f64)
            .with_bias(true)
            .init(device);
        let linear11 = LinearConfig::new(64, 256).with_bias(true).init(device);
        let linear12 = LinearConfig::new(256, 64).with_bias(true).init(device);
        let layernormalization5 = LayerNormConfig::new(64)
            .with_epsilon(0.000009999999747378752f64)
            .with_bias(true)
            .init(device);
        let linear13 = LinearConfig::new(64, 64).with_bias(true).init(device);
        let linear14 = LinearConfig::new(64, 64).with_bias(true).init(device);
        let linear15 = LinearConfig::new(64, 64).with_bias(true).init(device);
        let linear16 = LinearConfig::new(64, 64).with_bias(true).init(device);
        let layernormalization6 = LayerNormConfig::new(64)
            .with_epsilon(0.000009999999747378752f64)
            .with_bias(true)
            .init(device);
        let linear17 = LinearConfig::new(64, 256).with_bias(true).init(device);
        let linear18 = LinearConfig::new(256, 64).with_bias(true).init(device);
        let layernormalization7 = LayerNormConfig::new(64)
            .with_epsilon(0.000009999999747378752f64)
            .with_bias(true)
            .init(device);
        let linear19 = LinearConfig::new(64, 64).with_bias(true).init(device);
        let linear20 = LinearConfig::new(64, 64).with_bias(true).init(device);
        let linear21 = LinearConfig::new(64, 64).with_bias(true).init(device);
        let linear22 = LinearConfig::new(64, 64).with_bias(true).init(device);
        let layernormalization8 = LayerNormConfig::new(64)
            .with_epsilon(0.000009999999747378752f64)
            .with_bias(true)
            .init(device);
        let linear23 = LinearConfig::new(64, 256).with_bias(true).init(device);
        let linear24 = LinearConfig::new(256, 64).with_bias(true).init(device);
        let layernormalization9 = LayerNormConfig::new(64)
            .with_epsilon(0.000009999999747378752f64)
            .with_bias(true)
            .init(device);
        let linear25 = LinearConfig::new(64, 100).with_bias(true).init(device);
        Self {
            constant7,
            constant8,
            constant20,
            constant28,
            constant29,
            constant30,
            conv2d1,
            layernormalization1,
            linear1,
            linear2,
            linear3,
            linear4,
            layernormalization2,
            linear5,
            linear6,
            layernormalization3,
            linear7,
            linear8,
            linear9,
            linear10,
            layernormalization4,
            linear11,
            linear12,
            layernormalization5,
            linear13,
            linear14,
            linear15,
            linear16,
            layernormalization6,
            linear17,
            linear18,
            layernormalization7,
            linear19,
            linear20,
            linear21,
            linear22,
            layernormalization8,
            linear23,
            linear24,
            layernormalization9,
            linear25,
            device: device.clone(),
        }
    }

    #[allow(clippy::let_and_return, clippy::approx_constant)]
    pub fn forward(&self, x: Tensor<4>) -> Tensor<2> {
        let constant1_out1: [i64; 1] = [0i64];
        let constant2_out1: [i64; 2] = [1i64, 64i64];
        let constant3_out1: [i64; 2] = [1i64, 64i64];
        let constant7_out1 = self.constant7.val();
        let constant8_out1 = self.constant8.val();
        let constant20_out1 = self.constant20.val();
        let constant28_out1 = self.constant28.val();
        let constant29_out1 = self.constant29.val();
        let constant30_out1 = self.constant30.val();
        let shape1_out1: [i64; 4] = {
            let axes = &x.clone().dims()[0..4];
            let mut output = [0i64; 4];
            for i in 0..4 {
                output[i] = axes[i] as i64;
            }
            output
        };
        let gather1_out1: [i64; 1usize] = constant1_out1
            .iter()
            .map(|&idx| {
                let actual_idx = if idx < 0 {
                    (shape1_out1.len() as i64 + idx) as usize
                } else {
                    idx as usize
                };
                shape1_out1[actual_idx]
            })
            .collect::<alloc::vec::Vec<_>>()
            .try_into()
            .unwrap();
        let concat1_out1: [i64; 3usize] = [&gather1_out1[..], &constant2_out1[..]]
            .concat()
            .try_into()
            .unwrap();
        let concat2_out1: [i64; 3usize] = [&gather1_out1[..], &constant3_out1[..]]
            .concat()
            .try_into()
            .unwrap();
        let conv2d1_out1 = self.conv2d1.forward(x);
        let reshape1_out1 = conv2d1_out1.reshape([-1, 64, 36]);
        let transpose1_out1 = reshape1_out1.permute([0, 2, 1]);
        let expand1_out1 = {
            let onnx_shape: [i64; 3usize] = concat1_out1;
            let input_dims = constant7_out1.dims();
            let mut shape = onnx_shape;
            #[allow(clippy::needless_range_loop)]
            for i in 0..3usize {
                let dim_offset = i;
                if shape[dim_offset] == 1 && input_dims[i] > 1 {
                    shape[dim_offset] = input_dims[i] as i64;
                }
            }
            constant7_out1.expand(shape)
        };
        let concat3_out1 = burn::tensor::Tensor::cat(
            [expand1_out1, transpose1_out1].into(),
            1,
        );
        let add1_out1 = concat3_out1.add(constant8_out1);
        let layernormalization1_out1 = {
            let dtype = add1_out1.clone().dtype();
            self.layernormalization1
                .forward(add1_out1.clone().cast(burn::tensor::DType::F32))
                .cast(dtype)
        };
        let linear1_out1 = self.linear1.forward(layernormalization1_out1.clone());
        let reshape2_out1 = linear1_out1.reshape([-1, 37, 4, 16]);
        let transpose2_out1 = reshape2_out1.permute([0, 2, 1, 3]);
        let linear2_out1 = self.linear2.forward(layernormalization1_out1.clone());
        let reshape3_out1 = linear2_out1.reshape([-1, 37, 4, 16]);
        let linear3_out1 = self.linear3.forward(layernormalization1_out1);
        let reshape4_out1 = linear3_out1.reshape([-1, 37, 4, 16]);
        let transpose3_out1 = reshape4_out1.permute([0, 2, 1, 3]);
        let transpose4_out1 = reshape3_out1.permute([0, 2, 3, 1]);
        let matmul4_out1 = transpose2_out1.matmul(transpose4_out1);
        let div1_out1 = matmul4_out1
            .div((constant20_out1.clone()).unsqueeze_dims(&[0isize, 1isize, 2isize]));
        let softmax1_out1 = burn::tensor::activation::softmax(div1_out1, 3);
        let matmul5_out1 = softmax1_out1.matmul(transpose3_out1);
        let transpose5_out1 = matmul5_out1.permute([0, 2, 1, 3]);
        let reshape5_out1 = transpose5_out1.reshape([-1, 37, 64]);
        let linear4_out1 = self.linear4.forward(reshape5_out1);
        let add2_out1 = add1_out1.add(linear4_out1);
        let layernormalization2_out1 = {
            let dtype = add2_out1.clone().dtype();
            self.layernormalization2
                .forward(add2_out1.clone().cast(burn::tensor::DType::F32))
                .cast(dtype)
        };
        let linear5_out1 = self.linear5.forward(layernormalization2_out1);
        let div2_out1 = linear5_out1
            .clone()
            .div((constant28_out1.clone()).unsqueeze_dims(&[0isize, 1isize]));
        let erf1_out1 = div2_out1.erf();
        let add3_out1 = erf1_out1
            .add((constant29_out1.clone()).unsqueeze_dims(&[0isize, 1isize]));
        let mul1_out1 = add3_out1
            .mul((constant30_out1.clone()).unsqueeze_dims(&[0isize, 1isize]));
        let mul2_out1 = linear5_out1.mul(mul1_out1);
        let linear6_out1 = self.linear6.forward(mul2_out1);
        let add4_out1 = add2_out1.add(linear6_out1);
        let layernormalization3_out1 = {
            let dtype = add4_out1.clone().dtype();
            self.layernormalization3
                .forward(add4_out1.clone().cast(burn::tensor::DType::F32))
                .cast(dtype)
        };
        let linear7_out1 = self.linear7.forward(layernormalization3_out1.clone());
        let reshape6_out1 = linear7_out1.reshape([-1, 37, 4, 16]);
        let transpose6_out1 = reshape6_out1.permute([0, 2, 1, 3]);
        let linear8_out1 = self.linear8.forward(layernormalization3_out1.clone());
        let reshape7_out1 = linear8_out1.reshape([-1, 37, 4, 16]);
        let linear9_out1 = self.linear9.forward(layernormalization3_out1);
        let reshape8_out1 = linear9_out1.reshape([-1, 37, 4, 16]);
        let transpose7_out1 = reshape8_out1.permute([0, 2, 1, 3]);
        let transpose8_out1 = reshape7_out1.permute([0, 2, 3, 1]);
        let matmul12_out1 = transpose6_out1.matmul(transpose8_out1);
        let div3_out1 = matmul12_out1
            .div((constant20_out1.clone()).unsqueeze_dims(&[0isize, 1isize, 2isize]));
        let softmax2_out1 = burn::tensor::activation::softmax(div3_out1, 3);
        let matmul13_out1 = softmax2_out1.matmul(transpose7_out1);
        let transpose9_out1 = matmul13_out1.permute([0, 2, 1, 3]);
        let reshape9_out1 = transpose9_out1.reshape([-1, 37, 64]);
        let linear10_out1 = self.linear10.forward(reshape9_out1);
        let add5_out1 = add4_out1.add(linear10_out1);
        let layernormalization4_out1 = {
            let dtype = add5_out1.clone().dtype();
            self.layernormalization4
                .forward(add5_out1.clone().cast(burn::tensor::DType::F32))
                .cast(dtype)
        };
        let linear11_out1 = self.linear11.forward(layernormalization4_out1);
        let div4_out1 = linear11_out1
            .clone()
            .div((constant28_out1.clone()).unsqueeze_dims(&[0isize, 1isize]));
        let erf2_out1 = div4_out1.erf();
        let add6_out1 = erf2_out1
            .add((constant29_out1.clone()).unsqueeze_dims(&[0isize, 1isize]));
        let mul3_out1 = add6_out1
            .mul((constant30_out1.clone()).unsqueeze_dims(&[0isize, 1isize]));
        let mul4_out1 = linear11_out1.mul(mul3_out1);
        let linear12_out1 = self.linear12.forward(mul4_out1);
        let add7_out1 = add5_out1.add(linear12_out1);
        let layernormalization5_out1 = {
            let dtype = add7_out1.clone().dtype();
            self.layernormalization5
                .forward(add7_out1.clone().cast(burn::tensor::DType::F32))
                .cast(dtype)
        };
        let linear13_out1 = self.linear13.forward(layernormalization5_out1.clone());
        let reshape10_out1 = linear13_out1.reshape([-1, 37, 4, 16]);
        let transpose10_out1 = reshape10_out1.permute([0, 2, 1, 3]);
        let linear14_out1 = self.linear14.forward(layernormalization5_out1.clone());
        let reshape11_out1 = linear14_out1.reshape([-1, 37, 4, 16]);
        let linear15_out1 = self.linear15.forward(layernormalization5_out1);
        let reshape12_out1 = linear15_out1.reshape([-1, 37, 4, 16]);
        let transpose11_out1 = reshape12_out1.permute([0, 2, 1, 3]);
        let transpose12_out1 = reshape11_out1.permute([0, 2, 3, 1]);
        let matmul20_out1 = transpose10_out1.matmul(transpose12_out1);
        let div5_out1 = matmul20_out1
            .div((constant20_out1.clone()).unsqueeze_dims(&[0isize, 1isize, 2isize]));
        let softmax3_out1 = burn::tensor::activation::softmax(div5_out1, 3);
        let matmul21_out1 = softmax3_out1.matmul(transpose11_out1);
        let transpose13_out1 = matmul21_out1.permute([0, 2, 1, 3]);
        let reshape13_out1 = transpose13_out1.reshape([-1, 37, 64]);
        let linear16_out1 = self.linear16.forward(reshape13_out1);
        let add8_out1 = add7_out1.add(linear16_out1);
        let layernormalization6_out1 = {
            let dtype = add8_out1.clone().dtype();
            self.layernormalization6
                .forward(add8_out1.clone().cast(burn::tensor::DType::F32))
                .cast(dtype)
        };
        let linear17_out1 = self.linear17.forward(layernormalization6_out1);
        let div6_out1 = linear17_out1
            .clone()
            .div((constant28_out1.clone()).unsqueeze_dims(&[0isize, 1isize]));
        let erf3_out1 = div6_out1.erf();
        let add9_out1 = erf3_out1
            .add((constant29_out1.clone()).unsqueeze_dims(&[0isize, 1isize]));
        let mul5_out1 = add9_out1
            .mul((constant30_out1.clone()).unsqueeze_dims(&[0isize, 1isize]));
        let mul6_out1 = linear17_out1.mul(mul5_out1);
        let linear18_out1 = self.linear18.forward(mul6_out1);
        let add10_out1 = add8_out1.add(linear18_out1);
        let layernormalization7_out1 = {
            let dtype = add10_out1.clone().dtype();
            self.layernormalization7
                .forward(add10_out1.clone().cast(burn::tensor::DType::F32))
                .cast(dtype)
        };
        let linear19_out1 = self.linear19.forward(layernormalization7_out1.clone());
        let reshape14_out1 = linear19_out1.reshape([-1, 37, 4, 16]);
        let transpose14_out1 = reshape14_out1.permute([0, 2, 1, 3]);
        let linear20_out1 = self.linear20.forward(layernormalization7_out1.clone());
        let reshape15_out1 = linear20_out1.reshape([-1, 37, 4, 16]);
        let linear21_out1 = self.linear21.forward(layernormalization7_out1);
        let reshape16_out1 = linear21_out1.reshape([-1, 37, 4, 16]);
        let transpose15_out1 = reshape16_out1.permute([0, 2, 1, 3]);
        let transpose16_out1 = reshape15_out1.permute([0, 2, 3, 1]);
        let matmul28_out1 = transpose14_out1.matmul(transpose16_out1);
        let div7_out1 = matmul28_out1
            .div((constant20_out1).unsqueeze_dims(&[0isize, 1isize, 2isize]));
        let softmax4_out1 = burn::tensor::activation::softmax(div7_out1, 3);
        let matmul29_out1 = softmax4_out1.matmul(transpose15_out1);
        let transpose17_out1 = matmul29_out1.permute([0, 2, 1, 3]);
        let reshape17_out1 = transpose17_out1.reshape([-1, 37, 64]);
        let linear22_out1 = self.linear22.forward(reshape17_out1);
        let add11_out1 = add10_out1.add(linear22_out1);
        let layernormalization8_out1 = {
            let dtype = add11_out1.clone().dtype();
            self.layernormalization8
                .forward(add11_out1.clone().cast(burn::tensor::DType::F32))
                .cast(dtype)
        };
        let linear23_out1 = self.linear23.forward(layernormalization8_out1);
        let div8_out1 = linear23_out1
            .clone()
            .div((constant28_out1).unsqueeze_dims(&[0isize, 1isize]));
        let erf4_out1 = div8_out1.erf();
        let add12_out1 = erf4_out1
            .add((constant29_out1).unsqueeze_dims(&[0isize, 1isize]));
        let mul7_out1 = add12_out1
            .mul((constant30_out1).unsqueeze_dims(&[0isize, 1isize]));
        let mul8_out1 = linear23_out1.mul(mul7_out1);
        let linear24_out1 = self.linear24.forward(mul8_out1);
        let add13_out1 = add11_out1.add(linear24_out1);
        let layernormalization9_out1 = {
            let dtype = add13_out1.dtype();
            self.layernormalization9
                .forward(add13_out1.cast(burn::tensor::DType::F32))
                .cast(dtype)
        };
        let slice1_out1 = layernormalization9_out1
            .slice(s![0..concat2_out1[0], 0..concat2_out1[1], 0..concat2_out1[2]]);
        let reshape18_out1 = slice1_out1.reshape([-1, 64]);
        let linear25_out1 = self.linear25.forward(reshape18_out1);
        linear25_out1
    }
}
