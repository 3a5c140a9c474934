//! What can go wrong with an artefact.

use std::{io, path::PathBuf};

use crate::{
    check::GraphFault, manifest::ManifestFault, signature::SignatureFault, tensor::TensorError,
    wire::WireError,
};

/// A failed act on an artefact.
///
/// Errors of [`crate::Artefact::open`] and [`crate::Artefact::save`] name the file; those of
/// functions on bytes and messages do not.
#[derive(Debug, thiserror::Error)]
pub enum OnnxError {
    /// A file cannot be used as an artefact.
    #[error("cannot use {} as a model", path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        source: Box<OnnxError>,
    },
    /// A file cannot be read.
    #[error("the file cannot be read")]
    Read {
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A file cannot be written.
    #[error("cannot write the model to {}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A model beyond what one protobuf message can hold.
    #[error(
        "the model has {bytes} bytes and one onnx file holds {limit} at most: \
         fewer channels or a narrower number format make it smaller"
    )]
    TooLarge {
        /// Size of the model.
        bytes: u64,
        /// Largest size.
        limit: u64,
    },
    /// The bytes are not an ONNX model.
    #[error("this is not an onnx model, or a damaged one")]
    NotOnnx {
        /// Why.
        #[source]
        source: NotOnnx,
    },
    /// The file format is newer than this program.
    #[error("the model is in onnx format version {found} and this program knows 3 to {known}")]
    IrVersion {
        /// Version found.
        found: i64,
        /// Newest version known.
        known: i64,
    },
    /// An ONNX model of another origin.
    #[error(
        "the model has no {key:?} entry, so it does not say how to use it: \
         write it with `uniseg export`"
    )]
    NoManifest {
        /// Key the manifest belongs under.
        key: &'static str,
    },
    /// More than one manifest.
    #[error("the model has {count} entries {key:?} where one is allowed")]
    ManifestTwice {
        /// Key the manifest belongs under.
        key: &'static str,
        /// Number of entries.
        count: usize,
    },
    /// A manifest beyond any honest size.
    #[error("the manifest has {bytes} bytes where {limit} are allowed")]
    ManifestTooLarge {
        /// Its size.
        bytes: usize,
        /// Largest size.
        limit: usize,
    },
    /// The manifest is not the JSON it should be.
    #[error("the manifest cannot be read")]
    ManifestSyntax {
        /// Why.
        #[source]
        source: serde_json::Error,
    },
    /// The manifest cannot be written as JSON.
    #[error("the manifest cannot be written as json")]
    ManifestWrite {
        /// Why.
        #[source]
        source: serde_json::Error,
    },
    /// The manifest is newer than this program.
    #[error(
        "the model's manifest has schema version {found} and this program knows up to {known}: \
         update the program, or export the model again with this one"
    )]
    NewerManifest {
        /// Version found.
        found: u64,
        /// Newest version known.
        known: u32,
    },
    /// The manifest contradicts itself.
    #[error("the manifest is not valid: {}", listed(findings))]
    InvalidManifest {
        /// Everything that is wrong, not just the first.
        findings: Vec<ManifestFault>,
    },
    /// A tensor is broken.
    #[error("the tensor {place} is broken")]
    Tensor {
        /// Where it is.
        place: String,
        /// What is wrong.
        #[source]
        source: TensorError,
    },
    /// Part of the model is in another file.
    #[error(
        "the model keeps {} outside its file ({places:?}{}): an artefact is one file, export it again",
        tensors(*count), if *count > places.len() { ", ..." } else { "" }
    )]
    ExternalData {
        /// The first tensors that do.
        places: Vec<String>,
        /// Number of tensors that do.
        count: usize,
    },
    /// Operators that no standard defines.
    #[error(
        "the model uses operators of unknown domains, which an engine may run as foreign code: {}",
        operators.join(", ")
    )]
    UnknownDomain {
        /// The operators, as `domain::operator (place)`, or the imported domain.
        operators: Vec<String>,
    },
    /// The model defines operators of its own, or training graphs.
    #[error("the model holds {count} {what}, which an artefact does not have")]
    Forbidden {
        /// What it holds.
        what: &'static str,
        /// How many.
        count: usize,
    },
    /// The weights are not those the manifest was written for.
    #[error(
        "the weights do not match the manifest (sha256 {found}, expected {expected}): \
         the file is damaged or was edited, export it again"
    )]
    WeightsDigest {
        /// Digest in the manifest.
        expected: String,
        /// Digest of the weights.
        found: String,
    },
    /// Inputs or outputs are not those the manifest describes.
    #[error("the graph does not fit the manifest: {}", listed(findings))]
    Signature {
        /// Everything that is wrong.
        findings: Vec<SignatureFault>,
    },
    /// The graph is not well-formed.
    #[error("the graph is not well-formed: {}", listed(findings))]
    Graph {
        /// Everything that is wrong.
        findings: Vec<GraphFault>,
    },
    /// There is no such task.
    #[error(
        "the model has no task {asked:?}{}; it has {}",
        nearest.as_ref().map(|name| format!(", did you mean {name:?}?")).unwrap_or_default(),
        known.join(", ")
    )]
    UnknownTask {
        /// What was asked for.
        asked: String,
        /// The nearest name or alias, if one is near.
        nearest: Option<String>,
        /// All tasks.
        known: Vec<String>,
    },
}

/// Why bytes are not an ONNX model.
#[derive(Debug, thiserror::Error)]
pub enum NotOnnx {
    /// The bytes do not have the form of one.
    #[error(transparent)]
    Wire(#[from] WireError),
    /// A string is not text.
    #[error("the message cannot be decoded")]
    Decode(#[from] prost::DecodeError),
    /// There is no graph in it.
    #[error("it has no graph")]
    NoGraph,
}

fn tensors(count: usize) -> String {
    if count == 1 {
        "1 tensor".to_owned()
    } else {
        format!("{count} tensors")
    }
}

/// The first findings on one line; a broken file can have thousands.
fn listed<T: ToString>(findings: &[T]) -> String {
    const SHOWN: usize = 8;
    let mut text = findings
        .iter()
        .take(SHOWN)
        .map(T::to_string)
        .collect::<Vec<_>>()
        .join("; ");
    if findings.len() > SHOWN {
        text += &format!("; and {} more", findings.len() - SHOWN);
    }
    text
}
