//! `export --precision`: measuring what a reduced precision needs and what it costs.

use std::str::FromStr;

use anyhow::{bail, ensure};
use clap::{Args, ValueEnum};
use uniseg::bridge::{self, BridgeError, Compiled, Request};
use uniseg::calibration::VolumeCalibrator;
use uniseg::samples::Source;
use uniseg_export::{Calibrator, Handover, Int8, Precision, Range};
use uniseg_onnx::Task;
use uniseg_runtime::{Accuracy, EngineOptions, Model, Pieces, Sample, accuracy};
use uniseg_train::Checkpoint;

use super::super::RunArgs;
use crate::report;

/// Of all work and weights, what int8 leaves in float unless another share is named.
const FLOAT_SHARE: f64 = 0.2;

/// In which numbers a model computes, and on what that is measured.
#[derive(Args)]
pub(super) struct PrecisionArgs {
    /// Numbers in which the model is stored and computes
    #[arg(long, value_enum, default_value = "f32", value_name = "P")]
    precision: PrecisionName,
    /// Images that int8 is calibrated on: a folder of cases, as in nnU-Net's imagesTr, or one
    /// file; TASK as `segment` takes it, `all` if left out; may be repeated
    #[arg(long, value_name = "[TASK=]DIR")]
    calibrate: Vec<Source>,
    /// Windows of each --calibrate and --check
    #[arg(long, value_name = "N", default_value_t = 16, value_parser = clap::value_parser!(u32).range(1..))]
    calibrate_windows: u32,
    /// How int8 finds the range of an activation
    #[arg(long, value_enum, default_value = "min-max", value_name = "R")]
    calibrate_range: RangeName,
    /// How much of the work and of the weights int8 may leave in float, 0 to 1. Each layer is
    /// tried in bytes alone, and those that disturb the result most for what they cost stay in
    /// float until the share is used up. It takes one to four windows for each layer:
    /// minutes for a large network. 0 tries nothing
    /// [default: 0.2]
    #[arg(long, value_name = "S")]
    float_share: Option<Share>,
    /// Images to compare the result with f32 on, besides those of --calibrate
    #[arg(long, value_name = "[TASK=]PATH")]
    check: Vec<Source>,
    #[command(flatten)]
    engine: RunArgs,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum PrecisionName {
    /// As trained
    F32,
    /// Half of the file; norms and logits in f32
    F16,
    /// As f16 with f32's range, for accelerators: ONNX Runtime's CPU has no bf16 convolution
    Bf16,
    /// A quarter of the file; needs --calibrate
    Int8,
}

#[derive(Clone, Copy, ValueEnum)]
enum RangeName {
    /// All values seen: a small organ's few strong voxels are not cut away
    MinMax,
    /// 99.99 % of the values seen
    Percentile,
    /// Least mean squared error
    LeastError,
}

/// A number from 0 to 1.
#[derive(Clone, Copy)]
struct Share(f64);

impl FromStr for Share {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.parse() {
            Ok(share) if (0.0..=1.0).contains(&share) => Ok(Self(share)),
            _ => Err("a number from 0 to 1 is needed".to_owned()),
        }
    }
}

/// In how many files a network is written.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// In one.
    Whole,
    /// In an encoder and a decoder.
    Pair,
}

impl Form {
    /// The one file, or encoder and decoder; the calibrators are those of the encoder and of the
    /// rest, or of all.
    fn compile(
        self,
        checkpoint: &Checkpoint,
        request: &Request,
        calibrators: [Option<&mut dyn Calibrator>; 2],
    ) -> Result<Vec<Compiled>, BridgeError> {
        Ok(match (self, calibrators) {
            (Self::Whole, [_, all]) => {
                vec![bridge::compile_calibrated(checkpoint, request, all)?]
            }
            (Self::Pair, each) => {
                let pair = bridge::compile_calibrated_pair(checkpoint, request, each)?;
                vec![pair.encoder, pair.decoder]
            }
        })
    }
}

/// What was compiled, ready to run.
fn pieces(compiled: &[Compiled]) -> anyhow::Result<Pieces> {
    let model = |compiled: &Compiled| Model::from(compiled.artefact.clone());
    match compiled {
        [whole] => Ok(Pieces::of(model(whole), None)),
        [encoder, decoder] => Ok(Pieces::of(model(decoder), Some(model(encoder)))),
        _ => bail!("a network is compiled to one or two files"),
    }
}

