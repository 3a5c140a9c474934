use std::time::{Duration, Instant};

use super::log::EpochRecord;
use super::memory::peak_memory_bytes;
use crate::trainer::{PatchDice, StepReport};

/// Sums over the steps of an epoch.
pub(super) struct EpochSums {
    started: Instant,
    waited_before: Duration,
    losses: Vec<(f64, u32)>,
    norms: (f64, u32),
    steps: u32,
    skipped: u32,
    rate: f64,
}

impl EpochSums {
    pub(super) fn new(tasks: usize, waited: Duration) -> Self {
        Self {
            started: Instant::now(),
            waited_before: waited,
            losses: vec![(0.0, 0); tasks],
            norms: (0.0, 0),
            steps: 0,
            skipped: 0,
            rate: 0.0,
        }
    }

    pub(super) fn add(&mut self, report: &StepReport) {
        for (task, loss) in &report.losses {
            if let Some((sum, count)) = self.losses.get_mut(*task) {
                *sum += loss;
                *count += 1;
            }
        }
        if report.skipped {
            self.skipped += 1;
        } else {
            self.norms = (self.norms.0 + report.gradient_norm, self.norms.1 + 1);
        }
        self.steps += 1;
        self.rate = report.rate;
    }

    /// The record of the epoch, without its validation; to be called right after the last step.
    pub(super) fn record(&self, epoch: u32, iteration: u64, waited: Duration) -> EpochRecord {
        let seconds = self.started.elapsed().as_secs_f64();
        let mean = |(sum, count): (f64, u32)| (count > 0).then(|| sum / f64::from(count));
        let all = self
            .losses
            .iter()
            .fold((0.0, 0), |(sum, count), (s, c)| (sum + s, count + c));
        let waiting = waited.saturating_sub(self.waited_before).as_secs_f64();
        EpochRecord {
            epoch,
            iteration,
            loss: mean(all).unwrap_or_default(),
            task_losses: self.losses.iter().copied().map(mean).collect(),
            rate: self.rate,
            gradient_norm: mean(self.norms).unwrap_or_default(),
            skipped_steps: self.skipped,
            validation_dice: None,
            task_dice: Vec::new(),
            seconds,
            iterations_per_second: f64::from(self.steps) / seconds.max(1e-9),
            waiting_share: waiting / seconds.max(1e-9),
            peak_memory_mb: peak_memory_bytes().map(|bytes| bytes / 1_000_000),
        }
    }
}

impl EpochRecord {
    pub(super) fn judged(self, dice: &PatchDice, tasks: usize) -> Self {
        Self {
            validation_dice: dice.mean(),
            task_dice: (0..tasks).map(|task| dice.task(task)).collect(),
            ..self
        }
    }
}
