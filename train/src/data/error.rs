use std::path::{Path, PathBuf};

use super::fault::Fault;

/// Everything that can go wrong between a folder of volumes and the cache that training reads.
///
/// What is wrong with one file of a dataset is a [`Fault`]; this type says which act failed.
#[derive(Debug, thiserror::Error)]
pub enum DataError {
    /// A file or folder could not be read or written.
    #[error("cannot {action} {}", path.display())]
    Io {
        /// What was being done: "read", "write", "create", "list".
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The operating system's reason.
        #[source]
        source: std::io::Error,
    },
    /// A tasks or settings file is not the TOML it should be.
    #[error("{} is not a valid {what}", path.display())]
    Toml {
        /// "tasks file" or "settings file".
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// Where and why parsing stopped.
        #[source]
        source: Box<toml::de::Error>,
    },
    /// A tasks or settings file has a key that means nothing.
    #[error("{}, line {line}: unknown key '{found}'{}", path.display(), suggestion(nearest, known))]
    UnknownKey {
        /// The file.
        path: PathBuf,
        /// Line of the key, from 1.
        line: usize,
        /// The key as written.
        found: String,
        /// The known key that looks most like it, if one does.
        nearest: Option<String>,
        /// All keys that are known at that place.
        known: Vec<String>,
    },
    /// A tasks file is well-formed but cannot be meant so.
    #[error("{}, task '{task}': {field} is {found}, but {expected}", path.display())]
    InvalidTask {
        /// The tasks file.
        path: PathBuf,
        /// The task.
        task: String,
        /// The key.
        field: String,
        /// What the file says.
        found: String,
        /// What it has to satisfy.
        expected: String,
    },
    /// No task has this name or alias.
    #[error("there is no task '{found}' in {}{}", path.display(), suggestion(nearest, known))]
    UnknownTask {
        /// The tasks file.
        path: PathBuf,
        /// The name as asked for.
        found: String,
        /// The name that looks most like it, if one does.
        nearest: Option<String>,
        /// All task names.
        known: Vec<String>,
    },
    /// There is no ready-made tasks file of this name.
    #[error(
        "there is no ready-made tasks file '{found}'{}",
        suggestion(nearest, known)
    )]
    UnknownRecipe {
        /// The name as asked for.
        found: String,
        /// The name that looks most like it, if one does.
        nearest: Option<String>,
        /// All names.
        known: Vec<String>,
    },
    /// A file is not the JSON it should be.
    #[error("{} is not a valid {what}", path.display())]
    Json {
        /// "dataset.json", "splits file", "cache index", ...
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// Where and why parsing stopped.
        #[source]
        source: serde_json::Error,
    },
    /// A `dataset.json` is well-formed but does not describe a dataset.
    #[error("{}: {field} is {found}, but {expected}", path.display())]
    InvalidDataset {
        /// The `dataset.json`.
        path: PathBuf,
        /// The entry.
        field: String,
        /// What the file says.
        found: String,
        /// What it has to satisfy.
        expected: String,
    },
    /// A folder has no dataset that we can read.
    #[error(
        "{} is not a dataset: it has no dataset.json (nnu-net raw data or medical segmentation \
         decathlon)", path.display()
    )]
    NotADataset {
        /// The folder.
        path: PathBuf,
    },
    /// A dataset has no training cases at all.
    #[error("{} has no training cases: neither images nor a training list", path.display())]
    NoCases {
        /// The dataset folder.
        path: PathBuf,
    },
    /// A dataset cannot be split into training and validation cases.
    #[error("cannot split {what}: {found}, but {expected}")]
    Split {
        /// The splits file or the dataset.
        what: String,
        /// What there is.
        found: String,
        /// What is needed.
        expected: String,
    },
    /// A case cannot be used.
    #[error("case {case} of task {task}, {}", path.display())]
    Case {
        /// The task.
        task: String,
        /// The case.
        case: String,
        /// The file that is to blame.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        fault: Box<Fault>,
    },
    /// A spacing or intensity window should come from the data, but the data does not give it.
    #[error(
        "task '{task}' takes its {what} from the data, but {found}: state it in the tasks file"
    )]
    NotInFingerprint {
        /// The task.
        task: String,
        /// "spacing" or "intensity window".
        what: &'static str,
        /// Why there is none.
        found: String,
    },
    /// A plan was made for other tasks.
    #[error(
        "the plan is not of the tasks in {}: {}; make the plan again", path.display(),
        differences.join("; ")
    )]
    PlanDisagrees {
        /// The tasks file.
        path: PathBuf,
        /// One sentence for each difference.
        differences: Vec<String>,
    },
    /// A file of the cache is not whole.
    #[error("{} is torn ({reason}): preprocess again", path.display())]
    TornCache {
        /// The file.
        path: PathBuf,
        /// What does not fit.
        reason: String,
    },
    /// A cache was written by a newer program.
    #[error(
        "{} has cache format {found}, but this program reads up to {supported}: use a newer \
         uniseg or preprocess again", path.display()
    )]
    NewerCache {
        /// The file.
        path: PathBuf,
        /// Its format number.
        found: u32,
        /// The newest one that we read.
        supported: u32,
    },
    /// Another process is writing this cache.
    #[error("{} is in use: another process is preprocessing into it", path.display())]
    CacheInUse {
        /// The lock file.
        path: PathBuf,
    },
    /// Work threads could not be started.
    #[error("cannot start {threads} worker threads")]
    Threads {
        /// How many were asked for.
        threads: usize,
        /// The system's reason.
        #[source]
        source: rayon::ThreadPoolBuildError,
    },
}

