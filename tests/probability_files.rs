//! `segment --probabilities`: four-dimensional files on the image's own voxels.

use std::path::{Path, PathBuf};

use uniseg_imaging::ndarray::Array3;
use uniseg_imaging::{
    Extent, Geometry, SpacingMm, Volume, read_nifti, read_nifti_channels, write_image,
};

use crate::support::compare::read_labels;
use crate::support::{artefacts, names_in, python::python, uniseg};

/// A CT at half the sample's spacing, with an empty border: crop, resampling and the way back.
fn image(folder: &Path) -> PathBuf {
    let path = folder.join("ct.nii.gz");
    let spacing = SpacingMm::from_zyx([1.5, 1.0, 0.75]).unwrap();
    let geometry = Geometry::axis_aligned(Extent::from_zyx([12, 9, 14]), spacing);
    let voxels = Array3::from_shape_fn((12, 9, 14), |(z, y, x)| match (z, y) {
        (0 | 11, _) | (_, 0) => 0.0,
        _ => ((z * 47 + y * 31 + x * 13) % 401) as f32 - 100.5,
    });
    write_image(&path, &Volume::new(voxels, geometry).unwrap()).unwrap();
    path
}

fn segment(input: &Path, output: &Path, more: &[&str]) -> crate::support::Run {
    let model = artefacts::tiny().to_str().unwrap();
    let [input, output] = [input, output].map(|path| path.to_str().unwrap());
    let fixed = [
        "segment", model, input, "--task", "blob", "--engine", "tract", "-o", output,
    ];
    uniseg(fixed.iter().chain(more))
}

#[test]
fn the_highest_probability_is_the_label_and_the_grid_is_the_images() {
    let folder = tempfile::tempdir().unwrap();
    let input = image(folder.path());
    let labels = folder.path().join("blob.nii.gz");
    segment(&input, &labels, &["--probabilities"]).succeeds();
    let names = [
        "blob.json",
        "blob.nii.gz",
        "blob.probabilities.nii.gz",
        "ct.nii.gz",
    ];
    assert_eq!(names_in(folder.path()), names);
    let path = folder.path().join("blob.probabilities.nii.gz");
    let found = read_nifti_channels(&path).unwrap();
    let header = read_nifti(&input).unwrap().header;
    assert_eq!(found.header.geometry(), header.geometry());
    assert_eq!(found.header.bytes()[252..328], header.bytes()[252..328]);
    let labels = read_labels(&labels);
    let [background, blob] = [0, 1].map(|class| found.channels[class].voxels());
    assert_eq!(found.channels.len(), 2);
    let mut seen = [0, 0];
    for ((at, label), (background, blob)) in labels.indexed_iter().zip(background.iter().zip(blob))
    {
        // Stored in steps of 1/65536: what is nearer than that is a tie.
        if (background - blob).abs() > 2.0 / 65_536.0 {
            assert_eq!(u16::from(blob > background), *label, "{at:?}");
            seen[usize::from(*label)] += 1;
        }
        assert!((background + blob - 1.0).abs() < 3.0 / 65_536.0, "{at:?}");
        if at.0 == 0 {
            assert_eq!((*background, *blob), (1.0, 0.0));
        }
    }
    assert!(seen.iter().all(|count| *count > 10), "{seen:?}");

    // The classes are compressed one by one, which an independent reader has to understand.
    const SUMS: &str = r#"
import sys, nibabel
image = nibabel.load(sys.argv[1])
values = image.get_fdata()
print(values.shape, image.get_data_dtype(), round(float(values[..., 1].sum()), 3))
"#;
    let sum: f64 = blob.iter().map(|value| f64::from(*value)).sum();
    let expected = format!("(14, 9, 12, 2) float32 {}", (sum * 1000.0).round() / 1000.0);
    assert_eq!(python(SUMS, &[&path]).trim(), expected);
}

#[test]
fn a_cohort_without_them_is_not_finished() {
    let folder = tempfile::tempdir().unwrap();
    let input = folder.path().join("in");
    std::fs::create_dir(&input).unwrap();
    image(&input);
    let output = folder.path().join("out");
    let state = |more: &[&str]| {
        let said = segment(&input, &output, more).succeeds();
        let line = said.lines().nth(1).unwrap().to_owned();
        line.split_whitespace().nth(1).unwrap().to_owned()
    };
    assert_eq!(state(&[]), "done");
    assert_eq!(state(&["--probabilities"]), "done");
    assert_eq!(state(&["--probabilities"]), "skipped");
    assert_eq!(state(&[]), "skipped");
    let all = ["ct.json", "ct.nii.gz", "ct.probabilities.nii.gz"];
    assert_eq!(names_in(&output), all);
    // Those of other settings do not stay beside labels that they do not belong to.
    assert_eq!(state(&["--mirror"]), "done");
    assert_eq!(names_in(&output), all[..2]);
    assert_eq!(state(&["--mirror", "--probabilities"]), "done");
    assert_eq!(state(&["--mirror", "--probabilities"]), "skipped");
    assert_eq!(names_in(&output), all);
    // Labels that could not be replaced do not belong to the probabilities, and their record says
    // so.
    let label = output.join("ct.nii.gz");
    std::fs::remove_file(&label).unwrap();
    std::fs::create_dir(&label).unwrap();
    let failed = segment(&input, &output, &["--probabilities"]);
    assert_eq!(failed.code, Some(1), "{}", failed.stderr);
    let record = std::fs::read_to_string(output.join("ct.json")).unwrap();
    assert_eq!(record, "{\"unfinished\":true}\n");
}
