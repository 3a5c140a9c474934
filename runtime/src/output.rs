//! Results on disk: labels first, then statistics, each complete or not there at all.

use std::{
    io::{self, BufWriter, Write},
    path::Path,
};

use tempfile::{Builder, NamedTempFile};
use uniseg_imaging::NiftiHeader;

use crate::{RuntimeError, Segmentation, Statistics};

/// Writes the label map of `segmentation` to `path`, with the geometry of `like`.
///
/// The file is complete or absent: it is written beside its place and then renamed.
/// Errors: [`RuntimeError::WriteLabels`].
pub fn write_labels(
    segmentation: &Segmentation,
    like: &NiftiHeader,
    path: &Path,
) -> Result<(), RuntimeError> {
    uniseg_imaging::write_labels(path, &segmentation.labels, like)
        .map_err(|source| RuntimeError::WriteLabels { source })
}

/// Writes `statistics` to `path` as JSON; the file is complete or absent.
///
/// Errors: [`RuntimeError::WriteStatistics`].
pub fn write_statistics(statistics: &Statistics, path: &Path) -> Result<(), RuntimeError> {
    replace(path, |file| {
        let mut file = BufWriter::new(file);
        serde_json::to_writer_pretty(&mut file, statistics)?;
        file.write_all(b"\n")?;
        file.flush()
    })
    .map_err(|source| RuntimeError::WriteStatistics {
        path: path.to_owned(),
        source,
    })
}

/// Writes to a temporary file in the folder of `path` and renames it to `path` at the end.
fn replace(
    path: &Path,
    write: impl FnOnce(&mut NamedTempFile) -> io::Result<()>,
) -> io::Result<()> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let mut builder = Builder::new();
    // A temporary file is private; the result gets the permissions of any other new file.
    #[cfg(unix)]
    {
        use std::{fs::Permissions, os::unix::fs::PermissionsExt};
        builder.permissions(Permissions::from_mode(0o666));
    }
    let mut file = builder.prefix(".uniseg-").tempfile_in(folder)?;
    write(&mut file)?;
    file.as_file().sync_all()?;
    file.persist(path)?;
    Ok(())
}
