use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::Context;
use clap::Args;
use serde::Serialize;
use uniseg_runtime::{
    Candidate, CudaLibrary, LibraryProbe, Machine, Tuned, Tunings, cache_folder,
    find_cuda_libraries, list_ort, missing_libraries, probe_library,
};

use super::Outcome;
use crate::{child, report};

/// Say what this machine can compute with, and why not
///
/// Lists processor, memory and GPUs, every ONNX Runtime that is found, and for each of them every
/// device with the reason why it does not work: each library is loaded in a process of its own and
/// computes a tiny network. Exit code 0 if ONNX Runtime works on some device, 1 if only the built-in
/// tract is left.
#[derive(Args)]
pub(crate) struct Doctor {
    /// A library to look at before all others
    #[arg(long, value_name = "FILE")]
    ort_lib: Option<PathBuf>,
    /// Print everything as one JSON object
    #[arg(long)]
    json: bool,
    /// Load this library into this process and print what it can do
    #[arg(long, hide = true, value_name = "FILE", conflicts_with = "ort_lib")]
    probe: Option<PathBuf>,
}

/// Everything that is found.
#[derive(Serialize)]
struct Findings {
    machine: Machine,
    bf16_is_native: bool,
    libraries: Vec<Library>,
    /// CUDA's own libraries, where the loader looks.
    cuda_libraries: Vec<CudaLibrary>,
    tract: &'static str,
    cache: Option<PathBuf>,
    /// What `uniseg tune` remembers for this machine.
    tuned: Vec<Remembered>,
    works: bool,
}

/// One ONNX Runtime.
#[derive(Serialize)]
struct Library {
    path: PathBuf,
    found_by: String,
    built_for: String,
    /// Why it cannot be used at all.
    problem: Option<String>,
    probe: Option<LibraryProbe>,
    /// Libraries that its providers need and that are not on this machine.
    missing: Vec<String>,
}

/// What is remembered for one artefact.
#[derive(Serialize)]
struct Remembered {
    weights_sha256: String,
    /// The fastest that passed.
    fastest: Option<Tuned>,
    /// Why nothing can be read.
    problem: Option<String>,
}

pub(super) fn run(command: Doctor) -> anyhow::Result<Outcome> {
    if let Some(library) = &command.probe {
        child::end_with_parent();
        let probe = probe_library(library)?;
        report::result(&(serde_json::to_string(&probe)? + "\n"));
        return Ok(Outcome::Done);
    }
    let (candidates, asked_for) = match list_ort(command.ort_lib.as_deref()) {
        Ok(candidates) => (candidates, None),
        // A library that was named and is not there is a finding like any other.
        Err(error) => (Vec::new(), Some(error.to_string())),
    };
    let libraries: Vec<Library> = candidates.into_iter().map(examine).collect();
    let machine = Machine::this();
    let cache = cache_folder();
    let tuned = cache
        .as_deref()
        .map(|cache| remembered(cache, &machine))
        .unwrap_or_default();
    let findings = Findings {
        bf16_is_native: machine.has_bf16(),
        works: libraries.iter().any(Library::works),
        machine,
        libraries,
        cuda_libraries: find_cuda_libraries(),
        tract: "built in: cpu, f32, slower",
        cache,
        tuned,
    };
    if let Some(problem) = &asked_for {
        report::note(problem);
    }
    if command.json {
        report::result(&(serde_json::to_string(&findings)? + "\n"));
    } else {
        report::result(&findings.text());
    }
    Ok(if findings.works {
        Outcome::Done
    } else {
        Outcome::CheckFailed
    })
}

fn examine(candidate: Candidate) -> Library {
    let candidate = candidate.with_content_checked();
    let library = &candidate.library;
    let mut found = Library {
        path: library.path().to_owned(),
        found_by: library.source().to_string(),
        built_for: library.flavour().to_string(),
        problem: candidate.why_not().map(|why_not| format!("it {why_not}")),
        probe: None,
        missing: Vec::new(),
    };
    if found.problem.is_some() {
        return found;
    }
    match probe(library.path()) {
        Ok(probe) => found.probe = Some(probe),
        Err(error) => found.problem = Some(format!("{error:#}")),
    }
    for provider in ["openvino", "cuda", "tensorrt"] {
        let file = format!("libonnxruntime_providers_{provider}.so");
        for name in missing_libraries(&library.path().with_file_name(file)) {
            if !found.missing.contains(&name) {
                found.missing.push(name);
            }
        }
    }
    found
}

/// In a process of its own: it can load one library only, and a broken one may end it.
fn probe(library: &Path) -> anyhow::Result<LibraryProbe> {
    let mut command = Command::new(std::env::current_exe()?);
    command.args(["doctor", "--probe"]).arg(library);
    let output = child::output(command.stderr(Stdio::piped()))
        .context("cannot start this program a second time")?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        let last = said.lines().rev().find(|line| !line.trim().is_empty());
        let last = last
            .unwrap_or("it said nothing")
            .trim_start_matches("uniseg: ");
        anyhow::bail!("loading it fails ({}): {last}", output.status);
    }
    serde_json::from_slice(&output.stdout).context("loading it gave no answer")
}

