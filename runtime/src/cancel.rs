//! Asking work to stop.

use std::{
    fmt,
    sync::{
        Arc, Mutex, PoisonError, Weak,
        atomic::{AtomicBool, Ordering},
    },
};

use crate::RuntimeError;

/// What is to be done at the moment somebody asks; it may be done twice.
pub(crate) type Hook = Arc<dyn Fn() + Send + Sync>;

/// Shared by who does the work and who may want it to stop; asked between windows, and told to
/// engines that can stop within one.
#[derive(Clone, Default)]
pub struct CancelToken(Arc<Shared>);

#[derive(Default)]
struct Shared {
    asked: AtomicBool,
    hooks: Mutex<Vec<Weak<dyn Fn() + Send + Sync>>>,
}

impl CancelToken {
    /// A token that nobody has used yet.
    pub fn new() -> CancelToken {
        CancelToken::default()
    }

    /// Asks everyone who holds this token to stop.
    pub fn cancel(&self) {
        self.0.asked.store(true, Ordering::Relaxed);
        self.hooks().iter().filter_map(Weak::upgrade).for_each(run);
    }

    /// Whether somebody asked.
    pub fn is_cancelled(&self) -> bool {
        self.0.asked.load(Ordering::Relaxed)
    }

    /// Errors: [`RuntimeError::Cancelled`] if somebody asked.
    pub fn check(&self) -> Result<(), RuntimeError> {
        match self.is_cancelled() {
            true => Err(RuntimeError::Cancelled),
            false => Ok(()),
        }
    }

    /// Has `hook` run when somebody asks, or now if somebody has, for as long as it is kept alive
    /// by its owner.
    pub(crate) fn on_cancel(&self, hook: &Hook) {
        let mut hooks = self.hooks();
        hooks.retain(|hook| hook.strong_count() > 0);
        hooks.push(Arc::downgrade(hook));
        drop(hooks);
        // Asked before the hook was there, or while it was put there: then it may run twice.
        if self.is_cancelled() {
            hook();
        }
    }

    fn hooks(&self) -> std::sync::MutexGuard<'_, Vec<Weak<dyn Fn() + Send + Sync>>> {
        self.0.hooks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn run(hook: Hook) {
    hook();
}

impl fmt::Debug for CancelToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("CancelToken")
            .field(&self.is_cancelled())
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use super::*;

    #[test]
    fn hooks_run_when_somebody_asks_and_go_with_their_owner() {
        let token = CancelToken::new();
        let count = Arc::new(AtomicUsize::new(0));
        let counting = || -> Hook {
            let count = count.clone();
            Arc::new(move || {
                count.fetch_add(1, Ordering::Relaxed);
            })
        };
        let (kept, dropped) = (counting(), counting());
        token.on_cancel(&kept);
        token.on_cancel(&dropped);
        drop(dropped);
        assert!(token.check().is_ok());
        token.clone().cancel();
        assert_eq!(count.load(Ordering::Relaxed), 1);
        assert!(matches!(token.check(), Err(RuntimeError::Cancelled)));
        // Too late to be told later.
        token.on_cancel(&counting());
        assert_eq!(count.load(Ordering::Relaxed), 2);
    }
}
