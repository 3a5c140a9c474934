use serde::{Deserialize, Serialize};

/// Overlap of predicted and true labels, summed over many patches: nnU-Net's "pseudo Dice".
///
/// It says how training goes, not how good the network is on whole volumes: patches are drawn with
/// replacement and around foreground. Source: nnU-Net v1, `run_online_evaluation`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PatchDice {
    /// True positives, and size of prediction and truth together, by task and label.
    counts: Vec<Vec<[u64; 2]>>,
}

impl PatchDice {
    /// Nothing counted yet; `classes` of each task, background included.
    pub fn new(classes: impl IntoIterator<Item = usize>) -> Self {
        Self {
            counts: classes.into_iter().map(|n| vec![[0; 2]; n]).collect(),
        }
    }

    /// Counts the voxels of a batch.
    pub fn add(
        &mut self,
        task: usize,
        predicted: impl Iterator<Item = i64>,
        truth: impl Iterator<Item = u8>,
    ) {
        let counts = &mut self.counts[task];
        for (predicted, truth) in predicted.zip(truth) {
            let (predicted, truth) = (predicted as usize, usize::from(truth));
            for label in [predicted, truth] {
                if let Some([_, size]) = counts.get_mut(label) {
                    *size += 1;
                }
            }
            if predicted == truth
                && let Some([both, _]) = counts.get_mut(truth)
            {
                *both += 1;
            }
        }
    }

    /// Mean over the foreground labels of a task that were predicted or true anywhere; `None` if
    /// none was.
    pub fn task(&self, task: usize) -> Option<f64> {
        let labels = self.counts[task].iter().skip(1);
        mean(
            labels
                .filter(|[_, size]| *size > 0)
                .map(|[both, size]| 2.0 * *both as f64 / *size as f64),
        )
    }

    /// Mean over the tasks that were judged.
    pub fn mean(&self) -> Option<f64> {
        mean((0..self.counts.len()).filter_map(|task| self.task(task)))
    }
}

fn mean(values: impl Iterator<Item = f64>) -> Option<f64> {
    let (sum, count) = values.fold((0.0, 0_u32), |(sum, count), value| (sum + value, count + 1));
    (count > 0).then(|| sum / f64::from(count))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_add_up_over_patches() {
        let mut dice = PatchDice::new([3, 2]);
        assert_eq!(dice.mean(), None);
        dice.add(0, [0, 1, 1, 2].into_iter(), [0, 1, 0, 1].into_iter());
        // Label 1: 1 of both, 2 predicted, 2 true. Label 2: predicted once, never true.
        assert_eq!(dice.task(0), Some(0.25));
        dice.add(0, [2, 2].into_iter(), [2, 2].into_iter());
        assert_eq!(dice.task(0), Some((0.5 + 0.8) / 2.0));
        dice.add(1, [1].into_iter(), [1].into_iter());
        assert_eq!(dice.mean(), Some((0.65 + 1.0) / 2.0));
    }
}
