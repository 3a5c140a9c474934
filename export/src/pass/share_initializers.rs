use std::collections::HashMap;

use super::Pass;
use crate::graph::{Graph, Patch, ValueId};

/// Stores equal constants once.
pub(super) struct ShareInitializers;

impl Pass for ShareInitializers {
    fn name(&self) -> &'static str {
        "share-initializers"
    }

    fn run(&self, graph: &mut Graph) -> usize {
        let mut patch = Patch::default();
        let mut seen = HashMap::new();
        for &id in graph.nodes().iter().flat_map(|node| &node.inputs) {
            let Some(constant) = graph.constant(id) else {
                continue;
            };
            let first: ValueId = *seen
                .entry((constant.dtype, &constant.shape, &constant.bytes))
                .or_insert(id);
            if first != id {
                patch.redirect(id, first);
            }
        }
        patch.finish(graph)
    }
}
