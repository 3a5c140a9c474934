//! One job's share of the cases.

use std::str::FromStr;

use super::CohortError;

/// Job `index` of `count`, counted from 1: it takes every `count`-th case.
///
/// The share depends on the list and on nothing else, so that jobs need not know of each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shard {
    index: usize,
    count: usize,
}

impl Shard {
    /// This job's share of `cases`, in their order.
    pub fn of<T>(self, cases: Vec<T>) -> Vec<T> {
        let shares = cases.into_iter().enumerate();
        shares
            .filter(|(place, _)| place % self.count == self.index - 1)
            .map(|(_, case)| case)
            .collect()
    }
}

impl FromStr for Shard {
    type Err = CohortError;

    /// Reads `i/n`.
    fn from_str(text: &str) -> Result<Shard, CohortError> {
        let numbers = text.split_once('/');
        let numbers =
            numbers.and_then(|(index, count)| Some((index.parse().ok()?, count.parse().ok()?)));
        match numbers {
            Some((index, count)) if (1..=count).contains(&index) => Ok(Shard { index, count }),
            _ => Err(CohortError::Shard {
                found: text.to_owned(),
            }),
        }
    }
}
