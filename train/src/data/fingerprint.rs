//! What a dataset is like: the numbers that a plan is made from.

use std::path::Path;

use ndarray::ArrayView3;
use serde::{Deserialize, Serialize};
use uniseg_imaging::crop::nonzero_box;
use uniseg_imaging::label_counts;

use super::DataError;
use super::atomic::write_atomically;
use super::random::{Random, Selection};
use super::source::LoadedCase;

/// Foreground voxels that are sampled of a case, at most.
const SAMPLES_PER_CASE: u64 = 20_000;

/// An axis is coarse where it is this many times coarser than the others. Source: nnU-Net v1,
/// `ExperimentPlanner3D_v21.get_target_spacing`.
const ANISOTROPY: f64 = 3.0;

/// What a dataset is like.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Fingerprint {
    /// The task whose labels were counted.
    pub task: String,
    /// Every case that could be read, sorted by name.
    pub cases: Vec<CaseFingerprint>,
    /// Intensities of the foreground, one entry a channel; none if there is no foreground.
    pub intensities: Vec<Intensity>,
}

/// What a case is like.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CaseFingerprint {
    /// Its name.
    pub name: String,
    /// Spacing, (z, y, x) in millimetres.
    pub spacing_zyx_mm: [f64; 3],
    /// Size in voxels, (z, y, x).
    pub extent_zyx: [usize; 3],
    /// Size after cropping to what is not zero.
    pub cropped_zyx: [usize; 3],
    /// Voxels of each label, background first.
    pub label_voxels: Vec<u64>,
}

/// Intensities of the foreground in one channel.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Intensity {
    /// Voxels that were looked at.
    pub samples: u64,
    /// Mean.
    pub mean: f64,
    /// Population standard deviation.
    pub std: f64,
    /// Lowest.
    pub min: f64,
    /// 0.5th percentile.
    pub percentile_00_5: f64,
    /// Median.
    pub median: f64,
    /// 99.5th percentile.
    pub percentile_99_5: f64,
    /// Highest.
    pub max: f64,
}

impl Fingerprint {
    /// Writes the fingerprints of several tasks into one JSON file, whole or not at all.
    ///
    /// Errors: [`DataError::Io`], [`DataError::Json`].
    pub fn write_all(fingerprints: &[Self], path: &Path) -> Result<(), DataError> {
        let text = serde_json::to_vec_pretty(fingerprints).map_err(|source| DataError::Json {
            what: "fingerprint",
            path: path.to_path_buf(),
            source,
        })?;
        write_atomically(path, |out| out.write_all(&text)).map_err(DataError::io("write", path))
    }

    /// Median spacing along each axis; `None` without cases.
    pub fn median_spacing_zyx_mm(&self) -> Option<[f64; 3]> {
        self.percentile_of(50.0, |case| case.spacing_zyx_mm)
    }

    /// Median size after cropping along each axis; `None` without cases.
    pub fn median_cropped_zyx(&self) -> Option<[f64; 3]> {
        self.percentile_of(50.0, |case| case.cropped_zyx.map(|size| size as f64))
    }

    /// Median size after cropping, in voxels of another spacing (z, y, x) in millimetres; `None`
    /// without cases.
    pub fn median_size_at(&self, spacing_zyx_mm: [f64; 3]) -> Option<[f64; 3]> {
        self.percentile_of(50.0, |case| {
            std::array::from_fn(|axis| {
                case.cropped_zyx[axis] as f64 * case.spacing_zyx_mm[axis] / spacing_zyx_mm[axis]
            })
        })
    }

    /// Median share of the voxels that cropping leaves. Below 3/4, nnU-Net v1 takes z-scores over
    /// the non-zero mask only.
    pub fn median_cropped_share(&self) -> Option<f64> {
        let volume = |size: [usize; 3]| size.into_iter().map(|n| n as f64).product::<f64>();
        let share = |case: &CaseFingerprint| volume(case.cropped_zyx) / volume(case.extent_zyx);
        percentile(self.cases.iter().map(share).collect(), 50.0)
    }

