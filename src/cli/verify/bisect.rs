//! `verify --bisect`: the node at which two engines part.

use uniseg_runtime::{Bisection, Model, NodeDifference, bisect, open_engine};

use super::super::EngineArgs;
use crate::report;

/// Nodes that are shown besides the first beyond the tolerance.
const SHOWN: usize = 10;

/// Runs both engines node by node on the first task.
pub(super) fn bisected(model: &Model, args: &EngineArgs, seed: u64) -> anyhow::Result<Bisection> {
    let Some(task) = model.manifest().tasks.first() else {
        anyhow::bail!("the model has no task")
    };
    let (ort, tract) = (super::ort_options(model, args), super::tract_options(args));
    let bar = report::bar();
    let bisection = bisect(
        model,
        task,
        seed,
        &mut |part: &Model| Ok(open_engine(part, &ort)?.engine),
        &mut |part: &Model| Ok(open_engine(part, &tract)?.engine),
        &mut |done, total| {
            bar.set_length(total as u64);
            bar.set_position(done as u64);
        },
    )?;
    bar.finish_and_clear();
    Ok(bisection)
}

/// The worst nodes, and the first beyond `tolerance`.
pub(super) fn table(bisection: &Bisection, tolerance: f64) -> String {
    let heading = ["node", "operator", "shape", "max abs", "max rel"];
    let rows: Vec<_> = std::iter::once(heading.map(str::to_owned).to_vec())
        .chain(bisection.worst(SHOWN).into_iter().map(row))
        .collect();
    let verdict = match bisection.first_beyond(tolerance) {
        Some(node) => format!(
            "the first node beyond {tolerance:.0e} is {}: {} of shape {:?}, {:.2e}",
            node.node, node.op, node.shape, node.max_rel
        ),
        None => format!(
            "no node of {} is beyond {tolerance:.0e}",
            bisection.nodes.len()
        ),
    };
    format!(
        "worst nodes on task {}, {} against {}\n{}{verdict}\n",
        bisection.task,
        bisection.engines[0],
        bisection.engines[1],
        report::table(&rows)
    )
}

fn row(node: &NodeDifference) -> Vec<String> {
    vec![
        node.node.clone(),
        node.op.clone(),
        format!("{:?}", node.shape),
        format!("{:.2e}", node.max_abs),
        format!("{:.2e}", node.max_rel),
    ]
}
