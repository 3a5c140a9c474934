use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::ensure;
use clap::{ArgGroup, Args, ValueEnum};
use uniseg_train::data::{Fingerprint, SurveyOptions, Task, Tasks, recipes, survey};
use uniseg_train::plan::Variant;
use uniseg_train::planner::{Cost, MemorySize, PlanOptions, make_plan};

use super::{Outcome, tables};
use crate::report::{self, CountProgress};

/// Check datasets and plan a network for them
///
/// Reads every case of a tasks file's datasets. Everything that is wrong with them is printed with
/// its file, and then nothing is written. Of clean datasets a plan is written: the paper's network,
/// or with --budget the largest one whose training step fits, and `fingerprint.json` beside it.
#[derive(Args)]
#[command(
    group = ArgGroup::new("source").required(true),
    after_help = "Start with a ready-made tasks file: `uniseg plan --recipe phantom -o tasks.toml`."
)]
pub(crate) struct Plan {
    /// The tasks file: datasets, labels, channels
    #[arg(group = "source", value_name = "TASKS.toml")]
    tasks: Option<PathBuf>,
    /// Write a ready-made tasks file instead: upstream, downstream or phantom
    #[arg(long, group = "source", value_name = "NAME")]
    recipe: Option<String>,
    /// File to write: the plan, or with --recipe the tasks file
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
    /// Folder of the datasets [default: the tasks file's own]
    #[arg(long, value_name = "DIR", conflicts_with = "recipe")]
    root: Option<PathBuf>,
    /// Plan for some of the tasks, by name or alias [default: all]
    #[arg(long = "task", num_args = 1.., value_name = "NAME", conflicts_with = "recipe")]
    names: Vec<String>,
    /// Memory that a training step may take, such as 4G or 512M [default: the paper's network]
    #[arg(long, value_name = "SIZE", conflicts_with = "recipe")]
    budget: Option<MemorySize>,
    /// Patch in voxels [default: the paper's 64,192,192, or found for the budget]
    #[arg(long, value_name = "Z,Y,X", conflicts_with = "recipe", value_parser = patch_size)]
    patch: Option<PatchSize>,
    /// Features of the first stage [default: the paper's 32, or found for the budget]
    #[arg(long, value_name = "N", conflicts_with = "recipe")]
    base: Option<usize>,
    /// Patches of a training step
    #[arg(long, value_name = "N", default_value = "2", conflicts_with = "recipe")]
    batch: usize,
    /// How the network is told its task
    #[arg(long, value_enum, default_value = "uniseg", conflicts_with = "recipe")]
    variant: VariantName,
    /// Cases that are read at a time [default: all cores]
    #[arg(long, value_name = "N", conflicts_with = "recipe")]
    threads: Option<NonZeroUsize>,
    /// Do not read the datasets; the tasks file must then state spacings and intensities
    #[arg(long, conflicts_with = "recipe")]
    no_check: bool,
}

pub(super) type PatchSize = [usize; 3];

pub(super) fn patch_size(text: &str) -> Result<PatchSize, String> {
    let sizes: Result<Vec<usize>, _> = text.split(',').map(|size| size.trim().parse()).collect();
    sizes
        .ok()
        .and_then(|sizes| sizes.try_into().ok())
        .ok_or_else(|| "a patch is three whole numbers, such as 64,192,192".into())
}

/// The paper's variants, as they are typed.
#[derive(Clone, Copy)]
pub(super) struct VariantName(pub(super) Variant);

impl ValueEnum for VariantName {
    fn value_variants<'a>() -> &'a [Self] {
        const ALL: [VariantName; 5] = {
            let [a, b, c, d, e] = Variant::ALL;
            [
                VariantName(a),
                VariantName(b),
                VariantName(c),
                VariantName(d),
                VariantName(e),
            ]
        };
        &ALL
    }

    fn to_possible_value(&self) -> Option<clap::builder::PossibleValue> {
        Some(clap::builder::PossibleValue::new(self.0.key()).help(self.0.title()))
    }
}

pub(super) fn run(command: Plan) -> anyhow::Result<Outcome> {
    match (&command.recipe, &command.tasks) {
        (Some(name), _) => write_recipe(name, &command.output),
        (None, Some(tasks)) => command.plan(tasks),
        // clap asks for one of the two.
        (None, None) => Ok(Outcome::Done),
    }
}

