use std::io::{self, IsTerminal};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::note;

/// Counts the cases of one task after another: a bar on a terminal, a line for each task elsewhere.
pub(crate) struct CountProgress {
    bar: Option<ProgressBar>,
}

impl CountProgress {
    pub(crate) fn new() -> Self {
        let bar = io::stderr().is_terminal().then(|| {
            let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
            // The template is a constant; were it wrong, the default style would do.
            let template = "{prefix:<16} {wide_bar} {pos}/{len} {eta} {msg}";
            if let Ok(style) = ProgressStyle::with_template(template) {
                bar.set_style(style);
            }
            bar
        });
        Self { bar }
    }

    /// Shows how many cases of a task are finished, and a few words.
    pub(crate) fn show(&self, task: &str, finished: usize, total: usize, words: String) {
        if let Some(bar) = &self.bar {
            bar.set_prefix(task.to_owned());
            bar.set_length(total as u64);
            bar.set_position(finished as u64);
            bar.set_message(words);
        }
    }

    /// Ends a task with a sentence about it.
    pub(crate) fn finish(&self, sentence: &str) {
        match &self.bar {
            Some(bar) => {
                bar.suspend(|| note(sentence));
                bar.reset();
            }
            None => note(sentence),
        }
    }

    /// Removes the bar.
    pub(crate) fn clear(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
