//! Temporary files of processes that were killed: nobody will finish them.
//!
//! Who writes one holds a lock on it, which the system gives back however the process ends. A file
//! that can be locked is nobody's. Some file systems that many machines share keep locks on each
//! machine alone, so that a file says on which one it was made; another machine leaves it until
//! nobody has written to it for a day. A file system without locks keeps its leftovers.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::{LazyLock, Mutex, PoisonError};
use std::time::Duration;

use tempfile::NamedTempFile;

use super::{PREFIX, SUFFIX};

/// Folders that this process has looked through.
static SEEN: Mutex<BTreeSet<PathBuf>> = Mutex::new(BTreeSet::new());

/// How long another machine's file must have been left alone.
const FOREIGN: Duration = Duration::from_hours(24);

/// How the names of this machine's temporary files begin. Containers on it share its locks, and
/// after a restart nothing of before is being written.
pub(super) fn prefix() -> &'static str {
    static PREFIX_HERE: LazyLock<String> = LazyLock::new(|| {
        let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
        let here: String = boot.chars().take_while(char::is_ascii_hexdigit).collect();
        format!("{PREFIX}{here}-")
    });
    &PREFIX_HERE
}

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
        if !name.starts_with(prefix()) && !is_left_alone(&path) {
            continue;
        }
        // Held until the file is gone, so that nobody who has just made it goes on with it.
        if let Ok(file) = File::open(&path)
            && file.try_lock().is_ok()
        {
            let _ = fs::remove_file(&path);
        }
    }
}

/// Whether nobody has written to a file for longer than anybody would wait.
fn is_left_alone(path: &Path) -> bool {
    let modified = path.metadata().and_then(|found| found.modified());
    modified.is_ok_and(|time| time.elapsed().is_ok_and(|since| since > FOREIGN))
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
        let here = format!("{}Ab12.tmp", prefix());
        let (elsewhere, old) = (".uniseg-0000-Ab12.tmp", ".uniseg-0000-Ab34.tmp");
        let others = ["uniseg-Ab12.tmp", ".uniseg-image.nii"];
        for name in [&here, elsewhere, old].into_iter().chain(others) {
            fs::write(folder.path().join(name), b"half")?;
        }
        let before = std::time::SystemTime::now() - 2 * FOREIGN;
        File::options()
            .write(true)
            .open(folder.path().join(old))?
            .set_modified(before)?;
        let count = || fs::read_dir(folder.path()).map(Iterator::count);
        assert_eq!(count()?, 6);
        // Once in a process: another one does not look again.
        remove_once(folder.path());
        assert_eq!(count()?, 6);
        remove(folder.path());
        assert_eq!(count()?, 4);
        assert!(!folder.path().join(here).exists());
        assert!(folder.path().join(elsewhere).exists());
        assert!(!folder.path().join(old).exists());
        written.finish(&path)?;
        assert!(path.exists());
        assert_eq!(count()?, 4);
        drop(Unfinished::beside(&path)?);
        assert_eq!(count()?, 4);
        Ok(())
    }
}
