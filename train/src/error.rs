use std::path::PathBuf;

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
