//! Graph clean-ups and fusions, one a file; [`table`] has their order.

pub(crate) mod table;

mod drop_conv_bias;
mod drop_dead;
mod drop_identity;
mod drop_zero_channels;
mod fold_batch_norm;
mod fold_constants;
mod fuse_instance_norm;
mod fuse_layer_norm;
mod fuse_softmax;
mod merge_transposes;
mod narrow_channels;
mod share_initializers;
mod share_nodes;
mod view;

use view::View;

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