fn remembered(cache: &Path, machine: &Machine) -> Vec<Remembered> {
    let tunings = Tunings::in_cache(cache);
    tunings
        .artefacts()
        .into_iter()
        .filter_map(|weights_sha256| {
            let (rows, problem) = tunings.recall(&weights_sha256, machine);
            let fastest = rows
                .into_iter()
                .min_by(|a, b| a.median_ms.total_cmp(&b.median_ms));
            (fastest.is_some() || problem.is_some()).then_some(Remembered {
                weights_sha256,
                fastest,
                problem,
            })
        })
        .collect()
}

impl Library {
    fn works(&self) -> bool {
        self.probe
            .iter()
            .flat_map(|probe| &probe.providers)
            .any(|provider| provider.problem.is_none())
    }

    fn rows(&self, rows: &mut Vec<Vec<String>>) {
        let mut row = |what: &str, found: String| rows.push(vec![what.to_owned(), found]);
        let version = self.probe.as_ref().map_or("", |probe| &probe.version);
        row(
            "ONNX Runtime",
            format!("{version} {} ({})", self.path.display(), self.found_by)
                .trim_start()
                .to_owned(),
        );
        if let Some(problem) = &self.problem {
            row("", format!("cannot be used: {problem}"));
        }
        for provider in self.probe.iter().flat_map(|probe| &probe.providers) {
            let said = match &provider.problem {
                None => "works".to_owned(),
                Some(problem) => format!("no: {problem}"),
            };
            row(&format!("  {}", provider.device), said);
        }
        if !self.missing.is_empty() {
            row("  missing", self.missing.join(", "));
        }
    }
}

impl Findings {
    /// Which of CUDA's libraries are there and which are not, in a line.
    fn cuda(&self) -> String {
        let (found, missing): (Vec<_>, Vec<_>) = self
            .cuda_libraries
            .iter()
            .partition(|library| library.path.is_some());
        let names = |libraries: &[&CudaLibrary]| {
            let names: Vec<&str> = libraries.iter().map(|library| library.name).collect();
            names.join(", ")
        };
        match (&found[..], &missing[..]) {
            (found, []) => format!("found {}", names(found)),
            ([], missing) => format!("not on the loader's path: {}", names(missing)),
            (found, missing) => format!(
                "found {}; not on the loader's path: {}",
                names(found),
                names(missing)
            ),
        }
    }

    fn text(&self) -> String {
        let machine = &self.machine;
        let mut rows = vec![vec!["what".to_owned(), "found".to_owned()]];
        let mut row = |what: &str, found: String| rows.push(vec![what.to_owned(), found]);
        row("cpu", format!("{}, {} core(s)", machine.cpu, machine.cores));
        row("  can", machine.features.join(" "));
        let bf16 = if self.bf16_is_native {
            "computed by the processor: try `uniseg tune`"
        } else {
            "not computed by this processor (no AVX512-BF16, no AMX): not faster than f32"
        };
        row("  bf16", bf16.to_owned());
        if let Some([total, free]) = machine.memory_bytes {
            let gigabytes = |bytes: u64| bytes as f64 / 1e9;
            let text = format!("{:.1} GB, {:.1} free", gigabytes(total), gigabytes(free));
            row("memory", text);
        }
        let gpus = match &machine.gpus[..] {
            [] => "none: no NVIDIA driver is loaded".to_owned(),
            names => names.join(", "),
        };
        row("gpu", gpus);
        row("  cuda", self.cuda());
        if self.libraries.is_empty() {
            let text = "not found: `uniseg runtime install` fetches it";
            row("ONNX Runtime", text.to_owned());
        }
        for library in &self.libraries {
            library.rows(&mut rows);
        }
        let mut row = |what: &str, found: String| rows.push(vec![what.to_owned(), found]);
        row("tract", self.tract.to_owned());
        let cache = self.cache.as_ref().map(|cache| cache.display().to_string());
        row(
            "cache",
            cache.unwrap_or("none: set UNISEG_CACHE".to_owned()),
        );
        for tuned in &self.tuned {
            let digest: String = tuned.weights_sha256.chars().take(12).collect();
            let text = match (&tuned.fastest, &tuned.problem) {
                (Some(best), _) => {
                    let how = best
                        .on_cuda()
                        .map_or(String::new(), |how| format!(", {how}"));
                    format!(
                        "{} {} {} thread(s){how}, {:.0} ms a window",
                        best.device, best.precision, best.threads, best.median_ms
                    )
                }
                (None, problem) => problem.clone().unwrap_or_default(),
            };
            row(&format!("tuned {digest}"), text);
        }
        report::table(&rows)
    }
}
