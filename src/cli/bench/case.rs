//! `uniseg bench case`: where the time of a whole case goes, and how it grows.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use clap::Args;
use serde::Serialize;
use uniseg_imaging::ndarray::{Array3, Axis, concatenate};
use uniseg_imaging::{Extent, Geometry, Volume, read_nifti};
use uniseg_onnx::Task;
use uniseg_runtime::{
    CancelToken, Case, FirstLook, Model, Peak, Pieces, Predictor, Request, WindowOptions,
    group_tasks, measure_peak, peak_memory_bytes, select_tasks, write_labels,
};

use super::super::{EngineArgs, EngineName, LookName, Outcome, task_names};
use crate::report;

/// Measure a whole case: read, preprocess, network, restore, write; peak memory
///
/// Nothing is kept. Every window is run unless --skip or --fast is given. Speed is also told as a
/// share of the peak: how fast the same engine, with the same threads, convolves.
#[derive(Args)]
pub(super) struct BenchCase {
    /// The artefact, or either file of a pair
    model: PathBuf,
    /// NIfTI files, one for each channel of the task
    #[arg(required = true)]
    images: Vec<PathBuf>,
    /// Task by name, alias or id; several, as in liver,spleen, run together if their images are
    /// prepared alike
    #[arg(short, long, value_name = "NAME|ID")]
    task: String,
    /// Repeat with the volume laid end to end so many times along z, as in 1,2,4,8
    #[arg(
        long,
        value_name = "N,N,...",
        value_delimiter = ',',
        default_value = "1"
    )]
    growth: Vec<NonZeroUsize>,
    /// Distance of two windows as a fraction of the patch [default: the model's own]
    #[arg(long, value_name = "F")]
    step: Option<f64>,
    /// Average over all mirror views
    #[arg(long)]
    mirror: bool,
    /// Call windows of nothing but air background without running them
    #[arg(long)]
    skip: bool,
    /// Look everywhere first and run only windows in which something may be, as `segment` does
    #[arg(long, value_enum, value_name = "LOOK", num_args = 0..=1, require_equals = true, default_missing_value = "apart")]
    fast: Option<LookName>,
    /// Windows, or mirror views, in one call of the network, if the model takes more than one
    #[arg(long, value_name = "N", default_value = "1")]
    batch: NonZeroUsize,
    /// Most tasks that run on a window together [default: 8 of a pair; of one file 4 with openvino,
    /// else 1]
    #[arg(long, value_name = "N")]
    together: Option<NonZeroUsize>,
    /// Engine to compute with
    #[arg(long, value_enum, default_value = "auto")]
    engine: EngineName,
    #[command(flatten)]
    engine_args: EngineArgs,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// What was measured.
#[derive(Serialize)]
struct Measured {
    engine: String,
    task: String,
    gflop_per_window: f64,
    peak: Peak,
    cases: Vec<Row>,
}

/// One length of the volume; seconds and megabytes (10^6).
#[derive(Serialize)]
struct Row {
    growth: usize,
    voxels: usize,
    windows: usize,
    skipped: usize,
    /// Windows of a first look that were run, which are not among `windows`.
    looked: usize,
    read_s: f64,
    preprocess_s: f64,
    network_s: f64,
    /// Cutting windows, soft-max and sums.
    around_network_s: f64,
    /// Beside the network, in a thread of its own.
    restore_s: f64,
    /// What of it was left when the network was done.
    restore_wait_s: f64,
    write_s: f64,
    total_s: f64,
    /// Everything but the windows, as a share of the whole.
    pre_and_post_share: f64,
    windows_per_second: f64,
    /// Windows that were run, every mirrored view and those of a first look for themselves.
    views: f64,
    gflop_per_second: f64,
    /// Of the engine's own peak, see [`Peak`].
    share_of_peak: f64,
    peak_memory_mb: Option<u64>,
}

impl BenchCase {
    pub(super) fn run(&self) -> anyhow::Result<Outcome> {
        self.engine_args.limit_threads();
        self.engine_args.check_batch(self.batch)?;
        let files = Pieces::open(&self.model)?;
        let pieces = files.without_files();
        let model = pieces.model();
        let choice = select_tasks(model.manifest(), &self.task, self.images.len())?;
        let tasks: Vec<&Task> = choice.tasks.iter().collect();
        let engine = self.engine_args.options(self.engine.into());
        let together = pieces.together(self.together, pieces.planned_on(&engine)?);
        ensure!(
            group_tasks(&tasks, together).len() == 1,
            "tasks are measured together if they see the same image, at most {together} here \
             (--together): measure these one at a time"
        );
        let mut engines = files.open_engines(&engine, tasks.len())?;
        if let Some(note) = &engines.note {
            report::note(note);
        }
        let mut options = WindowOptions::of(model.manifest());
        options.step = self.step.unwrap_or(options.step);
        options.mirror |= self.mirror;
        options.skip = self.skip;
        options.fast = self.fast.map(FirstLook::from);
        options.batch = self.batch;
        let flops = match pieces.encoder() {
            // It runs once, the decoder for each task.
            Some(encoder) => {
                encoder.footprint().flops + model.footprint().flops * tasks.len() as u64
            }
            None => model.footprint_of(tasks.len()).flops,
        };
        let mut measured = Measured {
            engine: engines.name().to_owned(),
            task: task_names(&tasks),
            gflop_per_window: flops as f64 / 1e9,
            peak: measure_peak(model, &engine)?,
            cases: Vec::new(),
        };
        for growth in &self.growth {
            let predictor = engines.predictor();
            let mut row = self.measure(model, predictor, &tasks, &options, growth.get())?;
            row.gflop_per_second = measured.gflop_per_window * row.views / row.network_s;
            row.share_of_peak = row.gflop_per_second / measured.peak.gflop_per_second;
            report::note(&format!(
                "x{growth}: {} windows, {:.1} s",
                row.windows, row.total_s
            ));
            measured.cases.push(row);
        }
        if self.json {
            report::result(&(serde_json::to_string(&measured)? + "\n"));
        } else {
            report::result(&table(&measured));
        }
        Ok(Outcome::Done)
    }

