//! Windows that are left out, in whole cases of the trained network: how many, and what it costs.

use uniseg_imaging::ndarray::{Array3, s};
use uniseg_imaging::{Extent, Geometry, Volume, dice, read_nifti};
use uniseg_runtime::{
    CancelToken, Case, EngineKind, FirstLook, Model, Request, Together, WholeModel, WindowOptions,
};

use crate::support::{Golden, artefacts, golden, ort::engine};

/// Dice with the labels of a pass that leaves nothing out: of `--fast`, and of air.
const FAST_DICE: f64 = 0.995;
const AIR_DICE: f64 = 0.999;

fn crop(golden: &Golden) -> Volume<f32> {
    let path = golden.path("data/ct_small.nii.gz");
    read_nifti(&path).unwrap().volume
}

/// Four windows along y and x each, of which the last do not touch what is in the corner.
const WIDE: [usize; 3] = [32, 200, 220];
/// So many windows that looking at full resolution takes less than a third of them.
const LARGE: [usize; 3] = [96, 200, 300];

/// The real CT crop in the corner of a volume.
fn surrounded(golden: &Golden, zyx: [usize; 3], outside: impl Fn(usize) -> f32) -> Volume<f32> {
    let crop = crop(golden);
    let mut index = 0;
    let mut voxels = Array3::from_shape_simple_fn(zyx, || {
        index += 1;
        outside(index)
    });
    let [z, y, x] = crop.geometry().extent.zyx();
    voxels.slice_mut(s![..z, ..y, ..x]).assign(&crop.voxels());
    let geometry = Geometry {
        extent: Extent::from_zyx(zyx),
        ..*crop.geometry()
    };
    Volume::new(voxels, geometry).unwrap()
}

fn segment(model: &Model, volume: &Volume<f32>, skip: bool, fast: Option<FirstLook>) -> Together {
    segment_for(model, "liver", volume, skip, fast)
}

fn segment_for(
    model: &Model,
    task: &str,
    volume: &Volume<f32>,
    skip: bool,
    fast: Option<FirstLook>,
) -> Together {
    let mut case = Case::from_volumes(&["ct".into()], vec![volume.clone()]).unwrap();
    let mut engine = engine(model, EngineKind::Ort);
    let mut predictor = WholeModel::new(engine.as_mut(), model);
    let options = WindowOptions {
        skip,
        fast,
        ..WindowOptions::of(model.manifest())
    };
    let request = Request {
        manifest: model.manifest(),
        tasks: &[model.manifest().task(task).unwrap()],
        options: &options,
        cancel: &CancelToken::new(),
        probabilities: &[],
    };
    case.segment_together(&mut predictor, request, &mut |_| ())
        .unwrap()
}

#[track_caller]
fn compare(golden: &Golden, what: &str, [all, some]: [&Together; 2], least_dice: f64) {
    assert_eq!(all.windows.skipped, 0);
    assert_eq!(all.windows.windows, some.windows.windows);
    let (left_out, total) = (some.windows.skipped, some.windows.windows);
    println!("{what}: {left_out} of {total} windows left out");
    assert!(left_out > 0, "no window was left out");
    assert!(left_out < total, "every window was left out");
    let [all, some] = [all, some].map(|found| &found.segmentations[0]);
    let [z, y, x] = crop(golden).geometry().extent.zyx();
    for label in 1..all.task.labels.len() as u16 {
        let voxels = all.statistics.labels[usize::from(label)].voxels;
        // What the network sees where nobody is says nothing about what was left out of the body.
        let inside = |labels: &Array3<u16>| labels.slice(s![..z, ..y, ..x]).to_owned();
        let found = dice(
            inside(&some.labels).view(),
            inside(&all.labels).view(),
            label,
        );
        let whole = dice(some.labels.view(), all.labels.view(), label);
        let name = &all.task.labels[usize::from(label)];
        println!(
            "  {name}: {voxels} voxels, Dice with the full pass {found:.5}, with what is outside of \
             the body {whole:.5}"
        );
        if label == 1 {
            assert!(voxels > 1000, "there is no {name} to be found");
        }
        assert!(found >= least_dice, "{name}: Dice {found}");
    }
}

#[test]
fn air_around_a_body_is_left_out_and_hardly_a_voxel_of_the_body_changes() {
    let test = "air_around_a_body_is_left_out_and_hardly_a_voxel_of_the_body_changes";
    let Some(golden) = golden(test) else {
        return;
    };
    let model = Model::open(artefacts::trained(&golden)).unwrap();
    let volume = surrounded(&golden, WIDE, |_| -1024.0);
    let all = segment(&model, &volume, false, None);
    let some = segment(&model, &volume, true, None);
    compare(&golden, "air", [&all, &some], AIR_DICE);
    // Whatever has another label became background, or is beside a window that was left out.
    let [all, some] = [&all, &some].map(|found| &found.segmentations[0].labels);
    let differ = all.iter().zip(some).filter(|(a, b)| a != b);
    let (gone, changed): (Vec<_>, Vec<_>) = differ.partition(|(_, label)| **label == 0);
    println!(
        "{} became background, {} changed",
        gone.len(),
        changed.len()
    );
    assert!(gone.len() > 10 * changed.len(), "{} changed", changed.len());
}

#[test]
fn fast_finds_the_organ_and_leaves_windows_out() {
    let Some(golden) = golden("fast_finds_the_organ_and_leaves_windows_out") else {
        return;
    };
    let model = Model::open(artefacts::trained(&golden)).unwrap();
    // Soft tissue all around: no window is empty.
    let tissue = |index: usize| -90.0 + (index * 7919 % 41) as f32;
    let volume = surrounded(&golden, WIDE, tissue);
    let all = segment(&model, &volume, false, None);
    let some = segment(&model, &volume, false, Some(FirstLook::Half));
    compare(&golden, "half", [&all, &some], FAST_DICE);

    // This network sees something everywhere in it: what was looked at changes nothing.
    let volume = surrounded(&golden, LARGE, tissue);
    let all = segment(&model, &volume, false, None);
    let some = segment(&model, &volume, false, Some(FirstLook::Apart));
    let (looked, total) = (some.windows.looked, some.windows.windows);
    println!("apart: {looked} of {total} windows looked at");
    assert!(looked > 0 && 3 * looked <= total, "{looked} of {total}");
    let [all, some] = [all, some].map(|found| found.segmentations.into_iter().next().unwrap());
    let found = dice(some.labels.view(), all.labels.view(), 1);
    assert!(found >= FAST_DICE, "Dice {found}");
}

#[test]
fn nothing_is_left_out_of_the_real_ct_and_mr() {
    let Some(golden) = golden("nothing_is_left_out_of_the_real_ct_and_mr") else {
        return;
    };
    let model = Model::open(artefacts::trained(&golden)).unwrap();
    let [ct, mr] = ["ct", "mr"].map(|name| {
        let path = golden.path(&format!("data/{name}_small.nii.gz"));
        read_nifti(&path).unwrap().volume
    });
    let tasks = &model.manifest().tasks;
    let mut looked = 0;
    for task in tasks.iter().filter(|task| task.channels.len() == 1) {
        let volume = match task.channels[0].modality.as_str() {
            "CT" => &ct,
            _ => &mr,
        };
        // Air, and what is not seen in a first look.
        for look in [FirstLook::Half, FirstLook::Apart] {
            let found = segment_for(&model, &task.name, volume, true, Some(look));
            assert_eq!(found.windows.skipped, 0, "{} {look:?}", task.name);
            looked += found.windows.looked;
        }
    }
    assert!(looked > 0);
}
