use std::fs::File;
use std::ops::Range;
use std::path::{Path, PathBuf};

use memmap2::Mmap;
use ndarray::{Array3, Array4};
use safetensors::tensor::{Dtype, Metadata, SafeTensors};
use sha2::{Digest, Sha256};

use crate::data::DataError;

use super::write::hex;
use super::{CaseDescription, FORMAT_VERSION, METADATA, OUTSIDE};

/// A preprocessed case, mapped into memory. Cheap to open and to keep; safe to share.
#[derive(Debug)]
pub struct CachedCase {
    path: PathBuf,
    map: Mmap,
    description: CaseDescription,
    /// (channel, z, y, x).
    shape: [usize; 4],
    image: Range<usize>,
    label: Range<usize>,
    locations: Range<usize>,
    /// First byte of the tensors.
    payload: usize,
}

/// A box cut out of a case; what lies beyond the case is filled.
#[derive(Debug, Clone, PartialEq)]
pub struct Block {
    /// (channel, z, y, x), 0 beyond the case.
    pub image: Array4<f32>,
    /// (z, y, x), [`OUTSIDE`] beyond the case.
    pub label: Array3<i16>,
}

impl CachedCase {
    /// Maps a case's file.
    ///
    /// Errors: [`DataError::Io`]; [`DataError::TornCache`] if the file is not whole, as far as
    /// header and length tell (see [`verify`](Self::verify)); [`DataError::NewerCache`].
    pub fn open(path: &Path) -> Result<Self, DataError> {
        let file = File::open(path).map_err(DataError::io("read", path))?;
        let map = map(&file).map_err(DataError::io("map", path))?;
        let torn = |reason: &str| DataError::torn(path, reason);
        let (header, metadata) =
            SafeTensors::read_metadata(&map).map_err(|error| DataError::torn(path, error))?;
        let payload = header + size_of::<u64>();
        let description = metadata
            .metadata()
            .as_ref()
            .and_then(|entries| entries.get(METADATA));
        let description = description.ok_or_else(|| torn("it has no description"))?;
        let version: Version =
            serde_json::from_str(description).map_err(|error| DataError::torn(path, error))?;
        if version.format_version > FORMAT_VERSION {
            return Err(DataError::NewerCache {
                path: path.to_path_buf(),
                found: version.format_version,
                supported: FORMAT_VERSION,
            });
        }
        let description: CaseDescription =
            serde_json::from_str(description).map_err(|error| DataError::torn(path, error))?;
        let tensor = |name: &str, dtype: Dtype| {
            tensor(&metadata, name, dtype, payload)
                .ok_or_else(|| torn(&format!("tensor '{name}' is missing or of another type")))
        };
        let (image_shape, image) = tensor("image", Dtype::F32)?;
        let (label_shape, label) = tensor("label", Dtype::I16)?;
        let (rows, locations) = tensor("locations", Dtype::U32)?;
        let shape = <[usize; 4]>::try_from(image_shape).map_err(|_| torn("image is not 4-d"))?;
        if shape.contains(&0) || label_shape != shape[1..] {
            return Err(torn("image and label have different shapes"));
        }
        let counted = description
            .locations
            .iter()
            .try_fold(0_usize, |sum, (_, count)| sum.checked_add(*count));
        if counted.is_none_or(|counted| rows != [counted, 3]) {
            return Err(torn("the locations are not those of the description"));
        }
        Ok(Self {
            path: path.to_path_buf(),
            map,
            description,
            shape,
            image,
            label,
            locations,
            payload,
        })
    }

    /// What the case says about itself.
    pub fn description(&self) -> &CaseDescription {
        &self.description
    }

    /// Image channels.
    pub fn channels(&self) -> usize {
        self.shape[0]
    }

    /// Size in voxels, (z, y, x).
    pub fn extent_zyx(&self) -> [usize; 3] {
        let [_, z, y, x] = self.shape;
        [z, y, x]
    }

    /// Checks every byte of the tensors against the digest in the description.
    ///
    /// Errors: [`DataError::TornCache`].
    pub fn verify(&self) -> Result<(), DataError> {
        let mut hasher = Sha256::new();
        hasher.update(self.map.get(self.payload..).unwrap_or_default());
        if hex(hasher) == self.description.content_sha256 {
            Ok(())
        } else {
            Err(DataError::torn(
                &self.path,
                "its content does not match its sha256",
            ))
        }
    }

    /// SHA-256 of the image and its size: equal for cases that show the same scan.
    pub fn image_sha256(&self) -> String {
        let mut hasher = Sha256::new();
        for size in self.shape {
            hasher.update((size as u64).to_le_bytes());
        }
        hasher.update(self.map.get(self.image.clone()).unwrap_or_default());
        hex(hasher)
    }

    /// The whole case.
    pub fn whole(&self) -> Block {
        self.block([0; 3], self.extent_zyx())
    }

