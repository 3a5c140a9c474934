//! Which file it is, and what of it is mapped. Linux says so in `/proc/self/maps`; elsewhere nothing
//! here is to be had.

use std::{fs::File, io};

#[cfg(target_os = "linux")]
use std::{fs::read_to_string, os::unix::fs::MetadataExt};

/// A file, and a state of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Identity {
    device: u64,
    inode: u64,
    bytes: u64,
    /// Seconds and nanoseconds of the last change of its content, or of what is known about it.
    changed: (i64, i64),
}

#[cfg(target_os = "linux")]
impl Identity {
    /// What this file is now.
    pub(super) fn of(file: &File) -> io::Result<Identity> {
        let metadata = file.metadata()?;
        Ok(Identity {
            device: metadata.dev(),
            inode: metadata.ino(),
            bytes: metadata.len(),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        })
    }

    /// Lets go of all pages of this file that the process has mapped and cannot have changed.
    /// Returns how many bytes are mapped.
    ///
    /// Nobody may unmap the file meanwhile.
    pub(super) fn let_go(&self) -> io::Result<usize> {
        let lines = read_to_string("/proc/self/maps")?;
        let mut bytes = 0;
        for (start, end) in lines.lines().filter_map(|line| self.mapped(line)) {
            #[expect(
                unsafe_code,
                reason = "the mapping belongs to a library, not to a value"
            )]
            // SAFETY: the range is a private mapping of a file without the right to write, and
            // stays that: who maps or unmaps the file does it under the lock that the caller
            // holds. The call frees its pages; the next access reads them from the file again.
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

    /// From where to where a line of `/proc/self/maps` says that this file is mapped, as in
    /// `7f54f1a00000-7f54fbf54000 r--p 00000000 fe:00 10011039   /models/liver.onnx`.
    fn mapped(&self, line: &str) -> Option<(usize, usize)> {
        let mut fields = line.split_ascii_whitespace();
        let (start, end) = fields.next()?.split_once('-')?;
        let rights = fields.next()?;
        let (major, minor) = fields.nth(1)?.split_once(':')?;
        let inode: u64 = fields.next()?.parse().ok()?;
        let number = |text| u32::from_str_radix(text, 16).ok();
        let device = libc::makedev(number(major)?, number(minor)?);
        let address = |text| usize::from_str_radix(text, 16).ok();
        let (start, end) = (address(start)?, address(end)?);
        let ours = rights == "r--p" && inode == self.inode && device == self.device;
        (ours && start < end).then_some((start, end))
    }
}

#[cfg(not(target_os = "linux"))]
impl Identity {
    pub(super) fn of(_file: &File) -> io::Result<Identity> {
        Err(io::ErrorKind::Unsupported.into())
    }

    pub(super) fn let_go(&self) -> io::Result<usize> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    const FILE: Identity = Identity {
        device: 0xfe00,
        inode: 10_011_039,
        bytes: 0,
        changed: (0, 0),
    };

    #[test]
    fn mappings_of_the_file_that_cannot_be_written_are_found() {
        let mapped = |line| FILE.mapped(line);
        assert_eq!(
            mapped("7f54f1a00000-7f54fbf54000 r--p 00000000 fe:00 10011039    /models/a b.onnx"),
            Some((0x7f54_f1a0_0000, 0x7f54_fbf5_4000))
        );
        for other in [
            "7f54f1a00000-7f54fbf54000 rw-p 00000000 fe:00 10011039    /models/liver.onnx",
            "7f54f1a00000-7f54fbf54000 r--s 00000000 fe:00 10011039    /models/liver.onnx",
            "7f54f1a00000-7f54fbf54000 r--p 00000000 fe:01 10011039    /models/liver.onnx",
            "7f54f1a00000-7f54fbf54000 r--p 00000000 fe:00 10011040    /models/liver.onnx",
            "7f54f1a00000-7f54fbf54000 r--p 00000000 00:00 0",
            "7f54f1a00000-7f54fbf54000",
            "",
        ] {
            assert_eq!(mapped(other), None, "{other:?}");
        }
    }

    #[test]
    fn a_changed_or_replaced_file_is_another() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("weights");
        let now = || Identity::of(&File::open(&path).unwrap()).unwrap();
        std::fs::write(&path, "one").unwrap();
        let first = now();
        assert_eq!(first, now());
        std::fs::write(&path, "three").unwrap();
        let longer = now();
        assert_ne!(first, longer);
        let next = folder.path().join("next");
        std::fs::write(&next, "three").unwrap();
        std::fs::rename(&next, &path).unwrap();
        assert_ne!(longer, now());
        // Nothing maps it.
        assert_eq!(now().let_go().unwrap(), 0);
    }
}
