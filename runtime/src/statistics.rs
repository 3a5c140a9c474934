//! What a segmentation amounts to, as plain data for a JSON file.

use std::{io, path::Path, time::UNIX_EPOCH};

use ndarray::ArrayView3;
use serde::{Deserialize, Deserializer, Serialize};
use uniseg_imaging::{Geometry, label_counts};
use uniseg_onnx::{Manifest, Task};

use crate::{ComputedOn, Device, FirstLook, Precision, WindowOptions, output::sha256};

/// Version of the JSON layout; rises when a field changes its meaning or goes.
pub const STATISTICS_VERSION: u32 = 1;

/// One task's result on one case.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Statistics {
    /// Layout of this record, see [`STATISTICS_VERSION`].
    pub schema_version: u32,
    /// Index of the task.
    pub task_id: u32,
    /// Name of the task.
    pub task: String,
    /// Name of the network.
    pub network: String,
    /// Digest of the network's weights.
    pub weights_sha256: String,
    /// What [`recipe_sha256`] gives; absent in records of earlier versions.
    #[serde(default)]
    pub recipe_sha256: Option<String>,
    /// Version of this library; absent in records of earlier versions.
    #[serde(default)]
    pub uniseg_version: Option<String>,
    /// Engine that computed it.
    pub engine: String,
    /// Device that it computed on; absent in records of earlier versions.
    #[serde(default)]
    pub device: Option<Device>,
    /// Precision that it computed in; absent in records of earlier versions.
    #[serde(default)]
    pub precision: Option<Precision>,
    /// Distance of two windows as a fraction of the patch.
    pub step: f64,
    /// Whether mirror views were averaged.
    pub mirror: bool,
    /// Whether windows that hold nothing but air were called background.
    #[serde(default)]
    pub skip: bool,
    /// How foreground was looked for, if only windows were run in which some was seen. Records of
    /// earlier versions say whether.
    #[serde(
        default,
        deserialize_with = "first_look",
        skip_serializing_if = "Option::is_none"
    )]
    pub fast: Option<FirstLook>,
    /// Names of the image files, without folders, in the order of the task's channels.
    pub inputs: Vec<String>,
    /// What the image files were, in the same order; absent in records of earlier versions.
    #[serde(default)]
    pub files: Vec<InputFile>,
    /// Whether probabilities were written beside the labels; no in records of earlier versions, which
    /// did not say.
    #[serde(default)]
    pub probabilities: bool,
    /// Volume of one voxel in millilitres.
    pub voxel_ml: f64,
    /// One entry for each label value, background included.
    pub labels: Vec<LabelStatistics>,
    /// What was repaired or doubtful about the inputs.
    pub warnings: Vec<String>,
}

/// What tells a file from another of the same name, without reading it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InputFile {
    /// Size.
    pub bytes: u64,
    /// When it was last written, in nanoseconds since 1970; absent if the file system does not say.
    pub modified_ns: Option<u64>,
}

impl InputFile {
    /// The file at `path` as it is now.
    ///
    /// Errors: it is not there, or nothing can be learned of it.
    pub fn of(path: &Path) -> io::Result<InputFile> {
        let found = path.metadata()?;
        let modified = found.modified().ok();
        let since = modified.and_then(|time| time.duration_since(UNIX_EPOCH).ok());
        Ok(InputFile {
            bytes: found.len(),
            modified_ns: since.and_then(|since| u64::try_from(since.as_nanos()).ok()),
        })
    }
}

/// How much of a label there is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LabelStatistics {
    /// Value in the label map.
    pub label: u16,
    /// Name of the label.
    pub name: String,
    /// Voxels with this value.
    pub voxels: u64,
    /// Their volume in millilitres.
    pub ml: f64,
}

/// Digest of what an artefact says about a task that decides its labels beside weights: labels,
/// channels and their normalisation, spacing, patch, and how windows are weighed and mirrored.
pub fn recipe_sha256(manifest: &Manifest, task: &Task) -> String {
    let inference = &manifest.inference;
    let windows = (
        manifest.network.patch_zyx,
        inference.gaussian_sigma,
        &inference.mirror_axes,
    );
    let recipe = (&task.labels, &task.channels, task.spacing_zyx_mm, windows);
    // Numbers and names always become JSON.
    sha256(&serde_json::to_vec(&recipe).unwrap_or_default())
}

