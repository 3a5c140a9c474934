//! What was tuned, remembered: one file for each artefact in the cache, a list for each machine.

use std::{
    collections::BTreeMap,
    fs,
    io::{self, Write},
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use crate::{ConvSearch, Device, LibraryError, Machine, Precision};

/// Version of the file's form; another one is not read.
const VERSION: u32 = 1;
/// Longest file read, in bytes.
const MAX_BYTES: u64 = 1 << 20;

/// A combination that computes an artefact rightly on a machine, and how fast.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Tuned {
    /// On what.
    pub device: Device,
    /// In which numbers.
    pub precision: Precision,
    /// With how many threads.
    pub threads: usize,
    /// Which of cuDNN's convolutions, on CUDA.
    pub conv_search: Option<ConvSearch>,
    /// Whether launches are recorded in a CUDA graph; files from before it was tried do not say.
    #[serde(default)]
    pub graph: bool,
    /// Whether normalisation is our own; files from before there was one do not say.
    #[serde(default)]
    pub own_norm: bool,
    /// The library of ONNX Runtime.
    pub library: PathBuf,
    /// The library's size in bytes and its version, to see that it was replaced.
    pub version: String,
    /// Median of a window's time in milliseconds.
    pub median_ms: f64,
}

impl Tuned {
    /// How it runs on CUDA, as in `heuristic, graph, own norm`; nothing elsewhere.
    pub fn on_cuda(&self) -> Option<String> {
        on_cuda(self.conv_search, self.graph, self.own_norm)
    }
}

/// The search of convolutions, whether launches are recorded, and whose normalisation it is.
pub(super) fn on_cuda(search: Option<ConvSearch>, graph: bool, own_norm: bool) -> Option<String> {
    let graph = if graph { ", graph" } else { "" };
    let norm = if own_norm { ", own norm" } else { "" };
    search.map(|search| format!("{search}{graph}{norm}"))
}

#[derive(Default, Serialize, Deserialize)]
struct File {
    version: u32,
    /// By [`Machine::id`].
    machines: BTreeMap<String, Vec<Tuned>>,
}

/// The folder of all that was tuned.
#[derive(Debug, Clone)]
pub struct Tunings {
    folder: PathBuf,
}

impl Tunings {
    /// Those in a cache folder.
    pub fn in_cache(cache: &Path) -> Tunings {
        Tunings {
            folder: cache.join("tuning"),
        }
    }

    /// What passed for the artefact with this digest on `machine`, and a note if the file is there
    /// and cannot be used: it is then as if nothing were remembered.
    pub fn recall(&self, weights_sha256: &str, machine: &Machine) -> (Vec<Tuned>, Option<String>) {
        let path = self.path(weights_sha256);
        match read(&path) {
            Ok(None) => (Vec::new(), None),
            Ok(Some(mut file)) => {
                let mut rows = file.machines.remove(&machine.id()).unwrap_or_default();
                rows.retain(|row| row.threads > 0 && row.median_ms >= 0.0);
                // Another library under the old name was never measured.
                rows.retain(|row| library_version(&row.library) == row.version);
                (rows, None)
            }
            Err(error) => {
                let note = format!(
                    "what was tuned is not used: {} cannot be read ({error}); `uniseg tune` makes \
                     it anew",
                    path.display()
                );
                (Vec::new(), Some(note))
            }
        }
    }

    /// Replaces what is remembered for one artefact on `machine`. The file changes as a whole or
    /// not at all.
    ///
    /// Errors: [`LibraryError::Cache`].
    pub fn remember(
        &self,
        weights_sha256: &str,
        machine: &Machine,
        rows: Vec<Tuned>,
    ) -> Result<PathBuf, LibraryError> {
        let path = self.path(weights_sha256);
        // A file that cannot be read is replaced.
        let mut file = read(&path).ok().flatten().unwrap_or_default();
        file.version = VERSION;
        file.machines.insert(machine.id(), rows);
        let failed = |source| LibraryError::Cache {
            act: "write",
            path: path.clone(),
            source,
        };
        fs::create_dir_all(&self.folder).map_err(failed)?;
        let mut temporary = tempfile::NamedTempFile::new_in(&self.folder).map_err(failed)?;
        let json = serde_json::to_vec_pretty(&file).map_err(|error| failed(error.into()))?;
        temporary.write_all(&json).map_err(failed)?;
        temporary.as_file().sync_all().map_err(failed)?;
        temporary
            .persist(&path)
            .map_err(|error| failed(error.error))?;
        Ok(path)
    }

