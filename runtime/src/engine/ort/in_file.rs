//! Weights that OpenVINO reads where they lie: in the artefact's file.
//!
//! OpenVINO packs weights in an order of its own and keeps what it was given beside that as long as
//! a session lives: all weights once more, 128 MB of the paper's network. ONNX Runtime hands it a
//! place in a file instead of bytes if that is where weights are (ONNX's external data); OpenVINO
//! maps that file, and pages of a mapped file can be let go. Should anybody look at them again,
//! the system reads them again.
//!
//! What is handed over are the bytes that were checked: they are compared with the file before a
//! session is opened, and whether it is still the same file afterwards. Otherwise weights are handed
//! over with the graph.

mod mapped;

use std::{
    fs::File,
    io::{self, Read, Seek, SeekFrom},
    ops::{Deref, DerefMut},
    path::PathBuf,
    sync::{Mutex, MutexGuard, PoisonError},
};

use ::ort::session::{Session, builder::SessionBuilder};
use uniseg_onnx::{
    Bytes,
    proto::{DataLocation, StringStringEntryProto, TensorProto},
};

use crate::model::WeightsFile;
use mapped::Identity;

/// Smaller ones stay in the graph: most are parameters that operations read as they are.
const LEAST_WEIGHT: usize = 64 << 10;

/// ONNX Runtime's setting for where external data lies of a model that is opened from memory.
const FOLDER: &str = "session.model_external_initializers_file_folder_path";

/// Held while sessions of this module map and unmap files, so that no pages are let go of what has
/// taken the place of a mapping.
static MAPPINGS: Mutex<()> = Mutex::new(());

fn mappings() -> MutexGuard<'static, ()> {
    MAPPINGS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A graph whose large weights are in a file.
pub(super) struct InFile {
    /// The graph without them.
    graph: Bytes,
    path: PathBuf,
    folder: String,
    identity: Identity,
}

impl InFile {
    /// The graph `bytes` with those weights left in `file` that lie there now; nothing if that is
    /// not worth it, or the file is not what it was, or cannot be named in a graph.
    pub(super) fn of(bytes: &Bytes, file: &WeightsFile) -> Option<InFile> {
        // ONNX Runtime refuses links that lead out of the folder.
        let path = file.path().canonicalize().ok()?;
        let folder = path.parent()?.to_str()?.to_owned();
        let name = path.file_name()?.to_str()?;
        let mut opened = File::open(&path).ok()?;
        let identity = Identity::of(&opened).ok()?;
        let mut model = uniseg_onnx::decode(bytes.clone()).ok()?;
        let mut left = 0;
        for weight in &mut model.graph.as_mut()?.initializer {
            let length = weight.raw_data.len();
            let Some(offset) = file.offset(&weight.name).filter(|_| length >= LEAST_WEIGHT) else {
                continue;
            };
            if !lies_at(&mut opened, offset, &weight.raw_data).ok()? {
                return None;
            }
            refer(weight, name, offset);
            left += length as u64;
        }
        (left > WeightsFile::LEAST).then(|| InFile {
            graph: uniseg_onnx::encode(&model),
            path,
            folder,
            identity,
        })
    }

    /// Opens a session, and lets go of the pages that its weights were packed from.
    ///
    /// Errors: ONNX Runtime's; the file was changed or replaced meanwhile.
    pub(super) fn commit(&self, builder: SessionBuilder) -> ::ort::Result<Closing> {
        let mut builder = builder.with_config_entry(FOLDER, &self.folder)?;
        let held = mappings();
        let session = builder.commit_from_memory(&self.graph)?;
        let still = File::open(&self.path).and_then(|file| Identity::of(&file));
        if !still.is_ok_and(|still| still == self.identity) {
            return Err(::ort::Error::new("the file of the weights was changed"));
        }
        // A session that keeps them is as good, only larger.
        let _ = self.identity.let_go();
        drop(held);
        Ok(Closing(Some(session)))
    }
}

/// Whether these bytes lie there.
fn lies_at(file: &mut File, offset: u64, bytes: &[u8]) -> io::Result<bool> {
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
pub(super) struct Closing(Option<Session>);

impl From<Session> for Closing {
    fn from(session: Session) -> Closing {
        Closing(Some(session))
    }
}

impl Drop for Closing {
    fn drop(&mut self) {
        let _held = mappings();
        self.0 = None;
    }
}

impl Deref for Closing {
    type Target = Session;

    fn deref(&self) -> &Session {
        match &self.0 {
            Some(session) => session,
            None => unreachable!("a session is there until it is closed"),
        }
    }
}

impl DerefMut for Closing {
    fn deref_mut(&mut self) -> &mut Session {
        match &mut self.0 {
            Some(session) => session,
            None => unreachable!("a session is there until it is closed"),
        }
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests;
