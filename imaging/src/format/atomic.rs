//! Files that are either whole or not there.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;

/// Writes through `fill` into a temporary file beside `path`, then renames it.
///
/// The bytes reach the disk before the name does, so a full disk, a crash or a kill leaves either
/// the old file or none. `gzip` compresses on the way; the same bytes in give the same bytes out.
pub(crate) fn write_atomically(
    path: &Path,
    gzip: bool,
    fill: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> io::Result<()> {
    let folder = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let mut builder = tempfile::Builder::new();
    builder.prefix(".uniseg-").suffix(".tmp");
    #[cfg(unix)]
    {
        // tempfile's default of 0600 is for secrets; a result is readable as the umask allows.
        use std::os::unix::fs::PermissionsExt;
        builder.permissions(std::fs::Permissions::from_mode(0o666));
    }
    let temporary = builder.tempfile_in(folder)?;
    let buffered = BufWriter::with_capacity(1 << 16, temporary.as_file());
    let buffered = if gzip {
        let mut encoder = GzEncoder::new(buffered, Compression::new(6));
        fill(&mut encoder)?;
        encoder.finish()?
    } else {
        let mut plain = buffered;
        fill(&mut plain)?;
        plain
    };
    buffered
        .into_inner()
        .map_err(io::IntoInnerError::into_error)?
        .sync_all()?;
    temporary.persist(path).map_err(|failure| failure.error)?;
    sync_folder(folder);
    Ok(())
}

/// Asks for the new name to be durable too. The file is complete either way, and some file
/// systems refuse to sync a folder, so a refusal is not an error.
fn sync_folder(folder: &Path) {
    if let Ok(handle) = File::open(folder) {
        let _ = handle.sync_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_fill_leaves_nothing_and_keeps_the_old_file() -> io::Result<()> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("x.nii.gz");
        std::fs::write(&path, b"old")?;
        for gzip in [false, true] {
            let failed = write_atomically(&path, gzip, |out| {
                out.write_all(&[7; 100_000])?;
                Err(io::Error::from(io::ErrorKind::StorageFull))
            });
            assert!(failed.is_err());
            assert_eq!(std::fs::read(&path)?, b"old");
            assert_eq!(std::fs::read_dir(folder.path())?.count(), 1);
        }
        Ok(())
    }
}
