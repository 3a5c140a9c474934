//! What a file's name and first bytes tell about it.

use std::{
    ffi::OsStr,
    fs::File,
    io::{self, Read},
    path::{Path, PathBuf},
};

use super::{Flavour, InstallDamage, elf};

/// Oldest version whose C interface has what the engine is built against.
const OLDEST: [u32; 2] = [1, 22];

/// Why a file cannot be used as ONNX Runtime.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// It is a folder, or another thing that is no file.
    #[error("is not a file")]
    NotAFile,
    /// Its first bytes are not those of a library of this system.
    #[error("is not a shared library of this system")]
    NotALibrary,
    /// It is a library for another processor.
    #[error("is built for another processor")]
    OtherProcessor,
    /// It has less in it than its header says: it was cut short, by a copy that stopped, say.
    #[error("is cut short: it has {found} bytes, and its header speaks of {needed}")]
    CutShort {
        /// Bytes that its header speaks of.
        needed: u64,
        /// Bytes that it has.
        found: u64,
    },
    /// Its header makes no sense.
    #[error("is damaged: its header makes no sense")]
    BadHeader,
    /// It is a folder of this program's, and not what was installed into it.
    #[error("is incomplete: {damage}")]
    Incomplete {
        /// The first thing that is wrong.
        damage: InstallDamage,
    },
    /// It is too old.
    #[error("is version {found}, at least {} is needed", OLDEST.map(|n| n.to_string()).join("."))]
    TooOld {
        /// Its version.
        found: String,
    },
}

/// Whether a file has a name that ONNX Runtime's library has on some system.
pub(super) fn is_ort_name(name: &OsStr) -> bool {
    let Some(name) = name.to_str() else {
        return false;
    };
    match name.strip_prefix("libonnxruntime.") {
        Some(rest) if cfg!(target_os = "macos") => rest == "dylib" || rest.ends_with(".dylib"),
        Some(rest) => rest == "so" || rest.starts_with("so."),
        None => cfg!(windows) && name.eq_ignore_ascii_case("onnxruntime.dll"),
    }
}

/// The libraries in a folder, newest first; an unreadable folder has none.
pub(super) fn libraries_in(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return Vec::new();
    };
    let mut libraries: Vec<PathBuf> = entries
        .filter_map(Result::ok)
        .filter(|entry| is_ort_name(&entry.file_name()))
        .map(|entry| entry.path())
        .filter(|path| path.is_file())
        .collect();
    // Newest first; the plain name, usually a link to one of the others, comes last.
    libraries.sort_by_cached_key(|path| {
        (
            std::cmp::Reverse(version_in_name(path).map(|version| numbers(&version))),
            path.clone(),
        )
    });
    libraries
}

/// The version in the file's name, or in the name of what it is a link to.
pub(super) fn version_of(path: &Path) -> Option<String> {
    version_in_name(path).or_else(|| version_in_name(&path.canonicalize().ok()?))
}

fn version_in_name(path: &Path) -> Option<String> {
    let name = path
        .file_name()?
        .to_str()?
        .strip_prefix("libonnxruntime.")?;
    let version = match name.strip_prefix("so.") {
        Some(version) => version,
        None => name.strip_suffix(".dylib")?,
    };
    // `libonnxruntime.so.1` says which interface it has, not its version.
    let known = version.contains('.')
        && version
            .split('.')
            .all(|part| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit()));
    known.then(|| version.to_owned())
}

/// A version's numbers, for comparing.
pub(super) fn numbers(version: &str) -> Vec<u32> {
    version
        .split('.')
        .map_while(|part| part.parse().ok())
        .collect()
}

/// What the library can compute on, told by the providers beside it.
pub(super) fn flavour_of(path: &Path) -> Flavour {
    let folder = path.parent().unwrap_or(Path::new("."));
    let has = |provider: &str| {
        [
            "libonnxruntime_providers_*.so",
            "libonnxruntime_providers_*.dylib",
            "onnxruntime_providers_*.dll",
        ]
        .iter()
        .any(|name| folder.join(name.replace('*', provider)).is_file())
    };
    if has("cuda") {
        Flavour::Cuda
    } else if has("openvino") {
        Flavour::OpenVino
    } else {
        Flavour::Cpu
    }
}

