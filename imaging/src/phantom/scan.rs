//! From a patient to voxels: which tissue is where, and how bright that is in a modality.

use std::ops::Range;

use ndarray::{Array3, ArrayViewMut2, Axis};
use rayon::prelude::*;

use super::anatomy::Patient;
use super::blur::blur;
use super::protocol::Grid;
use super::random::{Random, key, key_of, normal, smooth_noise};
use super::shape::Structure;
use super::space::{Matrix, Point, apply, inverse, minus, product, times};
use super::tissue::{Signal, Tissue};

/// What a channel shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Modality {
    /// Hounsfield units.
    Ct,
    /// Standardised uptake values.
    Pet,
    /// MR of the trunk, T2-weighted, arbitrary units.
    T2,
    /// MR of the brain, arbitrary units: T1, T1 with contrast agent, T2, FLAIR.
    Brain(usize),
}

/// The tissue of every voxel (z, y, x).
pub(super) fn paint(patient: &Patient, grid: &Grid) -> Array3<Tissue> {
    let size = grid.geometry.extent.zyx();
    let boxes: Vec<(&Structure, [Range<usize>; 3])> = {
        let place = product(&patient.into_body, &grid.axes);
        let back = inverse(&place);
        let start = apply(&patient.into_body, grid.origin);
        let parts = patient.structures.iter().map(|part| {
            (
                part,
                voxels_around(part.bounds(), patient.warp.1, start, &back, size),
            )
        });
        parts
            .filter(|(_, ranges)| ranges.iter().all(|range| !range.is_empty()))
            .collect()
    };
    let mut tissues = Array3::from_elem(size, Tissue::Air);
    let slices: Vec<_> = tissues.axis_iter_mut(Axis(0)).enumerate().collect();
    slices
        .into_par_iter()
        .for_each(|(z, mut slice)| paint_slice(patient, grid, &boxes, z, &mut slice));
    tissues
}

fn paint_slice(
    patient: &Patient,
    grid: &Grid,
    boxes: &[(&Structure, [Range<usize>; 3])],
    z: usize,
    slice: &mut ArrayViewMut2<'_, Tissue>,
) {
    let points = ndarray::Array2::from_shape_fn(slice.dim(), |(y, x)| {
        patient.locate(grid.position([x as f64, y as f64, z as f64]))
    });
    for (part, [_, ys, xs]) in boxes.iter().filter(|(_, [zs, ..])| zs.contains(&z)) {
        for y in ys.clone() {
            for x in xs.clone() {
                let below = slice[[y, x]];
                let paints = part.over.is_empty() || part.over.contains(&below);
                if paints && part.contains(points[[y, x]]) {
                    slice[[y, x]] = part.tissue;
                }
            }
        }
    }
}

/// Voxel ranges (z, y, x) that hold a box of the body, however it lies in the grid.
fn voxels_around(
    [low, high]: [Point; 2],
    margin: f64,
    start: Point,
    back: &Matrix,
    size: [usize; 3],
) -> [Range<usize>; 3] {
    let mut least = [f64::INFINITY; 3];
    let mut most = [f64::NEG_INFINITY; 3];
    for corner in 0..8_usize {
        let at = std::array::from_fn(|axis| {
            if corner >> axis & 1 == 0 {
                low[axis] - margin
            } else {
                high[axis] + margin
            }
        });
        let voxel = apply(back, minus(at, start));
        for axis in 0..3 {
            least[axis] = least[axis].min(voxel[axis]);
            most[axis] = most[axis].max(voxel[axis]);
        }
    }
    // Voxels come as (x, y, z), arrays as (z, y, x).
    [0, 1, 2].map(|axis| {
        let from = least[2 - axis].floor().max(0.0) as usize;
        let to = (most[2 - axis].ceil() + 1.0).max(0.0) as usize;
        from.min(size[axis])..to.min(size[axis])
    })
}

