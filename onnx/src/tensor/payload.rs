//! The payload of a tensor, whichever of ONNX's fields it is stored in.

use std::borrow::Cow;

use super::{TensorError, little_endian};
use crate::proto::{DataType, TensorProto};

#[derive(Clone, Copy)]
enum Field {
    Float,
    Int32,
    String,
    Int64,
    Double,
    Uint64,
}

impl TensorProto {
    /// The payload as little-endian bytes, however it is stored, and checked against the
    /// dimensions. Strings are each preceded by their length as a `u64`.
    ///
    /// Errors: what does not fit together; see [`TensorError`].
    pub fn payload(&self) -> Result<Cow<'_, [u8]>, TensorError> {
        if self.is_external() {
            return Err(TensorError::External);
        }
        if self.segment.is_some() {
            return Err(TensorError::Segment);
        }
        let data_type = self.element_type()?;
        let count = self.element_count()?;
        let typed = self.typed_field()?;
        if data_type == DataType::String {
            return self.strings(count, typed);
        }
        let bits = data_type
            .bits()
            .ok_or(TensorError::DataType(self.data_type))?;
        let expected = count
            .checked_mul(bits)
            .map(|bits| bits.div_ceil(8))
            .ok_or_else(|| TensorError::Dims(self.dims.clone()))?;
        let payload = match typed {
            None => Cow::Borrowed(self.raw_data.as_ref()),
            Some(_) if !self.raw_data.is_empty() => return Err(TensorError::TwoPayloads),
            Some(field) => Cow::Owned(self.widened(data_type, field)?),
        };
        if payload.len() == expected {
            Ok(payload)
        } else {
            let (dims, found) = (self.dims.clone(), payload.len());
            Err(TensorError::Length {
                dims,
                expected,
                found,
            })
        }
    }

    /// The typed field in use, if any.
    fn typed_field(&self) -> Result<Option<Field>, TensorError> {
        let used = [
            (Field::Float, self.float_data.is_empty()),
            (Field::Int32, self.int32_data.is_empty()),
            (Field::String, self.string_data.is_empty()),
            (Field::Int64, self.int64_data.is_empty()),
            (Field::Double, self.double_data.is_empty()),
            (Field::Uint64, self.uint64_data.is_empty()),
        ];
        let mut used = used
            .into_iter()
            .filter(|(_, empty)| !empty)
            .map(|(field, _)| field);
        match (used.next(), used.next()) {
            (_, Some(_)) => Err(TensorError::TwoPayloads),
            (field, None) => Ok(field),
        }
    }

    fn strings(&self, count: usize, typed: Option<Field>) -> Result<Cow<'_, [u8]>, TensorError> {
        if !self.raw_data.is_empty() || !matches!(typed, None | Some(Field::String)) {
            return Err(TensorError::WrongField(DataType::String));
        }
        let found = self.string_data.len();
        if found != count {
            return Err(TensorError::Length {
                dims: self.dims.clone(),
                expected: count,
                found,
            });
        }
        let mut payload = Vec::new();
        for string in &self.string_data {
            payload.extend((string.len() as u64).to_le_bytes());
            payload.extend(string);
        }
        Ok(Cow::Owned(payload))
    }

    /// The payload of a typed field as little-endian bytes of the element type.
    fn widened(&self, data_type: DataType, field: Field) -> Result<Vec<u8>, TensorError> {
        use DataType::*;
        fn narrow<T: TryFrom<i32>, const N: usize>(
            values: &[i32],
            data_type: DataType,
            bytes: impl Fn(T) -> [u8; N],
        ) -> Result<Vec<u8>, TensorError> {
            let mut payload = Vec::with_capacity(values.len() * N);
            for &value in values {
                let narrowed = T::try_from(value).map_err(|_| TensorError::Range {
                    value: value.into(),
                    data_type,
                })?;
                payload.extend(bytes(narrowed));
            }
            Ok(payload)
        }
        let integers = &self.int32_data;
        match (data_type, field) {
            (Float | Complex64, Field::Float) => {
                Ok(little_endian(&self.float_data, f32::to_le_bytes).into())
            }
            (Double | Complex128, Field::Double) => {
                Ok(little_endian(&self.double_data, f64::to_le_bytes).into())
            }
            (Int64, Field::Int64) => Ok(little_endian(&self.int64_data, i64::to_le_bytes).into()),
            (Uint64, Field::Uint64) => {
                Ok(little_endian(&self.uint64_data, u64::to_le_bytes).into())
            }
            (Uint32, Field::Uint64) => {
                let mut payload = Vec::with_capacity(self.uint64_data.len() * 4);
                for &value in &self.uint64_data {
                    let narrowed = u32::try_from(value).map_err(|_| TensorError::Range {
                        value: value as i64,
                        data_type,
                    })?;
                    payload.extend(narrowed.to_le_bytes());
                }
                Ok(payload)
            }
            (Int32, Field::Int32) => Ok(little_endian(integers, i32::to_le_bytes).into()),
            (Int16, Field::Int32) => narrow(integers, data_type, i16::to_le_bytes),
            (Int8, Field::Int32) => narrow(integers, data_type, i8::to_le_bytes),
            (Uint16 | Float16 | Bfloat16, Field::Int32) => {
                narrow(integers, data_type, u16::to_le_bytes)
            }
            (
                Bool | Uint8 | Float8e4m3fn | Float8e4m3fnuz | Float8e5m2 | Float8e5m2fnuz
                | Float8e8m0 | Uint4 | Int4 | Float4e2m1 | Uint2 | Int2,
                Field::Int32,
            ) => narrow(integers, data_type, u8::to_le_bytes),
            _ => Err(TensorError::WrongField(data_type)),
        }
    }
}
