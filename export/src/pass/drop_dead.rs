use super::Pass;
use crate::graph::Graph;

/// Removes nodes whose results nothing reads.
pub(super) struct DropDead;

impl Pass for DropDead {
    fn name(&self) -> &'static str {
        "drop-dead"
    }

    fn run(&self, graph: &mut Graph) -> usize {
        graph.drop_dead_nodes()
    }
}
