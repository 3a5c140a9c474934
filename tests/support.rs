//! What the tests share. Only these files know how things are found, made and started.

pub mod artefacts;
pub mod chain;
pub mod compare;
pub mod golden;
pub mod ort;
pub mod program;
pub mod python;

pub use golden::{Golden, golden};
pub use program::{Run, uniseg};

use std::path::{Path, PathBuf};

/// Where tests keep what is worth keeping from one run to the next.
pub fn kept(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::create_dir_all(&folder)
        .unwrap_or_else(|error| panic!("cannot make {}: {error}", folder.display()));
    folder
}

/// The names in a folder, sorted; none if there is no such folder.
pub fn names_in(folder: &Path) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return Vec::new();
    };
    let mut names: Vec<String> = entries
        .map(|entry| {
            entry
                .expect("a readable folder")
                .file_name()
                .to_string_lossy()
                .into_owned()
        })
        .collect();
    names.sort();
    names
}