impl DataError {
    pub(super) fn io(action: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_path_buf();
        move |source| Self::Io {
            action,
            path,
            source,
        }
    }

    pub(super) fn torn(path: &Path, reason: impl ToString) -> Self {
        Self::TornCache {
            path: path.to_path_buf(),
            reason: reason.to_string(),
        }
    }
}

/// What was probably meant, or else what could be.
fn suggestion(nearest: &Option<String>, known: &[String]) -> String {
    match nearest {
        Some(nearest) => format!(" (did you mean '{nearest}'?)"),
        None => format!(" (known: {})", known.join(", ")),
    }
}

/// The known word that looks most like a wrong one, unless none is close.
pub(super) fn nearest<'a>(found: &str, known: impl IntoIterator<Item = &'a str>) -> Option<String> {
    /// Below this Jaro-Winkler similarity a word is another word, not a typo.
    const TYPO: f64 = 0.75;
    let found = found.to_lowercase();
    let scored = known
        .into_iter()
        .map(|word| (strsim::jaro_winkler(&found, &word.to_lowercase()), word));
    let (score, word) = scored.max_by(|a, b| a.0.total_cmp(&b.0))?;
    (score >= TYPO).then(|| word.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn typos_find_their_word() {
        let known = ["normalization", "spacing_zyx_mm", "labels", "label_map"];
        for (found, expected) in [
            ("normalisation", Some("normalization")),
            ("spacing", Some("spacing_zyx_mm")),
            ("Lables", Some("labels")),
            ("qqq", None),
        ] {
            assert_eq!(nearest(found, known).as_deref(), expected, "{found}");
        }
        assert_eq!(nearest("x", []), None);
    }

    #[test]
    fn messages_say_what_where_and_the_way_out() {
        let known = || vec!["a".to_owned(), "b".to_owned()];
        let rows: [(DataError, &str); 4] = [
            (
                DataError::UnknownKey {
                    path: "tasks.toml".into(),
                    line: 3,
                    found: "naem".into(),
                    nearest: Some("name".into()),
                    known: known(),
                },
                "tasks.toml, line 3: unknown key 'naem' (did you mean 'name'?)",
            ),
            (
                DataError::UnknownRecipe {
                    found: "x".into(),
                    nearest: None,
                    known: known(),
                },
                "there is no ready-made tasks file 'x' (known: a, b)",
            ),
            (
                DataError::torn(Path::new("liver/case.safetensors"), "it has 3 bytes"),
                "liver/case.safetensors is torn (it has 3 bytes): preprocess again",
            ),
            (
                DataError::NotADataset {
                    path: "data".into(),
                },
                "data is not a dataset: it has no dataset.json (nnu-net raw data or medical \
                 segmentation decathlon)",
            ),
        ];
        for (error, expected) in rows {
            assert_eq!(error.to_string(), expected);
        }
    }
}
