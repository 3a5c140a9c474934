//! Many cases: the next one is read while one is segmented and the last one is written.

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;
use std::time::Instant;

use anyhow::{Context, bail, ensure};
use uniseg_imaging::NiftiHeader;
use uniseg_imaging::ndarray::Array3;
use uniseg_onnx::Task;
use uniseg_runtime::{
    CancelToken, Case, CohortCase, Engines, Merge, MergedTable, Model, Pieces, Request,
    RuntimeError, Segmentation, WindowOptions, check_tasks, select_tasks,
};

use super::groups::{self, first_group, was_cancelled};
use super::outputs::{self, Finished, Outputs, all_paths, refuse_file_name, refuse_twins};
use super::{Computing, Outcome, Segment, prepare};
use crate::{atomic, interrupt, report};

/// Cases, and label maps, that wait for the next stage: each stage is one ahead and no more.
const WAITING: usize = 1;

/// A case that is to be segmented.
struct Job {
    case: CohortCase,
    tasks: Vec<Task>,
    outputs: Vec<Outputs>,
}

/// How a case ended.
struct Row {
    case: String,
    state: &'static str,
    seconds: f64,
    detail: String,
}

/// What the writing thread is told.
enum Message {
    Task(Box<Segmentation>, NiftiHeader, usize, usize),
    Merged(Box<(Array3<u16>, MergedTable)>, NiftiHeader, usize),
    /// A case is over, with its error if it failed, after so many seconds.
    End(usize, Option<anyhow::Error>, f64),
}

pub(super) fn run(
    command: &Segment,
    files: Pieces,
    cases: Vec<CohortCase>,
) -> anyhow::Result<Outcome> {
    ensure!(
        command.preview.is_none() && command.statistics.is_none(),
        "--preview and --statistics name one file, but there are {} cases: leave them out",
        cases.len()
    );
    ensure!(
        command.output.is_dir() || !command.output.exists(),
        "{} is a file: many cases need a folder, name one with -o",
        command.output.display()
    );
    refuse_file_name(&command.output)?;
    let inputs: HashSet<PathBuf> = cases
        .iter()
        .flat_map(|case| &case.images)
        .filter_map(|image| image.canonicalize().ok())
        .collect();
    let pieces = files.without_files();
    let model = pieces.model();
    // A table may name every case's own.
    if cases.iter().any(|case| case.task.is_none()) {
        check_tasks(model.manifest(), &command.task)?;
    }
    refuse_probabilities_over_labels(command, model, &cases)?;
    let options = command.window(model)?;
    let all: Vec<&Task> = model.manifest().tasks.iter().collect();
    // What no case can mean is told before any.
    Merge::new(&all, &command.priority, [0; 3])?;
    let cases = match command.shard {
        Some(shard) => shard.of(cases),
        None => cases,
    };
    let total = cases.len();
    let cancel = interrupt::listen()?;
    let mut engines = Computing::Files(files.into());
    let planned = pieces.planned_on(&command.engine_options())?;
    let together = |job: &Job| {
        let tasks: Vec<&Task> = job.tasks.iter().collect();
        first_group(&tasks, command.together(&pieces, planned))
    };
    let (mut jobs, mut rows): (Vec<Job>, Vec<Row>) = (Vec::new(), Vec::new());
    // Cases that were finished otherwise than they would be now, and on files of another time.
    let (mut otherwise, mut touched) = (0, 0);
    for case in cases {
        let name = case.name.clone();
        let job = match job(command, model, case, &inputs) {
            Err(error) => {
                rows.push(failed(name, &error, 0.0));
                continue;
            }
            Ok(job) => job,
        };
        let done = match job.finished(command, model, &options) {
            Some(_) if command.again => false,
            Some(_) if command.keep_finished => true,
            Some(finished) if finished.is_touched() => {
                touched += 1;
                false
            }
            Some(finished) => {
                // What would compute them now is known once it is there.
                let opened = engines.open(command, &cancel, together(&job))?;
                let alike = finished.is_alike(opened.computed_on());
                engines = Computing::Engines(opened);
                otherwise += usize::from(!alike);
                alike
            }
            None => false,
        };
        if done {
            rows.push(Row {
                case: name,
                state: "skipped",
                seconds: 0.0,
                detail: "finished before".to_owned(),
            });
        } else {
            jobs.push(job);
        }
    }
    if otherwise > 0 {
        report::note(&format!(
            "{otherwise} finished case(s) were made on another device or in another precision and \
             are made again; --keep-finished keeps them"
        ));
    }
    if touched > 0 {
        report::note(&format!(
            "{touched} finished case(s) have images that were written again since, and are made \
             again; --keep-finished keeps them"
        ));
    }
    if let Some(first) = jobs.first() {
        atomic::make_folder(&command.output)?;
        let engines = engines.open(command, &cancel, together(first))?;
        rows.extend(pipeline(
            command,
            &pieces,
            (engines, cancel),
            &jobs,
            &options,
        )?);
    }
    rows.sort_by(|a, b| a.case.cmp(&b.case));
    report::result(&table(&rows));
    let failures = rows.iter().filter(|row| row.state == "failed").count();
    if failures > 0 {
        report::note(&format!(
            "{failures} of {total} cases failed; the same command tries them again"
        ));
        return Ok(Outcome::CheckFailed);
    }
    Ok(Outcome::Done)
}