impl PrecisionArgs {
    /// Compiles the checkpoint; says what the precision costs if there are images to tell.
    pub(super) fn compile(
        &self,
        checkpoint: &Checkpoint,
        request: &Request,
        form: Form,
    ) -> anyhow::Result<Vec<Compiled>> {
        let precision = request.precision;
        ensure!(
            !matches!(precision, Precision::Int8(_)) || !self.calibrate.is_empty(),
            "int8 needs images to measure activations on: give a folder with --calibrate"
        );
        ensure!(
            matches!(precision, Precision::Int8(_)) || self.float_share.is_none(),
            "--float-share is for int8: what stays in float is no choice in {precision}"
        );
        if self.calibrate.is_empty() && self.check.is_empty() {
            return Ok(form.compile(checkpoint, request, [None, None])?);
        }
        let at_full = Request {
            precision: Precision::F32,
            features: Handover::default(),
            ..request.clone()
        };
        let reference = form.compile(checkpoint, &at_full, [None, None])?;
        self.engine.limit_threads();
        let full = pieces(&reference)?;
        let calibrate = self.samples(full.model(), &self.calibrate)?;
        let check = self.samples(full.model(), &self.check)?;
        if matches!(precision, Precision::Int8(_)) {
            warn_of_uncalibrated(&full.model().manifest().tasks, &calibrate);
        }
        // What it is compared with is f32, whatever `tune` found fastest for that network.
        let at_full_precision = EngineOptions {
            precision: uniseg_runtime::Precision::F32,
            ..self.engine.options()
        };
        let compiled = match precision {
            Precision::F32 if request.features == at_full.features => reference,
            Precision::F32 => form.compile(checkpoint, request, [None, None])?,
            _ => {
                let steps = report::Steps::new();
                let tell = move |what: &str, done, all| steps.show(what, done, all);
                let calibrator = |encoder| {
                    VolumeCalibrator::new(&full, encoder, &calibrate, at_full_precision.clone())
                        .telling(&tell)
                };
                let [mut first, mut last] = [calibrator(true), calibrator(false)];
                form.compile(checkpoint, request, [Some(&mut first), Some(&mut last)])?
            }
        };
        let samples: Vec<Sample> = calibrate.into_iter().chain(check).collect();
        let reduced = pieces(&compiled)?;
        let mut ours = reduced.open_engines(&self.engine.options(), 1)?;
        let manifest = full.model().manifest().clone();
        let mut theirs = full.open_engines(&at_full_precision, 1)?;
        let name = theirs.name().to_owned();
        let rows = accuracy(&manifest, theirs.predictor(), ours.predictor(), &samples)?;
        report::result(&format!(
            "{precision} against f32, {name}\n{}",
            table(&rows)
        ));
        Ok(compiled)
    }

    pub(super) fn precision(&self) -> Precision {
        match self.precision {
            PrecisionName::F32 => Precision::F32,
            PrecisionName::F16 => Precision::F16,
            PrecisionName::Bf16 => Precision::BF16,
            PrecisionName::Int8 => Precision::Int8(Int8 {
                range: match self.calibrate_range {
                    RangeName::MinMax => Range::MinMax,
                    RangeName::Percentile => Range::Percentile(99.99),
                    RangeName::LeastError => Range::LeastError,
                },
                float_share: self.float_share.map_or(FLOAT_SHARE, |share| share.0),
            }),
        }
    }

    fn samples(&self, model: &Model, sources: &[Source]) -> anyhow::Result<Vec<Sample>> {
        let windows = self.calibrate_windows as usize;
        let mut samples = Vec::new();
        for source in sources {
            samples.extend(source.samples(model.manifest(), windows, &mut report::note)?);
        }
        Ok(samples)
    }
}

/// Names the tasks whose modalities are not among the samples.
fn warn_of_uncalibrated(tasks: &[Task], samples: &[Sample]) {
    let blind: Vec<&str> = tasks
        .iter()
        .filter(|task| {
            let mut seen = samples.iter().map(|sample| &sample.task);
            !seen.any(|seen| seen.modalities().eq(task.modalities()))
        })
        .map(|task| task.name.as_str())
        .collect();
    if !blind.is_empty() {
        report::note(&format!(
            "warning: no --calibrate image is like those of {}: where their activations are larger \
             they will be cut off. Give such images too, or leave these tasks out (--task, \
             --modality)",
            blind.join(", ")
        ));
    }
}

fn table(rows: &[Accuracy]) -> String {
    let heading = [
        "task",
        "windows",
        "max abs",
        "mean abs",
        "same label",
        "Dice",
        "seconds",
    ];
    let rows = rows.iter().map(|row| {
        let dice: Vec<String> = row
            .labels
            .iter()
            .map(|label| format!("{} {:.4}", label.name, label.dice))
            .collect();
        let [full, ours] = row.seconds;
        vec![
            row.task.clone(),
            row.windows.to_string(),
            format!("{:.2e}", row.max_abs),
            format!("{:.2e}", row.mean_abs),
            format!("{:.3} %", 100.0 * row.agreement),
            dice.join(", "),
            format!("{full:.3} and {ours:.3}"),
        ]
    });
    let rows: Vec<_> = std::iter::once(heading.map(str::to_owned).to_vec())
        .chain(rows)
        .collect();
    report::table(&rows)
}
