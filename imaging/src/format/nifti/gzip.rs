//! Gzip, with every checksum checked.
//!
//! Every member is read (a common decoder stops after the first), its CRC-32 and length are
//! compared with its trailer, and what follows the last member must be gzip or zero padding.

use std::io::{BufRead, ErrorKind};

use flate2::{Crc, Decompress, FlushDecompress, Status};

use super::fault::NiftiFault;

/// A gzip file: members one after the other.
pub(super) struct Members<R> {
    input: R,
    inflate: Decompress,
    crc: Crc,
    state: State,
    /// The current member, from 1.
    member: usize,
}

#[derive(PartialEq)]
enum State {
    Between,
    Inside,
    Done,
}

impl<R: BufRead> Members<R> {
    /// Starts before the first member.
    pub(super) fn new(input: R) -> Self {
        let inflate = Decompress::new(false);
        Self {
            input,
            inflate,
            crc: Crc::new(),
            state: State::Between,
            member: 0,
        }
    }

    /// Some bytes of content; 0 only after the last member.
    pub(super) fn read(&mut self, out: &mut [u8]) -> Result<usize, NiftiFault> {
        loop {
            match self.state {
                State::Done => return Ok(0),
                State::Between => self.next_member()?,
                State::Inside => {
                    let produced = self.inflate_some(out)?;
                    if produced > 0 || out.is_empty() {
                        return Ok(produced);
                    }
                }
            }
        }
    }

    fn inflate_some(&mut self, out: &mut [u8]) -> Result<usize, NiftiFault> {
        let member = self.member;
        let input = self.input.fill_buf()?;
        let at_end = input.is_empty();
        let (read_before, made_before) = (self.inflate.total_in(), self.inflate.total_out());
        let status = self
            .inflate
            .decompress(input, out, FlushDecompress::None)
            .map_err(|_| NiftiFault::GzipDamaged { member })?;
        let consumed = (self.inflate.total_in() - read_before) as usize;
        let produced = (self.inflate.total_out() - made_before) as usize;
        self.input.consume(consumed);
        self.crc.update(
            out.get(..produced)
                .ok_or(NiftiFault::GzipDamaged { member })?,
        );
        if status == Status::StreamEnd {
            self.check_trailer()?;
        } else if consumed == 0 && produced == 0 && !out.is_empty() {
            // No progress with room to write: nothing is left to read, or nothing makes sense.
            return Err(if at_end {
                NiftiFault::GzipTruncated { member }
            } else {
                NiftiFault::GzipDamaged { member }
            });
        }
        Ok(produced)
    }

    fn check_trailer(&mut self) -> Result<(), NiftiFault> {
        let member = self.member;
        let crc = u32::from_le_bytes(self.bytes()?);
        let length = u32::from_le_bytes(self.bytes()?);
        if crc != self.crc.sum() {
            return Err(NiftiFault::GzipChecksum {
                member,
                found: self.crc.sum(),
                expected: crc,
            });
        }
        if length != self.crc.amount() {
            let found = self.crc.amount();
            return Err(NiftiFault::GzipLength {
                member,
                found,
                expected: length,
            });
        }
        self.state = State::Between;
        Ok(())
    }

    /// Enters the next member, or finds the end. Zero padding at the end is allowed, as gzip does.
    fn next_member(&mut self) -> Result<(), NiftiFault> {
        let garbage = NiftiFault::GzipTrailingGarbage {
            member: self.member,
        };
        match self.input.fill_buf()?.first() {
            None => {
                self.state = State::Done;
                return Ok(());
            }
            Some(0) => {
                self.state = State::Done;
                return if self.only_zeros_follow()? {
                    Ok(())
                } else {
                    Err(garbage)
                };
            }
            Some(0x1f) => {}
            Some(_) => return Err(garbage),
        }
        self.member += 1;
        let member = self.member;
        let [_, second, method, flags] = self.bytes()?;
        if second != 0x8b {
            return Err(garbage);
        }
        let _time_and_origin = self.bytes::<6>()?;
        if method != 8 || flags & 0b1110_0000 != 0 {
            return Err(NiftiFault::GzipDamaged { member });
        }
        if flags & 0b0100 != 0 {
            for _ in 0..u16::from_le_bytes(self.bytes()?) {
                self.bytes::<1>()?;
            }
        }
        for text in [0b1000, 0b1_0000] {
            if flags & text != 0 {
                while self.bytes()? != [0] {}
            }
        }
        if flags & 0b10 != 0 {
            self.bytes::<2>()?;
        }
        self.inflate.reset(false);
        self.crc.reset();
        self.state = State::Inside;
        Ok(())
    }

