use std::path::PathBuf;
use std::time::UNIX_EPOCH;

use sha2::{Digest, Sha256};

use crate::data::cache::{FORMAT_VERSION, hex};
use crate::data::{Case, CaseImages, ResolvedTask, TaskData};
use crate::plan::normalization_to_name;

use super::locations;

/// What a preprocessed case depends on, as a SHA-256: the recipe, and name, size and time of
/// change of every input file.
///
/// Folders do not count, so that data and cache can be moved. Content does not either: reading it
/// takes longer than preprocessing it.
pub(super) fn of(data: &TaskData, task: &ResolvedTask, case: &Case) -> String {
    let rules: Vec<String> = task
        .normalization
        .iter()
        .map(normalization_to_name)
        .collect();
    let mut text = format!(
        "format {FORMAT_VERSION}\nlocations {} {} {}\nspacing {:?}\nnormalization {rules:?}\n\
         channels {:?}\nlabels {} {}\n",
        locations::MOST,
        locations::LEAST_SHARE,
        locations::SEED,
        task.spacing_zyx_mm,
        data.sources,
        task.labels.len(),
        data.table.text(),
    );
    let mut files: Vec<PathBuf> = match &case.images {
        CaseImages::Stacked(file) => vec![file.clone()],
        CaseImages::Separate(files) => data
            .sources
            .iter()
            .filter_map(|source| files.get(*source))
            .cloned()
            .collect(),
    };
    files.push(case.labels.clone());
    for file in files {
        let name = file.file_name().unwrap_or_default();
        let metadata = std::fs::metadata(&file).ok();
        let size = metadata.as_ref().map(std::fs::Metadata::len);
        let changed = metadata
            .and_then(|metadata| metadata.modified().ok())
            .and_then(|time| time.duration_since(UNIX_EPOCH).ok());
        text += &format!("file {name:?} {size:?} {changed:?}\n");
    }
    let mut hasher = Sha256::new();
    hasher.update(text);
    hex(hasher)
}
