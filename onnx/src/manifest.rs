//! The manifest: everything needed to go from files on disk to labels on disk, as plain data.
//!
//! It is JSON under [`MANIFEST_KEY`] in the model's `metadata_props`. Fields may be added within a
//! schema version, and readers ignore those they do not know; a change of meaning raises
//! [`SCHEMA_VERSION`], and readers refuse newer ones. There is no time stamp: the same input gives
//! the same bytes.

mod validate;

use serde::{Deserialize, Serialize};

pub use validate::{ManifestFault, NameProblem};

use crate::{OnnxError, proto::DataType};

/// Key of the manifest in `metadata_props`.
pub const MANIFEST_KEY: &str = "uniseg.manifest";
/// Newest version of the manifest this program reads, and the one it writes.
pub const SCHEMA_VERSION: u32 = 1;
/// Largest manifest read, in bytes.
const MAX_BYTES: usize = 16 << 20;

/// What an artefact says about itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// Version of the manifest's form.
    pub schema_version: u32,
    /// The network and the sizes of its inputs and outputs.
    pub network: Network,
    /// What it can segment.
    pub tasks: Vec<Task>,
    /// Defaults of the sliding window.
    #[serde(default)]
    pub inference: Inference,
    /// Where it comes from.
    pub provenance: Provenance,
    /// Digest of the weights, see [`crate::weights_sha256`]; filled in by
    /// [`crate::Artefact::new`].
    pub weights_sha256: String,
}

/// The network and the sizes of its inputs and outputs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Network {
    /// Name of the architecture.
    pub name: String,
    /// Size of one window in voxels, (z, y, x).
    pub patch_zyx: [usize; 3],
    /// Channels of the input `image`.
    pub slots: usize,
    /// Channels of the output `logits`: the most that any task needs.
    pub classes: usize,
    /// Number of trained parameters.
    pub parameters: u64,
    /// Numbers in which most of the arithmetic is done: `f32`, `f16`, `bf16` or `int8`.
    #[serde(default = "f32_precision", skip_serializing_if = "is_f32")]
    pub precision: String,
    /// Which part of the network the file holds.
    #[serde(default, skip_serializing_if = "Part::is_whole")]
    pub part: Part,
}

/// Which part of a network a file holds.
///
/// A network may come as a pair of files: an encoder, which does not depend on the task, and a
/// decoder, which reads what the encoder made. So many tasks on one window cost one encoding.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Part {
    /// All of it.
    #[default]
    Whole,
    /// From `image` to features.
    Encoder {
        /// Its outputs, in order.
        features: Vec<Feature>,
    },
    /// From features and `task` to `logits`.
    Decoder {
        /// Its inputs, in the order of the encoder's outputs.
        features: Vec<Feature>,
        /// Digest of the weights of the encoder that it belongs to.
        encoder_sha256: String,
    },
}

impl Part {
    /// Whether the file holds the whole network.
    pub fn is_whole(&self) -> bool {
        matches!(self, Self::Whole)
    }

    /// What encoder and decoder hand over; none for a whole network.
    pub fn features(&self) -> &[Feature] {
        match self {
            Self::Whole => &[],
            Self::Encoder { features } | Self::Decoder { features, .. } => features,
        }
    }
}

/// A tensor that an encoder hands to its decoder: floats [batch, shape].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Feature {
    /// Name of the output and of the input.
    pub name: String,
    /// Size of each axis after the batch.
    pub shape: Vec<usize>,
    /// Numbers it is handed over in: `f32`, `f16` or `bf16`.
    #[serde(default = "f32_precision", skip_serializing_if = "is_f32")]
    pub precision: String,
}

impl Feature {
    /// The element type of that name, if features may have it.
    pub(crate) fn data_type(&self) -> Option<DataType> {
        let known = [DataType::Float, DataType::Float16, DataType::Bfloat16];
        known
            .into_iter()
            .find(|known| known.short_name() == self.precision)
    }
}

fn f32_precision() -> String {
    "f32".to_owned()
}

fn is_f32(precision: &String) -> bool {
    precision == "f32"
}

