//! `uniseg segment`: one case, or as many as there are.

mod cohort;
mod groups;
mod ours;
mod outputs;

use std::num::NonZeroUsize;
use std::panic::resume_unwind;
use std::path::{Path, PathBuf};
use std::thread;

use anyhow::{bail, ensure};
use clap::Args;
use uniseg_imaging::NiftiHeader;
use uniseg_onnx::Task;
use uniseg_runtime::{
    CancelToken, Case, EngineKind, EngineOptions, Engines, FirstLook, MemoryBound, MemoryUse,
    Merge, Model, Pieces, PiecesOn, Request, RuntimeError, Segmentation, Shard, WindowOptions,
    find_cases, fit_memory, select_tasks,
};

use self::{groups::first_group, outputs::Outputs};
use super::{EngineArgs, EngineName, LookName, Outcome};
use crate::{allocator, interrupt, preview, report};

/// Segment a volume, or many
///
/// Reads a volume (one NIfTI file for each channel of the task), resamples and normalises it as
/// the model was trained, segments it and writes the labels on the voxels of the first file.
///
/// Many cases: give a folder, a quoted pattern ('scans/*.nii.gz') or a table (.csv with the columns
/// case, one or more images, and optionally task). Files called CASE_0000.nii.gz, CASE_0001.nii.gz
/// are the channels of one case. Finished cases are skipped, a case that fails does not stop the
/// others: a table at the end tells, and the exit code is 1.
#[derive(Args)]
pub(crate) struct Segment {
    /// The artefact; of a pair, either file
    model: PathBuf,
    /// NIfTI files, one for each channel of the task, in the task's order; or a folder, a quoted
    /// pattern or a .csv table of cases
    #[arg(required = true)]
    images: Vec<PathBuf>,
    /// Task by name, alias or id, or several with commas; `all`, or `all:CT` for those of one
    /// modality
    #[arg(short, long, value_name = "NAME|ID|all")]
    task: String,
    /// Label map to write (.nii or .nii.gz); or a folder, in which each task gets its files
    #[arg(short, long, value_name = "FILE|DIR")]
    output: PathBuf,
    /// Also write one label map of all tasks, merged.nii.gz, and what its values mean, merged.json
    #[arg(long)]
    merge: bool,
    /// Where tasks overlap: tasks or labels that win, the first over all others [default: the
    /// tasks' order]
    #[arg(long, value_name = "NAMES", value_delimiter = ',', requires = "merge")]
    priority: Vec<String>,
    /// Distance of two windows as a fraction of the patch [default: the model's own]
    #[arg(long, value_name = "F")]
    step: Option<f64>,
    /// Average over all mirror views: slower, and better only for models trained with mirroring
    #[arg(long)]
    mirror: bool,
    /// Run the network on windows of nothing but air, too
    #[arg(long)]
    no_skip: bool,
    /// Look everywhere first and run only windows in which something may be: faster on large volumes
    /// with small structures, and may miss some. --fast alone looks with windows that hardly
    /// overlap; --fast=half does so at half the resolution, which is faster and misses more
    #[arg(long, value_enum, value_name = "LOOK", num_args = 0..=1, require_equals = true, default_missing_value = "apart")]
    fast: Option<LookName>,
    /// Memory this process may use, as in 4G: estimated for each case before it starts; the batch
    /// gives way, and cases are no longer read ahead
    #[arg(long, value_name = "SIZE")]
    memory: Option<MemoryBound>,
    /// Windows, or mirror views, in one call of the network, if the model takes more than one
    #[arg(long, value_name = "N", default_value = "1")]
    batch: NonZeroUsize,
    /// Most tasks that run on a window together: more save work that they share, and take more
    /// memory. No results change but for rounding; with --fast tasks share the windows that are
    /// run [default: 8 of a pair; of one file 4 with openvino, else 1; 1 with --fast]
    #[arg(long, value_name = "N")]
    together: Option<NonZeroUsize>,
    /// This job's share of many cases, as in 2/8: every eighth, from the second on
    #[arg(long, value_name = "I/N")]
    shard: Option<Shard>,
    /// Segment finished cases again
    #[arg(long, conflicts_with = "keep_finished")]
    again: bool,
    /// Skip finished cases even if they were made on another device or in another precision, or if
    /// their images were written again since, with as many bytes
    #[arg(long)]
    keep_finished: bool,
    /// Engine to compute with
    #[arg(long, value_enum, default_value = "auto")]
    engine: EngineName,
    #[command(flatten)]
    engine_args: EngineArgs,
    /// Also write each task's probabilities, LABELS.probabilities.nii.gz: f32, (x, y, z, class), on
    /// the voxels of the first file. They are those among the task's own classes, with a sum of 1
    #[arg(long)]
    probabilities: bool,
    /// Statistics to write: voxels and millilitres of each label [default: beside the labels]
    #[arg(long, value_name = "JSON")]
    statistics: Option<PathBuf>,
    /// Picture to write: three orthogonal slices with the labels in colour
    #[arg(long, value_name = "PNG")]
    preview: Option<PathBuf>,
}

