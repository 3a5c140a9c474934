extern crate alloc;
use burn::prelude::*;
use burn::nn::LayerNorm;
use burn::nn::LayerNormConfig;
use burn::nn::Linear;
use burn::nn::LinearConfig;
use burn::tensor::Bytes;
use burn::tensor::activation::log_softmax;
use burn_store::BurnpackStore;
use burn_store::ModuleSnapshot;


#[derive(Module, Debug)]
pub struct Model {
    constant2: burn::module::Param<Tensor<2>>,
    constant3: burn::module::Param<Tensor<1>>,
    constant4: burn::module::Param<Tensor<3>>,
    constant18: burn::module::Param<Tensor<1>>,
    linear1: Linear,
    linear2: Linear,
    linear3: Linear,
    linear4: Linear,
    layernormalization1: LayerNorm,
    linear5: Linear,
    linear6: Linear,
    layernormalization2: LayerNorm,
    linear7: Linear,
    linear8: Linear,
    linear9: Linear,
    linear10: Linear,
    layernormalization3: LayerNorm,
    linear11: Linear,
    linear12: Linear,
    layernormalization4: LayerNorm,
    linear13: Linear,
    linear14: Linear,
    linear15: Linear,
    linear16: Linear,
    layernormalization5: LayerNorm,
    linear17: Linear,
    linear18: Linear,
    layernormalization6: LayerNorm,
    linear19: Linear,
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
        let constant2: burn::module::Param<Tensor<2>> = burn::module::Param::uninitialized(
            burn::module::ParamId::new(),
            move |device, _require_grad| Tensor::<
                2,
            >::zeros([24, 64], (device, burn::tensor::DType::F32)),
            device.clone(),
            false,
            [24, 64].into(),
        );
        let constant3: burn::module::Param<Tensor<1>> = burn::module::Param::uninitialized(
            burn::module::ParamId::new(),
            move |device, _require_grad| Tensor::<
                1,
            >::from_data(
                burn::tensor::TensorData::from([8f64]),
                (device, burn::tensor::DType::F32),
            ),
            device.clone(),
            false,
            [1].into(),
        );
        let constant4: burn::module::Param<Tensor<3>> = burn::module::Param::uninitialized(
            burn::module::ParamId::new(),
            move |device, _require_grad| Tensor::<
                3,
            >::zeros([1, 64, 64], (device, burn::tensor::DType::F32)),
            device.clone(),
            false,
            [1, 64, 64].into(),
        );
        let constant18: burn::module::Param<Tensor<1>> = burn::module::Param::uninitialized(
            burn::module::ParamId::new(),
            move |device, _require_grad| Tensor::<
                1,
            >::from_data(
                burn::tensor::TensorData::from([2.8284270763397217f64]),
                (device, burn::tensor::DType::F32),
            ),
            device.clone(),
            false,
            [1].into(),
        );
        let linear1 = LinearConfig::new(64, 64).with_bias(true).init(device);
        let linear2 = LinearConfig::new(64, 64).with_bias(true).init(device);
        let linear3 = LinearConfig::new(64, 64).with_bias(true).init(device);
        let linear4 = LinearConfig::new(64, 64).with_bias(true).init(device);
        let layernormalization1 = LayerNormConfig::new(64)
            .with_epsilon(0.000009999999747378752f64)
            .with_bias(true)
            .init(device);
        let linear5 = LinearConfig::new(64, 256).with_bias(true).init(device);
        let linear6 = LinearConfig::new(256, 64).with_bias(true).init(device);
        let layernormalization2 = LayerNormConfig::new(64)
            .with_epsilon(0.000009999999747378752f64)
            .with_bias(true)
            .init(device);
        let linear7 = LinearConfig::new(64, 64).with_bias(true).init(device);
        let linear8 = LinearConfig::new(64, 64).with_bias(true).init(device);
        let linear9 = LinearConfig::new(64, 64).with_bias(true).init(device);
        let linear10 = LinearConfig::new(64, 64).with_bias(true).init(device);
        let layernormalization3 = LayerNormConfig::new(64)
            .with_epsilon(0.000009999999747378752f64)
            .with_bias(true)
            .init(device);
        let linear11 = LinearConfig::new(64, 256).with_bias(true).init(device);
        let linear12 = LinearConfig::new(256, 64).with_bias(true).init(device);
        let layernormalization4 = LayerNormConfig::new(64)
            .with_epsilon(0.000009999999747378752f64)
            .with_bias(true)
            .init(device);
        let linear13 = LinearConfig::new(64, 64).with_bias(true).init(device);
        let linear14 = LinearConfig::new(64, 64).with_bias(true).init(device);
        let linear15 = LinearConfig::new(64, 64).with_bias(true).init(device);
        let linear16 = LinearConfig::new(64, 64).with_bias(true).init(device);
        let layernormalization5 = LayerNormConfig::new(64)
            .with_epsilon(0.000009999999747378752f64)
            .with_bias(true)
            .init(device);
        let linear17 = LinearConfig::new(64, 256).with_bias(true).init(device);
        let linear18 = LinearConfig::new(256, 64).with_bias(true).init(device);
        let layernormalization6 = LayerNormConfig::new(64)
            .with_epsilon(0.000009999999747378752f64)
            .with_bias(true)
            .init(device);
        let linear19 = LinearConfig::new(64, 24).with_bias(true).init(device);
        Self {
            constant2,
            constant3,
            constant4,
            constant18,
            linear1,
            linear2,
            linear3,
            linear4,
            layernormalization1,
            linear5,
            linear6,
            layernormalization2,
            linear7,
            linear8,
            linear9,
            linear10,
            layernormalization3,
            linear11,
            linear12,
            layernormalization4,
            linear13,
            linear14,
            linear15,
            linear16,
            layernormalization5,
            linear17,
            linear18,
            layernormalization6,
            linear19,
            device: device.clone(),
        }
    }

    #[allow(clippy::let_and_return, clippy::approx_constant)]
    pub fn forward(&self, x: Tensor<2, Int>) -> Tensor<3> {
        let constant1_out1 = 0i64;
        let constant2_out1 = self.constant2.val();
        let constant3_out1 = self.constant3.val();
        let constant4_out1 = self.constant4.val();
        let constant18_out1 = self.constant18.val();
        let constant20_out1 = -10000f32;
        let equal1_out1 = x.clone().equal_elem(constant1_out1);
        let gather1_out1 = {
            let axis_size = constant2_out1.dims()[0] as i64;
            let negative = x.clone().lower_elem(0i64);
            let corrected = x.clone() + axis_size;
            let indices = x.mask_where(negative, corrected);
            constant2_out1.take::<2, 3>(0, indices)
        };
        let mul1_out1 = gather1_out1
            .mul((constant3_out1).unsqueeze_dims(&[0isize, 1isize]));
        let slice1_out1 = constant4_out1.slice(s![0..1, 0..20, 0..64]);
        let add1_out1 = mul1_out1.add(slice1_out1);
        let linear1_out1 = self.linear1.forward(add1_out1.clone());
        let reshape1_out1 = linear1_out1.reshape([-1, 20, 8, 8]);
        let transpose1_out1 = reshape1_out1.permute([0, 2, 1, 3]);
        let linear2_out1 = self.linear2.forward(add1_out1.clone());
        let reshape2_out1 = linear2_out1.reshape([-1, 20, 8, 8]);
        let linear3_out1 = self.linear3.forward(add1_out1.clone());
        let reshape3_out1 = linear3_out1.reshape([-1, 20, 8, 8]);
        let transpose2_out1 = reshape3_out1.permute([0, 2, 1, 3]);
        let transpose3_out1 = reshape2_out1.permute([0, 2, 3, 1]);
        let matmul4_out1 = transpose1_out1.matmul(transpose3_out1);
        let div1_out1 = matmul4_out1
            .div((constant18_out1.clone()).unsqueeze_dims(&[0isize, 1isize, 2isize]));
        let reshape4_out1 = equal1_out1.reshape([-1, 1, 1, 20]);
        let where1_out1 = div1_out1.mask_fill(reshape4_out1.clone(), constant20_out1);
        let softmax1_out1 = burn::tensor::activation::softmax(where1_out1, 3);
        let matmul5_out1 = softmax1_out1.matmul(transpose2_out1);
        let transpose4_out1 = matmul5_out1.permute([0, 2, 1, 3]);
        let reshape5_out1 = transpose4_out1.reshape([-1, 20, 64]);
        let linear4_out1 = self.linear4.forward(reshape5_out1);
        let add2_out1 = add1_out1.add(linear4_out1);
        let layernormalization1_out1 = {
            let dtype = add2_out1.dtype();
            self.layernormalization1
                .forward(add2_out1.cast(burn::tensor::DType::F32))
                .cast(dtype)
        };
        let linear5_out1 = self.linear5.forward(layernormalization1_out1.clone());
        let relu1_out1 = burn::tensor::activation::relu(linear5_out1);
        let linear6_out1 = self.linear6.forward(relu1_out1);
        let add3_out1 = layernormalization1_out1.add(linear6_out1);
        let layernormalization2_out1 = {
            let dtype = add3_out1.dtype();
            self.layernormalization2
                .forward(add3_out1.cast(burn::tensor::DType::F32))
                .cast(dtype)
        };
        let linear7_out1 = self.linear7.forward(layernormalization2_out1.clone());
        let reshape6_out1 = linear7_out1.reshape([-1, 20, 8, 8]);
        let transpose5_out1 = reshape6_out1.permute([0, 2, 1, 3]);
        let linear8_out1 = self.linear8.forward(layernormalization2_out1.clone());
        let reshape7_out1 = linear8_out1.reshape([-1, 20, 8, 8]);
        let linear9_out1 = self.linear9.forward(layernormalization2_out1.clone());
        let reshape8_out1 = linear9_out1.reshape([-1, 20, 8, 8]);
        let transpose6_out1 = reshape8_out1.permute([0, 2, 1, 3]);
        let transpose7_out1 = reshape7_out1.permute([0, 2, 3, 1]);
        let matmul12_out1 = transpose5_out1.matmul(transpose7_out1);
        let div2_out1 = matmul12_out1
            .div((constant18_out1.clone()).unsqueeze_dims(&[0isize, 1isize, 2isize]));
        let where2_out1 = div2_out1.mask_fill(reshape4_out1.clone(), constant20_out1);
        let softmax2_out1 = burn::tensor::activation::softmax(where2_out1, 3);
        let matmul13_out1 = softmax2_out1.matmul(transpose6_out1);
        let transpose8_out1 = matmul13_out1.permute([0, 2, 1, 3]);
        let reshape9_out1 = transpose8_out1.reshape([-1, 20, 64]);
        let linear10_out1 = self.linear10.forward(reshape9_out1);
        let add4_out1 = layernormalization2_out1.add(linear10_out1);
        let layernormalization3_out1 = {
            let dtype = add4_out1.dtype();
            self.layernormalization3
                .forward(add4_out1.cast(burn::tensor::DType::F32))
                .cast(dtype)
        };
        let linear11_out1 = self.linear11.forward(layernormalization3_out1.clone());
        let relu2_out1 = burn::tensor::activation::relu(linear11_out1);
        let linear12_out1 = self.linear12.forward(relu2_out1);
        let add5_out1 = layernormalization3_out1.add(linear12_out1);
        let layernormalization4_out1 = {
            let dtype = add5_out1.dtype();
            self.layernormalization4
                .forward(add5_out1.cast(burn::tensor::DType::F32))
                .cast(dtype)
        };
        let linear13_out1 = self.linear13.forward(layernormalization4_out1.clone());
        let reshape10_out1 = linear13_out1.reshape([-1, 20, 8, 8]);
        let transpose9_out1 = reshape10_out1.permute([0, 2, 1, 3]);
        let linear14_out1 = self.linear14.forward(layernormalization4_out1.clone());
        let reshape11_out1 = linear14_out1.reshape([-1, 20, 8, 8]);
        let linear15_out1 = self.linear15.forward(layernormalization4_out1.clone());
        let reshape12_out1 = linear15_out1.reshape([-1, 20, 8, 8]);
        let transpose10_out1 = reshape12_out1.permute([0, 2, 1, 3]);
        let transpose11_out1 = reshape11_out1.permute([0, 2, 3, 1]);
        let matmul20_out1 = transpose9_out1.matmul(transpose11_out1);
        let div3_out1 = matmul20_out1
            .div((constant18_out1).unsqueeze_dims(&[0isize, 1isize, 2isize]));
        let where3_out1 = div3_out1.mask_fill(reshape4_out1, constant20_out1);
        let softmax3_out1 = burn::tensor::activation::softmax(where3_out1, 3);
        let matmul21_out1 = softmax3_out1.matmul(transpose10_out1);
        let transpose12_out1 = matmul21_out1.permute([0, 2, 1, 3]);
        let reshape13_out1 = transpose12_out1.reshape([-1, 20, 64]);
        let linear16_out1 = self.linear16.forward(reshape13_out1);
        let add6_out1 = layernormalization4_out1.add(linear16_out1);
        let layernormalization5_out1 = {
            let dtype = add6_out1.dtype();
            self.layernormalization5
                .forward(add6_out1.cast(burn::tensor::DType::F32))
                .cast(dtype)
        };
        let linear17_out1 = self.linear17.forward(layernormalization5_out1.clone());
        let relu3_out1 = burn::tensor::activation::relu(linear17_out1);
        let linear18_out1 = self.linear18.forward(relu3_out1);
        let add7_out1 = layernormalization5_out1.add(linear18_out1);
        let layernormalization6_out1 = {
            let dtype = add7_out1.dtype();
            self.layernormalization6
                .forward(add7_out1.cast(burn::tensor::DType::F32))
                .cast(dtype)
        };
        let linear19_out1 = self.linear19.forward(layernormalization6_out1);
        let logsoftmax1_out1 = log_softmax(linear19_out1, 2);
        logsoftmax1_out1
    }
}
