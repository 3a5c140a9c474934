//! The artefact: one `.onnx` file that carries a segmentation network and says how to use it.
//!
//! ```text
//! image f32 [batch, slots, D, H, W] ─┐
//!                                    ├─ graph ─ logits f32 [batch, classes, D, H, W]
//! task  i64 [1] ─────────────────────┘
//! metadata_props["uniseg.manifest"] = { tasks, labels, channels, spacing, windows, sha256, ... }
//! ```
//!
//! This crate is the only handshake between what writes artefacts and what runs them. An
//! [`Artefact`] is checked when it is made and when it is opened, by the same code, and nothing
//! outside its file is ever followed. The parts:
//!
//! - [`Artefact`]: open, save, and the bytes an engine is handed;
//! - [`Manifest`]: what the artefact says about itself, as plain data;
//! - [`proto`]: ONNX's messages, with short constructors on them;
//! - [`check()`], [`weights_sha256`], [`text()`]: the structural checker, the digest of the
//!   weights, and the text form of a model;
//! - [`expose()`]: intermediate values as outputs, for whoever looks for a fault;
//! - [`repeat()`]: one graph for several tasks at once;
//! - [`sample`]: the smallest artefact there is.
//!
//! What it does not know: how a graph is made, and how it is run.
//!
//! ```
//! use uniseg_onnx::{Artefact, sample};
//!
//! let artefact = sample::tiny_artefact();
//! let again = Artefact::from_bytes(artefact.bytes().clone())?;
//! assert_eq!(again.manifest().task("BLOB")?.labels, ["background", "blob"]);
//! # Ok::<(), uniseg_onnx::OnnxError>(())
//! ```

mod artefact;
mod check;
mod construct;
mod digest;
mod error;
mod expose;
mod manifest;
mod node;
pub mod proto;
mod repeat;
pub mod sample;
mod schema;
mod signature;
mod tensor;
mod text;
mod walk;
mod wire;

pub use artefact::{Artefact, MAX_FILE_BYTES, decode, encode};
pub use bytes::Bytes;
pub use check::{GraphFault, check};
pub use construct::{Dim, IR_VERSION, OPSET};
pub use digest::{hex, weights_sha256};
pub use error::{NotOnnx, OnnxError};
pub use expose::{Exposed, expose};
pub use manifest::{
    Axis, Channel, Feature, Inference, MANIFEST_KEY, Manifest, ManifestFault, NameProblem, Network,
    Normalization, Part, Provenance, SCHEMA_VERSION, Task, ZScoreScope,
};
pub use repeat::{RepeatError, repeat, repeated_name};
pub use signature::{IMAGE, LOGITS, SignatureFault, TASK};
pub use tensor::TensorError;
pub use text::text;
pub use wire::WireError;