/// Checks that a file is a library this machine can load, without loading it; see [`elf`] for what
/// that cannot tell.
///
/// Errors: it cannot be read.
pub(super) fn problem_of(path: &Path, version: Option<&str>) -> io::Result<Option<Problem>> {
    let mut file = File::open(path)?;
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Ok(Some(Problem::NotAFile));
    }
    let mut head = Vec::new();
    (&mut file).take(20).read_to_end(&mut head)?;
    if !is_library(&head) {
        return Ok(Some(Problem::NotALibrary));
    }
    if machine(&head)
        .zip(this_machine())
        .is_some_and(|(found, wanted)| found != wanted)
    {
        return Ok(Some(Problem::OtherProcessor));
    }
    if let Some(problem) = elf::damage(&mut file, metadata.len())? {
        return Ok(Some(problem));
    }
    let too_old = version.filter(|version| numbers(version) < OLDEST.to_vec());
    Ok(too_old.map(|found| Problem::TooOld {
        found: found.to_owned(),
    }))
}

fn is_library(head: &[u8]) -> bool {
    if cfg!(target_os = "macos") {
        head.starts_with(&[0xcf, 0xfa, 0xed, 0xfe]) || head.starts_with(&[0xca, 0xfe, 0xba, 0xbe])
    } else if cfg!(windows) {
        head.starts_with(b"MZ")
    } else {
        head.starts_with(b"\x7fELF")
    }
}

/// The processor an ELF file is built for, by ELF's number.
fn machine(head: &[u8]) -> Option<u16> {
    match head {
        [0x7f, b'E', b'L', b'F', ..] => Some(u16::from_le_bytes([*head.get(18)?, *head.get(19)?])),
        _ => None,
    }
}

fn this_machine() -> Option<u16> {
    match std::env::consts::ARCH {
        "x86_64" => Some(62),
        "aarch64" => Some(183),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_from_names() {
        let version = |name: &str| version_in_name(Path::new(name));
        assert_eq!(
            version("/x/libonnxruntime.so.1.32.0").as_deref(),
            Some("1.32.0")
        );
        assert_eq!(
            version("libonnxruntime.1.32.0.dylib").as_deref(),
            Some("1.32.0")
        );
        for name in [
            "libonnxruntime.so",
            "libonnxruntime.so.1",
            "onnxruntime.dll",
            "x.so.1.2",
        ] {
            assert_eq!(version(name), None, "{name}");
        }
        assert!(numbers("1.9.0") < numbers("1.22.0"));
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn only_the_library_itself_has_its_name() {
        for name in ["libonnxruntime.so", "libonnxruntime.so.1.32.0"] {
            assert!(is_ort_name(OsStr::new(name)), "{name}");
        }
        for name in [
            "libonnxruntime_providers_shared.so",
            "libonnxruntime.txt",
            "onnxruntime.so",
        ] {
            assert!(!is_ort_name(OsStr::new(name)), "{name}");
        }
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn a_library_is_told_by_its_first_bytes() {
        let folder = tempfile::tempdir().unwrap();
        let probe = |bytes: &[u8]| {
            let path = folder.path().join("f");
            std::fs::write(&path, bytes).unwrap();
            problem_of(&path, None).unwrap()
        };
        let whole = elf::shortest();
        let mut other = whole.clone();
        other[18..20].copy_from_slice(&[0xf3, 0]);
        assert_eq!(probe(&whole), None);
        let cut = Problem::CutShort {
            needed: 120,
            found: 100,
        };
        assert_eq!(probe(&whole[..100]), Some(cut));
        if this_machine().is_some() {
            assert_eq!(probe(&other), Some(Problem::OtherProcessor));
        }
        assert_eq!(probe(b"#!/bin/sh\n"), Some(Problem::NotALibrary));
        assert_eq!(probe(b""), Some(Problem::NotALibrary));
        assert_eq!(
            problem_of(folder.path(), None).unwrap(),
            Some(Problem::NotAFile)
        );
        let text = Problem::TooOld {
            found: "1.9.0".into(),
        }
        .to_string();
        assert_eq!(text, "is version 1.9.0, at least 1.22 is needed");
    }
}
