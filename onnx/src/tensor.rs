//! [`TensorProto`] from and to typed slices.
//!
//! Written tensors keep their payload in `raw_data`; when reading, the typed fields are understood
//! as well. Sub-byte types are handled as their packed bytes. External data is never followed.

mod payload;

use bytes::Bytes;

use crate::proto::{DataLocation, DataType, TensorProto};

/// What is wrong with a tensor constant.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TensorError {
    /// The number is no element type, or one whose layout is not known here.
    #[error("element type {0} is not supported")]
    DataType(i32),
    /// An axis of negative size, or more elements than can be counted.
    #[error("the dimensions {0:?} are not those of a tensor")]
    Dims(Vec<i64>),
    /// The payload is in another file.
    #[error("the payload is in another file")]
    External,
    /// The tensor is stored in parts.
    #[error("the payload is stored in parts")]
    Segment,
    /// The payload is in more than one field.
    #[error("the payload is in more than one field")]
    TwoPayloads,
    /// The payload is in a field that its type does not use.
    #[error("the payload of type {0:?} is in the wrong field")]
    WrongField(DataType),
    /// Payload and shape disagree.
    #[error("the payload has {found} bytes where the dimensions {dims:?} need {expected}")]
    Length {
        /// Sizes of the axes.
        dims: Vec<i64>,
        /// Bytes there should be.
        expected: usize,
        /// Bytes there are.
        found: usize,
    },
    /// An element stored as a wider integer does not fit its type.
    #[error("the value {value} does not fit {data_type:?}")]
    Range {
        /// The value.
        value: i64,
        /// The type it should fit.
        data_type: DataType,
    },
    /// Elements of another type were asked for.
    #[error("the elements are {found:?}, not {asked:?}")]
    OtherType {
        /// Type asked for.
        asked: DataType,
        /// Type of the tensor.
        found: DataType,
    },
}

impl DataType {
    /// Bits of one element; `None` for strings and types whose packing is not known here.
    pub fn bits(self) -> Option<usize> {
        use DataType::*;
        Some(match self {
            Undefined | String | Float6e2m3 | Float6e3m2 => return None,
            Uint2 | Int2 => 2,
            Uint4 | Int4 | Float4e2m1 => 4,
            Uint8 | Int8 | Bool | Float8e4m3fn | Float8e4m3fnuz | Float8e5m2 | Float8e5m2fnuz
            | Float8e8m0 => 8,
            Uint16 | Int16 | Float16 | Bfloat16 => 16,
            Float | Int32 | Uint32 => 32,
            Double | Int64 | Uint64 | Complex64 => 64,
            Complex128 => 128,
        })
    }

    /// Short name, as in `f32` or `i64`.
    pub fn short_name(self) -> &'static str {
        use DataType::*;
        match self {
            Undefined => "undefined",
            Float => "f32",
            Uint8 => "u8",
            Int8 => "i8",
            Uint16 => "u16",
            Int16 => "i16",
            Int32 => "i32",
            Int64 => "i64",
            String => "string",
            Bool => "bool",
            Float16 => "f16",
            Double => "f64",
            Uint32 => "u32",
            Uint64 => "u64",
            Complex64 => "c64",
            Complex128 => "c128",
            Bfloat16 => "bf16",
            Float8e4m3fn => "f8e4m3fn",
            Float8e4m3fnuz => "f8e4m3fnuz",
            Float8e5m2 => "f8e5m2",
            Float8e5m2fnuz => "f8e5m2fnuz",
            Uint4 => "u4",
            Int4 => "i4",
            Float4e2m1 => "f4e2m1",
            Float8e8m0 => "f8e8m0",
            Uint2 => "u2",
            Int2 => "i2",
            Float6e2m3 => "f6e2m3",
            Float6e3m2 => "f6e3m2",
        }
    }
}

impl TensorProto {
    /// A tensor from its little-endian payload; shares `raw`, copies nothing.
    pub fn from_raw(
        name: impl Into<String>,
        data_type: DataType,
        dims: &[i64],
        raw: Bytes,
    ) -> Self {
        Self {
            name: name.into(),
            data_type: data_type as i32,
            dims: dims.to_vec(),
            raw_data: raw,
            ..Self::default()
        }
    }

    /// A tensor of 32-bit floats.
    pub fn from_f32(name: impl Into<String>, dims: &[i64], values: &[f32]) -> Self {
        Self::from_raw(
            name,
            DataType::Float,
            dims,
            little_endian(values, f32::to_le_bytes),
        )
    }

