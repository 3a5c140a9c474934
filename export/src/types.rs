//! Element types, shapes and the opset.

use burn::tensor::DType;

/// The ONNX operator set that we emit, chosen once: 17 is the first with LayerNormalization, and
/// every engine in use reads it.
pub const OPSET: i64 = 17;

/// The first operator set in which a convolution takes bfloat16; models that have one say it
/// instead of [`OPSET`].
pub(crate) const BF16_OPSET: i64 = 22;

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

    /// A scalar of any numeric type that we emit, or `None` if `value` is of a kind `dtype` cannot
    /// hold.
    pub(crate) fn scalar(dtype: Dtype, value: f64) -> Option<Self> {
        let bytes = match dtype {
            Dtype::F64 => value.to_le_bytes().to_vec(),
            Dtype::F32 => (value as f32).to_le_bytes().to_vec(),
            Dtype::I64 => (value as i64).to_le_bytes().to_vec(),
            Dtype::I32 => (value as i32).to_le_bytes().to_vec(),
            _ => return None,
        };
        Some(Self {
            dtype,
            shape: Vec::new(),
            bytes: bytes.into(),
        })
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
        match self.as_f32()?.as_slice() {
            [value] => Some(*value),
            _ => None,
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
