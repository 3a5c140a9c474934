//! Asking a Python for things, without importing any package into it.

use std::{
    io::{self, Read},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

/// Longest wait for a question; starting Python takes a tenth of a second.
const PATIENCE: Duration = Duration::from_secs(20);

/// Prints the folders with the native libraries of the package `onnxruntime`. The current folder
/// is taken off the path: what lies there was not installed by anyone.
const WHERE_IS_ORT: &str = "\
import sys
sys.path[:] = [p for p in sys.path if p]
import importlib.util, os
spec = importlib.util.find_spec('onnxruntime')
for p in (spec.submodule_search_locations or []) if spec else []:
    sys.stdout.buffer.write(os.fsencode(os.path.join(p, 'capi')) + b'\\n')
";

/// A Python to run: a program and what comes before its arguments.
#[derive(Clone, Debug)]
pub(super) struct Python {
    pub(super) program: PathBuf,
    pub(super) arguments: Vec<PathBuf>,
}

impl Python {
    pub(super) fn new(program: impl Into<PathBuf>) -> Self {
        Self {
            program: program.into(),
            arguments: Vec::new(),
        }
    }

    pub(super) fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.args(&self.arguments).stdin(Stdio::null());
        command
    }

    /// The folders that hold the native libraries of an installed ONNX Runtime wheel; none if this
    /// Python does not run or has no such package.
    pub(super) fn ort_folders(&self) -> Vec<PathBuf> {
        let mut command = self.command();
        command
            .arg("-c")
            .arg(WHERE_IS_ORT)
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        let Ok(output) = command.spawn().and_then(answer) else {
            return Vec::new();
        };
        output
            .split(|byte| *byte == b'\n')
            .filter(|line| !line.is_empty())
            .filter_map(path)
            .filter(|folder| folder.is_absolute())
            .collect()
    }
}

/// Waits for a short answer; ends the program if it takes too long.
fn answer(mut child: Child) -> io::Result<Vec<u8>> {
    let start = Instant::now();
    loop {
        if child.try_wait()?.is_some() {
            let mut output = Vec::new();
            if let Some(stdout) = child.stdout.take() {
                stdout.take(1 << 16).read_to_end(&mut output)?;
            }
            return Ok(output);
        }
        if start.elapsed() > PATIENCE {
            child.kill()?;
            child.wait()?;
            return Err(io::ErrorKind::TimedOut.into());
        }
        thread::sleep(Duration::from_millis(5));
    }
}

#[cfg(unix)]
fn path(bytes: &[u8]) -> Option<PathBuf> {
    use std::{ffi::OsStr, os::unix::ffi::OsStrExt};
    Some(Path::new(OsStr::from_bytes(bytes)).to_owned())
}

#[cfg(not(unix))]
fn path(bytes: &[u8]) -> Option<PathBuf> {
    Some(Path::new(std::str::from_utf8(bytes).ok()?.trim_end()).to_owned())
}
