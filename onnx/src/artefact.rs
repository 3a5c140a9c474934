//! One file that carries a network and says how to use it: opened and saved through one set of
//! checks.

use std::{
    fs::File,
    io::{self, Read, Write},
    path::Path,
};

use bytes::Bytes;
use prost::Message;

use crate::{
    OnnxError, check,
    construct::{IR_VERSION, OPSET, is_standard_domain},
    digest::weights_sha256,
    error::NotOnnx,
    manifest::{MANIFEST_KEY, Manifest},
    proto::{ModelProto, OperatorSetIdProto, StringStringEntryProto},
    signature,
    walk::Sites,
    wire,
};

/// Largest file: protobuf's own limit.
pub const MAX_FILE_BYTES: u64 = i32::MAX as u64;
/// Newest file format whose fields are all known here.
const NEWEST_IR_VERSION: i64 = 14;

/// A model whose every check has passed, its manifest, and the bytes both were read from.
///
/// There is no way to hold one that is not valid: [`Artefact::new`] puts what it writes through
/// the same checks as [`Artefact::open`] what it reads. Weights share the memory of the bytes.
#[derive(Clone, Debug)]
pub struct Artefact {
    model: ModelProto,
    manifest: Manifest,
    bytes: Bytes,
}

impl Artefact {
    /// Joins a model and its manifest.
    ///
    /// Fills in the digest of the weights, the manifest's entry in the metadata (replacing one
    /// that is there), and, where the model does not say them, format and operator versions,
    /// producer and its version. The same input gives the same bytes.
    ///
    /// Errors: those of [`Artefact::from_bytes`], and [`OnnxError::TooLarge`].
    pub fn new(mut model: ModelProto, mut manifest: Manifest) -> Result<Self, OnnxError> {
        manifest.weights_sha256 = weights_sha256(&model)?;
        if model.ir_version == 0 {
            model.ir_version = IR_VERSION;
        }
        if model.opset().is_none() {
            model.opset_import.push(OperatorSetIdProto {
                domain: String::new(),
                version: OPSET,
            });
        }
        if model.producer_name.is_empty() {
            model.producer_name = "uniseg".to_owned();
            model.producer_version = env!("CARGO_PKG_VERSION").to_owned();
        }
        model
            .metadata_props
            .retain(|entry| entry.key != MANIFEST_KEY);
        model.metadata_props.push(StringStringEntryProto {
            key: MANIFEST_KEY.to_owned(),
            value: manifest.to_json()?,
        });
        let bytes = model.encoded_len() as u64;
        if bytes > MAX_FILE_BYTES {
            return Err(OnnxError::TooLarge {
                bytes,
                limit: MAX_FILE_BYTES,
            });
        }
        let bytes = Bytes::from(model.encode_to_vec());
        // The decoded twin shares its weights with `bytes`; the caller's copy can go.
        drop(model);
        Self::from_bytes(bytes)
    }

    /// Opens the artefact at `path`.
    ///
    /// Errors: [`OnnxError::Open`] with the file and, as its source, what
    /// [`Artefact::from_bytes`] found.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, OnnxError> {
        let path = path.as_ref();
        read(path)
            .and_then(Self::from_bytes)
            .map_err(|source| OnnxError::Open {
                path: path.to_owned(),
                source: Box::new(source),
            })
    }

    /// Reads an artefact and checks it, in this order: it is an ONNX model of a known format; it
    /// has one manifest, not newer than this program, and valid; it has no operators of its own or
    /// of unknown domains, nothing outside the file; the weights are those of the manifest; inputs
    /// and outputs are those of the manifest; the graph is well-formed.
    ///
    /// Errors: the first check that fails, with all its findings.
    pub fn from_bytes(bytes: Bytes) -> Result<Self, OnnxError> {
        let size = bytes.len() as u64;
        if size > MAX_FILE_BYTES {
            return Err(OnnxError::TooLarge {
                bytes: size,
                limit: MAX_FILE_BYTES,
            });
        }
        let model = decode(bytes.clone())?;
        let manifest = manifest(&model)?;
        self_contained(&model)?;
        let found = weights_sha256(&model)?;
        if found != manifest.weights_sha256 {
            let expected = manifest.weights_sha256;
            return Err(OnnxError::WeightsDigest { expected, found });
        }
        if let Some(graph) = &model.graph {
            let findings = signature::findings(graph, &manifest);
            if !findings.is_empty() {
                return Err(OnnxError::Signature { findings });
            }
        }
        let findings = check::check(&model);
        if !findings.is_empty() {
            return Err(OnnxError::Graph { findings });
        }
        Ok(Self {
            model,
            manifest,
            bytes,
        })
    }

    /// Writes the artefact and returns its size in bytes. A file that is there is replaced only
    /// when the new one is complete.
    ///
    /// Errors: [`OnnxError::Write`], for example on a full disk; then nothing is left behind.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<u64, OnnxError> {
        let path = path.as_ref();
        write(path, &self.bytes).map_err(|source| OnnxError::Write {
            path: path.to_owned(),
            source,
        })?;
        Ok(self.bytes.len() as u64)
    }

    /// The model.
    pub fn model(&self) -> &ModelProto {
        &self.model
    }

    /// What the artefact says about itself.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// The file, byte for byte as it was checked: this is what an engine is handed.
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// The parts.
    pub fn into_parts(self) -> (ModelProto, Manifest, Bytes) {
        (self.model, self.manifest, self.bytes)
    }
}

