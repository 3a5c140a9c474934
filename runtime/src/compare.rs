//! Two engines, the same inputs: do they compute the same network?

mod accuracy;
mod bisect;
mod random;

use std::time::Instant;

use ndarray::{Array5, Zip, s};
use serde::Serialize;
use uniseg_onnx::{Manifest, Task};

pub(crate) use self::accuracy::Sums;
pub use self::accuracy::{Accuracy, LabelAccuracy, accuracy};
pub use self::bisect::{Bisection, NodeDifference, Opener, bisect};
pub use self::random::random_patch;
use crate::{Engine, Predictor, RuntimeError, WholeModel};

/// How far two engines are apart, task by task.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Comparison {
    /// The engine taken as reference, then the other one.
    pub engines: [String; 2],
    /// Seed of the inputs.
    pub seed: u64,
    /// One row for each task of the manifest.
    pub tasks: Vec<TaskDifference>,
}

/// How far two engines are apart on one task.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TaskDifference {
    /// Index of the task.
    pub id: u32,
    /// Name of the task.
    pub task: String,
    /// Largest absolute difference of two logits; infinite if one is not finite.
    pub max_abs: f64,
    /// `max_abs` divided by the largest absolute logit of the reference. Not voxel by voxel: a
    /// logit near zero would make any rounding look like an error.
    pub max_rel: f64,
    /// Voxels whose label (the highest of the task's own logits) differs.
    pub flipped: u64,
    /// Voxels compared.
    pub voxels: u64,
    /// Seconds that each engine took for this pass; the first pass includes its warm-up.
    pub seconds: [f64; 2],
}

impl Comparison {
    /// Largest absolute difference over all tasks.
    pub fn max_abs(&self) -> f64 {
        self.tasks
            .iter()
            .map(|task| task.max_abs)
            .fold(0.0, f64::max)
    }

    /// Largest relative difference over all tasks, see [`TaskDifference::max_rel`].
    pub fn max_rel(&self) -> f64 {
        self.tasks
            .iter()
            .map(|task| task.max_rel)
            .fold(0.0, f64::max)
    }
}

/// Runs every task of `manifest` once through both engines on random patches made from `seed`.
///
/// `progress` is called with each row as it is done.
///
/// Errors: whatever an engine reports; a difference is not an error.
pub fn compare(
    manifest: &Manifest,
    reference: &mut dyn Engine,
    other: &mut dyn Engine,
    seed: u64,
    progress: &mut dyn FnMut(&TaskDifference),
) -> Result<Comparison, RuntimeError> {
    let engines = [reference.name().to_owned(), other.name().to_owned()];
    let mut reference = WholeModel::one_by_one(reference, &manifest.network);
    let mut other = WholeModel::one_by_one(other, &manifest.network);
    let mut tasks = Vec::with_capacity(manifest.tasks.len());
    for task in &manifest.tasks {
        let image = random_patch(manifest, task, seed);
        let (expected, reference_s) = timed(&mut reference, task, &image)?;
        let (found, other_s) = timed(&mut other, task, &image)?;
        let row = difference(task, &expected, &found, [reference_s, other_s]);
        progress(&row);
        tasks.push(row);
    }
    Ok(Comparison {
        engines,
        seed,
        tasks,
    })
}

fn timed(
    predictor: &mut dyn Predictor,
    task: &Task,
    image: &Array5<f32>,
) -> Result<(Array5<f32>, f64), RuntimeError> {
    let start = Instant::now();
    let found = logits(predictor, task, image)?;
    Ok((found, start.elapsed().as_secs_f64()))
}

/// The logits of a task on one window.
pub(crate) fn logits(
    predictor: &mut dyn Predictor,
    task: &Task,
    image: &Array5<f32>,
) -> Result<Array5<f32>, RuntimeError> {
    let mut found = Array5::zeros((0, 0, 0, 0, 0));
    predictor.logits(image.view(), &[task.id], &mut |_, mut logits| {
        found = logits.view()?.to_owned();
        Ok(())
    })?;
    Ok(found)
}

