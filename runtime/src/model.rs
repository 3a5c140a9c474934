//! An artefact that has been checked, ready for any engine.

use std::path::Path;

use uniseg_onnx::{
    Artefact, Bytes, Manifest,
    proto::{DataType, ModelProto},
};

use crate::{Precision, RuntimeError};

/// A checked artefact: its manifest, and exactly the bytes that were checked.
///
/// Engines get these bytes, not a path, so that a file that changes underneath is never run with
/// another file's manifest.
#[derive(Debug, Clone)]
pub struct Model {
    manifest: Manifest,
    bytes: Bytes,
    stored: Precision,
}

impl Model {
    /// Opens the artefact at `path` and checks all of it: manifest and its version, digest of the
    /// weights, the graph and its inputs and outputs.
    ///
    /// Errors: [`RuntimeError::OpenModel`] with what is wrong.
    pub fn open(path: &Path) -> Result<Model, RuntimeError> {
        let artefact = Artefact::open(path).map_err(|source| RuntimeError::OpenModel { source })?;
        Ok(artefact.into())
    }

    /// What the artefact says about itself.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// In which numbers most of its weights are stored.
    pub fn stored_precision(&self) -> Precision {
        self.stored
    }

    /// The whole file, as it was checked.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

/// An artefact is checked when it is made; the decoded graph is dropped, engines read the bytes.
impl From<Artefact> for Model {
    fn from(artefact: Artefact) -> Model {
        let (graph, manifest, bytes) = artefact.into_parts();
        Model {
            stored: stored(&graph),
            manifest,
            bytes,
        }
    }
}

/// The precision of the most weights; indices and shapes are no weights.
fn stored(model: &ModelProto) -> Precision {
    let mut counts = [
        (Precision::F32, 0u64),
        (Precision::Bf16, 0),
        (Precision::F16, 0),
        (Precision::Int8, 0),
    ];
    for tensor in model.graph.iter().flat_map(|graph| &graph.initializer) {
        let precision = match DataType::try_from(tensor.data_type) {
            Ok(DataType::Float) => Precision::F32,
            Ok(DataType::Bfloat16) => Precision::Bf16,
            Ok(DataType::Float16) => Precision::F16,
            Ok(DataType::Int8 | DataType::Uint8) => Precision::Int8,
            _ => continue,
        };
        let elements = tensor.dims.iter().fold(1u64, |product, &size| {
            product.saturating_mul(size.unsigned_abs())
        });
        for (counted, count) in &mut counts {
            if *counted == precision {
                *count = count.saturating_add(elements);
            }
        }
    }
    let most = counts.iter().rev().max_by_key(|(_, count)| *count);
    most.map_or(Precision::F32, |(precision, _)| *precision)
}
