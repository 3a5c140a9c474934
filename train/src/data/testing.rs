//! Small datasets for tests: phantoms in a temporary folder.

use std::path::{Path, PathBuf};

use ndarray::Array3;
use serde_json::{Value, json};
use tempfile::TempDir;
use uniseg_imaging::{Extent, Geometry, NiftiHeader, SpacingMm, Volume, write_image, write_labels};

use super::random::Random;
use super::{Task, Tasks};

/// Voxels of a phantom, (z, y, x).
pub(crate) const EXTENT: [usize; 3] = [12, 20, 24];
/// Its spacing, (z, y, x) in millimetres.
pub(crate) const SPACING: [f64; 3] = [4.0, 2.0, 1.5];

/// An nnU-Net folder with phantoms `ct_0`, `ct_1`, ....
pub(crate) struct Folder {
    pub dir: TempDir,
}

impl Folder {
    /// A v2 dataset of one channel and `cases` cases.
    pub(crate) fn new(cases: usize) -> Self {
        let folder = Self {
            dir: tempfile::tempdir().unwrap(),
        };
        for sub in ["imagesTr", "labelsTr"] {
            std::fs::create_dir(folder.dir.path().join(sub)).unwrap();
        }
        for case in 0..cases {
            let (image, labels) = phantom(case as u64);
            folder.put(&format!("ct_{case}"), &image, &labels);
        }
        folder.describe(json!({
            "channel_names": {"0": "CT"},
            "labels": {"background": 0, "liver": 1, "spleen": 2},
            "numTraining": cases,
            "file_ending": ".nii.gz",
        }));
        folder
    }

    pub(crate) fn path(&self) -> &Path {
        self.dir.path()
    }

    pub(crate) fn describe(&self, description: Value) {
        std::fs::write(self.path().join("dataset.json"), description.to_string()).unwrap();
    }

    pub(crate) fn image(&self, case: &str, channel: usize) -> PathBuf {
        self.path()
            .join(format!("imagesTr/{case}_{channel:04}.nii.gz"))
    }

    pub(crate) fn labels(&self, case: &str) -> PathBuf {
        self.path().join(format!("labelsTr/{case}.nii.gz"))
    }

    pub(crate) fn put(&self, case: &str, image: &Volume<f32>, labels: &Array3<u16>) {
        write_image(&self.image(case, 0), image).unwrap();
        self.put_labels(case, image, labels);
    }

    pub(crate) fn put_labels(&self, case: &str, like: &Volume<f32>, labels: &Array3<u16>) {
        let header = NiftiHeader::for_geometry(like.geometry()).unwrap();
        write_labels(&self.labels(case), labels, &header).unwrap();
    }

    /// A task on this folder; `more` is further TOML.
    pub(crate) fn task(&self, more: &str) -> Task {
        let text = format!(
            "[[task]]\nname = \"liver\"\ndataset = \".\"\nlabels = [\"liver\", \"spleen\"]\n\
             channels = [{{ modality = \"CT\", normalization = \"clip_-325_325_to_0_1\" }}]\n{more}"
        );
        let tasks = Tasks::parse(&text, &self.path().join("tasks.toml"), None).unwrap();
        tasks.tasks[0].clone()
    }
}

/// Image and labels 0..=2 of a body with two organs, in Hounsfield units: small and known to the
/// voxel, so that tests of data do not move with the realistic phantoms.
pub(crate) fn phantom(seed: u64) -> (Volume<f32>, Array3<u16>) {
    let mut random = Random::new(seed);
    let shift = random.below(3) as f32;
    let inside = |at: [usize; 3], centre: [f32; 3], radii: [f32; 3]| {
        let part = |axis: usize| (at[axis] as f32 - centre[axis]) / radii[axis];
        (0..3).map(|axis| part(axis).powi(2)).sum::<f32>() <= 1.0
    };
    let labels = Array3::from_shape_fn(EXTENT, |(z, y, x)| match [z, y, x] {
        at if inside(at, [6.0, 9.0 + shift, 8.0], [4.0, 5.0, 5.0]) => 1,
        at if inside(at, [5.0, 11.0, 17.0 + shift], [3.0, 4.0, 3.0]) => 2,
        _ => 0,
    });
    let voxels = Array3::from_shape_fn(EXTENT, |(z, y, x)| {
        let tissue = match labels[[z, y, x]] {
            1 => 100.0,
            2 => 130.0,
            _ if inside([z, y, x], [6.0, 10.0, 12.0], [30.0, 9.5, 11.5]) => 40.0,
            _ => -1000.0,
        };
        tissue + random.below(41) as f32 - 20.0
    });
    let spacing = SpacingMm::from_zyx(SPACING).unwrap();
    let geometry = Geometry::axis_aligned(Extent::from_zyx(EXTENT), spacing);
    (Volume::new(voxels, geometry).unwrap(), labels)
}

/// A volume on the grid of another.
pub(super) fn like(image: &Volume<f32>, change: impl FnOnce(&mut Array3<f32>)) -> Volume<f32> {
    let mut voxels = image.voxels().to_owned();
    change(&mut voxels);
    Volume::new(voxels, *image.geometry()).unwrap()
}

/// Stacks volumes into one four-dimensional file: their bytes follow one another in the format.
pub(super) fn write_stacked(path: &Path, channels: &[&Volume<f32>]) {
    let views: Vec<_> = channels.iter().map(|channel| channel.voxels()).collect();
    let voxels = ndarray::concatenate(ndarray::Axis(0), &views).unwrap();
    let mut geometry = *channels[0].geometry();
    let [z, y, x] = geometry.extent.zyx();
    geometry.extent = Extent::from_zyx([z * channels.len(), y, x]);
    let plain = path.with_file_name("stacked.nii");
    write_image(&plain, &Volume::new(voxels, geometry).unwrap()).unwrap();
    let mut bytes = std::fs::read(&plain).unwrap();
    std::fs::remove_file(&plain).unwrap();
    let dims = [4, x, y, z, channels.len(), 1, 1, 1];
    for (i, size) in dims.into_iter().enumerate() {
        bytes[40 + 2 * i..42 + 2 * i].copy_from_slice(&(size as i16).to_le_bytes());
    }
    // Compression is recognised by content, not by name.
    std::fs::write(path, bytes).unwrap();
}
