//! The cache: preprocessed cases as training reads them.
//!
//! ```text
//! CACHE/liver/index.json             the task, its cases and their split
//! CACHE/liver/liver_12.safetensors   one case
//! ```
//!
//! A case is a safetensors file, so any program can look into it: `image` f32 (channel, z, y, x),
//! `label` i16 (z, y, x) with [`OUTSIDE`] beyond the non-zero mask, `locations` u32 (n, 3) with
//! the (z, y, x) of sampled voxels, label by label. The metadata entry `uniseg` is a JSON
//! [`CaseDescription`]. Files are written whole or not at all, and are mapped, not read: cutting a
//! patch touches the patch's pages only.

mod index;
mod read;
mod write;

use serde::{Deserialize, Serialize};

pub use index::{CacheIndex, CachedName};
pub use read::{Block, CachedCase};
pub(super) use write::{NewCase, hex, write_case};

/// Label of voxels outside the hole-filled non-zero mask. Source: nnU-Net v1, `crop_to_nonzero`.
pub const OUTSIDE: i16 = -1;

/// Format number of cached cases and indices.
pub(super) const FORMAT_VERSION: u32 = 1;

/// Key of the description among a file's metadata.
const METADATA: &str = "uniseg";

/// What a cached case says about itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CaseDescription {
    /// Format of the file.
    pub format_version: u32,
    /// The case's name.
    pub name: String,
    /// SHA-256 over recipe and input files: the case is redone when it changes.
    pub key: String,
    /// SHA-256 over the tensors.
    pub content_sha256: String,
    /// Spacing of the voxels, (z, y, x) in millimetres.
    pub spacing_zyx_mm: [f64; 3],
    /// Size of the original image, (z, y, x).
    pub original_zyx: [usize; 3],
    /// First voxel of the non-zero box in the original image, (z, y, x).
    pub crop_start_zyx: [usize; 3],
    /// First voxel behind the non-zero box, (z, y, x).
    pub crop_end_zyx: [usize; 3],
    /// Sampled locations of each label that occurs, background excluded: label, count. They follow
    /// one another in this order.
    pub locations: Vec<(u16, usize)>,
}

/// Sampled voxels (z, y, x) of each label that occurs, in rising order of the labels.
pub(super) type Locations = Vec<(u16, Vec<[u32; 3]>)>;

#[cfg(test)]
mod tests;
