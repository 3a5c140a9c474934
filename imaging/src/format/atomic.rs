//! Files that are either whole or not there.

mod leftovers;

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use flate2::Compression;
use flate2::write::GzEncoder;
use tempfile::NamedTempFile;

/// How the names of temporary files begin and end: hidden, so that nobody takes them for images.
const PREFIX: &str = ".uniseg-";
const SUFFIX: &str = ".tmp";

/// Temporary files that are being written.
static IN_FLIGHT: Mutex<BTreeSet<PathBuf>> = Mutex::new(BTreeSet::new());

fn in_flight() -> MutexGuard<'static, BTreeSet<PathBuf>> {
    IN_FLIGHT.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Removes every temporary file that this process is writing, and keeps it from ever starting or
/// finishing another: for a process that is about to end while other threads still write.
///
/// What was renamed is complete and stays. A thread that writes now waits until the process ends.
pub fn abandon_writes() {
    let mut files = in_flight();
    for file in std::mem::take(&mut *files) {
        // It may be gone already; there is nobody left to tell.
        let _ = std::fs::remove_file(file);
    }
    // Nobody gets this lock again.
    std::mem::forget(files);
}

/// Writes through `fill` into a temporary file beside `path`, then renames it.
///
/// The bytes reach the disk before the name does, so a full disk, a crash or a kill leaves either
/// the old file or none. `gzip` compresses on the way; the same bytes in give the same bytes out.
/// What a killed process left in the folder is removed, see [`leftovers`].
pub fn write_atomically(
    path: &Path,
    gzip: bool,
    fill: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> io::Result<()> {
    let unfinished = Unfinished::beside(path)?;
    fill_and_sync(unfinished.file()?, gzip, fill)?;
    unfinished.finish(path)
}

/// A temporary file that is being written; gone when this is dropped.
#[derive(Debug)]
pub(super) struct Unfinished(Option<NamedTempFile>);

impl Unfinished {
    /// An empty one in the folder of `path`, known to [`abandon_writes`].
    pub(super) fn beside(path: &Path) -> io::Result<Self> {
        let folder = folder_of(path);
        leftovers::remove_once(folder);
        let mut builder = tempfile::Builder::new();
        builder.prefix(leftovers::prefix()).suffix(SUFFIX);
        #[cfg(unix)]
        {
            // tempfile's default of 0600 is for secrets; a result is readable as the umask allows.
            use std::os::unix::fs::PermissionsExt;
            builder.permissions(std::fs::Permissions::from_mode(0o666));
        }
        // Made and noted at once, so that no file is made that [`abandon_writes`] does not know.
        let mut files = in_flight();
        loop {
            let temporary = builder.tempfile_in(folder)?;
            if leftovers::is_claimed(&temporary) {
                files.insert(temporary.path().to_path_buf());
                return Ok(Self(Some(temporary)));
            }
        }
    }

    /// The file itself.
    ///
    /// Errors: none before it was finished.
    pub(super) fn file(&self) -> io::Result<&File> {
        let temporary = self.0.as_ref().ok_or(io::ErrorKind::NotFound)?;
        Ok(temporary.as_file())
    }

    /// Gives the file its name. Its bytes must be on the disk.
    pub(super) fn finish(mut self, path: &Path) -> io::Result<()> {
        let temporary = self.0.take().ok_or(io::ErrorKind::NotFound)?;
        let mut files = in_flight();
        files.remove(temporary.path());
        temporary.persist(path).map_err(|failure| failure.error)?;
        drop(files);
        sync_folder(folder_of(path));
        Ok(())
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        if let Some(temporary) = self.0.take() {
            in_flight().remove(temporary.path());
        }
    }
}

fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

fn fill_and_sync(
    file: &File,
    gzip: bool,
    fill: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> io::Result<()> {
    let buffered = BufWriter::with_capacity(1 << 16, file);
    let buffered = if gzip {
        // Level 6, the usual one, takes more than twice the time for label maps of many small parts.
        // Its files are 6 % smaller there, and a quarter where they are small anyway.
        let mut encoder = GzEncoder::new(buffered, Compression::new(4));
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
        .sync_all()
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

    /// In a process of its own, because nothing can be written after it.
    #[test]
    fn abandoned_writes_leave_nothing_and_none_begins() -> io::Result<()> {
        const CHILD: &str = "UNISEG_TEST_ABANDON";
        if let Some(folder) = std::env::var_os(CHILD) {
            let folder = PathBuf::from(folder);
            write_atomically(&folder.join("complete"), false, |out| out.write_all(b"x"))?;
            let (began, wait) = std::sync::mpsc::channel();
            for name in ["first", "second"] {
                let (path, began) = (folder.join(name), began.clone());
                std::thread::spawn(move || {
                    write_atomically(&path, true, |out| {
                        out.write_all(&[7; 1 << 20])?;
                        let _ = began.send(());
                        std::thread::sleep(std::time::Duration::from_millis(200));
                        Ok(())
                    })
                });
            }
            for _ in 0..2 {
                wait.recv().map_err(io::Error::other)?;
            }
            assert_eq!(std::fs::read_dir(&folder)?.count(), 3);
            abandon_writes();
            // Those that were writing finish, and may not rename; this one may not begin.
            std::thread::spawn(move || write_atomically(&folder.join("third"), false, |_| Ok(())));
            std::thread::sleep(std::time::Duration::from_millis(600));
            std::process::exit(42);
        }
        let folder = tempfile::tempdir()?;
        let name = "format::atomic::tests::abandoned_writes_leave_nothing_and_none_begins";
        let child = std::process::Command::new(std::env::current_exe()?)
            .args([name, "--exact", "--nocapture"])
            .env(CHILD, folder.path())
            .output()?;
        assert_eq!(child.status.code(), Some(42), "{child:?}");
        let names: Vec<_> = std::fs::read_dir(folder.path())?
            .map(|entry| entry.map(|entry| entry.file_name()))
            .collect::<Result<_, _>>()?;
        assert_eq!(names, ["complete"]);
        Ok(())
    }
}
