//! `uniseg`: one 3-D medical segmentation model for many tasks, in one self-describing ONNX file.
//!
//! This crate is the facade and the command line; the work is done by the crates that it
//! re-exports:
//!
//! | crate | what |
//! |---|---|
//! | [`imaging`] | volumes, geometry, NIfTI, resampling, normalisation, metrics |
//! | [`onnx`] | the artefact: ONNX messages, manifest, integrity |
//! | [`runtime`] | engines, sliding window, from files to labels |
//! | `train` | networks in burn, checkpoints (feature `train`) |
//! | `export` | burn -> ONNX compiler (feature `train`) |
//!
//! What needs several of them is its own: `bridge`, the one place where a training plan becomes a
//! manifest, `calibration`, where the compiler meets engines and volumes, [`samples`], which takes
//! windows of real images to measure on, and `burn_engine`, where engines meet the network that they
//! were compiled from.
//!
//! ```no_run
//! use std::path::Path;
//! use uniseg::runtime::{Case, EngineOptions, Model, WindowOptions, open_engine};
//!
//! let model = Model::open(Path::new("model.onnx"))?;
//! let mut engine = open_engine(&model, &EngineOptions::default())?.engine;
//! let task = model.manifest().task("liver")?.clone();
//! let options = WindowOptions::of(model.manifest());
//! let mut case = Case::read(&["ct.nii.gz".into()], &mut |_| {})?;
//! let result = case.segment(&model, engine.as_mut(), &task, &options, &mut |_| {})?;
//! uniseg::runtime::write_labels(&result, case.header(), Path::new("liver.nii.gz"))?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub use uniseg_imaging as imaging;
pub use uniseg_onnx as onnx;
pub use uniseg_runtime as runtime;

#[cfg(feature = "train")]
pub use uniseg_export as export;
#[cfg(feature = "train")]
pub use uniseg_train as train;

#[cfg(feature = "train")]
pub mod bridge;
#[cfg(feature = "train")]
pub mod burn_engine;
#[cfg(feature = "train")]
pub mod calibration;
pub mod samples;
