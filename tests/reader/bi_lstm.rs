extern crate alloc;
use burn::prelude::*;
use burn::nn::Linear;
use burn::nn::LinearConfig;
use burn::tensor::Bytes;
use burn_store::BurnpackStore;
use burn_store::ModuleSnapshot;


#[derive(Module, Debug)]
pub struct Submodule1 {
    linear1: Linear,
    constant8: burn::module::Param<Tensor<2>>,
    linear2: Linear,
    linear3: Linear,
    linear4: Linear,
    linear5: Linear,
    linear6: Linear,
    linear7: Linear,
    linear8: Linear,
    constant24: burn::module::Param<Tensor<3>>,
    linear9: Linear,
    linear10: Linear,
    linear11: Linear,
    linear12: Linear,
    linear13: Linear,
    linear14: Linear,
    linear15: Linear,
    linear16: Linear,
    linear17: Linear,
    linear18: Linear,
    linear19: Linear,
    linear20: Linear,
    linear21: Linear,
    linear22: Linear,
    linear23: Linear,
    linear24: Linear,
    linear25: Linear,
    linear26: Linear,
    linear27: Linear,
    linear28: Linear,
    linear29: Linear,
    linear30: Linear,
    linear31: Linear,
    linear32: Linear,
    #[module(skip)]
    device: Device,
}
impl Submodule1 {
    #[allow(unused_variables)]
    pub fn new(device: &Device) -> Self {
        let linear1 = LinearConfig::new(26, 93).with_bias(true).init(device);
        let constant8: burn::module::Param<Tensor<2>> = burn::module::Param::uninitialized(
            burn::module::ParamId::new(),
            move |device, _require_grad| Tensor::<
                2,
            >::zeros([2, 93], (device, burn::tensor::DType::F32)),
            device.clone(),
            false,
            [2, 93].into(),
        );
        let linear2 = LinearConfig::new(93, 93).with_bias(true).init(device);
        let linear3 = LinearConfig::new(26, 93).with_bias(true).init(device);
        let linear4 = LinearConfig::new(93, 93).with_bias(true).init(device);
        let linear5 = LinearConfig::new(26, 93).with_bias(true).init(device);
        let linear6 = LinearConfig::new(93, 93).with_bias(true).init(device);
        let linear7 = LinearConfig::new(26, 93).with_bias(true).init(device);
        let linear8 = LinearConfig::new(93, 93).with_bias(true).init(device);
        let constant24: burn::module::Param<Tensor<3>> = burn::module::Param::uninitialized(
            burn::module::ParamId::new(),
            move |device, _require_grad| Tensor::<
                3,
            >::zeros([2, 4, 93], (device, burn::tensor::DType::F32)),
            device.clone(),
            false,
            [2, 4, 93].into(),
        );
        let linear9 = LinearConfig::new(26, 93).with_bias(true).init(device);
        let linear10 = LinearConfig::new(93, 93).with_bias(true).init(device);
        let linear11 = LinearConfig::new(26, 93).with_bias(true).init(device);
        let linear12 = LinearConfig::new(93, 93).with_bias(true).init(device);
        let linear13 = LinearConfig::new(26, 93).with_bias(true).init(device);
        let linear14 = LinearConfig::new(93, 93).with_bias(true).init(device);
        let linear15 = LinearConfig::new(26, 93).with_bias(true).init(device);
        let linear16 = LinearConfig::new(93, 93).with_bias(true).init(device);
        let linear17 = LinearConfig::new(26, 93).with_bias(true).init(device);
        let linear18 = LinearConfig::new(93, 93).with_bias(true).init(device);
        let linear19 = LinearConfig::new(26, 93).with_bias(true).init(device);
        let linear20 = LinearConfig::new(93, 93).with_bias(true).init(device);
        let linear21 = LinearConfig::new(26, 93).with_bias(true).init(device);
        let linear22 = LinearConfig::new(93, 93).with_bias(true).init(device);
        let linear23 = LinearConfig::new(26, 93).with_bias(true).init(device);
        let linear24 = LinearConfig::new(93, 93).with_bias(true).init(device);
        let linear25 = LinearConfig::new(26, 93).with_bias(true).init(device);
        let linear26 = LinearConfig::new(93, 93).with_bias(true).init(device);
        let linear27 = LinearConfig::new(26, 93).with_bias(true).init(device);
        let linear28 = LinearConfig::new(93, 93).with_bias(true).init(device);
        let linear29 = LinearConfig::new(26, 93).with_bias(true).init(device);
        let linear30 = LinearConfig::new(93, 93).with_bias(true).init(device);
        let linear31 = LinearConfig::new(26, 93).with_bias(true).init(device);
        let linear32 = LinearConfig::new(93, 93).with_bias(true).init(device);
        Self {
            linear1,
            constant8,
            linear2,
            linear3,
            linear4,
            linear5,
            linear6,
            linear7,
            linear8,
            constant24,
            linear9,
            linear10,
            linear11,
            linear12,
            linear13,
            linear14,
            linear15,
            linear16,
            linear17,
            linear18,
            linear19,
            linear20,
            linear21,
            linear22,
            linear23,
            linear24,
            linear25,
            linear26,
            linear27,
            linear28,
            linear29,
            linear30,
            linear31,
            linear32,
            device: device.clone(),
        }
    }
    #[allow(clippy::let_and_return, clippy::approx_constant)]
    pub fn forward(
        &self,
        x: Tensor<3>,
    ) -> (Tensor<2>, Tensor<2>, Tensor<3>, Tensor<2>, Tensor<2>, Tensor<2>, Tensor<3>) {
        let slice1_out1 = x.clone().slice(s![0..2, 0..1, 0..26]);
        let reshape1_out1 = slice1_out1.reshape([2, 26]);
        let linear1_out1 = self.linear1.forward(reshape1_out1.clone());
        let constant8_out1 = self.constant8.val();
        let linear2_out1 = self.linear2.forward(constant8_out1.clone());
        let add1_out1 = linear1_out1.add(linear2_out1);
        let sigmoid1_out1 = burn::tensor::activation::sigmoid(add1_out1);
        let linear3_out1 = self.linear3.forward(reshape1_out1.clone());
        let linear4_out1 = self.linear4.forward(constant8_out1.clone());
        let add2_out1 = linear3_out1.add(linear4_out1);
        let sigmoid2_out1 = burn::tensor::activation::sigmoid(add2_out1);
        let linear5_out1 = self.linear5.forward(reshape1_out1.clone());
        let linear6_out1 = self.linear6.forward(constant8_out1.clone());
        let add3_out1 = linear5_out1.add(linear6_out1);
        let sigmoid3_out1 = burn::tensor::activation::sigmoid(add3_out1);
        let linear7_out1 = self.linear7.forward(reshape1_out1.clone());
        let linear8_out1 = self.linear8.forward(constant8_out1.clone());
        let add4_out1 = linear7_out1.add(linear8_out1);
        let tanh1_out1 = add4_out1.tanh();
        let mul1_out1 = sigmoid2_out1.mul(constant8_out1.clone());
        let mul2_out1 = sigmoid1_out1.mul(tanh1_out1);
        let add5_out1 = mul1_out1.add(mul2_out1);
        let tanh2_out1 = add5_out1.clone().tanh();
        let mul3_out1 = sigmoid3_out1.mul(tanh2_out1);
        let reshape2_out1 = mul3_out1.clone().reshape([2, 1, 93]);
        let constant24_out1 = self.constant24.val();
        let slice2_out1 = constant24_out1.clone().slice(s![.., 1..4, ..]);
        let concat1_out1 = burn::tensor::Tensor::cat(
            [reshape2_out1, slice2_out1].into(),
            1,
        );
        let slice3_out1 = x.clone().slice(s![0..2, 1..2, 0..26]);
        let reshape3_out1 = slice3_out1.reshape([2, 26]);
        let linear9_out1 = self.linear9.forward(reshape3_out1.clone());
        let linear10_out1 = self.linear10.forward(mul3_out1.clone());
        let add6_out1 = linear9_out1.add(linear10_out1);
        let sigmoid4_out1 = burn::tensor::activation::sigmoid(add6_out1);
        let linear11_out1 = self.linear11.forward(reshape3_out1.clone());
        let linear12_out1 = self.linear12.forward(mul3_out1.clone());
        let add7_out1 = linear11_out1.add(linear12_out1);
        let sigmoid5_out1 = burn::tensor::activation::sigmoid(add7_out1);
        let linear13_out1 = self.linear13.forward(reshape3_out1.clone());
        let linear14_out1 = self.linear14.forward(mul3_out1.clone());
        let add8_out1 = linear13_out1.add(linear14_out1);
        let sigmoid6_out1 = burn::tensor::activation::sigmoid(add8_out1);
        let linear15_out1 = self.linear15.forward(reshape3_out1.clone());
        let linear16_out1 = self.linear16.forward(mul3_out1);
        let add9_out1 = linear15_out1.add(linear16_out1);
        let tanh3_out1 = add9_out1.tanh();
        let mul4_out1 = sigmoid5_out1.mul(add5_out1);
        let mul5_out1 = sigmoid4_out1.mul(tanh3_out1);
        let add10_out1 = mul4_out1.add(mul5_out1);
        let tanh4_out1 = add10_out1.clone().tanh();
        let mul6_out1 = sigmoid6_out1.mul(tanh4_out1);
        let reshape4_out1 = mul6_out1.clone().reshape([2, 1, 93]);
        let slice4_out1 = concat1_out1.clone().slice(s![.., 0..1, ..]);
        let slice5_out1 = concat1_out1.slice(s![.., 2..4, ..]);
        let concat2_out1 = burn::tensor::Tensor::cat(
            [slice4_out1, reshape4_out1, slice5_out1].into(),
            1,
        );
        let slice6_out1 = x.clone().slice(s![0..2, 2..3, 0..26]);
        let reshape5_out1 = slice6_out1.reshape([2, 26]);
        let linear17_out1 = self.linear17.forward(reshape5_out1.clone());
        let linear18_out1 = self.linear18.forward(mul6_out1.clone());
        let add11_out1 = linear17_out1.add(linear18_out1);
        let sigmoid7_out1 = burn::tensor::activation::sigmoid(add11_out1);
        let linear19_out1 = self.linear19.forward(reshape5_out1.clone());
        let linear20_out1 = self.linear20.forward(mul6_out1.clone());
        let add12_out1 = linear19_out1.add(linear20_out1);
        let sigmoid8_out1 = burn::tensor::activation::sigmoid(add12_out1);
        let linear21_out1 = self.linear21.forward(reshape5_out1.clone());
        let linear22_out1 = self.linear22.forward(mul6_out1.clone());
        let add13_out1 = linear21_out1.add(linear22_out1);
        let sigmoid9_out1 = burn::tensor::activation::sigmoid(add13_out1);
        let linear23_out1 = self.linear23.forward(reshape5_out1.clone());
        let linear24_out1 = self.linear24.forward(mul6_out1);
        let add14_out1 = linear23_out1.add(linear24_out1);
        let tanh5_out1 = add14_out1.tanh();
        let mul7_out1 = sigmoid8_out1.mul(add10_out1);
        let mul8_out1 = sigmoid7_out1.mul(tanh5_out1);
        let add15_out1 = mul7_out1.add(mul8_out1);
        let tanh6_out1 = add15_out1.clone().tanh();
        let mul9_out1 = sigmoid9_out1.mul(tanh6_out1);
        let reshape6_out1 = mul9_out1.clone().reshape([2, 1, 93]);
        let slice7_out1 = concat2_out1.clone().slice(s![.., 0..2, ..]);
        let slice8_out1 = concat2_out1.slice(s![.., 3..4, ..]);
        let concat3_out1 = burn::tensor::Tensor::cat(
            [slice7_out1, reshape6_out1, slice8_out1].into(),
            1,
        );
        let slice9_out1 = x.slice(s![0..2, 3..4, 0..26]);
        let reshape7_out1 = slice9_out1.reshape([2, 26]);
        let linear25_out1 = self.linear25.forward(reshape7_out1.clone());
        let linear26_out1 = self.linear26.forward(mul9_out1.clone());
        let add16_out1 = linear25_out1.add(linear26_out1);
        let sigmoid10_out1 = burn::tensor::activation::sigmoid(add16_out1);
        let linear27_out1 = self.linear27.forward(reshape7_out1.clone());
        let linear28_out1 = self.linear28.forward(mul9_out1.clone());
        let add17_out1 = linear27_out1.add(linear28_out1);
        let sigmoid11_out1 = burn::tensor::activation::sigmoid(add17_out1);
        let linear29_out1 = self.linear29.forward(reshape7_out1.clone());
        let linear30_out1 = self.linear30.forward(mul9_out1.clone());
        let add18_out1 = linear29_out1.add(linear30_out1);
        let sigmoid12_out1 = burn::tensor::activation::sigmoid(add18_out1);
        let linear31_out1 = self.linear31.forward(reshape7_out1.clone());
        let linear32_out1 = self.linear32.forward(mul9_out1);
        let add19_out1 = linear31_out1.add(linear32_out1);
        let tanh7_out1 = add19_out1.tanh();
        let mul10_out1 = sigmoid11_out1.mul(add15_out1);
        let mul11_out1 = sigmoid10_out1.mul(tanh7_out1);
        let add20_out1 = mul10_out1.add(mul11_out1);
        let tanh8_out1 = add20_out1.tanh();
        let mul12_out1 = sigmoid12_out1.mul(tanh8_out1);
        let reshape8_out1 = mul12_out1.reshape([2, 1, 93]);
        let slice10_out1 = concat3_out1.slice(s![.., 0..3, ..]);
        let concat4_out1 = burn::tensor::Tensor::cat(
            [slice10_out1, reshape8_out1].into(),
            1,
        );
        (
            reshape7_out1,
            constant8_out1,
            constant24_out1,
            reshape5_out1,
            reshape3_out1,
            reshape1_out1,
            concat4_out1,
        )
    }
}
#[derive(Module, Debug)]
pub struct Submodule2 {
    linear33: Linear,
    linear34: Linear,
    linear35: Linear,
    linear36: Linear,
    linear37: Linear,
    linear38: Linear,
    linear39: Linear,
    linear40: Linear,
    linear41: Linear,
    linear42: Linear,
    linear43: Linear,
    linear44: Linear,
    linear45: Linear,
    linear46: Linear,
    linear47: Linear,
    linear48: Linear,
    linear49: Linear,
    linear50: Linear,
    linear51: Linear,
    linear52: Linear,
    linear53: Linear,
    linear54: Linear,
    linear55: Linear,
    linear56: Linear,
    linear57: Linear,
    linear58: Linear,
    linear59: Linear,
    linear60: Linear,
    linear61: Linear,
    linear62: Linear,
    linear63: Linear,
    linear64: Linear,
    linear65: Linear,
    #[module(skip)]
    device: Device,
}
impl Submodule2 {
    #[allow(unused_variables)]
    pub fn new(device: &Device) -> Self {
        let linear33 = LinearConfig::new(26, 93).with_bias(true).init(device);
        let linear34 = LinearConfig::new(93, 93).with_bias(true).init(device);
        let linear35 = LinearConfig::new(26, 93).with_bias(true).init(device);
        let linear36 = LinearConfig::new(93, 93).with_bias(true).init(device);
        let linear37 = LinearConfig::new(26, 93).with_bias(true).init(device);
        let linear38 = LinearConfig::new(93, 93).with_bias(true).init(device);
        let linear39 = LinearConfig::new(26, 93).with_bias(true).init(device);
        let linear40 = LinearConfig::new(93, 93).with_bias(true).init(device);
        let linear41 = LinearConfig::new(26, 93).with_bias(true).init(device);
        let linear42 = LinearConfig::new(93, 93).with_bias(true).init(device);
        let linear43 = LinearConfig::new(26, 93).with_bias(true).init(device);
        let linear44 = LinearConfig::new(93, 93).with_bias(true).init(device);
        let linear45 = LinearConfig::new(26, 93).with_bias(true).init(device);
        let linear46 = LinearConfig::new(93, 93).with_bias(true).init(device);
        let linear47 = LinearConfig::new(26, 93).with_bias(true).init(device);
        let linear48 = LinearConfig::new(93, 93).with_bias(true).init(device);
        let linear49 = LinearConfig::new(26, 93).with_bias(true).init(device);
        let linear50 = LinearConfig::new(93, 93).with_bias(true).init(device);
        let linear51 = LinearConfig::new(26, 93).with_bias(true).init(device);
        let linear52 = LinearConfig::new(93, 93).with_bias(true).init(device);
        let linear53 = LinearConfig::new(26, 93).with_bias(true).init(device);
        let linear54 = LinearConfig::new(93, 93).with_bias(true).init(device);
        let linear55 = LinearConfig::new(26, 93).with_bias(true).init(device);
        let linear56 = LinearConfig::new(93, 93).with_bias(true).init(device);
        let linear57 = LinearConfig::new(26, 93).with_bias(true).init(device);
        let linear58 = LinearConfig::new(93, 93).with_bias(true).init(device);
        let linear59 = LinearConfig::new(26, 93).with_bias(true).init(device);
        let linear60 = LinearConfig::new(93, 93).with_bias(true).init(device);
        let linear61 = LinearConfig::new(26, 93).with_bias(true).init(device);
        let linear62 = LinearConfig::new(93, 93).with_bias(true).init(device);
        let linear63 = LinearConfig::new(26, 93).with_bias(true).init(device);
        let linear64 = LinearConfig::new(93, 93).with_bias(true).init(device);
        let linear65 = LinearConfig::new(186, 61).with_bias(true).init(device);
        Self {
            linear33,
            linear34,
            linear35,
            linear36,
            linear37,
            linear38,
            linear39,
            linear40,
            linear41,
            linear42,
            linear43,
            linear44,
            linear45,
            linear46,
            linear47,
            linear48,
            linear49,
            linear50,
            linear51,
            linear52,
            linear53,
            linear54,
            linear55,
            linear56,
            linear57,
            linear58,
            linear59,
            linear60,
            linear61,
            linear62,
            linear63,
            linear64,
            linear65,
            device: device.clone(),
        }
    }
    #[allow(clippy::let_and_return, clippy::approx_constant)]
    pub fn forward(
        &self,
        reshape7_out1: Tensor<2>,
        constant8_out1: Tensor<2>,
        constant24_out1: Tensor<3>,
        reshape5_out1: Tensor<2>,
        reshape3_out1: Tensor<2>,
        reshape1_out1: Tensor<2>,
        concat4_out1: Tensor<3>,
    ) -> Tensor<3> {
        let linear33_out1 = self.linear33.forward(reshape7_out1.clone());
        let linear34_out1 = self.linear34.forward(constant8_out1.clone());
        let add21_out1 = linear33_out1.add(linear34_out1);
        let sigmoid13_out1 = burn::tensor::activation::sigmoid(add21_out1);
        let linear35_out1 = self.linear35.forward(reshape7_out1.clone());
        let linear36_out1 = self.linear36.forward(constant8_out1.clone());
        let add22_out1 = linear35_out1.add(linear36_out1);
        let sigmoid14_out1 = burn::tensor::activation::sigmoid(add22_out1);
        let linear37_out1 = self.linear37.forward(reshape7_out1.clone());
        let linear38_out1 = self.linear38.forward(constant8_out1.clone());
        let add23_out1 = linear37_out1.add(linear38_out1);
        let sigmoid15_out1 = burn::tensor::activation::sigmoid(add23_out1);
        let linear39_out1 = self.linear39.forward(reshape7_out1);
        let linear40_out1 = self.linear40.forward(constant8_out1.clone());
        let add24_out1 = linear39_out1.add(linear40_out1);
        let tanh9_out1 = add24_out1.tanh();
        let mul13_out1 = sigmoid14_out1.mul(constant8_out1);
        let mul14_out1 = sigmoid13_out1.mul(tanh9_out1);
        let add25_out1 = mul13_out1.add(mul14_out1);
        let tanh10_out1 = add25_out1.clone().tanh();
        let mul15_out1 = sigmoid15_out1.mul(tanh10_out1);
        let reshape9_out1 = mul15_out1.clone().reshape([2, 1, 93]);
        let slice11_out1 = constant24_out1.slice(s![.., 0..3, ..]);
        let concat5_out1 = burn::tensor::Tensor::cat(
            [slice11_out1, reshape9_out1].into(),
            1,
        );
        let linear41_out1 = self.linear41.forward(reshape5_out1.clone());
        let linear42_out1 = self.linear42.forward(mul15_out1.clone());
        let add26_out1 = linear41_out1.add(linear42_out1);
        let sigmoid16_out1 = burn::tensor::activation::sigmoid(add26_out1);
        let linear43_out1 = self.linear43.forward(reshape5_out1.clone());
        let linear44_out1 = self.linear44.forward(mul15_out1.clone());
        let add27_out1 = linear43_out1.add(linear44_out1);
        let sigmoid17_out1 = burn::tensor::activation::sigmoid(add27_out1);
        let linear45_out1 = self.linear45.forward(reshape5_out1.clone());
        let linear46_out1 = self.linear46.forward(mul15_out1.clone());
        let add28_out1 = linear45_out1.add(linear46_out1);
        let sigmoid18_out1 = burn::tensor::activation::sigmoid(add28_out1);
        let linear47_out1 = self.linear47.forward(reshape5_out1);
        let linear48_out1 = self.linear48.forward(mul15_out1);
        let add29_out1 = linear47_out1.add(linear48_out1);
        let tanh11_out1 = add29_out1.tanh();
        let mul16_out1 = sigmoid17_out1.mul(add25_out1);
        let mul17_out1 = sigmoid16_out1.mul(tanh11_out1);
        let add30_out1 = mul16_out1.add(mul17_out1);
        let tanh12_out1 = add30_out1.clone().tanh();
        let mul18_out1 = sigmoid18_out1.mul(tanh12_out1);
        let reshape10_out1 = mul18_out1.clone().reshape([2, 1, 93]);
        let slice12_out1 = concat5_out1.clone().slice(s![.., 0..2, ..]);
        let slice13_out1 = concat5_out1.slice(s![.., 3..4, ..]);
        let concat6_out1 = burn::tensor::Tensor::cat(
            [slice12_out1, reshape10_out1, slice13_out1].into(),
            1,
        );
        let linear49_out1 = self.linear49.forward(reshape3_out1.clone());
        let linear50_out1 = self.linear50.forward(mul18_out1.clone());
        let add31_out1 = linear49_out1.add(linear50_out1);
        let sigmoid19_out1 = burn::tensor::activation::sigmoid(add31_out1);
        let linear51_out1 = self.linear51.forward(reshape3_out1.clone());
        let linear52_out1 = self.linear52.forward(mul18_out1.clone());
        let add32_out1 = linear51_out1.add(linear52_out1);
        let sigmoid20_out1 = burn::tensor::activation::sigmoid(add32_out1);
        let linear53_out1 = self.linear53.forward(reshape3_out1.clone());
        let linear54_out1 = self.linear54.forward(mul18_out1.clone());
        let add33_out1 = linear53_out1.add(linear54_out1);
        let sigmoid21_out1 = burn::tensor::activation::sigmoid(add33_out1);
        let linear55_out1 = self.linear55.forward(reshape3_out1);
        let linear56_out1 = self.linear56.forward(mul18_out1);
        let add34_out1 = linear55_out1.add(linear56_out1);
        let tanh13_out1 = add34_out1.tanh();
        let mul19_out1 = sigmoid20_out1.mul(add30_out1);
        let mul20_out1 = sigmoid19_out1.mul(tanh13_out1);
        let add35_out1 = mul19_out1.add(mul20_out1);
        let tanh14_out1 = add35_out1.clone().tanh();
        let mul21_out1 = sigmoid21_out1.mul(tanh14_out1);
        let reshape11_out1 = mul21_out1.clone().reshape([2, 1, 93]);
        let slice14_out1 = concat6_out1.clone().slice(s![.., 0..1, ..]);
        let slice15_out1 = concat6_out1.slice(s![.., 2..4, ..]);
        let concat7_out1 = burn::tensor::Tensor::cat(
            [slice14_out1, reshape11_out1, slice15_out1].into(),
            1,
        );
        let linear57_out1 = self.linear57.forward(reshape1_out1.clone());
        let linear58_out1 = self.linear58.forward(mul21_out1.clone());
        let add36_out1 = linear57_out1.add(linear58_out1);
        let sigmoid22_out1 = burn::tensor::activation::sigmoid(add36_out1);
        let linear59_out1 = self.linear59.forward(reshape1_out1.clone());
        let linear60_out1 = self.linear60.forward(mul21_out1.clone());
        let add37_out1 = linear59_out1.add(linear60_out1);
        let sigmoid23_out1 = burn::tensor::activation::sigmoid(add37_out1);
        let linear61_out1 = self.linear61.forward(reshape1_out1.clone());
        let linear62_out1 = self.linear62.forward(mul21_out1.clone());
        let add38_out1 = linear61_out1.add(linear62_out1);
        let sigmoid24_out1 = burn::tensor::activation::sigmoid(add38_out1);
        let linear63_out1 = self.linear63.forward(reshape1_out1);
        let linear64_out1 = self.linear64.forward(mul21_out1);
        let add39_out1 = linear63_out1.add(linear64_out1);
        let tanh15_out1 = add39_out1.tanh();
        let mul22_out1 = sigmoid23_out1.mul(add35_out1);
        let mul23_out1 = sigmoid22_out1.mul(tanh15_out1);
        let add40_out1 = mul22_out1.add(mul23_out1);
        let tanh16_out1 = add40_out1.tanh();
        let mul24_out1 = sigmoid24_out1.mul(tanh16_out1);
        let reshape12_out1 = mul24_out1.reshape([2, 1, 93]);
        let slice16_out1 = concat7_out1.slice(s![.., 1..4, ..]);
        let concat8_out1 = burn::tensor::Tensor::cat(
            [reshape12_out1, slice16_out1].into(),
            1,
        );
        let concat9_out1 = burn::tensor::Tensor::cat(
            [concat4_out1, concat8_out1].into(),
            2,
        );
        let linear65_out1 = self.linear65.forward(concat9_out1);
        let softmax1_out1 = burn::tensor::activation::softmax(linear65_out1, 2);
        softmax1_out1
    }
}

#[derive(Module, Debug)]
pub struct Model {
    submodule1: Submodule1,
    submodule2: Submodule2,
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
        let submodule1 = Submodule1::new(device);
        let submodule2 = Submodule2::new(device);
        Self {
            submodule1,
            submodule2,
            device: device.clone(),
        }
    }

    #[allow(clippy::let_and_return, clippy::approx_constant)]
    pub fn forward(&self, x: Tensor<3>) -> Tensor<3> {
        let (
            reshape7_out1,
            constant8_out1,
            constant24_out1,
            reshape5_out1,
            reshape3_out1,
            reshape1_out1,
            concat4_out1,
        ) = self.submodule1.forward(x);
        let softmax1_out1 = self
            .submodule2
            .forward(
                reshape7_out1,
                constant8_out1,
                constant24_out1,
                reshape5_out1,
                reshape3_out1,
                reshape1_out1,
                concat4_out1,
            );
        softmax1_out1
    }
}
