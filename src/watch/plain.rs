use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};
use uniseg_train::TrainSettings;
use uniseg_train::run::{EpochRecord, Event};

use super::Watch;
use crate::report;

/// Least time between two lines within an epoch where there is no terminal for a bar.
const PAUSE: Duration = Duration::from_secs(30);

/// A line an epoch, and a bar within it on a terminal.
pub(super) struct Plain {
    epochs: u32,
    length: u64,
    tasks: Vec<String>,
    bar: ProgressBar,
    said: Instant,
}

impl Plain {
    pub(super) fn new(settings: &TrainSettings, tasks: Vec<String>) -> Self {
        let bar = report::bar();
        if let Ok(style) =
            ProgressStyle::with_template("{msg:<36} {wide_bar} {pos}/{len} {per_sec} {eta}")
        {
            bar.set_style(style);
        }
        Self {
            epochs: settings.epochs,
            length: u64::from(settings.iterations_per_epoch),
            tasks,
            bar,
            said: Instant::now(),
        }
    }

    fn say(&mut self, text: &str) {
        self.bar.suspend(|| report::note(text));
        self.said = Instant::now();
    }

    fn epoch(&self, record: &EpochRecord) -> String {
        let mut text = format!(
            "epoch {}/{}: loss {:.4}",
            record.epoch + 1,
            self.epochs,
            record.loss
        );
        if let Some(dice) = record.validation_dice {
            text += &format!(", patch Dice {dice:.3}");
            let rows = self.tasks.iter().zip(&record.task_dice);
            let each: Vec<String> = rows
                .filter_map(|(task, dice)| Some(format!("{task} {:.2}", (*dice)?)))
                .collect();
            text += &format!(" ({})", each.join(", "));
        }
        text += &format!(
            ", rate {:.1e}, {:.2} steps/s, {:.1} % waiting for data",
            record.rate,
            record.iterations_per_second,
            100.0 * record.waiting_share
        );
        if record.skipped_steps > 0 {
            text += &format!(", {} steps skipped", record.skipped_steps);
        }
        if let Some(megabytes) = record.peak_memory_mb {
            text += &format!(", peak {megabytes} MB");
        }
        text
    }
}

impl Watch for Plain {
    fn show(&mut self, event: &Event<'_>) {
        match event {
            Event::Begin {
                iteration,
                iterations,
            } => {
                if *iteration > 0 {
                    self.say(&format!("continuing at step {iteration} of {iterations}"));
                }
                self.bar.set_length(self.length);
                self.bar.set_position(iteration % self.length);
            }
            Event::Note(text) => self.say(text),
            Event::Step(step) => {
                let done = step.iteration % self.length + 1;
                self.bar.set_position(done);
                let epoch = step.iteration / self.length + 1;
                let loss = step.loss();
                self.bar
                    .set_message(format!("epoch {epoch}/{}, loss {loss:.4}", self.epochs));
                if self.bar.is_hidden() && self.said.elapsed() > PAUSE && done < self.length {
                    let (epochs, length) = (self.epochs, self.length);
                    self.say(&format!(
                        "epoch {epoch}/{epochs}, step {done}/{length}: loss {loss:.4}"
                    ));
                }
            }
            Event::Epoch(record) => {
                let text = self.epoch(record);
                self.say(&text);
                self.bar.reset();
            }
            Event::Saved { .. } => {}
        }
    }
}

impl Drop for Plain {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
