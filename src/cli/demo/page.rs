//! What the demonstration shows at its end.

use std::path::Path;

use anyhow::{Context, ensure};
use uniseg_imaging::dice;
use uniseg_imaging::ndarray::{Array3, Zip};
use uniseg_onnx::Task;
use uniseg_runtime::{Case, Comparison, EngineKind, Model, WindowOptions, open_engine};
use uniseg_train::Plan;
use uniseg_train::data::{TaskData, Tasks};
use uniseg_train::run::EpochRecord;

use crate::cli::EngineArgs;
use crate::cli::verify;
use crate::evaluation::{Evaluation, plot};
use crate::html::{Figure, Page};
use crate::plot::{Series, curves};
use crate::{preview, report};

/// Everything that the report tells of.
pub(super) struct Story<'a> {
    pub folder: &'a Path,
    pub plan: &'a Plan,
    pub tasks: &'a Tasks,
    pub log: &'a [EpochRecord],
    pub evaluation: &'a Evaluation,
    pub comparison: Option<&'a Comparison>,
}

/// One volume under every task that reads such images.
pub(super) struct SameVolume {
    case: String,
    rows: Vec<Vec<String>>,
    figures: Vec<Figure>,
}

/// Segments one held-out CT for every CT task: the image is the same, only the task differs.
pub(super) fn same_volume(
    model: &Model,
    engine: &EngineArgs,
    tasks: &Tasks,
) -> anyhow::Result<SameVolume> {
    let manifest = model.manifest();
    let ct: Vec<&Task> = manifest
        .tasks
        .iter()
        .filter(|task| task.modalities().all(|modality| modality == "CT"))
        .collect();
    let first = ct.first().context("the model has no CT task")?;
    let data = TaskData::open(tasks.find(&first.name)?)?;
    let names: Vec<&str> = data
        .dataset
        .cases
        .iter()
        .map(|case| case.name.as_str())
        .collect();
    let split = data.task.split.apply(&data.dataset.folder, &names)?;
    let held_out = split.validation.first().context("no case is held out")?;
    let number = names.iter().position(|name| name == held_out).unwrap_or(0);

    let loaded = data.load(&data.dataset.cases[number])?;
    let mut case = Case::from_volumes(&[held_out.into()], loaded.channels)?;
    let mut engine = open_engine(model, &engine.options(EngineKind::Auto))?.engine;
    let options = WindowOptions::of(manifest);
    let mut found: Vec<(&Task, Array3<u16>, Array3<u16>)> = Vec::new();
    for task in ct {
        // The scans are shared and numbered alike: this is the same patient's truth for the task.
        let data = TaskData::open(tasks.find(&task.name)?)?;
        let its_case = data.dataset.cases.get(number);
        let truth = data
            .load(its_case.context("a task lacks the patient")?)?
            .labels;
        let result = case.segment(model, engine.as_mut(), task, &options, &mut |_| {})?;
        ensure!(
            truth.dim() == result.labels.dim(),
            "task {} shows another scan of {held_out}",
            task.name
        );
        found.push((task, truth, result.labels));
    }

    let mut heading = vec!["asked for".to_owned(), "found, ml".to_owned()];
    heading.extend(
        found
            .iter()
            .map(|(task, ..)| format!("Dice with {}", task.name)),
    );
    heading.push("voxels shared with other answers".into());
    let voxel_ml = case.geometry().spacing.zyx().iter().product::<f64>() / 1000.0;
    let mut rows = vec![heading];
    for (index, (task, _, labels)) in found.iter().enumerate() {
        let voxels = labels.iter().filter(|label| **label > 0).count();
        let mut row = vec![
            task.name.clone(),
            format!("{:.0}", voxels as f64 * voxel_ml),
        ];
        row.extend(
            found
                .iter()
                .map(|(_, truth, _)| format!("{:.2}", dice(labels.view(), truth.view(), 1))),
        );
        let mut others = Array3::from_elem(labels.dim(), false);
        for (_, _, other) in found
            .iter()
            .enumerate()
            .filter(|(i, _)| *i != index)
            .map(|(_, f)| f)
        {
            Zip::from(&mut others)
                .and(other)
                .for_each(|seen, label| *seen |= *label > 0);
        }
        let mut shared = 0_usize;
        Zip::from(&others).and(labels).for_each(|other, label| {
            shared += usize::from(*other && *label > 0);
        });
        row.push(format!(
            "{:.1} %",
            100.0 * shared as f64 / voxels.max(1) as f64
        ));
        rows.push(row);
    }
    let figures = found
        .iter()
        .map(|(task, truth, labels)| {
            Ok(Figure::Png {
                caption: format!("asked for {}: truth above, answer below", task.name),
                bytes: preview::pair(&case.image(), task, truth.view(), labels.view())?,
            })
        })
        .collect::<anyhow::Result<_>>()?;
    Ok(SameVolume {
        case: held_out.clone(),
        rows,
        figures,
    })
}

