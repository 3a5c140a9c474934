//! Whether a library's file holds all that its header speaks of.
//!
//! The loader maps a library as its header says and does not ask how long the file is: one that was
//! cut short, by a copy or a download that stopped, ends the process with a signal instead of an
//! error. So that is looked at before anything is loaded. It takes a few kilobytes of the file.
//!
//! Wrong bytes inside a file of the right length cannot be seen so, and loading it may still end the
//! process. For what this program installed there are digests (`cache.rs`), which `uniseg runtime
//! install` and `uniseg doctor` compare; they take too long for every start. For a library of the
//! user's own nobody knows what its bytes should be. `uniseg doctor` survives it: it loads each
//! library in a process of its own.

use std::io::{self, Read, Seek, SeekFrom};

use super::Problem;

/// Sizes of the header and of a segment's row in a 64-bit file.
const HEADER: u64 = 64;
const ROW: u64 = 56;

/// What is wrong with `file`, which has `length` bytes; nothing if it is whole, or no little-endian
/// 64-bit ELF file: other systems have other forms.
///
/// Source: the System V ABI, "ELF Header" and "Program Header".
///
/// Errors: it cannot be read.
pub(super) fn damage(file: &mut (impl Read + Seek), length: u64) -> io::Result<Option<Problem>> {
    let header = bytes(file, 0, HEADER)?;
    if !header.starts_with(b"\x7fELF") || header.get(4..6).is_some_and(|kind| kind != [2, 1]) {
        return Ok(None);
    }
    let cut = |needed: u64| {
        (needed > length).then_some(Problem::CutShort {
            needed,
            found: length,
        })
    };
    if let Some(problem) = cut(HEADER) {
        return Ok(Some(problem));
    }
    let Some(tables) = Tables::of(&header) else {
        return Ok(Some(Problem::BadHeader));
    };
    if let Some(problem) = cut(tables.end) {
        return Ok(Some(problem));
    }
    let segments = bytes(file, tables.segments, tables.segment_bytes)?;
    let ends = segments.chunks(ROW as usize).map(|row| {
        // Place in the file and size there.
        number(row, 8, 8)?.checked_add(number(row, 32, 8)?)
    });
    let Some(ends) = ends.collect::<Option<Vec<u64>>>() else {
        return Ok(Some(Problem::BadHeader));
    };
    Ok(ends.into_iter().max().and_then(cut))
}

/// Where a header says that the tables are.
struct Tables {
    segments: u64,
    segment_bytes: u64,
    /// End of the later of the two tables: that of sections usually ends the file.
    end: u64,
}

impl Tables {
    /// None if the header makes no sense.
    fn of(header: &[u8]) -> Option<Tables> {
        let (segments, sections) = (number(header, 32, 8)?, number(header, 40, 8)?);
        let (row, rows) = (number(header, 54, 2)?, number(header, 56, 2)?);
        let (section, count) = (number(header, 58, 2)?, number(header, 60, 2)?);
        if row != ROW || rows == 0 {
            return None;
        }
        // Both factors have two bytes.
        let segment_bytes = row * rows;
        let end = segments.checked_add(segment_bytes)?;
        Some(Tables {
            segments,
            segment_bytes,
            end: end.max(sections.checked_add(section * count)?),
        })
    }
}

/// So many bytes from `at`, or fewer if the file ends.
fn bytes(file: &mut (impl Read + Seek), at: u64, count: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    file.seek(SeekFrom::Start(at))?;
    file.take(count).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// A little-endian number of `size` bytes.
fn number(bytes: &[u8], at: usize, size: usize) -> Option<u64> {
    let field = bytes.get(at..at.checked_add(size)?)?;
    let digits = field.iter().rev();
    Some(digits.fold(0, |n, &byte| n << 8 | u64::from(byte)))
}

/// The shortest file of this machine that has nothing wrong with it: a header and a segment, which
/// is all of it. For the tests of this folder.
#[cfg(test)]
pub(super) fn shortest() -> Vec<u8> {
    let machine: u16 = match cfg!(target_arch = "aarch64") {
        true => 183,
        false => 62,
    };
    let mut bytes = vec![0; (HEADER + ROW) as usize];
    let mut put = |at: usize, field: &[u8]| bytes[at..at + field.len()].copy_from_slice(field);
    put(0, b"\x7fELF\x02\x01\x01");
    put(16, &3u16.to_le_bytes());
    put(18, &machine.to_le_bytes());
    put(32, &HEADER.to_le_bytes());
    put(54, &(ROW as u16).to_le_bytes());
    put(56, &1u16.to_le_bytes());
    put(64, &1u32.to_le_bytes());
    put(64 + 32, &(HEADER + ROW).to_le_bytes());
    bytes
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use proptest::prelude::*;

    use super::*;

    fn of(bytes: &[u8]) -> Option<Problem> {
        damage(&mut Cursor::new(bytes), bytes.len() as u64).unwrap()
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn a_program_is_whole_and_each_beginning_of_it_is_cut_short() {
        let program = std::fs::read(std::env::current_exe().unwrap()).unwrap();
        assert_eq!(of(&program), None);
        let all = program.len();
        for length in [20, 63, 64, 100, 4096, all / 2, all - 1] {
            let found = of(&program[..length]);
            assert!(
                matches!(found, Some(Problem::CutShort { needed, found })
                    if needed <= all as u64 && found == length as u64),
                "{length}: {found:?}"
            );
        }
    }

    #[test]
    fn a_segment_or_a_table_past_the_end_is_seen() {
        let whole = shortest();
        assert_eq!(of(&whole), None);
        let changed = |at: usize, field: &[u8]| {
            let mut bytes = whole.clone();
            bytes[at..at + field.len()].copy_from_slice(field);
            of(&bytes)
        };
        let cut = |needed| {
            let found = whole.len() as u64;
            Some(Problem::CutShort { needed, found })
        };
        // The segment's size, and the table of sections: its place, and the size of one and of all.
        assert_eq!(changed(96, &121u64.to_le_bytes()), cut(121));
        assert_eq!(changed(40, &200u64.to_le_bytes()), cut(200));
        assert_eq!(changed(58, &[64, 0, 2, 0]), cut(128));
        // Sums that overflow, no segment, and rows of another size.
        assert_eq!(changed(32, &[0xff; 8]), Some(Problem::BadHeader));
        assert_eq!(changed(96, &[0xff; 8]), cut(u64::MAX));
        assert_eq!(changed(72, &[0xff; 8]), Some(Problem::BadHeader));
        assert_eq!(changed(56, &[0, 0]), Some(Problem::BadHeader));
        assert_eq!(changed(54, &[0, 0]), Some(Problem::BadHeader));
    }

    #[test]
    fn what_is_no_such_file_is_left_to_others() {
        for bytes in [&b""[..], b"MZ", b"not a library", b"\x7fELF\x01\x01\x01"] {
            assert_eq!(of(bytes), None);
        }
    }

    proptest! {
        #[test]
        fn no_header_is_too_wild(wild in proptest::collection::vec(any::<u8>(), 0..200)) {
            let mut bytes = b"\x7fELF\x02\x01".to_vec();
            bytes.extend(wild);
            of(&bytes);
        }
    }
}
