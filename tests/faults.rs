//! A process that is ended in the middle of its work: no half file, and the next one finishes.
#![cfg(target_os = "linux")]

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use uniseg_imaging::ndarray::Array3;
use uniseg_imaging::{Extent, Geometry, SpacingMm, Volume, write_image};

use crate::support::chain::{chain, open_chain};
use crate::support::compare::read_labels;
use crate::support::program::{PROGRAM, shell};
use crate::support::{names_in, ort, uniseg};

/// How long anything here may take before the test gives up.
const PATIENCE: Duration = Duration::from_secs(240);

/// Writes a CT of noise, whose labels are noise: they take a while to compress.
fn noise(path: &Path, [z, y, x]: [usize; 3]) {
    let spacing = SpacingMm::from_zyx([3.0, 1.5, 1.5]).unwrap();
    let geometry = Geometry::axis_aligned(Extent::from_zyx([z, y, x]), spacing);
    let mut state = 1_u32;
    let voxels = Array3::from_shape_simple_fn((z, y, x), || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as f32 + 1.0
    });
    write_image(path, &Volume::new(voxels, geometry).unwrap()).unwrap();
}

/// Starts `segment` with tract and windows side by side.
fn start(model: &Path, input: &Path, output: &Path, more: &[&str]) -> Child {
    Command::new(PROGRAM)
        .args(segment(model, input, output, more))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

fn segment(model: &Path, input: &Path, output: &Path, more: &[&str]) -> Vec<String> {
    let [model, input, output] = [model, input, output].map(|path| path.to_str().unwrap());
    let fixed = [
        "segment", model, input, "--task", "blob", "--step", "1", "-o", output,
    ];
    let all = fixed.iter().chain(more);
    all.map(|&word| word.to_owned()).collect()
}

/// Waits until `found` finds something, while the process lives.
#[track_caller]
fn wait<T>(child: &mut Child, what: &str, mut found: impl FnMut(&Child) -> Option<T>) -> T {
    let begin = Instant::now();
    loop {
        if let Some(found) = found(child) {
            return found;
        }
        if let Some(status) = child.try_wait().unwrap() {
            panic!("it ended ({status}) before {what}");
        }
        if begin.elapsed() > PATIENCE {
            child.kill().unwrap();
            panic!("{what} never came");
        }
        sleep(Duration::from_millis(1));
    }
}

/// A temporary file that has more bytes in it than a record that says that labels are being made.
fn half_written(folder: &Path) -> Option<PathBuf> {
    let names = names_in(folder).into_iter();
    let mut temporary = names.filter(|name| name.ends_with(".tmp"));
    let path = folder.join(temporary.next()?);
    let length = std::fs::metadata(&path).ok()?.len();
    (length > 1000).then_some(path)
}

/// The kernel's signal that nothing can answer.
fn kill(mut child: Child) {
    child.kill().unwrap();
    let status = child.wait().unwrap();
    assert_eq!(status.code(), None, "a signal ended it: {status}");
}

#[test]
fn a_kill_while_writing_leaves_no_half_file_and_the_next_run_cleans_up() {
    let model = chain("no-convolution", 0, [16, 64, 64]);
    let folder = tempfile::tempdir().unwrap();
    let input = folder.path().join("case.nii");
    noise(&input, [96, 256, 256]);
    let [whole, killed] = ["whole", "killed"].map(|name| {
        let output = folder.path().join(name);
        std::fs::create_dir(&output).unwrap();
        output
    });
    let tract = ["--engine", "tract"];
    let labels = whole.join("labels.nii.gz");
    uniseg(segment(&model, &input, &labels, &tract)).succeeds();

    let target = killed.join("labels.nii.gz");
    let mut child = start(&model, &input, &target, &tract);
    wait(&mut child, "a half-written file", |_| half_written(&killed));
    kill(child);
    let record = std::fs::read_to_string(killed.join("labels.json")).unwrap();
    assert_eq!(record, "{\"unfinished\":true}\n");
    let mut left = names_in(&killed);
    left.retain(|name| name != "labels.json");
    let hidden = |name: &String| name.starts_with(".uniseg-") && name.ends_with(".tmp");
    assert!(!left.is_empty() && left.iter().all(hidden), "{left:?}");

    uniseg(segment(&model, &input, &target, &tract)).succeeds();
    assert_eq!(names_in(&killed), ["labels.json", "labels.nii.gz"]);
    for name in names_in(&whole) {
        let read = |folder: &Path| std::fs::read(folder.join(&name)).unwrap();
        assert_eq!(read(&killed), read(&whole), "{name}");
    }
}

#[test]
fn a_killed_cohort_goes_on_where_it_was() {
    let model = chain("no-convolution-cohort", 0, [16, 64, 64]);
    let folder = tempfile::tempdir().unwrap();
    let [input, output] = ["in", "out"].map(|name| folder.path().join(name));
    std::fs::create_dir(&input).unwrap();
    noise(&input.join("a.nii"), [8, 8, 8]);
    noise(&input.join("b.nii"), [96, 256, 256]);
    noise(&input.join("c.nii"), [8, 8, 8]);
    let tract = ["--engine", "tract"];
    let mut child = start(&model, &input, &output, &tract);
    wait(&mut child, "the second case's half-written file", |_| {
        let record = std::fs::read_to_string(output.join("a.json"));
        let first = record.is_ok_and(|record| record.contains("voxel_ml"));
        half_written(&output).filter(|_| first)
    });
    kill(child);
    let left = names_in(&output);
    assert!(!left.contains(&"b.nii.gz".to_owned()), "{left:?}");

    let second = uniseg(segment(&model, &input, &output, &tract)).succeeds();
    let states: Vec<Vec<&str>> = second
        .lines()
        .skip(1)
        .map(|line| line.split_whitespace().take(2).collect())
        .collect();
    assert_eq!(
        states,
        [["a", "skipped"], ["b", "done"], ["c", "done"]],
        "{second}"
    );
    let whole = [
        "a.json", "a.nii.gz", "b.json", "b.nii.gz", "c.json", "c.nii.gz",
    ];
    assert_eq!(names_in(&output), whole);
}

/// Seconds of a processor that a process has used; the kernel counts in hundredths.
fn processor_seconds(child: &Child) -> Option<f64> {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", child.id())).ok()?;
    // The name, in brackets, may hold anything.
    let after_name = stat.rsplit_once(')')?.1;
    let fields: Vec<&str> = after_name.split_whitespace().collect();
    let [user, system] = [fields.get(11)?, fields.get(12)?].map(|ticks| ticks.parse::<f64>().ok());
    Some((user? + system?) / 100.0)
}

/// Ctrl-C while one window is computed that takes far longer than anybody waits: on one thread some
/// two thousand GFLOP.
#[track_caller]
fn stops_within_a_window(name: &str, engine: &[&str]) {
    ort::library();
    let model = chain(&format!("long-{name}"), 600, [16, 128, 128]);
    let folder = tempfile::tempdir().unwrap();
    let input = folder.path().join("case.nii");
    noise(&input, [16, 128, 128]);
    let output = folder.path().join("out");
    std::fs::create_dir(&output).unwrap();
    let arguments = [engine, &["--threads", "1"]].concat();
    let mut child = start(&model, &input, &output.join("x.nii.gz"), &arguments);
    wait(&mut child, "some computing", |child| {
        processor_seconds(child).filter(|seconds| *seconds > 3.0)
    });
    let asked = Instant::now();
    let pid = child.id().to_string();
    let sent = Command::new("kill").args(["-INT", &pid]).status();
    assert!(sent.unwrap().success());
    let ended = child.wait_with_output().unwrap();
    let took = asked.elapsed();
    println!("{name}: stopped after {took:.2?}");
    let said = String::from_utf8_lossy(&ended.stderr);
    assert_eq!(ended.status.code(), Some(130), "{said}");
    assert!(said.contains("what is finished is kept"), "{said}");
    assert_eq!(names_in(&output), [] as [&str; 0]);
    // The program gives itself one second (`src/interrupt.rs`); the rest is for tests beside this one.
    // The window alone would have gone on for longer, however fast the core.
    assert!(took < Duration::from_secs(4), "{took:?}");
}

#[test]
fn ctrl_c_ends_onnx_runtime_within_a_window() {
    stops_within_a_window("ort", &["--engine", "ort", "--device", "cpu"]);
}

/// tract cannot be stopped within a window; the process ends without it.
#[test]
fn ctrl_c_ends_the_process_while_tract_is_within_a_window() {
    stops_within_a_window("tract", &["--engine", "tract"]);
}

/// Nor can OpenVINO, which has threads and things to tidy up of its own.
#[test]
#[cfg(target_arch = "x86_64")]
fn ctrl_c_ends_the_process_while_openvino_is_within_a_window() {
    let library = ort::openvino_library();
    stops_within_a_window("openvino", &["--device", "openvino", "--ort-lib", &library]);
}

/// Sixteen windows in a call need some 800 MB beside what the libraries map. How much that is depends
/// on the machine, so that the bound falls until the engine feels it. Where it is felt by this
/// program instead, which asks for far less at a time, the process ends: that is no session.
#[test]
fn a_session_that_runs_out_of_memory_goes_on_with_fewer_windows_and_says_so() {
    let library = ort::library().to_str().unwrap();
    let model = open_chain("cramped", 3, [64, 64, 64]);
    let folder = tempfile::tempdir().unwrap();
    let input = folder.path().join("case.nii");
    noise(&input, [64, 256, 256]);
    let output = folder.path().join("labels.nii");
    let run = |batch: &str, script: &str| {
        let on = ["--device", "cpu", "--threads", "2", "--ort-lib", library];
        let more = [&["--batch", batch][..], &on].concat();
        let arguments = segment(&model, &input, &output, &more);
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        shell("sh", script, &arguments)
    };
    run("1", r#"exec "$@""#).succeeds();
    let expected = read_labels(&output);
    assert!(expected.iter().any(|label| *label != 0));
    let bounds = (10..=28).rev().map(|fifties| fifties * 50_000);
    let said = "memory ran out with 16 windows in a call: going on with ";
    let mut felt = bounds.into_iter().filter_map(|kib| {
        let run = run(
            "16",
            &format!(r#"export MALLOC_ARENA_MAX=2; ulimit -v {kib}; exec "$@""#),
        );
        let felt = run.code == Some(0) && run.stderr.contains(said);
        felt.then(|| println!("{} MB: {}", kib / 1000, run.stderr))
    });
    felt.next()
        .expect("a bound within which it goes on with fewer windows");
    let found = read_labels(&output);
    let differ = expected.iter().zip(&found).filter(|(a, b)| a != b).count();
    assert!(differ * 1000 < expected.len(), "{differ} voxels differ");
}
