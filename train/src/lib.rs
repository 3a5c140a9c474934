//! The UniSeg networks in burn, their configuration and their checkpoints.
//!
//! | module | what |
//! |---|---|
//! | [`plan`] | what a network looks like and which tasks it serves; `plan.json` |
//! | [`model`] | the network itself: stems, encoder, universal prompt, decoder |
//! | [`import`] | official PyTorch checkpoint -> our checkpoint |
//! | [`checkpoint`] | our checkpoint: a folder with weights (safetensors) and a plan (JSON) |
//! | [`data`] | folders of volumes -> checked, preprocessed cases; `tasks.toml` |
//! | [`loss`] | cross-entropy and soft Dice over all decoder levels, and their targets |
//! | [`optim`] | SGD as PyTorch's, clipping by global norm, the state to resume from |
//! | [`schedule`] | the learning rate over time |
//! | [`sampler`] | which task the next batch is of |
//! | [`device`] | devices by name: `cpu`, `cuda:0,1`, `libtorch` |
//! | [`precision`] | bf16 convolutions over f32 weights |
//! | [`parallel`] | one step over one or several devices |
//!
//! This crate knows nothing of ONNX or of any inference engine. A trained network leaves it as a
//! [`checkpoint::Checkpoint`]; the root package turns that into an artefact.
//!
//! Axes are (z, y, x); spacing is in millimetres. Tensors are `[batch, channel, z, y, x]`.

pub mod checkpoint;
pub mod data;
pub mod device;
pub mod import;
pub mod loss;
pub mod model;
pub mod optim;
pub mod parallel;
pub mod plan;
pub mod precision;
pub mod sampler;
pub mod schedule;

mod error;

pub use checkpoint::{Checkpoint, Source};
pub use error::TrainError;
pub use model::{Deploy, UniSeg};
pub use plan::{NetworkConfig, Plan, TaskPlan};
