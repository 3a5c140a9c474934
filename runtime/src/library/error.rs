//! What can go wrong with finding and installing ONNX Runtime.

use std::{io, path::PathBuf};

use super::{Flavour, probe::Problem};

/// A failed act on ONNX Runtime's library.
#[derive(Debug, thiserror::Error)]
pub enum LibraryError {
    /// The library that was asked for cannot be read.
    #[error("cannot read the library {} that {asked_by} names", path.display())]
    Missing {
        /// The library.
        path: PathBuf,
        /// `--ort-lib` or `ORT_DYLIB_PATH`.
        asked_by: &'static str,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The file that was asked for is no library for this machine.
    #[error("cannot use {} that {asked_by} names: it {problem}", path.display())]
    NotALibrary {
        /// The file.
        path: PathBuf,
        /// `--ort-lib` or `ORT_DYLIB_PATH`.
        asked_by: &'static str,
        /// What it is instead.
        problem: Problem,
    },
    /// There is nowhere to install to.
    #[error("there is no folder to install into: set UNISEG_CACHE to one")]
    NoCache,
    /// No wheel is pinned for this machine.
    #[error(
        "there is no {flavour} build of ONNX Runtime for {os} on {arch} to install: \
         install one yourself and name it with --ort-lib"
    )]
    NoBuild {
        /// Build asked for.
        flavour: Flavour,
        /// Operating system.
        os: &'static str,
        /// Processor.
        arch: &'static str,
    },
    /// There is no Python.
    #[error(
        "cannot run {}, which fetches ONNX Runtime: install Python 3 with pip, or name a library \
         with --ort-lib", program.display()
    )]
    NoPython {
        /// The program.
        program: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Python has no pip.
    #[error("{} has no pip: install it (python3 -m ensurepip)", program.display())]
    NoPip {
        /// The Python.
        program: PathBuf,
    },
    /// pip could not fetch the wheel.
    #[error(
        "pip cannot fetch {requirement} ({reason}): check the network or pip's index settings, or \
         name a library with --ort-lib"
    )]
    Download {
        /// What was to be fetched.
        requirement: String,
        /// The last thing pip said.
        reason: String,
    },
    /// pip fetched something else.
    #[error("pip fetched {found:?} where {expected} was asked for")]
    OtherWheel {
        /// The pinned wheel.
        expected: String,
        /// Files found.
        found: Vec<String>,
    },
    /// The wheel is not the one that was pinned.
    #[error(
        "the wheel {wheel} has sha256 {found} where {expected} is pinned: \
         it was changed on the way and is not used"
    )]
    Digest {
        /// The wheel.
        wheel: String,
        /// Digest pinned.
        expected: String,
        /// Digest found.
        found: String,
    },
    /// The wheel cannot be unpacked.
    #[error("cannot unpack {wheel}")]
    Unpack {
        /// The wheel.
        wheel: String,
        /// Why.
        #[source]
        source: zip::result::ZipError,
    },
    /// The wheel holds more than a library's worth of data.
    #[error("{wheel} unpacks to more than {limit} bytes")]
    TooLarge {
        /// The wheel.
        wheel: String,
        /// Most bytes allowed.
        limit: u64,
    },
    /// The wheel has no ONNX Runtime in it.
    #[error("there is no ONNX Runtime library in {wheel}")]
    NoLibrary {
        /// The wheel.
        wheel: String,
    },
    /// The cache cannot be written or read.
    #[error("cannot {act} {}", path.display())]
    Cache {
        /// What was being done.
        act: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
}

impl LibraryError {
    /// For `map_err`: an error of the file system, with what was being done to what.
    pub(super) fn cache(
        act: &'static str,
        path: impl Into<PathBuf>,
    ) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Cache { act, path, source }
    }
}
