//! A vision transformer (Dosovitskiy et al., An image is worth 16x16 words, 2020, section 3.1).

use burn::module::{Module, Param};
use burn::nn::attention::{MhaInput, MultiHeadAttention, MultiHeadAttentionConfig};
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::{LayerNorm, LayerNormConfig, Linear, LinearConfig};
use burn::prelude::*;
use burn::tensor::activation::gelu;

use super::Subject;

const WIDTH: usize = 64;
const HEADS: usize = 4;
const DEPTH: usize = 4;
/// Edge of an image, and of the patches that it is cut into.
const IMAGE: usize = 48;
const PATCH: usize = 8;

/// An encoder layer with its norms in front (equations 2 and 3).
#[derive(Module, Debug)]
struct Layer {
    attention_norm: LayerNorm,
    attention: MultiHeadAttention,
    mlp_norm: LayerNorm,
    widen: Linear,
    narrow: Linear,
}

impl Layer {
    fn new(device: &Device) -> Self {
        Self {
            attention_norm: LayerNormConfig::new(WIDTH).init(device),
            attention: MultiHeadAttentionConfig::new(WIDTH, HEADS).init(device),
            mlp_norm: LayerNormConfig::new(WIDTH).init(device),
            widen: LinearConfig::new(WIDTH, 4 * WIDTH).init(device),
            narrow: LinearConfig::new(4 * WIDTH, WIDTH).init(device),
        }
    }

    fn forward(&self, x: Tensor<3>) -> Tensor<3> {
        let seen = MhaInput::self_attn(self.attention_norm.forward(x.clone()));
        let x = x + self.attention.forward(seen).context;
        let y = gelu(self.widen.forward(self.mlp_norm.forward(x.clone())));
        x + self.narrow.forward(y)
    }
}

#[derive(Module, Debug)]
struct VisionTransformer {
    embed: Conv2d,
    class_token: Param<Tensor<3>>,
    positions: Param<Tensor<3>>,
    layers: Vec<Layer>,
    norm: LayerNorm,
    head: Linear,
}

impl VisionTransformer {
    fn new(device: &Device) -> Self {
        let places = (IMAGE / PATCH).pow(2) + 1;
        let learned = |places| Param::from_tensor(Tensor::zeros([1, places, WIDTH], device));
        Self {
            embed: Conv2dConfig::new([3, WIDTH], [PATCH, PATCH])
                .with_stride([PATCH, PATCH])
                .init(device),
            class_token: learned(1),
            positions: learned(places),
            layers: (0..DEPTH).map(|_| Layer::new(device)).collect(),
            norm: LayerNormConfig::new(WIDTH).init(device),
            head: LinearConfig::new(WIDTH, 100).init(device),
        }
    }

    /// Shapes: `image` [N, 3, 48, 48]; returns [N, 100].
    fn forward(&self, image: Tensor<4>) -> Tensor<2> {
        let patches = self.embed.forward(image).flatten::<3>(2, 3).swap_dims(1, 2);
        let [batch, _, width] = patches.dims();
        let token = self.class_token.val().expand([batch, 1, width]);
        let mut x = Tensor::cat(vec![token, patches], 1) + self.positions.val();
        for layer in &self.layers {
            x = layer.forward(x);
        }
        let class = self.norm.forward(x).narrow(1, 0, 1).squeeze_dim::<2>(1);
        self.head.forward(class)
    }
}

/// A small one.
pub fn subject() -> Subject {
    let network = VisionTransformer::new(&Device::flex());
    let shape = [2, 3, IMAGE, IMAGE];
    Subject::of_floats("vit", shape, network, VisionTransformer::forward)
}

#[test]
fn a_vision_transformer_is_the_same_everywhere() {
    insta::assert_snapshot!(subject().check(), @"
    38 Add
     1 Concat
     1 Conv
     8 Div
     4 Erf
     1 Expand
     9 LayerNormalization
    33 MatMul
     8 Mul
    18 Reshape
     1 Slice
     4 Softmax
    17 Transpose
    ");
}
