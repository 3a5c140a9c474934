//! How much memory a case takes, estimated before it starts, and what gives way to a bound.

use std::{fmt, num::NonZeroUsize, str::FromStr};

use uniseg_onnx::Task;

use crate::{Case, Model, RuntimeError, WindowOptions};

/// What a process of this program holds before it has read anything.
const PROCESS: u64 = 96 << 20;

/// An engine's working space beside weights and activations, as a share of the activations.
const WORKING_SHARE: f64 = 0.25;

/// A number of bytes, as in `4G`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct MemoryBound(pub u64);

impl FromStr for MemoryBound {
    type Err = String;

    /// Reads a number and `G`, `M` or nothing (bytes); the units are powers of 1024.
    fn from_str(text: &str) -> Result<MemoryBound, String> {
        let wrong = || format!("{text:?} is no size: write it as in 4G or 800M");
        let (digits, unit) = match text.trim().to_uppercase() {
            text if text.ends_with('G') => (text[..text.len() - 1].to_owned(), 1_u64 << 30),
            text if text.ends_with('M') => (text[..text.len() - 1].to_owned(), 1 << 20),
            text => (text, 1),
        };
        let number: f64 = digits.parse().map_err(|_| wrong())?;
        let bytes = number * unit as f64;
        match bytes.is_finite() && bytes >= 1.0 {
            true => Ok(MemoryBound(bytes as u64)),
            false => Err(wrong()),
        }
    }
}

impl fmt::Display for MemoryBound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.2} GiB", self.0 as f64 / (1_u64 << 30) as f64)
    }
}

/// What a case takes, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MemoryEstimate {
    /// The images as they were read.
    pub images: u64,
    /// Resampling, while it runs.
    pub resampling: u64,
    /// The network's image.
    pub prepared: u64,
    /// Sums of overlapping windows, and slabs on their way back. Grows with the plane and the
    /// classes, not with the length of the volume.
    pub sums: u64,
    /// Label maps.
    pub labels: u64,
    /// Weights and one call of the network.
    pub network: u64,
}

impl MemoryEstimate {
    /// Estimates `tasks`, one after another, on a case that was read. `merged` is whether they
    /// are joined in one map.
    pub fn of(
        model: &Model,
        case: &Case,
        tasks: &[&Task],
        options: &WindowOptions,
        merged: bool,
    ) -> MemoryEstimate {
        let geometry = case.image().geometry();
        let (from, spacing) = (geometry.extent.zyx(), geometry.spacing.zyx());
        let voxels: u64 = from.iter().map(|size| *size as u64).product();
        let channels = case.channels() as u64;
        let network = &model.manifest().network;
        let footprint = model.footprint();
        let (mut resampling, mut prepared, mut sums) = (0, 0, 0);
        for task in tasks {
            let to: Vec<u64> = (0..3)
                .map(|axis| {
                    let size = spacing[axis] / task.spacing_zyx_mm[axis] * from[axis] as f64;
                    size.round().max(1.0) as u64
                })
                .collect();
            let target: u64 = to.iter().product();
            prepared = prepared.max(4 * channels * target);
            // One copy in and one out, between them an axis that is done.
            resampling = resampling.max(2 * 4 * voxels.max(target));
            let depth = (network.patch_zyx[0] as u64).min(to[0]);
            let plane = to[1] * to[2];
            let classes = task.labels.len() as u64;
            // The sums and their weight; a slab that is made, one that waits, one on its way.
            sums = sums.max(4 * depth * plane * (classes + 1) + 3 * 4 * depth * plane * classes);
        }
        let batch = if model.batches() {
            options.batch.get() as u64
        } else {
            1
        };
        let activations = footprint.activation_bytes * batch;
        MemoryEstimate {
            images: 4 * channels * voxels,
            resampling,
            prepared,
            sums,
            // The one that is made, and in a cohort one that waits and one that is written.
            labels: 2 * voxels * (3 + u64::from(merged)),
            network: model.bytes().len() as u64
                + 2 * footprint.weight_bytes
                + activations
                + (activations as f64 * WORKING_SHARE) as u64,
        }
    }

