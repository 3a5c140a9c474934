//! Where ONNX Runtime's shared library is, and how it gets there.
//!
//! Looked for in this order: `--ort-lib`, `ORT_DYLIB_PATH`, this project's cache, an installed
//! Python wheel, the system. The first two are what a user asked for: if they cannot be used, that
//! is an error, not a reason to look further. What is merely found is passed over if it is damaged,
//! too old or made for another machine.
//!
//! [`install_ort`] fills the cache from a pinned wheel of the Python package index, fetched with
//! `pip` so that mirrors and proxies that are set up for it are used, and checked by its digest
//! before anything in it is touched.
//!
//! Nothing here loads the library: that is [`crate::open_engine`]'s part.

mod cache;
mod cuda;
mod digest;
mod elf;
mod error;
mod install;
mod needed;
mod pins;
mod probe;
mod provider;
mod python;
mod search;
mod unpack;

use std::{
    fmt,
    path::{Path, PathBuf},
};

pub use cache::InstallDamage;
pub use cuda::{CudaLibrary, find_cuda_libraries};
pub use error::LibraryError;
pub use install::InstallStep;
pub use needed::missing_libraries;
pub use probe::Problem;
pub(crate) use provider::damaged_part;
pub use search::Surroundings;

/// A shared library of ONNX Runtime on this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrtLibrary {
    path: PathBuf,
    source: LibrarySource,
    version: Option<String>,
    flavour: Flavour,
}

impl OrtLibrary {
    /// The file; the folder, if that is [`Problem::Incomplete`].
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// How it was found.
    pub fn source(&self) -> LibrarySource {
        self.source
    }

    /// Its version, as far as its name tells.
    pub fn version(&self) -> Option<&str> {
        self.version.as_deref()
    }

    /// What it can compute on, as far as the files beside it tell.
    pub fn flavour(&self) -> Flavour {
        self.flavour
    }
}

/// How a library was found, in the order of preference.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LibrarySource {
    /// Named on the command line.
    Flag,
    /// Named by `ORT_DYLIB_PATH`.
    Environment,
    /// Installed by this program.
    Cache,
    /// Part of an installed Python package.
    PythonWheel,
    /// Where the system keeps its libraries.
    System,
}

impl fmt::Display for LibrarySource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Flag => "--ort-lib",
            Self::Environment => "ORT_DYLIB_PATH",
            Self::Cache => "cache",
            Self::PythonWheel => "python wheel",
            Self::System => "system",
        })
    }
}

/// What a library can compute on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Flavour {
    /// The processor.
    Cpu,
    /// NVIDIA's cards as well.
    Cuda,
    /// The processor and Intel's cards, through OpenVINO.
    OpenVino,
}

impl Flavour {
    /// The command that installs a library of this flavour.
    pub fn install_command(self) -> &'static str {
        match self {
            Self::Cpu => "uniseg runtime install",
            Self::Cuda => "uniseg runtime install --cuda",
            Self::OpenVino => "uniseg runtime install --openvino",
        }
    }
}

impl fmt::Display for Flavour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Cpu => "cpu",
            Self::Cuda => "cuda",
            Self::OpenVino => "openvino",
        })
    }
}

/// A library that was found, and why it is passed over if it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// The library.
    pub library: OrtLibrary,
    /// Why it cannot be used.
    pub problem: Option<Problem>,
}

impl Candidate {
    /// Why it cannot be used and what helps, as in `is not a file; ...`; nothing if it can be.
    pub fn why_not(&self) -> Option<String> {
        let problem = self.problem.as_ref()?;
        let installs = match self.library.source {
            LibrarySource::Cache => "installs it anew",
            _ => "installs one that fits",
        };
        let command = self.library.flavour.install_command();
        Some(format!("{problem}; `{command}` {installs}"))
    }

    /// The same candidate, with a problem if a file that was installed with it has other bytes by
    /// now. Reads all of them, a second for the largest builds.
    pub fn with_content_checked(mut self) -> Candidate {
        let damage = self
            .problem
            .is_none()
            .then(|| cache::damage_around(&self.library.path));
        if let Some(damage) = damage.flatten() {
            self.problem = Some(Problem::Incomplete { damage });
            self.library.path.pop();
        }
        self
    }
}

/// Finds the library to use; `explicit` is what `--ort-lib` said.
///
/// Errors: [`LibraryError::Missing`] and [`LibraryError::NotALibrary`] if a library was asked for,
/// by `explicit` or by `ORT_DYLIB_PATH`, and cannot be used.
pub fn find_ort(explicit: Option<&Path>) -> Result<Option<OrtLibrary>, LibraryError> {
    Surroundings::of_this_process().find(explicit)
}

/// Finds the library to use for one device: the one that was asked for, whatever it can do, else
/// the first usable one of that device's flavour.
///
/// Errors: those of [`find_ort`].
pub fn find_ort_for(
    flavour: Flavour,
    explicit: Option<&Path>,
) -> Result<Option<OrtLibrary>, LibraryError> {
    Surroundings::of_this_process().find_for(flavour, explicit)
}

/// The first library for a device's flavour that is found and cannot be used, to say why there is
/// none; the processor's may be of any flavour.
pub(crate) fn unusable_ort(flavour: Flavour) -> Option<Candidate> {
    Surroundings::of_this_process().unusable(flavour)
}

/// What is missing of the installation that `library` belongs to, by the sizes of its files; nothing
/// if this program did not install it.
pub(crate) fn incomplete_around(library: &Path) -> Option<InstallDamage> {
    cache::incomplete_around(library)
}

/// What is wrong with the installation that `library` belongs to, by the bytes of all its files;
/// nothing if this program did not install it.
pub(crate) fn damage_around(library: &Path) -> Option<InstallDamage> {
    cache::damage_around(library)
}

/// Why ONNX Runtime must not be loaded from `path`, as far as its file tells.
///
/// Errors: it cannot be read.
pub(crate) fn problem_of_ort(path: &Path) -> std::io::Result<Option<Problem>> {
    probe::problem_of(path, None)
}

/// For what the complete installations in the cache are, each once.
pub(crate) fn installed_flavours() -> Vec<Flavour> {
    let cache = cache_folder();
    let mut found = cache.as_deref().map(cache::flavours).unwrap_or_default();
    found.dedup();
    found
}

/// The folder this program keeps downloads and tunings in: `UNISEG_CACHE`, else a folder in the
/// user's cache; none if there is neither.
pub fn cache_folder() -> Option<PathBuf> {
    Surroundings::of_this_process().cache
}

/// All libraries on this machine, the one [`find_ort`] would choose being the first without a
/// problem.
///
/// Errors: those of [`find_ort`].
pub fn list_ort(explicit: Option<&Path>) -> Result<Vec<Candidate>, LibraryError> {
    Surroundings::of_this_process().list(explicit)
}

/// Installs a pinned library into the cache; if it is there and every file has the bytes that were
/// installed, only says so. What is damaged is replaced.
///
/// Errors: what stands in the way, with the remedy; nothing half-installed is ever found later.
pub fn install_ort(
    flavour: Flavour,
    progress: &mut dyn FnMut(InstallStep<'_>),
) -> Result<OrtLibrary, LibraryError> {
    Surroundings::of_this_process().install(flavour, progress)
}