pub(super) fn run(command: Segment) -> anyhow::Result<Outcome> {
    command.engine_args.limit_threads();
    command.engine_args.check_batch(command.batch)?;
    allocator::give_back_large_blocks();
    let pieces = Pieces::open(&command.model)?;
    if command.batch.get() > 1 && !pieces.model().batches() {
        report::note(
            "--batch is not used: the model takes one window in a call; `uniseg export \
             --open-batch` makes one that takes more",
        );
    }
    if let [input] = command.images.as_slice()
        && let Some(cases) = find_cases(input, Some(&command.output)).map_err(RuntimeError::from)?
    {
        return cohort::run(&command, pieces, cases);
    }
    ensure!(
        command.shard.is_none(),
        "--shard is for many cases: give a folder, a pattern or a table"
    );
    command.one(pieces)
}

impl Segment {
    /// One case, whose channels are the files given.
    fn one(&self, files: Pieces) -> anyhow::Result<Outcome> {
        let pieces = files.without_files();
        let model = pieces.model();
        let choice = select_tasks(model.manifest(), &self.task, self.images.len());
        let choice = match (choice, self.images.len()) {
            (Err(error @ RuntimeError::ChannelCount { .. }), 2..) => bail!(
                "{error}. Several files are the channels of one case: for many cases give one \
                 folder, a pattern in quotes or a table"
            ),
            (choice, _) => choice?,
        };
        if let Some(note) = &choice.note {
            report::note(note);
        }
        let tasks: Vec<&Task> = choice.tasks.iter().collect();
        let outputs = self.outputs(&choice.tasks)?;
        let options = self.window(model)?;
        let cancel = &interrupt::listen()?;
        let progress = report::CaseProgress::new();
        let read = || -> anyhow::Result<Case> {
            let case = Case::read(&self.images, &mut |step| progress.show(step))?;
            for warning in case.warnings() {
                report::note(&format!("warning: {warning}"));
            }
            Ok(case)
        };
        // The network is opened while the case is read and resampled, unless it depends on the
        // case whether there is memory for it.
        let (mut case, computing) = match (self.memory, choice.tasks.first()) {
            (None, Some(first)) => thread::scope(|scope| {
                let on = pieces.planned_on(&self.engine_options())?;
                let together = first_group(&tasks, self.together(&pieces, on));
                let opening = scope.spawn(move || self.open(files, cancel, together));
                let mut case = read()?;
                // What fails here fails again, and is told, when the task's turn comes.
                let _ = case.prepare(first, &mut |step| progress.show(step));
                let opened = opening
                    .join()
                    .unwrap_or_else(|cause| resume_unwind(cause))?;
                anyhow::Ok((case, Computing::Engines(opened)))
            })?,
            _ => (read()?, Computing::Files(files.into())),
        };
        let on = computing.on(self)?;
        let mut fitted = self.fit(&pieces, on, &case, &choice.tasks, options, 0)?;
        let mut merge = self.merge(&choice.tasks, case.geometry().extent.zyx())?;
        let mut engines = computing.open(self, cancel, first_group(&tasks, fitted.1))?;
        if engines.pieces_on() != on {
            // What was planned could not be used.
            let on = engines.pieces_on();
            fitted = self.fit(&pieces, on, &case, &choice.tasks, options, 0)?;
        }
        let (options, together) = fitted;
        let predictor = engines.predictor();
        let run = &mut |group: &[&Task]| -> anyhow::Result<()> {
            let probabilities = prepare(group, &choice.tasks, &outputs)?;
            let request = Request {
                manifest: model.manifest(),
                tasks: group,
                options: &options,
                cancel,
                probabilities: &probabilities,
            };
            let show = &mut |step: uniseg_runtime::Progress<'_>| progress.show(step);
            let found = case.segment_together(predictor, request, show)?;
            let outputs_of = |segmentation: &Segmentation| {
                let of = |task: &&Task| task.id == segmentation.task.id;
                outputs.get(tasks.iter().position(of)?)
            };
            if merge.is_some() {
                outputs::remove_merged(&self.output)?;
            }
            write_all(&found.segmentations, &outputs_of, case.header())?;
            for segmentation in &found.segmentations {
                if let Some(outputs) = outputs_of(segmentation) {
                    if let Some(path) = &outputs.preview {
                        preview::write(path, &case.image(), segmentation)?;
                    }
                    progress.finish();
                    report::result(&table(segmentation, &outputs.labels));
                }
                if let Some(merge) = &mut merge {
                    merge.add(segmentation)?;
                }
            }
            Ok(())
        };
        let failed = groups::run(&tasks, together, cancel, &progress, run);
        progress.finish();
        match failed {
            Some(failed) if failed.tasks < tasks.len() => {
                report::error(&failed.of(tasks.len()));
                return Ok(Outcome::CheckFailed);
            }
            Some(failed) => return Err(failed.of(tasks.len())),
            None => {}
        }
        if let Some(merge) = merge {
            let merged = merge.finish(case.geometry().spacing.voxel_ml());
            outputs::write_merge(&merged, case.header(), &self.output)?;
        }
        Ok(Outcome::Done)
    }

