//! Which libraries a library needs, and which of them are not on this machine.
//!
//! Read from the file, so that nothing is loaded into this process and the names are those that
//! this very build needs: `libcudnn.so.9`, say, for one version of ONNX Runtime and another for the
//! next.

use std::{fs, path::Path};

use super::search::system_folders;

/// Largest provider library read, in bytes; CUDA's is near 300 million.
const MAX_BYTES: u64 = 1 << 30;
/// Longest list of needed libraries believed.
const MAX_NEEDED: usize = 256;

/// The libraries that `library` needs and that are neither beside it nor where the loader looks;
/// none if the file is no 64-bit ELF library, which only Linux has.
pub fn missing_libraries(library: &Path) -> Vec<String> {
    let beside = library.parent().map(Path::to_owned);
    let folders: Vec<_> = beside.into_iter().chain(system_folders()).collect();
    let there = |name: &String| folders.iter().any(|folder| folder.join(name).exists());
    needed(library)
        .into_iter()
        .filter(|name| !there(name) && !of_the_loader(name))
        .collect()
}

/// The C library's own parts lie in a folder of the loader's that need not be listed anywhere.
fn of_the_loader(name: &str) -> bool {
    let parts = [
        "ld-linux",
        "libc.so",
        "libm.so",
        "libdl.so",
        "librt.so",
        "libpthread.so",
        "libgcc_s.so",
        "libstdc++.so",
        "libutil.so",
    ];
    parts.iter().any(|part| name.starts_with(part))
}

fn needed(path: &Path) -> Vec<String> {
    let small = fs::metadata(path).is_ok_and(|file| file.is_file() && file.len() <= MAX_BYTES);
    if !small {
        return Vec::new();
    }
    fs::read(path)
        .ok()
        .and_then(|bytes| of_elf(&bytes))
        .unwrap_or_default()
}

/// The names under `DT_NEEDED` in a little-endian 64-bit ELF file.
///
/// Source: the System V ABI, "Program Header" and "Dynamic Section".
fn of_elf(bytes: &[u8]) -> Option<Vec<String>> {
    const LOAD: u64 = 1;
    const DYNAMIC: u64 = 2;
    const NEEDED: u64 = 1;
    const STRINGS: u64 = 5;
    if !bytes.starts_with(b"\x7fELF\x02\x01") {
        return None;
    }
    let number = |at: u64, size: usize| -> Option<u64> {
        let start = usize::try_from(at).ok()?;
        let field = bytes.get(start..start.checked_add(size)?)?;
        Some(
            field
                .iter()
                .rev()
                .fold(0, |n, &byte| n << 8 | u64::from(byte)),
        )
    };
    let table = number(32, 8)?;
    let (size, count) = (number(54, 2)?, number(56, 2)?);
    let mut segments = Vec::new();
    for index in 0..count {
        let at = table.checked_add(index.checked_mul(size)?)?;
        // Kind, place in the file, address in memory, size in the file.
        segments.push((
            number(at, 4)?,
            number(at.checked_add(8)?, 8)?,
            number(at.checked_add(16)?, 8)?,
            number(at.checked_add(32)?, 8)?,
        ));
    }
    let &(_, start, _, length) = segments.iter().find(|segment| segment.0 == DYNAMIC)?;
    let (mut names, mut strings) = (Vec::new(), None);
    for index in 0..length / 16 {
        let at = start.checked_add(index.checked_mul(16)?)?;
        let (tag, value) = (number(at, 8)?, number(at.checked_add(8)?, 8)?);
        match tag {
            0 => break,
            NEEDED if names.len() < MAX_NEEDED => names.push(value),
            STRINGS => strings = Some(value),
            _ => {}
        }
    }
    let address = strings?;
    let base = segments.iter().find_map(|&(kind, place, start, length)| {
        let inside = address.checked_sub(start)?;
        (kind == LOAD && inside < length).then(|| place.checked_add(inside))?
    })?;
    let text = |offset: u64| {
        let start = usize::try_from(base.checked_add(offset)?).ok()?;
        let rest = bytes.get(start..)?;
        let end = rest.iter().take(4096).position(|&byte| byte == 0)?;
        Some(String::from_utf8_lossy(rest.get(..end)?).into_owned())
    };
    names.into_iter().map(text).collect()
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn this_test_needs_the_c_library_and_misses_nothing() {
        let program = std::env::current_exe().unwrap();
        let found = needed(&program);
        assert!(found.iter().any(|name| name == "libc.so.6"), "{found:?}");
        assert_eq!(missing_libraries(&program), [""; 0]);
    }

    #[test]
    fn a_library_that_is_not_there_is_named() {
        // The same program, needing another library of the same length.
        let program = std::fs::read(std::env::current_exe().unwrap()).unwrap();
        let name = b"\0libm.so.6\0";
        let at: Vec<usize> = (0..program.len() - name.len())
            .filter(|&at| program[at..].starts_with(name))
            .collect();
        assert!(!at.is_empty(), "this program needs no libm");
        let mut changed = program;
        for at in at {
            changed[at + 1..at + 10].copy_from_slice(b"libq.so.6");
        }
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("changed.so");
        std::fs::write(&path, changed).unwrap();
        assert_eq!(missing_libraries(&path), ["libq.so.6"]);
    }

    #[test]
    fn what_is_damaged_or_no_library_needs_nothing() {
        let program = std::fs::read(std::env::current_exe().unwrap()).unwrap();
        for length in [0, 5, 40, 63, 100, 1000] {
            assert_eq!(of_elf(&program[..length]).unwrap_or_default(), [""; 0]);
        }
        let mut wild = program[..4096].to_vec();
        wild[32..40].fill(0xff);
        assert_eq!(of_elf(&wild), None);
    }
}
