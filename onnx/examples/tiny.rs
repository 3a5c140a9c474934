//! Writes the smallest artefact: `cargo run -p uniseg-onnx --example tiny -- tiny.onnx`.

use std::{error::Error, path::PathBuf};

fn main() -> Result<(), Box<dyn Error>> {
    let path = PathBuf::from(std::env::args_os().nth(1).ok_or("usage: tiny FILE.onnx")?);
    uniseg_onnx::sample::tiny_artefact().save(&path)?;
    print!(
        "{}",
        uniseg_onnx::text(uniseg_onnx::Artefact::open(&path)?.model())
    );
    Ok(())
}
