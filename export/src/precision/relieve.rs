//! Leaving in float what bytes disturb most for the little that they save there.
//!
//! Each node is put in bytes alone and the whole network runs, so that what is measured is what
//! arrives at the result: rounding before a norm at full resolution is seen through every layer
//! behind it, while that of a deep layer hardly leaves the skip connections' shadow. The errors of
//! nodes are independent and small, so that they add.

use std::collections::HashMap;

use super::Calibrator;
use super::quantise::{Site, Sites, convert};
use crate::cost::{Cost, flops, weight_bytes};
use crate::emit::emit;
use crate::error::ExportError;
use crate::graph::{Graph, Node, ValueId};

/// A node with less than this share of all that is measured stays in bytes: floats would gain
/// nothing that can be seen.
const QUIET: f64 = 0.01;

/// What bytes do at one node.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Candidate {
    node: usize,
    /// Share of the graph's operations and of its weights that stays in float with the node.
    cost: f64,
    /// What it adds to the disturbance of the result.
    disturbance: f64,
}

/// `sites`, of which as many as `share` allows stay in float, the most disturbing for their cost
/// first.
///
/// `share` is of the graph's operations and of its weights together. A node that costs more than
/// all of it is not measured.
pub(super) fn relieve(
    graph: &Graph,
    sites: Sites,
    ranges: &HashMap<ValueId, [f32; 2]>,
    share: f64,
    calibrator: &mut dyn Calibrator,
) -> Result<Sites, ExportError> {
    let all = Cost::of(graph);
    let affordable: Vec<(usize, f64)> = graph
        .nodes()
        .iter()
        .enumerate()
        .filter(|(index, _)| sites.of(*index) != Site::Float)
        .map(|(index, node)| (index, cost(graph, node, sites.of(index), &all)))
        .filter(|(_, cost)| *cost <= share)
        .collect();
    let mut candidates = Vec::new();
    for (done, &(index, cost)) in affordable.iter().enumerate() {
        calibrator.progress(done, affordable.len());
        let mut alone = convert(graph, &sites.only(index), ranges)?;
        alone.name_axes_like(graph);
        let disturbance = calibrator
            .disturbance(&emit(&alone, "probe"))
            .map_err(|source| ExportError::Calibration { source })?;
        if !disturbance.is_finite() {
            return Err(ExportError::Calibration {
                source: "a network with one layer in bytes returned no finite numbers".into(),
            });
        }
        candidates.push(Candidate {
            node: index,
            cost,
            disturbance,
        });
    }
    calibrator.progress(affordable.len(), affordable.len());
    Ok(sites.without(&chosen(candidates, share)))
}

/// What `node` costs in float: its share of the operations, if bytes save those, and of weights.
fn cost(graph: &Graph, node: &Node, site: Site, all: &Cost) -> f64 {
    let operations = match site {
        Site::Computed => flops(graph, node),
        Site::Stored | Site::Float => 0,
    };
    operations as f64 / all.flops.max(1) as f64
        + weight_bytes(graph, node) as f64 / all.weight_bytes.max(1) as f64
}

/// The nodes of most disturbance for their cost that `share` pays for.
fn chosen(mut candidates: Vec<Candidate>, share: f64) -> Vec<usize> {
    let total: f64 = candidates.iter().map(|each| each.disturbance).sum();
    candidates.retain(|each| each.disturbance > QUIET * total);
    let worth = |each: &Candidate| each.disturbance / each.cost.max(f64::MIN_POSITIVE);
    candidates.sort_by(|a, b| worth(b).total_cmp(&worth(a)));
    let mut left = share;
    candidates.retain(|each| {
        let paid = each.cost <= left;
        if paid {
            left -= each.cost;
        }
        paid
    });
    candidates.into_iter().map(|each| each.node).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_disturbing_for_their_cost_are_paid_first() {
        let candidate = |node, cost, disturbance| Candidate {
            node,
            cost,
            disturbance,
        };
        let all = vec![
            candidate(0, 0.08, 4.0),
            candidate(1, 0.03, 3.0),
            candidate(2, 0.10, 4.5),
            candidate(3, 0.00, 0.001),
            candidate(4, 0.01, 0.2),
        ];
        // 1 and 0 cost 0.11; 2 is beyond what is left, 4 is not, and 3 disturbs nothing.
        assert_eq!(chosen(all.clone(), 0.125), [1, 0, 4]);
        assert_eq!(chosen(all, 0.0), [0; 0]);
    }
}
