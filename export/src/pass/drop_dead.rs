use super::Pass;
use crate::graph::Graph;

/// Removes nodes whose results nothing reads.
pub(super) struct DropDead;

impl Pass for DropDead {
    fn name(&self) -> &'static str {
        "drop-dead"
    }

    fn run(&self, graph: &mut Graph) -> usize {
        let mut live = vec![false; graph.value_count()];
        for (_, id) in graph.outputs() {
            live[id.0 as usize] = true;
        }
        let mut keep = vec![false; graph.nodes().len()];
        // Nodes stand in execution order, so one walk backwards sees every reader first.
        for (index, node) in graph.nodes().iter().enumerate().rev() {
            if node.outputs.iter().any(|id| live[id.0 as usize]) {
                keep[index] = true;
                for id in &node.inputs {
                    live[id.0 as usize] = true;
                }
            }
        }
        graph.retain_nodes(|index| keep[index])
    }
}
