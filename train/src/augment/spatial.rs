//! The one pass from block to patch: rotation, scaling and deformation at once.
//!
//! A voxel of the patch, counted from the patch's centre, is displaced, turned and scaled, and
//! counted from the block's centre: there the image is read off a cubic B-spline and the label
//! by the vote of the voxels around. The block's centre is voxel `round(size / 2)`, half a voxel
//! off if the size is even, as in nnU-Net.
//!
//! Source: batchgenerators 0.21, `augment_spatial` and `interpolate_img`
//! (`scipy.ndimage.map_coordinates`, `mode="constant"`).

mod vote;

use std::ops::Range;

use ndarray::{Array3, Array4, Axis, Zip, s};
use uniseg_imaging::{CubicTap, Extent, SPLINE_REACH, fit_spline};

use super::channel::row_major;
use super::rotation::{IDENTITY, Matrix, turn};
use super::{Augmentation, Random, Sample};
use crate::data::Block;

/// Where a sample's voxels come from.
#[derive(Debug)]
pub(super) struct Spatial {
    /// Turns and scales (z, y, x) about the centre.
    matrix: Matrix,
    /// Displacement along z, y and x of each voxel of the patch, before that.
    displacement: Option<[Array3<f32>; 3]>,
}

impl Spatial {
    /// The transform of the sample of a seed; `None` if it is to be cut out as it is.
    pub(super) fn draw(settings: &Augmentation, patch: [usize; 3], seed: u64) -> Option<Self> {
        let stream = |name| Random::for_name(seed, name);
        let displacement = settings.elastic.draw(patch, &mut stream("elastic"));
        let rotation = settings.rotation.draw(&mut stream("rotation"));
        let factor = settings.scaling.draw(&mut stream("scaling"));
        if displacement.is_none() && rotation.is_none() && factor.is_none() {
            return None;
        }
        let factor = factor.unwrap_or(1.0);
        let matrix = rotation
            .unwrap_or(IDENTITY)
            .map(|row| row.map(|v| v * factor));
        Some(Self {
            matrix,
            displacement,
        })
    }

    /// Reads the patch's voxels out of the block, whose image becomes spline coefficients on the
    /// way.
    pub(super) fn resample(&self, block: Block, patch: [usize; 3]) -> Sample {
        let mut coefficients = row_major(block.image);
        let label = row_major(block.label);
        let (channels, depth, height, width) = coefficients.dim();
        let size = [depth, height, width];
        let extent = Extent::from_zyx(size);
        let [z, y, x] = self.region(patch, size);
        for mut channel in coefficients.axis_iter_mut(Axis(0)) {
            fit_spline(channel.slice_mut(s![z.clone(), y.clone(), x.clone()]));
        }
        let coefficients: Vec<&[f32]> = coefficients
            .axis_iter(Axis(0))
            .filter_map(|channel| channel.to_slice())
            .collect();
        let labels = label.as_slice().unwrap_or_default();

        let [z, y, x] = patch;
        let mut sample = Sample {
            image: Array4::zeros((channels, z, y, x)),
            label: Array3::zeros(patch),
        };
        let lanes = sample.image.lanes_mut(Axis(0));
        Zip::indexed(lanes)
            .and(&mut sample.label)
            .for_each(|(z, y, x), mut voxel, label| {
                let at = self.source([z, y, x], patch, size);
                let Some(tap) = CubicTap::at(at, extent) else {
                    return;
                };
                for (out, coefficients) in voxel.iter_mut().zip(&coefficients) {
                    *out = tap.value(coefficients);
                }
                *label = to_u8(vote::winner(labels, at, size));
            });
        sample
    }

    /// Where in the block a voxel of the patch comes from.
    fn source(&self, voxel: [usize; 3], patch: [usize; 3], block: [usize; 3]) -> [f64; 3] {
        let mut at = [0, 1, 2].map(|axis| voxel[axis] as f64 - half(patch[axis]));
        if let Some(displacement) = &self.displacement {
            for (at, field) in at.iter_mut().zip(displacement) {
                *at += f64::from(field[voxel]);
            }
        }
        let turned = turn(at, &self.matrix);
        [0, 1, 2].map(|axis| turned[axis] + centre(block[axis]))
    }

    /// The part of the block, by axis, that can be read and what the spline needs around it.
    fn region(&self, patch: [usize; 3], block: [usize; 3]) -> [Range<usize>; 3] {
        let furthest = [0, 1, 2].map(|axis| {
            let displaced = self.displacement.as_ref().map_or(0.0, |fields| {
                let extend = |most: f32, v: &f32| most.max(v.abs());
                f64::from(fields[axis].iter().fold(0.0, extend))
            });
            half(patch[axis]) + displaced
        });
        [0, 1, 2].map(|axis| {
            let reach: f64 = (0..3)
                .map(|from| furthest[from] * self.matrix[from][axis].abs())
                .sum();
            let (low, high) = (centre(block[axis]) - reach, centre(block[axis]) + reach);
            // Casts take what is negative to 0. A tap holds one voxel before the point's and two
            // behind it.
            let start = (low.floor() as usize).saturating_sub(1 + SPLINE_REACH);
            let end = (high.floor() as usize).saturating_add(3 + SPLINE_REACH);
            start.min(block[axis])..end.min(block[axis])
        })
    }
}

/// Distance of a patch's first voxel from its centre.
fn half(size: usize) -> f64 {
    (size as f64 - 1.0) / 2.0
}

/// The voxel of a block that the patch's centre lies on.
fn centre(size: usize) -> f64 {
    (size as f64 / 2.0).round_ties_even()
}

/// The middle of a block, which may be smaller than the patch: image and label are 0 beyond it.
/// Source: batchgenerators 0.21, `center_crop`.
pub(super) fn centre_crop(block: &Block, patch: [usize; 3]) -> Sample {
    let (channels, depth, height, width) = block.image.dim();
    let size = [depth, height, width];
    let mut sample = Sample {
        image: Array4::zeros((channels, patch[0], patch[1], patch[2])),
        label: Array3::zeros(patch),
    };
    let overlaps = [0, 1, 2].map(|axis| overlap(size[axis], patch[axis]));
    let [(from_z, to_z), (from_y, to_y), (from_x, to_x)] = overlaps;
    let from = s![from_z.clone(), from_y.clone(), from_x.clone()];
    let to = s![to_z.clone(), to_y.clone(), to_x.clone()];
    Zip::from(sample.label.slice_mut(to))
        .and(block.label.slice(from))
        .for_each(|out, label| *out = to_u8(*label));
    sample
        .image
        .slice_mut(s![.., to_z, to_y, to_x])
        .assign(&block.image.slice(s![.., from_z, from_y, from_x]));
    sample
}

/// What a centred patch and a block share along an axis: in the block, in the patch.
fn overlap(block: usize, patch: usize) -> (Range<usize>, Range<usize>) {
    let shared = block.min(patch);
    // The first voxel of the patch is the block's `floor((block - patch) / 2)`.
    let (from, to) = match block >= patch {
        true => ((block - patch) / 2, 0),
        false => (0, (patch - block).div_ceil(2)),
    };
    (from..from + shared, to..to + shared)
}

/// Background for what is outside the case.
fn to_u8(label: i16) -> u8 {
    label.clamp(0, i16::from(u8::MAX)) as u8
}

#[cfg(test)]
mod tests;
