use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use uniseg_imaging::write_image;

use super::*;
use crate::data::Task;
use crate::data::cache::OUTSIDE;
use crate::data::testing::{EXTENT, Folder, SPACING, like, phantom};

const SPACING_TOML: &str = "spacing_zyx_mm = [4.0, 3.0, 3.0]\n";

fn run(task: &Task, cache: &Path, verify: bool) -> PreprocessReport {
    let data = TaskData::open(task).unwrap();
    let resolved = task.resolve(None).unwrap();
    let options = PreprocessOptions { threads: 2, verify };
    preprocess(&data, &resolved, cache, &options, &mut |_| {}).unwrap()
}

fn counts(report: &PreprocessReport) -> [usize; 4] {
    [
        report.done,
        report.reused,
        report.dropped,
        report.failed.len(),
    ]
}

#[test]
fn cases_are_what_the_recipe_makes_of_them() {
    let folder = Folder::new(3);
    let cache = tempfile::tempdir().unwrap();
    let task = folder.task(SPACING_TOML);
    let data = TaskData::open(&task).unwrap();
    let resolved = task.resolve(None).unwrap();
    let mut seen = BTreeMap::new();
    let options = PreprocessOptions {
        threads: 2,
        verify: false,
    };
    let report = preprocess(&data, &resolved, cache.path(), &options, &mut |progress| {
        assert!(progress.volumes_per_second > 0.0 && progress.total == 3);
        seen.insert(
            progress.case.to_owned(),
            (progress.outcome, progress.task.to_owned()),
        );
    })
    .unwrap();
    assert_eq!(counts(&report), [3, 0, 0, 0]);
    assert!(report.volumes_per_second > 0.0 && report.seconds > 0.0);
    let expected = (Outcome::Done, "liver".to_owned());
    assert_eq!(seen.values().collect::<Vec<_>>(), [&expected; 3]);

    let index = CacheIndex::read(cache.path(), "liver").unwrap();
    assert_eq!(index, report.index);
    assert_eq!(
        (index.split.train.len(), index.split.validation.len()),
        (2, 1)
    );
    let case = index.open(cache.path(), &index.cases[1]).unwrap();
    case.verify().unwrap();
    let (image, labels) = phantom(1);
    let whole = case.whole();
    let made = resolved
        .recipe()
        .unwrap()
        .apply(&[&image])
        .unwrap()
        .channels;
    assert_eq!(whole.image, made);
    // (z, y, x): 12, 20 * 2 / 3, 24 * 1.5 / 3.
    assert_eq!(case.extent_zyx(), [12, 13, 12]);
    assert_eq!(case.description().original_zyx, EXTENT);
    let ml = |voxels: usize, spacing: [f64; 3]| voxels as f64 * spacing.iter().product::<f64>();
    for label in 1..=2 {
        let before = ml(labels.iter().filter(|l| **l == label).count(), SPACING);
        let after = whole.label.iter().filter(|l| **l == label as i16).count();
        assert_eq!(case.location_count(label), after);
        let after = ml(after, [4.0, 3.0, 3.0]);
        assert!(
            (after / before - 1.0).abs() < 0.25,
            "{label}: {before} {after}"
        );
        let [z, y, x] = case.location(label, 3).unwrap();
        assert_eq!(whole.label[[z, y, x]], label as i16);
    }
}

#[test]
fn a_second_run_redoes_only_what_changed_or_is_torn() {
    let folder = Folder::new(4);
    let cache = tempfile::tempdir().unwrap();
    let task = folder.task(SPACING_TOML);
    let file = |case: &str| CacheIndex::case_path(cache.path(), "liver", case);
    assert_eq!(counts(&run(&task, cache.path(), false)), [4, 0, 0, 0]);
    let bytes = std::fs::read(file("ct_2")).unwrap();
    assert_eq!(counts(&run(&task, cache.path(), false)), [0, 4, 0, 0]);
    // Killed in the middle: a leftover, a torn file, a missing one.
    let leftover = cache.path().join("liver/.uniseg-abc.tmp");
    std::fs::write(&leftover, b"half").unwrap();
    std::fs::write(file("ct_1"), &bytes[..bytes.len() / 2]).unwrap();
    std::fs::remove_file(file("ct_2")).unwrap();
    assert_eq!(counts(&run(&task, cache.path(), false)), [2, 2, 0, 0]);
    assert_eq!(
        std::fs::read(file("ct_2")).unwrap(),
        bytes,
        "the same bytes again"
    );
    assert!(!leftover.exists());
    // A flipped bit is only seen by those who look.
    let mut flipped = bytes.clone();
    *flipped.last_mut().unwrap() ^= 1;
    std::fs::write(file("ct_2"), flipped).unwrap();
    assert_eq!(counts(&run(&task, cache.path(), false)), [0, 4, 0, 0]);
    assert_eq!(counts(&run(&task, cache.path(), true)), [1, 3, 0, 0]);
    // A changed input, then a changed recipe.
    let touched = std::fs::File::options()
        .append(true)
        .open(folder.labels("ct_3"))
        .unwrap();
    touched
        .set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(1))
        .unwrap();
    assert_eq!(counts(&run(&task, cache.path(), false)), [1, 3, 0, 0]);
    for changed in [
        "spacing_zyx_mm = [4.0, 3.0, 2.0]\n",
        "spacing_zyx_mm = [4.0, 3.0, 2.0]\nlabel_map = { \"*\" = \"liver\" }\n",
    ] {
        assert_eq!(
            counts(&run(&folder.task(changed), cache.path(), false)),
            [4, 0, 0, 0]
        );
    }
    let mut task = task;
    task.channels[0].normalization =
        crate::data::tasks::NormalizationRule::Fixed(uniseg_imaging::Normalization::None);
    assert_eq!(counts(&run(&task, cache.path(), false)), [4, 0, 0, 0]);
}

