//! What a header means: checked, repaired by published rules, in millimetres.

use ::nifti::{NiftiHeader as Nifti1Fields, NiftiType};

use crate::geometry::{Affine, Extent, Geometry, SpacingMm};

use super::decode::Scalar;
use super::fault::NiftiFault;
use super::raw::{Fields, NiftiVersion};
use super::warning::HeaderWarning;

const AXES: [char; 3] = ['x', 'y', 'z'];

/// Relative difference between voxel sizes and affine that is put down to rounding.
const SPACING_TOLERANCE: f64 = 0.01;

/// Everything needed to read the voxels, all of it checked.
#[derive(Debug, Clone)]
pub(super) struct Layout {
    geometry: Geometry,
    shape_xyz: [u64; 3],
    frames: usize,
    voxels: usize,
    scalar: Scalar,
    scaling: Option<(f64, f64)>,
    data_offset: u64,
    end: u64,
}

impl Layout {
    /// Checks and repairs; the warnings say what was repaired.
    pub(super) fn interpret(
        fields: &Fields,
        version: NiftiVersion,
    ) -> Result<(Self, Vec<HeaderWarning>), NiftiFault> {
        let mut warnings = Vec::new();
        let (shape_xyz, frames) = shape(&fields.dim)?;
        let scalar = scalar(fields.datatype, fields.bitpix)?;
        let data_offset = data_offset(fields.vox_offset, version, &mut warnings)?;
        let (voxels, end) = sizes(shape_xyz, frames, scalar, data_offset)
            .ok_or(NiftiFault::TooManyVoxels { shape: shape_xyz })?;
        let [x, y, z] = shape_xyz.map(|n| n as usize);
        let (spacing, affine) = placement(fields, &mut warnings)?;
        let geometry = Geometry {
            extent: Extent::from_zyx([z, y, x]),
            spacing,
            affine,
        };
        let scaling = scaling(fields.slope, fields.inter, &mut warnings)?;
        let layout = Self {
            geometry,
            shape_xyz,
            frames,
            voxels,
            scalar,
            scaling,
            data_offset,
            end,
        };
        Ok((layout, warnings))
    }

    pub(super) fn geometry(&self) -> &Geometry {
        &self.geometry
    }

    pub(super) fn shape_xyz(&self) -> [u64; 3] {
        self.shape_xyz
    }

    /// Images in the file, one behind the other: the size of the fourth dimension.
    pub(super) fn frames(&self) -> usize {
        self.frames
    }

    /// Voxels of one frame.
    pub(super) fn voxels(&self) -> usize {
        self.voxels
    }

    pub(super) fn scalar(&self) -> Scalar {
        self.scalar
    }

    /// Slope and intercept, if any.
    pub(super) fn scaling(&self) -> Option<(f64, f64)> {
        self.scaling
    }

    /// First byte of the voxels.
    pub(super) fn data_offset(&self) -> u64 {
        self.data_offset
    }

    /// First byte behind the voxels: what the header claims that the file holds.
    pub(super) fn end(&self) -> u64 {
        self.end
    }
}

/// Sizes along (x, y, z) and the number of frames: the one further dimension that is not 1.
fn shape(dim: &[i64; 8]) -> Result<([u64; 3], usize), NiftiFault> {
    let count = usize::try_from(dim[0])
        .ok()
        .filter(|count| (1..=7).contains(count));
    let used = count.map(|count| &dim[1..=count]);
    let used = used.ok_or(NiftiFault::DimensionCount { found: dim[0] })?;
    let beyond = || NiftiFault::NotThreeDimensional {
        shape: used.to_vec(),
    };
    let [x, y, z, rest @ ..] = used else {
        return Err(beyond());
    };
    let mut many = rest.iter().filter(|size| **size != 1);
    let frames = match (many.next(), many.next()) {
        (None, _) => 1,
        (Some(&count), None) => usize::try_from(count)
            .ok()
            .filter(|count| *count > 0)
            .ok_or_else(beyond)?,
        _ => return Err(beyond()),
    };
    let mut shape = [0; 3];
    for ((out, &found), axis) in shape.iter_mut().zip([x, y, z]).zip(AXES) {
        *out = u64::try_from(found)
            .ok()
            .filter(|size| *size > 0)
            .ok_or(NiftiFault::InvalidExtent { axis, found })?;
    }
    Ok((shape, frames))
}

