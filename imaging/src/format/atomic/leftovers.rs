//! Temporary files of processes that were killed: nobody will finish them.
//!
//! Who writes one holds a lock on it, which the system gives back however the process ends. A file
//! that can be locked is nobody's. That also works where many processes, on many machines, write
//! into one folder; a file system without locks keeps its leftovers.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use tempfile::NamedTempFile;

use super::{PREFIX, SUFFIX};

/// Folders that this process has looked through.
static SEEN: Mutex<BTreeSet<PathBuf>> = Mutex::new(BTreeSet::new());

/// Locks a temporary file that was just made; false if somebody took it for a leftover first.
pub(super) fn is_claimed(temporary: &NamedTempFile) -> bool {
    match temporary.as_file().lock() {
        // Whoever took it for a leftover held the lock until it was gone.
        Ok(()) => temporary.path().exists(),
        // Where there are no locks, nobody takes anything for a leftover.
        Err(_) => true,
    }
}

/// Removes the leftovers in `folder`, the first time this process asks.
pub(super) fn remove_once(folder: &Path) {
    let mut seen = SEEN.lock().unwrap_or_else(PoisonError::into_inner);
    if seen.insert(folder.to_path_buf()) {
        remove(folder);
    }
}

/// Removes the leftovers in `folder`. What cannot be removed stays: it is in nobody's way.
fn remove(folder: &Path) {
    let Ok(entries) = fs::read_dir(folder) else {
        return;
    };
    for entry in entries.filter_map(Result::ok) {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if !(name.starts_with(PREFIX) && name.ends_with(SUFFIX)) {
            continue;
        }
        let path = entry.path();
        // Held until the file is gone, so that nobody who has just made it goes on with it.
        if let Ok(file) = File::open(&path)
            && file.try_lock().is_ok()
        {
            let _ = fs::remove_file(&path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Unfinished;
    use super::*;

    #[test]
    fn what_nobody_writes_goes_and_what_somebody_writes_stays() -> std::io::Result<()> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("x.nii");
        let written = Unfinished::beside(&path)?;
        for name in [".uniseg-Ab12.tmp", "uniseg-Ab12.tmp", ".uniseg-image.nii"] {
            fs::write(folder.path().join(name), b"half")?;
        }
        let count = || fs::read_dir(folder.path()).map(Iterator::count);
        assert_eq!(count()?, 4);
        // Once in a process: another one does not look again.
        remove_once(folder.path());
        assert_eq!(count()?, 4);
        remove(folder.path());
        assert_eq!(count()?, 3);
        assert!(!folder.path().join(".uniseg-Ab12.tmp").exists());
        written.finish(&path)?;
        assert!(path.exists());
        assert_eq!(count()?, 3);
        drop(Unfinished::beside(&path)?);
        assert_eq!(count()?, 3);
        Ok(())
    }
}