/// One thing the network can segment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Task {
    /// Value of the input `task`.
    pub id: u32,
    /// Name, for people and on the command line.
    pub name: String,
    /// Other names.
    #[serde(default)]
    pub aliases: Vec<String>,
    /// Names of the labels; the index is the value in the label map, 0 is background.
    pub labels: Vec<String>,
    /// The images it takes, in order.
    pub channels: Vec<Channel>,
    /// Grid the network sees, millimetres between voxels, (z, y, x).
    pub spacing_zyx_mm: [f64; 3],
}

/// One image of a task.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Channel {
    /// What made the image: CT, MR, PET, ...
    pub modality: String,
    /// Channel of the input `image` it goes to; channels no image goes to are zero.
    pub slot: usize,
    /// What is done to its values.
    pub normalization: Normalization,
}

/// What is done to the values of an image.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Normalization {
    /// Nothing.
    None,
    /// Clipped to `lower..=upper`, then `(v - lower) / (upper - lower)`.
    ClipRescale {
        /// Value that becomes 0.
        lower: f64,
        /// Value that becomes 1.
        upper: f64,
    },
    /// `(v - mean) / (std + 1e-8)`.
    ZScore {
        /// Voxels that mean and deviation are taken over.
        scope: ZScoreScope,
    },
}

/// Voxels that a z-score is taken over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ZScoreScope {
    /// All.
    Image,
    /// Those that are not zero; the others stay zero.
    Nonzero,
}

/// Defaults of the sliding window.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Inference {
    /// Step between windows as a fraction of the window.
    pub step: f64,
    /// Deviation of the Gaussian weights as a fraction of the window.
    pub gaussian_sigma: f64,
    /// Axes that may be mirrored; mirroring averages over all combinations of them.
    pub mirror_axes: Vec<Axis>,
    /// Whether to mirror unless told otherwise.
    pub mirror: bool,
}

impl Default for Inference {
    fn default() -> Self {
        Self {
            step: 0.5,
            gaussian_sigma: 0.125,
            mirror_axes: Axis::ALL.to_vec(),
            mirror: false,
        }
    }
}

/// An axis of an array.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Axis {
    /// First.
    Z,
    /// Second.
    Y,
    /// Third.
    X,
}

impl Axis {
    /// All axes, in order.
    pub const ALL: [Self; 3] = [Self::Z, Self::Y, Self::X];

    /// Position in (z, y, x).
    pub fn index(self) -> usize {
        self as usize
    }
}

/// Where an artefact comes from.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Provenance {
    /// Program and version that wrote it.
    pub producer: String,
    /// Name of the checkpoint file it was made from, without folders.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// Digest of that file, lower-case hexadecimal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_sha256: Option<String>,
    /// Free text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notes: Option<String>,
    /// Licence of the weights.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub licence: Option<String>,
}

impl Manifest {
    /// Reads a manifest and checks it.
    ///
    /// Errors: not JSON, a newer version, or everything that is wrong in it.
    pub fn from_json(json: &str) -> Result<Self, OnnxError> {
        #[derive(Deserialize)]
        struct Version {
            schema_version: u64,
        }
        let syntax = |source| OnnxError::ManifestSyntax { source };
        if json.len() > MAX_BYTES {
            return Err(OnnxError::ManifestTooLarge {
                bytes: json.len(),
                limit: MAX_BYTES,
            });
        }
        // The version comes first: a newer manifest need not have today's fields.
        let Version {
            schema_version: found,
        } = serde_json::from_str(json).map_err(syntax)?;
        if found > u64::from(SCHEMA_VERSION) {
            return Err(OnnxError::NewerManifest {
                found,
                known: SCHEMA_VERSION,
            });
        }
        let manifest: Self = serde_json::from_str(json).map_err(syntax)?;
        manifest.validate()?;
        Ok(manifest)
    }

    /// Writes the manifest; the same manifest always gives the same text.
    ///
    /// Errors: [`OnnxError::InvalidManifest`] if it could not be read back.
    pub fn to_json(&self) -> Result<String, OnnxError> {
        self.validate()?;
        serde_json::to_string(self).map_err(|source| OnnxError::ManifestWrite { source })
    }

    /// Checks that the manifest does not contradict itself.
    ///
    /// Errors: [`OnnxError::InvalidManifest`] with everything that is wrong.
    pub fn validate(&self) -> Result<(), OnnxError> {
        let findings = validate::findings(self);
        if findings.is_empty() {
            Ok(())
        } else {
            Err(OnnxError::InvalidManifest { findings })
        }
    }

