//! What can be wrong with a NIfTI file.

use std::io;

use thiserror::Error;

/// What is wrong with a NIfTI file.
#[derive(Debug, Error)]
pub enum NiftiFault {
    /// The system refused.
    #[error("the system cannot read it")]
    Io(#[from] io::Error),
    /// A folder or a device.
    #[error("it is not a regular file")]
    NotAFile,
    /// No bytes at all.
    #[error("the file is empty")]
    Empty,
    /// Neither a NIfTI-1 nor a NIfTI-2 header.
    #[error("it is not a nifti file (no nifti-1 or nifti-2 header; dicom must be converted first)")]
    NotNifti,
    /// The header of a .hdr/.img pair.
    #[error("it is one half of an .hdr/.img pair; convert it to a single .nii file")]
    TwoFiles,
    /// The compressed bytes make no sense.
    #[error("the gzip data is damaged in member {member}; copy or download the file again")]
    GzipDamaged {
        /// Which gzip member, from 1.
        member: usize,
    },
    /// The compressed bytes stop early.
    #[error("the gzip data is truncated in member {member}; copy or download the file again")]
    GzipTruncated {
        /// Which gzip member, from 1.
        member: usize,
    },
    /// The content is not what was compressed.
    #[error(
        "gzip checksum of member {member} is {expected:08x} but its content has {found:08x}; \
         copy or download the file again"
    )]
    GzipChecksum {
        /// Which gzip member, from 1.
        member: usize,
        /// CRC-32 of the content.
        found: u32,
        /// CRC-32 in the trailer.
        expected: u32,
    },
    /// The content is shorter or longer than what was compressed.
    #[error(
        "gzip length of member {member} is {expected} bytes but its content has {found} \
         (modulo 4 GiB); copy or download the file again"
    )]
    GzipLength {
        /// Which gzip member, from 1.
        member: usize,
        /// Length of the content.
        found: u32,
        /// Length in the trailer.
        expected: u32,
    },
    /// Something that is not gzip follows the gzip data.
    #[error("after gzip member {member} come bytes that are not gzip data")]
    GzipTrailingGarbage {
        /// The last good gzip member, from 1.
        member: usize,
    },
    /// The header asks for more voxels than there are.
    #[error("the header claims {claimed} bytes but the file holds at most {held}")]
    MissingData {
        /// Header, offset and voxels.
        claimed: u64,
        /// What there is, or the most that the compressed bytes can become.
        held: u64,
    },
    /// There is far more than the header asks for.
    #[error("the header claims {claimed} bytes but the file holds over {slack} more")]
    SurplusData {
        /// Header, offset and voxels.
        claimed: u64,
        /// Surplus that would have been accepted.
        slack: u64,
    },
    /// The number of dimensions is not between 1 and 7.
    #[error("the header claims {found} dimensions, nifti has 1 to 7")]
    DimensionCount {
        /// `dim[0]`.
        found: i64,
    },
    /// Fewer or more than three dimensions.
    #[error("the image is {shape:?} (x, y, z, ...) where a three-dimensional one is needed")]
    NotThreeDimensional {
        /// The used dimensions.
        shape: Vec<i64>,
    },
    /// A size is zero or negative.
    #[error("the header claims {found} voxels along {axis}")]
    InvalidExtent {
        /// Which axis.
        axis: char,
        /// The size.
        found: i64,
    },
    /// The sizes cannot be multiplied, or memory cannot hold the result.
    #[error("an image of {shape:?} (x, y, z) voxels does not fit in memory")]
    TooManyVoxels {
        /// The sizes.
        shape: [u64; 3],
    },
    /// Voxels that are not single numbers, or of no known type.
    #[error("voxel type {code} ({name}) is not supported; convert it to integers or floats")]
    UnsupportedDatatype {
        /// NIfTI datatype code.
        code: i16,
        /// Its name.
        name: &'static str,
    },
    /// Type and size of a voxel contradict each other.
    #[error("voxel type {name} has {expected} bits but the header says {found}")]
    DatatypeBits {
        /// Name of the type.
        name: &'static str,
        /// `bitpix`.
        found: i16,
        /// What the type needs.
        expected: i16,
    },
    /// A voxel size is zero, infinite or not a number.
    #[error("the voxel size along {axis} is {found}; it must be a positive number")]
    InvalidSpacing {
        /// Which axis.
        axis: char,
        /// `pixdim` of that axis.
        found: f64,
    },
    /// The place of the first voxel is inside the header, fractional or not a number.
    #[error("the voxels cannot start at byte {found}")]
    InvalidOffset {
        /// `vox_offset`.
        found: f64,
    },
    /// A slope without a usable intercept: intensities would be wrong.
    #[error("intensity slope {slope} comes with the intercept {found}")]
    InvalidIntercept {
        /// `scl_slope`.
        slope: f64,
        /// `scl_inter`.
        found: f64,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every message is one sentence: lower case, no full stop, with its numbers.
    #[test]
    fn messages_read_as_sentences() {
        let io = || io::Error::from(io::ErrorKind::StorageFull);
        let errors = [
            NiftiFault::Io(io()),
            NiftiFault::NotAFile,
            NiftiFault::Empty,
            NiftiFault::NotNifti,
            NiftiFault::TwoFiles,
            NiftiFault::GzipDamaged { member: 1 },
            NiftiFault::GzipTruncated { member: 1 },
            NiftiFault::GzipChecksum {
                member: 1,
                found: 1,
                expected: 2,
            },
            NiftiFault::GzipLength {
                member: 1,
                found: 1,
                expected: 2,
            },
            NiftiFault::GzipTrailingGarbage { member: 1 },
            NiftiFault::MissingData {
                claimed: 2,
                held: 1,
            },
            NiftiFault::SurplusData {
                claimed: 2,
                slack: 1,
            },
            NiftiFault::DimensionCount { found: 9 },
            NiftiFault::NotThreeDimensional {
                shape: vec![2, 2, 2, 5],
            },
            NiftiFault::InvalidExtent {
                axis: 'x',
                found: 0,
            },
            NiftiFault::TooManyVoxels { shape: [1, 2, 3] },
            NiftiFault::UnsupportedDatatype {
                code: 128,
                name: "rgb24",
            },
            NiftiFault::DatatypeBits {
                name: "int16",
                found: 8,
                expected: 16,
            },
            NiftiFault::InvalidSpacing {
                axis: 'z',
                found: 0.0,
            },
            NiftiFault::InvalidOffset { found: 3.5 },
            NiftiFault::InvalidIntercept {
                slope: 2.0,
                found: f64::NAN,
            },
        ];
        for error in errors {
            let text = error.to_string();
            let first = text.chars().next();
            assert!(first.is_some_and(|c| !c.is_uppercase()), "{text}");
            assert!(!text.ends_with('.') && !text.contains('\n'), "{text}");
            assert!(text.len() < 140, "{text}");
        }
    }
}