/// One channel (z, y, x) of a scan.
///
/// `scan` is the key of contrast agent, noise, bias field and scale; the patient's own tissues are
/// as bright in one scan as in the next.
pub(super) fn expose(
    patient: &Patient,
    grid: &Grid,
    tissues: &Array3<Tissue>,
    modality: Modality,
    scan: u64,
) -> Array3<f32> {
    let mut random = Random::keyed(key_of(scan, "exposure"));
    // What all channels share is drawn first.
    let contrast = contrast_agent(&mut random);
    let number = match modality {
        Modality::Ct => 0,
        Modality::Pet => 1,
        Modality::T2 => 2,
        Modality::Brain(channel) => 3 + channel as u64,
    };
    let mut random = Random::keyed(key(scan, number));
    let (levels, textures): (Vec<f64>, Vec<f64>) = Tissue::ALL
        .iter()
        .map(|tissue| {
            let own = Random::keyed(key_of(key(patient.key, number), tissue.name())).signed();
            modality.level(&tissue.signal(), contrast, own)
        })
        .unzip();
    let grain = key_of(patient.key, "texture");
    let mut voxels = Array3::from_shape_fn(tissues.dim(), |_| 0.0_f32);
    let slices: Vec<_> = voxels.axis_iter_mut(Axis(0)).enumerate().collect();
    slices.into_par_iter().for_each(|(z, mut slice)| {
        for ((y, x), voxel) in slice.indexed_iter_mut() {
            let tissue = tissues[[z, y, x]] as usize;
            let mut value = levels[tissue];
            if textures[tissue] > 0.0 {
                let at = grid.position([x as f64, y as f64, z as f64]);
                let coarse = smooth_noise(grain, times(at, 1.0 / 14.0));
                let fine = smooth_noise(grain ^ 1, times(at, 1.0 / 5.0));
                value += textures[tissue] * (0.8 * coarse + 0.8 * fine);
            }
            *voxel = value as f32;
        }
    });
    let [sz, sy, sx] = grid.geometry.spacing.zyx();
    // A scanner's resolution is about its pixel; PET's is worse, in millimetres.
    let sigma = match modality {
        Modality::Pet => [sz, sy, sx].map(|mm| 3.2 / mm),
        _ => [0.4, 0.45, 0.45],
    };
    blur(&mut voxels, sigma);
    modality.finish(grid, tissues, &mut voxels, scan, &mut random);
    voxels
}

/// Shares of arterial and venous enhancement: mostly venous scans, some arterial, few native.
fn contrast_agent(random: &mut Random) -> [f64; 2] {
    let kind = random.unit();
    let (arterial, venous) = (random.between(0.85, 1.15), random.between(0.8, 1.15));
    if kind < 0.1 {
        [0.0, 0.03 * venous]
    } else if kind < 0.3 {
        [arterial, 0.45 * venous]
    } else {
        [0.35 * arterial, venous]
    }
}

impl Modality {
    /// Brightness and unevenness of a tissue in a patient; `own` in [-1, 1] is how this one
    /// differs from others.
    fn level(self, signal: &Signal, contrast: [f64; 2], own: f64) -> (f64, f64) {
        match self {
            Self::Ct => {
                let agent: f64 = (0..2)
                    .map(|phase| contrast[phase] * signal.contrast[phase])
                    .sum();
                (
                    signal.hu + agent + own * signal.texture.min(15.0),
                    signal.texture,
                )
            }
            Self::Pet => {
                // Uptake differs more between people than density does.
                let level = signal.suv * (0.35 * own).exp();
                (level, 0.18 * level)
            }
            Self::T2 => (
                signal.t2 * (1.0 + 0.1 * own),
                0.005 * signal.texture.min(20.0),
            ),
            Self::Brain(channel) => {
                let level = signal.brain.get(channel).copied().unwrap_or(0.0) * (1.0 + 0.06 * own);
                (
                    level,
                    if level > 0.0 {
                        0.006 * signal.texture.min(20.0)
                    } else {
                        0.0
                    },
                )
            }
        }
    }

    /// Noise, bias field and units, rounded as files of this kind are.
    fn finish(
        self,
        grid: &Grid,
        tissues: &Array3<Tissue>,
        voxels: &mut Array3<f32>,
        scan: u64,
        random: &mut Random,
    ) {
        let noise = match self {
            Self::Ct => random.between(7.0, 17.0),
            Self::Pet => random.between(0.08, 0.2),
            Self::T2 | Self::Brain(_) => random.between(0.015, 0.04),
        };
        let scale = 10.0_f64.powf(random.between(1.9, 3.2));
        let bias = random.between(0.15, 0.4);
        let field = key_of(scan, "bias") ^ random.integer(0, 1 << 20) as u64;
        let noise_key = key_of(scan, "noise") ^ random.integer(0, 1 << 20) as u64;
        let (_, ny, nx) = voxels.dim();
        let slices: Vec<_> = voxels.axis_iter_mut(Axis(0)).enumerate().collect();
        slices.into_par_iter().for_each(|(z, mut slice)| {
            for ((y, x), voxel) in slice.indexed_iter_mut() {
                let index = ((z * ny + y) * nx + x) as u64;
                let drawn = |part: u64| noise * normal(key(noise_key ^ part, index));
                let clean = f64::from(*voxel);
                let value = match self {
                    Self::Ct => (clean + drawn(0)).round().clamp(-1024.0, 3071.0),
                    // Counting noise grows with the count; 64ths of a unit.
                    Self::Pet => {
                        let noisy = clean + drawn(0) * clean.max(0.02).sqrt();
                        (noisy.max(0.0) * 64.0).round() / 64.0
                    }
                    Self::Brain(_) if tissues[[z, y, x]] == Tissue::Air => 0.0,
                    Self::T2 | Self::Brain(_) => {
                        let at = grid.position([x as f64, y as f64, z as f64]);
                        let shade = (bias * smooth_noise(field, times(at, 1.0 / 110.0))).exp();
                        // Magnitude images have Rician noise.
                        (scale * (clean * shade + drawn(0)).hypot(drawn(1))).round()
                    }
                };
                *voxel = value as f32;
            }
        });
    }
}
