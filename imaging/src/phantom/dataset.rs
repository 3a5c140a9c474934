//! Phantoms as nnU-Net v2 raw datasets: images, labels and `dataset.json`, resumable.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use rayon::prelude::*;

use super::{PhantomCase, PhantomTask, Protocol};
use crate::error::ImagingError;
use crate::format::atomic::write_atomically;
use crate::format::nifti::{NiftiHeader, write_image, write_labels};

/// Raised when the same seed begins to give other voxels.
const GENERATOR: u32 = 1;

/// What a dataset's folder holds when its writing ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PhantomDataset {
    /// The folder, named as nnU-Net wants it.
    pub folder: PathBuf,
    /// Cases in the folder.
    pub cases: usize,
    /// How many of them are new.
    pub made: usize,
    /// Size of all images and labels.
    pub bytes: u64,
}

/// Writes `cases` cases of a task to a folder below `root`, several at a time.
///
/// Cases that are there already are kept, so a run that was stopped goes on where it was. Every
/// file appears whole or not at all, a case's labels last. `on_case` is told of each case, by its
/// number and whether it is new, from any thread.
///
/// Errors: [`ImagingError::ForeignDataset`] if the folder holds anything but phantoms of this
/// seed and protocol, [`ImagingError::Write`], [`ImagingError::InvalidSpacing`].
pub fn write_dataset(
    root: &Path,
    task: &PhantomTask,
    seed: u64,
    cases: usize,
    protocol: &Protocol,
    on_case: &(dyn Fn(usize, bool) + Sync),
) -> Result<PhantomDataset, ImagingError> {
    let folder = root.join(task.dataset());
    let origin = origin(seed, protocol);
    let kept = adopt(&folder, &origin)?;
    for name in ["imagesTr", "labelsTr"] {
        let path = folder.join(name);
        fs::create_dir_all(&path).map_err(|source| ImagingError::Write { path, source })?;
    }
    // Written first, so that a folder with cases in it always tells whose they are.
    describe(&folder, task, &origin, cases.max(kept))?;
    let made = (0..cases)
        .into_par_iter()
        .map(|case| {
            let new = write_case(&folder, task, seed, case, protocol)?;
            on_case(case, new);
            Ok(usize::from(new))
        })
        .sum::<Result<usize, ImagingError>>()?;
    let (cases, bytes) = (cases_in(&folder)?, bytes_in(&folder)?);
    describe(&folder, task, &origin, cases)?;
    Ok(PhantomDataset {
        folder,
        cases,
        made,
        bytes,
    })
}

/// Whether the case had to be made.
fn write_case(
    folder: &Path,
    task: &PhantomTask,
    seed: u64,
    case: usize,
    protocol: &Protocol,
) -> Result<bool, ImagingError> {
    let id = task.case_id(case);
    let labels = folder.join("labelsTr").join(format!("{id}.nii.gz"));
    if labels.exists() {
        return Ok(false);
    }
    let made = PhantomCase::new(task, seed, case, protocol)?;
    for (number, channel) in made.channels.iter().enumerate() {
        let name = format!("{id}_{number:04}.nii.gz");
        write_image(&folder.join("imagesTr").join(name), channel)?;
    }
    let header = NiftiHeader::for_geometry(&made.geometry)?;
    write_labels(&labels, &made.labels(task), &header)?;
    Ok(true)
}

/// What made the cases of a folder, in one line.
fn origin(seed: u64, protocol: &Protocol) -> String {
    let Protocol {
        slices,
        pixels,
        varied_orientation,
        same_scans,
        reach,
    } = protocol;
    let reach = match *reach > 1.0 {
        true => format!(", reach {reach}"),
        false => String::new(),
    };
    format!(
        "synthetic patients, generator {GENERATOR}, seed {seed}, {}-{} slices of {}-{} pixels, \
         {} orientation, {} scans{reach}",
        slices[0],
        slices[1],
        pixels[0],
        pixels[1],
        if *varied_orientation {
            "varied"
        } else {
            "plain"
        },
        if *same_scans { "shared" } else { "separate" },
    )
}

/// Number of cases to keep in the folder.
fn adopt(folder: &Path, origin: &str) -> Result<usize, ImagingError> {
    let path = folder.join("dataset.json");
    let foreign = || ImagingError::ForeignDataset {
        folder: folder.to_path_buf(),
    };
    match fs::read(&path) {
        Ok(text) if String::from_utf8_lossy(&text).contains(&line("description", origin)) => {
            cases_in(folder)
        }
        Ok(_) => Err(foreign()),
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => {
            let begun = ["imagesTr", "labelsTr"]
                .iter()
                .any(|name| folder.join(name).exists());
            // Both are made before the description, so empty ones may be a killed run's.
            if begun && cases_in(folder)? > 0 {
                Err(foreign())
            } else {
                Ok(0)
            }
        }
        Err(source) => Err(ImagingError::Write { path, source }),
    }
}

fn line(key: &str, value: &str) -> String {
    format!("  \"{key}\": \"{value}\",\n")
}