/// Refuses a case whose probabilities have the name of another one's labels.
fn refuse_probabilities_over_labels(
    command: &Segment,
    model: &Model,
    cases: &[CohortCase],
) -> anyhow::Result<()> {
    if !command.probabilities {
        return Ok(());
    }
    // Of several tasks each has a name of its own, in the case's folder.
    let alone = |case: &&CohortCase| {
        command
            .tasks_of(model, case)
            .is_ok_and(|tasks| tasks.len() == 1)
    };
    let names: HashSet<&str> = cases.iter().filter(alone).map(|case| &*case.name).collect();
    let clash = |name: &&&str| names.contains(format!("{name}.probabilities").as_str());
    match names.iter().filter(clash).min() {
        Some(name) => bail!(
            "the probabilities of case {name} and the labels of case {name}.probabilities would \
             both be written to {name}.probabilities.nii.gz: give one of them another name"
        ),
        None => Ok(()),
    }
}

impl Segment {
    /// The tasks that a case runs: its own, if a table names them, else those of all.
    fn tasks_of(&self, model: &Model, case: &CohortCase) -> Result<Vec<Task>, RuntimeError> {
        let asked = case.task.as_deref().unwrap_or(&self.task);
        Ok(select_tasks(model.manifest(), asked, case.images.len())?.tasks)
    }
}

/// Finds out what there is to do for a case, without reading it; `inputs` are the images of all
/// cases.
fn job(
    command: &Segment,
    model: &Model,
    case: CohortCase,
    inputs: &HashSet<PathBuf>,
) -> anyhow::Result<Job> {
    case.check()?;
    let tasks = command.tasks_of(model, &case)?;
    let outputs: Vec<Outputs> = tasks
        .iter()
        .map(|task| {
            let mut outputs = Outputs::of_case(&command.output, &case.name, task, tasks.len());
            if command.probabilities {
                outputs.probabilities = Some(outputs.probabilities_path());
            }
            outputs
        })
        .collect();
    let job = Job {
        case,
        tasks,
        outputs,
    };
    // What this case cannot mean is told before it is read.
    command.merge(&job.tasks, [0; 3])?;
    let merged = command.merge.then(|| outputs::merged(&job.folder(command)));
    let paths = || all_paths(&job.outputs, merged.as_ref().map_or(&[], |merged| merged));
    refuse_twins(paths())?;
    for path in paths() {
        let is_input = path.canonicalize().is_ok_and(|path| inputs.contains(&path));
        ensure!(
            !is_input,
            "{} is an image of this or another case: name another folder",
            path.display()
        );
    }
    if command.again {
        return Ok(job);
    }
    if command.merge {
        outputs::check_merged_ours(&job.folder(command))?;
    }
    for (task, outputs) in job.tasks.iter().zip(&job.outputs) {
        let found = outputs.check_ours()?;
        if let Some(other) = found.filter(|found| found.task != task.name) {
            bail!(
                "{} is there and is of task {}: name another folder, or both tasks in one command, \
                 or replace it with --again",
                outputs.labels.display(),
                other.task
            );
        }
    }
    Ok(job)
}

