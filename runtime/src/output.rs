//! Results on disk: labels first, then statistics, each complete or not there at all.

use std::{io, path::Path};

use ndarray::Array3;
use serde::Serialize;
use sha2::{Digest, Sha256};
use uniseg_imaging::{NiftiHeader, write_atomically};
use uniseg_onnx::hex;

use crate::{MergedTable, RuntimeError, Segmentation, Statistics};

/// Writes the label map of `segmentation` to `path`, with the geometry of `like`.
///
/// The file is complete or absent: it is written beside its place and then renamed.
/// Errors: [`RuntimeError::WriteLabels`].
pub fn write_labels(
    segmentation: &Segmentation,
    like: &NiftiHeader,
    path: &Path,
) -> Result<(), RuntimeError> {
    uniseg_imaging::write_labels(path, &segmentation.labels, like)
        .map_err(|source| RuntimeError::WriteLabels { source })
}

/// Writes `statistics` to `path` as JSON; the file is complete or absent.
///
/// Errors: [`RuntimeError::WriteStatistics`].
pub fn write_statistics(statistics: &Statistics, path: &Path) -> Result<(), RuntimeError> {
    write_json(statistics, path)
}

/// Writes a merged label map, with the geometry of `like`, and then what its values mean as JSON;
/// each file is complete or absent.
///
/// Errors: [`RuntimeError::WriteLabels`], [`RuntimeError::WriteStatistics`].
pub fn write_merged(
    (map, table): &(Array3<u16>, MergedTable),
    like: &NiftiHeader,
    labels: &Path,
    json: &Path,
) -> Result<(), RuntimeError> {
    uniseg_imaging::write_labels(labels, map, like)
        .map_err(|source| RuntimeError::WriteLabels { source })?;
    write_json(table, json)
}

/// Digest of the file that [`write_statistics`] writes; of nothing if it cannot be written.
pub(crate) fn record_sha256(statistics: &Statistics) -> String {
    sha256(&json(statistics).unwrap_or_default())
}

/// Digest of a file's content, in hexadecimal digits.
pub(crate) fn sha256(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

fn json(value: &impl Serialize) -> io::Result<Vec<u8>> {
    let mut bytes = serde_json::to_vec_pretty(value)?;
    bytes.push(b'\n');
    Ok(bytes)
}

fn write_json(value: &impl Serialize, path: &Path) -> Result<(), RuntimeError> {
    let written =
        json(value).and_then(|bytes| write_atomically(path, false, |out| out.write_all(&bytes)));
    written.map_err(|source| RuntimeError::WriteStatistics {
        path: path.to_owned(),
        source,
    })
}
