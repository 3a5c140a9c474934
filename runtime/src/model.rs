//! An artefact that has been checked, ready for any engine.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use sha2::{Digest, Sha256};
use uniseg_onnx::{
    Artefact, Bytes, Dim, IMAGE, Manifest, TASK, decode, encode,
    proto::{DataType, ModelProto},
    repeat,
};

use crate::{Footprint, Precision, RuntimeError};
pub(crate) use weights::{LEAST_TOGETHER, LEAST_WEIGHT, WeightsFile};

mod weights;

/// Most tasks that one graph is made to compute: past these, what they share is little.
const MOST_TASKS: usize = 8;

/// Graphs of more nodes are not repeated: networks have hundreds, and a file may say anything.
const MOST_NODES: usize = 10_000;

/// Two tasks at once are worth a graph of their own if they take less than this share of two alone.
const WORTHWHILE: f64 = 0.95;

/// A checked artefact: its manifest, and exactly the bytes that were checked.
///
/// Engines get these bytes, so that a file that changes underneath is never run with another file's
/// manifest; one that reads weights in the file compares them first.
#[derive(Debug, Clone)]
pub struct Model {
    manifest: Manifest,
    bytes: Bytes,
    file_bytes: u64,
    path: Option<PathBuf>,
    /// Where weights lie of this graph, and of those made of it.
    weights: Option<Arc<WeightsFile>>,
    /// Digest of what the manifest does not know the digest of: all but the weights.
    graph_sha256: [u8; 32],
    batches: bool,
    /// Those of the graph for one task, for two, and so on; never empty.
    footprints: Vec<Footprint>,
    stored: Precision,
}

impl Model {
    /// Opens the artefact at `path` and checks all of it: manifest and its version, digest of the
    /// weights, the graph and its inputs and outputs.
    ///
    /// Errors: [`RuntimeError::OpenModel`] with what is wrong.
    pub fn open(path: &Path) -> Result<Model, RuntimeError> {
        let artefact = Artefact::open(path).map_err(|source| RuntimeError::OpenModel { source })?;
        let weights = WeightsFile::of(&artefact, path);
        Ok(Model {
            path: Some(path.to_owned()),
            weights: Some(Arc::new(weights)),
            ..artefact.into()
        })
    }

    /// A model whose inputs and outputs are not the contract's and which nobody has checked: for
    /// tests that run small graphs in the engines.
    #[doc(hidden)]
    pub fn unchecked(bytes: Bytes, manifest: Manifest) -> Model {
        Model {
            manifest,
            file_bytes: bytes.len() as u64,
            bytes,
            path: None,
            weights: None,
            graph_sha256: [0; 32],
            batches: false,
            footprints: vec![Footprint::default()],
            stored: Precision::F32,
        }
    }

    /// The same manifest over another graph: a variant of this model that was made in this process
    /// to be measured, such as one with additional outputs. It is not checked.
    pub fn with_graph(&self, bytes: Bytes) -> Model {
        Model {
            file_bytes: bytes.len() as u64,
            bytes,
            path: None,
            ..self.clone()
        }
    }

    /// This model's graph for `tasks` tasks at once: what does not depend on the task is computed
    /// once for all of them. Inputs and outputs are named by [`uniseg_onnx::repeated_name`].
    ///
    /// A model without its file reads that again, which must not have changed.
    ///
    /// Errors: [`RuntimeError::OpenModel`], [`RuntimeError::ModelChanged`], [`RuntimeError::Repeat`].
    pub fn for_tasks(&self, tasks: usize) -> Result<Model, RuntimeError> {
        let opened = |source| RuntimeError::OpenModel { source };
        let (graph, bytes) = match &self.path {
            Some(path) if self.bytes.is_empty() => {
                let (graph, manifest, bytes) = Artefact::open(path).map_err(opened)?.into_parts();
                if manifest != self.manifest || graph_sha256(&graph) != self.graph_sha256 {
                    return Err(RuntimeError::ModelChanged { path: path.clone() });
                }
                (Some(graph), bytes)
            }
            _ => (None, self.bytes.clone()),
        };
        if tasks <= 1 {
            return Ok(self.with_graph(bytes));
        }
        let graph = match graph {
            Some(graph) => graph,
            None => decode(bytes).map_err(opened)?,
        };
        let repeated = repeat(&graph, TASK, tasks);
        let repeated = repeated.map_err(|source| RuntimeError::Repeat { tasks, source })?;
        Ok(self.with_graph(encode(&repeated)))
    }

