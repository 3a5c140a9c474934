//! One writer for a folder.

use std::fs::{File, TryLockError};
use std::path::Path;

/// Locks a file, which is made if need be, until what is returned is closed, also by a kill; `None`
/// if another process holds it.
pub(crate) fn try_lock(path: &Path) -> std::io::Result<Option<File>> {
    let file = File::create(path)?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => Err(error),
    }
}
