use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use crate::TrainError;
use crate::data::random::Random;
use crate::data::{CacheIndex, CachedCase};
use crate::plan::{Plan, TaskPlan, normalization_to_name};

/// Which part of a task's split.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// Cases to train on.
    Train,
    /// Cases that are held out.
    Validation,
}

impl std::fmt::Display for Part {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.pad(match self {
            Self::Train => "training",
            Self::Validation => "validation",
        })
    }
}

/// The cached cases of one task.
#[derive(Debug)]
pub struct Source {
    /// Name of the task, for errors.
    pub task: String,
    /// Its cases, sorted by name.
    pub cases: Vec<(String, CachedCase)>,
}

/// The cached cases of all tasks of a plan.
#[derive(Debug)]
pub struct Sources {
    /// In the order of the plan's tasks.
    pub tasks: Vec<Source>,
    /// For each task the others with the same images, and for each of those the cases that both
    /// have: number there, number here.
    partners: Vec<Vec<Partner>>,
}

/// A task that has images of another.
#[derive(Debug)]
pub(super) struct Partner {
    pub task: usize,
    /// Case of the one task -> case of the partner.
    pub cases: BTreeMap<usize, usize>,
}

impl Sources {
    /// Opens a part of the cache of every task.
    ///
    /// Errors: [`TrainError::Data`] where a file is missing or torn; [`TrainError::CacheDiffers`]
    /// if the cache was made for another plan; [`TrainError::NoCases`];
    /// [`TrainError::InvalidPlan`] for a task with too many labels.
    pub fn open(cache: &Path, plan: &Plan, part: Part) -> Result<Self, TrainError> {
        let tasks: Vec<Source> = plan
            .tasks
            .iter()
            .map(|task| Source::open(cache, task, part))
            .collect::<Result<_, _>>()?;
        let partners = tasks.iter().map(|_| Vec::new()).collect();
        Ok(Self { tasks, partners })
    }

    /// Finds out which cases of which tasks have the same image, which takes reading them all once.
    ///
    /// Such are the scans of an archive that several groups labelled, each its own organ.
    pub fn pair(mut self) -> Self {
        let images: Vec<HashMap<String, usize>> = self
            .tasks
            .iter()
            .map(|source| {
                let cases = source.cases.iter().enumerate();
                cases
                    .map(|(number, (_, case))| (case.image_sha256(), number))
                    .collect()
            })
            .collect();
        let shared = |one: usize, other: usize| Partner {
            task: other,
            cases: images[one]
                .iter()
                .filter_map(|(image, case)| Some((*case, *images[other].get(image)?)))
                .collect(),
        };
        let tasks = 0..self.tasks.len();
        self.partners = tasks
            .clone()
            .map(|one| {
                let others = tasks.clone().filter(|other| *other != one);
                let partners = others.map(|other| shared(one, other));
                partners
                    .filter(|partner| !partner.cases.is_empty())
                    .collect()
            })
            .collect();
        self
    }

    /// Another task with the image of a case, and its number there.
    pub(super) fn partner(
        &self,
        task: usize,
        case: usize,
        random: &mut Random,
    ) -> Option<(usize, usize)> {
        let with: Vec<(usize, usize)> = self.partners[task]
            .iter()
            .filter_map(|partner| Some((partner.task, *partner.cases.get(&case)?)))
            .collect();
        let choice = random.below(with.len().max(1) as u64) as usize;
        with.get(choice).copied()
    }
}

/// Labels of a patch are bytes.
const MOST_LABELS: usize = 256;

impl Source {
    fn open(cache: &Path, task: &TaskPlan, part: Part) -> Result<Self, TrainError> {
        if task.labels.len() > MOST_LABELS {
            return Err(TrainError::InvalidPlan {
                field: format!("tasks[{}].labels", task.id),
                found: format!("{} labels", task.labels.len()),
                expected: format!("training takes up to {MOST_LABELS}, background included"),
            });
        }
        let index = CacheIndex::read(cache, &task.name)?;
        check(cache, task, &index)?;
        let names = match part {
            Part::Train => &index.split.train,
            Part::Validation => &index.split.validation,
        };
        let cases = index
            .cases
            .iter()
            .filter(|case| names.contains(&case.name))
            .map(|case| Ok((case.name.clone(), index.open(cache, case)?)))
            .collect::<Result<Vec<_>, TrainError>>()?;
        if cases.is_empty() {
            return Err(TrainError::NoCases {
                task: task.name.clone(),
                part,
                path: cache.to_path_buf(),
            });
        }
        Ok(Self {
            task: task.name.clone(),
            cases,
        })
    }
}

/// The cache must have been made as the plan says, or training would see other images than those
/// that the artefact's preprocessing makes.
fn check(cache: &Path, task: &TaskPlan, index: &CacheIndex) -> Result<(), TrainError> {
    let made = index.task.to_plan(task.id);
    let rules = |task: &TaskPlan| -> Vec<String> {
        task.normalization
            .iter()
            .map(normalization_to_name)
            .collect()
    };
    let fields = [
        (
            "labels",
            format!("{:?}", made.labels),
            format!("{:?}", task.labels),
        ),
        (
            "channels",
            format!("{:?}", made.channels),
            format!("{:?}", task.channels),
        ),
        (
            "spacing_zyx_mm",
            format!("{:?}", made.spacing_zyx_mm),
            format!("{:?}", task.spacing_zyx_mm),
        ),
        (
            "normalization",
            format!("{:?}", rules(&made)),
            format!("{:?}", rules(task)),
        ),
    ];
    match fields
        .into_iter()
        .find(|(_, found, expected)| found != expected)
    {
        None => Ok(()),
        Some((field, found, expected)) => Err(TrainError::CacheDiffers {
            path: cache.join(&task.name),
            field,
            found,
            expected,
        }),
    }
}
