//! What can be typed. Each command's work is in its own file.

mod bench;
#[cfg(feature = "train")]
mod demo;
mod doctor;
#[cfg(feature = "train")]
mod evaluate;
#[cfg(feature = "train")]
mod export;
#[cfg(feature = "train")]
mod finetune;
#[cfg(feature = "train")]
mod import;
mod inspect;
mod phantom;
#[cfg(feature = "train")]
mod plan;
#[cfg(feature = "train")]
mod preprocess;
mod runtime;
mod segment;
#[cfg(feature = "train")]
mod tables;
#[cfg(feature = "train")]
mod train;
mod tune;
mod verify;

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use anyhow::ensure;
use clap::{Args, Parser, Subcommand, ValueEnum};
use uniseg_onnx::Task;
use uniseg_runtime::{
    ConvSearch, CudaOptions, Device, EngineKind, EngineOptions, FirstLook, Precision,
};

/// One 3-D medical segmentation model for many tasks, in one self-describing ONNX file.
///
/// Not a medical device: for research, never for diagnosis or treatment.
#[derive(Parser)]
#[command(
    version,
    after_help = "Exit codes: 0 done, 1 a check, or some of many cases or tasks, failed, 2 could not run (a device that \
    was named and is not there included), 130 stopped by Ctrl-C, 143 by \
    SIGTERM.\n\
    Try `uniseg demo` first: it trains a small model on synthetic patients and shows what it does."
)]
pub(crate) struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Phantom(phantom::Phantom),
    #[cfg(feature = "train")]
    Plan(plan::Plan),
    #[cfg(feature = "train")]
    Preprocess(preprocess::Preprocess),
    #[cfg(feature = "train")]
    Train(train::Train),
    #[cfg(feature = "train")]
    Finetune(finetune::Finetune),
    #[cfg(feature = "train")]
    Evaluate(evaluate::Evaluate),
    #[cfg(feature = "train")]
    Import(import::Import),
    #[cfg(feature = "train")]
    Export(export::Export),
    Inspect(inspect::Inspect),
    Verify(verify::Verify),
    Segment(segment::Segment),
    Tune(tune::Tune),
    Doctor(doctor::Doctor),
    Runtime(runtime::Runtime),
    Bench(bench::Bench),
    #[cfg(feature = "train")]
    Demo(demo::Demo),
}

/// How a command ended, if it could run at all.
#[derive(PartialEq, Eq)]
pub(crate) enum Outcome {
    Done,
    CheckFailed,
}

/// Names of tasks, for messages.
fn task_names(tasks: &[&Task]) -> String {
    let names: Vec<&str> = tasks.iter().map(|task| task.name.as_str()).collect();
    names.join(", ")
}

/// Refuses an output into a folder that is not there, before any work.
fn check_folder_of(output: &Path) -> anyhow::Result<()> {
    let folder = output.parent().unwrap_or(Path::new(""));
    ensure!(
        folder.as_os_str().is_empty() || folder.is_dir(),
        "the folder {} of the output does not exist: create it",
        folder.display()
    );
    Ok(())
}

pub(crate) fn run(cli: Cli) -> anyhow::Result<Outcome> {
    match cli.command {
        Command::Phantom(command) => phantom::run(command),
        #[cfg(feature = "train")]
        Command::Plan(command) => plan::run(command),
        #[cfg(feature = "train")]
        Command::Preprocess(command) => preprocess::run(command),
        #[cfg(feature = "train")]
        Command::Train(command) => train::run(command),
        #[cfg(feature = "train")]
        Command::Finetune(command) => finetune::run(command),
        #[cfg(feature = "train")]
        Command::Evaluate(command) => evaluate::run(command),
        #[cfg(feature = "train")]
        Command::Import(command) => import::run(command),
        #[cfg(feature = "train")]
        Command::Export(command) => export::run(command),
        Command::Inspect(command) => inspect::run(command),
        Command::Verify(command) => verify::run(command),
        Command::Segment(command) => segment::run(command),
        Command::Tune(command) => tune::run(command),
        Command::Doctor(command) => doctor::run(command),
        Command::Runtime(command) => runtime::run(command),
        Command::Bench(command) => bench::run(command),
        #[cfg(feature = "train")]
        Command::Demo(command) => demo::run(command),
    }
}

