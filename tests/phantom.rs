//! Datasets of synthetic patients, as the command writes them and the reader reads them.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use uniseg::imaging::phantom::{PhantomCase, PhantomTask, Protocol, TASKS, Tissue};
use uniseg::imaging::{NiftiImage, read_nifti};

use crate::support::{names_in, uniseg};

/// Smaller than any preset: these tests look at what is there, not at how fine it is.
const COARSE: Protocol = Protocol {
    slices: [20, 24],
    pixels: [36, 40],
    varied_orientation: true,
    same_scans: false,
    reach: 1.0,
};

fn phantom(folder: &Path, more: &[&str]) -> crate::support::Run {
    let fixed = ["phantom", folder.to_str().unwrap(), "--size", "small"];
    uniseg(fixed.iter().chain(more))
}

#[track_caller]
fn json_of(folder: &Path) -> Value {
    serde_json::from_slice(&fs::read(folder.join("dataset.json")).unwrap()).unwrap()
}

#[track_caller]
fn nifti(path: PathBuf) -> NiftiImage {
    let image = read_nifti(&path).unwrap();
    assert!(
        image.warnings.is_empty(),
        "{}: {:?}",
        path.display(),
        image.warnings
    );
    image
}

/// The values of a label file, as the label map's type.
fn values(image: &NiftiImage) -> BTreeSet<u16> {
    image
        .volume
        .voxels()
        .iter()
        .map(|value| *value as u16)
        .collect()
}

#[test]
fn the_command_writes_what_nnunet_reads() {
    let root = tempfile::tempdir().unwrap();
    let run = phantom(root.path(), &["--cases", "2", "--seed", "7"]);
    let said = run.stderr.clone();
    let table = run.succeeds();
    assert_eq!(said.lines().count(), TASKS.len(), "{said}");
    assert_eq!(table.lines().count(), 1 + TASKS.len(), "{table}");
    let folders: Vec<String> = TASKS.iter().map(PhantomTask::dataset).collect();
    assert_eq!(names_in(root.path()), folders);
    for task in TASKS {
        let folder = root.path().join(task.dataset());
        let json = json_of(&folder);
        let channels: Vec<&str> = task.channel_names().collect();
        let named = json["channel_names"].as_object().unwrap();
        assert_eq!(named.len(), channels.len());
        for (number, channel) in channels.iter().enumerate() {
            assert_eq!(named[&number.to_string()], *channel);
        }
        let labels = json["labels"].as_object().unwrap();
        assert_eq!(labels.len(), 1 + task.label_names().count());
        assert_eq!(labels["background"], 0);
        for (index, label) in task.label_names().enumerate() {
            assert_eq!(labels[label], index + 1);
        }
        assert_eq!(
            (&json["numTraining"], &json["file_ending"]),
            (&json!(2), &json!(".nii.gz"))
        );

        let ids = [0, 1].map(|case| task.case_id(case));
        assert_eq!(
            names_in(&folder.join("labelsTr")),
            ids.clone().map(|id| id + ".nii.gz")
        );
        let images: Vec<String> = ids
            .iter()
            .flat_map(|id| (0..channels.len()).map(move |c| format!("{id}_{c:04}.nii.gz")))
            .collect();
        assert_eq!(names_in(&folder.join("imagesTr")), images);
        let labels = nifti(folder.join("labelsTr").join(format!("{}.nii.gz", ids[1])));
        let highest = task.label_names().count() as u16;
        assert!(
            values(&labels).iter().all(|value| *value <= highest),
            "{}",
            task.name
        );
        for channel in 0..channels.len() {
            let image = nifti(
                folder
                    .join("imagesTr")
                    .join(format!("{}_{channel:04}.nii.gz", ids[1])),
            );
            assert_eq!(image.volume.geometry(), labels.volume.geometry());
        }
    }
}

#[test]
fn the_same_seed_gives_the_same_bytes_and_finished_cases_are_kept() {
    let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let asked = ["--task", "brain", "spleen", "--seed", "3", "--cases"];
    let with = |cases| [&asked[..], &[cases]].concat();
    phantom(one.path(), &with("2")).succeeds();
    // The second run is stopped in the middle of a case: its images are there, its labels not.
    phantom(two.path(), &with("1")).succeeds();
    let spleen = two.path().join("Dataset007_spleen");
    fs::remove_file(spleen.join("labelsTr/spleen_000.nii.gz")).unwrap();
    let kept = two
        .path()
        .join("Dataset010_brain/labelsTr/BraTS2021_000.nii.gz");
    let before = fs::metadata(&kept).unwrap().modified().unwrap();
    let table = phantom(two.path(), &with("2")).succeeds();
    let counts = |name: &str| -> Vec<String> {
        let row = table.lines().find(|line| line.contains(name)).unwrap();
        row.split_whitespace()
            .skip(1)
            .take(2)
            .map(str::to_owned)
            .collect()
    };
    assert_eq!(
        (counts("spleen"), counts("brain")),
        (vec!["2".into(); 2], vec!["2".into(), "1".into()])
    );
    assert_eq!(
        fs::metadata(&kept).unwrap().modified().unwrap(),
        before,
        "it was made again"
    );
    for dataset in ["Dataset007_spleen", "Dataset010_brain"] {
        for part in ["imagesTr", "labelsTr", "."] {
            let [a, b] = [&one, &two].map(|root| root.path().join(dataset).join(part));
            assert_eq!(names_in(&a), names_in(&b));
            for name in names_in(&a).iter().filter(|name| name.contains('.')) {
                assert!(
                    fs::read(a.join(name)).unwrap() == fs::read(b.join(name)).unwrap(),
                    "{name}"
                );
            }
        }
    }
}

