//! What can go wrong between files on disk and labels on disk.

use std::{error::Error, io, path::PathBuf};

use uniseg_imaging::ImagingError;
use uniseg_onnx::{OnnxError, RepeatError, Task};

use crate::engine::out_of_memory;
use crate::{CohortError, Device, EngineKind, LibraryError, MemoryBound, Precision};

/// A foreign library's error, kept for its message.
pub type Cause = Box<dyn Error + Send + Sync>;

/// Every failure of this crate.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RuntimeError {
    /// A half of a pair of files was to compute alone.
    #[error(
        "the model is one half of a pair; this command needs a whole network: export it without \
         --split"
    )]
    HalfOfAPair,
    /// A half of a pair whose name does not tell the other's.
    #[error(
        "{} is one half of a pair, and its name does not end in {own}, so that the other half \
         cannot be found beside it", path.display()
    )]
    NoPartner {
        /// The file.
        path: PathBuf,
        /// How its name has to end.
        own: String,
    },
    /// Two halves that do not belong together.
    #[error(
        "{} and its other half are not of one network: export them again, together", path.display()
    )]
    OtherPartner {
        /// The file that was named.
        path: PathBuf,
    },
    /// The artefact is not there or not what it should be; the cause names the file.
    #[error(transparent)]
    OpenModel {
        /// Which file, and what is wrong with it.
        source: OnnxError,
    },
    /// An artefact is not what it was when it was opened first.
    #[error("{} changed while it was in use: start again", path.display())]
    ModelChanged {
        /// The file.
        path: PathBuf,
    },
    /// A graph cannot be made to compute several tasks at once.
    #[error("the network cannot run {tasks} tasks at once")]
    Repeat {
        /// How many were asked for.
        tasks: usize,
        /// Why not.
        source: RepeatError,
    },
    /// Tasks were to be chosen by an empty name, such as a script's variable that is not set.
    #[error("no task is named; the model has: {}", known.join(", "))]
    NoTaskNamed {
        /// The tasks of the model.
        known: Vec<String>,
    },
    /// No task is called that; the cause says which there are.
    #[error(transparent)]
    UnknownTask {
        /// The nearest name and all others.
        source: OnnxError,
    },
    /// `all` was asked for and no task takes that many channels.
    #[error(
        "no task of the model takes {channels} image file(s){of_modality}; its tasks take {known}"
    )]
    NoTaskForChannels {
        /// Number of files given.
        channels: usize,
        /// " of modality …" or nothing.
        of_modality: String,
        /// What the tasks take.
        known: String,
    },
    /// A task got more or fewer channels than it takes.
    #[error(
        "task \"{task}\" takes {} image file(s), in this order: {}; found {found}",
        expected.len(), expected.join(", ")
    )]
    ChannelCount {
        /// Name of the task.
        task: String,
        /// Modality of each channel.
        expected: Vec<String>,
        /// Number of channels given.
        found: usize,
    },
    /// No case has the images of both tasks.
    #[error(
        "no case is for both: task \"{}\" takes {} image file(s), \"{}\" takes {}",
        first.0, first.1, other.0, other.1
    )]
    TasksTakeOther {
        /// Name of a task, and how many images it takes.
        first: (String, usize),
        /// Those of another.
        other: (String, usize),
    },
    /// Tasks that see different images were to run on the same windows.
    #[error("tasks \"{first}\" and \"{other}\" are not preprocessed alike and cannot run together")]
    TasksDiffer {
        /// Name of the first task.
        first: String,
        /// Name of the task that differs from it.
        other: String,
    },
    /// A task of the manifest does not fit the network of the manifest.
    #[error("task \"{task}\" does not fit the network's {slots} input slots and {classes} classes")]
    TaskOutsideNetwork {
        /// Name of the task.
        task: String,
        /// Slots of the network.
        slots: usize,
        /// Classes of the network.
        classes: usize,
    },
    /// A case without files.
    #[error("no image file was given")]
    NoImages,
    /// Images on which two models cannot be compared.
    #[error(
        "the model finds none of its labels in the {windows} windows of these images, so that they \
         tell nothing: take images that show what it segments, or more windows"
    )]
    NothingToCompare {
        /// How many windows.
        windows: usize,
    },
    /// An image could not be read; the cause names the file.
    #[error(transparent)]
    ReadImage {
        /// Which file, and what is wrong with it.
        source: ImagingError,
    },
    /// Two channels of one case lie on different grids.
    #[error(
        "{} is not on the grid of {}: {difference}; resample it to that grid first",
        other.display(), first.display()
    )]
    GridsDiffer {
        /// The first channel.
        first: PathBuf,
        /// The channel that differs.
        other: PathBuf,
        /// Found and expected.
        difference: String,
    },
    /// The manifest's preprocessing is not one that can be done.
    #[error("cannot use the preprocessing of task \"{task}\"")]
    BadRecipe {
        /// Name of the task.
        task: String,
        /// Why.
        #[source]
        source: ImagingError,
    },
    /// Crop, resampling or normalisation failed.
    #[error("cannot preprocess {} for task \"{task}\"", images.join(", "))]
    Preprocess {
        /// Names of the case's files, in the order of its channels, or what was made of them.
        images: Box<[String]>,
        /// Name of the task.
        task: String,
        /// Why.
        #[source]
        source: ImagingError,
    },
    /// Labels could not be brought back to the image's grid.
    #[error("cannot bring the labels of task \"{task}\" back to the image's grid")]
    Restore {
        /// Name of the task.
        task: String,
        /// Why.
        #[source]
        source: ImagingError,
    },
    /// Labels could not be written, and nothing is left behind; the cause names the file.
    #[error(transparent)]
    WriteLabels {
        /// Which file, and why.
        source: ImagingError,
    },
    /// Statistics could not be written; nothing is left behind.
    #[error("cannot write the statistics to {}", path.display())]
    WriteStatistics {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The step of the sliding window makes no sense.
    #[error(
        "window step {step} is not usable: it must be at most 1 and at least {shortest} of the patch, which is one voxel"
    )]
    WindowStep {
        /// The step asked for.
        step: f64,
        /// The smallest usable one.
        shortest: f64,
    },
    /// The Gaussian's width makes no sense.
    #[error("the window's Gaussian width {sigma} is not a positive number")]
    GaussianSigma {
        /// The width asked for, as a fraction of the patch.
        sigma: f64,
    },
    /// There is nothing to slide over.
    #[error("cannot slide a window of {patch:?} voxels over a volume of {extent:?} voxels")]
    EmptyVolume {
        /// Extent of the volume (z, y, x).
        extent: [usize; 3],
        /// Extent of the window (z, y, x).
        patch: [usize; 3],
    },
    /// The engine asked for is not on this machine.
    #[error("the engine \"{kind}\" is not available: {reason}")]
    NoEngine {
        /// What was asked for.
        kind: EngineKind,
        /// Why it is not there, and the remedy.
        reason: String,
    },
    /// The device asked for cannot be used; nothing else is used in its place.
    #[error("the device {device} is not available: {reason}")]
    DeviceUnavailable {
        /// What was asked for.
        device: Device,
        /// What is missing, and the remedy.
        reason: String,
    },
    /// Something was asked for that another device has.
    #[error("the device {device} has no use for {}: it is for cuda", unused.join(", "))]
    OtherDevice {
        /// The device.
        device: Device,
        /// What was asked for, as on the command line.
        unused: Vec<&'static str>,
    },
    /// Device and artefact together cannot compute in the precision asked for.
    #[error("the device {device} cannot compute this artefact in {precision}: {reason}")]
    NoPrecision {
        /// The device.
        device: Device,
        /// What was asked for.
        precision: Precision,
        /// Why not, and what can.
        reason: String,
    },
    /// An engine ran out of the machine's memory or the GPU's; less at a time may fit.
    #[error("{engine} ran out of memory")]
    OutOfMemory {
        /// Name of the engine.
        engine: String,
        /// Its own words.
        source: Cause,
    },
    /// The library of ONNX Runtime that was asked for is not one.
    #[error(transparent)]
    FindLibrary(#[from] LibraryError),
    /// A library of ONNX Runtime is there but cannot be used.
    #[error("cannot load ONNX Runtime from {}", path.display())]
    LoadLibrary {
        /// The library.
        path: PathBuf,
        /// Why.
        source: Cause,
    },
    /// A second ONNX Runtime was asked for in one process.
    #[error(
        "this process already uses ONNX Runtime from {} and cannot load {} as well",
        loaded.display(), asked.display()
    )]
    OtherLibraryLoaded {
        /// The library in use.
        loaded: PathBuf,
        /// The library asked for.
        asked: PathBuf,
    },
    /// An engine does not accept the artefact.
    #[error("{engine} cannot open the model")]
    OpenSession {
        /// Name of the engine.
        engine: String,
        /// Its own words.
        source: Cause,
    },
    /// An engine failed while computing.
    #[error("{engine} failed to run the model")]
    Run {
        /// Name of the engine.
        engine: String,
        /// Its own words.
        source: Cause,
    },
    /// An engine panicked, which is a bug there or a model that it does not check.
    #[error("{engine} failed inside: {message}")]
    EnginePanicked {
        /// Name of the engine.
        engine: String,
        /// The panic's message.
        message: String,
    },
    /// An input of the graph was not given.
    #[error("{engine} needs the input \"{input}\", which was not given")]
    MissingInput {
        /// Name of the engine.
        engine: String,
        /// Name of the input.
        input: String,
    },
    /// A model could not be taken apart to be examined.
    #[error("cannot read the model's graph")]
    Decode {
        /// Why.
        #[source]
        source: OnnxError,
    },
    /// An engine did not return a value that was asked for.
    #[error("{engine} did not return the value \"{value}\"")]
    MissingOutput {
        /// Name of the engine.
        engine: String,
        /// The value.
        value: String,
    },
    /// The network returned something else than its logits.
    #[error("{engine} returned {found} where logits f32 {expected:?} were expected")]
    WrongOutput {
        /// Name of the engine.
        engine: String,
        /// Shape of the logits that the manifest promises.
        expected: [usize; 5],
        /// Names, types and shapes that came.
        found: String,
    },
    /// A priority names nothing.
    #[error("--priority names {name:?}, which is neither a task nor a label of {}", tasks.join(", "))]
    UnknownPriority {
        /// What it names.
        name: String,
        /// The tasks that are merged.
        tasks: Vec<String>,
    },
    /// The tasks have more labels than a label map has values.
    #[error("the tasks have more than 65535 labels together, which do not fit into one label map")]
    TooManyLabels,
    /// A label map is not on the grid of the map that it was to be merged into.
    #[error("the labels of task \"{task}\" are not on the grid of the merged label map")]
    MergeGrid {
        /// Name of the task.
        task: String,
    },
    /// A list of cases cannot be used.
    #[error(transparent)]
    Cohort(#[from] CohortError),
    /// A case does not fit into the memory that it may use.
    #[error(
        "the case needs about {needed}, more than the {bound} allowed: {images} for its images and \
         labels, {network} for one call of the network, the rest for program and engine; allow \
         more, or crop the images"
    )]
    MemoryBound {
        /// What is allowed.
        bound: MemoryBound,
        /// What is needed at the least.
        needed: MemoryBound,
        /// Images, the network's image and label maps.
        images: MemoryBound,
        /// Weights and one call of the network.
        network: MemoryBound,
    },
    /// Somebody asked the work to stop.
    #[error("stopped before it was done")]
    Cancelled,
    /// The network returned infinities or no numbers at all.
    #[error("{engine} returned values that are not finite; is the input corrupt?")]
    NotFinite {
        /// Name of the engine.
        engine: String,
    },
}

