//! NIfTI and gzip files made field by field, so that each can be wrong in one way.

use std::path::Path;

use uniseg_imaging::{
    Extent, Geometry, ImagingError, NiftiFault, NiftiImage, SpacingMm, read_nifti,
};

/// Voxels of the sample image, (x, y, z).
const SHAPE: [i64; 3] = [4, 3, 2];
pub const VOXELS: usize = 24;

/// A NIfTI header under construction, as field offsets of the specification.
#[derive(Clone)]
pub struct Header {
    nifti2: bool,
    big: bool,
    /// Byte offset and little-endian value; later ones win.
    fields: Vec<(usize, Vec<u8>)>,
}

impl Header {
    /// int16, 4 x 3 x 2, 1 mm, no transforms.
    pub fn nifti1() -> Self {
        Self {
            nifti2: false,
            big: false,
            fields: vec![(0, 348_i32.to_le_bytes().to_vec())],
        }
        .f32(108, 352.0)
        .sound()
    }

    pub fn nifti2() -> Self {
        Self {
            nifti2: true,
            big: false,
            fields: vec![(0, 540_i32.to_le_bytes().to_vec())],
        }
        .put(168, &544_i64.to_le_bytes())
        .sound()
    }

    fn sound(self) -> Self {
        let header = self
            .shape(&SHAPE)
            .datatype(4, 16)
            .scaling(1.0, 0.0)
            .units(2);
        (0..8).fold(header, |header, axis| header.spacing(axis, 1.0))
    }

    fn put(mut self, at: usize, little_endian: &[u8]) -> Self {
        self.fields.push((at, little_endian.to_vec()));
        self
    }

    pub fn i16(self, at: usize, value: i16) -> Self {
        self.put(at, &value.to_le_bytes())
    }

    pub fn f32(self, at: usize, value: f32) -> Self {
        self.put(at, &value.to_le_bytes())
    }

    /// A floating field at its place in either version.
    fn float(self, at1: usize, at2: usize, value: f64) -> Self {
        match self.nifti2 {
            false => self.f32(at1, value as f32),
            true => self.put(at2, &value.to_le_bytes()),
        }
    }

    pub fn big_endian(mut self, big: bool) -> Self {
        self.big = big;
        self
    }

    pub fn shape(self, shape: &[i64]) -> Self {
        let count = shape.len() as i64;
        std::iter::once(&count).chain(shape).enumerate().fold(
            self,
            |header, (i, size)| match header.nifti2 {
                false => header.i16(40 + 2 * i, *size as i16),
                true => header.put(16 + 8 * i, &size.to_le_bytes()),
            },
        )
    }

    pub fn datatype(self, code: i16, bits: i16) -> Self {
        let at = if self.nifti2 { 12 } else { 70 };
        self.i16(at, code).i16(at + 2, bits)
    }

    pub fn spacing(self, axis: usize, size: f64) -> Self {
        self.float(76 + 4 * axis, 104 + 8 * axis, size)
    }

    pub fn scaling(self, slope: f64, inter: f64) -> Self {
        self.float(112, 176, slope).float(116, 184, inter)
    }

    pub fn units(self, code: u8) -> Self {
        match self.nifti2 {
            false => self.put(123, &[code]),
            true => self.put(500, &i32::from(code).to_le_bytes()),
        }
    }

    pub fn qform(self, qfac: f64, bcd: [f64; 3]) -> Self {
        let header = match self.nifti2 {
            false => self.i16(252, 1),
            true => self.put(344, &1_i32.to_le_bytes()),
        };
        let header = header.spacing(0, qfac);
        bcd.into_iter()
            .enumerate()
            .fold(header, |h, (i, v)| h.float(256 + 4 * i, 352 + 8 * i, v))
    }

    pub fn sform(self, rows: [[f64; 4]; 3]) -> Self {
        let header = match self.nifti2 {
            false => self.i16(254, 2),
            true => self.put(348, &2_i32.to_le_bytes()),
        };
        let values = rows.into_iter().flatten().enumerate();
        values.fold(header, |h, (i, v)| h.float(280 + 4 * i, 400 + 8 * i, v))
    }

    /// The file: header, no extensions, int16 voxels 0, 1, 2, ...
    pub fn with_voxels(&self, count: usize) -> Vec<u8> {
        let mut file = vec![0; if self.nifti2 { 544 } else { 352 }];
        match self.nifti2 {
            false => file[344..348].copy_from_slice(b"n+1\0"),
            true => file[4..12].copy_from_slice(b"n+2\0\r\n\x1a\n"),
        }
        for (at, value) in &self.fields {
            let mut value = value.clone();
            if self.big {
                value.reverse();
            }
            file[*at..*at + value.len()].copy_from_slice(&value);
        }
        for voxel in 0..count as i16 {
            file.extend(if self.big {
                voxel.to_be_bytes()
            } else {
                voxel.to_le_bytes()
            });
        }
        file
    }
}

pub fn sample() -> Vec<u8> {
    Header::nifti1().with_voxels(VOXELS)
}

pub fn geometry(extent: [usize; 3]) -> Result<Geometry, ImagingError> {
    let spacing = SpacingMm::from_zyx([2.5, 0.75, 0.75])?;
    Ok(Geometry::axis_aligned(Extent::from_zyx(extent), spacing))
}

pub fn read(bytes: &[u8], name: &str) -> Result<NiftiImage, ImagingError> {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join(name);
    std::fs::write(&path, bytes).expect("a writable temporary folder");
    read_nifti(Path::new(&path))
}

#[track_caller]
pub fn fault(bytes: &[u8]) -> NiftiFault {
    match read(bytes, "bad.nii.gz") {
        Err(ImagingError::ReadNifti { fault, .. }) => fault,
        Err(other) => panic!("not a fault of the file: {other}"),
        Ok(image) => panic!("read as {}", image.volume.geometry().extent),
    }
}

/// One gzip member of stored blocks.
pub fn gzip(content: &[u8]) -> Vec<u8> {
    let mut file = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];
    for block in content.chunks(0xffff) {
        let length = block.len() as u16;
        file.push(0);
        file.extend(length.to_le_bytes());
        file.extend((!length).to_le_bytes());
        file.extend(block);
    }
    file.extend([1, 0, 0, 0xff, 0xff]);
    file.extend(crc32(content).to_le_bytes());
    file.extend((content.len() as u32).to_le_bytes());
    file
}

fn crc32(content: &[u8]) -> u32 {
    !content.iter().fold(!0, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
            if crc & 1 == 1 {
                (crc >> 1) ^ 0xedb8_8320
            } else {
                crc >> 1
            }
        })
    })
}