/// Where a result comes from.
pub(crate) struct Origin<'a> {
    pub(crate) manifest: &'a Manifest,
    pub(crate) task: &'a Task,
    pub(crate) engine: &'a str,
    pub(crate) on: ComputedOn,
    pub(crate) options: WindowOptions,
    pub(crate) probabilities: bool,
    pub(crate) inputs: Vec<String>,
    pub(crate) files: Vec<InputFile>,
    pub(crate) warnings: Vec<String>,
}

/// What a record says of `fast`: which look it was, or, in earlier versions, that it was one at half
/// the resolution, the only one there was.
fn first_look<'de, D: Deserializer<'de>>(from: D) -> Result<Option<FirstLook>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Said {
        Whether(bool),
        Which(Option<FirstLook>),
    }
    Ok(match Said::deserialize(from)? {
        Said::Whether(whether) => whether.then_some(FirstLook::Half),
        Said::Which(look) => look,
    })
}

impl Statistics {
    /// What the result was computed on, if the record says so.
    pub fn computed_on(&self) -> Option<ComputedOn> {
        Some(ComputedOn {
            device: self.device?,
            precision: self.precision?,
        })
    }

    /// Counts `labels` (z, y, x), which lie on the grid of `geometry`.
    pub(crate) fn count(
        labels: ArrayView3<'_, u16>,
        geometry: &Geometry,
        origin: Origin<'_>,
    ) -> Statistics {
        let Origin {
            manifest,
            task,
            engine,
            on,
            options,
            probabilities,
            inputs,
            files,
            warnings,
        } = origin;
        let voxel_ml = geometry.spacing.voxel_ml();
        let counts = label_counts(labels, task.labels.len());
        let labels = task
            .labels
            .iter()
            .zip(counts)
            .zip(0u16..)
            .map(|((name, voxels), label)| LabelStatistics {
                label,
                name: name.clone(),
                voxels,
                ml: voxels as f64 * voxel_ml,
            })
            .collect();
        Statistics {
            schema_version: STATISTICS_VERSION,
            task_id: task.id,
            task: task.name.clone(),
            network: manifest.network.name.clone(),
            weights_sha256: manifest.weights_sha256.clone(),
            recipe_sha256: Some(recipe_sha256(manifest, task)),
            uniseg_version: Some(env!("CARGO_PKG_VERSION").to_owned()),
            engine: engine.to_owned(),
            device: Some(on.device),
            precision: Some(on.precision),
            step: options.step,
            mirror: options.mirror,
            skip: options.skip,
            fast: options.fast,
            inputs,
            files,
            probabilities,
            voxel_ml,
            labels,
            warnings,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::manifest;

    #[test]
    fn a_recipe_is_another_one_with_another_spacing_but_not_with_another_alias() {
        let manifest = manifest();
        let task = &manifest.tasks[0];
        let recipe = recipe_sha256(&manifest, task);
        let mut other = task.clone();
        other.aliases.push("also".to_owned());
        assert_eq!(recipe_sha256(&manifest, &other), recipe);
        other.spacing_zyx_mm[0] += 0.5;
        assert_ne!(recipe_sha256(&manifest, &other), recipe);
        let mut sharper = manifest.clone();
        sharper.inference.gaussian_sigma *= 2.0;
        assert_ne!(recipe_sha256(&sharper, task), recipe);
    }

    #[test]
    fn a_first_look_reads_as_it_is_written_and_as_earlier_versions_wrote_it() {
        #[derive(Serialize, Deserialize)]
        struct Record {
            #[serde(default, deserialize_with = "first_look")]
            fast: Option<FirstLook>,
        }
        let read = |text: &str| serde_json::from_str::<Record>(text).map(|record| record.fast);
        for fast in [None, Some(FirstLook::Apart), Some(FirstLook::Half)] {
            let text = serde_json::to_string(&Record { fast }).unwrap();
            assert_eq!(read(&text).unwrap(), fast, "{text}");
        }
        let half = Some(FirstLook::Half);
        for (text, fast) in [
            ("{}", None),
            (r#"{"fast": false}"#, None),
            (r#"{"fast": true}"#, half),
        ] {
            assert_eq!(read(text).unwrap(), fast);
        }
        assert!(read(r#"{"fast": "slow"}"#).is_err());
    }
}
