//! The bytes of a file, inflated where they are compressed, and never more than it can hold.

use std::fs::File;
use std::io::{BufRead, BufReader, ErrorKind, Read};
use std::path::Path;

use super::fault::NiftiFault;
use super::gzip::Members;

/// Deflate cannot do better: 258 bytes of output cost at least two bits.
const MOST_PER_COMPRESSED_BYTE: u64 = 1032;

/// Bytes behind the last voxel that are tolerated; more means that the header is wrong, or that
/// the file was made to keep a reader busy.
const SURPLUS_SLACK: u64 = 64 * 1024;

/// A file's content, plain or inflated.
pub(super) struct Source {
    reader: Reader,
    file_length: u64,
    position: u64,
}

enum Reader {
    Plain(BufReader<File>),
    Gzip(Box<Members<BufReader<File>>>),
}

impl Source {
    /// Opens a file and finds out by its first bytes whether it is compressed.
    pub(super) fn open(path: &Path) -> Result<Self, NiftiFault> {
        // Before opening: a named pipe would wait for a writer.
        if !std::fs::metadata(path)?.is_file() {
            return Err(NiftiFault::NotAFile);
        }
        let file = File::open(path)?;
        let metadata = file.metadata()?;
        if metadata.len() == 0 {
            return Err(NiftiFault::Empty);
        }
        let mut plain = BufReader::with_capacity(1 << 16, file);
        let gzip = plain.fill_buf()?.starts_with(&[0x1f, 0x8b]);
        let reader = if gzip {
            Reader::Gzip(Box::new(Members::new(plain)))
        } else {
            Reader::Plain(plain)
        };
        Ok(Self {
            reader,
            file_length: metadata.len(),
            position: 0,
        })
    }

    /// Refuses a claim on more bytes than the file can possibly hold, before any is stored.
    pub(super) fn check_claim(&self, claimed: u64) -> Result<(), NiftiFault> {
        let held = match self.reader {
            Reader::Plain(_) => self.file_length,
            Reader::Gzip(_) => self.file_length.saturating_mul(MOST_PER_COMPRESSED_BYTE),
        };
        if claimed <= held {
            Ok(())
        } else {
            Err(NiftiFault::MissingData { claimed, held })
        }
    }

    /// Fills `out` as far as there are bytes; fewer only at the end.
    pub(super) fn read_up_to(&mut self, out: &mut [u8]) -> Result<usize, NiftiFault> {
        let mut filled = 0;
        while filled < out.len() {
            match self.reader.read(&mut out[filled..])? {
                0 => break,
                n => filled += n,
            }
        }
        self.position += filled as u64;
        Ok(filled)
    }

    /// Fills `out`; `claimed` is what the header says the file holds, for the error.
    pub(super) fn read_all(&mut self, out: &mut [u8], claimed: u64) -> Result<(), NiftiFault> {
        if self.read_up_to(out)? == out.len() {
            Ok(())
        } else {
            Err(NiftiFault::MissingData {
                claimed,
                held: self.position,
            })
        }
    }

    /// Passes over bytes without storing them.
    pub(super) fn skip(&mut self, mut count: u64, claimed: u64) -> Result<(), NiftiFault> {
        let mut scratch = [0; 4096];
        while count > 0 {
            let step = count.min(scratch.len() as u64) as usize;
            self.read_all(&mut scratch[..step], claimed)?;
            count -= step as u64;
        }
        Ok(())
    }

    /// Reads to the end, so that every checksum is checked; returns the number of surplus bytes.
    pub(super) fn finish(&mut self, claimed: u64) -> Result<u64, NiftiFault> {
        let mut scratch = [0; 4096];
        let mut surplus = 0;
        loop {
            match self.read_up_to(&mut scratch)? as u64 {
                0 => return Ok(surplus),
                n => surplus += n,
            }
            if surplus > SURPLUS_SLACK {
                return Err(NiftiFault::SurplusData {
                    claimed,
                    slack: SURPLUS_SLACK,
                });
            }
        }
    }
}

impl Reader {
    fn read(&mut self, out: &mut [u8]) -> Result<usize, NiftiFault> {
        match self {
            Self::Plain(plain) => loop {
                match plain.read(out) {
                    Err(error) if error.kind() == ErrorKind::Interrupted => {}
                    other => return Ok(other?),
                }
            },
            Self::Gzip(members) => members.read(out),
        }
    }
}
