//! From the label maps of many cases to one number: the evaluation's averages, in their order.

use ndarray::ArrayView3;

use super::{SurfaceDistances, dice};
use crate::geometry::SpacingMm;

/// How well two maps agree on one label: of one case, or the mean over several.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Agreement {
    /// Dice overlap, see [`dice`].
    pub dice: f64,
    /// Normalised surface Dice, see [`SurfaceDistances::normalized_dice`].
    pub surface_dice: f64,
    /// 95th percentile of the surface distances, see [`SurfaceDistances::hd95_mm`].
    pub hd95_mm: f64,
    /// Average surface distance, see [`SurfaceDistances::average_mm`].
    pub average_mm: f64,
}

impl Agreement {
    /// Measures one label of two maps (z, y, x) on one grid; the surface Dice counts distances up
    /// to `tolerance_mm` as none.
    ///
    /// Panics if the shapes differ: comparing maps of different grids is a programming error.
    pub fn measure(
        a: ArrayView3<'_, u16>,
        b: ArrayView3<'_, u16>,
        label: u16,
        spacing: SpacingMm,
        tolerance_mm: f64,
    ) -> Self {
        let distances = SurfaceDistances::new(a, b, label, spacing);
        Self {
            dice: dice(a, b, label),
            surface_dice: distances.normalized_dice(tolerance_mm),
            hd95_mm: distances.hd95_mm(),
            average_mm: distances.average_mm(),
        }
    }

    /// The mean, measure by measure; `None` of nothing.
    pub fn mean(all: impl IntoIterator<Item = Self>) -> Option<Self> {
        let mut sum = [0.0; 4];
        let mut count = 0;
        for Self {
            dice,
            surface_dice,
            hd95_mm,
            average_mm,
        } in all
        {
            for (sum, value) in sum
                .iter_mut()
                .zip([dice, surface_dice, hd95_mm, average_mm])
            {
                *sum += value;
            }
            count += 1;
        }
        let [dice, surface_dice, hd95_mm, average_mm] = sum.map(|sum| sum / f64::from(count));
        (count > 0).then_some(Self {
            dice,
            surface_dice,
            hd95_mm,
            average_mm,
        })
    }
}

/// One task's agreement over its cases.
#[derive(Debug, Clone, PartialEq)]
pub struct TaskAgreement {
    /// Of each label of the foreground, the mean over the cases.
    pub labels: Vec<Agreement>,
    /// The mean over the labels.
    pub mean: Agreement,
}

impl TaskAgreement {
    /// Averages over cases first, then over labels; `None` without cases or without labels.
    ///
    /// `cases` holds for each case its labels of the foreground, the same ones in the same order.
    /// A label that is in neither map of a case takes part with a Dice of 1, one that is in one
    /// map only with 0. The mean over tasks is [`Agreement::mean`] of their means: each task
    /// counts the same, however many cases and labels it has. Source: the evaluation of UniSeg.
    pub fn of(cases: &[Vec<Agreement>]) -> Option<Self> {
        let count = cases.first()?.len();
        let labels = (0..count)
            .map(|label| Agreement::mean(cases.iter().filter_map(|case| case.get(label).copied())))
            .collect::<Option<Vec<_>>>()?;
        let mean = Agreement::mean(labels.iter().copied())?;
        Some(Self { labels, mean })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::Array3;

    /// A row of voxels as a map.
    fn row(labels: &[u16]) -> Array3<u16> {
        Array3::from_shape_fn((1, 1, labels.len()), |(_, _, x)| labels[x])
    }

    fn case(truth: &[u16], prediction: &[u16]) -> Vec<Agreement> {
        let (truth, prediction) = (row(truth), row(prediction));
        let spacing = SpacingMm::from_zyx([1.0, 1.0, 2.0]).unwrap();
        [1, 2]
            .map(|label| Agreement::measure(truth.view(), prediction.view(), label, spacing, 2.0))
            .to_vec()
    }

    fn dices(all: &[Agreement]) -> Vec<f64> {
        all.iter().map(|one| one.dice).collect()
    }

    #[test]
    fn averages_are_those_of_a_hand() {
        let cases = [
            // Label 1: 2 * 2 / (3 + 2) = 0.8. Label 2 is in neither: 1.
            case(&[1, 1, 1, 0, 0], &[1, 1, 0, 0, 0]),
            // Label 1 is in the truth only: 0. Label 2: 2 * 1 / (1 + 3) = 0.5.
            case(&[1, 0, 2, 0, 0], &[0, 2, 2, 2, 0]),
            // Label 1 is in the prediction only: 0. Label 2 is the same: 1.
            case(&[0, 2, 2, 0, 0], &[1, 2, 2, 0, 0]),
        ];
        assert_eq!(dices(&cases[0]), [0.8, 1.0]);
        assert_eq!(dices(&cases[1]), [0.0, 0.5]);
        assert_eq!(dices(&cases[2]), [0.0, 1.0]);
        let task = TaskAgreement::of(&cases).unwrap();
        let close = |found: f64, expected: f64| assert!((found - expected).abs() < 1e-12);
        // Over cases: (0.8 + 0 + 0) / 3 and (1 + 0.5 + 1) / 3; over labels: their mean.
        close(task.labels[0].dice, 0.8 / 3.0);
        close(task.labels[1].dice, 2.5 / 3.0);
        close(task.mean.dice, 3.3 / 6.0);
        // Label 1: distances 0 0 2 and 0 0, 95th percentile 1.6; then twice none to measure.
        close(cases[0][0].hd95_mm, 1.6);
        close(cases[0][0].average_mm, 2.0 / 3.0 / 2.0);
        close(task.labels[0].hd95_mm, (1.6 + 998.0 + 998.0) / 3.0);
        // Label 2: neither, one voxel off on both sides within the tolerance, the same.
        close(task.labels[1].surface_dice, 1.0);
        close(task.labels[0].surface_dice, 1.0 / 3.0);
    }

    #[test]
    fn a_task_counts_once_however_many_cases_it_has() {
        let good = case(&[1, 2], &[1, 2]);
        let bad = case(&[1, 2], &[0, 0]);
        let tasks = [
            TaskAgreement::of(&[good.clone(), good.clone(), good]).unwrap(),
            TaskAgreement::of(&[bad]).unwrap(),
        ];
        let mean = Agreement::mean(tasks.map(|task| task.mean)).unwrap();
        assert_eq!((mean.dice, mean.surface_dice), (0.5, 0.5));
    }

    #[test]
    fn nothing_has_no_mean() {
        assert_eq!(TaskAgreement::of(&[]), None);
        assert_eq!(TaskAgreement::of(&[Vec::new()]), None);
        assert_eq!(Agreement::mean([]), None);
    }
}
