//! Element types and known tensors.

use burn::tensor::{DType, bf16, f16};

/// Element type of a tensor, as far as ONNX has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Dtype {
    /// 64-bit float.
    F64,
    /// 32-bit float.
    F32,
    /// IEEE half.
    F16,
    /// bfloat16.
    BF16,
    /// Signed, 64 bits.
    I64,
    /// Signed, 32 bits.
    I32,
    /// Signed, 16 bits.
    I16,
    /// Signed, 8 bits.
    I8,
    /// Unsigned, 64 bits.
    U64,
    /// Unsigned, 32 bits.
    U32,
    /// Unsigned, 16 bits.
    U16,
    /// Unsigned, 8 bits.
    U8,
    /// One byte a truth value.
    Bool,
}

impl Dtype {
    /// The type that burn calls `dtype`, or `None` if ONNX has no such type.
    pub(crate) fn from_burn(dtype: DType) -> Option<Self> {
        Some(match dtype {
            DType::F64 => Self::F64,
            // Flex32 is stored as f32; "flex" only frees the device to compute with less.
            DType::F32 | DType::Flex32 => Self::F32,
            DType::F16 => Self::F16,
            DType::BF16 => Self::BF16,
            DType::I64 => Self::I64,
            DType::I32 => Self::I32,
            DType::I16 => Self::I16,
            DType::I8 => Self::I8,
            DType::U64 => Self::U64,
            DType::U32 => Self::U32,
            DType::U16 => Self::U16,
            DType::U8 => Self::U8,
            DType::Bool(_) => Self::Bool,
            DType::QFloat(_) => return None,
        })
    }

    /// Bytes of one element.
    pub fn size(self) -> usize {
        match self {
            Self::F64 | Self::I64 | Self::U64 => 8,
            Self::F32 | Self::I32 | Self::U32 => 4,
            Self::F16 | Self::BF16 | Self::I16 | Self::U16 => 2,
            Self::I8 | Self::U8 | Self::Bool => 1,
        }
    }

    /// Whether its numbers are floats.
    pub(crate) fn is_float(self) -> bool {
        matches!(self, Self::F64 | Self::F32 | Self::F16 | Self::BF16)
    }

    /// The unsigned integers of the same width, if these are signed integers.
    pub(crate) fn unsigned(self) -> Option<Self> {
        Some(match self {
            Self::I64 => Self::U64,
            Self::I32 => Self::U32,
            Self::I16 => Self::U16,
            Self::I8 => Self::U8,
            _ => return None,
        })
    }

    /// Short name for texts: `f32`, `i64`, `bool`.
    pub fn name(self) -> &'static str {
        match self {
            Self::F64 => "f64",
            Self::F32 => "f32",
            Self::F16 => "f16",
            Self::BF16 => "bf16",
            Self::I64 => "i64",
            Self::I32 => "i32",
            Self::I16 => "i16",
            Self::I8 => "i8",
            Self::U64 => "u64",
            Self::U32 => "u32",
            Self::U16 => "u16",
            Self::U8 => "u8",
            Self::Bool => "bool",
        }
    }
}

/// A tensor whose elements are known: a weight or a folded constant.
#[derive(Debug, Clone, PartialEq)]
pub struct Constant {
    /// Element type.
    pub dtype: Dtype,
    /// Size of each axis; empty for a scalar.
    pub shape: Vec<usize>,
    /// Elements in row-major order, little-endian. Cheap to clone.
    pub bytes: bytes::Bytes,
}

impl Constant {
    /// A tensor of 32-bit floats. The product of `shape` must be the number of values.
    pub fn f32(shape: &[usize], values: &[f32]) -> Self {
        debug_assert_eq!(shape.iter().product::<usize>(), values.len());
        let bytes: Vec<u8> = values
            .iter()
            .flat_map(|value| value.to_le_bytes())
            .collect();
        Self {
            dtype: Dtype::F32,
            shape: shape.to_vec(),
            bytes: bytes.into(),
        }
    }

    /// A vector of 64-bit integers, as shapes and axes are.
    pub fn i64s(values: &[i64]) -> Self {
        let bytes: Vec<u8> = values
            .iter()
            .flat_map(|value| value.to_le_bytes())
            .collect();
        Self {
            dtype: Dtype::I64,
            shape: vec![values.len()],
            bytes: bytes.into(),
        }
    }