    /// Cuts out `size` voxels from `start` on, which may lie outside the case.
    pub fn block(&self, start: [isize; 3], size: [usize; 3]) -> Block {
        let [channels, ..] = self.shape;
        let [z, y, x] = size;
        let mut image = Array4::zeros((channels, z, y, x));
        let mut label = Array3::from_elem((z, y, x), OUTSIDE);
        let extent = self.extent_zyx();
        // Voxels of the case along an axis that the block has, and where the block has them.
        let [along_z, along_y, along_x] =
            [0, 1, 2].map(|axis| overlap(start[axis], size[axis], extent[axis]));
        for (z, from_z) in along_z.0.clone().zip(along_z.1.clone()) {
            for (y, from_y) in along_y.0.clone().zip(along_y.1.clone()) {
                let row = (from_z * extent[1] + from_y) * extent[2];
                let from = row + along_x.1.start..row + along_x.1.end;
                let to = ndarray::s![z, y, along_x.0.clone()];
                let out = label.slice_mut(to);
                fill(
                    out,
                    &self.map[self.label.clone()],
                    from.clone(),
                    i16::from_le_bytes,
                );
                for channel in 0..channels {
                    let skip = channel * extent.iter().product::<usize>();
                    let from = skip + from.start..skip + from.end;
                    let to = ndarray::s![channel, z, y, along_x.0.clone()];
                    let out = image.slice_mut(to);
                    fill(out, &self.map[self.image.clone()], from, f32::from_le_bytes);
                }
            }
        }
        Block { image, label }
    }

    /// Labels that occur, background excluded, in rising order.
    pub fn foreground(&self) -> impl Iterator<Item = u16> + '_ {
        self.description
            .locations
            .iter()
            .filter(|(_, count)| *count > 0)
            .map(|(label, _)| *label)
    }

    /// Number of sampled voxels of a label.
    pub fn location_count(&self, label: u16) -> usize {
        let found = self
            .description
            .locations
            .iter()
            .find(|(found, _)| *found == label);
        found.map_or(0, |(_, count)| *count)
    }

    /// One of a label's sampled voxels, (z, y, x); `None` from
    /// [`location_count`](Self::location_count) on.
    pub fn location(&self, label: u16, index: usize) -> Option<[usize; 3]> {
        if index >= self.location_count(label) {
            return None;
        }
        let before = self
            .description
            .locations
            .iter()
            .take_while(|(found, _)| *found != label);
        let row: usize = before.map(|(_, count)| count).sum::<usize>() + index;
        let bytes = self
            .map
            .get(self.locations.clone())?
            .get(12 * row..12 * row + 12)?;
        let (numbers, _) = bytes.as_chunks::<4>();
        let place = [0, 1, 2].map(|axis| u32::from_le_bytes(numbers[axis]) as usize);
        let inside = place
            .iter()
            .zip(self.extent_zyx())
            .all(|(at, size)| *at < size);
        inside.then_some(place)
    }
}

#[derive(serde::Deserialize)]
struct Version {
    format_version: u32,
}

/// Maps a file for reading.
#[allow(
    unsafe_code,
    reason = "a file can only be mapped with an unsafe call; see the proof inside"
)]
fn map(file: &File) -> std::io::Result<Mmap> {
    // SAFETY: the map is read-only. Its bytes must not change while it lives: this program never
    // writes into a cached file but replaces it by renaming a new one over it, which leaves the
    // mapped one as it is, and the folder is locked against a second writer. Bytes are only ever
    // read as integers and floats, for which every bit pattern is valid, so that a foreign program
    // that writes into the file could spoil numbers, but not memory; cutting the file short while
    // it is mapped ends the process, as it would for every program that maps files.
    unsafe { Mmap::map(file) }
}

/// Shape and bytes of a tensor.
fn tensor(
    metadata: &Metadata,
    name: &str,
    dtype: Dtype,
    payload: usize,
) -> Option<(Vec<usize>, Range<usize>)> {
    let info = metadata.info(name).filter(|info| info.dtype == dtype)?;
    let (start, end) = info.data_offsets;
    Some((
        info.shape.clone(),
        payload.checked_add(start)?..payload.checked_add(end)?,
    ))
}

/// Where a block and a case overlap along an axis: in the block, in the case.
fn overlap(start: isize, size: usize, extent: usize) -> (Range<usize>, Range<usize>) {
    let skip = start.min(0).unsigned_abs().min(size);
    let first = (start.max(0) as usize).min(extent);
    let count = (size - skip).min(extent - first);
    (skip..skip + count, first..first + count)
}

/// Decodes the numbers `from` of a tensor.
fn fill<T, const N: usize>(
    out: ndarray::ArrayViewMut1<'_, T>,
    tensor: &[u8],
    from: Range<usize>,
    decode: impl Fn([u8; N]) -> T,
) {
    let (numbers, _) = tensor[N * from.start..N * from.end].as_chunks::<N>();
    for (out, bytes) in out.into_iter().zip(numbers) {
        *out = decode(*bytes);
    }
}