impl Story<'_> {
    /// Writes the report.
    pub(super) fn write(&self, path: &Path, same: &SameVolume) -> anyhow::Result<()> {
        let mut page = Page::new("uniseg: one model, many tasks");
        let network = &self.plan.network;
        let [z, y, x] = network.patch_size;
        page.paragraph(&format!(
            "One network for {} tasks, trained on synthetic patients of whom each dataset labels \
             one organ only, compiled to one ONNX file, and asked about patients that it never \
             saw. {} features in the first stage, {z} x {y} x {x} voxels in a patch. Phantoms are \
             easier than patients; nothing here is for diagnosis.",
            self.plan.tasks.len(),
            network.base_num_features
        ));

        page.heading("How well it does on held-out patients");
        page.table(&scores(self.evaluation));
        page.paragraph(
            "Dice as the paper's evaluation defines it, on the images' own grids; distances in \
             millimetres.",
        );
        let plots = self.evaluation.tasks.iter().map(|task| {
            Ok(Figure::Svg {
                caption: format!("Dice of {}", task.name),
                svg: plot(task)?,
            })
        });
        page.figure_row(&plots.collect::<anyhow::Result<Vec<_>>>()?);

        page.heading("The same volume under every task");
        page.paragraph(&format!(
            "{} is one CT. The network gets the same voxels each time and is told another task. \
             On the diagonal is what was asked for; beside it, how much that answer looks like \
             the other organs.",
            same.case
        ));
        page.table(&same.rows);
        page.figure_row(&same.figures);

        page.heading("How it learned");
        for (title, y, series) in self.curves() {
            page.svg(title, &curves(&series, title, "step", y)?);
        }

        page.heading("Two engines, one answer");
        match self.comparison {
            Some(comparison) => page.table(&verify::rows(comparison)),
            None => page.paragraph("Only one engine ran: nothing was compared."),
        };

        page.heading("One held-out patient of each task");
        let mut figures = Vec::new();
        for task in &self.evaluation.tasks {
            if let Some(case) = task.cases.first() {
                let folder = super::evaluation_folder(self.folder).join(&task.name);
                let file = folder.join(format!("{}.png", case.case));
                let bytes = std::fs::read(&file)
                    .with_context(|| format!("cannot read {}", file.display()))?;
                figures.push(Figure::Png {
                    caption: format!("{}, {}: Dice {:.3}", task.name, case.case, case.dice()),
                    bytes,
                });
            }
        }
        page.figure_row(&figures);
        let sources = self.tasks.tasks.len();
        page.paragraph(&format!(
            "Files: {sources} datasets in raw/, tasks.toml, plan.json, cache/, run/ with \
             checkpoints and log.jsonl, model.onnx, evaluation/."
        ));
        page.write(path)
    }

    fn curves(&self) -> [(&'static str, &'static str, Vec<Series>); 2] {
        let of = |name: &str, value: &dyn Fn(&EpochRecord) -> Option<f64>| Series {
            name: name.to_owned(),
            points: self
                .log
                .iter()
                .filter_map(|record| Some((record.iteration as f64, value(record)?)))
                .collect(),
        };
        let tasks = || self.plan.tasks.iter().enumerate();
        let losses = tasks().map(|(id, task)| {
            of(&task.name, &move |r| {
                r.task_losses.get(id).copied().flatten()
            })
        });
        let dice = tasks()
            .map(|(id, task)| of(&task.name, &move |r| r.task_dice.get(id).copied().flatten()));
        [
            (
                "Loss of each task",
                "cross-entropy - Dice",
                losses.collect(),
            ),
            (
                "Dice on patches of held-out patients",
                "Dice",
                dice.collect(),
            ),
        ]
    }
}

/// A row a task, and the mean.
fn scores(evaluation: &Evaluation) -> Vec<Vec<String>> {
    let heading = ["task", "cases", "Dice", "surface Dice (2 mm)", "HD95, mm"];
    let mut rows = vec![heading.map(str::to_owned).to_vec()];
    let measured = evaluation
        .tasks
        .iter()
        .map(|task| (task.name.as_str(), task.cases.len(), task.mean));
    let all = evaluation.tasks.iter().map(|task| task.cases.len()).sum();
    for (name, cases, mean) in measured.chain([("mean", all, evaluation.mean)]) {
        let mut row = vec![name.to_owned(), cases.to_string()];
        row.extend(mean.map_or(vec!["-".to_owned(); 3], |mean| {
            vec![
                format!("{:.3}", mean.dice),
                format!("{:.3}", mean.surface_dice),
                format!("{:.1}", mean.hd95_mm),
            ]
        }));
        rows.push(row);
    }
    rows
}

/// The two tables for the terminal.
pub(super) fn summary(evaluation: &Evaluation, same: &SameVolume) -> String {
    format!(
        "held-out patients\n{}\nthe same volume ({}) under every task\n{}",
        report::table(&scores(evaluation)),
        same.case,
        report::table(&same.rows)
    )
}
