use std::num::{NonZeroU32, NonZeroUsize};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use burn::module::Module;
use burn::prelude::*;

use super::epoch::EpochSums;
use super::folder::RunFolder;
use super::log::{self, EpochRecord};
use super::state::Progress;
use crate::augment::Augmentation;
use crate::batch::{Loader, LoaderOptions, Part, Sources};
use crate::plan::Plan;
use crate::precision::Precision;
use crate::sampler::{BATCHES_PER_TASK, TaskSampler};
use crate::settings::TrainSettings;
use crate::trainer::{PatchDice, StepReport, TrainState, Trainer};
use crate::{Checkpoint, TrainError};

/// Share of the moving average of validation Dice that a new epoch has. Source: nnU-Net v1,
/// `val_eval_criterion_alpha`.
const NEW_SHARE: f64 = 0.1;

/// Steps that wait to be used, at most, beside those being made.
const AHEAD: NonZeroUsize = NonZeroUsize::new(4).expect("4 is not 0");

/// A run and what it needs.
pub struct Run<'a> {
    /// Folder of the run; made if need be, continued if it is there.
    pub folder: &'a Path,
    /// The network and its tasks.
    pub plan: &'a Plan,
    /// How it is trained.
    pub settings: &'a TrainSettings,
    /// Folder of the preprocessed cases.
    pub cache: &'a Path,
    /// Where it is trained: on one device, or on several at once.
    pub devices: &'a [Device],
    /// In which numbers convolutions are computed.
    pub precision: Precision,
    /// Threads that prepare patches.
    pub workers: NonZeroUsize,
    /// Weights to begin with; random ones, seeded by the settings, if absent. Not looked at when a
    /// run is continued.
    pub start: Option<Checkpoint>,
}

/// What happens in a run.
#[derive(Debug)]
pub enum Event<'a> {
    /// It begins or continues.
    Begin {
        /// Steps that were made before.
        iteration: u64,
        /// Steps of the whole run.
        iterations: u64,
    },
    /// Something a person should know.
    Note(String),
    /// A step was made.
    Step(&'a StepReport),
    /// An epoch ended and was judged.
    Epoch(&'a EpochRecord),
    /// A checkpoint was written.
    Saved {
        /// Its folder.
        path: &'a Path,
        /// Steps that were made.
        iteration: u64,
    },
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq)]
pub struct Summary {
    /// Steps that were made, those before a resume included.
    pub iteration: u64,
    /// Whether all steps were made; otherwise it was stopped.
    pub finished: bool,
    /// Whether the validation had not become better for as long as the settings allow.
    pub out_of_patience: bool,
    /// The last checkpoint.
    pub checkpoint: PathBuf,
    /// Best moving average of the validation Dice, and its epoch.
    pub best: Option<(f64, u32)>,
}

