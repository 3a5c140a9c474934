//! Everything that is printed: results to stdout, talk to stderr.

#[cfg(feature = "train")]
mod count;

#[cfg(feature = "train")]
pub(crate) use count::CountProgress;

use std::cell::Cell;
use std::io::{self, IsTerminal, Write};

#[cfg(feature = "train")]
use indicatif::ProgressFinish;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use uniseg_onnx::Task;
use uniseg_runtime::{Progress, WindowProgress};

/// Prints a result.
///
/// A reader that went away (`| head`) is no error: the work goes on, and nobody is told. Anything
/// else, such as a full disk, means that the result is lost.
pub(crate) fn result(text: &str) {
    let mut stdout = io::stdout().lock();
    if let Err(cause) = stdout
        .write_all(text.as_bytes())
        .and_then(|()| stdout.flush())
    {
        if cause.kind() == io::ErrorKind::BrokenPipe {
            return;
        }
        note(&format!("uniseg: cannot write to standard output: {cause}"));
        std::process::exit(2);
    }
}

/// Says something beside the result.
pub(crate) fn note(text: &str) {
    // Talk that nobody can hear is not worth failing for.
    let _ = writeln!(io::stderr(), "{text}");
}

/// Prints an error and its causes as one sentence.
pub(crate) fn error(error: &anyhow::Error) {
    note(&format!("uniseg: {}", sentence(error)));
}

/// An error and its causes as one sentence.
pub(crate) fn sentence(error: &anyhow::Error) -> String {
    uniseg_runtime::sentence(error.as_ref())
}

/// Whether there is a terminal to draw bars on.
pub(crate) fn has_bar() -> bool {
    io::stderr().is_terminal()
}

/// A progress bar: on a terminal, hidden elsewhere.
pub(crate) fn bar() -> ProgressBar {
    let target = match has_bar() {
        true => ProgressDrawTarget::stderr(),
        false => ProgressDrawTarget::hidden(),
    };
    ProgressBar::with_draw_target(None, target)
}

/// Shows where a case is: a bar on a terminal, nothing elsewhere.
pub(crate) struct CaseProgress {
    bar: ProgressBar,
    /// Windows and tasks in a call so far.
    in_a_call: Cell<[usize; 2]>,
}

impl CaseProgress {
    pub(crate) fn new() -> Self {
        let bar = bar();
        // The template is a constant; were it wrong, the default style would do.
        if let Ok(style) =
            ProgressStyle::with_template("{prefix}{msg:<28} {wide_bar} {pos}/{len} {eta}")
        {
            bar.set_style(style);
        }
        Self {
            bar,
            in_a_call: Cell::new([0; 2]),
        }
    }

    pub(crate) fn show(&self, progress: Progress<'_>) {
        match progress {
            Progress::Reading(path) => self.message(format!("reading {}", path.display())),
            Progress::Preprocessing(task) => self.message(format!("{}: resampling", task.name)),
            Progress::Looking(task, windows) => self.windows(windows, task, "looking"),
            Progress::Window(task, windows) => self.windows(windows, task, "windows"),
            Progress::Restoring(task) => self.message(format!("{}: restoring", task.name)),
        }
    }

    fn windows(&self, windows: WindowProgress, task: &Task, what: &str) {
        let now = [windows.batch, windows.tasks];
        let before = self.in_a_call.replace(now);
        for ((before, now), what) in before.iter().zip(now).zip(["windows", "tasks"]) {
            if windows.done > 0 && now < *before {
                self.note(&format!(
                    "memory ran out with {before} {what} in a call: going on with {now}"
                ));
            }
        }
        self.bar.set_length(windows.total as u64);
        self.bar.set_position(windows.done as u64);
        self.message(format!("{}: {what}", task.name));
    }

    /// Names the case that the next steps are of.
    pub(crate) fn begin(&self, text: String) {
        self.bar.set_prefix(text);
    }

    /// Says something without tearing the bar.
    pub(crate) fn note(&self, text: &str) {
        self.bar.suspend(|| note(text));
    }

    fn message(&self, text: String) {
        self.bar.set_message(text);
        self.bar.tick();
    }

    pub(crate) fn finish(&self) {
        self.bar.finish_and_clear();
    }
}

/// Shows how many of some steps are done: a bar on a terminal, nothing elsewhere.
#[cfg(feature = "train")]
pub(crate) struct Steps(ProgressBar);

#[cfg(feature = "train")]
impl Steps {
    pub(crate) fn new() -> Self {
        let bar = bar();
        // The template is a constant; were it wrong, the default style would do.
        if let Ok(style) = ProgressStyle::with_template("{msg:<28} {wide_bar} {pos}/{len} {eta}") {
            bar.set_style(style);
        }
        Self(bar.with_finish(ProgressFinish::AndClear))
    }

    /// So many of `all` are done; another `what` begins anew.
    pub(crate) fn show(&self, what: &str, done: usize, all: usize) {
        if self.0.message() != what || self.0.position() > done as u64 {
            self.0.reset();
            self.0.set_message(what.to_owned());
        }
        self.0.set_length(all as u64);
        self.0.set_position(done as u64);
    }
}

/// Lays out rows in columns; the first row is the heading.
pub(crate) fn table(rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns)
        .map(|column| {
            rows.iter()
                .filter_map(|row| row.get(column))
                .map(|cell| cell.chars().count())
                .max()
        })
        .map(|width| width.unwrap_or(0))
        .collect();
    let mut text = String::new();
    for row in rows {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(&widths) {
            line.push_str(&format!("{cell:<width$}  "));
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}