    /// A tensor of 64-bit integers.
    pub fn from_i64(name: impl Into<String>, dims: &[i64], values: &[i64]) -> Self {
        Self::from_raw(
            name,
            DataType::Int64,
            dims,
            little_endian(values, i64::to_le_bytes),
        )
    }

    /// A tensor of 32-bit integers.
    pub fn from_i32(name: impl Into<String>, dims: &[i64], values: &[i32]) -> Self {
        Self::from_raw(
            name,
            DataType::Int32,
            dims,
            little_endian(values, i32::to_le_bytes),
        )
    }

    /// A tensor of bytes.
    pub fn from_u8(name: impl Into<String>, dims: &[i64], values: &[u8]) -> Self {
        Self::from_raw(name, DataType::Uint8, dims, Bytes::copy_from_slice(values))
    }

    /// A tensor of booleans.
    pub fn from_bool(name: impl Into<String>, dims: &[i64], values: &[bool]) -> Self {
        Self::from_raw(
            name,
            DataType::Bool,
            dims,
            little_endian(values, |v| [u8::from(v)]),
        )
    }

    /// A tensor of halves, given by their bits.
    pub fn from_f16_bits(name: impl Into<String>, dims: &[i64], bits: &[u16]) -> Self {
        Self::from_raw(
            name,
            DataType::Float16,
            dims,
            little_endian(bits, u16::to_le_bytes),
        )
    }

    /// A tensor of bfloat16, given by their bits.
    pub fn from_bf16_bits(name: impl Into<String>, dims: &[i64], bits: &[u16]) -> Self {
        Self::from_raw(
            name,
            DataType::Bfloat16,
            dims,
            little_endian(bits, u16::to_le_bytes),
        )
    }

    /// The element type.
    ///
    /// Errors: [`TensorError::DataType`] if the number is none.
    pub fn element_type(&self) -> Result<DataType, TensorError> {
        match DataType::try_from(self.data_type) {
            Ok(data_type) if data_type != DataType::Undefined => Ok(data_type),
            _ => Err(TensorError::DataType(self.data_type)),
        }
    }

    /// The number of elements the dimensions say; a scalar has one.
    ///
    /// Errors: [`TensorError::Dims`] for negative sizes and products that overflow.
    pub fn element_count(&self) -> Result<usize, TensorError> {
        self.dims
            .iter()
            .try_fold(1usize, |count, &size| {
                count.checked_mul(usize::try_from(size).ok()?)
            })
            .ok_or_else(|| TensorError::Dims(self.dims.clone()))
    }

    /// Whether the payload is, or claims to be, in another file.
    pub fn is_external(&self) -> bool {
        !self.external_data.is_empty() || self.data_location != DataLocation::Default as i32
    }

    /// The elements of a tensor of 32-bit floats.
    ///
    /// Errors: another type, or a payload that does not fit.
    pub fn to_f32(&self) -> Result<Vec<f32>, TensorError> {
        self.elements(DataType::Float, f32::from_le_bytes)
    }

    /// The elements of a tensor of 64-bit integers.
    ///
    /// Errors: another type, or a payload that does not fit.
    pub fn to_i64(&self) -> Result<Vec<i64>, TensorError> {
        self.elements(DataType::Int64, i64::from_le_bytes)
    }

    /// The elements of a tensor of 32-bit integers.
    ///
    /// Errors: another type, or a payload that does not fit.
    pub fn to_i32(&self) -> Result<Vec<i32>, TensorError> {
        self.elements(DataType::Int32, i32::from_le_bytes)
    }

    /// The elements of a tensor of bytes.
    ///
    /// Errors: another type, or a payload that does not fit.
    pub fn to_u8(&self) -> Result<Vec<u8>, TensorError> {
        self.elements(DataType::Uint8, u8::from_le_bytes)
    }

    /// The elements of a tensor of booleans.
    ///
    /// Errors: another type, or a payload that does not fit.
    pub fn to_bool(&self) -> Result<Vec<bool>, TensorError> {
        self.elements(DataType::Bool, |[byte]| byte != 0)
    }

    /// The bits of the elements of a tensor of halves.
    ///
    /// Errors: another type, or a payload that does not fit.
    pub fn to_f16_bits(&self) -> Result<Vec<u16>, TensorError> {
        self.elements(DataType::Float16, u16::from_le_bytes)
    }

    /// The bits of the elements of a tensor of bfloat16.
    ///
    /// Errors: another type, or a payload that does not fit.
    pub fn to_bf16_bits(&self) -> Result<Vec<u16>, TensorError> {
        self.elements(DataType::Bfloat16, u16::from_le_bytes)
    }

