//! The UniSeg networks in burn, their configuration and their checkpoints.
//!
//! | module | what |
//! |---|---|
//! | [`plan`] | what a network looks like and which tasks it serves; `plan.json` |
//! | [`planner`] | datasets and a memory budget -> a plan |
//! | [`model`] | the network itself: stems, encoder, universal prompt, decoder |
//! | [`import`] | official PyTorch checkpoint -> our checkpoint |
//! | [`checkpoint`] | our checkpoint: a folder with weights (safetensors) and a plan (JSON) |
//! | [`data`] | folders of volumes -> checked, preprocessed cases; `tasks.toml` |
//! | [`batch`] | patches of cached cases, prepared in the background |
//! | [`augment`] | what is done to a patch before the network sees it |
//! | [`loss`] | cross-entropy and soft Dice over all decoder levels, and their targets |
//! | [`optim`] | SGD as PyTorch's, clipping by global norm, the state to resume from |
//! | [`schedule`] | the learning rate over time |
//! | [`sampler`] | which task the next batch is of |
//! | [`settings`] | how a network is trained; a TOML file |
//! | [`trainer`] | one step, and how well a network does on patches |
//! | [`run`] | a whole training run in a folder, to be continued after a kill |
//! | [`finetune`] | weights of a universal network for a new task |
//! | [`device`] | devices by name: `cpu`, `cuda:0,1`, `libtorch` |
//! | [`precision`] | bf16 convolutions over f32 weights |
//! | [`parallel`] | one step over one or several devices |
//!
//! This crate knows nothing of ONNX or of any inference engine. A trained network leaves it as a
//! [`checkpoint::Checkpoint`]; the root package turns that into an artefact.
//!
//! Axes are (z, y, x); spacing is in millimetres. Tensors are `[batch, channel, z, y, x]`.

pub mod augment;
pub mod batch;
pub mod checkpoint;
pub mod data;
pub mod device;
pub mod finetune;
pub mod import;
pub mod loss;
pub mod model;
pub mod optim;
pub mod parallel;
pub mod plan;
pub mod planner;
pub mod precision;
pub mod run;
pub mod sampler;
pub mod schedule;
pub mod settings;
pub mod trainer;

mod error;
mod ops;
#[cfg(test)]
mod testing;

pub use checkpoint::{Checkpoint, Source};
pub use error::TrainError;
pub use model::{Deploy, UniSeg};
pub use plan::{NetworkConfig, Plan, TaskPlan};
pub use settings::TrainSettings;
