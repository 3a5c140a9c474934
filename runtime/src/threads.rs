//! How many threads this crate may use.

use std::{num::NonZeroUsize, thread};

/// More is a typing error, and a machine that starts a million threads does not come back.
const MAX_THREADS: usize = 1024;

/// Limits the threads of everything around the engine (resampling, averaging, restoring) in this
/// whole process; an engine has its own limit, [`crate::EngineOptions::threads`].
///
/// Call it before any other work: false, and no change, if those threads exist already.
pub fn limit_threads(threads: NonZeroUsize) -> bool {
    let count = thread_count(Some(threads));
    rayon::ThreadPoolBuilder::new()
        .num_threads(count)
        .build_global()
        .is_ok()
}

/// Threads to compute with if `asked` were asked for.
///
/// By default the number of cores that this process may use, not that of the machine: a
/// container's share is respected, which ONNX Runtime's own default does not do.
pub fn thread_count(asked: Option<NonZeroUsize>) -> usize {
    let available = || thread::available_parallelism().map_or(1, NonZeroUsize::get);
    asked
        .map_or_else(available, NonZeroUsize::get)
        .min(MAX_THREADS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_for_counts_up_to_a_bound() {
        assert_eq!(thread_count(NonZeroUsize::new(3)), 3);
        assert_eq!(thread_count(NonZeroUsize::new(usize::MAX)), MAX_THREADS);
        assert!(thread_count(None) >= 1);
    }
}
