use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, ensure};
use clap::Args;
use serde::Serialize;
use uniseg::samples::Source;
use uniseg_onnx::Task;
use uniseg_runtime::{
    Device, Flavour, LeastLabel, Machine, OrtLibrary, Pieces, Precision, Sample, Tried,
    TuneOptions, Tunings, cache_folder, find_ort, list_ort, thread_count, tune,
};

use super::{Outcome, task_names};
use crate::{child, report};

/// Find what computes a model fastest on this machine, and remember it
///
/// Tries every device, precision and number of threads with every ONNX Runtime that is found, on
/// CUDA also every search of convolutions, CUDA graphs and our own normalisation:
/// opens the model, compares some windows with the cpu's result, and times one of them. The fastest
/// that passed, in this run or in an earlier one that tried something else, is what `--device auto`
/// and `--precision auto` take from then on, for this model on this machine. Exit code 1 if nothing
/// passes.
///
/// With --image, windows are those of images, and every label that is found in them has to have a
/// Dice of 0.999 with the cpu's in f32, of 0.99 in tf32, bf16, f16 and int8, or to differ in no more
/// voxels than a label of 500 voxels may: 1, and 10. In f32 logits have to agree within 1e-3 of the
/// largest, too. Whole cases come out closer, since they average windows.
///
/// Without, it is one random window, which is harder: most voxels are near-ties. f32 passes if
/// logits agree within 1e-3 of the largest and labels in 99.9 % of the voxels; the others if
/// logits agree within 0.1 and labels in 99.5 %.
///
/// Quiet the machine before: what else runs is measured too.
#[derive(Args)]
pub(crate) struct Tune {
    /// The artefact; of a pair either half, the other one lies beside it
    model: PathBuf,
    /// Devices to try, as in cpu,openvino,cuda:1 [default: all]
    #[arg(long, value_delimiter = ',', value_name = "NAMES")]
    device: Vec<Device>,
    /// Precisions to try, as in f32,bf16 [default: the model's own, bf16, tf32 on CUDA and TensorRT,
    /// and f16 on TensorRT]
    #[arg(long, value_delimiter = ',', value_name = "NAMES")]
    precision: Vec<Precision>,
    /// Numbers of threads to try [default: all cores, and half of them if they are four or more]
    #[arg(long, value_delimiter = ',', value_name = "N,...")]
    threads: Vec<NonZeroUsize>,
    /// How often a window is run and timed, once it was compared
    #[arg(long, default_value = "3", value_name = "N")]
    repeats: NonZeroUsize,
    /// The only ONNX Runtime to try [default: the first found of each kind]
    #[arg(long, value_name = "FILE")]
    ort_lib: Option<PathBuf>,
    /// Images to compare on: one file, or a folder of cases, as in nnU-Net's imagesTs; TASK as
    /// `segment` takes it, `all` if left out; may be repeated
    #[arg(long, value_name = "[TASK=]PATH")]
    image: Vec<Source>,
    /// Windows of each --image, spread over its cases and tasks: with fewer than there are tasks,
    /// some tasks are not compared
    #[arg(long, default_value = "4", value_name = "N", requires = "image")]
    windows: NonZeroUsize,
    /// Seed of the random window
    #[arg(long, default_value_t = 0, value_name = "N", conflicts_with = "image")]
    seed: u64,
    /// Remember nothing
    #[arg(long)]
    dry_run: bool,
    /// Print everything as one JSON object
    #[arg(long)]
    json: bool,
    /// This process was started by another one, and ends with it
    #[arg(long, hide = true)]
    child: bool,
}

/// What `--json` prints.
#[derive(Serialize)]
struct Report {
    model: PathBuf,
    weights_sha256: String,
    machine: Machine,
    tried: Vec<Tried>,
    fastest: Option<Tried>,
    remembered_in: Option<PathBuf>,
}