    /// The spacing that nnU-Net would resample to: the median, but the 10th percentile along an
    /// axis that is coarse in spacing and short in voxels.
    ///
    /// Source: nnU-Net v1, `ExperimentPlanner3D_v21.get_target_spacing`.
    pub fn target_spacing_zyx_mm(&self) -> Option<[f64; 3]> {
        let mut target = self.median_spacing_zyx_mm()?;
        let size = self.median_cropped_zyx()?;
        // The first of equal ones, as numpy's argmax.
        let coarse = (1..3).fold(0, |best, axis| {
            if target[axis] > target[best] {
                axis
            } else {
                best
            }
        });
        let others = || (0..3).filter(|axis| *axis != coarse);
        let widest = others().map(|axis| target[axis]).fold(f64::MIN, f64::max);
        let shortest = others().map(|axis| size[axis]).fold(f64::MAX, f64::min);
        if target[coarse] > ANISOTROPY * widest && size[coarse] * ANISOTROPY < shortest {
            let tenth = self.percentile_of(10.0, |case| case.spacing_zyx_mm)?[coarse];
            target[coarse] = if tenth < widest {
                widest.max(tenth) + 1e-5
            } else {
                tenth
            };
        }
        Some(target)
    }

    /// Voxels of each label over all cases.
    pub fn label_voxels(&self) -> Vec<u64> {
        let mut sums: Vec<u64> = Vec::new();
        for case in &self.cases {
            sums.resize(sums.len().max(case.label_voxels.len()), 0);
            sums.iter_mut()
                .zip(&case.label_voxels)
                .for_each(|(sum, n)| *sum += n);
        }
        sums
    }

    fn percentile_of(
        &self,
        q: f64,
        value: impl Fn(&CaseFingerprint) -> [f64; 3],
    ) -> Option<[f64; 3]> {
        let mut out = [0.0; 3];
        for (axis, out) in out.iter_mut().enumerate() {
            *out = percentile(self.cases.iter().map(|case| value(case)[axis]).collect(), q)?;
        }
        Some(out)
    }
}

/// What one case adds to a fingerprint.
pub(super) struct Contribution {
    pub case: CaseFingerprint,
    /// Intensities of some foreground voxels, for each channel.
    pub samples: Vec<Vec<f32>>,
}

impl Contribution {
    /// Measures a case of a task with `labels` labels.
    pub(super) fn of(name: &str, case: &LoadedCase, labels: usize, seed: u64) -> Option<Self> {
        let geometry = case.channels.first()?.geometry();
        let views: Vec<ArrayView3<'_, f32>> = case.channels.iter().map(|c| c.voxels()).collect();
        let label_voxels = label_counts(case.labels.view(), labels);
        let foreground = label_voxels.iter().skip(1).sum();
        let random = Random::for_name(seed, name);
        let mut chosen = Selection::new(random, foreground, SAMPLES_PER_CASE);
        let mut samples = vec![Vec::new(); views.len()];
        for (at, _) in case.labels.indexed_iter().filter(|(_, label)| **label > 0) {
            if chosen.take() {
                for (samples, view) in samples.iter_mut().zip(&views) {
                    samples.extend(Some(view[at]).filter(|value| value.is_finite()));
                }
            }
        }
        Some(Self {
            case: CaseFingerprint {
                name: name.to_owned(),
                spacing_zyx_mm: geometry.spacing.zyx(),
                extent_zyx: geometry.extent.zyx(),
                cropped_zyx: nonzero_box(&views)?.extent().zyx(),
                label_voxels,
            },
            samples,
        })
    }
}

/// Puts contributions together; their order does not matter.
pub(super) fn combine(task: &str, channels: usize, mut parts: Vec<Contribution>) -> Fingerprint {
    parts.sort_by(|a, b| a.case.name.cmp(&b.case.name));
    let of_channel = |channel: usize| {
        let samples = parts.iter().filter_map(|part| part.samples.get(channel));
        Intensity::of(samples.flatten().map(|value| f64::from(*value)).collect())
    };
    Fingerprint {
        task: task.to_owned(),
        intensities: (0..channels).map_while(of_channel).collect(),
        cases: parts.into_iter().map(|part| part.case).collect(),
    }
}

