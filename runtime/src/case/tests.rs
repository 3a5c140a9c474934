//! Whole cases on small files, with tract and the sample artefact.

use std::{fs, path::Path};

use ndarray::Array3;
use tempfile::TempDir;
use uniseg_imaging::{Affine, Extent, Geometry, SpacingMm, Volume, read_nifti, write_image};
use uniseg_onnx::{Artefact, sample};

use super::*;
use crate::{EngineKind, EngineOptions, FirstLook, open_engine, write_labels, write_statistics};

const OPTIONS: WindowOptions = WindowOptions {
    step: 0.5,
    mirror: false,
    skip: false,
    fast: None,
    batch: std::num::NonZeroUsize::MIN,
};

/// The sample with a third task that is preprocessed as the first.
fn model() -> Model {
    let mut manifest = sample::tiny_manifest();
    let mut twin = manifest.tasks[0].clone();
    twin.id = 1;
    twin.name = "twin".to_owned();
    twin.aliases.clear();
    manifest.tasks[1].id = 2;
    manifest.tasks.insert(1, twin);
    let mut graph = sample::tiny_model();
    let biases: Vec<f32> = (0..9).map(|i| 0.25 * i as f32).collect();
    let tensors = &mut graph.graph.as_mut().unwrap().initializer;
    tensors[1] = uniseg_onnx::proto::TensorProto::from_f32("biases", &[3, 3, 1, 1, 1], &biases);
    Artefact::new(graph, manifest).unwrap().into()
}

fn tract(model: &Model) -> Box<dyn Engine> {
    let options = EngineOptions {
        kind: EngineKind::Tract,
        ..EngineOptions::default()
    };
    open_engine(model, &options).unwrap().engine
}

/// Writes an image of `zyx` voxels of 3 × 1.5 × 1.5 mm whose values rise along x.
fn image(folder: &Path, name: &str, zyx: [usize; 3], shift_mm: f64) -> PathBuf {
    let spacing = SpacingMm::from_zyx([3.0, 1.5, 1.5]).unwrap();
    let mut rows = Affine::from_spacing(spacing).rows();
    rows[0][3] += shift_mm;
    let geometry = Geometry {
        extent: Extent::from_zyx(zyx),
        spacing,
        affine: Affine::from_rows(rows),
    };
    let voxels = Array3::from_shape_fn(zyx, |(z, y, x)| (50 * x + 3 * y + z) as f32 - 99.0);
    let path = folder.join(name);
    write_image(&path, &Volume::new(voxels, geometry).unwrap()).unwrap();
    path
}

#[test]
fn a_file_becomes_labels_and_statistics_on_its_own_grid() {
    let folder = TempDir::new().unwrap();
    let model = model();
    let task = model.manifest().task("blob").unwrap();
    let input = image(folder.path(), "ct.nii.gz", [4, 5, 9], 0.0);
    let mut stages = Vec::new();
    let result = segment_case(
        &model,
        tract(&model).as_mut(),
        task,
        std::slice::from_ref(&input),
        &OPTIONS,
        &mut |stage| stages.push(format!("{stage:?}")),
    )
    .unwrap();
    let labels = &result.segmentation.labels;
    assert_eq!(labels.dim(), (4, 5, 9));
    // The sample: background -v, blob 0.25 (its second class has weight 0 on slot 0), v >= 0.
    assert!(labels.iter().all(|&label| label == 1));

    let statistics = &result.segmentation.statistics;
    assert_eq!(statistics.inputs, ["ct.nii.gz"]);
    assert!((statistics.voxel_ml - 0.00675).abs() < 1e-12);
    let counted: Vec<_> = statistics
        .labels
        .iter()
        .map(|l| (l.label, l.name.as_str(), l.voxels))
        .collect();
    assert_eq!(counted, [(0, "background", 0), (1, "blob", 180)]);
    assert!((statistics.labels[1].ml - 1.215).abs() < 1e-9);
    for stage in ["Reading", "Preprocessing", "Window", "Restoring"] {
        assert!(
            stages.iter().any(|seen| seen.starts_with(stage)),
            "{stage}: {stages:?}"
        );
    }

    let (map, json) = (
        folder.path().join("out.nii.gz"),
        folder.path().join("out.json"),
    );
    write_labels(&result.segmentation, result.case.header(), &map).unwrap();
    write_statistics(statistics, &json).unwrap();
    let written = read_nifti(&map).unwrap();
    assert_eq!(written.volume.geometry(), result.case.geometry());
    assert!(written.volume.voxels().iter().all(|&v| v == 1.0));
    let read: Statistics = serde_json::from_slice(&fs::read(&json).unwrap()).unwrap();
    assert_eq!(&read, statistics);
    assert_eq!(
        fs::read_dir(folder.path()).unwrap().count(),
        3,
        "a temporary file was left"
    );
}