/// What every command that runs a network asks.
#[derive(Args)]
struct RunArgs {
    /// Threads for one forward pass [default: all cores this process may use]
    #[arg(long, value_name = "N")]
    threads: Option<NonZeroUsize>,
    /// ONNX Runtime's library, before ORT_DYLIB_PATH, the cache, Python wheels and the system
    #[arg(long, value_name = "FILE")]
    ort_lib: Option<PathBuf>,
}

/// What several commands ask about engines.
#[derive(Args)]
struct EngineArgs {
    #[command(flatten)]
    run: RunArgs,
    /// auto, cpu, openvino, cuda, cuda:1, tensorrt, tensorrt:1. auto: what `uniseg tune` found
    /// fastest, else cpu (openvino if the library found has it); all others are used or fail
    #[arg(
        long,
        default_value = "auto",
        value_name = "NAME",
        hide_default_value = true
    )]
    device: Device,
    /// auto, f32, tf32, bf16, f16, int8. auto: the artefact's own, or the fastest that `uniseg tune`
    /// found close enough. Of an f32 artefact tf32 (TensorFloat-32: 10 bits of mantissa) needs cuda or
    /// tensorrt, which takes it for f32 unless NVIDIA_TF32_OVERRIDE is 0; bf16 openvino or tensorrt,
    /// f16 tensorrt; int8 needs an int8 artefact
    #[arg(
        long,
        default_value = "auto",
        value_name = "NAME",
        hide_default_value = true
    )]
    precision: Precision,
    /// CUDA: how cuDNN's convolutions are picked, heuristic, exhaustive or default
    #[arg(long, value_name = "NAME")]
    conv_search: Option<ConvSearch>,
    /// CUDA, TensorRT: record a window's launches once and replay them [default: as tuned, else no]
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    cuda_graph: Option<bool>,
    /// CUDA: normalise with a kernel of uniseg's own instead of ONNX Runtime's, in half precision
    /// and TensorFloat-32 with channels last [default: as tuned, else no]
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    own_norm: Option<bool>,
    /// CUDA, TensorRT: average overlapping windows on the GPU, so that only finished planes cross to
    /// the host; without it a thread of the host does, beside the GPU
    #[arg(long)]
    device_sums: bool,
}

impl RunArgs {
    /// Keeps resampling and averaging to `--threads` as well; to be called before any work.
    fn limit_threads(&self) {
        if let Some(threads) = self.threads {
            uniseg_runtime::limit_threads(threads);
        }
    }

    /// The engine that is there, on the CPU.
    #[cfg(feature = "train")]
    fn options(&self) -> EngineOptions {
        EngineOptions {
            threads: self.threads,
            ort_lib: self.ort_lib.clone(),
            ..EngineOptions::default()
        }
    }
}

impl EngineArgs {
    /// Keeps resampling and averaging to `--threads` as well; to be called before any work.
    fn limit_threads(&self) {
        self.run.limit_threads();
    }

    /// Refuses calls of up to `batch` windows where each is a recording's replay, which takes always
    /// as many as were recorded.
    fn check_batch(&self, batch: NonZeroUsize) -> anyhow::Result<()> {
        ensure!(
            batch.get() == 1 || self.cuda_graph != Some(true),
            "--cuda-graph records the launches of one window: leave out --batch {batch}"
        );
        Ok(())
    }

    fn options(&self, kind: EngineKind) -> EngineOptions {
        EngineOptions {
            kind,
            threads: self.run.threads,
            ort_lib: self.run.ort_lib.clone(),
            device: self.device,
            precision: self.precision,
            cuda: CudaOptions {
                conv_search: self.conv_search,
                graph: self.cuda_graph,
                own_norm: self.own_norm,
                device_sums: self.device_sums,
                ..CudaOptions::default()
            },
            ..EngineOptions::default()
        }
    }
}

#[derive(Clone, Copy, ValueEnum)]
enum EngineName {
    /// ONNX Runtime if it is found, else tract
    Auto,
    /// ONNX Runtime
    Ort,
    /// tract, built in, slower
    Tract,
}

/// How `--fast` looks for foreground first.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum LookName {
    /// At full resolution, with windows that overlap as little as they can
    Apart,
    /// The same at half the resolution: faster, and misses more
    Half,
}

impl From<LookName> for FirstLook {
    fn from(name: LookName) -> Self {
        match name {
            LookName::Apart => Self::Apart,
            LookName::Half => Self::Half,
        }
    }
}

impl From<EngineName> for EngineKind {
    fn from(name: EngineName) -> Self {
        match name {
            EngineName::Auto => Self::Auto,
            EngineName::Ort => Self::Ort,
            EngineName::Tract => Self::Tract,
        }
    }
}
