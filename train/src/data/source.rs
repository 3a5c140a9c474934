//! A task joined with its dataset, and the cases read as the task wants them.

use std::path::{Path, PathBuf};

use ndarray::Array3;
use uniseg_imaging::{Geometry, HeaderWarning, Volume, read_nifti, read_nifti_channels};

use super::error::nearest;
use super::fault::{Fault, Problem, Severity};
use super::tasks::{LabelTable, Rule, Task};
use super::{Case, CaseImages, DataError, Dataset};

/// Grids may lie this far apart, in smallest voxel sizes; the imaging crate's recipe allows its
/// channels the same.
const POSITION_TOLERANCE: f64 = 0.05;

/// A task and its dataset, which fit together.
#[derive(Debug)]
pub struct TaskData {
    /// The task.
    pub task: Task,
    /// Its dataset.
    pub dataset: Dataset,
    /// What becomes of the dataset's labels.
    pub table: LabelTable,
    /// For each of the task's channels the dataset's.
    pub(super) sources: Vec<usize>,
}

/// A case as the task sees it.
#[derive(Debug, Clone)]
pub struct LoadedCase {
    /// The task's channels, all on one grid; NaN where the file has it.
    pub channels: Vec<Volume<f32>>,
    /// The task's labels on the same grid.
    pub labels: Array3<u16>,
}

/// What reading a case gave.
pub(super) struct Loaded {
    /// The case, unless a fault makes it useless.
    pub case: Option<LoadedCase>,
    /// Everything that was found.
    pub problems: Vec<Problem>,
}

impl TaskData {
    /// What is wrong with the dataset's files apart from those of its cases; empty the second time.
    pub fn take_problems(&mut self) -> Vec<Problem> {
        let faults = std::mem::take(&mut self.dataset.faults);
        let problem = |(path, fault)| Problem {
            task: self.task.name.clone(),
            case: None,
            path,
            fault,
        };
        faults.into_iter().map(problem).collect()
    }

    /// Opens a task's dataset and joins channels and labels.
    ///
    /// Errors: those of [`Dataset::open`]; [`DataError::InvalidDataset`] if the dataset does not
    /// have the channels or labels that the task speaks of.
    pub fn open(task: &Task) -> Result<Self, DataError> {
        let dataset = Dataset::open(&task.dataset, task.format)?;
        let invalid = |field: &str, found: String, expected: String| DataError::InvalidDataset {
            path: task.dataset.join("dataset.json"),
            field: field.into(),
            found,
            expected,
        };
        let counted = dataset.channels.len();
        if task.channels.iter().all(|c| c.source.is_none()) && task.channels.len() != counted {
            let found = format!("{counted} channel(s), {}", dataset.channels.join(", "));
            let expected = format!(
                "task '{}' has {}: give each a 'source'",
                task.name,
                task.channels.len()
            );
            return Err(invalid("the image", found, expected));
        }
        let mut sources = Vec::new();
        for (place, channel) in task.channels.iter().enumerate() {
            let source = match &channel.source {
                None => Some(place),
                Some(name) => dataset
                    .channels
                    .iter()
                    .position(|known| known == name)
                    .or_else(|| name.parse().ok()),
            };
            let source = source.filter(|source| *source < counted).ok_or_else(|| {
                let name = channel.source.clone().unwrap_or_else(|| place.to_string());
                let expected = format!("task '{}' wants channel '{name}'", task.name);
                invalid(
                    "the list of channels",
                    dataset.channels.join(", "),
                    expected,
                )
            })?;
            sources.push(source);
        }
        let table = task
            .label_map
            .resolve(&dataset.labels, task.labels.len())
            .map_err(|name| {
                let known = dataset.labels.iter().map(|label| label.name.as_str());
                let close = nearest(&name, known.clone())
                    .map_or(String::new(), |close| format!(" (did it mean '{close}'?)"));
                let found = known.collect::<Vec<_>>().join(", ");
                let expected = format!(
                    "the label map of task '{}' speaks of '{name}'{close}",
                    task.name
                );
                invalid("the list of labels", found, expected)
            })?;
        Ok(Self {
            task: task.clone(),
            dataset,
            table,
            sources,
        })
    }