    fn measure(
        &self,
        model: &Model,
        predictor: &mut dyn Predictor,
        tasks: &[&Task],
        options: &WindowOptions,
        growth: usize,
    ) -> anyhow::Result<Row> {
        forget_peak();
        let begin = Instant::now();
        let volumes = self
            .images
            .iter()
            .map(|path| Ok(read_nifti(path)?.volume))
            .collect::<anyhow::Result<Vec<_>>>()?;
        let read = begin.elapsed();
        let volumes = volumes
            .into_iter()
            .map(|volume| end_to_end(volume, growth))
            .collect::<anyhow::Result<Vec<_>>>()?;
        let mut case = Case::from_volumes(&self.images, volumes)?;
        let request = Request {
            manifest: model.manifest(),
            tasks,
            options,
            cancel: &CancelToken::new(),
            probabilities: &[],
        };
        let progress = report::CaseProgress::new();
        let found = case.segment_together(predictor, request, &mut |step| progress.show(step))?;
        progress.finish();
        let folder = tempfile::tempdir().context("cannot make a temporary folder")?;
        let begin = Instant::now();
        for segmentation in &found.segmentations {
            write_labels(
                segmentation,
                case.header(),
                &folder.path().join("labels.nii.gz"),
            )?;
        }
        let write = begin.elapsed();
        let (timing, windows) = (found.timing, found.windows);
        let around = read + timing.preprocess + timing.restore_wait + write;
        let seconds = |duration: Duration| duration.as_secs_f64();
        let total = seconds(around + timing.windows);
        let run = windows.windows - windows.skipped;
        // A first look is not mirrored.
        let views = (run * options.views(model.manifest()) + windows.looked) as f64;
        Ok(Row {
            growth,
            voxels: case.geometry().extent.zyx().iter().product(),
            windows: windows.windows,
            skipped: windows.skipped,
            looked: windows.looked,
            read_s: seconds(read),
            preprocess_s: seconds(timing.preprocess),
            network_s: seconds(timing.network),
            around_network_s: seconds(timing.windows.saturating_sub(timing.network)),
            restore_s: seconds(timing.restore),
            restore_wait_s: seconds(timing.restore_wait),
            write_s: seconds(write),
            total_s: total,
            pre_and_post_share: seconds(around) / total,
            windows_per_second: (run + windows.looked) as f64 / seconds(timing.windows),
            views,
            // Filled in where the network's work and the peak are known.
            gflop_per_second: 0.0,
            share_of_peak: 0.0,
            peak_memory_mb: peak_memory_bytes().map(|bytes| bytes / 1_000_000),
        })
    }
}

/// The volume `times` times, one after another along z.
fn end_to_end(volume: Volume<f32>, times: usize) -> anyhow::Result<Volume<f32>> {
    if times == 1 {
        return Ok(volume);
    }
    let geometry = *volume.geometry();
    let [z, y, x] = geometry.extent.zyx();
    let voxels = volume.into_voxels();
    let copies = vec![voxels.view(); times];
    let voxels: Array3<f32> = concatenate(Axis(0), &copies)?;
    let extent = Extent::from_zyx([z * times, y, x]);
    Ok(Volume::new(voxels, Geometry { extent, ..geometry })?)
}

/// Starts a new peak, where the system lets a process do that (Linux); elsewhere, and where it is
/// not allowed, peaks are those since the start.
fn forget_peak() {
    let _ = std::fs::write("/proc/self/clear_refs", "5");
}

fn table(measured: &Measured) -> String {
    let heading = [
        "z",
        "windows",
        "skipped",
        "looked at",
        "read",
        "preprocess",
        "network",
        "around it",
        "restore",
        "left of it",
        "write",
        "total s",
        "pre+post",
        "windows/s",
        "GFLOP/s",
        "of peak",
        "peak MB",
    ];
    let rows = measured.cases.iter().map(|row| {
        let seconds = |value: f64| format!("{value:.2}");
        vec![
            format!("x{}", row.growth),
            row.windows.to_string(),
            row.skipped.to_string(),
            row.looked.to_string(),
            seconds(row.read_s),
            seconds(row.preprocess_s),
            seconds(row.network_s),
            seconds(row.around_network_s),
            seconds(row.restore_s),
            seconds(row.restore_wait_s),
            seconds(row.write_s),
            seconds(row.total_s),
            format!("{:.1} %", 100.0 * row.pre_and_post_share),
            format!("{:.3}", row.windows_per_second),
            format!("{:.1}", row.gflop_per_second),
            format!("{:.0} %", 100.0 * row.share_of_peak),
            row.peak_memory_mb
                .map_or("?".to_owned(), |mb| mb.to_string()),
        ]
    });
    let rows: Vec<Vec<String>> = std::iter::once(heading.map(str::to_owned).to_vec())
        .chain(rows)
        .collect();
    format!(
        "{} with {}, {:.1} GFLOP a window\nthe peak is {:.1} GFLOP/s: {}\n{}",
        measured.task,
        measured.engine,
        measured.gflop_per_window,
        measured.peak.gflop_per_second,
        measured.peak.of,
        report::table(&rows)
    )
}