/// Decodes any ONNX model, artefact or not; weights share the memory of `bytes`.
///
/// Errors: [`OnnxError::NotOnnx`], [`OnnxError::IrVersion`].
pub fn decode(bytes: Bytes) -> Result<ModelProto, OnnxError> {
    let not_onnx = |source: NotOnnx| OnnxError::NotOnnx { source };
    wire::scan(&bytes).map_err(|error| not_onnx(error.into()))?;
    let model = ModelProto::decode(bytes).map_err(|error| not_onnx(error.into()))?;
    if model.graph.is_none() {
        return Err(not_onnx(NotOnnx::NoGraph));
    }
    if !(3..=NEWEST_IR_VERSION).contains(&model.ir_version) {
        let found = model.ir_version;
        return Err(OnnxError::IrVersion {
            found,
            known: NEWEST_IR_VERSION,
        });
    }
    Ok(model)
}

/// Writes any ONNX model as a file's bytes; nothing is checked.
pub fn encode(model: &ModelProto) -> Bytes {
    Bytes::from(model.encode_to_vec())
}

fn read(path: &Path) -> Result<Bytes, OnnxError> {
    let failed = |source| OnnxError::Read { source };
    let file = File::open(path).map_err(failed)?;
    let metadata = file.metadata().map_err(failed)?;
    if !metadata.is_file() {
        return Err(failed(io::Error::new(
            io::ErrorKind::InvalidInput,
            "it is not a file",
        )));
    }
    let bytes = metadata.len();
    if bytes > MAX_FILE_BYTES {
        return Err(OnnxError::TooLarge {
            bytes,
            limit: MAX_FILE_BYTES,
        });
    }
    let mut content = Vec::with_capacity(usize::try_from(bytes).unwrap_or(0));
    // The file may grow while it is read; one byte more than allowed is enough to tell.
    file.take(MAX_FILE_BYTES + 1)
        .read_to_end(&mut content)
        .map_err(failed)?;
    Ok(content.into())
}

fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    let mut builder = tempfile::Builder::new();
    builder.prefix(".uniseg-").suffix(".partial");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        // As any new file: readable as the user's mask says, not by its owner alone.
        builder.permissions(std::fs::Permissions::from_mode(0o666));
    }
    let mut file = builder.tempfile_in(folder.unwrap_or(Path::new(".")))?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    file.persist(path).map_err(|error| error.error)?;
    Ok(())
}

fn manifest(model: &ModelProto) -> Result<Manifest, OnnxError> {
    let mut entries = model
        .metadata_props
        .iter()
        .filter(|entry| entry.key == MANIFEST_KEY);
    let first = entries
        .next()
        .ok_or(OnnxError::NoManifest { key: MANIFEST_KEY })?;
    match entries.count() {
        0 => Manifest::from_json(&first.value),
        more => Err(OnnxError::ManifestTwice {
            key: MANIFEST_KEY,
            count: more + 1,
        }),
    }
}

/// Refuses whatever would make the file depend on, or run, something that is not in it.
fn self_contained(model: &ModelProto) -> Result<(), OnnxError> {
    for (what, count) in [
        ("functions", model.functions.len()),
        ("training graphs", model.training_info.len()),
    ] {
        if count > 0 {
            return Err(OnnxError::Forbidden { what, count });
        }
    }
    /// Enough to see what is meant.
    const SHOWN: usize = 5;
    let sites = Sites::of(model)?;
    let imported = model
        .opset_import
        .iter()
        .filter(|set| !is_standard_domain(&set.domain))
        .map(|set| format!("{} (imported)", set.domain));
    let used = sites
        .nodes
        .iter()
        .filter(|site| !is_standard_domain(&site.node.domain))
        .map(|site| {
            format!(
                "{}::{} ({})",
                site.node.domain, site.node.op_type, site.place
            )
        });
    let operators: Vec<String> = used.chain(imported).take(SHOWN).collect();
    if !operators.is_empty() {
        return Err(OnnxError::UnknownDomain { operators });
    }
    let external: Vec<_> = sites
        .tensors
        .iter()
        .filter(|site| site.tensor.is_external())
        .collect();
    if !external.is_empty() {
        let places = external
            .iter()
            .take(SHOWN)
            .map(|site| site.place.clone())
            .collect();
        return Err(OnnxError::ExternalData {
            places,
            count: external.len(),
        });
    }
    Ok(())
}
