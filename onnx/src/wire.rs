//! A walk over the bytes of a file before anything is decoded.
//!
//! Decoding a hostile protobuf can cost far more memory than the file has bytes (an empty message
//! is two bytes on the wire and hundreds in memory), and a decoder drops fields it does not know
//! without a word. This walk allocates nothing, knows which fields each message has, and bounds
//! depth and numbers of entries, so that the decoder only ever sees files of honest proportions
//! with nothing hidden in them. It does not look at values.

mod schema;

use schema::{Kind, Schema};

/// Deepest nesting of messages; a subgraph costs three levels.
const MAX_DEPTH: usize = 64;
/// Most messages in a file. The largest networks in use have some ten thousand nodes.
const MAX_MESSAGES: usize = 1 << 18;
/// Most strings and byte strings in a file.
const MAX_TEXTS: usize = 1 << 22;
/// Most numbers stored as variable-length integers; weights are stored as raw bytes instead.
const MAX_INTEGERS: usize = 1 << 25;

/// What is wrong with the bytes of a file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WireError {
    /// A field claims more bytes than there are.
    #[error("the file ends inside {message} at byte {offset}")]
    Truncated {
        /// Message the walk was in.
        message: &'static str,
        /// Offset of the field from the start of the file.
        offset: usize,
    },
    /// A number that is not one.
    #[error("a number in {message} at byte {offset} is malformed")]
    Varint {
        /// Message the walk was in.
        message: &'static str,
        /// Offset of the number.
        offset: usize,
    },
    /// A field this program does not know.
    #[error("{message} at byte {offset} has a field {field} that onnx does not define")]
    UnknownField {
        /// Message the walk was in.
        message: &'static str,
        /// Offset of the field.
        offset: usize,
        /// Its number.
        field: u64,
    },
    /// A field stored in a form its type does not have.
    #[error("field {field} of {message} at byte {offset} is stored in the wrong form")]
    WireType {
        /// Message the walk was in.
        message: &'static str,
        /// Offset of the field.
        offset: usize,
        /// Its number.
        field: u64,
    },
    /// Messages nested too deeply.
    #[error("messages are nested more than {limit} deep at byte {offset}")]
    TooDeep {
        /// Offset of the message.
        offset: usize,
        /// Deepest nesting allowed.
        limit: usize,
    },
    /// More entries than any network has.
    #[error("the file holds more than {limit} {what}")]
    TooMany {
        /// Kind of entry.
        what: &'static str,
        /// Largest number allowed.
        limit: usize,
    },
}

/// Checks that `bytes` is a well-formed model message with known fields and honest proportions.
///
/// Errors: the first fault met, with its offset.
pub(crate) fn scan(bytes: &[u8]) -> Result<(), WireError> {
    let mut scan = Scan {
        bytes,
        offset: 0,
        messages: 0,
        texts: 0,
        integers: 0,
    };
    scan.message(&schema::MODEL, bytes.len(), 0)
}

struct Scan<'a> {
    bytes: &'a [u8],
    offset: usize,
    messages: usize,
    texts: usize,
    integers: usize,
}

