//! A bidirectional LSTM that labels every frame (Graves and Schmidhuber, Framewise phoneme
//! classification, 2005, section 4: 26 features, 93 cells each way, 61 phonemes).

use burn::module::Module;
use burn::nn::{BiLstm, BiLstmConfig, Linear, LinearConfig};
use burn::prelude::*;
use burn::tensor::activation::softmax;
use uniseg_runtime::EngineKind;

use super::Subject;

#[derive(Module, Debug)]
struct Phonemes {
    lstm: BiLstm,
    head: Linear,
}

impl Phonemes {
    fn new(device: &Device) -> Self {
        Self {
            lstm: BiLstmConfig::new(26, 93, true).init(device),
            head: LinearConfig::new(2 * 93, 61).init(device),
        }
    }

    /// Shapes: `frames` [N, T, 26]; returns [N, T, 61].
    fn forward(&self, frames: Tensor<3>) -> Tensor<3> {
        let (hidden, _) = self.lstm.forward(frames, None);
        softmax(self.head.forward(hidden), 2)
    }
}

/// The paper's, on a short sequence.
pub fn of_frames(frames: usize) -> Subject {
    let network = Phonemes::new(&Device::flex());
    Subject::of_floats("bi-lstm", [2, frames, 26], network, Phonemes::forward)
}

#[test]
fn a_bidirectional_lstm_is_the_same_everywhere() {
    let subject = of_frames(12).cannot_open(
        EngineKind::Tract,
        "it loses an axis where it folds the product of the first, empty state and the weights",
    );
    insta::assert_snapshot!(subject.check(), @"
    313 Add
     25 Concat
    193 MatMul
     72 Mul
     36 Reshape
     72 Sigmoid
     56 Slice
      1 Softmax
     48 Tanh
    ");
}
