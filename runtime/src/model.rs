//! An artefact that has been checked, ready for any engine.

use std::path::Path;

use uniseg_onnx::{
    Artefact, Bytes, Dim, IMAGE, Manifest,
    proto::{DataType, ModelProto},
};

use crate::{Footprint, Precision, RuntimeError};

/// A checked artefact: its manifest, and exactly the bytes that were checked.
///
/// Engines get these bytes, not a path, so that a file that changes underneath is never run with
/// another file's manifest.
#[derive(Debug, Clone)]
pub struct Model {
    manifest: Manifest,
    bytes: Bytes,
    file_bytes: u64,
    batches: bool,
    footprint: Footprint,
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

    /// A model whose inputs and outputs are not the contract's and which nobody has checked: for
    /// tests that run small graphs in the engines.
    #[doc(hidden)]
    pub fn unchecked(bytes: Bytes, manifest: Manifest) -> Model {
        Model {
            manifest,
            file_bytes: bytes.len() as u64,
            bytes,
            batches: false,
            footprint: Footprint::default(),
            stored: Precision::F32,
        }
    }

    /// The same manifest over another graph: a variant of this model that was made in this process
    /// to be measured, such as one with additional outputs. It is not checked.
    pub fn with_graph(&self, bytes: Bytes) -> Model {
        Model {
            file_bytes: bytes.len() as u64,
            bytes,
            ..self.clone()
        }
    }

    /// What is known of the model, without its file: that is not needed any more once an engine has
    /// read it, and no engine opens this.
    pub fn without_file(&self) -> Model {
        Model {
            bytes: Bytes::new(),
            ..self.clone()
        }
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

    /// Size of the file in bytes, whether it is here or not.
    pub fn file_bytes(&self) -> u64 {
        self.file_bytes
    }

    /// Whether the graph leaves the number of windows open; otherwise it takes one at a time.
    pub fn batches(&self) -> bool {
        self.batches
    }

    /// What one window costs.
    pub fn footprint(&self) -> &Footprint {
        &self.footprint
    }
}

/// An artefact is checked when it is made; the decoded graph is dropped, engines read the bytes.
impl From<Artefact> for Model {
    fn from(artefact: Artefact) -> Model {
        let (graph, manifest, bytes) = artefact.into_parts();
        Model {
            batches: batches(&graph),
            footprint: graph
                .graph
                .as_ref()
                .map_or_else(Footprint::default, |graph| {
                    Footprint::of(graph, &manifest.network)
                }),
            stored: stored(&graph),
            manifest,
            file_bytes: bytes.len() as u64,
            bytes,
        }
    }
}

/// Whether the first axis of the input `image` has a name instead of a number.
fn batches(model: &ModelProto) -> bool {
    let inputs = model.graph.iter().flat_map(|graph| &graph.input);
    let image = inputs.filter(|input| input.name == IMAGE);
    let mut shapes = image.filter_map(|image| image.tensor_type()?.1);
    shapes.any(|dims| matches!(dims.first(), Some(Dim::Named(_))))
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