/// An error and its causes, as one sentence.
pub fn sentence(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut last = text.clone();
    let mut next = error.source();
    while let Some(cause) = next {
        let said = cause.to_string();
        // Transparent errors repeat their source's text.
        if said != last {
            text += &format!(": {said}");
        }
        last = said;
        next = cause.source();
    }
    text
}

impl RuntimeError {
    /// Whether an engine, or the device behind it, ran out of memory.
    pub fn is_out_of_memory(&self) -> bool {
        match self {
            RuntimeError::OutOfMemory { .. } => true,
            // Not every engine tells this apart from its other failures.
            RuntimeError::Run { source, .. } | RuntimeError::OpenSession { source, .. } => {
                out_of_memory(&source.to_string())
            }
            _ => false,
        }
    }

    /// The error and what caused it, in one line.
    pub fn with_causes(&self) -> String {
        sentence(self)
    }

    /// Checks the number of channels that `task` got.
    ///
    /// Errors: [`RuntimeError::ChannelCount`], naming the modalities expected.
    pub(crate) fn check_channels(task: &Task, found: usize) -> Result<(), RuntimeError> {
        if found == task.channels.len() {
            return Ok(());
        }
        Err(RuntimeError::ChannelCount {
            task: task.name.clone(),
            expected: task.modalities().map(str::to_owned).collect(),
            found,
        })
    }
}
