//! From an artefact and image files to labels on disk.
//!
//! ```text
//! Model::open -> open_engine -> Case::read -> Case::segment -> write_labels, write_statistics
//!                                               |
//!                                recipe -> predict (sliding window) -> restore
//! ```
//!
//! - [`Model`]: an artefact that has been checked.
//! - [`find_ort`]: where ONNX Runtime's library is; [`open_engine`]: ONNX Runtime or tract behind
//!   one trait, [`Engine`].
//! - [`predict`]: the sliding window over any engine; [`forward`]: a single pass.
//! - [`Case`], [`segment_case`], [`select_tasks`]: whole cases, one task or many.
//! - [`compare`]: two engines on the same random inputs; [`bisect`]: node by node;
//!   [`accuracy`]: two models on the same windows of real images.
//!
//! Arrays are indexed (z, y, x), several channels or classes come first. The crate knows neither
//! how a network was trained nor how it was exported: everything it needs is in the artefact.
//! It prints nothing; progress and notes are handed to the caller.

mod cancel;
mod case;
mod cohort;
mod compare;
mod device;
mod engine;
mod error;
mod footprint;
mod forward;
mod library;
mod machine;
mod memory;
mod merge;
mod model;
mod output;
mod peak;
mod pieces;
mod predictor;
mod sample;
mod statistics;
mod tasks;
mod tensor;
mod threads;
mod tune;
mod window;

#[cfg(test)]
mod testing;

pub use cancel::CancelToken;
pub use case::{
    Case, CaseResult, Progress, Request, Segmentation, Timing, Together, group_tasks, segment_case,
};
pub use cohort::{CaseFlaw, CohortCase, CohortError, Shard, find_cases, nifti_stem};
pub use compare::{
    Accuracy, Bisection, Comparison, LabelAccuracy, NodeDifference, Opener, TaskDifference,
    accuracy, bisect, compare, random_patch,
};
pub use device::{ConvSearch, Device, Precision, UnknownName};
pub use engine::{
    ComputedOn, CudaOptions, EachOutput, Engine, EngineKind, EngineOptions, Held, Lent,
    LibraryProbe, OpenedEngine, Placed, ProviderProbe, Sums, SumsOf, open_engine, planned_engine,
    probe_library,
};
pub use error::{Cause, RuntimeError, sentence};
pub use footprint::{Footprint, Keeping};
pub use forward::{Logits, forward};
pub use library::{
    Candidate, CudaLibrary, Flavour, InstallDamage, InstallStep, LibraryError, LibrarySource,
    OrtLibrary, Problem, Surroundings, cache_folder, find_cuda_libraries, find_ort, find_ort_for,
    install_ort, list_ort, missing_libraries,
};
pub use machine::Machine;
pub use memory::{MemoryBound, MemoryEstimate, MemoryUse, fit_memory};
pub use merge::{MERGED_VERSION, Merge, MergedLabel, MergedTable};
pub use model::Model;
pub use output::{write_labels, write_merged, write_statistics};
pub use peak::{Peak, measure_peak, peak_memory_bytes};
pub use pieces::{Engines, Pieces, PiecesOn};
pub use predictor::{EachTask, Predictor, WholeModel};
pub use sample::{Sample, sample_windows};
pub use statistics::{InputFile, LabelStatistics, STATISTICS_VERSION, Statistics, recipe_sha256};
pub use tasks::{TaskChoice, check_tasks, select_tasks};
pub use tensor::{Tensor, TensorView, TensorViewMut};
pub use threads::{limit_threads, thread_count};
pub use tune::{Bounds, LeastLabel, Tried, TuneOptions, Tuned, Tunings, tune};
pub use window::{
    FirstLook, Region, Slab, Window, WindowOptions, WindowPlan, WindowProgress, WindowReport,
    WindowRun, gaussian, predict, predict_slabs,
};
