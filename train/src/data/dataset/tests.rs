use serde_json::json;

use super::*;
use crate::data::testing::{Folder, phantom, write_stacked};

fn names(dataset: &Dataset) -> Vec<&str> {
    dataset
        .cases
        .iter()
        .map(|case| case.name.as_str())
        .collect()
}

#[test]
fn version_2_is_listed_from_its_folder() {
    let folder = Folder::new(3);
    std::fs::write(
        folder.path().join("imagesTr/._ct_9_0000.nii.gz"),
        b"other system",
    )
    .unwrap();
    let dataset = Dataset::open(folder.path(), None).unwrap();
    assert_eq!(dataset.format, Format::NnunetV2);
    assert_eq!(names(&dataset), ["ct_0", "ct_1", "ct_2"]);
    assert_eq!(dataset.channels, ["CT"]);
    assert_eq!(dataset.declared_cases, Some(3));
    assert_eq!(
        dataset.labels[2],
        DeclaredLabel {
            name: "spleen".into(),
            values: vec![2]
        }
    );
    assert_eq!(
        dataset.cases[1].images,
        CaseImages::Separate(vec![folder.image("ct_1", 0)])
    );
    assert_eq!(dataset.cases[1].labels, folder.labels("ct_1"));
    assert!(dataset.faults.is_empty());
}

#[test]
fn version_2_may_list_files_and_regions() {
    let folder = Folder::new(2);
    folder.describe(json!({
        "channel_names": {"0": "T1", "1": "T2"},
        "labels": {"background": 0, "whole": [1, 2], "core": [2]},
        "file_ending": ".nii.gz",
        "dataset": {
            "b": {"images": ["imagesTr/x.nii.gz", "imagesTr/y.nii.gz"], "label": "labelsTr/b.nii.gz"},
            "../evil": {"images": [], "label": "labelsTr/c.nii.gz"},
        },
    }));
    let dataset = Dataset::open(folder.path(), None).unwrap();
    assert_eq!(names(&dataset), ["b"]);
    assert_eq!(dataset.labels[1].values, [1, 2]);
    assert!(matches!(dataset.faults[..], [(_, Fault::Outside)]));
}

#[test]
fn version_1_lists_names_without_channels() {
    let folder = Folder::new(2);
    folder.describe(json!({
        "modality": {"0": "CT", "1": "PET"},
        "labels": {"0": "background", "1": "tumour"},
        "numTraining": 2,
        "training": [
            {"image": "./imagesTr/ct_1.nii.gz", "label": "./labelsTr/ct_1.nii.gz"},
            {"image": "./imagesTr/ct_0.nii.gz", "label": "./labelsTr/ct_0.nii.gz"},
            {"image": "../../secret.nii.gz", "label": "./labelsTr/ct_0.nii.gz"},
        ],
    }));
    let dataset = Dataset::open(folder.path(), None).unwrap();
    assert_eq!(dataset.format, Format::NnunetV1);
    assert_eq!(names(&dataset), ["ct_0", "ct_1"]);
    let files = vec![folder.image("ct_0", 0), folder.image("ct_0", 1)];
    assert_eq!(dataset.cases[0].images, CaseImages::Separate(files));
    assert!(matches!(dataset.faults[..], [(_, Fault::Outside)]));
}

#[test]
fn the_decathlon_stacks_channels_in_one_file() {
    let folder = Folder::new(0);
    let (image, labels) = phantom(1);
    let path = folder.path().join("imagesTr/BRATS_001.nii.gz");
    write_stacked(&path, &[&image, &image]);
    folder.put_labels("BRATS_001", &image, &labels);
    let mut description = json!({
        "modality": {"0": "FLAIR", "1": "T1w"},
        "labels": {"0": "background", "1": "liver", "2": "spleen"},
        "numTraining": 1, "tensorImageSize": "4D",
        "training": [{"image": "./imagesTr/BRATS_001.nii.gz", "label": "./labelsTr/BRATS_001.nii.gz"}],
    });
    for listed in [true, false] {
        folder.describe(description.clone());
        let dataset = Dataset::open(folder.path(), None).unwrap();
        assert_eq!(dataset.format, Format::Decathlon, "{listed}");
        assert_eq!(names(&dataset), ["BRATS_001"]);
        assert_eq!(dataset.cases[0].images, CaseImages::Stacked(path.clone()));
        description.as_object_mut().unwrap().remove("training");
    }
}

#[test]
fn oddities_of_a_folder_are_listed() {
    let folder = Folder::new(2);
    std::fs::copy(folder.image("ct_0", 0), folder.image("ct_0", 1)).unwrap();
    std::fs::copy(
        folder.image("ct_0", 0),
        folder.path().join("imagesTr/notes.nii.gz"),
    )
    .unwrap();
    std::fs::copy(folder.labels("ct_0"), folder.labels("ct_7")).unwrap();
    let faults = Dataset::open(folder.path(), None).unwrap().faults;
    let texts: Vec<String> = faults.iter().map(|(_, fault)| fault.to_string()).collect();
    assert_eq!(
        texts,
        [
            "the name is not CASE_0000 with the dataset's file ending: it is ignored",
            "dataset.json declares 1 channel(s), but this is number 1 (from 0)",
            "there are labels but no image",
        ]
    );
}

#[test]
fn bad_descriptions_name_the_entry() {
    let folder = Folder::new(1);
    let good = json!({
        "channel_names": {"0": "CT"}, "labels": {"background": 0}, "file_ending": ".nii.gz",
    });
    for (key, value, part) in [
        ("file_ending", json!(".nrrd"), "file_ending is \".nrrd\""),
        (
            "channel_names",
            json!({"1": "CT"}),
            "channel_names is {\"1\":\"CT\"}",
        ),
        ("channel_names", json!([]), "channel_names is []"),
        (
            "labels",
            json!({"liver": -1}),
            "labels, entry 'liver', is -1",
        ),
        ("labels", json!({"liver": 70000}), "70000"),
        ("labels", json!(null), "labels is null"),
        ("training", json!([{"image": "x"}]), "training[0]"),
        ("dataset", json!({"a": {}}), "dataset, entry 'a',"),
    ] {
        let mut description = good.clone();
        description[key] = value;
        folder.describe(description);
        let error = Dataset::open(folder.path(), None).unwrap_err().to_string();
        assert!(error.contains(part), "{error} should say {part}");
    }
    std::fs::write(folder.path().join("dataset.json"), "{").unwrap();
    let error = Dataset::open(folder.path(), None).unwrap_err();
    assert!(matches!(error, DataError::Json { .. }), "{error}");
    std::fs::remove_file(folder.path().join("dataset.json")).unwrap();
    let error = Dataset::open(folder.path(), None).unwrap_err();
    assert!(matches!(error, DataError::NotADataset { .. }), "{error}");
    folder.describe(good);
    std::fs::remove_dir_all(folder.path().join("imagesTr")).unwrap();
    std::fs::remove_dir_all(folder.path().join("labelsTr")).unwrap();
    let error = Dataset::open(folder.path(), None).unwrap_err();
    assert!(matches!(error, DataError::NoCases { .. }), "{error}");
}