pub(super) fn run(command: Tune) -> anyhow::Result<Outcome> {
    ensure!(
        !command.device.contains(&Device::Auto) && !command.precision.contains(&Precision::Auto),
        "auto is what this command finds out: name devices and precisions, or none for all"
    );
    if command.child {
        child::end_with_parent();
    }
    // A half that lacks its other one, and images that are not there, fail here, before anything is
    // started.
    let pieces = Pieces::open(&command.model)?;
    for source in &command.image {
        source.check(pieces.model().manifest())?;
    }
    let machine = Machine::this();
    let tried = command.tried(&pieces)?;
    let fastest = tried
        .iter()
        .filter(|row| row.tuned().is_some())
        .min_by(|a, b| time(a).total_cmp(&time(b)))
        .cloned();
    let mut remembered_in = None;
    if let Some(cache) = cache_folder().filter(|_| !command.dry_run && fastest.is_some()) {
        let tunings = Tunings::in_cache(&cache);
        for digest in pieces.digests() {
            // What was not tried this time stays.
            let (mut rows, _) = tunings.recall(digest, &machine);
            rows.retain(|known| !tried.iter().any(|now| now.is_of(known)));
            rows.extend(tried.iter().filter_map(Tried::tuned));
            let path = tunings.remember(digest, &machine, rows)?;
            remembered_in.get_or_insert(path);
        }
    }
    let refused = |row: &Tried| row.failure.is_some() && row.flipped.is_some();
    if command.image.is_empty() && !command.child && tried.iter().any(refused) {
        report::note(
            "a random window is harder than an image: --image compares on windows of real ones",
        );
    }
    let outcome = match &fastest {
        Some(row) => {
            report::note(&format!("fastest: {} in {}", row.device, row.precision));
            Outcome::Done
        }
        None => {
            report::note("nothing passes");
            Outcome::CheckFailed
        }
    };
    if command.json {
        let report = Report {
            model: command.model.clone(),
            weights_sha256: pieces.model().manifest().weights_sha256.clone(),
            machine,
            tried,
            fastest,
            remembered_in,
        };
        report::result(&(serde_json::to_string(&report)? + "\n"));
    } else {
        report::result(&report::table(&rows(&tried)));
        if let Some(path) = remembered_in {
            report::note(&format!("remembered in {}", path.display()));
        }
    }
    Ok(outcome)
}

fn time(row: &Tried) -> f64 {
    row.median_ms.unwrap_or(f64::INFINITY)
}

impl Tune {
    /// Tries one library in this process; several in a process each, since a process can load one.
    fn tried(&self, pieces: &Pieces) -> anyhow::Result<Vec<Tried>> {
        let named = find_ort(self.ort_lib.as_deref())?;
        if let (Some(library), true) = (named, self.ort_lib.is_some()) {
            return self.in_this_process(pieces, &library);
        }
        let mut libraries: Vec<OrtLibrary> = Vec::new();
        for candidate in list_ort(None)? {
            let flavour = candidate.library.flavour();
            let new = libraries.iter().all(|known| known.flavour() != flavour);
            if candidate.problem.is_none() && new {
                libraries.push(candidate.library);
            }
        }
        ensure!(
            !libraries.is_empty(),
            "no ONNX Runtime is found: `uniseg runtime install` fetches one"
        );
        for flavour in [Flavour::OpenVino, Flavour::Cuda] {
            if libraries.iter().all(|library| library.flavour() != flavour) {
                report::note(&format!(
                    "{flavour} is not tried: `{}` installs its library",
                    flavour.install_command()
                ));
            }
        }
        if let [library] = &libraries[..] {
            return self.in_this_process(pieces, library);
        }
        let mut tried = Vec::new();
        let mut failed = 0;
        for library in &libraries {
            match self.in_another_process(library) {
                Ok(rows) => tried.extend(rows),
                // One bad library does not spoil the others.
                Err(error) => {
                    report::error(&error);
                    failed += 1;
                }
            }
        }
        ensure!(
            failed < libraries.len(),
            "none of the {failed} libraries could be tried"
        );
        Ok(tried)
    }

    fn in_this_process(&self, pieces: &Pieces, library: &OrtLibrary) -> anyhow::Result<Vec<Tried>> {
        let mut samples = Vec::new();
        for source in &self.image {
            let manifest = pieces.model().manifest();
            samples.extend(source.samples(manifest, self.windows.get(), &mut report::note)?);
        }
        if !samples.is_empty() {
            report::note(&compared(&pieces.model().manifest().tasks, &samples));
        }
        let devices = self.devices(library.flavour()).into_iter();
        let options = TuneOptions {
            library: library.path().to_owned(),
            on: devices
                .map(|device| (device, self.precisions(device, pieces)))
                .collect(),
            threads: self.thread_counts(),
            repeats: self.repeats,
            samples,
            seed: self.seed,
        };
        Ok(tune(pieces, &options, &mut |row| report::note(&line(row)))?)
    }

    fn in_another_process(&self, library: &OrtLibrary) -> anyhow::Result<Vec<Tried>> {
        let list = |items: Vec<String>| items.join(",");
        let mut command = Command::new(std::env::current_exe()?);
        command.arg("tune").arg(&self.model);
        command
            .args(["--child", "--dry-run", "--json", "--ort-lib"])
            .arg(library.path());
        command.args(["--repeats", &self.repeats.to_string()]);
        if self.image.is_empty() {
            command.args(["--seed", &self.seed.to_string()]);
        } else {
            command.args(["--windows", &self.windows.to_string()]);
        }
        for image in &self.image {
            command.args(["--image", &image.to_string()]);
        }
        let threads = self.thread_counts().iter().map(|n| n.to_string()).collect();
        command.args(["--threads", &list(threads)]);
        let devices = self.devices(library.flavour());
        if devices.is_empty() {
            return Ok(Vec::new());
        }
        let devices = devices.iter().map(Device::to_string).collect();
        command.args(["--device", &list(devices)]);
        if !self.precision.is_empty() {
            let names = self.precision.iter().map(Precision::to_string).collect();
            command.args(["--precision", &list(names)]);
        }
        let output = child::output(command.stderr(Stdio::inherit()))
            .context("cannot start this program a second time")?;
        #[derive(serde::Deserialize)]
        struct Answer {
            tried: Vec<Tried>,
        }
        let answer: Answer = serde_json::from_slice(&output.stdout).with_context(|| {
            format!(
                "trying {} ended with {} and no result",
                library.path().display(),
                output.status
            )
        })?;
        Ok(answer.tried)
    }

