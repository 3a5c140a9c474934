//! Label maps as nibabel reads them: on the input's grid, to the last bit of its header.

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::support::{artefacts, golden, python::python, uniseg};

/// Files that scanners and converters write, but our own writer does not.
const MAKE: &str = r#"
import sys, numpy, nibabel
folder = sys.argv[1]
voxels = numpy.random.default_rng(0).integers(-200, 400, (13, 11, 7)).astype(numpy.int16)
angle = numpy.deg2rad(20)
oblique = numpy.array([
    [-1.5 * numpy.cos(angle), 2.0 * numpy.sin(angle), 0, 41.5],
    [1.5 * numpy.sin(angle), 2.0 * numpy.cos(angle), 0, -17.25],
    [0, 0, 3.0, 1003.125],
    [0, 0, 0, 1]])

image = nibabel.Nifti2Image(voxels, oblique)
image.header.set_xyzt_units("mm", "sec")
nibabel.save(image, f"{folder}/nifti2.nii.gz")

header = nibabel.Nifti1Header(endianness=">")
header.set_data_dtype(numpy.int16)
nibabel.save(nibabel.Nifti1Image(voxels, oblique, header), f"{folder}/big_endian.nii")

image = nibabel.Nifti1Image(voxels, None)
image.set_qform(oblique, 1)
image.set_sform(None, 0)
image.header["scl_slope"], image.header["scl_inter"] = 0.5, -12
nibabel.save(image, f"{folder}/qform_only.nii.gz")

image = nibabel.Nifti1Image(voxels, oblique)
image.set_sform(oblique, 4)
image.set_qform(numpy.diag([1.5, 2, 3, 1]), 2)
image.header.set_xyzt_units("micron")
nibabel.save(image, f"{folder}/two_forms.nii.gz")
"#;

/// What must be equal in input and labels, and what the labels are.
const COMPARE: &str = r#"
import json, sys, numpy, nibabel
def grid(path):
    image = nibabel.load(path)
    header = image.header
    exact = lambda name: [float(v).hex() for v in numpy.atleast_1d(header[name])]
    return {
        "class": type(image).__name__,
        "shape": list(image.shape),
        "affine": [float(v).hex() for v in image.affine.ravel()],
        "codes": [int(header["sform_code"]), int(header["qform_code"])],
        "units": int(header["xyzt_units"]),
        "forms": [exact(name) for name in ("pixdim", "srow_x", "srow_y", "srow_z", "quatern_b",
            "quatern_c", "quatern_d", "qoffset_x", "qoffset_y", "qoffset_z")],
    }
labels = nibabel.load(sys.argv[2])
values = numpy.asanyarray(labels.dataobj)
print(json.dumps({
    "input": grid(sys.argv[1]),
    "output": grid(sys.argv[2]),
    "dtype": str(labels.get_data_dtype()),
    "read": str(values.dtype),
    "highest": int(values.max()),
}))
"#;

#[track_caller]
fn check(image: &Path, suffix: &str) {
    let scratch = tempfile::tempdir().unwrap();
    let output = scratch.path().join(format!("labels{suffix}"));
    let model = artefacts::tiny();
    uniseg([
        "segment",
        model.to_str().unwrap(),
        image.to_str().unwrap(),
        "--task",
        "blob",
        "--step",
        "1",
        "--engine",
        "tract",
        "-o",
        output.to_str().unwrap(),
    ])
    .succeeds();
    let compared: Value = serde_json::from_str(&python(COMPARE, &[image, &output])).unwrap();
    let name = image.display();
    assert_eq!(compared["output"], compared["input"], "{name}");
    assert_eq!(compared["dtype"], "uint8", "{name}");
    // A scaling would turn labels into floats.
    assert_eq!(compared["read"], "uint8", "{name}");
    assert!(compared["highest"].as_u64().unwrap() <= 1, "{name}");
}

#[test]
fn labels_keep_the_grid_of_unusual_files() {
    let folder = tempfile::tempdir().unwrap();
    python(MAKE, &[folder.path()]);
    for name in [
        "nifti2.nii.gz",
        "big_endian.nii",
        "qform_only.nii.gz",
        "two_forms.nii.gz",
    ] {
        let image: PathBuf = folder.path().join(name);
        check(&image, ".nii.gz");
        check(&image, ".nii");
    }
}

#[test]
fn labels_keep_the_grid_of_real_files() {
    let Some(golden) = golden("labels_keep_the_grid_of_real_files") else {
        return;
    };
    for name in ["ct_small", "mr_small", "aniso_oblique", "zero_border"] {
        check(&golden.path(&format!("data/{name}.nii.gz")), ".nii.gz");
    }
}
