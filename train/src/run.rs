//! A whole training run in a folder, to be continued after a kill.
//!
//! ```text
//! RUN/run.json                            plan and settings, fixed when the run begins
//! RUN/log.jsonl                           a line for every epoch
//! RUN/checkpoints/iteration-00001100/     checkpoint.json weights.safetensors   (for everybody)
//!                                         optimizer.burnpack state.json         (to go on from)
//! RUN/best.json                           which of them judged best
//! ```
//!
//! A checkpoint's folder is filled under another name, flushed to the disk and then renamed, so
//! that a kill or a full disk leaves the ones before it as they were. The last two and the best
//! are kept; if the last one is torn all the same, the run continues from the one before.

mod epoch;
mod folder;
mod log;
mod memory;
mod state;
mod train;

pub use folder::{checkpoint_folder, is_run};
pub use log::{EpochRecord, read_log};
pub use memory::peak_memory_bytes;
pub use train::{Event, Run, Summary, train};

#[cfg(test)]
mod tests;