    /// What a library of this flavour is tried on.
    fn devices(&self, flavour: Flavour) -> Vec<Device> {
        if self.ort_lib.is_some() && !self.device.is_empty() {
            return self.device.clone();
        }
        let all = match flavour {
            Flavour::Cpu => vec![Device::Cpu],
            Flavour::OpenVino => vec![Device::Cpu, Device::OpenVino],
            Flavour::Cuda => vec![Device::Cpu, Device::Cuda(0), Device::TensorRt(0)],
        };
        if self.device.is_empty() {
            return all;
        }
        let fits = |device: &&Device| **device == Device::Cpu || device.flavour() == flavour;
        self.device.iter().filter(fits).copied().collect()
    }

    fn precisions(&self, device: Device, pieces: &Pieces) -> Vec<Precision> {
        if !self.precision.is_empty() {
            return self.precision.clone();
        }
        let stored = pieces.model().stored_precision();
        let mut precisions = vec![stored];
        match (device, stored) {
            (Device::OpenVino, Precision::F32 | Precision::Int8) => {
                precisions.push(Precision::Bf16);
            }
            (Device::Cuda(_), Precision::F32) => precisions.push(Precision::Tf32),
            (Device::TensorRt(_), Precision::F32) => {
                precisions.extend([Precision::Tf32, Precision::F16, Precision::Bf16]);
            }
            _ => {}
        }
        precisions
    }

    fn thread_counts(&self) -> Vec<NonZeroUsize> {
        if !self.threads.is_empty() {
            return self.threads.clone();
        }
        let all = thread_count(None);
        // Two hardware threads of a core often compute no faster than one.
        let half = (all >= 4).then_some(all / 2);
        std::iter::once(all)
            .chain(half)
            .filter_map(NonZeroUsize::new)
            .collect()
    }
}

/// Of what windows are, and of what there are none.
fn compared(tasks: &[Task], samples: &[Sample]) -> String {
    let seen = |task: &&Task| samples.iter().any(|sample| sample.task.id == task.id);
    let (seen, unseen): (Vec<&Task>, Vec<&Task>) = tasks.iter().partition(seen);
    let windows = samples.len();
    let said = format!("comparing {windows} window(s) of {}", task_names(&seen));
    match unseen.is_empty() {
        true => said,
        false => format!("{said}; not of {}", task_names(&unseen)),
    }
}

fn line(row: &Tried) -> String {
    let mut what = format!("{} {} {} thread(s)", row.device, row.precision, row.threads);
    if let Some(how) = row.on_cuda() {
        what += &format!(", {how}");
    }
    match (&row.failure, row.median_ms) {
        (Some(failure), _) => format!("{what}: {failure}"),
        (None, Some(ms)) => format!("{what}: {ms:.0} ms"),
        (None, None) => what,
    }
}

fn rows(tried: &[Tried]) -> Vec<Vec<String>> {
    let heading = [
        "device",
        "precision",
        "threads",
        "on cuda",
        "open s",
        "window ms",
        "max rel",
        "flipped",
        "least Dice (voxels that differ)",
        "engine, or why not",
    ];
    let number = |value: Option<f64>, text: fn(f64) -> String| value.map_or("-".into(), text);
    let row = |row: &Tried| {
        let library = name(&row.library);
        vec![
            row.device.to_string(),
            row.precision.to_string(),
            row.threads.to_string(),
            row.on_cuda().unwrap_or_else(|| "-".to_owned()),
            number(row.open_s, |s| format!("{s:.1}")),
            number(row.median_ms, |ms| format!("{ms:.0}")),
            number(row.max_rel, |rel| format!("{rel:.1e}")),
            number(row.flipped, |share| format!("{:.3} %", 100.0 * share)),
            row.least.as_ref().map_or("-".to_owned(), |least| {
                let LeastLabel {
                    dice,
                    label,
                    differing,
                    ..
                } = least;
                format!("{dice:.4} {label} ({differing})")
            }),
            row.failure
                .clone()
                .unwrap_or_else(|| row.engine.clone().unwrap_or(library)),
        ]
    };
    std::iter::once(heading.map(str::to_owned).to_vec())
        .chain(tried.iter().map(row))
        .collect()
}

fn name(path: &Path) -> String {
    path.file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned()
}
