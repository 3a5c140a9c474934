//! A model against annotated cases: predict, compare on the images' own grids, average.
//!
//! ```text
//! model, tasks file -> pairing: which task, which dataset, which cases
//!                         |
//!                 case: read, predict, measure -> record, so that a stopped run goes on
//!                         |
//!                 score: averages -> files: CSV, JSON, plots, a page
//! ```
//!
//! The averages are the imaging crate's and follow the evaluation of UniSeg; nothing here decides
//! how good a segmentation is.

mod case;
mod files;
mod pairing;
mod record;
mod score;

use std::path::PathBuf;

use anyhow::{Context, ensure};
use clap::ValueEnum;
use serde::{Deserialize, Serialize};
use uniseg_runtime::{Engine, Model, Progress, WindowOptions};
use uniseg_train::data::Tasks;

pub(crate) use files::write;
pub(crate) use score::{CaseScore, Evaluation, Failure};

use case::{Job, Outcome};
use score::{Settings, TaskScore};

/// What is evaluated, and how.
#[derive(Debug, Clone)]
pub(crate) struct EvaluateOptions {
    /// Tasks by name, alias or id; all that model and tasks file share if empty.
    pub(crate) tasks: Vec<String>,
    /// Which cases.
    pub(crate) split: SplitPart,
    /// How the window moves.
    pub(crate) window: WindowOptions,
    /// Distance up to which the surface Dice counts a surface as met.
    pub(crate) tolerance_mm: f64,
    /// Folder for records of finished cases, label maps and previews; none are kept if absent.
    pub(crate) folder: Option<PathBuf>,
    /// Keep predicted label maps.
    pub(crate) save_labels: bool,
    /// Draw truth and prediction of every case.
    pub(crate) previews: bool,
}

impl EvaluateOptions {
    /// The held-out cases of all tasks with the model's own settings, and a tolerance of 2 mm.
    pub(crate) fn of(model: &Model) -> Self {
        Self {
            tasks: Vec::new(),
            split: SplitPart::Validation,
            window: WindowOptions::of(model.manifest()),
            tolerance_mm: 2.0,
            folder: None,
            save_labels: false,
            previews: false,
        }
    }
}

/// Which cases of a dataset.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum SplitPart {
    /// Cases that are held out
    Validation,
    /// Cases that were trained on
    Train,
    /// All annotated cases
    All,
}

/// What happens while cases are evaluated.
pub(crate) enum Event<'a> {
    /// Something worth knowing that stops nothing.
    Note(String),
    /// A case begins.
    Begins {
        task: &'a str,
        case: &'a str,
        /// Cases before it, and all cases of all tasks.
        done: usize,
        total: usize,
    },
    /// The case goes on.
    Step(Progress<'a>),
    /// The case has been measured, or had been by an earlier run.
    Scored {
        task: &'a str,
        score: &'a CaseScore,
        kept: bool,
    },
    /// The case has none of the task's labels, and the tasks file says to leave such cases out.
    Dropped { task: &'a str, case: &'a str },
    /// The case cannot be evaluated; the others go on.
    Failed { task: &'a str, failure: &'a Failure },
}

/// Evaluates every case of every task that model and tasks file share.
///
/// Finished cases of the same model, settings and files are taken from `options.folder`. A bad
/// case becomes a [`Failure`] and the others go on; what concerns all cases of a task (its labels
/// are not the model's, its dataset is not there) is an error before any time is spent.
pub(crate) fn evaluate(
    model: &Model,
    engine: &mut dyn Engine,
    tasks: &Tasks,
    options: &EvaluateOptions,
    watch: &mut dyn FnMut(Event<'_>),
) -> anyhow::Result<Evaluation> {
    ensure!(
        options.tolerance_mm.is_finite() && options.tolerance_mm >= 0.0,
        "a tolerance of {} mm is none",
        options.tolerance_mm
    );
    let pairs = pairing::pairs(model.manifest(), tasks, options, &mut |note| {
        watch(Event::Note(note))
    })?;
    let total = pairs.iter().map(|pair| pair.cases.len()).sum();
    let mut done = 0;
    let mut scores = Vec::new();
    for pair in &pairs {
        let job = Job {
            model,
            pair,
            options,
        };
        let name = pair.name();
        job.make_folders()
            .with_context(|| format!("cannot keep results of task {name}"))?;
        let mut score = TaskScore::new(pair);
        for case in &pair.cases {
            let case_name = case.name.as_str();
            watch(Event::Begins {
                task: name,
                case: case_name,
                done,
                total,
            });
            match job.run(case, engine, &mut |step| watch(Event::Step(step))) {
                Ok(Outcome::Scored { score: one, kept }) => {
                    watch(Event::Scored {
                        task: name,
                        score: &one,
                        kept,
                    });
                    score.cases.push(one);
                }
                Ok(Outcome::Dropped) => {
                    watch(Event::Dropped {
                        task: name,
                        case: case_name,
                    });
                    score.dropped.push(case_name.to_owned());
                }
                Err(error) => {
                    let failure = Failure {
                        case: case_name.to_owned(),
                        error: format!("{error:#}"),
                    };
                    watch(Event::Failed {
                        task: name,
                        failure: &failure,
                    });
                    score.failures.push(failure);
                }
            }
            done += 1;
        }
        score.average();
        scores.push(score);
    }
    let settings = Settings {
        split: options.split,
        step: options.window.step,
        mirror: options.window.mirror,
        tolerance_mm: options.tolerance_mm,
        engine: engine.name().to_owned(),
    };
    Ok(Evaluation::new(model.manifest(), settings, scores))
}
