//! Weights that OpenVINO reads where they lie: in the artefact's file.
//!
//! OpenVINO packs weights in an order of its own and keeps what it was given beside that as long as
//! a session lives: all weights once more, 128 MB of the paper's network. ONNX Runtime hands it a
//! place in a file instead of bytes if that is where weights are (ONNX's external data); OpenVINO
//! maps that file, and pages of a mapped file can be let go. Should anybody look at them again,
//! the system reads them again.
//!
//! What is handed over are the bytes that were checked: they are compared with the file before a
//! session is opened, and whether that is still the same file afterwards. Otherwise weights are
//! handed over with the graph. A file that is replaced later stays what it was for those who have it
//! open; one that is written over is found out after the next run. A graph that takes any number of
//! windows has its weights packed in its first run, where nothing would be gained: it gets them, too.

mod mapped;

use std::{
    fs::File,
    io::{self, Read, Seek, SeekFrom},
    ops::{Deref, DerefMut},
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use ::ort::session::{Session, builder::SessionBuilder};
use uniseg_onnx::{
    Bytes,
    proto::{DataLocation, StringStringEntryProto, TensorProto},
};

use crate::{
    RuntimeError,
    model::{LEAST_TOGETHER, LEAST_WEIGHT, WeightsFile},
};
use mapped::{Identity, let_go};

/// ONNX Runtime's setting for where external data lies of a model that is opened from memory.
const FOLDER: &str = "session.model_external_initializers_file_folder_path";

/// Held while sessions that have weights in files are opened and closed, so that no pages are let go
/// of what has taken the place of a mapping.
static MAPPINGS: Mutex<()> = Mutex::new(());

fn mappings() -> MutexGuard<'static, ()> {
    MAPPINGS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A graph whose large weights are in a file.
pub(super) struct InFile {
    /// The graph without them.
    graph: Bytes,
    folder: String,
    file: KnownFile,
}

/// A file as it was when it was compared.
#[derive(Debug, Clone)]
pub(super) struct KnownFile {
    /// Absolute, without links.
    path: PathBuf,
    file: Arc<File>,
    identity: Identity,
}

impl KnownFile {
    /// Whether it was not written over since.
    ///
    /// Errors: [`RuntimeError::ModelChanged`].
    pub(super) fn check(&self) -> Result<(), RuntimeError> {
        self.is(Identity::of(&self.file))
    }

    fn is(&self, now: io::Result<Identity>) -> Result<(), RuntimeError> {
        match now {
            Ok(now) if now == self.identity => Ok(()),
            _ => Err(RuntimeError::ModelChanged {
                path: self.path.clone(),
            }),
        }
    }
}

impl InFile {
    /// The graph `bytes` with those weights left in their file that lie there now; nothing if that is
    /// not worth it, or the file is not what it was, or cannot be named in a graph.
    pub(super) fn of(bytes: &Bytes, weights: &WeightsFile) -> Option<InFile> {
        // ONNX Runtime refuses links that lead out of the folder.
        let path = weights.path().canonicalize().ok()?;
        let folder = path.parent()?.to_str()?.to_owned();
        let name = path.file_name()?.to_str()?;
        let file = Arc::new(File::open(&path).ok()?);
        let identity = Identity::of(&file).ok()?;
        let mut model = uniseg_onnx::decode(bytes.clone()).ok()?;
        let mut left = 0;
        for weight in &mut model.graph.as_mut()?.initializer {
            let length = weight.raw_data.len();
            let Some(offset) = weights
                .offset(&weight.name)
                .filter(|_| length >= LEAST_WEIGHT)
            else {
                continue;
            };
            if !lies_at(&file, offset, &weight.raw_data).ok()? {
                return None;
            }
            refer(weight, name, offset);
            left += length as u64;
        }
        (left > LEAST_TOGETHER).then(|| InFile {
            graph: uniseg_onnx::encode(&model),
            folder,
            file: KnownFile {
                path,
                file,
                identity,
            },
        })
    }

    /// Opens a session, and lets go of the pages that its weights were packed from.
    ///
    /// Errors: ONNX Runtime's; the file was changed or replaced meanwhile.
    pub(super) fn commit(&self, builder: SessionBuilder) -> ::ort::Result<Closing> {
        let mut builder = builder.with_config_entry(FOLDER, &self.folder)?;
        let held = mappings();
        let session = builder.commit_from_memory(&self.graph)?;
        self.file
            .is(Identity::at(&self.file.path))
            .map_err(|changed| ::ort::Error::new(changed.to_string()))?;
        // A session that keeps them is as good, only larger.
        let _ = let_go(&self.file.path);
        drop(held);
        Ok(Closing {
            session: Some(session),
            file: Some(self.file.clone()),
        })
    }
}

/// Whether these bytes lie there.
fn lies_at(mut file: &File, offset: u64, bytes: &[u8]) -> io::Result<bool> {
    const AT_A_TIME: usize = 1 << 20;
    let mut buffer = vec![0; AT_A_TIME.min(bytes.len())];
    file.seek(SeekFrom::Start(offset))?;
    for bytes in bytes.chunks(AT_A_TIME) {
        let found = &mut buffer[..bytes.len()];
        file.read_exact(found)?;
        if found != bytes {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Has a weight say where it lies instead of holding it.
fn refer(weight: &mut TensorProto, name: &str, offset: u64) {
    let length = weight.raw_data.len();
    let entry = |key: &str, value: String| StringStringEntryProto {
        key: key.to_owned(),
        value,
    };
    weight.external_data = vec![
        entry("location", name.to_owned()),
        entry("offset", offset.to_string()),
        entry("length", length.to_string()),
    ];
    weight.data_location = DataLocation::External as i32;
    weight.raw_data = Bytes::new();
}

/// A session that unmaps its file, if it has one, only while no pages are let go.
pub(super) struct Closing {
    session: Option<Session>,
    file: Option<KnownFile>,
}

impl Closing {
    /// Where its weights lie, if not with it.
    pub(super) fn file(&self) -> Option<&KnownFile> {
        self.file.as_ref()
    }
}

impl From<Session> for Closing {
    fn from(session: Session) -> Closing {
        Closing {
            session: Some(session),
            file: None,
        }
    }
}

impl Drop for Closing {
    fn drop(&mut self) {
        let _held = self.file.as_ref().map(|_| mappings());
        self.session = None;
    }
}

impl Deref for Closing {
    type Target = Session;

    fn deref(&self) -> &Session {
        match &self.session {
            Some(session) => session,
            None => unreachable!("a session is there until it is closed"),
        }
    }
}

impl DerefMut for Closing {
    fn deref_mut(&mut self) -> &mut Session {
        match &mut self.session {
            Some(session) => session,
            None => unreachable!("a session is there until it is closed"),
        }
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests;