fn write_recipe(name: &str, output: &Path) -> anyhow::Result<Outcome> {
    // A tasks file is there to be edited: the edits of an older one must not be lost.
    ensure!(
        !output.exists(),
        "{} is there already and is not overwritten: name another file",
        output.display()
    );
    recipes::write(name, output)?;
    report::note(&format!(
        "wrote the {name} tasks; next: uniseg plan {} -o plan.json --root FOLDER_OF_DATASETS",
        output.display()
    ));
    Ok(Outcome::Done)
}

impl Plan {
    fn plan(&self, path: &Path) -> anyhow::Result<Outcome> {
        let tasks = Tasks::read(path, self.root.as_deref())?;
        let tasks = self.chosen(&tasks)?;
        let prints = self.output.with_file_name("fingerprint.json");
        for output in [&self.output, &prints] {
            ensure!(
                !same_file(output, path),
                "{} is the tasks file: name another output",
                output.display()
            );
        }
        let options = PlanOptions {
            variant: self.variant.0,
            batch_size: self.batch,
            budget: self.budget,
            patch_size: self.patch,
            base_num_features: self.base,
        };
        let fingerprints = match self.no_check {
            true => Vec::new(),
            false => match self.survey(&tasks) {
                Some(fingerprints) => fingerprints,
                None => return Ok(Outcome::CheckFailed),
            },
        };
        let mut resolved = Vec::new();
        for task in &tasks {
            let known = fingerprints.iter().find(|print| print.task == task.name);
            resolved.push(task.resolve(known)?);
        }
        let plan = make_plan(&resolved, &fingerprints, &options)?;
        let cost = Cost::of(&plan.network, plan.batch_size);
        if !self.no_check {
            report::result(&tables::fingerprints(&plan, &fingerprints));
            report::result("\n");
            Fingerprint::write_all(&fingerprints, &prints)?;
        }
        report::result(&tables::plan(&plan, &cost));
        plan.write(&self.output)?;
        report::note(&format!(
            "wrote {0}; next: uniseg preprocess {1}{2} --plan {0} -o CACHE",
            self.output.display(),
            path.display(),
            self.root
                .as_ref()
                .map_or(String::new(), |root| format!(" --root {}", root.display())),
        ));
        Ok(Outcome::Done)
    }

    /// The tasks asked for, in the file's order.
    fn chosen<'a>(&self, tasks: &'a Tasks) -> anyhow::Result<Vec<&'a Task>> {
        let asked: Vec<&Task> = self
            .names
            .iter()
            .map(|name| tasks.find(name))
            .collect::<Result<_, _>>()?;
        let wanted = |task: &&Task| asked.is_empty() || asked.contains(task);
        Ok(tasks.tasks.iter().filter(wanted).collect())
    }

    /// Reads all datasets and prints what is wrong with them; none if something has to be repaired.
    fn survey(&self, tasks: &[&Task]) -> Option<Vec<Fingerprint>> {
        let mut options = SurveyOptions::default();
        if let Some(threads) = self.threads {
            options.threads = threads.get();
        }
        let progress = CountProgress::new();
        let (mut problems, mut fingerprints) = (Vec::new(), Vec::new());
        let mut clean = true;
        for task in tasks {
            let start = Instant::now();
            let surveyed = survey(task, &options, &mut |at| {
                let words = format!("{} problem(s)", at.problems);
                progress.show(at.task, at.finished, at.total, words);
            });
            progress.finish(&format!(
                "{}: {} case(s) read, {} problem(s), {:.1} s",
                task.name,
                surveyed
                    .fingerprint
                    .as_ref()
                    .map_or(0, |print| print.cases.len()),
                surveyed.problems.len(),
                start.elapsed().as_secs_f64()
            ));
            clean &= surveyed.is_clean();
            problems.extend(surveyed.problems);
            fingerprints.extend(surveyed.fingerprint);
        }
        progress.clear();
        if !problems.is_empty() {
            report::result(&tables::problems(&problems));
            report::result("\n");
        }
        if !clean {
            report::note(&format!(
                "{}: nothing is written; repair the datasets, or say in the tasks file what is meant",
                tables::count(&problems)
            ));
        }
        clean.then_some(fingerprints)
    }
}

fn same_file(a: &Path, b: &Path) -> bool {
    match (a.canonicalize(), b.canonicalize()) {
        (Ok(a), Ok(b)) => a == b,
        _ => false,
    }
}
