use std::io;
use std::path::Path;

use ndarray::{ArrayView3, ArrayView4};
use serde_json::json;
use sha2::{Digest, Sha256};

use crate::data::atomic::write_atomically;

use super::{CaseDescription, Locations, METADATA};

/// A case about to be written.
pub(in crate::data) struct NewCase<'a> {
    /// All but the digest and the locations, which are filled in.
    pub description: CaseDescription,
    pub image: ArrayView4<'a, f32>,
    pub label: ArrayView3<'a, i16>,
    pub locations: &'a Locations,
}

/// Writes a case whole or not at all.
pub(in crate::data) fn write_case(path: &Path, mut case: NewCase<'_>) -> io::Result<()> {
    case.description.locations = case
        .locations
        .iter()
        .map(|(label, voxels)| (*label, voxels.len()))
        .collect();
    let mut hasher = Sha256::new();
    stream(&case, |bytes| {
        hasher.update(bytes);
        Ok(())
    })?;
    case.description.content_sha256 = hex(hasher);
    let header = header(&case)?;
    write_atomically(path, |out| {
        out.write_all(&(header.len() as u64).to_le_bytes())?;
        out.write_all(&header)?;
        stream(&case, |bytes| out.write_all(bytes))
    })
}

/// The safetensors header, padded so that the tensors are aligned.
fn header(case: &NewCase<'_>) -> io::Result<Vec<u8>> {
    let (c, z, y, x) = case.image.dim();
    let rows: usize = case.locations.iter().map(|(_, voxels)| voxels.len()).sum();
    let image = 4 * case.image.len();
    // Wider types first: the safetensors crate aligns so too.
    let locations = image + 12 * rows;
    let label = locations + 2 * case.label.len();
    let header = json!({
        "__metadata__": { METADATA: serde_json::to_string(&case.description)? },
        "image": { "dtype": "F32", "shape": [c, z, y, x], "data_offsets": [0, image] },
        "locations": { "dtype": "U32", "shape": [rows, 3], "data_offsets": [image, locations] },
        "label": { "dtype": "I16", "shape": [z, y, x], "data_offsets": [locations, label] },
    });
    let mut header = serde_json::to_vec(&header)?;
    header.resize(header.len().next_multiple_of(8), b' ');
    Ok(header)
}

/// The bytes of all tensors, little-endian, in blocks.
fn stream(case: &NewCase<'_>, mut sink: impl FnMut(&[u8]) -> io::Result<()>) -> io::Result<()> {
    blocks(
        case.image.iter().map(|value| value.to_le_bytes()),
        &mut sink,
    )?;
    let coordinates = case
        .locations
        .iter()
        .flat_map(|(_, voxels)| voxels.iter().flatten());
    blocks(coordinates.map(|index| index.to_le_bytes()), &mut sink)?;
    blocks(
        case.label.iter().map(|label| label.to_le_bytes()),
        &mut sink,
    )
}

fn blocks<const N: usize>(
    numbers: impl Iterator<Item = [u8; N]>,
    sink: &mut impl FnMut(&[u8]) -> io::Result<()>,
) -> io::Result<()> {
    const BLOCK: usize = 1 << 16;
    let mut block = Vec::with_capacity(BLOCK + N);
    for number in numbers {
        block.extend_from_slice(&number);
        if block.len() >= BLOCK {
            sink(&block)?;
            block.clear();
        }
    }
    sink(&block)
}

/// A digest in hexadecimal.
pub(in crate::data) fn hex(hasher: Sha256) -> String {
    hasher
        .finalize()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}