#[test]
fn tasks_that_agree_share_the_preprocessing() {
    let folder = TempDir::new().unwrap();
    let model = model();
    let mut engine = tract(&model);
    let input = image(folder.path(), "ct.nii", [3, 4, 5], 0.0);
    let mut case = Case::read(&[input], &mut |_| ()).unwrap();
    let mut preprocessed = 0;
    for name in ["blob", "twin", "blob"] {
        let task = model.manifest().task(name).unwrap();
        case.segment(&model, engine.as_mut(), task, &OPTIONS, &mut |stage| {
            preprocessed += usize::from(matches!(stage, Progress::Preprocessing(_)));
        })
        .unwrap();
    }
    assert_eq!(preprocessed, 1);
}

#[test]
fn groups_are_few_and_even() {
    let model = model();
    let [one, other] = [0, 2].map(|index| &model.manifest().tasks[index]);
    let sizes = |tasks: &[&Task], most| -> Vec<usize> {
        let groups = group_tasks(tasks, most);
        groups.iter().map(Vec::len).collect()
    };
    for (most, expected) in [(0, &[1; 5][..]), (2, &[2, 2, 1]), (4, &[3, 2]), (8, &[5])] {
        assert_eq!(sizes(&[one; 5], most), expected);
    }
    let mixed = [one, other, one, one, other];
    let groups = group_tasks(&mixed, 2);
    let ids: Vec<Vec<u32>> = groups
        .iter()
        .map(|group| group.iter().map(|task| task.id).collect())
        .collect();
    assert_eq!(ids, [vec![0, 0], vec![0], vec![2, 2]]);
    assert!(sizes(&[], 4).is_empty());
}

/// What windows were run of a CT of so many voxels with a bright corner, which is the foreground of
/// the manifest's first task.
fn looked_at(zyx: [usize; 3], look: FirstLook, tasks: &[&Task]) -> crate::WindowReport {
    let manifest = crate::testing::manifest();
    let mut voxels = Array3::from_elem(zyx, -1000.0);
    let corner = ndarray::s![..6.min(zyx[0]), ..6.min(zyx[1]), ..8.min(zyx[2])];
    voxels.slice_mut(corner).fill(200.0);
    let spacing = SpacingMm::from_zyx(manifest.tasks[0].spacing_zyx_mm).unwrap();
    let geometry = Geometry::axis_aligned(Extent::from_zyx(zyx), spacing);
    let volume = Volume::new(voxels, geometry).unwrap();
    let mut engine = crate::testing::Toy::new(|image, task| {
        let (_, _, z, y, x) = image.dim();
        ndarray::Array5::from_shape_fn((1, 4, z, y, x), |(_, class, z, y, x)| {
            let bright = task == 0 && image[[0, 0, z, y, x]] > 0.5;
            if class == usize::from(bright) {
                9.0
            } else {
                0.0
            }
        })
    });
    let options = WindowOptions {
        fast: Some(look),
        ..OPTIONS
    };
    let mut case = Case::from_volumes(&["ct".into()], vec![volume]).unwrap();
    let mut predictor = crate::WholeModel::one_by_one(&mut engine, &manifest.network);
    let request = Request {
        manifest: &manifest,
        tasks,
        options: &options,
        cancel: &crate::CancelToken::new(),
        probabilities: &[],
    };
    let found = case.segment_together(&mut predictor, request, &mut |_| ());
    found.unwrap().windows
}

#[test]
fn fast_leaves_windows_out_only_if_every_task_is_seen() {
    let liver = &crate::testing::manifest().tasks[0];
    let other = Task {
        id: 2,
        ..liver.clone()
    };
    for look in [FirstLook::Apart, FirstLook::Half] {
        let skipped = |tasks: &[&Task]| looked_at([16, 24, 32], look, tasks).skipped;
        assert!(skipped(&[liver]) > 0);
        assert_eq!(skipped(&[&other]), 0);
        assert_eq!(skipped(&[liver, &other]), 0);
    }
}

#[test]
fn nothing_is_looked_at_where_that_takes_too_many_of_the_windows() {
    let liver = &crate::testing::manifest().tasks[0];
    let patch = crate::testing::manifest().network.patch_zyx;
    for look in [FirstLook::Apart, FirstLook::Half] {
        let one = looked_at(patch, look, &[liver]);
        assert_eq!((one.windows, one.looked, one.skipped), (1, 0, 0));
        let [z, y, x] = patch;
        let long = looked_at([z, y, 6 * x], FirstLook::Apart, &[liver]);
        assert_eq!((long.windows, long.looked), (11, 0));
        let more = looked_at(patch.map(|size| 3 * size), look, &[liver]);
        assert!(0 < more.looked && more.looked < more.windows, "{more:?}");
    }
}