    /// The most that is there at one time.
    pub fn peak(&self) -> u64 {
        let always = PROCESS + self.images + self.prepared;
        let preparing = always + self.resampling;
        let running = always + self.sums + self.labels + self.network;
        preparing.max(running)
    }
}

/// Lowers the batch until the case fits into `bound`.
///
/// Errors: [`RuntimeError::MemoryBound`] if one window at a time does not fit either.
pub fn fit_memory(
    bound: MemoryBound,
    model: &Model,
    case: &Case,
    tasks: &[&Task],
    mut options: WindowOptions,
    merged: bool,
) -> Result<WindowOptions, RuntimeError> {
    loop {
        let estimate = MemoryEstimate::of(model, case, tasks, &options, merged);
        if estimate.peak() <= bound.0 {
            return Ok(options);
        }
        match NonZeroUsize::new(options.batch.get() / 2).filter(|_| model.batches()) {
            Some(batch) => options.batch = batch,
            None => {
                return Err(RuntimeError::MemoryBound {
                    bound,
                    needed: MemoryBound(estimate.peak()),
                    images: MemoryBound(estimate.images + estimate.prepared + estimate.labels),
                    network: MemoryBound(estimate.network),
                });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use ndarray::Array3;
    use uniseg_imaging::{Extent, Geometry, SpacingMm, Volume};
    use uniseg_onnx::sample;

    use super::*;

    fn case(z: usize) -> Case {
        let spacing = SpacingMm::from_zyx([3.0, 1.5, 1.5]).unwrap();
        let geometry = Geometry::axis_aligned(Extent::from_zyx([z, 20, 20]), spacing);
        let volume = Volume::new(Array3::zeros((z, 20, 20)), geometry).unwrap();
        Case::from_volumes(&[PathBuf::from("case")], vec![volume]).unwrap()
    }

    #[test]
    fn sizes_are_read_as_people_write_them() {
        assert_eq!("4G".parse(), Ok(MemoryBound(4 << 30)));
        assert_eq!("1.5g".parse(), Ok(MemoryBound(3 << 29)));
        assert_eq!("800M".parse(), Ok(MemoryBound(800 << 20)));
        for bad in ["", "G", "-1G", "0", "4GB", "nanG", "infG"] {
            assert!(bad.parse::<MemoryBound>().is_err(), "{bad}");
        }
    }

    #[test]
    fn sums_do_not_grow_with_the_length_of_the_volume() {
        let model: Model = sample::tiny_artefact().into();
        let task = &model.manifest().tasks[0];
        let options = WindowOptions::of(model.manifest());
        let [short, long] =
            [20, 200].map(|z| MemoryEstimate::of(&model, &case(z), &[task], &options, false));
        assert_eq!(long.sums, short.sums);
        assert_eq!(long.network, short.network);
        assert_eq!(long.images, 10 * short.images);
        // Depth 2 of 400 voxels each: two classes and a weight, and three slabs of two classes.
        assert_eq!(short.sums, 4 * 2 * 400 * (3 + 3 * 2));
    }

    #[test]
    fn what_cannot_fit_is_refused_in_a_sentence() {
        let model: Model = sample::tiny_artefact().into();
        let task = &model.manifest().tasks[0];
        let options = WindowOptions::of(model.manifest());
        let fit = |bound: &str| {
            fit_memory(
                bound.parse().unwrap(),
                &model,
                &case(20),
                &[task],
                options,
                true,
            )
        };
        assert_eq!(fit("1G").unwrap(), options);
        let said = fit("50M").unwrap_err().to_string();
        assert!(
            said.starts_with("the case needs about 0.09 GiB, more than the 0.05 GiB allowed"),
            "{said}"
        );
    }
}
