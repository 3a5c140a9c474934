use std::num::NonZeroUsize;
use std::path::PathBuf;

use anyhow::ensure;
use clap::Args;
use uniseg_train::Plan;
use uniseg_train::data::{
    DataError, PlannedTask, PreprocessOptions, PreprocessReport, Severity, TaskData, Tasks,
    preprocess,
};

use super::{Outcome, tables};
use crate::atomic;
use crate::report::{self, CountProgress};

/// Resample and normalise datasets into a cache to train from
///
/// Every case is cropped, resampled and normalised as the plan says, and stored with the places of
/// its labels. A run that was stopped goes on where it was, and cases whose files and plan are the
/// same are kept. A case that cannot be used is reported, and the others go on.
#[derive(Args)]
pub(crate) struct Preprocess {
    /// The tasks file: datasets, labels, channels
    #[arg(value_name = "TASKS.toml")]
    tasks: PathBuf,
    /// The plan that was made of it
    #[arg(long, value_name = "FILE")]
    plan: PathBuf,
    /// Folder of the cache
    #[arg(short, long, value_name = "CACHE")]
    output: PathBuf,
    /// Folder of the datasets [default: the tasks file's own]
    #[arg(long, value_name = "DIR")]
    root: Option<PathBuf>,
    /// Preprocess some of the tasks, by name or alias [default: all]
    #[arg(long = "task", num_args = 1.., value_name = "NAME")]
    names: Vec<String>,
    /// Cases that are worked on at a time [default: all cores]
    #[arg(long, value_name = "N")]
    threads: Option<NonZeroUsize>,
    /// Read every byte of the cases that are there already, not only headers
    #[arg(long)]
    verify: bool,
}

pub(super) fn run(command: Preprocess) -> anyhow::Result<Outcome> {
    let plan = Plan::read(&command.plan)?;
    let tasks = Tasks::read(&command.tasks, command.root.as_deref())?;
    let planned = tasks.planned(&plan, &command.names)?;
    atomic::make_folder(&command.output)?;
    let progress = CountProgress::new();
    let (mut reports, mut unusable) = (Vec::new(), 0);
    for planned in &planned {
        for sentence in &planned.overruled {
            report::note(&format!("note: task {}: {sentence}", planned.task.name));
        }
        match command.one(planned, &progress) {
            Ok(report) => {
                progress.finish(&tables::preprocessed(&report));
                reports.push(report);
            }
            Err(error) => {
                let context = format!("task {} could not be preprocessed", planned.task.name);
                report::error(&anyhow::Error::from(error).context(context));
                unusable += 1;
            }
        }
    }
    progress.clear();
    report::result(&tables::cache(&reports, &command.output));
    let failed: Vec<_> = reports.iter().flat_map(|report| &report.failed).collect();
    if !failed.is_empty() {
        report::result("\n");
        report::result(&tables::problems(failed.iter().copied()));
    }
    ensure!(
        unusable == 0,
        "{unusable} of {} task(s) could not be preprocessed",
        planned.len()
    );
    if failed.is_empty() {
        report::note(&format!(
            "next: uniseg train --plan {} --cache {} -o RUN",
            command.plan.display(),
            command.output.display()
        ));
        return Ok(Outcome::Done);
    }
    report::note(&format!(
        "{} case(s) failed and are not in the cache; the others are",
        failed.len()
    ));
    Ok(Outcome::CheckFailed)
}

impl Preprocess {
    fn one(
        &self,
        planned: &PlannedTask<'_>,
        progress: &CountProgress,
    ) -> Result<PreprocessReport, DataError> {
        let mut options = PreprocessOptions {
            verify: self.verify,
            ..PreprocessOptions::default()
        };
        if let Some(threads) = self.threads {
            options.threads = threads.get();
        }
        let mut data = TaskData::open(planned.task)?;
        let problems = data.take_problems();
        let mut report = preprocess(
            &data,
            &planned.resolved,
            &self.output,
            &options,
            &mut |at| {
                let words = format!("{:.2} volumes/s", at.volumes_per_second);
                progress.show(at.task, at.finished, at.total, words);
            },
        )?;
        // Files that never became a case.
        let errors = problems
            .into_iter()
            .filter(|p| p.severity() == Severity::Error);
        report.failed.extend(errors);
        Ok(report)
    }
}