impl Job {
    /// What an earlier run computed all of the case's results on, if they are there, with the same
    /// weights and settings.
    fn finished(
        &self,
        command: &Segment,
        model: &Model,
        options: &WindowOptions,
    ) -> Option<Finished> {
        let images = &self.case.images;
        let pairs = self.tasks.iter().zip(&self.outputs);
        let tasks = pairs.map(|(task, outputs)| outputs.finished(task, model, options, images));
        let tasks = tasks.collect::<Option<Vec<_>>>()?;
        let merged = !command.merge
            || outputs::is_merged(
                &self.folder(command),
                &self.tasks,
                &command.priority,
                &self.outputs,
            );
        merged.then_some(Finished(tasks))
    }

    /// Where a merged map goes.
    fn folder(&self, command: &Segment) -> PathBuf {
        command.output.join(&self.case.name)
    }
}

/// Runs all jobs through three stages: reading, the network, writing.
fn pipeline(
    command: &Segment,
    pieces: &Pieces,
    (mut engines, cancel): (Engines, CancelToken),
    jobs: &[Job],
    options: &WindowOptions,
) -> anyhow::Result<Vec<Row>> {
    let model = pieces.model();
    let on = engines.pieces_on();
    let predictor = engines.predictor();
    let progress = report::CaseProgress::new();
    let rows = thread::scope(|scope| {
        // No room to wait in: with the case that is read and the one that is segmented there are
        // two in memory.
        let (ready, read) = sync_channel(0);
        let (finished, write) = sync_channel(WAITING);
        // Within a bound only one case is in memory.
        let read: Box<dyn Iterator<Item = (usize, anyhow::Result<Case>)> + '_> =
            match command.memory {
                Some(_) => Box::new(jobs.iter().map(read_images).enumerate()),
                None => {
                    scope.spawn(|| read_all(jobs, &cancel, ready));
                    Box::new(read.into_iter())
                }
            };
        let writing = scope.spawn(move || write_all(command, jobs, &write));
        for (index, case) in read {
            let Some(job) = jobs.get(index) else { continue };
            progress.begin(format!("{}/{} {}  ", index + 1, jobs.len(), job.case.name));
            let begin = Instant::now();
            let mut work = |mut case: Case| -> anyhow::Result<()> {
                for warning in case.warnings() {
                    progress.note(&format!("warning: {warning}"));
                }
                // One that waits and one that is written.
                let waiting = WAITING + 1;
                let (options, together) =
                    command.fit(pieces, on, &case, &job.tasks, *options, waiting)?;
                let mut merge = command.merge(&job.tasks, case.geometry().extent.zyx())?;
                let tasks: Vec<&Task> = job.tasks.iter().collect();
                let run = &mut |group: &[&Task]| -> anyhow::Result<()> {
                    let probabilities = prepare(group, &job.tasks, &job.outputs)?;
                    let request = Request {
                        manifest: model.manifest(),
                        tasks: group,
                        options: &options,
                        cancel: &cancel,
                        probabilities: &probabilities,
                    };
                    let show = &mut |step: uniseg_runtime::Progress<'_>| progress.show(step);
                    let found = case.segment_together(predictor, request, show)?;
                    if merge.is_some() {
                        outputs::remove_merged(&job.folder(command))?;
                    }
                    for segmentation in found.segmentations {
                        if let Some(merge) = &mut merge {
                            merge.add(&segmentation)?;
                        }
                        let place = tasks
                            .iter()
                            .position(|task| task.id == segmentation.task.id);
                        let place = place.context("a task that was asked for")?;
                        let header = case.header().clone();
                        let message = Message::Task(Box::new(segmentation), header, index, place);
                        finished.send(message).context("the writing thread ended")?;
                    }
                    Ok(())
                };
                if let Some(failed) = groups::run(&tasks, together, &cancel, &progress, run) {
                    return Err(failed.of(tasks.len()));
                }
                if let Some(merge) = merge {
                    let merged = merge.finish(case.geometry().spacing.voxel_ml());
                    let header = case.header().clone();
                    let message = Message::Merged(Box::new(merged), header, index);
                    finished.send(message).context("the writing thread ended")?;
                }
                Ok(())
            };
            let result = case.and_then(&mut work);
            let seconds = begin.elapsed().as_secs_f64();
            match result {
                Err(error) if was_cancelled(&error, &cancel) => interrupt::end(),
                result => {
                    // A writing thread that has ended has panicked, which the scope reports.
                    let _ = finished.send(Message::End(index, result.err(), seconds));
                }
            }
        }
        drop(finished);
        writing
            .join()
            .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    });
    progress.finish();
    if cancel.is_cancelled() {
        interrupt::end();
    }
    Ok(rows)
}