#[test]
fn what_cannot_be_made_is_refused() {
    let root = tempfile::tempdir().unwrap();
    phantom(root.path(), &["--task", "livre"]).refuses(&["livre", "hepatic_vessel", "whole_body"]);
    assert_eq!(names_in(root.path()), [""; 0]);
    let spleen = ["--task", "spleen", "--cases", "1"];
    phantom(root.path(), &spleen).succeeds();
    let other_seed = [&spleen[..], &["--seed", "2"]].concat();
    phantom(root.path(), &other_seed).refuses(&["Dataset007_spleen", "another folder"]);
    fs::write(root.path().join("Dataset001_liver"), "a file").unwrap();
    phantom(root.path(), &["--task", "liver"]).refuses(&["Dataset001_liver"]);
}

#[test]
fn every_task_has_all_its_labels_over_a_few_cases() {
    for task in TASKS {
        let mut found = BTreeSet::new();
        for case in 0..5 {
            let labels = PhantomCase::new(task, 1, case, &COARSE)
                .unwrap()
                .labels(task);
            assert!(
                labels.iter().any(|label| *label > 0),
                "{} {case} has no label",
                task.name
            );
            found.extend(labels);
        }
        let all: BTreeSet<u16> = (0..=task.label_names().count() as u16).collect();
        assert_eq!(found, all, "{}", task.name);
    }
}

#[test]
fn grids_vary_as_archives_do() {
    let (mut orientations, mut spacings, mut extents) =
        <(BTreeSet<_>, BTreeSet<_>, BTreeSet<_>)>::default();
    let (mut oblique, mut anisotropic) = (0, 0);
    for task in TASKS {
        for case in 0..6 {
            let geometry = PhantomCase::new(task, 2, case, &COARSE).unwrap().geometry;
            orientations.insert(geometry.affine.orientation());
            let [z, y, x] = geometry.spacing.zyx();
            spacings.insert([z, y, x].map(|mm| (mm * 100.0) as i64));
            extents.insert(geometry.extent.zyx());
            let columns = geometry.affine.rows().map(|[a, b, c, _]| [a, b, c]);
            let turned = columns.iter().flatten().filter(|v| v.abs() > 1e-9).count() > 3;
            oblique += usize::from(turned);
            anisotropic += usize::from(z / x.min(y) > 2.0);
        }
    }
    assert!(orientations.len() >= 6, "{orientations:?}");
    assert!(
        orientations.iter().any(|code| !code.ends_with(['S', 'I'])),
        "{orientations:?}"
    );
    assert!(
        spacings.len() > 40 && extents.len() > 20,
        "{} {}",
        spacings.len(),
        extents.len()
    );
    assert!(
        (3..40).contains(&oblique) && anisotropic >= 6,
        "{oblique} {anisotropic}"
    );
}

/// One patient, one scan, eight datasets: each tells its part of the truth and nothing else.
#[test]
fn ct_datasets_label_the_same_anatomy_in_parts() {
    let protocol = Protocol {
        same_scans: true,
        ..COARSE
    };
    let ct: Vec<&PhantomTask> = TASKS
        .iter()
        .filter(|task| task.channel_names().eq(["CT"]))
        .collect();
    assert_eq!(ct.len(), 8);
    let cases: Vec<PhantomCase> = ct
        .iter()
        .map(|task| PhantomCase::new(task, 4, 1, &protocol).unwrap())
        .collect();
    for (task, case) in ct.iter().zip(&cases) {
        assert_eq!(case.channels, cases[0].channels, "{}", task.name);
        assert_eq!(case.tissues(), cases[0].tissues(), "{}", task.name);
        let labels = case.labels(task);
        let hidden = labels.iter().zip(case.tissues()).filter(|(label, tissue)| {
            **label == 0 && ct.iter().any(|other| other.label_of(**tissue) > 0)
        });
        assert!(hidden.count() > 100, "{} labels everything", task.name);
    }
    // Scans of their own show the same organs: a spleen is as large for the liver's annotators.
    let spleen = |task: &str| {
        let task = PhantomTask::named(task).unwrap();
        let case = PhantomCase::new(task, 4, 1, &COARSE).unwrap();
        let voxels = case
            .tissues()
            .iter()
            .filter(|tissue| **tissue == Tissue::Spleen)
            .count();
        voxels as f64 * case.geometry.spacing.voxel_ml()
    };
    let (own, another) = (spleen("spleen"), spleen("liver"));
    assert!((own - another).abs() < 0.15 * own, "{own} ml, {another} ml");
}