fn scalar(code: i16, bitpix: i16) -> Result<Scalar, NiftiFault> {
    let named = Nifti1Fields {
        datatype: code,
        ..Nifti1Fields::default()
    };
    let datatype = named
        .data_type()
        .map_err(|_| NiftiFault::UnsupportedDatatype {
            code,
            name: unknown_name(code),
        })?;
    let name = name(datatype);
    let expected = (8 * datatype.size_of()) as i16;
    if expected != bitpix {
        return Err(NiftiFault::DatatypeBits {
            name,
            found: bitpix,
            expected,
        });
    }
    // A long double is missing because machines store it differently.
    Scalar::of(datatype).ok_or(NiftiFault::UnsupportedDatatype { code, name })
}

fn name(datatype: NiftiType) -> &'static str {
    match datatype {
        NiftiType::Uint8 => "uint8",
        NiftiType::Int8 => "int8",
        NiftiType::Uint16 => "uint16",
        NiftiType::Int16 => "int16",
        NiftiType::Uint32 => "uint32",
        NiftiType::Int32 => "int32",
        NiftiType::Uint64 => "uint64",
        NiftiType::Int64 => "int64",
        NiftiType::Float32 => "float32",
        NiftiType::Float64 => "float64",
        NiftiType::Float128 => "long double",
        NiftiType::Complex64 => "complex64",
        NiftiType::Complex128 => "complex128",
        NiftiType::Complex256 => "complex256",
        NiftiType::Rgb24 => "rgb24 colour",
        NiftiType::Rgba32 => "rgba32 colour",
    }
}

fn unknown_name(code: i16) -> &'static str {
    match code {
        0 => "none",
        1 => "single bits",
        _ => "unknown",
    }
}

fn data_offset(
    found: f64,
    version: NiftiVersion,
    warnings: &mut Vec<HeaderWarning>,
) -> Result<u64, NiftiFault> {
    let first = version.first_voxel();
    if found == 0.0 {
        warnings.push(HeaderWarning::NoOffset);
        return Ok(first);
    }
    // Some writers leave out the four extension bytes, so that voxels follow the header directly.
    let valid = found.fract() == 0.0 && found >= (first - 4) as f64 && found < 2_f64.powi(53);
    if valid {
        Ok(found as u64)
    } else {
        Err(NiftiFault::InvalidOffset { found })
    }
}

/// Voxels of a frame and end of the data, if memory could address the f32 voxels of all frames.
fn sizes(shape: [u64; 3], frames: usize, scalar: Scalar, data_offset: u64) -> Option<(usize, u64)> {
    let voxels = shape[0].checked_mul(shape[1])?.checked_mul(shape[2])?;
    let all = voxels.checked_mul(u64::try_from(frames).ok()?)?;
    let end = all
        .checked_mul(scalar.size() as u64)?
        .checked_add(data_offset)?;
    isize::try_from(all.checked_mul(size_of::<f32>() as u64)?).ok()?;
    Some((usize::try_from(voxels).ok()?, end))
}

fn scaling(
    slope: f64,
    inter: f64,
    warnings: &mut Vec<HeaderWarning>,
) -> Result<Option<(f64, f64)>, NiftiFault> {
    if slope == 0.0 || !slope.is_finite() {
        warnings.push(HeaderWarning::NoScaling { slope });
        return Ok(None);
    }
    if !inter.is_finite() {
        return Err(NiftiFault::InvalidIntercept {
            slope,
            found: inter,
        });
    }
    Ok(((slope, inter) != (1.0, 0.0)).then_some((slope, inter)))
}

