//! One case: read, predicted, measured, and what is kept of it.

use std::path::{Path, PathBuf};

use anyhow::{bail, ensure};
use uniseg_imaging::ndarray::ArrayView3;
use uniseg_imaging::{Agreement, SpacingMm, label_counts, write_labels};
use uniseg_runtime::{Case as Images, Engine, Model, Progress};
use uniseg_train::data::tasks::EmptyLabels;
use uniseg_train::data::{Case, CaseImages, LoadedCase};

use super::EvaluateOptions;
use super::pairing::Pair;
use super::record::{self, Record};
use super::score::{CaseLabel, CaseScore};
use crate::{atomic, preview};

/// What the cases of a task share.
pub(super) struct Job<'a> {
    pub(super) model: &'a Model,
    pub(super) pair: &'a Pair,
    pub(super) options: &'a EvaluateOptions,
}

/// What became of a case.
pub(super) enum Outcome {
    /// It was measured now or, if `kept`, by an earlier run.
    Scored { score: CaseScore, kept: bool },
    /// It has none of the task's labels and is left out.
    Dropped,
}

/// Where what is kept of a case goes.
struct Places {
    record: PathBuf,
    labels: Option<PathBuf>,
    preview: Option<PathBuf>,
}

impl Job<'_> {
    /// Makes the folders that cases are kept in.
    pub(super) fn make_folders(&self) -> anyhow::Result<()> {
        let Some(places) = self.places("case") else {
            return Ok(());
        };
        let files = [
            Some(&places.record),
            places.labels.as_ref(),
            places.preview.as_ref(),
        ];
        for folder in files.into_iter().flatten().filter_map(|file| file.parent()) {
            atomic::make_folder(folder)?;
        }
        Ok(())
    }

    fn places(&self, case: &str) -> Option<Places> {
        let folder = self.options.folder.as_ref()?;
        let task = self.pair.name();
        let named = |ending: &str| folder.join(task).join(format!("{case}.{ending}"));
        Some(Places {
            record: folder.join("cases").join(task).join(format!("{case}.json")),
            labels: self.options.save_labels.then(|| named("nii.gz")),
            preview: self.options.previews.then(|| named("png")),
        })
    }

    /// Evaluates a case, unless a record of it is there with all files that are asked for.
    pub(super) fn run(
        &self,
        case: &Case,
        engine: &mut dyn Engine,
        progress: &mut dyn FnMut(Progress<'_>),
    ) -> anyhow::Result<Outcome> {
        let places = self.places(&case.name);
        let key = record::key(
            self.model.manifest(),
            engine.name(),
            self.pair,
            case,
            self.options,
        )?;
        if let Some(places) = &places
            && let Some(record) = Record::read(&places.record, &key)
        {
            match record.score {
                None => return Ok(Outcome::Dropped),
                Some(score) if places.are_there() => {
                    return Ok(Outcome::Scored { score, kept: true });
                }
                Some(_) => {}
            }
        }
        let score = self.measure(case, engine, places.as_ref(), progress)?;
        if let Some(places) = places {
            Record::write(&places.record, key, score.clone())?;
        }
        Ok(match score {
            Some(score) => Outcome::Scored { score, kept: false },
            None => Outcome::Dropped,
        })
    }

    /// Predicts and compares; nothing if the case is to be left out.
    fn measure(
        &self,
        case: &Case,
        engine: &mut dyn Engine,
        places: Option<&Places>,
        progress: &mut dyn FnMut(Progress<'_>),
    ) -> anyhow::Result<Option<CaseScore>> {
        let files = match &case.images {
            CaseImages::Separate(files) => files.first(),
            CaseImages::Stacked(file) => Some(file),
        };
        let file: &Path = files.map_or(&case.labels, |file| file);
        progress(Progress::Reading(file));
        let LoadedCase { channels, labels } = self.pair.data.load(case)?;
        if labels.iter().all(|label| *label == 0) {
            match self.pair.data.task.empty_labels {
                EmptyLabels::Keep => {}
                EmptyLabels::Drop => return Ok(None),
                EmptyLabels::Refuse => bail!(
                    "{} has none of the task's labels: if that is right, write \
                     empty_labels = \"keep\" into the tasks file",
                    case.labels.display()
                ),
            }
        }
        let names = vec![file.to_path_buf(); channels.len()];
        let mut images = Images::from_volumes(&names, channels)?;
        let task = &self.pair.task;
        let window = &self.options.window;
        let found = images.segment(self.model, engine, task, window, progress)?;
        let geometry = *images.geometry();
        ensure!(
            labels.dim() == found.labels.dim(),
            "the labels of {} are not on the image's grid",
            case.labels.display()
        );
        let (truth, prediction) = (labels.view(), found.labels.view());
        let score = CaseScore {
            case: case.name.clone(),
            labels: self.compare(truth, prediction, geometry.spacing),
        };
        if let Some(path) = places.and_then(|places| places.labels.as_ref()) {
            write_labels(path, &found.labels, images.header())?;
        }
        if let Some(path) = places.and_then(|places| places.preview.as_ref()) {
            let picture = preview::pair(&images.image(), task, truth, prediction)?;
            atomic::write(path, &picture)?;
        }
        Ok(Some(score))
    }

    fn compare(
        &self,
        truth: ArrayView3<'_, u16>,
        prediction: ArrayView3<'_, u16>,
        spacing: SpacingMm,
    ) -> Vec<CaseLabel> {
        let count = self.pair.task.labels.len();
        let voxels = [truth, prediction].map(|map| label_counts(map, count));
        let counts = voxels[0].iter().zip(&voxels[1]).zip(0..).skip(1);
        let ml = |voxels: u64| voxels as f64 * spacing.voxel_ml();
        counts
            .map(|((&truth_voxels, &predicted_voxels), label)| CaseLabel {
                label,
                measures: Agreement::measure(
                    truth,
                    prediction,
                    label,
                    spacing,
                    self.options.tolerance_mm,
                )
                .into(),
                truth_voxels,
                predicted_voxels,
                truth_ml: ml(truth_voxels),
                predicted_ml: ml(predicted_voxels),
            })
            .collect()
    }
}

impl Places {
    /// Whether the files that are asked for beside the record exist.
    fn are_there(&self) -> bool {
        let files = [&self.labels, &self.preview].into_iter().flatten();
        files.into_iter().all(|file| file.is_file())
    }
}