impl Scan<'_> {
    fn message(&mut self, schema: &Schema, end: usize, depth: usize) -> Result<(), WireError> {
        if depth > MAX_DEPTH {
            return Err(WireError::TooDeep {
                offset: self.offset,
                limit: MAX_DEPTH,
            });
        }
        count(&mut self.messages, 1, "messages", MAX_MESSAGES)?;
        while self.offset < end {
            let start = self.offset;
            let key = self.varint(schema.name, end)?;
            let (field, wire) = (key >> 3, key & 7);
            let Some(kind) = schema.field(field) else {
                return Err(WireError::UnknownField {
                    message: schema.name,
                    offset: start,
                    field,
                });
            };
            let wrong = WireError::WireType {
                message: schema.name,
                offset: start,
                field,
            };
            match (kind, wire) {
                (Kind::Varint | Kind::Varints, 0) => {
                    count(&mut self.integers, 1, "integers", MAX_INTEGERS)?;
                    self.varint(schema.name, end)?;
                }
                (Kind::Fixed64s, 1) => self.skip(schema.name, 8, end)?,
                (Kind::Fixed32 | Kind::Fixed32s, 5) => self.skip(schema.name, 4, end)?,
                (Kind::Varints, 2) => {
                    let stop = self.length(schema.name, end)?;
                    while self.offset < stop {
                        count(&mut self.integers, 1, "integers", MAX_INTEGERS)?;
                        self.varint(schema.name, stop)?;
                    }
                }
                (Kind::Fixed32s | Kind::Fixed64s, 2) => {
                    let width = if matches!(kind, Kind::Fixed32s) { 4 } else { 8 };
                    let stop = self.length(schema.name, end)?;
                    if !(stop - self.offset).is_multiple_of(width) {
                        return Err(wrong);
                    }
                    self.offset = stop;
                }
                (Kind::Text, 2) => {
                    count(&mut self.texts, 1, "strings", MAX_TEXTS)?;
                    self.offset = self.length(schema.name, end)?;
                }
                (Kind::Message(inner), 2) => {
                    let stop = self.length(schema.name, end)?;
                    self.message(inner, stop, depth + 1)?;
                }
                _ => return Err(wrong),
            }
        }
        Ok(())
    }

    /// Reads a length and returns where the bytes it counts end.
    fn length(&mut self, message: &'static str, end: usize) -> Result<usize, WireError> {
        let offset = self.offset;
        let length = self.varint(message, end)?;
        usize::try_from(length)
            .ok()
            .and_then(|length| self.offset.checked_add(length))
            .filter(|stop| *stop <= end)
            .ok_or(WireError::Truncated { message, offset })
    }

    fn skip(&mut self, message: &'static str, width: usize, end: usize) -> Result<(), WireError> {
        if end - self.offset < width {
            return Err(WireError::Truncated {
                message,
                offset: self.offset,
            });
        }
        self.offset += width;
        Ok(())
    }

    fn varint(&mut self, message: &'static str, end: usize) -> Result<u64, WireError> {
        let start = self.offset;
        let mut value = 0u64;
        for shift in (0..64).step_by(7) {
            if self.offset >= end {
                return Err(WireError::Truncated {
                    message,
                    offset: start,
                });
            }
            let Some(&byte) = self.bytes.get(self.offset) else {
                return Err(WireError::Truncated {
                    message,
                    offset: start,
                });
            };
            self.offset += 1;
            // The tenth byte has room for one bit only.
            if shift == 63 && byte > 1 {
                break;
            }
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(WireError::Varint {
            message,
            offset: start,
        })
    }
}

fn count(
    counter: &mut usize,
    by: usize,
    what: &'static str,
    limit: usize,
) -> Result<(), WireError> {
    *counter += by;
    if *counter > limit {
        Err(WireError::TooMany { what, limit })
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use prost::Message;

    use super::*;
    use crate::{proto::ModelProto, sample};

    #[test]
    fn a_written_model_passes() {
        scan(&sample::tiny_model().encode_to_vec()).unwrap();
        scan(&[]).unwrap();
    }

    #[test]
    fn each_fault_is_named() {
        let model = |bytes: &[u8]| scan(bytes).unwrap_err().to_string();
        insta::assert_snapshot!(model(&[0x08]), @"the file ends inside ModelProto at byte 1");
        insta::assert_snapshot!(
            model(&[0x3a, 0x05, 0x00]),
            @"the file ends inside ModelProto at byte 1"
        );
        insta::assert_snapshot!(
            model(&[0x08, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f]),
            @"a number in ModelProto at byte 1 is malformed"
        );
        insta::assert_snapshot!(
            model(&[0x98, 0x06, 0x00]),
            @"ModelProto at byte 0 has a field 99 that onnx does not define"
        );
        insta::assert_snapshot!(
            model(&[0x0a, 0x00]),
            @"field 1 of ModelProto at byte 0 is stored in the wrong form"
        );
    }

    #[test]
    fn depth_is_bounded() {
        // graph (7) > node (1) > attribute (5) > graph (6), wrapped again and again.
        let mut bytes = Vec::new();
        for level in 0..120 {
            let key = [0x0a, 0x2a, 0x32][2 - level % 3];
            let mut outer = vec![key];
            prost::encoding::encode_varint(bytes.len() as u64, &mut outer);
            outer.extend(bytes);
            bytes = outer;
        }
        let mut model = vec![0x3a];
        prost::encoding::encode_varint(bytes.len() as u64, &mut model);
        model.extend(bytes);
        assert!(matches!(
            scan(&model),
            Err(WireError::TooDeep {
                limit: MAX_DEPTH,
                ..
            })
        ));
    }

    #[test]
    fn proportions_are_bounded() {
        let empty_opsets = [0x42, 0x00].repeat(MAX_MESSAGES + 1);
        assert_eq!(
            scan(&empty_opsets),
            Err(WireError::TooMany {
                what: "messages",
                limit: MAX_MESSAGES
            })
        );
    }

    proptest! {
        /// The walk is at least as strict as the decoder: what it lets pass, decodes, unless a
        /// string is not UTF-8.
        #[test]
        fn what_passes_decodes(flips in proptest::collection::vec((0usize..10_000, any::<u8>()), 1..4)) {
            let mut bytes = sample::tiny_model().encode_to_vec();
            for (position, value) in flips {
                let position = position % bytes.len();
                bytes[position] = value;
            }
            if scan(&bytes).is_ok()
                && let Err(error) = ModelProto::decode(bytes.as_slice())
            {
                prop_assert!(error.to_string().contains("UTF-8"), "{error}");
            }
        }
    }
}
