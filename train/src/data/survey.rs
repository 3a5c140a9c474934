//! Reading a whole dataset once: every problem in one list, and the fingerprint.

use super::fault::{Fault, Problem, Severity};
use super::fingerprint::{Contribution, Fingerprint, combine};
use super::tasks::{EmptyLabels, Task};
use super::{Case, TaskData, parallel};

/// How a survey is made.
#[derive(Debug, Clone)]
pub struct SurveyOptions {
    /// Cases that are read at a time; each is in memory whole.
    pub threads: usize,
    /// Seed of the choice of foreground voxels whose intensities are looked at.
    pub seed: u64,
}

impl Default for SurveyOptions {
    fn default() -> Self {
        Self {
            threads: parallel::all_cores(),
            seed: 1234,
        }
    }
}

/// How far a survey is.
#[derive(Debug, Clone, Copy)]
pub struct SurveyProgress<'a> {
    /// The task.
    pub task: &'a str,
    /// The case that was just read.
    pub case: &'a str,
    /// Cases that were read.
    pub finished: usize,
    /// Cases of the dataset.
    pub total: usize,
    /// Problems so far.
    pub problems: usize,
}

/// What was found.
#[derive(Debug)]
pub struct Survey {
    /// The task.
    pub task: String,
    /// Everything that is wrong, in the order of the cases.
    pub problems: Vec<Problem>,
    /// What the readable cases are like; `None` if the dataset could not be opened.
    pub fingerprint: Option<Fingerprint>,
}

impl Survey {
    /// Whether nothing has to be repaired.
    pub fn is_clean(&self) -> bool {
        self.problems
            .iter()
            .all(|problem| problem.severity() == Severity::Warning)
    }
}

/// Reads every case of a task's dataset.
///
/// Whatever is wrong becomes a [`Problem`], also that the dataset cannot be opened at all: a bad
/// case or dataset never keeps the others from being read. Memory is one case for each thread.
pub fn survey(
    task: &Task,
    options: &SurveyOptions,
    progress: &mut dyn FnMut(SurveyProgress<'_>),
) -> Survey {
    let problem = |case: Option<&str>, path: &std::path::Path, fault: Fault| Problem {
        task: task.name.clone(),
        case: case.map(str::to_owned),
        path: path.to_path_buf(),
        fault,
    };
    let fail = |error| Survey {
        task: task.name.clone(),
        problems: vec![problem(
            None,
            &task.dataset,
            Fault::Dataset(Box::new(error)),
        )],
        fingerprint: None,
    };
    let mut data = match TaskData::open(task) {
        Ok(data) => data,
        Err(error) => return fail(error),
    };
    let found = data.dataset.cases.len();
    let mut problems = data.take_problems();
    if found < 2 {
        problems.push(problem(None, &task.dataset, Fault::TooFewCases { found }));
    }
    if let Some(declared) = data
        .dataset
        .declared_cases
        .filter(|declared| *declared != found)
    {
        let path = task.dataset.join("dataset.json");
        problems.push(problem(None, &path, Fault::CaseCount { found, declared }));
    }
    let names: Vec<&str> = data
        .dataset
        .cases
        .iter()
        .map(|case| case.name.as_str())
        .collect();
    if let Err(error) = task.split.apply(&task.dataset, &names)
        && found >= 2
    {
        problems.push(problem(
            None,
            &task.dataset,
            Fault::Dataset(Box::new(error)),
        ));
    }

    let mut of_cases: Vec<Vec<Problem>> = (0..found).map(|_| Vec::new()).collect();
    let mut parts = Vec::new();
    let (mut finished, mut counted) = (0, problems.len());
    let work = |index: usize| read(&data, &data.dataset.cases[index], options.seed);
    let done = |index: usize, (part, problems): (Option<Contribution>, Vec<Problem>)| {
        finished += 1;
        counted += problems.len();
        parts.extend(part);
        of_cases[index] = problems;
        progress(SurveyProgress {
            task: &task.name,
            case: names[index],
            finished,
            total: found,
            problems: counted,
        });
    };
    if let Err(error) = parallel::for_each(found, options.threads, work, done) {
        return fail(error);
    }
    problems.extend(of_cases.into_iter().flatten());

    let fingerprint = combine(&task.name, task.channels.len(), parts);
    if !fingerprint.cases.is_empty() {
        let voxels = fingerprint.label_voxels();
        if voxels.iter().skip(1).all(|count| *count == 0) {
            problems.push(problem(None, &task.dataset, Fault::NoForeground));
        } else {
            let absent = task
                .labels
                .iter()
                .zip(&voxels)
                .filter(|(_, count)| **count == 0);
            for (label, _) in absent.filter(|(label, _)| *label != "background") {
                let fault = Fault::LabelNeverSeen {
                    label: label.clone(),
                };
                problems.push(problem(None, &task.dataset, fault));
            }
        }
    }
    Survey {
        task: task.name.clone(),
        problems,
        fingerprint: Some(fingerprint),
    }
}

fn read(data: &TaskData, case: &Case, seed: u64) -> (Option<Contribution>, Vec<Problem>) {
    let mut loaded = data.inspect(case);
    let task = &data.task;
    let part = loaded
        .case
        .and_then(|loaded| Contribution::of(&case.name, &loaded, task.labels.len(), seed));
    let empty = part
        .as_ref()
        .is_some_and(|part| part.case.label_voxels[1..].iter().all(|n| *n == 0));
    if empty && task.empty_labels == EmptyLabels::Refuse {
        loaded.problems.push(Problem {
            task: task.name.clone(),
            case: Some(case.name.clone()),
            path: case.labels.clone(),
            fault: Fault::EmptyLabels,
        });
    }
    (part, loaded.problems)
}

#[cfg(test)]
mod tests;
