//! The encoder of the transformer (Vaswani et al., Attention is all you need, 2017, section 3).

use burn::module::Module;
use burn::nn::activation::ActivationConfig;
use burn::nn::transformer::{
    TransformerEncoder, TransformerEncoderConfig, TransformerEncoderInput,
};
use burn::nn::{
    Embedding, EmbeddingConfig, Linear, LinearConfig, PositionalEncoding, PositionalEncodingConfig,
};
use burn::prelude::*;
use burn::tensor::activation::log_softmax;

use super::Subject;

/// Tokens; 0 fills sentences up to a common length.
const VOCABULARY: usize = 24;
const PADDING: i64 = 0;
const WIDTH: usize = 64;

#[derive(Module, Debug)]
struct Encoder {
    embedding: Embedding,
    positions: PositionalEncoding,
    encoder: TransformerEncoder,
    head: Linear,
}

impl Encoder {
    fn new(device: &Device) -> Self {
        Self {
            embedding: EmbeddingConfig::new(VOCABULARY, WIDTH).init(device),
            positions: PositionalEncodingConfig::new(WIDTH)
                .with_max_sequence_size(64)
                .init(device),
            encoder: TransformerEncoderConfig::new(WIDTH, 4 * WIDTH, 8, 3)
                .with_activation(ActivationConfig::Relu)
                .init(device),
            head: LinearConfig::new(WIDTH, VOCABULARY).init(device),
        }
    }

    /// Shapes: `tokens` [N, T]; returns [N, T, 24].
    fn forward(&self, tokens: Tensor<2, Int>) -> Tensor<3> {
        let padding = tokens.clone().equal_elem(PADDING);
        let embedded = self.embedding.forward(tokens) * (WIDTH as f32).sqrt();
        let input = TransformerEncoderInput::new(self.positions.forward(embedded));
        let encoded = self.encoder.forward(input.mask_pad(padding));
        log_softmax(self.head.forward(encoded), 2)
    }
}

/// A small one, post-norm with ReLU as in the paper, that does not attend to padding.
pub fn subject() -> Subject {
    let network = Encoder::new(&Device::flex());
    let vocabulary = VOCABULARY as i64;
    Subject::of_tokens("encoder", [2, 20], vocabulary, network, Encoder::forward)
}

#[test]
fn a_transformer_encoder_is_the_same_everywhere() {
    insta::assert_snapshot!(subject().check(), @"
    26 Add
     3 Div
     1 Equal
     1 Gather
     6 LayerNormalization
     1 LogSoftmax
    25 MatMul
     1 Mul
     3 Relu
    13 Reshape
     1 Slice
     3 Softmax
    12 Transpose
     3 Where
    ");
}
