//! What a combination is compared on, and timed.

use std::{num::NonZeroUsize, time::Instant};

use ndarray::Array5;
use uniseg_onnx::Task;

use super::{LeastLabel, Tried, TuneOptions};
use crate::{
    Accuracy, Device, EngineKind, EngineOptions, Pieces, Predictor, RuntimeError, Sample,
    compare::{Sums, difference, labels, logits},
    random_patch,
};

/// Windows, and what the reference makes of them.
pub(super) struct Windows {
    /// Each with the reference's logits; at least one.
    all: Vec<(Sample, Array5<f32>)>,
    /// Whether they are of real images, in which labels mean something.
    real: bool,
}

impl Windows {
    pub(super) fn of(pieces: &Pieces, options: &TuneOptions) -> Result<Windows, RuntimeError> {
        let model = pieces.model();
        let manifest = model.manifest();
        let real = !options.samples.is_empty();
        let samples = if real {
            options.samples.clone()
        } else {
            let task = manifest.tasks.first().ok_or(RuntimeError::NoImages)?;
            vec![Sample {
                task: task.clone(),
                image: random_patch(manifest, task, options.seed),
            }]
        };
        let reference = EngineOptions {
            kind: EngineKind::Ort,
            threads: options.threads.iter().max().copied(),
            ort_lib: Some(options.library.clone()),
            device: Device::Cpu,
            precision: model.stored_precision(),
            ..EngineOptions::default()
        };
        let mut reference = pieces.clone().open_engines(&reference, 1)?;
        let all: Vec<_> = samples
            .into_iter()
            .map(|sample| {
                let expected = logits(reference.predictor(), &sample.task, &sample.image)?;
                Ok::<_, RuntimeError>((sample, expected))
            })
            .collect::<Result<_, _>>()?;
        let shows = |(sample, expected): &(Sample, Array5<f32>)| {
            let labels = labels(&sample.task, expected);
            labels.into_iter().any(|label| label > 0)
        };
        if real && !all.iter().any(shows) {
            let windows = all.len();
            return Err(RuntimeError::NothingToCompare { windows });
        }
        Ok(Windows { all, real })
    }

    /// One pass of each window, the first to warm up, which are compared, and `repeats` of the first
    /// one that are timed.
    pub(super) fn measure(
        &self,
        predictor: &mut dyn Predictor,
        repeats: NonZeroUsize,
        row: &mut Tried,
    ) -> Result<(), RuntimeError> {
        let Some((first, _)) = self.all.first() else {
            return Err(RuntimeError::NoImages);
        };
        if row.graph {
            // It is recorded on another image: what is compared is a replay, which must read this.
            logits(predictor, &first.task, &-&first.image)?;
        }
        let (mut flipped, mut voxels) = (0, 0);
        let mut max_rel = 0.0f64;
        let mut by_task = ByTask::default();
        for (sample, expected) in &self.all {
            let found = logits(predictor, &sample.task, &sample.image)?;
            let apart = difference(&sample.task, expected, &found, [0.0; 2]);
            max_rel = max_rel.max(apart.max_rel);
            flipped += apart.flipped;
            voxels += apart.voxels;
            if self.real {
                by_task.add(&sample.task, expected, &found);
            }
        }
        row.max_rel = Some(max_rel);
        row.flipped = Some(flipped as f64 / voxels.max(1) as f64);
        row.least = LeastLabel::of(&by_task.rows());
        // Too far off is too far off, however fast.
        if row.too_far().is_some() {
            return Ok(());
        }
        let mut times = Vec::new();
        for _ in 0..repeats.get() {
            let start = Instant::now();
            // The logits are in the host's memory by then; a case does not copy them either.
            predictor.logits(first.image.view(), &[first.task.id], &mut |_, _| Ok(()))?;
            times.push(start.elapsed().as_secs_f64() * 1e3);
        }
        row.median_ms = median(times);
        Ok(())
    }
}

/// Windows of several tasks, counted for each.
#[derive(Default)]
struct ByTask<'a>(Vec<(&'a Task, Sums)>);

impl<'a> ByTask<'a> {
    fn add(&mut self, task: &'a Task, expected: &Array5<f32>, found: &Array5<f32>) {
        let known = self.0.iter_mut().find(|(known, _)| known.id == task.id);
        match known {
            Some((_, sums)) => sums.add(task, expected, found),
            None => {
                let mut sums = Sums::default();
                sums.add(task, expected, found);
                self.0.push((task, sums));
            }
        }
    }

    fn rows(self) -> Vec<Accuracy> {
        let rows = self.0.into_iter();
        rows.map(|(task, sums)| sums.row(task)).collect()
    }
}

/// The middle one; of an even number the lower of the two.
fn median(mut times: Vec<f64>) -> Option<f64> {
    times.sort_by(f64::total_cmp);
    times.get(times.len().saturating_sub(1) / 2).copied()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::manifest;

    #[test]
    fn windows_of_a_task_are_counted_together_whatever_lies_between() {
        let tasks = &manifest().tasks;
        let (first, other) = (&tasks[0], &tasks[1]);
        let with = |class: usize| {
            let mut logits = Array5::zeros((1, 4, 1, 1, 2));
            logits
                .slice_mut(ndarray::s![.., class, .., .., ..])
                .fill(1.0);
            logits
        };
        let mut labels = ByTask::default();
        labels.add(first, &with(1), &with(1));
        labels.add(other, &with(1), &with(0));
        labels.add(first, &with(1), &with(0));
        let rows = labels.rows();
        let counted: Vec<_> = rows
            .iter()
            .map(|row| {
                (
                    row.id,
                    row.windows,
                    row.labels[0].voxels,
                    row.labels[0].differing,
                )
            })
            .collect();
        assert_eq!(counted, [(first.id, 2, 4, 2), (other.id, 1, 2, 2)]);
        let least = LeastLabel::of(&rows).unwrap();
        assert_eq!((least.task.as_str(), least.differing), (&*first.name, 2));
    }

    #[test]
    fn the_median_is_one_of_the_times() {
        assert_eq!(median(vec![3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(Vec::new()), None);
    }
}