    /// Finds a task by its id, name or alias; case does not matter.
    ///
    /// Errors: [`OnnxError::UnknownTask`] with all tasks and the nearest name.
    pub fn task(&self, name_or_id: &str) -> Result<&Task, OnnxError> {
        let asked = name_or_id.trim();
        let named = |task: &&Task| task.names().any(|name| same_name(name, asked));
        let numbered = |task: &&Task| asked.parse() == Ok(task.id);
        let found = self
            .tasks
            .iter()
            .find(named)
            .or_else(|| self.tasks.iter().find(numbered));
        found.ok_or_else(|| OnnxError::UnknownTask {
            asked: asked.to_owned(),
            nearest: self.nearest(asked),
            known: self
                .tasks
                .iter()
                .map(|task| format!("{} ({})", task.name, task.id))
                .collect(),
        })
    }

    /// Finds a task by its id.
    pub fn task_by_id(&self, id: u32) -> Option<&Task> {
        self.tasks.iter().find(|task| task.id == id)
    }

    fn nearest(&self, asked: &str) -> Option<String> {
        /// Below this likeness, a suggestion is more confusing than helpful.
        const ALIKE: f64 = 0.7;
        let asked = asked.to_lowercase();
        self.tasks
            .iter()
            .flat_map(Task::names)
            .map(|name| (strsim::jaro_winkler(&asked, &name.to_lowercase()), name))
            .filter(|(likeness, _)| *likeness > ALIKE)
            .max_by(|a, b| a.0.total_cmp(&b.0))
            .map(|(_, name)| name.to_owned())
    }
}

impl Task {
    /// The name, then the aliases.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        std::iter::once(self.name.as_str()).chain(self.aliases.iter().map(String::as_str))
    }

    /// What made the image of each channel, in their order.
    pub fn modalities(&self) -> impl Iterator<Item = &str> {
        self.channels
            .iter()
            .map(|channel| channel.modality.as_str())
    }
}

fn same_name(a: &str, b: &str) -> bool {
    a.to_lowercase() == b.to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;

    #[test]
    fn the_json_is_as_documented() {
        insta::assert_snapshot!(serde_json::to_string_pretty(&sample::tiny_manifest()).unwrap());
    }

    #[test]
    fn reading_gives_back_what_was_written() {
        let mut manifest = sample::tiny_manifest();
        // A number whose shortest text a careless parser reads one unit off.
        manifest.tasks[0].spacing_zyx_mm[0] = 0.123_456_789_012_345_68;
        let json = manifest.to_json().unwrap();
        assert_eq!(Manifest::from_json(&json).unwrap(), manifest);
    }

    #[test]
    fn fields_of_the_future_are_ignored_and_newer_versions_refused() {
        let json = sample::tiny_manifest().to_json().unwrap();
        let added = json.replacen('{', r#"{"added_later":[1,2],"#, 1);
        Manifest::from_json(&added).unwrap();
        let error = Manifest::from_json(r#"{"schema_version":2,"all":"different"}"#).unwrap_err();
        insta::assert_snapshot!(
            error,
            @"the model's manifest has schema version 2 and this program knows up to 1: update the program, or export the model again with this one"
        );
    }

    #[test]
    fn a_task_is_found_by_id_name_and_alias() {
        let manifest = sample::tiny_manifest();
        for asked in ["0", "blob", "BLOB", " Klecks "] {
            assert_eq!(manifest.task(asked).unwrap().id, 0, "{asked}");
        }
        assert_eq!(manifest.task_by_id(1).unwrap().name, "two-channel blob");
        assert!(manifest.task_by_id(9).is_none());
    }

    #[test]
    fn an_unknown_task_lists_all_and_suggests_the_nearest() {
        let manifest = sample::tiny_manifest();
        insta::assert_snapshot!(
            manifest.task("blub").unwrap_err(),
            @r#"the model has no task "blub", did you mean "blob"?; it has blob (0), two-channel blob (1)"#
        );
        insta::assert_snapshot!(
            manifest.task("9").unwrap_err(),
            @r#"the model has no task "9"; it has blob (0), two-channel blob (1)"#
        );
    }
}
