use std::path::PathBuf;

use crate::batch::Part;
use crate::data::DataError;
use crate::planner::MemorySize;

/// Everything that can go wrong in this crate; each message names the file or field and, where it
/// is short, the way out.
#[derive(Debug, thiserror::Error)]
pub enum TrainError {
    /// A file could not be read or written.
    #[error("cannot {action} {}", path.display())]
    Io {
        /// What was being done: "read", "write", "create".
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The operating system's reason.
        #[source]
        source: std::io::Error,
    },
    /// A plan or checkpoint description is not the JSON it should be.
    #[error("{} is not a valid {what}", path.display())]
    Json {
        /// "plan" or "checkpoint description".
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// Where and why parsing stopped.
        #[source]
        source: serde_json::Error,
    },
    /// A plan is well-formed JSON but describes no network that can be built.
    #[error("the plan's {field} is {found}, but {expected}")]
    InvalidPlan {
        /// The JSON field.
        field: String,
        /// What the plan says.
        found: String,
        /// What it has to satisfy.
        expected: String,
    },
    /// No network is small enough.
    #[error(
        "no plan fits a budget of {budget}: even patches of {} x {} x {} with {base_num_features} \
         base features need {needed}", patch_size[0], patch_size[1], patch_size[2]
    )]
    BudgetTooSmall {
        /// What a training step may take.
        budget: MemorySize,
        /// What it takes with the smallest network that was tried.
        needed: MemorySize,
        /// That network's patch.
        patch_size: [usize; 3],
        /// That network's first features.
        base_num_features: usize,
    },
    /// A normalisation rule in a plan is not one that we know.
    #[error(
        "unknown normalisation '{found}' (known: none, zscore, zscore_nonzero, \
         clip_LOWER_UPPER_to_0_1)"
    )]
    UnknownNormalization {
        /// The rule as written.
        found: String,
    },
    /// A PyTorch checkpoint could not be parsed.
    #[error("{} is not a PyTorch checkpoint with a 'state_dict' ({reason})", path.display())]
    NotACheckpoint {
        /// The checkpoint.
        path: PathBuf,
        /// What the reader said.
        reason: String,
    },
    /// A checkpoint's tensors are not those of the network that the plan describes.
    #[error(
        "the weights in {} do not fit the plan: {}", path.display(), list_findings(findings)
    )]
    WeightsDoNotFit {
        /// The checkpoint.
        path: PathBuf,
        /// One line for each tensor that is missing, left over or of another shape.
        findings: Vec<String>,
    },
    /// Weights could not be written or read.
    #[error("cannot {action} the weights in {} ({reason})", path.display())]
    Weights {
        /// "write" or "read".
        action: &'static str,
        /// The safetensors file.
        path: PathBuf,
        /// What the store said.
        reason: String,
    },
    /// A checkpoint was written by a newer program.
    #[error(
        "{} has checkpoint format {found}, but this program reads up to {supported}: use a newer \
         uniseg", path.display()
    )]
    NewerCheckpoint {
        /// The description file.
        path: PathBuf,
        /// Its format number.
        found: u32,
        /// The newest one that we read.
        supported: u32,
    },
    /// The weights are not the ones that the checkpoint's description was written with.
    #[error(
        "{} does not match the sha256 in its description: the checkpoint is torn or was changed; \
         import or save it again", path.display()
    )]
    TornCheckpoint {
        /// The weights file.
        path: PathBuf,
    },
    /// A setting of the augmentation makes no sense.
    #[error("the augmentation's {field} is {found}, but {expected}")]
    InvalidAugmentation {
        /// The setting, as in "rotation.degrees".
        field: String,
        /// What it is.
        found: String,
        /// What it has to satisfy.
        expected: String,
    },
    /// The saved state of a part of the training cannot be continued from.
    #[error(
        "the saved state of the {what} does not fit: {}",
        list_findings(findings)
    )]
    InvalidState {
        /// "optimiser" or "task sampler".
        what: &'static str,
        /// One line for each thing that is wrong.
        findings: Vec<String>,
    },
    /// Data or its cache cannot be used.
    #[error(transparent)]
    Data(#[from] DataError),
    /// A setting of a training run cannot be meant so.
    #[error("the setting {field} is {found}, but {expected}")]
    InvalidSetting {
        /// The key in the settings file.
        field: String,
        /// What it is.
        found: String,
        /// What it has to satisfy.
        expected: String,
    },
    /// The cache was not made for this plan.
    #[error(
        "the cache {} was made with {field} {found}, but the plan has {expected}: run `uniseg \
         preprocess` with this plan", path.display()
    )]
    CacheDiffers {
        /// Folder of the task.
        path: PathBuf,
        /// What differs.
        field: &'static str,
        /// What the cache has.
        found: String,
        /// What the plan has.
        expected: String,
    },
    /// A task has no cases in a part of its split.
    #[error("task '{task}' has no {part} cases in the cache {}", path.display())]
    NoCases {
        /// The task.
        task: String,
        /// The part.
        part: Part,
        /// The cache.
        path: PathBuf,
    },
    /// Gradients were not finite again and again.
    #[error(
        "training diverged: the last {steps} steps up to number {iteration} had no finite gradient; \
         lower the rate, or look for broken intensities"
    )]
    Diverged {
        /// The last step.
        iteration: u64,
        /// How many in a row.
        steps: u32,
    },
    /// A run's folder belongs to a run with other settings.
    #[error(
        "{} holds a run with other settings ({}): name another folder, or give the same settings \
         to continue it", path.display(), list_findings(findings)
    )]
    RunDiffers {
        /// The run's folder.
        path: PathBuf,
        /// One line for each setting that differs.
        findings: Vec<String>,
    },
    /// Another process trains in the folder.
    #[error("another process is training in {}", path.display())]
    RunInUse {
        /// The run's folder.
        path: PathBuf,
    },
    /// No checkpoint of a run can be read.
    #[error("no checkpoint in {} can be used: {}", path.display(), list_findings(findings))]
    NoCheckpoint {
        /// The run's folder.
        path: PathBuf,
        /// What is wrong with each.
        findings: Vec<String>,
    },
    /// A device cannot be used, or failed.
    #[error(transparent)]
    Device(#[from] crate::device::DeviceError),
}

impl TrainError {
    pub(crate) fn io(
        action: &'static str,
        path: &std::path::Path,
    ) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_path_buf();
        move |source| Self::Io {
            action,
            path,
            source,
        }
    }
}

/// The first findings in one line, and how many more there are.
fn list_findings(findings: &[String]) -> String {
    const SHOWN: usize = 4;
    let mut line = findings
        .iter()
        .take(SHOWN)
        .cloned()
        .collect::<Vec<_>>()
        .join("; ");
    if findings.len() > SHOWN {
        line.push_str(&format!("; and {} more", findings.len() - SHOWN));
    }
    line
}