impl Intensity {
    fn of(mut values: Vec<f64>) -> Option<Self> {
        values.sort_unstable_by(f64::total_cmp);
        let (&min, &max) = (values.first()?, values.last()?);
        let count = values.len() as f64;
        let mean = values.iter().sum::<f64>() / count;
        let variance = values.iter().map(|v| (v - mean) * (v - mean)).sum::<f64>() / count;
        Some(Self {
            samples: values.len() as u64,
            mean,
            std: variance.sqrt(),
            min,
            percentile_00_5: percentile_of_sorted(&values, 0.5)?,
            median: percentile_of_sorted(&values, 50.0)?,
            percentile_99_5: percentile_of_sorted(&values, 99.5)?,
            max,
        })
    }
}

fn percentile(mut values: Vec<f64>, q: f64) -> Option<f64> {
    values.sort_unstable_by(f64::total_cmp);
    percentile_of_sorted(&values, q)
}

/// Between the two nearest ranks on a straight line, as numpy's default.
fn percentile_of_sorted(sorted: &[f64], q: f64) -> Option<f64> {
    let place = q / 100.0 * sorted.len().checked_sub(1)? as f64;
    let below = sorted.get(place.floor() as usize)?;
    let above = sorted.get(place.ceil() as usize)?;
    Some(below + (above - below) * place.fract())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn case(spacing_zyx_mm: [f64; 3], size: [usize; 3]) -> CaseFingerprint {
        CaseFingerprint {
            name: "a".into(),
            spacing_zyx_mm,
            extent_zyx: size.map(|n| 2 * n),
            cropped_zyx: size,
            label_voxels: vec![5, 1],
        }
    }

    fn fingerprint(cases: Vec<CaseFingerprint>) -> Fingerprint {
        Fingerprint {
            task: "t".into(),
            cases,
            intensities: Vec::new(),
        }
    }

    #[test]
    fn percentiles_are_numpys() {
        let values: Vec<f64> = [15.0, 20.0, 35.0, 40.0, 50.0].to_vec();
        assert_eq!(percentile(values.clone(), 40.0), Some(29.0));
        assert_eq!(percentile(values.clone(), 50.0), Some(35.0));
        assert!((percentile(values, 0.5).unwrap() - 15.1).abs() < 1e-12);
        assert_eq!(percentile(Vec::new(), 50.0), None);
        let intensity = Intensity::of(vec![3.0, 1.0, 2.0, 4.0]).unwrap();
        assert_eq!(
            (intensity.mean, intensity.median, intensity.samples),
            (2.5, 2.5, 4)
        );
        assert!((intensity.std - 1.25_f64.sqrt()).abs() < 1e-12);
    }

    #[test]
    fn a_coarse_axis_is_resampled_finer_than_its_median() {
        let even = fingerprint(vec![case([3.0, 1.0, 1.5], [50, 100, 90]); 3]);
        assert_eq!(even.target_spacing_zyx_mm(), Some([3.0, 1.0, 1.5]));
        let coarse = fingerprint(
            [2.0, 8.0, 10.0]
                .map(|z| case([z, 1.0, 1.0], [20, 100, 90]))
                .to_vec(),
        );
        let target = coarse.target_spacing_zyx_mm().unwrap();
        assert!((target[0] - 3.2).abs() < 1e-12, "{target:?}");
        // The tenth percentile is never finer than the other axes.
        let mixed = fingerprint(
            [0.5, 8.0, 10.0, 8.0, 8.0]
                .map(|z| case([z, 3.0, 1.0], [9, 100, 90]))
                .to_vec(),
        );
        assert_eq!(mixed.target_spacing_zyx_mm(), Some([8.0, 3.0, 1.0]));
        assert_eq!(coarse.median_cropped_share(), Some(0.125));
        assert_eq!(coarse.label_voxels(), [15, 3]);
        assert_eq!(fingerprint(Vec::new()).target_spacing_zyx_mm(), None);
    }
}