#[test]
fn bad_cases_are_reported_and_the_others_go_on() {
    let folder = Folder::new(5);
    let cache = tempfile::tempdir().unwrap();
    let (image, labels) = phantom(0);
    std::fs::write(folder.image("ct_1", 0), b"").unwrap();
    folder.put_labels("ct_2", &image, &labels.mapv(|_| 0));
    write_image(
        &folder.image("ct_3", 0),
        &like(&image, |v| v[[0, 0, 0]] = f32::NAN),
    )
    .unwrap();
    write_image(
        &folder.image("ct_4", 0),
        &like(&image, |v| v[[0, 0, 0]] = f32::INFINITY),
    )
    .unwrap();
    let report = run(&folder.task(SPACING_TOML), cache.path(), false);
    // NaN becomes 0, as in nnU-Net.
    assert_eq!(counts(&report), [2, 0, 0, 3]);
    let texts: Vec<String> = report.failed.iter().map(ToString::to_string).collect();
    for (text, part) in texts
        .iter()
        .zip(["the file is empty", "labels are empty", "infinite"])
    {
        assert!(text.contains(part), "{text} should say {part}");
    }
    let index = CacheIndex::read(cache.path(), "liver").unwrap();
    let names: Vec<&str> = index.cases.iter().map(|case| case.name.as_str()).collect();
    assert_eq!(names, ["ct_0", "ct_3"]);
    assert_eq!(index.split.train.len() + index.split.validation.len(), 2);

    let task = folder.task(&format!("{SPACING_TOML}empty_labels = \"drop\"\n"));
    let report = run(&task, cache.path(), false);
    assert_eq!(counts(&report), [0, 2, 1, 2]);
    assert_eq!(report.index.dropped, ["ct_2"]);
    let task = folder.task(&format!("{SPACING_TOML}empty_labels = \"keep\"\n"));
    let report = run(&task, cache.path(), false);
    assert_eq!(counts(&report), [1, 2, 0, 2]);
    let empty = report
        .index
        .open(cache.path(), &report.index.cases[1])
        .unwrap();
    assert_eq!(empty.foreground().count(), 0);
}

#[test]
fn voxels_outside_the_body_are_marked() {
    let folder = Folder::new(2);
    let cache = tempfile::tempdir().unwrap();
    let (image, _) = phantom(0);
    let framed = like(&image, |v| {
        v.slice_mut(ndarray::s![..2, .., ..]).fill(0.0);
        v.slice_mut(ndarray::s![.., ..9, ..9]).fill(0.0);
    });
    write_image(&folder.image("ct_0", 0), &framed).unwrap();
    let task = folder.task("spacing_zyx_mm = [4.0, 2.0, 1.5]\n");
    let report = run(&task, cache.path(), false);
    let case = report
        .index
        .open(cache.path(), &report.index.cases[0])
        .unwrap();
    assert_eq!(case.description().crop_start_zyx, [2, 0, 0]);
    assert_eq!(case.extent_zyx(), [10, 20, 24]);
    let label = case.whole().label;
    assert_eq!(label[[5, 3, 3]], OUTSIDE);
    assert_ne!(label[[5, 15, 15]], OUTSIDE);
}

#[test]
fn two_processes_do_not_write_into_one_cache() {
    let folder = Folder::new(2);
    let cache = tempfile::tempdir().unwrap();
    let task = folder.task(SPACING_TOML);
    let data = TaskData::open(&task).unwrap();
    std::fs::create_dir(cache.path().join("liver")).unwrap();
    let held = lock(&cache.path().join("liver")).unwrap();
    let resolved = task.resolve(None).unwrap();
    let options = PreprocessOptions::default();
    let error = preprocess(&data, &resolved, cache.path(), &options, &mut |_| {}).unwrap_err();
    assert!(matches!(error, DataError::CacheInUse { .. }), "{error}");
    drop(held);
    preprocess(&data, &resolved, cache.path(), &options, &mut |_| {}).unwrap();
}

#[test]
fn a_disk_that_refuses_is_a_failed_case() {
    let folder = Folder::new(2);
    let cache = tempfile::tempdir().unwrap();
    // A folder in the place of the file: the rename fails as a full disk would.
    let there = CacheIndex::case_path(cache.path(), "liver", "ct_0");
    std::fs::create_dir_all(there.join("x")).unwrap();
    let report = run(&folder.task(SPACING_TOML), cache.path(), false);
    assert_eq!(counts(&report), [1, 0, 0, 1]);
    assert_eq!(report.failed[0].path, there);
    assert!(
        report.failed[0]
            .fault
            .to_string()
            .starts_with("cannot be written")
    );
    let left = std::fs::read_dir(cache.path().join("liver"))
        .unwrap()
        .filter(|entry| {
            entry
                .as_ref()
                .unwrap()
                .file_name()
                .to_string_lossy()
                .ends_with(".tmp")
        });
    assert_eq!(left.count(), 0, "nothing half-written stays");
}
