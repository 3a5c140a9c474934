//! Two small datasets of phantoms to plan for, and to break.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use tempfile::TempDir;
use uniseg::imaging::ndarray::Array3;
use uniseg::imaging::{Extent, Geometry, Volume, read_nifti, write_image};

use crate::support::{Run, uniseg};

/// Coarse, so that preprocessing takes no time.
pub const SPACING: [f64; 3] = [6.0, 4.0, 4.0];

/// The datasets as they were made: three cases each.
fn made() -> &'static Path {
    static MADE: OnceLock<TempDir> = OnceLock::new();
    MADE.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        let dir = folder.path().to_str().unwrap();
        uniseg([
            "phantom", dir, "--cases", "3", "--size", "small", "--seed", "3", "--task", "spleen",
            "kidney",
        ])
        .succeeds();
        folder
    })
    .path()
}

/// A copy of the datasets with a tasks file.
pub struct Bench {
    folder: TempDir,
}

impl Bench {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        copy(made(), folder.path());
        let task = |name: &str, dataset: &str, labels: &str| {
            format!(
                "[[task]]\nname = \"{name}\"\ndataset = \"{dataset}\"\n\
                 spacing_zyx_mm = {SPACING:?}\n\
                 channels = [{{ modality = \"CT\", normalization = \"clip_-325_325_to_0_1\" }}]\n\
                 labels = {labels}\n\n"
            )
        };
        let text = task("spleen", "Dataset007_spleen", "[\"spleen\"]")
            + &task("kidney", "Dataset002_kidney", "[\"kidney\", \"tumour\"]");
        fs::write(folder.path().join("tasks.toml"), text).unwrap();
        Self { folder }
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// `uniseg plan tasks.toml -o plan.json`.
    #[track_caller]
    pub fn plan(&self, more: &[&str]) -> Run {
        let [tasks, output] = ["tasks.toml", "plan.json"].map(|name| self.path(name));
        let fixed = [
            "plan",
            tasks.to_str().unwrap(),
            "-o",
            output.to_str().unwrap(),
        ];
        uniseg(fixed.iter().chain(more))
    }

    /// The arguments of `uniseg preprocess tasks.toml --plan plan.json -o cache`.
    pub fn preprocess(&self) -> Vec<String> {
        let [tasks, plan, cache] = ["tasks.toml", "plan.json", "cache"]
            .map(|name| self.path(name).to_str().unwrap().to_owned());
        vec![
            "preprocess".into(),
            tasks,
            "--plan".into(),
            plan,
            "-o".into(),
            cache,
        ]
    }

    /// Changes a text file.
    pub fn edit(&self, name: &str, change: impl FnOnce(&str) -> String) {
        let path = self.path(name);
        let before = fs::read_to_string(&path).unwrap();
        let after = change(&before);
        assert_ne!(before, after, "{name} stays as it is");
        fs::write(path, after).unwrap();
    }

    /// Changes the voxels of a volume.
    pub fn paint(&self, name: &str, change: impl FnOnce(&mut Array3<f32>)) {
        let path = self.path(name);
        let volume = read_nifti(&path).unwrap().volume;
        let geometry = *volume.geometry();
        let mut voxels = volume.into_voxels();
        change(&mut voxels);
        write_image(&path, &Volume::new(voxels, geometry).unwrap()).unwrap();
    }

    /// Cuts the last slice off a volume.
    pub fn shorten(&self, name: &str) {
        let path = self.path(name);
        let volume = read_nifti(&path).unwrap().volume;
        let geometry = *volume.geometry();
        let mut size = geometry.extent.zyx();
        size[0] -= 1;
        let voxels = volume.into_voxels();
        let cut = Array3::from_shape_fn(size, |at| voxels[at]);
        let geometry = Geometry {
            extent: Extent::from_zyx(size),
            ..geometry
        };
        write_image(&path, &Volume::new(cut, geometry).unwrap()).unwrap();
    }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        match entry.file_type().unwrap().is_dir() {
            true => copy(&entry.path(), &target),
            false => {
                fs::copy(entry.path(), target).unwrap();
            }
        }
    }
}
