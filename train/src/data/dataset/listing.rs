//! Which files belong to which case.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path, PathBuf};

use crate::data::{DataError, fault::Fault};

use super::json::{Description, Listed};
use super::{Case, CaseImages, Format};

const ENDINGS: [&str; 2] = [".nii.gz", ".nii"];

/// The cases of a folder.
pub(super) struct Listing {
    pub format: Format,
    pub cases: Vec<Case>,
    pub faults: Vec<(PathBuf, Fault)>,
}

impl Listing {
    pub(super) fn read(
        folder: &Path,
        description: &Description,
        format: Option<Format>,
    ) -> Result<Self, DataError> {
        let images = names_in(&folder.join("imagesTr"))?;
        let format = format.unwrap_or_else(|| detect(description, &images));
        let ending = match &description.file_ending {
            Some(ending) => ending.as_str(),
            None => ending_in_use(description, &images),
        };
        let mut listing = Self {
            format,
            cases: Vec::new(),
            faults: Vec::new(),
        };
        if !description.training.is_empty() {
            for entry in &description.training {
                listing.add_listed(folder, description, entry, ending);
            }
        } else if format == Format::Decathlon {
            for name in images.iter().filter_map(|file| file.strip_suffix(ending)) {
                listing.cases.push(Case {
                    name: name.to_owned(),
                    images: CaseImages::Stacked(
                        folder.join("imagesTr").join(format!("{name}{ending}")),
                    ),
                    labels: folder.join("labelsTr").join(format!("{name}{ending}")),
                });
            }
        } else {
            listing.add_files(folder, description, &images, ending)?;
        }
        listing.cases.sort_by(|a, b| a.name.cmp(&b.name));
        listing.cases.dedup_by(|a, b| a.name == b.name);
        Ok(listing)
    }

    /// A case of the training list. nnU-Net v1 lists `CASE.nii.gz` where it has files
    /// `CASE_0000.nii.gz`.
    fn add_listed(
        &mut self,
        folder: &Path,
        description: &Description,
        entry: &Listed,
        ending: &str,
    ) {
        let mut inside = |path: &str| {
            let joined = join_inside(folder, path);
            if joined.is_none() {
                self.faults.push((folder.join(path), Fault::Outside));
            }
            joined
        };
        let images: Option<Vec<PathBuf>> = entry.images.iter().map(|path| inside(path)).collect();
        let (Some(images), Some(labels)) = (images, inside(&entry.labels)) else {
            return;
        };
        let name = entry.name.clone().unwrap_or_else(|| {
            let file = labels
                .file_name()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned();
            strip_ending(&file).unwrap_or(&file).to_owned()
        });
        // The name becomes a file name in the cache.
        if !matches!(
            Path::new(&name).components().collect::<Vec<_>>()[..],
            [Component::Normal(only)] if only == name.as_str()
        ) {
            self.faults
                .push((folder.join(&entry.labels), Fault::Outside));
            return;
        }
        let images = match (self.format, images) {
            (Format::Decathlon, images) => match images.into_iter().next() {
                Some(image) => CaseImages::Stacked(image),
                None => return,
            },
            (Format::NnunetV2, images) => CaseImages::Separate(images),
            (Format::NnunetV1, _) => separate(folder, &name, description.channels.len(), ending),
        };
        self.cases.push(Case {
            name,
            images,
            labels,
        });
    }

    /// All cases that have an image or a label file in an nnU-Net folder.
    fn add_files(
        &mut self,
        folder: &Path,
        description: &Description,
        images: &[String],
        ending: &str,
    ) -> Result<(), DataError> {
        let declared = description.channels.len();
        let mut with_image: BTreeMap<String, BTreeSet<usize>> = BTreeMap::new();
        for file in images {
            match file.strip_suffix(ending).and_then(split_channel) {
                Some((name, channel)) => {
                    with_image
                        .entry(name.to_owned())
                        .or_default()
                        .insert(channel);
                }
                None => {
                    let path = folder.join("imagesTr").join(file);
                    self.faults.push((path, Fault::StrangeName));
                }
            }
        }
        for (name, channels) in &with_image {
            for &found in channels.iter().filter(|channel| **channel >= declared) {
                let path = folder
                    .join("imagesTr")
                    .join(format!("{name}_{found:04}{ending}"));
                self.faults
                    .push((path, Fault::UndeclaredChannel { found, declared }));
            }
            self.cases.push(Case {
                name: name.clone(),
                images: separate(folder, name, declared, ending),
                labels: folder.join("labelsTr").join(format!("{name}{ending}")),
            });
        }
        for file in names_in(&folder.join("labelsTr"))? {
            let name = file.strip_suffix(ending);
            if name.is_some_and(|name| !with_image.contains_key(name)) {
                let path = folder.join("labelsTr").join(file);
                self.faults.push((path, Fault::LabelsWithoutImage));
            }
        }
        Ok(())
    }
}

fn separate(folder: &Path, name: &str, channels: usize, ending: &str) -> CaseImages {
    let file = |channel| {
        folder
            .join("imagesTr")
            .join(format!("{name}_{channel:04}{ending}"))
    };
    CaseImages::Separate((0..channels).map(file).collect())
}

fn detect(description: &Description, images: &[String]) -> Format {
    if description.version_2 {
        return Format::NnunetV2;
    }
    let numbered = |file: &String| strip_ending(file).and_then(split_channel).is_some();
    if images.iter().any(numbered) {
        Format::NnunetV1
    } else {
        Format::Decathlon
    }
}

fn ending_in_use(description: &Description, images: &[String]) -> &'static str {
    let listed = description
        .training
        .iter()
        .map(|entry| entry.labels.as_str());
    let mut names = listed.chain(images.iter().map(String::as_str));
    names
        .find_map(|name| ENDINGS.into_iter().find(|ending| name.ends_with(ending)))
        .unwrap_or(ENDINGS[0])
}

fn strip_ending(file: &str) -> Option<&str> {
    ENDINGS
        .into_iter()
        .find_map(|ending| file.strip_suffix(ending))
}

/// `liver_12_0001` is channel 1 of `liver_12`.
fn split_channel(stem: &str) -> Option<(&str, usize)> {
    let (name, channel) = stem.rsplit_once('_')?;
    let digits = channel.len() == 4 && channel.bytes().all(|byte| byte.is_ascii_digit());
    (digits && !name.is_empty()).then_some((name, channel.parse().ok()?))
}

/// File names of a folder, sorted, without hidden ones (the decathlon's archives carry `._NAME`
/// files of another system). A folder that is missing has none: its files are missed one by one.
fn names_in(folder: &Path) -> Result<Vec<String>, DataError> {
    let entries = match std::fs::read_dir(folder) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(DataError::io("list", folder))?,
    };
    let mut names = Vec::new();
    for entry in entries {
        let entry = entry.map_err(DataError::io("list", folder))?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if !name.starts_with('.') {
            names.push(name);
        }
    }
    names.sort_unstable();
    Ok(names)
}

/// A path of a list, which must stay within the dataset's folder.
fn join_inside(folder: &Path, relative: &str) -> Option<PathBuf> {
    let mut joined = folder.to_path_buf();
    for component in Path::new(relative).components() {
        match component {
            Component::CurDir => {}
            Component::Normal(part) => joined.push(part),
            _ => return None,
        }
    }
    Some(joined)
}