    /// Digests of the artefacts that something is remembered for, in order.
    pub fn artefacts(&self) -> Vec<String> {
        let Ok(entries) = fs::read_dir(&self.folder) else {
            return Vec::new();
        };
        let mut digests: Vec<String> = entries
            .filter_map(Result::ok)
            .filter_map(|entry| entry.file_name().into_string().ok())
            .filter_map(|name| Some(name.strip_suffix(".json")?.to_owned()))
            .collect();
        digests.sort();
        digests
    }

    /// The file of an artefact; a digest has no characters that lead elsewhere.
    fn path(&self, weights_sha256: &str) -> PathBuf {
        let hex = |c: &char| c.is_ascii_hexdigit();
        let name: String = weights_sha256.chars().filter(hex).take(64).collect();
        self.folder.join(format!("{name}.json"))
    }
}

/// What tells one library from another under the same name.
pub(super) fn library_version(path: &Path) -> String {
    let size = fs::metadata(path).map_or(0, |file| file.len());
    let resolved = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let name = resolved.file_name().unwrap_or_default().to_string_lossy();
    format!("{name}, {size} bytes")
}

fn read(path: &Path) -> io::Result<Option<File>> {
    let size = match fs::metadata(path) {
        Ok(file) => file.len(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    if size > MAX_BYTES {
        return Err(io::Error::other(format!("it has {size} bytes")));
    }
    let file: File = serde_json::from_slice(&fs::read(path)?)?;
    if file.version != VERSION {
        return Err(io::Error::other(format!(
            "it is of version {}, this program knows {VERSION}",
            file.version
        )));
    }
    Ok(Some(file))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn machine(cores: usize) -> Machine {
        Machine {
            cpu: "a cpu".to_owned(),
            cores,
            features: Vec::new(),
            memory_bytes: None,
            gpus: Vec::new(),
        }
    }

    fn row(library: &Path) -> Tuned {
        Tuned {
            device: Device::Cuda(1),
            precision: Precision::Bf16,
            threads: 2,
            conv_search: Some(ConvSearch::Heuristic),
            graph: true,
            own_norm: false,
            library: library.to_owned(),
            version: library_version(library),
            median_ms: 3.25,
        }
    }

    #[test]
    fn what_is_remembered_is_for_one_artefact_and_one_machine() {
        let folder = tempfile::tempdir().unwrap();
        let library = folder.path().join("lib.so");
        fs::write(&library, "one").unwrap();
        let tunings = Tunings::in_cache(folder.path());
        assert_eq!(tunings.recall("ab", &machine(2)), (Vec::new(), None));
        let rows = vec![row(&library)];
        tunings.remember("ab", &machine(2), rows.clone()).unwrap();
        tunings.remember("ab", &machine(4), Vec::new()).unwrap();
        assert_eq!(tunings.recall("ab", &machine(2)), (rows, None));
        assert_eq!(tunings.recall("ab", &machine(3)), (Vec::new(), None));
        assert_eq!(tunings.recall("cd", &machine(2)), (Vec::new(), None));
        assert_eq!(tunings.artefacts(), ["ab"]);
        // The library was replaced.
        fs::write(&library, "another").unwrap();
        assert_eq!(tunings.recall("ab", &machine(2)), (Vec::new(), None));
    }

    #[test]
    fn a_row_that_tells_nothing_of_graphs_has_none() {
        let folder = tempfile::tempdir().unwrap();
        let tunings = Tunings::in_cache(folder.path());
        let library = folder.path().join("lib.so");
        let path = tunings
            .remember("ab", &machine(2), vec![row(&library)])
            .unwrap();
        let text = fs::read_to_string(&path).unwrap();
        let older = text.replace("\"graph\": true,", "");
        assert_ne!(older, text);
        fs::write(&path, older).unwrap();
        let mut expected = row(&library);
        expected.graph = false;
        assert_eq!(tunings.recall("ab", &machine(2)), (vec![expected], None));
    }

    #[test]
    fn a_file_that_cannot_be_read_is_noted_ignored_and_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let tunings = Tunings::in_cache(folder.path());
        let path = tunings.remember("ab", &machine(2), Vec::new()).unwrap();
        for text in ["{", "[]", r#"{"version": 9, "machines": {}}"#, ""] {
            fs::write(&path, text).unwrap();
            let (rows, note) = tunings.recall("ab", &machine(2));
            assert_eq!(rows, []);
            let note = note.unwrap();
            assert!(note.starts_with("what was tuned is not used"), "{note}");
        }
        tunings.remember("ab", &machine(2), Vec::new()).unwrap();
        assert_eq!(tunings.recall("ab", &machine(2)).1, None);
    }
}
