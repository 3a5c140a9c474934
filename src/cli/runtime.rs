use std::path::PathBuf;

use clap::{Args, Subcommand};
use uniseg_runtime::{Flavour, InstallStep, OrtLibrary, install_ort, list_ort};

use super::Outcome;
use crate::report;

/// Install and list ONNX Runtime libraries
///
/// ONNX Runtime is looked for in this order: --ort-lib, ORT_DYLIB_PATH, the cache that `install`
/// fills, an installed Python wheel `onnxruntime`, the system's libraries.
#[derive(Args)]
pub(crate) struct Runtime {
    #[command(subcommand)]
    command: RuntimeCommand,
}

#[derive(Subcommand)]
enum RuntimeCommand {
    /// Fetch the pinned wheel with pip, check its digest and unpack its library into the cache
    Install(Install),
    /// List the libraries that are found, in the order in which they are tried
    List(List),
}

#[derive(Args)]
struct Install {
    /// The build for NVIDIA cards (about 255 MB)
    #[arg(long, conflicts_with = "openvino")]
    cuda: bool,
    /// The build with OpenVINO
    #[arg(long)]
    openvino: bool,
}

#[derive(Args)]
struct List {
    /// A library to try before all others
    #[arg(long, value_name = "FILE")]
    ort_lib: Option<PathBuf>,
}

pub(super) fn run(command: Runtime) -> anyhow::Result<Outcome> {
    match command.command {
        RuntimeCommand::Install(command) => {
            let flavour = match (command.cuda, command.openvino) {
                (true, _) => Flavour::Cuda,
                (_, true) => Flavour::OpenVino,
                _ => Flavour::Cpu,
            };
            let library = install(flavour)?;
            report::result(&format!("{}\n", library.path().display()));
            Ok(Outcome::Done)
        }
        RuntimeCommand::List(command) => list(command),
    }
}

/// Installs a library and tells what is being done.
pub(super) fn install(flavour: Flavour) -> anyhow::Result<OrtLibrary> {
    let library = install_ort(flavour, &mut |step| {
        let text = match step {
            InstallStep::AlreadyThere { folder } => {
                format!("{} is complete already", folder.display())
            }
            InstallStep::Damaged { folder, damage } => {
                format!("{}: {damage}: installing anew", folder.display())
            }
            InstallStep::Unproven { folder } => format!(
                "{} is from an earlier version, which kept no digests: installing anew",
                folder.display()
            ),
            InstallStep::Kept { folder, reason } => format!(
                "{} stays as it is, its files have their sizes: {reason}",
                folder.display()
            ),
            InstallStep::Downloading {
                requirement,
                megabytes,
            } => {
                format!("fetching {requirement} ({megabytes} MB)")
            }
            InstallStep::Checking { wheel } => format!("checking the sha256 of {wheel}"),
            InstallStep::Unpacking { file, .. } => format!("unpacking {file}"),
            InstallStep::Installed { folder } => format!("installed into {}", folder.display()),
            _ => return,
        };
        report::note(&text);
    })?;
    Ok(library)
}

fn list(command: List) -> anyhow::Result<Outcome> {
    let candidates = list_ort(command.ort_lib.as_deref())?;
    if candidates.is_empty() {
        report::note("no ONNX Runtime is found; `uniseg runtime install` fetches one");
        return Ok(Outcome::Done);
    }
    let mut rows = vec![
        ["", "found by", "version", "for", "library"]
            .map(str::to_owned)
            .to_vec(),
    ];
    let chosen = candidates
        .iter()
        .position(|candidate| candidate.problem.is_none());
    for (index, candidate) in candidates.iter().enumerate() {
        let library = &candidate.library;
        let mut path = library.path().display().to_string();
        if let Some(why_not) = candidate.why_not() {
            path += &format!(" ({why_not})");
        }
        rows.push(vec![
            if chosen == Some(index) { "*" } else { "" }.to_owned(),
            library.source().to_string(),
            library.version().unwrap_or("unknown").to_owned(),
            library.flavour().to_string(),
            path,
        ]);
    }
    report::result(&report::table(&rows));
    Ok(Outcome::Done)
}
