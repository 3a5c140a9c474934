//! Files that are either whole or not there, and the folders that they lie in.

use std::path::Path;

use anyhow::Context;

/// Writes `bytes` into a temporary file beside `path`, then renames it.
///
/// The bytes reach the disk before the name does, so a full disk, a crash or a kill leaves either
/// the old file or none. The folder must exist.
pub(crate) fn write(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    uniseg_imaging::write_atomically(path, false, |out| out.write_all(bytes))
        .with_context(|| format!("cannot write {}", path.display()))
}

/// Makes a folder and those above it, if need be.
pub(crate) fn make_folder(folder: &Path) -> anyhow::Result<()> {
    std::fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_file_is_replaced_and_nothing_else_is_left() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.json");
        for text in ["old", "new"] {
            super::write(&path, text.as_bytes()).unwrap();
            assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
        }
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
        let error = super::write(&folder.path().join("no/x"), b"").unwrap_err();
        assert!(error.to_string().starts_with("cannot write"), "{error}");
    }
}
