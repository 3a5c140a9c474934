//! Graph clean-ups and fusions, one a file; [`table`] has their order.

pub(crate) mod table;

mod channels;
mod drop_conv_bias;
mod drop_dead;
mod drop_identity;
mod drop_zero_channels;
mod fold_batch_norm;
mod fold_constants;
mod fuse_attention;
mod fuse_gelu;
mod fuse_instance_norm;
mod fuse_layer_norm;
mod fuse_softmax;
mod merge_transposes;
pub(crate) mod merge_upsampling;
mod narrow_channels;
mod pick_first;
mod plain_linear;
mod product;
mod share_initializers;
mod share_nodes;
pub(crate) mod split_conv;
mod view;
pub(crate) mod winograd;

use view::View;

use crate::cost::Cost;
use crate::graph::Graph;

/// A rewrite that keeps what a graph computes.
pub(crate) trait Pass {
    /// Name in kebab-case, for reports and errors.
    fn name(&self) -> &'static str;

    /// Rewrites the graph and says how many places it changed; 0 means that the graph is as it
    /// was.
    fn run(&self, graph: &mut Graph) -> usize;
}

/// What a pass changed, over all rounds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PassReport {
    /// Name of the pass.
    pub name: &'static str,
    /// Places that it changed.
    pub changes: usize,
    /// Nodes that it added; negative for nodes that it removed.
    pub nodes: i64,
    /// Floating-point operations that it added; negative for those it saved.
    pub flops: i64,
    /// Bytes read and written that it added; negative for those it saved.
    pub traffic_bytes: i64,
    /// Bytes alive together that it added; negative for those it saved.
    pub activation_bytes: i64,
}

impl PassReport {
    pub(crate) fn new(name: &'static str) -> Self {
        Self {
            name,
            changes: 0,
            nodes: 0,
            flops: 0,
            traffic_bytes: 0,
            activation_bytes: 0,
        }
    }

    /// Adds a run that made `changes` and led from one cost to another.
    pub(crate) fn add(&mut self, changes: usize, before: Cost, after: Cost) {
        let gap = |after: u64, before: u64| after as i64 - before as i64;
        self.changes += changes;
        self.nodes += gap(after.nodes, before.nodes);
        self.flops += gap(after.flops, before.flops);
        self.traffic_bytes += gap(after.traffic_bytes, before.traffic_bytes);
        self.activation_bytes += gap(after.activation_bytes, before.activation_bytes);
    }
}