    /// What is known of the model, without its file, where that can be read again: it is not needed
    /// any more once an engine has read it, and no engine opens this. See [`Model::for_tasks`].
    pub fn without_file(&self) -> Model {
        if self.path.is_none() {
            return self.clone();
        }
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

    /// The same, shared.
    pub(crate) fn shared_bytes(&self) -> Bytes {
        self.bytes.clone()
    }

    /// The file in which weights of the graph lie, unless it has changed since; nothing for a graph
    /// that takes any number of windows, of which OpenVINO reads them in its first run.
    pub(crate) fn weights_file(&self) -> Option<&WeightsFile> {
        self.weights.as_deref().filter(|_| !self.batches)
    }

    /// Whether OpenVINO reads the weights in the file, as long as that does not change.
    pub(crate) fn weights_stay_in_file(&self) -> bool {
        self.weights_file().is_some_and(WeightsFile::stays)
    }

    /// Size of the file in bytes, whether it is here or not.
    pub fn file_bytes(&self) -> u64 {
        self.file_bytes
    }

    /// Whether the graph leaves the number of windows open; otherwise it takes one at a time.
    pub fn batches(&self) -> bool {
        self.batches
    }

    /// Most tasks that [`Model::for_tasks`] computes at once: one, unless they share work.
    pub fn tasks_at_once(&self) -> usize {
        self.footprints.len()
    }

    /// What one window costs, for one task.
    pub fn footprint(&self) -> &Footprint {
        self.footprint_of(1)
    }

    /// What one window costs for so many tasks at once, see [`Model::tasks_at_once`].
    pub fn footprint_of(&self, tasks: usize) -> &Footprint {
        let last = self.footprints.len() - 1;
        &self.footprints[tasks.saturating_sub(1).min(last)]
    }
}

/// An artefact is checked when it is made; the decoded graph is dropped, engines read the bytes.
impl From<Artefact> for Model {
    fn from(artefact: Artefact) -> Model {
        let (graph, manifest, bytes) = artefact.into_parts();
        Model {
            graph_sha256: graph_sha256(&graph),
            batches: batches(&graph),
            footprints: footprints(&graph, &manifest),
            stored: stored(&graph),
            manifest,
            file_bytes: bytes.len() as u64,
            bytes,
            path: None,
            weights: None,
        }
    }
}

/// Digest of all but the weights, of which the manifest has one.
fn graph_sha256(model: &ModelProto) -> [u8; 32] {
    let mut model = model.clone();
    if let Some(graph) = &mut model.graph {
        graph.initializer.clear();
    }
    Sha256::digest(encode(&model)).into()
}

/// What a window costs for one task, and for as many at once as is worth it.
fn footprints(model: &ModelProto, manifest: &Manifest) -> Vec<Footprint> {
    let network = &manifest.network;
    let of = |model: &ModelProto| {
        let graph = model.graph.as_ref();
        graph.map_or_else(Footprint::default, |graph| Footprint::of(graph, network))
    };
    let one = of(model);
    let several = |tasks| repeat(model, TASK, tasks).ok().map(|model| of(&model));
    let shares = |two: &Footprint| (two.flops as f64) < WORTHWHILE * 2.0 * one.flops as f64;
    let nodes = model.graph.as_ref().map_or(0, |graph| graph.node.len());
    let most = match network.part.is_whole() && nodes <= MOST_NODES {
        true => MOST_TASKS.min(manifest.tasks.len()),
        false => 1,
    };
    let mut more = (2..=most).map_while(several).peekable();
    match more.peek().is_some_and(shares) {
        true => [one].into_iter().chain(more).collect(),
        false => vec![one],
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

#[cfg(test)]
mod tests;