#[test]
fn the_number_of_files_is_checked_before_any_is_read() {
    let model = model();
    let task = model.manifest().task("two-channel blob").unwrap();
    let inputs = [PathBuf::from("absent.nii.gz")];
    let error = segment_case(
        &model,
        tract(&model).as_mut(),
        task,
        &inputs,
        &OPTIONS,
        &mut |_| (),
    )
    .unwrap_err();
    assert_eq!(
        error.to_string(),
        "task \"two-channel blob\" takes 2 image file(s), in this order: MR, MR; found 1"
    );
}

#[test]
fn channels_must_lie_on_one_grid() {
    let folder = TempDir::new().unwrap();
    let first = image(folder.path(), "a.nii", [3, 4, 5], 0.0);
    let read = |other: PathBuf| Case::read(&[first.clone(), other], &mut |_| ());
    assert_eq!(
        read(image(folder.path(), "b.nii", [3, 4, 5], 0.001))
            .unwrap()
            .channels(),
        2
    );

    let error = read(image(folder.path(), "c.nii", [3, 4, 6], 0.0))
        .unwrap_err()
        .to_string();
    assert!(error.contains("c.nii is not on the grid of"), "{error}");
    let error = read(image(folder.path(), "d.nii", [3, 4, 5], 2.0))
        .unwrap_err()
        .to_string();
    assert!(error.ends_with("its corners lie up to 2.00 mm away; resample it to that grid first"));
}

#[test]
fn what_cannot_be_read_is_named() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("no.nii.gz");
    fs::write(&path, "this is not an image").unwrap();
    for path in [path, folder.path().join("absent.nii")] {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let error = Case::read(&[path], &mut |_| ()).unwrap_err();
        assert!(matches!(error, RuntimeError::ReadImage { .. }));
        assert!(error.to_string().contains(&name), "{error}");
    }
    assert!(matches!(
        Case::read(&[], &mut |_| ()),
        Err(RuntimeError::NoImages)
    ));
}

#[test]
fn statistics_that_cannot_be_written_leave_nothing() {
    let folder = TempDir::new().unwrap();
    let model = model();
    let task = model.manifest().task("blob").unwrap();
    let input = image(folder.path(), "ct.nii", [2, 3, 4], 0.0);
    let mut case = Case::read(&[input], &mut |_| ()).unwrap();
    let result = case
        .segment(&model, tract(&model).as_mut(), task, &OPTIONS, &mut |_| ())
        .unwrap();
    // A folder stands where the file should go, so the last step, the renaming, fails.
    let place = folder.path().join("out.json");
    fs::create_dir(&place).unwrap();
    let error = write_statistics(&result.statistics, &place).unwrap_err();
    assert!(
        matches!(error, RuntimeError::WriteStatistics { .. }),
        "{error}"
    );
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
}

#[test]
fn volumes_in_memory_are_segmented_as_their_files_are() {
    let folder = TempDir::new().unwrap();
    let path = image(folder.path(), "ct.nii.gz", [5, 8, 9], 7.0);
    let model = model();
    let mut engine = tract(&model);
    let task = model.manifest().tasks[0].clone();
    let volume = read_nifti(&path).unwrap().volume;
    let names = ["ct.nii.gz".into()];
    let mut held = Case::from_volumes(&names, vec![volume.clone()]).unwrap();
    let mut read = Case::read(&[path], &mut |_| {}).unwrap();
    let [found, expected] = [&mut held, &mut read].map(|case| {
        case.segment(&model, engine.as_mut(), &task, &OPTIONS, &mut |_| {})
            .unwrap()
    });
    assert_eq!(found.labels, expected.labels);
    assert_eq!(expected.statistics.files.len(), 1);
    // What is in memory comes from no file.
    let mut statistics = expected.statistics;
    statistics.files.clear();
    assert_eq!(found.statistics, statistics);
    assert_eq!(held.header().geometry(), read.header().geometry());

    let both = ["a".into(), "b".into()];
    let one = Case::from_volumes(&both, vec![volume.clone()]);
    assert!(matches!(one, Err(RuntimeError::NoImages)));
    let mut rows = volume.geometry().affine.rows();
    rows[1][3] += 1.0;
    let elsewhere = Geometry {
        affine: Affine::from_rows(rows),
        ..*volume.geometry()
    };
    let moved = Volume::new(volume.clone().into_voxels(), elsewhere).unwrap();
    let apart = Case::from_volumes(&both, vec![volume, moved]);
    assert!(matches!(apart, Err(RuntimeError::GridsDiffer { .. })));
}
