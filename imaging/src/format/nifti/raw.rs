//! A header's bytes in one order, and the fields that this crate needs from them.

use ::nifti::NiftiHeader as Nifti1Fields;

use crate::geometry::Geometry;

use super::fault::NiftiFault;
use super::source::Source;

/// Which of the two header layouts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NiftiVersion {
    /// 348 bytes, 16-bit sizes, 32-bit floats.
    Nifti1,
    /// 540 bytes, 64-bit sizes and floats.
    Nifti2,
}

impl NiftiVersion {
    fn header_length(self) -> usize {
        match self {
            Self::Nifti1 => 348,
            Self::Nifti2 => 540,
        }
    }

    /// Where voxels start in a file without extensions: header plus four extension bytes.
    pub(super) fn first_voxel(self) -> u64 {
        self.header_length() as u64 + 4
    }

    fn magic(self) -> (usize, &'static [u8], &'static [u8]) {
        match self {
            Self::Nifti1 => (344, b"n+1\0", b"ni1\0"),
            Self::Nifti2 => (4, b"n+2\0\r\n\x1a\n", b"ni2\0\r\n\x1a\n"),
        }
    }

    /// Runs of equal numbers as (first byte, bytes a number, count); the rest is text.
    fn numbers(self) -> &'static [(usize, usize, usize)] {
        match self {
            Self::Nifti1 => &[
                (0, 4, 1),
                (32, 4, 1),
                (36, 2, 1),
                (40, 2, 8),
                (56, 4, 3),
                (68, 2, 4),
                (76, 4, 11),
                (120, 2, 1),
                (124, 4, 6),
                (252, 2, 2),
                (256, 4, 18),
            ],
            Self::Nifti2 => &[
                (0, 4, 1),
                (12, 2, 2),
                (16, 8, 28),
                (344, 4, 2),
                (352, 8, 18),
                (496, 4, 3),
            ],
        }
    }
}

/// Order of the bytes of a number in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ByteOrder {
    Little,
    Big,
}

/// A header with all numbers in little-endian order.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct RawHeader {
    version: NiftiVersion,
    byte_order: ByteOrder,
    bytes: Vec<u8>,
}

/// The fields that matter here, from either version.
#[derive(Debug, Clone)]
pub(super) struct Fields {
    pub dim: [i64; 8],
    pub datatype: i16,
    pub bitpix: i16,
    pub pixdim: [f64; 8],
    pub vox_offset: f64,
    pub slope: f64,
    pub inter: f64,
    pub space_unit: u8,
    pub qform_code: i32,
    pub sform_code: i32,
    /// b, c, d and the offset.
    pub quatern: [f64; 6],
    pub srow: [[f64; 4]; 3],
}

impl RawHeader {
    /// Reads the header and nothing more.
    pub(super) fn read(source: &mut Source) -> Result<Self, NiftiFault> {
        let mut size = [0; 4];
        if source.read_up_to(&mut size)? < size.len() {
            return Err(NiftiFault::NotNifti);
        }
        let (version, byte_order) = match (i32::from_le_bytes(size), i32::from_be_bytes(size)) {
            (348, _) => (NiftiVersion::Nifti1, ByteOrder::Little),
            (540, _) => (NiftiVersion::Nifti2, ByteOrder::Little),
            (_, 348) => (NiftiVersion::Nifti1, ByteOrder::Big),
            (_, 540) => (NiftiVersion::Nifti2, ByteOrder::Big),
            _ => return Err(NiftiFault::NotNifti),
        };
        let mut bytes = vec![0; version.header_length()];
        let (first, rest) = bytes.split_at_mut(size.len());
        first.copy_from_slice(&size);
        source.read_all(rest, version.first_voxel())?;
        let (at, single, pair) = version.magic();
        let magic = &bytes[at..at + single.len()];
        if magic == pair {
            return Err(NiftiFault::TwoFiles);
        }
        if magic != single {
            return Err(NiftiFault::NotNifti);
        }
        if byte_order == ByteOrder::Big {
            for &(start, width, count) in version.numbers() {
                bytes[start..start + width * count]
                    .chunks_exact_mut(width)
                    .for_each(<[u8]>::reverse);
            }
        }
        Ok(Self {
            version,
            byte_order,
            bytes,
        })
    }

    /// A fresh NIfTI-1 header of f32 voxels; `None` if an extent does not fit 16 bits.
    pub(super) fn for_geometry(geometry: &Geometry) -> Option<Self> {
        let version = NiftiVersion::Nifti1;
        let bytes = vec![0; version.header_length()];
        let mut header = Self {
            version,
            byte_order: ByteOrder::Little,
            bytes,
        };
        header.put(0, 348_i32.to_le_bytes());
        header.put(344, *b"n+1\0");
        let [z, y, x] = geometry.extent.zyx();
        for (i, size) in [3, x, y, z, 1, 1, 1, 1].into_iter().enumerate() {
            header.put(40 + 2 * i, i16::try_from(size).ok()?.to_le_bytes());
        }
        let [z, y, x] = geometry.spacing.zyx();
        for (i, size) in [1.0, x, y, z].into_iter().enumerate() {
            header.put(76 + 4 * i, (size as f32).to_le_bytes());
        }
        let millimetres = 2;
        header.put(123, [millimetres]);
        let scanner = 1_i16;
        header.put(254, scanner.to_le_bytes());
        for (i, value) in geometry.affine.rows().into_iter().flatten().enumerate() {
            header.put(280 + 4 * i, (value as f32).to_le_bytes());
        }
        Some(header)
    }

    pub(super) fn version(&self) -> NiftiVersion {
        self.version
    }

