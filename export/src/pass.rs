//! Graph clean-ups and fusions, one a file; [`table`] has their order.

pub(crate) mod table;

mod drop_dead;
mod drop_identity;
mod fold_constants;
mod fuse_instance_norm;
mod share_initializers;

use crate::graph::Graph;

/// A rewrite that keeps what a graph computes.
pub(crate) trait Pass {
    /// Name in kebab-case, for reports and errors.
    fn name(&self) -> &'static str;

    /// Rewrites the graph and says how many places it changed; 0 means that the graph is as it
    /// was.
    fn run(&self, graph: &mut Graph) -> usize;
}

/// How often a pass changed something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PassReport {
    /// Name of the pass.
    pub name: &'static str,
    /// Places that it changed, over all rounds.
    pub changes: usize,
}