    /// Reads a case; NaN is left to preprocessing, which makes it 0.
    ///
    /// Errors: [`DataError::Case`] with the first fault that makes the case useless.
    pub fn load(&self, case: &Case) -> Result<LoadedCase, DataError> {
        let loaded = self.inspect(case);
        loaded.case.ok_or_else(|| {
            let mut errors = loaded.problems.into_iter();
            let problem = errors.find(|problem| problem.severity() == Severity::Error);
            let (path, fault) = problem.map_or((case.labels.clone(), Fault::Missing), |problem| {
                (problem.path, problem.fault)
            });
            DataError::Case {
                task: self.task.name.clone(),
                case: case.name.clone(),
                path,
                fault: Box::new(fault),
            }
        })
    }

    /// Reads a case and lists all that is wrong with it.
    pub(super) fn inspect(&self, case: &Case) -> Loaded {
        let mut findings = Findings {
            task: &self.task.name,
            case: &case.name,
            list: Vec::new(),
        };
        let channels = self.read_channels(case, &mut findings);
        let labels = self.read_labels(case, &mut findings);
        let case = match (channels, labels) {
            (Some(channels), Some(labels)) => {
                let usable = channels.first().is_some_and(|first| {
                    findings.same_grid(&case.labels, labels.geometry(), first.geometry())
                });
                usable.then(|| LoadedCase {
                    channels,
                    labels: labels.into_voxels(),
                })
            }
            _ => None,
        };
        Loaded {
            case,
            problems: findings.list,
        }
    }

    /// The task's channels, if all are there and on one grid.
    fn read_channels(&self, case: &Case, findings: &mut Findings<'_>) -> Option<Vec<Volume<f32>>> {
        let declared = self.dataset.channels.len();
        let mut channels: Vec<(PathBuf, Volume<f32>)> = Vec::new();
        match &case.images {
            CaseImages::Separate(files) => {
                if files.len() != declared {
                    let fault = Fault::ChannelCount {
                        found: files.len(),
                        declared,
                    };
                    findings.add(files.first().unwrap_or(&case.labels), fault);
                    return None;
                }
                for file in self.sources.iter().filter_map(|source| files.get(*source)) {
                    if let Some(volume) = findings.read(file) {
                        channels.push((file.clone(), volume));
                    }
                }
            }
            CaseImages::Stacked(file) => {
                if !findings.exists(file) {
                    return None;
                }
                let image = match read_nifti_channels(file) {
                    Ok(image) => image,
                    Err(error) => {
                        findings.add(file, Fault::unreadable(error));
                        return None;
                    }
                };
                findings.warn(file, image.warnings);
                if image.channels.len() != declared {
                    let found = image.channels.len();
                    findings.add(file, Fault::ChannelCount { found, declared });
                    return None;
                }
                let mut all: Vec<Option<Volume<f32>>> =
                    image.channels.into_iter().map(Some).collect();
                // A channel that is used twice is copied, others are moved.
                for (place, &source) in self.sources.iter().enumerate() {
                    let again = self.sources[place + 1..].contains(&source);
                    let slot = all.get_mut(source);
                    let volume = slot.and_then(|v| if again { v.clone() } else { v.take() });
                    channels.extend(volume.map(|volume| (file.clone(), volume)));
                }
            }
        }
        findings.intensities(&channels);
        let mut usable = channels.len() == self.sources.len();
        if let Some((_, first)) = channels.first() {
            for (file, other) in &channels[1..] {
                usable &= findings.same_grid(file, other.geometry(), first.geometry());
            }
        }
        if usable
            && channels
                .iter()
                .all(|(_, volume)| volume.voxels().iter().all(|v| *v == 0.0))
        {
            let path = channels
                .first()
                .map_or(&case.labels, |(file, _)| file)
                .clone();
            findings.add(&path, Fault::EmptyImage);
            usable = false;
        }
        usable.then(|| channels.into_iter().map(|(_, volume)| volume).collect())
    }

