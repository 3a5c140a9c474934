//! Which file it is, and what of it is mapped. Linux says so in `/proc/self/maps`; elsewhere nothing
//! here is to be had.

use std::{fs::File, io, path::Path};

#[cfg(target_os = "linux")]
use std::os::unix::{ffi::OsStrExt, fs::MetadataExt};

/// A file, and a state of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Identity {
    device: u64,
    inode: u64,
    bytes: u64,
    /// Seconds and nanoseconds of the last change of its content.
    modified: (i64, i64),
}

impl Identity {
    /// What the file at `path` is now.
    pub(super) fn at(path: &Path) -> io::Result<Identity> {
        Identity::of(&File::open(path)?)
    }

    /// What this file is now.
    #[cfg(target_os = "linux")]
    pub(super) fn of(file: &File) -> io::Result<Identity> {
        let metadata = file.metadata()?;
        Ok(Identity {
            device: metadata.dev(),
            inode: metadata.ino(),
            bytes: metadata.len(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
        })
    }

    #[cfg(not(target_os = "linux"))]
    pub(super) fn of(_file: &File) -> io::Result<Identity> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

/// Lets go of all pages of the file at `path`, which is absolute and no link, that the process has
/// mapped and cannot have changed. Returns how many bytes are mapped.
///
/// Nobody may unmap the file meanwhile.
#[cfg(target_os = "linux")]
pub(super) fn let_go(path: &Path) -> io::Result<usize> {
    let maps = std::fs::read("/proc/self/maps")?;
    let mut bytes = 0;
    for (start, end) in maps
        .split(|byte| *byte == b'\n')
        .filter_map(|line| mapped(line, path))
    {
        #[expect(
            unsafe_code,
            reason = "the mapping belongs to a library, not to a value"
        )]
        // SAFETY: the range was, a moment ago, a private mapping of this file without the right to
        // write, and still is. The file is mapped by sessions only, which are opened and closed
        // under the lock that the caller holds; OpenVINO keeps its mapping as long as a session,
        // whose constants lie in it, and does not unmap it in a run. The call frees pages; the next
        // access reads them from the file again.
        let failed = unsafe {
            libc::madvise(
                std::ptr::with_exposed_provenance_mut(start),
                end - start,
                libc::MADV_DONTNEED,
            )
        };
        if failed != 0 {
            return Err(io::Error::last_os_error());
        }
        bytes += end - start;
    }
    Ok(bytes)
}

#[cfg(not(target_os = "linux"))]
pub(super) fn let_go(_path: &Path) -> io::Result<usize> {
    Err(io::ErrorKind::Unsupported.into())
}

/// From where to where a line of `/proc/self/maps` says that the file is mapped, as in
/// `7f54f1a00000-7f54fbf54000 r--p 00000000 fe:00 10011039   /models/liver.onnx`.
///
/// The path it is, not device and inode, which are not those of the file's metadata on file systems
/// with layers or subvolumes. A file that was replaced since is called `(deleted)`.
#[cfg(target_os = "linux")]
fn mapped(line: &[u8], path: &Path) -> Option<(usize, usize)> {
    let line = line.strip_suffix(path.as_os_str().as_bytes())?;
    let mut fields = std::str::from_utf8(line).ok()?.split_ascii_whitespace();
    let (start, end) = fields.next()?.split_once('-')?;
    let rights = fields.next()?;
    let (_offset, _device, _inode) = (fields.next()?, fields.next()?, fields.next()?);
    let address = |text| usize::from_str_radix(text, 16).ok();
    let (start, end) = (address(start)?, address(end)?);
    // Nothing but spaces before the path.
    let whole = fields.next().is_none();
    (whole && rights == "r--p" && start < end).then_some((start, end))
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn mappings_of_the_file_that_cannot_be_written_are_found() {
        let path = Path::new("/models/a b.onnx");
        let found = |line: &str| mapped(line.as_bytes(), path);
        let range = "7f54f1a00000-7f54fbf54000";
        let line = |rest: &str| format!("{range} {rest}");
        assert_eq!(
            found(&line("r--p 00000000 fe:00 10011039      /models/a b.onnx")),
            Some((0x7f54_f1a0_0000, 0x7f54_fbf5_4000))
        );
        for other in [
            "rw-p 00000000 fe:00 10011039      /models/a b.onnx",
            "r--s 00000000 fe:00 10011039      /models/a b.onnx",
            "r--p 00000000 fe:00 10011039      /models/a b.onnx (deleted)",
            "r--p 00000000 fe:00 10011039      /other/models/a b.onnx",
            "r--p 00000000 fe:00 10011039      /models/b.onnx",
            "r--p 00000000 00:00 0",
            "",
        ] {
            assert_eq!(found(&line(other)), None, "{other:?}");
        }
        assert_eq!(found("/models/a b.onnx"), None);
        assert_eq!(found(""), None);
    }

    #[test]
    fn a_changed_or_replaced_file_is_another() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("weights");
        let now = || Identity::at(&path).unwrap();
        std::fs::write(&path, "one").unwrap();
        let first = now();
        assert_eq!(first, now());
        std::fs::write(&path, "three").unwrap();
        let longer = now();
        assert_ne!(first, longer);
        let next = folder.path().join("next");
        std::fs::write(&next, "three").unwrap();
        let old = File::open(&path).unwrap();
        std::fs::rename(&next, &path).unwrap();
        assert_ne!(longer, now());
        // Who has it open still has what it was.
        assert_eq!(longer, Identity::of(&old).unwrap());
        // Nothing maps it.
        assert_eq!(let_go(&path).unwrap(), 0);
        std::fs::remove_file(&path).unwrap();
        assert!(Identity::at(&path).is_err());
    }
}
