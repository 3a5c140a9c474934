//! Two models on the same windows of real images: what fewer bits cost.

use ndarray::Array5;
use serde::Serialize;
use uniseg_onnx::{Manifest, Task};

use super::{labels, timed};
use crate::{Predictor, RuntimeError, Sample};

/// How far a model is from its reference on one task, over all windows of it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Accuracy {
    /// Index of the task.
    pub id: u32,
    /// Name of the task.
    pub task: String,
    /// Windows compared.
    pub windows: usize,
    /// Largest absolute difference of two logits; infinite if one is not finite.
    pub max_abs: f64,
    /// Mean absolute difference of two logits.
    pub mean_abs: f64,
    /// Share of voxels with the same label, the highest of the task's own logits.
    pub agreement: f64,
    /// One row for each label but the background.
    pub labels: Vec<LabelAccuracy>,
    /// Seconds that each model took for one window, on average.
    pub seconds: [f64; 2],
}

/// How far a label is from that of the reference.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LabelAccuracy {
    /// Name of the label.
    pub name: String,
    /// Voxels that have it by the reference.
    pub voxels: u64,
    /// Voxels that only one of the two gives it.
    pub differing: u64,
    /// Dice with the reference; 1 where neither has it.
    pub dice: f64,
}

/// Sums over the windows of a task.
#[derive(Default)]
pub(crate) struct Sums {
    windows: usize,
    max_abs: f64,
    sum_abs: f64,
    logits: u64,
    voxels: u64,
    same: u64,
    /// By label: voxels of the reference, of the other, of both.
    overlaps: Vec<[u64; 3]>,
    seconds: [f64; 2],
}

/// Runs both on every sample; a row for each task that has samples, in the manifest's
/// order.
///
/// Errors: whatever an engine reports; a difference is not an error.
pub fn accuracy(
    manifest: &Manifest,
    reference: &mut dyn Predictor,
    other: &mut dyn Predictor,
    samples: &[Sample],
) -> Result<Vec<Accuracy>, RuntimeError> {
    let mut rows = Vec::new();
    for task in &manifest.tasks {
        let mut sums = Sums::default();
        for sample in samples.iter().filter(|sample| sample.task.id == task.id) {
            let (expected, reference_s) = timed(reference, task, &sample.image)?;
            let (found, other_s) = timed(other, task, &sample.image)?;
            sums.add(task, &expected, &found);
            sums.seconds[0] += reference_s;
            sums.seconds[1] += other_s;
        }
        if sums.windows > 0 {
            rows.push(sums.row(task));
        }
    }
    Ok(rows)
}

impl Sums {
    /// Counts one window of `task`.
    pub(crate) fn add(&mut self, task: &Task, expected: &Array5<f32>, found: &Array5<f32>) {
        self.windows += 1;
        for (&expected, &found) in expected.iter().zip(found) {
            let gap = (f64::from(expected) - f64::from(found)).abs();
            let gap = if gap.is_finite() { gap } else { f64::INFINITY };
            self.max_abs = self.max_abs.max(gap);
            self.sum_abs += gap;
        }
        self.logits += expected.len() as u64;
        self.overlaps.resize(task.labels.len(), [0; 3]);
        for (a, b) in labels(task, expected).into_iter().zip(labels(task, found)) {
            self.voxels += 1;
            self.same += u64::from(a == b);
            for (label, overlap) in self.overlaps.iter_mut().enumerate() {
                let (a, b) = (a == label, b == label);
                for (sum, counts) in overlap.iter_mut().zip([a, b, a && b]) {
                    *sum += u64::from(counts);
                }
            }
        }
    }

    /// What they come to.
    pub(crate) fn row(self, task: &Task) -> Accuracy {
        let share = |part: f64, whole: u64| part / whole.max(1) as f64;
        let dice = |[a, b, both]: [u64; 3]| match a + b {
            0 => 1.0,
            sum => 2.0 * both as f64 / sum as f64,
        };
        Accuracy {
            id: task.id,
            task: task.name.clone(),
            windows: self.windows,
            max_abs: self.max_abs,
            mean_abs: share(self.sum_abs, self.logits),
            agreement: share(self.same as f64, self.voxels),
            labels: task
                .labels
                .iter()
                .zip(self.overlaps)
                .skip(1)
                .map(|(name, overlap)| LabelAccuracy {
                    name: name.clone(),
                    voxels: overlap[0],
                    differing: overlap[0] + overlap[1] - 2 * overlap[2],
                    dice: dice(overlap),
                })
                .collect(),
            seconds: self.seconds.map(|sum| sum / self.windows as f64),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::WholeModel;
    use crate::testing::{self, Toy};

    #[test]
    fn sums_run_over_the_windows_of_a_task() {
        let manifest = testing::manifest();
        let task = &manifest.tasks[0];
        let sample = |value| Sample {
            task: task.clone(),
            image: Array5::from_elem((1, 3, 4, 6, 8), value),
        };
        // The highest logit is class 2's for positive voxels and 0's for negative ones.
        let samples = [sample(1.0), sample(-1.0)];
        let mut shifted = Toy::new(|image, _| {
            let mut logits = Array5::zeros((1, 4, 4, 6, 8));
            let first = image[[0, 0, 0, 0, 0]];
            logits
                .slice_mut(ndarray::s![.., 1, .., .., ..])
                .fill(3.0 * first);
            logits
        });
        let measured = |reference: &mut Toy, other: &mut Toy| {
            let mut reference = WholeModel::one_by_one(reference, &manifest.network);
            let mut other = WholeModel::one_by_one(other, &manifest.network);
            accuracy(&manifest, &mut reference, &mut other, &samples)
        };
        let rows = measured(&mut Toy::sum(), &mut shifted).unwrap();
        let [row] = rows.as_slice() else {
            panic!("{rows:?}");
        };
        assert_eq!((row.windows, row.max_abs, row.agreement), (2, 9.0, 0.5));
        let dice: Vec<f64> = row.labels.iter().map(|label| label.dice).collect();
        assert_eq!(dice, [0.0, 0.0]);
        let differing: Vec<u64> = row.labels.iter().map(|label| label.differing).collect();
        assert_eq!(differing, [192, 192]);
        let rows = measured(&mut Toy::sum(), &mut Toy::sum()).unwrap();
        assert!(rows[0].labels.iter().all(|label| label.dice == 1.0));
        assert_eq!((rows[0].max_abs, rows[0].agreement), (0.0, 1.0));
    }
}