    /// How the window moves.
    fn window(&self, model: &Model) -> anyhow::Result<WindowOptions> {
        let mut options = WindowOptions::of(model.manifest());
        options.step = self.step.unwrap_or(options.step);
        options.mirror |= self.mirror;
        options.skip = !self.no_skip;
        options.fast = self.fast.map(FirstLook::from);
        options.batch = self.batch;
        options.check(model.manifest())?;
        Ok(options)
    }

    /// The same with the batch that fits into `--memory` on this case, and how many tasks may run
    /// together; `waiting` label maps may be there beside.
    fn fit(
        &self,
        pieces: &Pieces,
        on: PiecesOn,
        case: &Case,
        tasks: &[Task],
        options: WindowOptions,
        waiting: usize,
    ) -> anyhow::Result<(WindowOptions, usize)> {
        let together = self.together(pieces, on);
        let Some(bound) = self.memory else {
            return Ok((options, together));
        };
        let tasks: Vec<&Task> = tasks.iter().collect();
        let work = MemoryUse {
            pieces,
            on,
            tasks: &tasks,
            options,
            together,
            merged: self.merge,
            waiting,
            preview: self.preview.is_some(),
        };
        let fitted = fit_memory(bound, work, case)?;
        if fitted.options.batch < options.batch {
            let (asked, fitted) = (options.batch, fitted.options.batch);
            report::note(&format!(
                "{bound} hold {fitted} windows in a call, not {asked}"
            ));
        }
        if fitted.together < together.min(tasks.len()) {
            let fitted = fitted.together;
            report::note(&format!("{bound} hold {fitted} task(s) at a time"));
        }
        Ok((fitted.options, fitted.together))
    }

    /// Most tasks that run on a window together. With `--fast` windows are chosen for each task, so
    /// that there one comes after another, unless more are asked for.
    fn together(&self, pieces: &Pieces, on: PiecesOn) -> usize {
        let one = self.fast.map(|_| NonZeroUsize::MIN);
        pieces.together(self.together.or(one), on)
    }

