use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Instant;

use anyhow::bail;
use clap::{Args, ValueEnum};
use uniseg_imaging::phantom::{PhantomDataset, PhantomTask, Protocol, TASKS, write_dataset};

use super::Outcome;
use crate::{atomic, report};

/// Make datasets of synthetic patients
///
/// Writes an nnU-Net raw dataset for each of eleven tasks: CT, MR, brain MR and PET-CT of made-up
/// bodies. All CT datasets show the same patients, but each labels only its own organ. The same
/// seed gives the same files, and a run that was stopped goes on where it was.
#[derive(Args)]
pub(crate) struct Phantom {
    /// Folder for the datasets
    dir: PathBuf,
    /// Cases of each task
    #[arg(long, default_value = "8", value_name = "N")]
    cases: NonZeroUsize,
    /// Seed of everything
    #[arg(long, default_value_t = 1, value_name = "S")]
    seed: u64,
    /// Tasks by name [default: all]
    #[arg(long = "task", num_args = 1.., value_name = "NAME")]
    tasks: Vec<String>,
    /// Size of the volumes
    #[arg(long, value_enum, default_value = "medium")]
    size: Size,
    /// Store every volume in one orientation, none oblique, instead of as clinics do
    #[arg(long)]
    plain: bool,
    /// Let the CT datasets share scans too, not only patients: one image, several labels
    #[arg(long)]
    same_scans: bool,
    /// Let each scan reach so many times as far along each axis, with as many more voxels and the
    /// task's organ anywhere in it
    #[arg(long, default_value = "1", value_parser = reach, value_name = "F")]
    reach: f64,
}

fn reach(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(reach) if (1.0..=8.0).contains(&reach) => Ok(reach),
        _ => Err("expected a number from 1 to 8".to_owned()),
    }
}

#[derive(Clone, Copy, ValueEnum)]
enum Size {
    /// 28 to 36 slices of 64 to 72 pixels squared
    Small,
    /// 48 to 64 slices of 96 to 128 pixels squared
    Medium,
}

pub(super) fn run(command: Phantom) -> anyhow::Result<Outcome> {
    let tasks = command.tasks()?;
    let protocol = command.protocol();
    let cases = command.cases.get();
    atomic::make_folder(&command.dir)?;
    let heading = ["dataset", "cases", "new", "MB", "channels", "labels"];
    let mut rows = vec![heading.map(str::to_owned).to_vec()];
    for task in tasks {
        let start = Instant::now();
        let dataset = write_dataset(
            &command.dir,
            task,
            command.seed,
            cases,
            &protocol,
            &|_, _| {},
        )?;
        let (made, kept) = (dataset.made, dataset.cases - dataset.made);
        let seconds = start.elapsed().as_secs_f64();
        report::note(&format!(
            "{}: {made} new, {kept} kept, {seconds:.1} s",
            task.name
        ));
        rows.push(row(task, &dataset));
    }
    report::result(&report::table(&rows));
    Ok(Outcome::Done)
}

impl Phantom {
    /// The tasks asked for, each once, in the table's order.
    fn tasks(&self) -> anyhow::Result<Vec<&'static PhantomTask>> {
        if let Some(unknown) = self
            .tasks
            .iter()
            .find(|name| PhantomTask::named(name).is_none())
        {
            let known: Vec<&str> = TASKS.iter().map(|task| task.name).collect();
            bail!(
                "there is no phantom of a task named {unknown}: choose from {}",
                known.join(", ")
            );
        }
        let asked = |task: &&PhantomTask| {
            self.tasks.is_empty() || self.tasks.iter().any(|name| name == task.name)
        };
        Ok(TASKS.iter().filter(asked).collect())
    }

    fn protocol(&self) -> Protocol {
        let size = match self.size {
            Size::Small => Protocol::SMALL,
            Size::Medium => Protocol::MEDIUM,
        };
        Protocol {
            varied_orientation: !self.plain,
            same_scans: self.same_scans,
            reach: self.reach,
            ..size
        }
    }
}

fn row(task: &PhantomTask, dataset: &PhantomDataset) -> Vec<String> {
    vec![
        task.dataset(),
        dataset.cases.to_string(),
        dataset.made.to_string(),
        format!("{:.1}", dataset.bytes as f64 / 1e6),
        task.channel_names().collect::<Vec<_>>().join(", "),
        task.label_names().collect::<Vec<_>>().join(", "),
    ]
}
