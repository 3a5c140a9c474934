//! An artefact that has been checked, ready for any engine.

use std::path::Path;

use uniseg_onnx::{Artefact, Bytes, Manifest};

use crate::RuntimeError;

/// A checked artefact: its manifest, and exactly the bytes that were checked.
///
/// Engines get these bytes, not a path, so that a file that changes underneath is never run with
/// another file's manifest.
#[derive(Debug, Clone)]
pub struct Model {
    manifest: Manifest,
    bytes: Bytes,
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
        Model { manifest, bytes }
    }

    /// The same manifest over another graph: a variant of this model that was made in this process
    /// to be measured, such as one with additional outputs. It is not checked.
    pub fn with_graph(&self, bytes: Bytes) -> Model {
        Model {
            manifest: self.manifest.clone(),
            bytes,
        }
    }

    /// What the artefact says about itself.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// The whole file, as it was checked.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

/// An artefact is checked when it is made; the decoded graph is dropped, engines read the bytes.
impl From<Artefact> for Model {
    fn from(artefact: Artefact) -> Model {
        let (_, manifest, bytes) = artefact.into_parts();
        Model { manifest, bytes }
    }
}
