//! Watching a training run: burn-train's terminal screen where there is a terminal, a line an
//! epoch elsewhere.

mod plain;
mod screen;

use std::io::{self, IsTerminal};
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::Context;
use uniseg_train::run::{Event, Run, Summary};
use uniseg_train::{TrainSettings, run};

/// What is shown of a run.
trait Watch {
    fn show(&mut self, event: &Event<'_>);
    /// Whether the person who watches wants it to stop.
    fn should_stop(&self) -> bool {
        false
    }
}

/// Trains while somebody watches. Ctrl-C, or `q` on the screen, saves a checkpoint and stops; a
/// second Ctrl-C stops at once.
pub(crate) fn train(run: Run<'_>, plain: bool) -> anyhow::Result<Summary> {
    let interrupted = interrupted()?;
    let settings = run.settings.clone();
    let names: Vec<String> = run
        .plan
        .tasks
        .iter()
        .map(|task| task.name.clone())
        .collect();
    let mut watch = watcher(&settings, names, plain || !io::stdout().is_terminal());
    let summary = run::train(run, &mut |event| {
        watch.show(&event);
        match interrupted.load(Ordering::Relaxed) || watch.should_stop() {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        }
    })?;
    Ok(summary)
}

fn watcher(settings: &TrainSettings, tasks: Vec<String>, plain: bool) -> Box<dyn Watch> {
    match plain {
        true => Box::new(plain::Plain::new(settings, tasks)),
        false => Box::new(screen::Screen::new(settings)),
    }
}

/// Set by the first Ctrl-C.
fn interrupted() -> anyhow::Result<Arc<AtomicBool>> {
    let flag = Arc::new(AtomicBool::new(false));
    let set = Arc::clone(&flag);
    let handler = move || {
        if set.swap(true, Ordering::Relaxed) {
            // The shell's code for a program that Ctrl-C ended.
            std::process::exit(130);
        }
        crate::report::note("stopping after this step; Ctrl-C again to stop at once");
    };
    match ctrlc::set_handler(handler) {
        Ok(()) => Ok(flag),
        // A second run in one process, as the demonstration has: the first handler stays.
        Err(ctrlc::Error::MultipleHandlers) => Ok(flag),
        Err(error) => Err(error).context("cannot listen for Ctrl-C"),
    }
}
