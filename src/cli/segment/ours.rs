//! Which files are results of this program: those beside a record of its own. Nothing else in a
//! folder of results is ever replaced without `--again`.

use std::path::{Path, PathBuf};

use anyhow::bail;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::atomic;

/// The record of results that are being made. It takes the place of an old record before anything
/// that this describes is replaced, and goes when the results are there: a killed run leaves files
/// that count as unfinished, and as ours.
#[derive(Serialize, Deserialize)]
struct Unfinished {
    unfinished: bool,
}

/// Says that what `record` stands for is being made.
pub(super) fn begin(record: &Path) -> anyhow::Result<()> {
    let mut json = serde_json::to_vec(&Unfinished { unfinished: true })?;
    json.push(b'\n');
    atomic::write(record, &json)
}

/// The record, if there is one of a finished result.
pub(super) fn read<R: DeserializeOwned>(record: &Path) -> Option<R> {
    parse(&std::fs::read(record).ok()?)
}

fn parse<R: DeserializeOwned>(record: &[u8]) -> Option<R> {
    serde_json::from_slice(record).ok()
}

/// Refuses to replace `results`, or `record` itself, if any of them is there and `record` is none
/// of ours. The record, if it is of a finished result.
pub(super) fn check<'a, R: DeserializeOwned>(
    results: impl IntoIterator<Item = &'a PathBuf>,
    record: &'a PathBuf,
) -> anyhow::Result<Option<R>> {
    let mut there = results.into_iter().chain([record]);
    let Some(first) = there.find(|path| path.exists()) else {
        return Ok(None);
    };
    let found = std::fs::read(record).unwrap_or_default();
    match (parse(&found), parse::<Unfinished>(&found)) {
        (None, None) => bail!(
            "{} is there, and no record of this program beside it says that it is a result ({}): \
             name another folder, or replace it with --again",
            first.display(),
            record.display()
        ),
        (finished, _) => Ok(finished),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_stands_beside_a_record_may_be_replaced() -> anyhow::Result<()> {
        let folder = tempfile::tempdir()?;
        let [labels, record] = ["a.nii.gz", "a.json"].map(|name| folder.path().join(name));
        let check = || check::<Vec<u32>>([&labels], &record);
        assert_eq!(check()?, None);
        std::fs::write(&labels, b"labels")?;
        assert!(check().unwrap_err().to_string().contains("a.nii.gz"));
        begin(&record)?;
        assert_eq!(check()?, None);
        assert_eq!(read::<Vec<u32>>(&record), None);
        std::fs::write(&record, b"[1]")?;
        assert_eq!(check()?, Some(vec![1]));
        // A data set's own file beside its image.
        std::fs::write(&record, b"{\"age\": 70}")?;
        assert!(check().is_err());
        std::fs::remove_file(&labels)?;
        assert!(check().unwrap_err().to_string().contains("a.json"));
        Ok(())
    }
}