/// Trains, or continues to train, until all steps are made or `observe` breaks, which saves first.
///
/// On the CPU a continued run makes bit for bit the steps that it would have made uninterrupted.
///
/// Errors: [`TrainError`]: of the cache, of the run's folder, of a checkpoint that cannot be
/// written, and [`TrainError::Diverged`]. Earlier checkpoints stay as they are.
pub fn train(
    run: Run<'_>,
    observe: &mut dyn FnMut(Event<'_>) -> ControlFlow<()>,
) -> Result<Summary, TrainError> {
    let Run {
        plan,
        settings,
        devices,
        ..
    } = run;
    settings.check()?;
    let Some(device) = devices.first() else {
        return Err(TrainError::InvalidSetting {
            field: "devices".into(),
            found: "empty".into(),
            expected: "training needs one".into(),
        });
    };
    let device = &device.clone().autodiff();
    let training = Sources::open(run.cache, plan, Part::Train)?;
    let training = Arc::new(match settings.paired_tasks {
        true => training.pair(),
        false => training,
    });
    let validation = match settings.validation_batches {
        0 => None,
        _ => Some(Arc::new(Sources::open(run.cache, plan, Part::Validation)?)),
    };
    let folder = RunFolder::open(run.folder, plan, settings)?;

    let resumed = folder.resume(settings, device);
    for reason in &resumed.torn {
        let text = format!("a checkpoint cannot be used, the one before it is taken: {reason}");
        if observe(Event::Note(text)).is_break() {
            break;
        }
    }
    let (mut state, mut progress) = match resumed.found {
        Some(found) => found,
        // With nothing left to continue from, starting over would hide the loss.
        None if !resumed.torn.is_empty() => {
            return Err(TrainError::NoCheckpoint {
                path: run.folder.to_path_buf(),
                findings: resumed.torn,
            });
        }
        None => begin(run.start, plan, settings, device),
    };
    log::rewind(run.folder, state.iteration)?;

    let total = settings.iterations();
    let options = LoaderOptions {
        patch: plan.network.patch_size,
        batch_size: plan.batch_size,
        foreground_share: settings.foreground_share,
        paired_tasks: settings.paired_tasks,
        augmentation: settings.augmentation.clone(),
        seed: settings.seed,
        workers: run.workers,
        ahead: AHEAD,
    };
    let mut loader = Loader::start(
        training,
        options.clone(),
        progress.sampler.clone(),
        state.iteration,
    );
    let trainer = Trainer::new(plan, settings, devices, run.precision);
    let tasks = plan.tasks.len();
    let begin = Event::Begin {
        iteration: state.iteration,
        iterations: total,
    };
    let mut stopped = observe(begin).is_break();
    let mut out_of_patience = false;
    let mut saved_at = None;
    let mut sums = EpochSums::new(tasks, loader.waited());
    while state.iteration < total && !stopped && !out_of_patience {
        let step = loader.next_step();
        progress.sampler = step.sampler.clone();
        let report;
        (state, report) = trainer.step(state, step)?;
        sums.add(&report);
        stopped = observe(Event::Step(&report)).is_break();
        let length = u64::from(settings.iterations_per_epoch);
        if !state.iteration.is_multiple_of(length) {
            continue;
        }
        let epoch = (state.iteration / length - 1) as u32;
        let mut record = sums.record(epoch, state.iteration, loader.waited());
        if let Some(sources) = &validation {
            let dice = judge(&trainer, &state, sources, &options, settings, plan);
            record = record.judged(&dice, tasks);
        }
        let is_best = progress.take(record.validation_dice, epoch);
        log::append(run.folder, &record)?;
        stopped |= observe(Event::Epoch(&record)).is_break();
        let due =
            (epoch + 1).is_multiple_of(settings.checkpoint_epochs) || state.iteration == total;
        if due || is_best {
            let path = save(&folder, plan, &state, &mut progress, is_best, observe)?;
            saved_at = Some((state.iteration, path));
        }
        let waited = progress.best.map_or(0, |(_, best)| epoch - best);
        out_of_patience = settings
            .patience_epochs
            .is_some_and(|patience| waited >= patience);
        sums = EpochSums::new(tasks, loader.waited());
    }
    let checkpoint = match saved_at {
        Some((iteration, path)) if iteration == state.iteration => path,
        _ => save(&folder, plan, &state, &mut progress, false, observe)?,
    };
    Ok(Summary {
        iteration: state.iteration,
        finished: state.iteration >= total,
        out_of_patience,
        checkpoint,
        best: progress.best,
    })
}

fn begin(
    start: Option<Checkpoint>,
    plan: &Plan,
    settings: &TrainSettings,
    device: &Device,
) -> (TrainState, Progress) {
    let start = start.unwrap_or_else(|| Checkpoint::random(plan.clone(), settings.seed, device));
    let tasks = NonZeroUsize::new(plan.tasks.len()).unwrap_or(NonZeroUsize::MIN);
    let state = TrainState {
        network: start.network,
        optimizer: settings.optimizer.init(),
        iteration: 0,
        skipped: 0,
    };
    let progress = Progress {
        iteration: 0,
        sampler: TaskSampler::new(tasks, BATCHES_PER_TASK, settings.seed),
        skipped: 0,
        average_dice: None,
        best: None,
        source: start.source,
    };
    (state, progress)
}

fn save(
    folder: &RunFolder,
    plan: &Plan,
    state: &TrainState,
    progress: &mut Progress,
    is_best: bool,
    observe: &mut dyn FnMut(Event<'_>) -> ControlFlow<()>,
) -> Result<PathBuf, TrainError> {
    progress.iteration = state.iteration;
    progress.skipped = state.skipped;
    let path = folder.save(plan, state, progress, is_best)?;
    // Whoever wants to stop says so again at the next step.
    let _ = observe(Event::Saved {
        path: &path,
        iteration: state.iteration,
    });
    Ok(path)
}

/// Patch Dice on held-out cases; the same patches in every epoch, as they are.
fn judge(
    trainer: &Trainer,
    state: &TrainState,
    sources: &Arc<Sources>,
    options: &LoaderOptions,
    settings: &TrainSettings,
    plan: &Plan,
) -> PatchDice {
    let options = LoaderOptions {
        augmentation: Augmentation::none(),
        paired_tasks: false,
        ..options.clone()
    };
    let tasks = NonZeroUsize::new(plan.tasks.len()).unwrap_or(NonZeroUsize::MIN);
    let sampler = TaskSampler::new(tasks, NonZeroU32::MIN, settings.seed);
    let mut loader = Loader::start(Arc::clone(sources), options, sampler, 0);
    let network = state.network.valid();
    let mut dice = PatchDice::new(plan.tasks.iter().map(|task| task.labels.len()));
    for _ in 0..settings.validation_batches {
        for batch in loader.next_step().batches {
            trainer.judge(&network, &batch, &mut dice);
        }
    }
    dice
}

impl Progress {
    /// Takes an epoch's Dice into the average; whether that is the best so far.
    fn take(&mut self, dice: Option<f64>, epoch: u32) -> bool {
        let Some(dice) = dice else { return false };
        let average = self.average_dice.map_or(dice, |average| {
            (1.0 - NEW_SHARE) * average + NEW_SHARE * dice
        });
        self.average_dice = Some(average);
        let is_best = self.best.is_none_or(|(best, _)| average > best);
        if is_best {
            self.best = Some((average, epoch));
        }
        is_best
    }
}
