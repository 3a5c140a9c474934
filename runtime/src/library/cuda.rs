//! Whether CUDA's own libraries are where the loader looks.

use std::path::{Path, PathBuf};

use serde::Serialize;

use super::search::system_folders;

/// What ONNX Runtime's CUDA provider loads, as 1.31 does: the driver's part, CUDA's and cuDNN's.
const NAMES: [&str; 6] = [
    "libcuda",
    "libcudart",
    "libcublas",
    "libcublasLt",
    "libcurand",
    "libcudnn",
];

/// One of CUDA's libraries.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CudaLibrary {
    /// Its name without an ending.
    pub name: &'static str,
    /// The first file where the loader looks, whatever its version.
    pub path: Option<PathBuf>,
}

/// Looks for CUDA's libraries where the system's loader does: `LD_LIBRARY_PATH`, its configuration
/// and the usual folders.
///
/// Python's wheels of them (`nvidia-cudnn-cu12` and the like) are not found: the loader does not
/// find them either, unless their folders are on its path.
pub fn find_cuda_libraries() -> Vec<CudaLibrary> {
    find(&system_folders())
}

fn find(folders: &[PathBuf]) -> Vec<CudaLibrary> {
    let first = |name: &str| folders.iter().find_map(|folder| in_folder(folder, name));
    NAMES
        .iter()
        .map(|name| CudaLibrary {
            name,
            path: first(name),
        })
        .collect()
}

/// `name.so`, or `name.so.` and a version; the same on every machine if there are several.
fn in_folder(folder: &Path, name: &str) -> Option<PathBuf> {
    let entries = std::fs::read_dir(folder).ok()?;
    let fits = |file: &str| {
        let rest = file
            .strip_prefix(name)
            .and_then(|rest| rest.strip_prefix(".so"));
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    };
    entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| {
            path.file_name()
                .is_some_and(|file| fits(&file.to_string_lossy()))
        })
        .max()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_library_is_found_by_its_name_whatever_its_version() {
        let folder = tempfile::tempdir().unwrap();
        for name in [
            "libcublasLt.so.12",
            "libcudnn.so.9.1",
            "libcudnn.so.9",
            "libcudart.a",
        ] {
            std::fs::write(folder.path().join(name), b"").unwrap();
        }
        let found = find(&["/nowhere".into(), folder.path().to_owned()]);
        let found: Vec<(&str, Option<String>)> = found
            .iter()
            .filter(|library| library.path.is_some())
            .map(|library| {
                let file = library.path.as_deref().and_then(Path::file_name);
                (
                    library.name,
                    file.map(|file| file.to_string_lossy().into_owned()),
                )
            })
            .collect();
        assert_eq!(
            found,
            [
                ("libcublasLt", Some("libcublasLt.so.12".to_owned())),
                ("libcudnn", Some("libcudnn.so.9.1".to_owned()))
            ]
        );
    }
}