/// Reads and preprocesses one case after another, each ahead of the network.
fn read_all(jobs: &[Job], cancel: &CancelToken, ready: SyncSender<(usize, anyhow::Result<Case>)>) {
    for (index, job) in jobs.iter().enumerate() {
        if cancel.is_cancelled() {
            return;
        }
        if ready.send((index, read_one(job))).is_err() {
            return;
        }
    }
}

fn read_images(job: &Job) -> anyhow::Result<Case> {
    Ok(Case::read(&job.case.images, &mut |_| {})?)
}

fn read_one(job: &Job) -> anyhow::Result<Case> {
    let mut case = read_images(job)?;
    if let Some(task) = job.tasks.first() {
        case.prepare(task, &mut |_| {})?;
    }
    Ok(case)
}

/// Writes what is finished; a case of which something could not be written has failed.
fn write_all(command: &Segment, jobs: &[Job], messages: &Receiver<Message>) -> Vec<Row> {
    let mut rows: Vec<Row> = Vec::new();
    let mut trouble: Option<anyhow::Error> = None;
    for message in messages {
        match message {
            Message::Task(segmentation, header, index, place) => {
                let outputs = jobs.get(index).and_then(|job| job.outputs.get(place));
                let written = outputs.map(|outputs| outputs.write(&segmentation, &header));
                trouble = trouble.or(written.and_then(Result::err));
            }
            Message::Merged(merged, header, index) => {
                let folder = jobs.get(index).map(|job| job.folder(command));
                let written = folder.map(|to| outputs::write_merge(&merged, &header, &to));
                trouble = trouble.or(written.and_then(Result::err));
            }
            Message::End(index, error, seconds) => {
                let Some(job) = jobs.get(index) else { continue };
                let name = job.case.name.clone();
                rows.push(match error.or(trouble.take()) {
                    Some(error) => failed(name, &error, seconds),
                    None => Row {
                        case: name,
                        state: "done",
                        seconds,
                        detail: format!("{} task(s)", job.tasks.len()),
                    },
                });
                // A log has no bar; the table comes at the end only, or never.
                if let Some(row) = rows.last().filter(|_| !report::has_bar()) {
                    report::note(&format!(
                        "{}/{} {}: {} after {:.1} s, {}",
                        rows.len(),
                        jobs.len(),
                        row.case,
                        row.state,
                        row.seconds,
                        row.detail
                    ));
                }
            }
        }
    }
    rows
}

fn failed(case: String, error: &anyhow::Error, seconds: f64) -> Row {
    Row {
        case,
        state: "failed",
        seconds,
        detail: report::sentence(error),
    }
}

fn table(rows: &[Row]) -> String {
    let heading = ["case", "state", "seconds", "what"]
        .map(str::to_owned)
        .to_vec();
    let lines = rows.iter().map(|row| {
        vec![
            row.case.clone(),
            row.state.to_owned(),
            format!("{:.1}", row.seconds),
            row.detail.clone(),
        ]
    });
    let table: Vec<Vec<String>> = std::iter::once(heading).chain(lines).collect();
    report::table(&table)
}