    /// A scalar of any type; rounded to it, or cut off at its ends, as Rust's `as` does.
    pub(crate) fn scalar(dtype: Dtype, value: f64) -> Self {
        let bytes = match dtype {
            Dtype::F64 => value.to_le_bytes().to_vec(),
            Dtype::F32 => (value as f32).to_le_bytes().to_vec(),
            Dtype::F16 => f16::from_f64(value).to_le_bytes().to_vec(),
            Dtype::BF16 => bf16::from_f64(value).to_le_bytes().to_vec(),
            Dtype::I64 => (value as i64).to_le_bytes().to_vec(),
            Dtype::I32 => (value as i32).to_le_bytes().to_vec(),
            Dtype::I16 => (value as i16).to_le_bytes().to_vec(),
            Dtype::I8 => (value as i8).to_le_bytes().to_vec(),
            Dtype::U64 => (value as u64).to_le_bytes().to_vec(),
            Dtype::U32 => (value as u32).to_le_bytes().to_vec(),
            Dtype::U16 => (value as u16).to_le_bytes().to_vec(),
            Dtype::U8 => (value as u8).to_le_bytes().to_vec(),
            Dtype::Bool => vec![u8::from(value != 0.0)],
        };
        Self {
            dtype,
            shape: Vec::new(),
            bytes: bytes.into(),
        }
    }

    /// A scalar of any type from an integer, which a 64-bit float may not hold.
    pub(crate) fn integer(dtype: Dtype, value: i128) -> Self {
        let bytes = match dtype {
            Dtype::I64 => (value as i64).to_le_bytes().to_vec(),
            Dtype::U64 => (value as u64).to_le_bytes().to_vec(),
            _ => return Self::scalar(dtype, value as f64),
        };
        Self {
            dtype,
            shape: Vec::new(),
            bytes: bytes.into(),
        }
    }

    /// A tensor of 64-bit integers. The product of `shape` must be the number of values.
    pub(crate) fn indices(shape: &[usize], values: &[i64]) -> Self {
        debug_assert_eq!(shape.iter().product::<usize>(), values.len());
        Self {
            shape: shape.to_vec(),
            ..Self::i64s(values)
        }
    }

    /// A tensor of any type from numbers, see [`Constant::scalar`].
    pub(crate) fn numbers(dtype: Dtype, shape: &[usize], values: &[f64]) -> Self {
        debug_assert_eq!(shape.iter().product::<usize>(), values.len());
        let bytes: Vec<u8> = values
            .iter()
            .flat_map(|&value| Self::scalar(dtype, value).bytes)
            .collect();
        Self {
            dtype,
            shape: shape.to_vec(),
            bytes: bytes.into(),
        }
    }

    /// The elements as f32, if that is what they are.
    pub(crate) fn as_f32(&self) -> Option<Vec<f32>> {
        (self.dtype == Dtype::F32).then(|| {
            self.bytes
                .chunks_exact(4)
                .map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]))
                .collect()
        })
    }

    /// The value of a one-element f32 tensor.
    pub(crate) fn scalar_f32(&self) -> Option<f32> {
        let bytes = <[u8; 4]>::try_from(self.bytes.as_ref()).ok()?;
        (self.dtype == Dtype::F32).then(|| f32::from_le_bytes(bytes))
    }

    /// The elements at `indices` of `axis`, in that order, or `None` if there is no such place.
    pub(crate) fn take(&self, axis: usize, indices: &[usize]) -> Option<Self> {
        let &length = self.shape.get(axis)?;
        if indices.iter().any(|&index| index >= length) {
            return None;
        }
        let outer: usize = self.shape[..axis].iter().product();
        let inner = self.shape[axis + 1..].iter().product::<usize>() * self.dtype.size();
        let mut bytes = Vec::with_capacity(outer * indices.len() * inner);
        for block in 0..outer {
            for &index in indices {
                let from = (block * length + index) * inner;
                bytes.extend_from_slice(self.bytes.get(from..from + inner)?);
            }
        }
        let mut shape = self.shape.clone();
        shape[axis] = indices.len();
        Some(Self {
            dtype: self.dtype,
            shape,
            bytes: bytes.into(),
        })
    }

    /// The elements as i64, if that is what they are.
    pub(crate) fn as_i64(&self) -> Option<Vec<i64>> {
        (self.dtype == Dtype::I64).then(|| {
            self.bytes
                .chunks_exact(8)
                .map(|b| i64::from_le_bytes([b[0], b[1], b[2], b[3], b[4], b[5], b[6], b[7]]))
                .collect()
        })
    }

    /// The number that all elements are, as a scalar; `None` if they differ or there are none.
    pub(crate) fn repeated(&self) -> Option<Self> {
        let first = self.bytes.get(..self.dtype.size())?;
        let same = self
            .bytes
            .chunks_exact(self.dtype.size())
            .all(|element| element == first);
        same.then(|| Self {
            dtype: self.dtype,
            shape: Vec::new(),
            bytes: self.bytes.slice(..self.dtype.size()),
        })
    }

    /// Whether every element is zero; negative zeros count as zeros.
    pub(crate) fn is_zero(&self) -> bool {
        match self.as_f32() {
            Some(values) => values.iter().all(|&value| value == 0.0),
            None => self.bytes.iter().all(|&byte| byte == 0),
        }
    }

    /// The same elements under another shape of the same size.
    pub(crate) fn reshaped(&self, shape: &[usize]) -> Self {
        debug_assert_eq!(
            shape.iter().product::<usize>(),
            self.shape.iter().product::<usize>()
        );
        Self {
            shape: shape.to_vec(),
            ..self.clone()
        }
    }
}