    pub(super) fn byte_order(&self) -> ByteOrder {
        self.byte_order
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// This header for other voxels on the same grid: type and bits are set, scaling is none,
    /// display range, intent and extensions are cleared.
    pub(super) fn with_voxels(&self, datatype: i16, bitpix: i16) -> Self {
        let mut header = self.clone();
        header.byte_order = ByteOrder::Little;
        let start = self.version.first_voxel();
        match self.version {
            NiftiVersion::Nifti1 => {
                header.put(70, datatype.to_le_bytes());
                header.put(72, bitpix.to_le_bytes());
                header.put(108, (start as f32).to_le_bytes());
                header.put(112, 1_f32.to_le_bytes());
                header.put(116, 0_f32.to_le_bytes());
                header.put(124, [0; 8]); // cal_max, cal_min: viewers choose
                header.put(140, [0; 8]); // glmax, glmin
                header.put(56, [0; 14]); // intent_p1 to intent_code
                header.put(328, [0; 16]); // intent_name
            }
            NiftiVersion::Nifti2 => {
                header.put(12, datatype.to_le_bytes());
                header.put(14, bitpix.to_le_bytes());
                header.put(168, (start as i64).to_le_bytes());
                header.put(176, 1_f64.to_le_bytes());
                header.put(184, 0_f64.to_le_bytes());
                header.put(192, [0; 16]); // cal_max, cal_min: viewers choose
                header.put(80, [0; 24]); // intent_p1 to intent_p3
                header.put(504, [0; 20]); // intent_code, intent_name
            }
        }
        header
    }

    /// This header for one three-dimensional frame of the image.
    pub(super) fn with_one_frame(&self) -> Self {
        self.with_dimensions(3, 1)
    }

    /// This header for so many three-dimensional frames on the image's grid, in a fourth
    /// dimension.
    pub(super) fn with_frames(&self, frames: i16) -> Self {
        self.with_dimensions(4, frames)
    }

    fn with_dimensions(&self, count: i16, frames: i16) -> Self {
        let mut header = self.clone();
        let sizes = [(0, count), (4, frames), (5, 1), (6, 1), (7, 1)];
        for (place, size) in sizes {
            match self.version {
                NiftiVersion::Nifti1 => header.put(40 + 2 * place, size.to_le_bytes()),
                NiftiVersion::Nifti2 => header.put(16 + 8 * place, i64::from(size).to_le_bytes()),
            }
        }
        header
    }

    /// The fields, unchecked but for what the [`nifti`](::nifti) crate needs to read them.
    ///
    /// Errors: [`NiftiFault::DimensionCount`], because that crate takes a wrong count of
    /// dimensions for the other byte order.
    pub(super) fn fields(&self) -> Result<Fields, NiftiFault> {
        match self.version {
            NiftiVersion::Nifti1 => self.fields_1(),
            NiftiVersion::Nifti2 => Ok(self.fields_2()),
        }
    }

    fn fields_1(&self) -> Result<Fields, NiftiFault> {
        let count = i16::from_le_bytes(self.get(40));
        if !(1..=7).contains(&count) {
            return Err(NiftiFault::DimensionCount {
                found: count.into(),
            });
        }
        let h = Nifti1Fields::from_reader(self.bytes()).map_err(|_| NiftiFault::NotNifti)?;
        let widen = |row: [f32; 4]| row.map(f64::from);
        Ok(Fields {
            // Sizes are signed in the format; the crate reads them as unsigned.
            dim: h.dim.map(|size| i64::from(size.cast_signed())),
            datatype: h.datatype,
            bitpix: h.bitpix,
            pixdim: h.pixdim.map(f64::from),
            vox_offset: h.vox_offset.into(),
            slope: h.scl_slope.into(),
            inter: h.scl_inter.into(),
            space_unit: h.xyzt_units & 0x07,
            qform_code: h.qform_code.into(),
            sform_code: h.sform_code.into(),
            quatern: [
                h.quatern_b,
                h.quatern_c,
                h.quatern_d,
                h.quatern_x,
                h.quatern_y,
                h.quatern_z,
            ]
            .map(f64::from),
            srow: [widen(h.srow_x), widen(h.srow_y), widen(h.srow_z)],
        })
    }

    fn fields_2(&self) -> Fields {
        let double = |at: usize| f64::from_le_bytes(self.get(at));
        let row = |at: usize| [0, 8, 16, 24].map(|step| double(at + step));
        Fields {
            dim: [0, 1, 2, 3, 4, 5, 6, 7].map(|i| i64::from_le_bytes(self.get(16 + 8 * i))),
            datatype: i16::from_le_bytes(self.get(12)),
            bitpix: i16::from_le_bytes(self.get(14)),
            pixdim: [0, 1, 2, 3, 4, 5, 6, 7].map(|i| double(104 + 8 * i)),
            vox_offset: i64::from_le_bytes(self.get(168)) as f64,
            slope: double(176),
            inter: double(184),
            space_unit: self.get::<1>(500)[0] & 0x07,
            qform_code: i32::from_le_bytes(self.get(344)),
            sform_code: i32::from_le_bytes(self.get(348)),
            quatern: [0, 1, 2, 3, 4, 5].map(|i| double(352 + 8 * i)),
            srow: [row(400), row(432), row(464)],
        }
    }

    /// Offsets are constants inside the header, whose length its version fixes.
    fn get<const N: usize>(&self, at: usize) -> [u8; N] {
        let mut out = [0; N];
        out.copy_from_slice(&self.bytes[at..at + N]);
        out
    }

    fn put<const N: usize>(&mut self, at: usize, value: [u8; N]) {
        self.bytes[at..at + N].copy_from_slice(&value);
    }
}
