//! Tensor constants.

use bytes::Bytes;

use super::StringStringEntryProto;

/// A constant: its payload is in `raw_data` or in exactly one typed field.
#[derive(Clone, PartialEq, prost::Message)]
pub struct TensorProto {
    /// Sizes of the axes.
    #[prost(int64, repeated, packed = "false", tag = "1")]
    pub dims: Vec<i64>,
    /// A [`DataType`].
    #[prost(int32, tag = "2")]
    pub data_type: i32,
    /// Part of a larger tensor; refused in an artefact.
    #[prost(message, optional, tag = "3")]
    pub segment: Option<Segment>,
    /// Elements of `Float` (and `Complex64`, in pairs).
    #[prost(float, repeated, tag = "4")]
    pub float_data: Vec<f32>,
    /// Elements of types of 32 bits or fewer, one to an entry.
    #[prost(int32, repeated, tag = "5")]
    pub int32_data: Vec<i32>,
    /// Elements of `String`.
    #[prost(bytes = "bytes", repeated, tag = "6")]
    pub string_data: Vec<Bytes>,
    /// Elements of `Int64`.
    #[prost(int64, repeated, tag = "7")]
    pub int64_data: Vec<i64>,
    /// Name of the tensor.
    #[prost(string, tag = "8")]
    pub name: String,
    /// Elements as little-endian bytes; shares the memory of the file it was read from.
    #[prost(bytes = "bytes", tag = "9")]
    pub raw_data: Bytes,
    /// Elements of `Double` (and `Complex128`, in pairs).
    #[prost(double, repeated, tag = "10")]
    pub double_data: Vec<f64>,
    /// Elements of `Uint32` and `Uint64`.
    #[prost(uint64, repeated, tag = "11")]
    pub uint64_data: Vec<u64>,
    /// Free text.
    #[prost(string, tag = "12")]
    pub doc_string: String,
    /// Where the payload is in another file; refused in an artefact.
    #[prost(message, repeated, tag = "13")]
    pub external_data: Vec<StringStringEntryProto>,
    /// Inside the file, or outside; the latter is refused in an artefact.
    #[prost(enumeration = "DataLocation", tag = "14")]
    pub data_location: i32,
    /// Key-value pairs.
    #[prost(message, repeated, tag = "16")]
    pub metadata_props: Vec<StringStringEntryProto>,
}

/// A range of a tensor stored in parts.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Segment {
    /// First element.
    #[prost(int64, tag = "1")]
    pub begin: i64,
    /// One past the last element.
    #[prost(int64, tag = "2")]
    pub end: i64,
}

/// A constant given by its non-zero elements.
#[derive(Clone, PartialEq, prost::Message)]
pub struct SparseTensorProto {
    /// The non-zero elements; carries the name.
    #[prost(message, optional, tag = "1")]
    pub values: Option<TensorProto>,
    /// Their positions.
    #[prost(message, optional, tag = "2")]
    pub indices: Option<TensorProto>,
    /// Sizes of the axes.
    #[prost(int64, repeated, packed = "false", tag = "3")]
    pub dims: Vec<i64>,
}

/// Where a payload is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, prost::Enumeration)]
#[repr(i32)]
pub enum DataLocation {
    /// In the message.
    Default = 0,
    /// In another file.
    External = 1,
}

/// Element types.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, prost::Enumeration)]
#[repr(i32)]
pub enum DataType {
    /// Not said.
    Undefined = 0,
    /// 32-bit float.
    Float = 1,
    /// 8-bit unsigned.
    Uint8 = 2,
    /// 8-bit signed.
    Int8 = 3,
    /// 16-bit unsigned.
    Uint16 = 4,
    /// 16-bit signed.
    Int16 = 5,
    /// 32-bit signed.
    Int32 = 6,
    /// 64-bit signed.
    Int64 = 7,
    /// Byte string.
    String = 8,
    /// One byte, 0 or 1.
    Bool = 9,
    /// IEEE half.
    Float16 = 10,
    /// 64-bit float.
    Double = 11,
    /// 32-bit unsigned.
    Uint32 = 12,
    /// 64-bit unsigned.
    Uint64 = 13,
    /// Two 32-bit floats.
    Complex64 = 14,
    /// Two 64-bit floats.
    Complex128 = 15,
    /// Upper half of a 32-bit float.
    Bfloat16 = 16,
    /// 8-bit float, finite, 4 + 3 bits.
    Float8e4m3fn = 17,
    /// 8-bit float, finite, no negative zero, 4 + 3 bits.
    Float8e4m3fnuz = 18,
    /// 8-bit float, 5 + 2 bits.
    Float8e5m2 = 19,
    /// 8-bit float, finite, no negative zero, 5 + 2 bits.
    Float8e5m2fnuz = 20,
    /// 4-bit unsigned, two to a byte.
    Uint4 = 21,
    /// 4-bit signed, two to a byte.
    Int4 = 22,
    /// 4-bit float, two to a byte.
    Float4e2m1 = 23,
    /// 8-bit exponent.
    Float8e8m0 = 24,
    /// 2-bit unsigned, four to a byte.
    Uint2 = 25,
    /// 2-bit signed, four to a byte.
    Int2 = 26,
    /// 6-bit float, 2 + 3 bits.
    Float6e2m3 = 27,
    /// 6-bit float, 3 + 2 bits.
    Float6e3m2 = 28,
}
