//! Data in: from folders of volumes to the cache that training reads.
//!
//! ```text
//! tasks.toml --Tasks::read--> Task --TaskData::open--> TaskData (task + dataset folder)
//!                              |                            |
//!                           survey                      preprocess
//!                              |                            |
//!                    problems, Fingerprint ------> CACHE/TASK/*.safetensors
//!                              |                            |
//!                        Task::resolve             CacheIndex, CachedCase
//! ```
//!
//! | module | what |
//! |---|---|
//! | [`tasks`] | `tasks.toml`: datasets, channels, label maps, splits |
//! | [`recipes`] | ready-made tasks files |
//! | [`dataset`] | nnU-Net raw folders (v1, v2), medical segmentation decathlon |
//! | [`survey`](mod@survey) | every problem of a dataset in one list, and its fingerprint |
//! | [`split`] | training and validation cases |
//! | [`preprocess`](mod@preprocess) | parallel, resumable filling of the cache |
//! | [`cache`] | the cache's files, memory-mapped |
//!
//! Files are untrusted and may be broken: a bad case is reported with its file and never stops the
//! others. Nothing here needs a tensor library; images are preprocessed by the imaging crate's
//! recipe, the same code that prediction runs.

pub mod cache;
pub mod dataset;
pub mod fault;
pub mod fingerprint;
pub mod preprocess;
pub mod recipes;
pub mod split;
pub mod survey;
pub mod tasks;

pub(crate) mod atomic;
pub(crate) mod random;

mod error;
mod lock;
mod parallel;
mod source;
#[cfg(test)]
pub(crate) mod testing;
mod toml;

pub(crate) use self::toml::from_toml;
pub use cache::{Block, CacheIndex, CachedCase};
pub use dataset::{Case, CaseImages, Dataset, DeclaredLabel, Format};
pub use error::DataError;
pub use fault::{Fault, Problem, Severity};
pub use fingerprint::{CaseFingerprint, Fingerprint, Intensity};
pub(crate) use lock::try_lock;
pub use preprocess::{PreprocessOptions, PreprocessReport, preprocess};
pub use source::{LoadedCase, TaskData};
pub use split::{Split, SplitRule};
pub use survey::{Survey, SurveyOptions, survey};
pub use tasks::{PlannedTask, ResolvedTask, Task, Tasks};