    fn only_zeros_follow(&mut self) -> Result<bool, NiftiFault> {
        loop {
            let rest = self.input.fill_buf()?;
            if rest.is_empty() {
                return Ok(true);
            }
            if rest.iter().any(|byte| *byte != 0) {
                return Ok(false);
            }
            let length = rest.len();
            self.input.consume(length);
        }
    }

    fn bytes<const N: usize>(&mut self) -> Result<[u8; N], NiftiFault> {
        let mut out = [0; N];
        self.input
            .read_exact(&mut out)
            .map_err(|error| match error.kind() {
                ErrorKind::UnexpectedEof => NiftiFault::GzipTruncated {
                    member: self.member,
                },
                _ => NiftiFault::Io(error),
            })?;
        Ok(out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::{Compression, GzBuilder};
    use std::io::{BufReader, Write};

    fn gzip(content: &[u8]) -> std::io::Result<Vec<u8>> {
        let mut encoder = GzBuilder::new()
            .filename("name")
            .comment("comment")
            .extra(vec![1, 2, 3])
            .write(Vec::new(), Compression::new(6));
        encoder.write_all(content)?;
        encoder.finish()
    }

    fn inflate(bytes: &[u8]) -> Result<Vec<u8>, NiftiFault> {
        let mut members = Members::new(BufReader::with_capacity(7, bytes));
        let mut content = Vec::new();
        let mut chunk = [0; 11];
        loop {
            match members.read(&mut chunk)? {
                0 => return Ok(content),
                n => content.extend_from_slice(&chunk[..n]),
            }
        }
    }

    #[test]
    fn members_are_joined_and_padding_is_allowed() -> Result<(), NiftiFault> {
        let mut file = gzip(b"one, ")?;
        file.extend(gzip(b"")?);
        file.extend(gzip(b"two")?);
        file.extend([0; 30]);
        assert_eq!(inflate(&file)?, b"one, two");
        Ok(())
    }

    #[test]
    fn every_cut_is_noticed() -> Result<(), NiftiFault> {
        let file = gzip(b"some content that is long enough to be worth it")?;
        for cut in 2..file.len() {
            let fault = inflate(&file[..cut]).err();
            assert!(
                matches!(fault, Some(NiftiFault::GzipTruncated { member: 1 })),
                "{cut}"
            );
        }
        Ok(())
    }

    #[test]
    fn trailers_and_garbage_are_noticed() -> Result<(), NiftiFault> {
        let good = gzip(b"content")?;
        let end = good.len();
        let mut crc = good.clone();
        crc[end - 8] ^= 1;
        assert!(matches!(
            inflate(&crc),
            Err(NiftiFault::GzipChecksum { member: 1, .. })
        ));
        let mut length = good.clone();
        length[end - 4] ^= 1;
        let fault = inflate(&length);
        assert!(matches!(
            fault,
            Err(NiftiFault::GzipLength {
                found: 7,
                expected: 6,
                ..
            })
        ));
        for tail in [&b"garbage"[..], &[0x1f, 0x8c, 0, 0], &[0, 0, 1]] {
            let mut file = good.clone();
            file.extend(tail);
            let fault = inflate(&file);
            assert!(
                matches!(fault, Err(NiftiFault::GzipTrailingGarbage { .. })),
                "{tail:?}"
            );
        }
        Ok(())
    }
}