    fn engine_options(&self) -> EngineOptions {
        let kind: EngineKind = self.engine.into();
        self.engine_args.options(kind)
    }

    /// Engines for `together` tasks on a window, that stop when `cancel` says so, and that are
    /// thrifty within a bound.
    fn open(
        &self,
        files: Pieces,
        cancel: &CancelToken,
        together: usize,
    ) -> anyhow::Result<Engines> {
        let options = EngineOptions {
            lean: self.memory.is_some(),
            cancel: cancel.clone(),
            ..self.engine_options()
        };
        let engines = files.open_engines(&options, together)?;
        if let Some(note) = &engines.note {
            report::note(note);
        }
        Ok(engines)
    }

    /// An empty merged map of `extent` (z, y, x) voxels, if one was asked for.
    fn merge(&self, tasks: &[Task], extent: [usize; 3]) -> anyhow::Result<Option<Merge>> {
        if !self.merge {
            return Ok(None);
        }
        let tasks: Vec<&Task> = tasks.iter().collect();
        Ok(Some(Merge::new(&tasks, &self.priority, extent)?))
    }
}

/// What computes, opened when it is first needed.
enum Computing {
    Files(Box<Pieces>),
    Engines(Engines),
}

impl Computing {
    /// What it computes on, or would once it is opened.
    fn on(&self, command: &Segment) -> Result<PiecesOn, RuntimeError> {
        match self {
            Self::Files(files) => files.planned_on(&command.engine_options()),
            Self::Engines(engines) => Ok(engines.pieces_on()),
        }
    }

    /// Ready for `together` tasks on a window, if it is not open yet.
    fn open(
        self,
        command: &Segment,
        cancel: &CancelToken,
        together: usize,
    ) -> anyhow::Result<Engines> {
        match self {
            Self::Files(files) => command.open(*files, cancel, together),
            Self::Engines(engines) => Ok(engines),
        }
    }
}

/// Prepares for the results of a group of tasks and says where their probabilities go, if they are
/// asked for; `outputs` are in the order of `tasks`.
fn prepare(group: &[&Task], tasks: &[Task], outputs: &[Outputs]) -> anyhow::Result<Vec<PathBuf>> {
    let mut probabilities = Vec::new();
    for task in group {
        let place = tasks.iter().position(|known| known.id == task.id);
        if let Some(outputs) = place.and_then(|place| outputs.get(place)) {
            outputs.begin()?;
            probabilities.extend(outputs.probabilities.clone());
        }
    }
    Ok(probabilities)
}

/// Writes the files of several tasks at once: compressing takes one core.
fn write_all<'a>(
    segmentations: &[Segmentation],
    outputs_of: &(dyn Fn(&Segmentation) -> Option<&'a Outputs> + Sync),
    header: &NiftiHeader,
) -> anyhow::Result<()> {
    thread::scope(|scope| {
        let writing: Vec<_> = segmentations
            .iter()
            .filter_map(|segmentation| Some((segmentation, outputs_of(segmentation)?)))
            .map(|(segmentation, outputs)| scope.spawn(move || outputs.write(segmentation, header)))
            .collect();
        // All of them are waited for, whatever became of the first.
        let written: Vec<anyhow::Result<()>> = writing
            .into_iter()
            .map(|writing| writing.join().unwrap_or_else(|cause| resume_unwind(cause)))
            .collect();
        written.into_iter().collect()
    })
}

fn table(segmentation: &Segmentation, labels: &Path) -> String {
    let mut rows = vec![
        ["label", "name", "voxels", "ml", "colour"]
            .map(str::to_owned)
            .to_vec(),
    ];
    rows.extend(segmentation.statistics.labels.iter().skip(1).map(|label| {
        vec![
            label.label.to_string(),
            label.name.clone(),
            label.voxels.to_string(),
            format!("{:.2}", label.ml),
            preview::colour(label.label).0.to_owned(),
        ]
    }));
    format!(
        "{} -> {}\n{}",
        segmentation.task.name,
        labels.display(),
        report::table(&rows)
    )
}