/// Spacing and affine in millimetres.
fn placement(
    fields: &Fields,
    warnings: &mut Vec<HeaderWarning>,
) -> Result<(SpacingMm, Affine), NiftiFault> {
    let unit = unit_in_mm(fields.space_unit, warnings);
    let mut sizes = [0.0; 3];
    for ((size, &found), axis) in sizes.iter_mut().zip(&fields.pixdim[1..4]).zip(AXES) {
        if !found.is_finite() || found == 0.0 {
            return Err(NiftiFault::InvalidSpacing { axis, found });
        }
        if found < 0.0 {
            warnings.push(HeaderWarning::NegativeSpacing { axis, found });
        }
        *size = found.abs() * unit;
    }
    let in_mm = |rows: [[f64; 4]; 3]| Affine::from_rows(rows.map(|row| row.map(|v| v * unit)));
    let mut chosen = None;
    if fields.sform_code > 0 {
        chosen = usable("sform", in_mm(fields.srow), warnings);
    }
    if chosen.is_none() && fields.qform_code > 0 {
        chosen = usable("qform", qform(fields, sizes, unit, warnings), warnings);
    }
    let pixdim = spacing(sizes)?;
    let affine = chosen.unwrap_or_else(|| Affine::from_spacing(pixdim));
    let [z, y, x] = affine.column_norms_zyx();
    let implied = [x, y, z];
    let disagrees = sizes
        .iter()
        .zip(implied)
        .any(|(a, b)| (a - b).abs() > SPACING_TOLERANCE * a);
    if !disagrees {
        return Ok((pixdim, affine));
    }
    warnings.push(HeaderWarning::SpacingDisagrees {
        pixdim: sizes,
        affine: implied,
    });
    Ok((spacing(implied)?, affine))
}

/// Overflow or underflow by the change of units is as good as no number.
fn spacing([x, y, z]: [f64; 3]) -> Result<SpacingMm, NiftiFault> {
    SpacingMm::from_zyx([z, y, x]).map_err(|_| {
        let sizes = [x, y, z].into_iter().zip(AXES);
        let bad = sizes
            .into_iter()
            .find(|(size, _)| !size.is_finite() || *size <= 0.0);
        let (found, axis) = bad.unwrap_or((x, 'x'));
        NiftiFault::InvalidSpacing { axis, found }
    })
}

fn unit_in_mm(code: u8, warnings: &mut Vec<HeaderWarning>) -> f64 {
    match code {
        0 | 2 => 1.0,
        1 => 1000.0,
        3 => 0.001,
        _ => {
            warnings.push(HeaderWarning::LengthUnit { code });
            1.0
        }
    }
}

fn usable(name: &'static str, affine: Affine, warnings: &mut Vec<HeaderWarning>) -> Option<Affine> {
    if affine.is_usable() {
        return Some(affine);
    }
    warnings.push(HeaderWarning::UnusableTransform { name });
    None
}

/// The affine of a quaternion. Source: `nifti1.h`, method 2, and `nifti_quatern_to_mat44` for
/// quaternions longer than one.
fn qform(
    fields: &Fields,
    [dx, dy, dz]: [f64; 3],
    unit: f64,
    warnings: &mut Vec<HeaderWarning>,
) -> Affine {
    let found = fields.pixdim[0];
    let qfac = if found == -1.0 { -1.0 } else { 1.0 };
    if found.abs() != 1.0 {
        warnings.push(HeaderWarning::Qfac { found });
    }
    let [mut b, mut c, mut d, tx, ty, tz] = fields.quatern;
    let norm = (b * b + c * c + d * d).sqrt();
    if norm > 1.0 {
        // Rounding to 32 bits alone may exceed 1 by this much.
        if norm > 1.0 + 1e-6 {
            warnings.push(HeaderWarning::QuaternionNorm { found: norm });
        }
        (b, c, d) = (b / norm, c / norm, d / norm);
    }
    let a = (1.0 - (b * b + c * c + d * d)).max(0.0).sqrt();
    let dz = dz * qfac;
    Affine::from_rows([
        [
            (a * a + b * b - c * c - d * d) * dx,
            2.0 * (b * c - a * d) * dy,
            2.0 * (b * d + a * c) * dz,
            tx * unit,
        ],
        [
            2.0 * (b * c + a * d) * dx,
            (a * a + c * c - b * b - d * d) * dy,
            2.0 * (c * d - a * b) * dz,
            ty * unit,
        ],
        [
            2.0 * (b * d - a * c) * dx,
            2.0 * (c * d + a * b) * dy,
            (a * a + d * d - b * b - c * c) * dz,
            tz * unit,
        ],
    ])
}