/// Writes `dataset.json`. No name in it needs escaping: all are constants of this crate.
fn describe(
    folder: &Path,
    task: &PhantomTask,
    origin: &str,
    cases: usize,
) -> Result<(), ImagingError> {
    let channels: Vec<String> = task
        .channel_names()
        .enumerate()
        .map(|(number, name)| format!("    \"{number}\": \"{name}\""))
        .collect();
    let labels: Vec<String> = ["background"]
        .into_iter()
        .chain(task.label_names())
        .enumerate()
        .map(|(value, name)| format!("    \"{name}\": {value}"))
        .collect();
    let text = [
        "{\n".to_owned(),
        line("name", task.name),
        line("description", origin),
        format!("  \"channel_names\": {{\n{}\n  }},\n", channels.join(",\n")),
        format!("  \"labels\": {{\n{}\n  }},\n", labels.join(",\n")),
        format!("  \"numTraining\": {cases},\n"),
        "  \"file_ending\": \".nii.gz\"\n}\n".to_owned(),
    ]
    .concat();
    let path = folder.join("dataset.json");
    write_atomically(&path, false, |out| out.write_all(text.as_bytes()))
        .map_err(|source| ImagingError::Write { path, source })
}

fn cases_in(folder: &Path) -> Result<usize, ImagingError> {
    Ok(images_of(&folder.join("labelsTr"))?.len())
}

fn bytes_in(folder: &Path) -> Result<u64, ImagingError> {
    let mut bytes = 0;
    for name in ["imagesTr", "labelsTr"] {
        bytes += images_of(&folder.join(name))?.iter().sum::<u64>();
    }
    Ok(bytes)
}

/// Sizes of the images in a folder; none if it is not there.
fn images_of(folder: &Path) -> Result<Vec<u64>, ImagingError> {
    let fail = |source| ImagingError::Write {
        path: folder.to_path_buf(),
        source,
    };
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(cause) => return Err(fail(cause)),
    };
    let mut sizes = Vec::new();
    for entry in entries {
        let entry = entry.map_err(fail)?;
        if entry.file_name().to_string_lossy().ends_with(".nii.gz") {
            sizes.push(entry.metadata().map_err(fail)?.len());
        }
    }
    Ok(sizes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::read_nifti;

    const TINY: Protocol = Protocol {
        slices: [12, 14],
        pixels: [20, 24],
        varied_orientation: true,
        same_scans: false,
        reach: 1.0,
    };

    fn write(root: &Path, cases: usize, seed: u64) -> Result<PhantomDataset, ImagingError> {
        let task = PhantomTask::named("whole_body").unwrap();
        write_dataset(root, task, seed, cases, &TINY, &|_, _| {})
    }

    #[test]
    fn a_stopped_run_goes_on() -> Result<(), ImagingError> {
        let root = tempfile::tempdir().unwrap();
        let first = write(root.path(), 2, 1)?;
        assert_eq!((first.cases, first.made), (2, 2));
        let labels = first.folder.join("labelsTr/PETCT_001.nii.gz");
        let image = first.folder.join("imagesTr/PETCT_001_0001.nii.gz");
        let whole = [&labels, &image].map(|path| fs::read(path).unwrap());
        // Killed before the labels of the second case.
        fs::remove_file(&labels).unwrap();
        fs::write(&image, b"old").unwrap();
        let second = write(root.path(), 3, 1)?;
        assert_eq!((second.cases, second.made), (3, 2));
        assert_eq!([&labels, &image].map(|path| fs::read(path).unwrap()), whole);
        // Fewer cases than there are: nothing is lost, and the description says what is there.
        let third = write(root.path(), 1, 1)?;
        assert_eq!((third.cases, third.made), (3, 0));
        let json = fs::read(third.folder.join("dataset.json")).unwrap();
        let json: serde_json::Value = serde_json::from_slice(&json).unwrap();
        assert_eq!(json["numTraining"], 3);
        assert_eq!(json["channel_names"]["1"], "PET");
        assert_eq!(
            json["labels"],
            serde_json::json!({"background": 0, "tumour": 1})
        );
        assert_eq!(json["file_ending"], ".nii.gz");
        let image = read_nifti(&image)?;
        let labels = read_nifti(&labels)?;
        assert!(image.warnings.is_empty(), "{:?}", image.warnings);
        assert_eq!(image.volume.geometry(), labels.volume.geometry());
        Ok(())
    }

    #[test]
    fn other_peoples_folders_are_left_alone() -> Result<(), ImagingError> {
        let root = tempfile::tempdir().unwrap();
        let dataset = write(root.path(), 1, 1)?;
        let refused = write(root.path(), 2, 2).unwrap_err();
        assert!(
            matches!(&refused, ImagingError::ForeignDataset { folder } if *folder == dataset.folder)
        );
        fs::remove_file(dataset.folder.join("dataset.json")).unwrap();
        assert!(matches!(
            write(root.path(), 1, 1),
            Err(ImagingError::ForeignDataset { .. })
        ));
        Ok(())
    }
}