pub(crate) fn difference(
    task: &Task,
    expected: &Array5<f32>,
    found: &Array5<f32>,
    seconds: [f64; 2],
) -> TaskDifference {
    let mut max_abs = 0.0f64;
    let mut scale = 0.0f64;
    Zip::from(expected)
        .and(found)
        .for_each(|&expected, &found| {
            let gap = f64::from(expected) - f64::from(found);
            // `max` would drop a NaN, and with it the one difference that matters most.
            max_abs = max_abs.max(if gap.is_finite() {
                gap.abs()
            } else {
                f64::INFINITY
            });
            scale = scale.max(f64::from(expected).abs());
        });
    let (expected, found) = (labels(task, expected), labels(task, found));
    let flipped = expected.iter().zip(&found).filter(|(a, b)| a != b).count();
    TaskDifference {
        id: task.id,
        task: task.name.clone(),
        max_abs,
        // Infinite by infinite would be no number, which the largest of all would drop.
        max_rel: match max_abs {
            0.0 => 0.0,
            f64::INFINITY => f64::INFINITY,
            gap => gap / scale,
        },
        flipped: flipped as u64,
        voxels: expected.len() as u64,
        seconds,
    }
}

/// The highest of the task's own classes, voxel by voxel.
pub(crate) fn labels(task: &Task, logits: &Array5<f32>) -> Vec<usize> {
    let classes = task.labels.len().min(logits.shape()[1]);
    logits
        .slice(s![0, ..classes, .., .., ..])
        .lanes(ndarray::Axis(0))
        .into_iter()
        .map(|lane| {
            let first = (0, f32::NEG_INFINITY);
            lane.iter().enumerate().fold(
                first,
                |best, (class, &logit)| {
                    if logit > best.1 { (class, logit) } else { best }
                },
            )
        })
        .map(|(class, _)| class)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{self, Toy};

    #[test]
    fn the_same_engine_twice_does_not_differ() {
        let manifest = testing::manifest();
        let (mut a, mut b) = (Toy::sum(), Toy::sum());
        let mut rows = 0;
        let result = compare(&manifest, &mut a, &mut b, 1, &mut |_| rows += 1).unwrap();
        assert_eq!(rows, manifest.tasks.len());
        assert_eq!((result.max_abs(), result.max_rel()), (0.0, 0.0));
        assert!(
            result
                .tasks
                .iter()
                .all(|task| task.flipped == 0 && task.voxels > 0)
        );
    }

    #[test]
    fn differences_and_flipped_voxels_are_counted() {
        let manifest = testing::manifest();
        let task = &manifest.tasks[0];
        let [d, h, w] = manifest.network.patch_zyx;
        let mut expected = Array5::zeros((1, manifest.network.classes, d, h, w));
        expected.slice_mut(s![0, 1, .., .., ..]).fill(2.0);
        let mut found = expected.clone();
        found[[0, 1, 0, 0, 0]] = -1.0;
        found[[0, 0, 1, 0, 0]] = 0.5;
        let row = difference(task, &expected, &found, [0.0; 2]);
        assert_eq!((row.max_abs, row.max_rel, row.flipped), (3.0, 1.5, 1));
    }

    #[test]
    fn a_value_that_is_no_number_is_an_infinite_difference() {
        let manifest = testing::manifest();
        let [d, h, w] = manifest.network.patch_zyx;
        let expected = Array5::zeros((1, manifest.network.classes, d, h, w));
        let mut found = expected.clone();
        found[[0, 0, 0, 0, 0]] = f32::NAN;
        let mut endless = expected.clone();
        endless[[0, 0, 0, 0, 0]] = f32::INFINITY;
        for (expected, found) in [(&expected, &found), (&endless, &expected), (&found, &found)] {
            let row = difference(&manifest.tasks[0], expected, found, [0.0; 2]);
            assert_eq!((row.max_abs, row.max_rel), (f64::INFINITY, f64::INFINITY));
        }
    }
}