    fn elements<T, const N: usize>(
        &self,
        asked: DataType,
        read: impl Fn([u8; N]) -> T,
    ) -> Result<Vec<T>, TensorError> {
        let found = self.element_type()?;
        if found != asked {
            return Err(TensorError::OtherType { asked, found });
        }
        let payload = self.payload()?;
        let (elements, _) = payload.as_chunks::<N>();
        Ok(elements.iter().map(|bytes| read(*bytes)).collect())
    }
}

fn little_endian<T: Copy, const N: usize>(values: &[T], bytes: impl Fn(T) -> [u8; N]) -> Bytes {
    let mut payload = Vec::with_capacity(values.len() * N);
    for &value in values {
        payload.extend(bytes(value));
    }
    payload.into()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn typed_fields_and_raw_bytes_give_the_same_payload() {
        let raw = TensorProto::from_f32("w", &[2, 1], &[1.5, -2.0]);
        let mut typed = raw.clone();
        typed.raw_data = Bytes::new();
        typed.float_data = vec![1.5, -2.0];
        assert_eq!(raw.payload().unwrap(), typed.payload().unwrap());
        assert_eq!(typed.to_f32().unwrap(), [1.5, -2.0]);

        let half = TensorProto {
            data_type: DataType::Float16 as i32,
            dims: vec![2],
            int32_data: vec![0x3c00, 0xbc00],
            ..Default::default()
        };
        assert_eq!(half.to_f16_bits().unwrap(), [0x3c00, 0xbc00]);
    }

    #[test]
    fn scalars_and_empty_tensors_count() {
        assert_eq!(TensorProto::from_i64("s", &[], &[7]).to_i64().unwrap(), [7]);
        assert_eq!(
            TensorProto::from_i64("e", &[0, 3], &[]).to_i64().unwrap(),
            [0i64; 0]
        );
        assert_eq!(
            TensorProto::from_bool("b", &[2], &[true, false])
                .to_bool()
                .unwrap(),
            [true, false]
        );
        assert_eq!(TensorProto::from_u8("u", &[1], &[9]).to_u8().unwrap(), [9]);
        assert_eq!(
            TensorProto::from_i32("i", &[1], &[-9]).to_i32().unwrap(),
            [-9]
        );
        assert_eq!(
            TensorProto::from_bf16_bits("h", &[1], &[5])
                .to_bf16_bits()
                .unwrap(),
            [5]
        );
    }

    #[test]
    fn each_fault_is_named() {
        let good = TensorProto::from_f32("w", &[2], &[0.0, 1.0]);
        let fault = |edit: &dyn Fn(&mut TensorProto)| {
            let mut tensor = good.clone();
            edit(&mut tensor);
            tensor.payload().unwrap_err().to_string()
        };
        insta::assert_snapshot!(fault(&|t| t.data_type = 99), @"element type 99 is not supported");
        insta::assert_snapshot!(
            fault(&|t| t.dims = vec![-1]),
            @"the dimensions [-1] are not those of a tensor"
        );
        insta::assert_snapshot!(
            fault(&|t| t.dims = vec![i64::MAX, i64::MAX]),
            @"the dimensions [9223372036854775807, 9223372036854775807] are not those of a tensor"
        );
        insta::assert_snapshot!(
            fault(&|t| t.dims = vec![3]),
            @"the payload has 8 bytes where the dimensions [3] need 12"
        );
        insta::assert_snapshot!(
            fault(&|t| t.float_data = vec![1.0]),
            @"the payload is in more than one field"
        );
        insta::assert_snapshot!(
            fault(&|t| { t.raw_data = Bytes::new(); t.int64_data = vec![1, 2] }),
            @"the payload of type Float is in the wrong field"
        );
        insta::assert_snapshot!(
            fault(&|t| t.data_location = 1),
            @"the payload is in another file"
        );
        insta::assert_snapshot!(
            fault(&|t| t.segment = Some(Default::default())),
            @"the payload is stored in parts"
        );
        insta::assert_snapshot!(
            fault(&|t| {
                t.data_type = DataType::Uint8 as i32;
                t.raw_data = Bytes::new();
                t.int32_data = vec![1, 300];
            }),
            @"the value 300 does not fit Uint8"
        );
        insta::assert_snapshot!(
            good.to_i64().unwrap_err().to_string(),
            @"the elements are Float, not Int64"
        );
    }

    proptest! {
        #[test]
        fn values_survive(values in proptest::collection::vec(any::<f32>(), 0..40)) {
            let tensor = TensorProto::from_f32("w", &[values.len() as i64], &values);
            let bits = |values: &[f32]| values.iter().map(|v| v.to_bits()).collect::<Vec<_>>();
            prop_assert_eq!(bits(&tensor.to_f32().unwrap()), bits(&values));
        }
    }
}
