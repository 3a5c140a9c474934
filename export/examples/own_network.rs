//! A small network of one's own, from burn to a file that any ONNX engine reads:
//!
//! ```sh
//! cargo run --release --workspace --example own_network
//! ```

use burn::nn::{LinearConfig, conv::Conv1dConfig, pool::AdaptiveAvgPool1dConfig};
use burn::prelude::*;
use burn::tensor::activation::relu;
use uniseg_export::{ExportError, Exporter};
use uniseg_onnx::proto::Message;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let device = Device::flex();
    let conv = Conv1dConfig::new(1, 8, 5).init(&device);
    let pool = AdaptiveAvgPool1dConfig::new(1).init();
    let linear = LinearConfig::new(8, 3).init(&device);
    let exported = Exporter::new()
        .float_input("signal", &[2, 1, 64])
        .symbolic("signal", 0, "batch", 3)
        .export(|tracer| -> Result<(), ExportError> {
            let (conv, linear) = (tracer.load(&conv), tracer.load(&linear));
            let x = pool.forward(relu(conv.forward(tracer.float::<3>("signal")?)));
            tracer.output("scores", linear.forward(x.squeeze_dim::<2>(2)))
        })?;
    print!("{}", exported.graph());
    std::fs::write(
        "own_network.onnx",
        exported.into_model("own").encode_to_vec(),
    )?;
    Ok(())
}
