use std::num::NonZeroUsize;
use std::ops::ControlFlow;
use std::path::Path;

use burn::prelude::*;

use super::*;
use crate::batch::testing::Cache;
use crate::precision::Precision;
use crate::{Checkpoint, TrainError, TrainSettings};

fn settings(epochs: u32) -> TrainSettings {
    TrainSettings {
        validation_batches: 2,
        ..TrainSettings::quick(epochs, 3)
    }
}

/// Trains up to the step before which `stop` says so; losses bit by bit, and the end.
fn losses(
    cache: &Cache,
    folder: &Path,
    settings: &TrainSettings,
    stop: impl Fn(u64) -> bool,
) -> Result<(Vec<u64>, Summary), TrainError> {
    let mut losses = Vec::new();
    let run = Run {
        folder,
        plan: &cache.plan,
        settings,
        cache: cache.path(),
        devices: &[Device::flex()],
        precision: Precision::F32,
        workers: NonZeroUsize::MIN,
        start: None,
    };
    let summary = train(run, &mut |event| match event {
        Event::Step(report) => {
            losses.push(report.loss().to_bits());
            match stop(report.iteration + 1) {
                true => ControlFlow::Break(()),
                false => ControlFlow::Continue(()),
            }
        }
        _ => ControlFlow::Continue(()),
    })?;
    Ok((losses, summary))
}

fn checkpoints(run: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(run.join("checkpoints")).unwrap();
    let mut names: Vec<String> = entries
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

#[test]
fn a_resumed_run_makes_the_very_same_steps() {
    let cache = Cache::new(4);
    let sgd = TrainSettings {
        optimizer: Default::default(),
        rate: Default::default(),
        paired_tasks: false,
        ..settings(3)
    };
    for settings in [settings(3), sgd] {
        let [whole, parts] = [(); 2].map(|()| tempfile::tempdir().unwrap());
        let (expected, summary) = losses(&cache, whole.path(), &settings, |_| false).unwrap();
        assert!(summary.finished && expected.len() == 9);
        // Stopped within an epoch, at the end of one, and run to the end.
        let mut found = Vec::new();
        for stop in [2, 6, 100] {
            let (part, summary) =
                losses(&cache, parts.path(), &settings, |done| done == stop).unwrap();
            assert_eq!(summary.finished, stop == 100);
            found.extend(part);
        }
        assert_eq!(found, expected);
        let log = |run: &Path| -> Vec<(u32, u64, Vec<Option<f64>>)> {
            let records = read_log(run).unwrap();
            records
                .into_iter()
                .map(|r| (r.epoch, r.iteration, r.task_dice))
                .collect()
        };
        assert_eq!(log(parts.path()), log(whole.path()));
        assert_eq!(log(parts.path()).len(), 3);
        // A finished run has nothing left to do.
        let (nothing, _) = losses(&cache, parts.path(), &settings, |_| false).unwrap();
        assert!(nothing.is_empty());
    }
}

#[test]
fn two_checkpoints_and_the_best_are_kept_and_found_by_name() {
    let cache = Cache::new(4);
    let run = tempfile::tempdir().unwrap();
    let (_, summary) = losses(&cache, run.path(), &settings(6), |_| false).unwrap();
    let names = checkpoints(run.path());
    assert!((2..=3).contains(&names.len()), "{names:?}");
    assert!(
        names.contains(&"iteration-00000015".to_owned()),
        "{names:?}"
    );
    let last = run.path().join("checkpoints/iteration-00000018");
    assert_eq!(summary.checkpoint, last);
    for path in [
        run.path().to_path_buf(),
        run.path().join("last"),
        last.clone(),
    ] {
        assert_eq!(checkpoint_folder(&path).unwrap(), last);
    }
    let best = checkpoint_folder(&run.path().join("best")).unwrap();
    assert!(names.contains(&best.file_name().unwrap().to_string_lossy().into_owned()));
    let elsewhere = Path::new("elsewhere/best");
    assert_eq!(checkpoint_folder(elsewhere).unwrap(), elsewhere);
    Checkpoint::open(&last, &Device::flex()).unwrap();
}

#[test]
fn a_torn_checkpoint_is_noticed_and_the_one_before_it_used() {
    let cache = Cache::new(4);
    let (whole, run) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (expected, _) = losses(&cache, whole.path(), &settings(3), |_| false).unwrap();
    losses(&cache, run.path(), &settings(3), |done| done == 6).unwrap();
    for file in ["weights.safetensors", "optimizer.burnpack", "state.json"] {
        let path = run.path().join("checkpoints/iteration-00000006").join(file);
        let bytes = std::fs::read(&path).unwrap();
        std::fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
        // A killed run's leftover does not disturb.
        std::fs::create_dir(run.path().join("checkpoints/.uniseg-x.tmp")).unwrap();
        let (again, _) = losses(&cache, run.path(), &settings(3), |done| done == 6).unwrap();
        assert_eq!(again, expected[3..6], "{file}");
        assert_eq!(
            checkpoints(run.path()),
            ["iteration-00000003", "iteration-00000006"]
        );
    }
    for name in checkpoints(run.path()) {
        std::fs::remove_file(run.path().join("checkpoints").join(name).join("state.json")).unwrap();
    }
    let error = losses(&cache, run.path(), &settings(3), |_| false).unwrap_err();
    assert!(matches!(error, TrainError::NoCheckpoint { .. }), "{error}");
}

#[test]
fn another_run_in_the_same_folder_is_refused() {
    let cache = Cache::new(4);
    let run = tempfile::tempdir().unwrap();
    losses(&cache, run.path(), &settings(2), |done| done == 1).unwrap();
    let other = TrainSettings {
        seed: 7,
        ..settings(2)
    };
    let error = losses(&cache, run.path(), &other, |_| false)
        .unwrap_err()
        .to_string();
    assert!(error.contains("settings.seed was 1234, now 7"), "{error}");
    let lock = crate::data::try_lock(&run.path().join(".lock"))
        .unwrap()
        .unwrap();
    let error = losses(&cache, run.path(), &settings(2), |_| false).unwrap_err();
    assert!(matches!(error, TrainError::RunInUse { .. }), "{error}");
    drop(lock);
}

#[test]
fn a_checkpoint_that_cannot_be_written_leaves_the_ones_before() {
    let cache = Cache::new(4);
    let run = tempfile::tempdir().unwrap();
    losses(&cache, run.path(), &settings(3), |done| done == 3).unwrap();
    let before = checkpoints(run.path());
    // A file in the place of the next checkpoint: the rename fails as a full disk would.
    let blocked = run.path().join("checkpoints/iteration-00000006");
    std::fs::write(&blocked, b"x").unwrap();
    let error = losses(&cache, run.path(), &settings(3), |_| false)
        .unwrap_err()
        .to_string();
    assert!(error.contains("iteration-00000006"), "{error}");
    std::fs::remove_file(&blocked).unwrap();
    assert_eq!(checkpoints(run.path()), before);
    losses(&cache, run.path(), &settings(3), |_| false).unwrap();
}

#[test]
fn patience_ends_a_run_that_does_not_become_better() {
    let cache = Cache::new(4);
    let run = tempfile::tempdir().unwrap();
    let settings = TrainSettings {
        patience_epochs: Some(1),
        rate: crate::schedule::Rate::one_cycle(1e-12),
        ..settings(50)
    };
    let (_, summary) = losses(&cache, run.path(), &settings, |_| false).unwrap();
    assert!(summary.out_of_patience && !summary.finished);
    assert!(summary.iteration < 150);
}
