//! Numbers from bytes that have arrived.

use ::nifti::NiftiType;
use ndarray::Array3;

use super::fault::NiftiFault;
use super::layout::Layout;
use super::raw::ByteOrder;
use super::source::Source;

/// The voxel types that are one number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scalar {
    U8,
    I8,
    U16,
    I16,
    U32,
    I32,
    U64,
    I64,
    F32,
    F64,
}

impl Scalar {
    /// `None` for colours, complex numbers and long doubles.
    pub(super) fn of(datatype: NiftiType) -> Option<Self> {
        match datatype {
            NiftiType::Uint8 => Some(Self::U8),
            NiftiType::Int8 => Some(Self::I8),
            NiftiType::Uint16 => Some(Self::U16),
            NiftiType::Int16 => Some(Self::I16),
            NiftiType::Uint32 => Some(Self::U32),
            NiftiType::Int32 => Some(Self::I32),
            NiftiType::Uint64 => Some(Self::U64),
            NiftiType::Int64 => Some(Self::I64),
            NiftiType::Float32 => Some(Self::F32),
            NiftiType::Float64 => Some(Self::F64),
            NiftiType::Float128
            | NiftiType::Complex64
            | NiftiType::Complex128
            | NiftiType::Complex256
            | NiftiType::Rgb24
            | NiftiType::Rgba32 => None,
        }
    }

    /// Whether it can be no number: NaN.
    pub(super) fn is_float(self) -> bool {
        matches!(self, Self::F32 | Self::F64)
    }

    /// Bytes of one voxel.
    pub(super) fn size(self) -> usize {
        match self {
            Self::U8 | Self::I8 => 1,
            Self::U16 | Self::I16 => 2,
            Self::U32 | Self::I32 | Self::F32 => 4,
            Self::U64 | Self::I64 | Self::F64 => 8,
        }
    }
}

/// Bytes decoded at a time; a multiple of every voxel's size.
const CHUNK: usize = 1 << 18;

/// First reservation, in voxels. Later ones double what has arrived.
const FIRST_RESERVE: usize = 1 << 22;

/// Reads the voxels, (z, y, x). Memory grows with the data, never with the header's claim.
pub(super) fn read_voxels(
    source: &mut Source,
    layout: &Layout,
    order: ByteOrder,
) -> Result<Array3<f32>, NiftiFault> {
    let too_many = || NiftiFault::TooManyVoxels {
        shape: layout.shape_xyz(),
    };
    let total = layout.voxels();
    let size = layout.scalar().size();
    let mut voxels: Vec<f32> = Vec::new();
    let mut chunk = vec![0; CHUNK];
    while voxels.len() < total {
        let count = (total - voxels.len()).min(CHUNK / size);
        let bytes = &mut chunk[..count * size];
        source.read_all(bytes, layout.end())?;
        if voxels.capacity() - voxels.len() < count {
            let more = voxels.len().max(FIRST_RESERVE).min(total - voxels.len());
            voxels.try_reserve_exact(more).map_err(|_| too_many())?;
        }
        decode(bytes, layout.scalar(), order, layout.scaling(), &mut voxels);
    }
    Array3::from_shape_vec(layout.geometry().extent.zyx(), voxels).map_err(|_| too_many())
}

/// Appends the numbers in `bytes`. Arithmetic is in f64, as in nibabel.
fn decode(
    bytes: &[u8],
    scalar: Scalar,
    order: ByteOrder,
    scaling: Option<(f64, f64)>,
    out: &mut Vec<f32>,
) {
    macro_rules! numbers {
        ($number:ty) => {{
            let read = |bytes: &[u8; size_of::<$number>()]| match order {
                ByteOrder::Little => <$number>::from_le_bytes(*bytes),
                ByteOrder::Big => <$number>::from_be_bytes(*bytes),
            };
            // A read is whole voxels, so there is no remainder.
            let (voxels, _) = bytes.as_chunks();
            match scaling {
                None => out.extend(voxels.iter().map(|v| read(v) as f32)),
                Some((slope, inter)) => {
                    out.extend(
                        voxels
                            .iter()
                            .map(|v| (read(v) as f64 * slope + inter) as f32),
                    );
                }
            }
        }};
    }
    match scalar {
        Scalar::U8 => numbers!(u8),
        Scalar::I8 => numbers!(i8),
        Scalar::U16 => numbers!(u16),
        Scalar::I16 => numbers!(i16),
        Scalar::U32 => numbers!(u32),
        Scalar::I32 => numbers!(i32),
        Scalar::U64 => numbers!(u64),
        Scalar::I64 => numbers!(i64),
        Scalar::F32 => numbers!(f32),
        Scalar::F64 => numbers!(f64),
    }
}
