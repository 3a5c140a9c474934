use std::path::PathBuf;

use anyhow::bail;
use clap::Args;
use uniseg_train::finetune::{downstream_plan, transfer};
use uniseg_train::{Checkpoint, Plan, TrainSettings, run::checkpoint_folder};

use super::Outcome;
use super::train::{TrainArgs, report_end};
use crate::report;

/// Train a universal network further, for a new task
///
/// Takes the encoder and decoder of a universal checkpoint, leaves out its prompt, begins new heads
/// for the new task's labels and trains everything, by the paper's recipe for transfer learning
/// unless told otherwise. The same command again continues a run that was stopped or killed.
#[derive(Args)]
pub(crate) struct Finetune {
    /// The universal checkpoint: its folder, or the run it came from
    checkpoint: PathBuf,
    /// Plan of the new task, as `uniseg plan` writes it; its patch, spacing and labels are used
    #[arg(long, value_name = "PLAN")]
    plan: PathBuf,
    /// The task, if the plan has several
    #[arg(long, value_name = "NAME")]
    task: Option<String>,
    /// Begin with random weights: the same network and settings, for comparison
    #[arg(long)]
    from_scratch: bool,
    #[command(flatten)]
    how: TrainArgs,
}

pub(super) fn run(command: Finetune) -> anyhow::Result<Outcome> {
    let device = command.how.device()?;
    let universal = Checkpoint::open(&checkpoint_folder(&command.checkpoint)?, &device)?;
    let target = command.target(Plan::read(&command.plan)?)?;
    let plan = downstream_plan(&universal.plan, &target)?;
    let settings = command.how.settings(TrainSettings::finetune())?;
    let start = match command.from_scratch {
        true => None,
        false => {
            let (start, transfer) = transfer(&universal, plan.clone(), settings.seed, &device)?;
            report::note(&format!(
                "took {} tensors of the universal network; new: {}",
                transfer.taken,
                transfer.fresh.join(", ")
            ));
            Some(start)
        }
    };
    let summary = command.how.train(&plan, &settings, start)?;
    report_end(&summary, command.how.output())
}

impl Finetune {
    /// The plan with the one task that is asked for.
    fn target(&self, plan: Plan) -> anyhow::Result<Plan> {
        let names: Vec<&str> = plan.tasks.iter().map(|task| task.name.as_str()).collect();
        let index = match (&self.task, names.len()) {
            (None, 1) => 0,
            (None, _) => bail!(
                "{} has the tasks {}: choose one with --task",
                self.plan.display(),
                names.join(", ")
            ),
            (Some(name), _) => match names.iter().position(|known| known == name) {
                Some(index) => index,
                None => bail!(
                    "{} has no task '{name}': it has {}",
                    self.plan.display(),
                    names.join(", ")
                ),
            },
        };
        match plan.baseline_of(index) {
            Some(plan) => Ok(plan),
            None => bail!("{} has no tasks", self.plan.display()),
        }
    }
}
