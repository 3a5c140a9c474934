//! How a run ends before its time, and what a failed one means.

use std::sync::Arc;

use ::ort::session::{NoSelectedOutputs, RunOptions};

use crate::{CancelToken, RuntimeError, cancel::Hook, engine::memory::out_of_memory};

/// Ends a run within a window: the library looks at a flag between the operations of a graph.
pub(super) struct Stop {
    cancel: CancelToken,
    pub(super) run_options: Arc<RunOptions<NoSelectedOutputs>>,
    /// Kept because the token does not.
    _hook: Hook,
}

impl Stop {
    pub(super) fn on(cancel: &CancelToken) -> ::ort::Result<Stop> {
        let run_options = Arc::new(RunOptions::new()?);
        let flagged = run_options.clone();
        let hook: Hook = Arc::new(move || {
            // A flag that cannot be set leaves the run to its end; who waits for it knows that.
            let _ = flagged.terminate();
        });
        cancel.on_cancel(&hook);
        Ok(Stop {
            cancel: cancel.clone(),
            run_options,
            _hook: hook,
        })
    }

    /// What a run that failed means.
    pub(super) fn error(&self, engine: &str, source: ::ort::Error) -> RuntimeError {
        match self.cancel.is_cancelled() {
            true => RuntimeError::Cancelled,
            false => run_error(engine, source),
        }
    }
}

/// What a run that was not ended means.
pub(super) fn run_error(name: &str, source: ::ort::Error) -> RuntimeError {
    let engine = name.to_owned();
    let out_of_memory = out_of_memory(&source.to_string());
    let source = source.into();
    if out_of_memory {
        RuntimeError::OutOfMemory { engine, source }
    } else {
        RuntimeError::Run { engine, source }
    }
}
