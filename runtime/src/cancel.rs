//! Asking work to stop.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use crate::RuntimeError;

/// Shared by who does the work and who may want it to stop; asked between windows.
#[derive(Debug, Clone, Default)]
pub struct CancelToken(Arc<AtomicBool>);

impl CancelToken {
    /// A token that nobody has used yet.
    pub fn new() -> CancelToken {
        CancelToken::default()
    }

    /// Asks everyone who holds this token to stop.
    pub fn cancel(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether somebody asked.
    pub fn is_cancelled(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// Errors: [`RuntimeError::Cancelled`] if somebody asked.
    pub fn check(&self) -> Result<(), RuntimeError> {
        match self.is_cancelled() {
            true => Err(RuntimeError::Cancelled),
            false => Ok(()),
        }
    }
}
