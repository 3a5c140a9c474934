//! A small network of one's own, from burn to a file that any ONNX engine reads:
//!
//! ```sh
//! cargo run --release --workspace --example own_network -- own_network.onnx
//! ```
//!
//! Without a path nothing is written.

use burn::nn::{Linear, LinearConfig, conv::Conv1d, conv::Conv1dConfig};
use burn::prelude::*;
use burn::tensor::activation::relu;
use uniseg_export::{ExportError, Exported, Exporter};
use uniseg_onnx::proto::Message;

/// Three scores for a signal.
#[derive(Module, Debug)]
pub struct Network {
    conv: Conv1d,
    head: Linear,
}

impl Network {
    /// With random weights.
    pub fn new(device: &Device) -> Self {
        Self {
            conv: Conv1dConfig::new(1, 8, 5).init(device),
            head: LinearConfig::new(8, 3).init(device),
        }
    }

    /// Shapes: `signal` [N, 1, T]; returns [N, 3].
    pub fn forward(&self, signal: Tensor<3>) -> Tensor<2> {
        let features = relu(self.conv.forward(signal));
        self.head.forward(features.mean_dim(2).squeeze_dim(2))
    }
}

/// The network for any number of signals of 64 samples.
pub fn export(network: &Network) -> Result<Exported, ExportError> {
    Exporter::new()
        .float_input("signal", &[2, 1, 64])
        .symbolic("signal", 0, "batch", 3)
        .export(|tracer| {
            let network = tracer.load(network);
            let signal = tracer.float("signal")?;
            tracer.output("scores", network.forward(signal))
        })
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let exported = export(&Network::new(&Device::flex()))?;
    print!("{}", exported.graph());
    if let Some(path) = std::env::args_os().nth(1) {
        std::fs::write(path, exported.into_model("own").encode_to_vec())?;
    }
    Ok(())
}
