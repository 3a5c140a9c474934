//! Tasks of a case, in groups that see each window together.

use std::collections::VecDeque;

use uniseg_onnx::Task;
use uniseg_runtime::{CancelToken, RuntimeError, group_tasks};

use super::super::task_names;
use crate::{interrupt, report};

/// What became of tasks that failed.
pub(super) struct Failed {
    /// How many.
    pub(super) tasks: usize,
    /// Why the first of them did.
    first: anyhow::Error,
}

impl Failed {
    /// The error of a case of so many tasks.
    pub(super) fn of(self, all: usize) -> anyhow::Error {
        match all {
            1 => self.first,
            _ => {
                let failed = self.tasks;
                self.first
                    .context(format!("{failed} of {all} tasks failed"))
            }
        }
    }
}

/// Runs `tasks` in groups of up to `together`. Where a group fails its tasks `run` once more, one
/// by one: one of them may be at fault and must not take the others with it. Which fail then is
/// told through `progress`, if there are others.
pub(super) fn run<'a>(
    tasks: &[&'a Task],
    together: usize,
    cancel: &CancelToken,
    progress: &report::CaseProgress,
    run: &mut dyn FnMut(&[&'a Task]) -> anyhow::Result<()>,
) -> Option<Failed> {
    let mut failed: Option<Failed> = None;
    let mut groups = VecDeque::from(group_tasks(tasks, together));
    while let Some(group) = groups.pop_front() {
        let Err(error) = run(&group) else { continue };
        if was_cancelled(&error, cancel) {
            interrupt::end();
        }
        let (names, reason) = (task_names(&group), report::sentence(&error));
        // What they are prepared from is the same, and so is the disk that they are written to.
        let one_by_one = match error.downcast_ref() {
            Some(RuntimeError::Preprocess { .. }) | None => false,
            Some(_) => group.len() > 1,
        };
        if one_by_one {
            progress.note(&format!("{names}: {reason}; one by one"));
            groups.extend(group.into_iter().map(|task| vec![task]));
            continue;
        }
        if tasks.len() > 1 {
            progress.note(&format!("task {names} failed: {reason}"));
        }
        let before = failed.get_or_insert(Failed {
            tasks: 0,
            first: error,
        });
        before.tasks += group.len();
    }
    failed
}

/// How many tasks run on a window together at first.
pub(super) fn first_group(tasks: &[&Task], together: usize) -> usize {
    let groups = group_tasks(tasks, together);
    groups.first().map_or(1, Vec::len)
}

/// Whether the work ended because somebody pressed Ctrl-C.
pub(super) fn was_cancelled(error: &anyhow::Error, cancel: &CancelToken) -> bool {
    let cancelled = matches!(error.downcast_ref(), Some(RuntimeError::Cancelled));
    cancelled && cancel.is_cancelled()
}
