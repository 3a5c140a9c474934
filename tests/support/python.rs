//! Independent judges from the Python package index: `onnx` and `nibabel`.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

use super::kept;
use super::program::run;

/// The judges; what they depend on, pip chooses for its Python.
const REQUIREMENTS: [&str; 2] = ["nibabel==5.4.2", "onnx==1.23.2"];

/// Runs a script and returns what it printed.
#[track_caller]
pub fn python(script: &str, arguments: &[&Path]) -> String {
    let run = run(Command::new(&*PYTHON)
        .args(["-I", "-c", script])
        .args(arguments));
    assert_eq!(run.code, Some(0), "the script failed:\n{}", run.stderr);
    run.stdout
}

/// ONNX's full check and its strict shape inference: a wrong type at any border is an error.
#[track_caller]
pub fn passes_the_checker(model: &Path) {
    assert_eq!(checked(model), 1);
}

/// [`passes_the_checker`] for every `.onnx` file in a folder; says how many there are.
#[track_caller]
pub fn all_pass_the_checker(folder: &Path) -> usize {
    checked(folder)
}

#[track_caller]
fn checked(path: &Path) -> usize {
    const CHECK: &str = r#"
import pathlib, sys, onnx
path = pathlib.Path(sys.argv[1])
models = sorted(path.glob("*.onnx")) if path.is_dir() else [path]
for path in models:
    try:
        onnx.checker.check_model(path, full_check=True)
        model = onnx.load(path)
        onnx.shape_inference.infer_shapes(model, check_type=True, strict_mode=True, data_prop=True)
    except Exception as error:
        raise SystemExit(f"{path.name}: {error}")
print(len(models))
"#;
    let count = python(CHECK, &[path]);
    count.trim().parse().expect("a number of files")
}

static PYTHON: LazyLock<PathBuf> = LazyLock::new(|| {
    let folder = kept("python");
    let environment = folder.join(REQUIREMENTS.join("-").replace("==", "-"));
    let python = environment.join("bin/python");
    let ready = environment.join("ready");
    // Another test program may be making it right now; the lock goes with the file.
    let lock = File::create(folder.join("lock")).expect("a writable target folder");
    lock.lock().expect("a lock");
    if !ready.exists() {
        step(
            "python3 -m venv",
            Command::new("python3")
                .args(["-m", "venv", "--clear"])
                .arg(&environment),
        );
        let pip = [
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
        ];
        step(
            "pip install",
            Command::new(&python).args(pip).args(REQUIREMENTS),
        );
        File::create(ready).expect("a writable target folder");
    }
    python
});

fn step(what: &str, command: &mut Command) {
    let run = run(command);
    assert_eq!(
        run.code,
        Some(0),
        "these tests need Python 3 with venv, and {REQUIREMENTS:?} from a package index; {what} \
         failed:\n{}{}",
        run.stdout,
        run.stderr
    );
}
