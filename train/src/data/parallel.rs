//! One case for each thread, no more.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;

use super::DataError;

/// Does `work` for 0..count, at most `threads` at a time, and hands each result to `done` on the
/// calling thread as it comes, in no particular order.
///
/// Every worker has a rayon pool of its own in which the imaging crate's inner loops run. In one
/// shared pool a worker that waits for its inner loop would begin another case meanwhile, and
/// memory would not be bounded by the number of threads.
///
/// Errors: [`DataError::Threads`].
pub(super) fn for_each<T: Send>(
    count: usize,
    threads: usize,
    work: impl Fn(usize) -> T + Sync,
    mut done: impl FnMut(usize, T),
) -> Result<(), DataError> {
    let threads = threads.max(1);
    let workers = threads.min(count);
    let pools = (0..workers)
        .map(|_| {
            rayon::ThreadPoolBuilder::new()
                .num_threads(threads / workers)
                .build()
        })
        .collect::<Result<Vec<_>, _>>()
        .map_err(|source| DataError::Threads { threads, source })?;
    let next = AtomicUsize::new(0);
    let (sender, results) = mpsc::channel();
    std::thread::scope(|scope| {
        for pool in pools {
            let (sender, next, work) = (sender.clone(), &next, &work);
            scope.spawn(move || {
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    // A closed channel means that `done` panicked: there is nobody to work for.
                    if index >= count || sender.send((index, pool.install(|| work(index)))).is_err()
                    {
                        break;
                    }
                }
            });
        }
        drop(sender);
        for (index, result) in results {
            done(index, result);
        }
    });
    Ok(())
}

/// As many threads as the machine has cores.
pub(super) fn all_cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rayon::prelude::*;

    #[test]
    fn everything_is_done_once_and_no_more_than_the_threads_at_a_time() {
        for (count, threads) in [(0, 2), (1, 4), (23, 3), (5, 0)] {
            let (running, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
            let work = |index: usize| {
                most.fetch_max(running.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                let sum: usize = (0..1000).into_par_iter().map(|i| i + index).sum();
                running.fetch_sub(1, Ordering::SeqCst);
                sum
            };
            let mut seen = vec![0; count];
            for_each(count, threads, work, |index, sum| {
                assert_eq!(sum, 499_500 + 1000 * index);
                seen[index] += 1;
            })
            .unwrap();
            assert!(seen.iter().all(|times| *times == 1));
            assert!(most.into_inner() <= threads.max(1));
        }
    }
}