    /// The task's labels, if every value has a meaning.
    fn read_labels(&self, case: &Case, findings: &mut Findings<'_>) -> Option<Volume<u16>> {
        let file = &case.labels;
        let image = findings.read(file)?;
        let mut lookup: Vec<Option<u16>> = Vec::new();
        let mut odd: Vec<(u16, u64)> = Vec::new();
        let mut strange: Option<(f32, u64)> = None;
        let mapped = image.voxels().mapv(|value| {
            // Values are read as f32, which is exact for all of u16.
            let label = value as u16;
            if f32::from(label) != value {
                strange.get_or_insert((value, 0)).1 += 1;
                return 0;
            }
            if usize::from(label) >= lookup.len() {
                lookup.extend(
                    (lookup.len() as u32..=u32::from(label)).map(|v| self.table.get(v as u16)),
                );
            }
            lookup[usize::from(label)].unwrap_or_else(|| {
                match odd.iter_mut().find(|(value, _)| *value == label) {
                    Some((_, voxels)) => *voxels += 1,
                    None => odd.push((label, 1)),
                }
                0
            })
        });
        if let Some((example, voxels)) = strange {
            findings.add(file, Fault::NotALabel { example, voxels });
        }
        odd.sort_unstable();
        for &(value, voxels) in odd.iter().take(MOST_LABEL_FAULTS) {
            findings.add(
                file,
                match self.table.rule(value) {
                    Rule::Unmapped => Fault::UnmappedLabel { value, voxels },
                    _ => Fault::UndeclaredLabel { value, voxels },
                },
            );
        }
        if strange.is_some() || !odd.is_empty() {
            return None;
        }
        Volume::new(mapped, *image.geometry()).ok()
    }
}

/// An image in the place of a label file has thousands of odd values; some of them do.
const MOST_LABEL_FAULTS: usize = 10;

/// The problems of one case.
struct Findings<'a> {
    task: &'a str,
    case: &'a str,
    list: Vec<Problem>,
}

impl Findings<'_> {
    fn add(&mut self, path: &Path, fault: Fault) {
        self.list.push(Problem {
            task: self.task.to_owned(),
            case: Some(self.case.to_owned()),
            path: path.to_path_buf(),
            fault,
        });
    }

    fn exists(&mut self, file: &Path) -> bool {
        let exists = file.exists();
        if !exists {
            self.add(file, Fault::Missing);
        }
        exists
    }

    fn read(&mut self, file: &Path) -> Option<Volume<f32>> {
        if !self.exists(file) {
            return None;
        }
        match read_nifti(file) {
            Ok(image) => {
                self.warn(file, image.warnings);
                Some(image.volume)
            }
            Err(error) => {
                self.add(file, Fault::unreadable(error));
                None
            }
        }
    }

    fn warn(&mut self, file: &Path, warnings: Vec<HeaderWarning>) {
        for warning in warnings.into_iter().filter(|warning| !warning.is_routine()) {
            self.add(file, Fault::Header(warning));
        }
    }

    fn same_grid(&mut self, file: &Path, found: &Geometry, expected: &Geometry) -> bool {
        if found.extent != expected.extent {
            let (found, expected) = (found.extent, expected.extent);
            self.add(file, Fault::Extent { found, expected });
            return false;
        }
        let smallest = expected.spacing.zyx().into_iter().fold(f64::MAX, f64::min);
        let distance_mm = expected.corner_distance_mm(found);
        if distance_mm > POSITION_TOLERANCE * smallest {
            self.add(file, Fault::Position { distance_mm });
            return false;
        }
        true
    }

    fn intensities(&mut self, channels: &[(PathBuf, Volume<f32>)]) {
        for (file, volume) in channels {
            let (mut nan, mut infinite) = (0, 0);
            for value in volume.voxels().iter().filter(|value| !value.is_finite()) {
                if value.is_nan() {
                    nan += 1
                } else {
                    infinite += 1
                }
            }
            if nan > 0 {
                self.add(file, Fault::NotANumber { voxels: nan });
            }
            if infinite > 0 {
                self.add(file, Fault::Infinite { voxels: infinite });
            }
        }
    }
}
