//! Which task the next batch is of.

use std::num::{NonZeroU32, NonZeroUsize};

use serde::{Deserialize, Serialize};

use crate::TrainError;
use crate::data::random::Random;

/// Batches of each task in one round, in the paper: 11 tasks make an epoch of 550.
pub const BATCHES_PER_TASK: NonZeroU32 = NonZeroU32::new(50).expect("50 is not 0");

/// Draws the task of every batch: uniformly among the tasks that have batches left in this round.
///
/// When none has, the next round begins; so every task has the same number of batches in a round,
/// in random order. An infinite iterator over task indices. Serialised, it continues with the very
/// draws that it would have made.
///
/// Source: uniseg recipe, section 3.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "State", try_from = "State")]
pub struct TaskSampler {
    state: State,
    left: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct State {
    /// Batches left in this round, by task.
    remaining: Vec<u32>,
    batches_per_task: NonZeroU32,
    /// State of the random numbers.
    random: Random,
}

impl TaskSampler {
    /// A sampler at the beginning of a round; the same seed draws the same tasks on every machine.
    pub fn new(tasks: NonZeroUsize, batches_per_task: NonZeroU32, seed: u64) -> Self {
        let remaining = vec![batches_per_task.get(); tasks.get()];
        let left = total(&remaining);
        Self {
            state: State {
                remaining,
                batches_per_task,
                random: Random::new(seed),
            },
            left,
        }
    }

    /// Number of tasks.
    pub fn tasks(&self) -> usize {
        self.state.remaining.len()
    }

    /// The task of the next batch.
    pub fn draw(&mut self) -> usize {
        let State {
            remaining,
            batches_per_task,
            random,
        } = &mut self.state;
        if self.left == 0 {
            remaining.fill(batches_per_task.get());
            self.left = total(remaining);
        }
        let candidates = remaining.iter().filter(|count| **count > 0).count();
        let choice = random.below(candidates as u64) as usize;
        let (task, count) = remaining
            .iter_mut()
            .enumerate()
            .filter(|(_, count)| **count > 0)
            .nth(choice)
            .expect("the choice is below the number of candidates");
        *count -= 1;
        self.left -= 1;
        task
    }
}

impl Iterator for TaskSampler {
    type Item = usize;

    fn next(&mut self) -> Option<usize> {
        Some(self.draw())
    }
}

impl From<TaskSampler> for State {
    fn from(sampler: TaskSampler) -> Self {
        sampler.state
    }
}

impl TryFrom<State> for TaskSampler {
    type Error = TrainError;

    fn try_from(state: State) -> Result<Self, TrainError> {
        let most = state.batches_per_task.get();
        if state.remaining.is_empty() || state.remaining.iter().any(|count| *count > most) {
            return Err(TrainError::InvalidState {
                what: "task sampler",
                findings: vec![format!(
                    "'remaining' is {:?}, but at least one task with at most {most} batches is \
                     needed",
                    state.remaining
                )],
            });
        }
        let left = total(&state.remaining);
        Ok(Self { state, left })
    }
}

fn total(remaining: &[u32]) -> u64 {
    remaining.iter().map(|count| u64::from(*count)).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sampler(tasks: usize, batches: u32, seed: u64) -> TaskSampler {
        let tasks = NonZeroUsize::new(tasks).unwrap();
        TaskSampler::new(tasks, NonZeroU32::new(batches).unwrap(), seed)
    }

    #[test]
    fn every_epoch_has_fifty_batches_of_every_task_in_another_order() {
        let tasks = NonZeroUsize::new(11).unwrap();
        let mut sampler = TaskSampler::new(tasks, BATCHES_PER_TASK, 1);
        let epochs: Vec<Vec<usize>> = (0..3)
            .map(|_| sampler.by_ref().take(550).collect())
            .collect();
        for epoch in &epochs {
            for task in 0..11 {
                assert_eq!(epoch.iter().filter(|drawn| **drawn == task).count(), 50);
            }
        }
        assert_ne!(epochs[0], epochs[1]);
        assert_ne!(epochs[1], epochs[2]);
    }

    /// First draws of many seeds are uniform: 4 standard deviations of a binomial.
    #[test]
    fn draws_are_uniform() {
        let mut counts = [0_u32; 5];
        for seed in 0..10_000 {
            counts[sampler(5, 2, seed).draw()] += 1;
        }
        for count in counts {
            assert!(count.abs_diff(2000) < 160, "{counts:?}");
        }
    }

    #[test]
    fn the_seed_decides() {
        let draws = |seed| sampler(11, 50, seed).take(100).collect::<Vec<_>>();
        assert_eq!(draws(5), draws(5));
        assert_ne!(draws(5), draws(6));
    }

    #[test]
    fn it_continues_from_its_state_at_any_point() {
        let mut original = sampler(3, 4, 9);
        for _ in 0..30 {
            let stored = serde_json::to_string(&original).unwrap();
            let restored: TaskSampler = serde_json::from_str(&stored).unwrap();
            assert_eq!(restored, original);
            assert!(restored.take(20).eq(original.clone().take(20)));
            original.draw();
        }
    }

    #[test]
    fn a_state_that_cannot_be_is_refused() {
        for state in [
            r#"{"remaining":[],"batches_per_task":5,"random":1}"#,
            r#"{"remaining":[6],"batches_per_task":5,"random":1}"#,
            r#"{"remaining":[0],"batches_per_task":0,"random":1}"#,
        ] {
            assert!(
                serde_json::from_str::<TaskSampler>(state).is_err(),
                "{state}"
            );
        }
    }
}
