//! THE pipeline: which passes run, and in which order.

use super::{
    Pass, PassReport, drop_conv_bias::DropConvBias, drop_dead::DropDead,
    drop_identity::DropIdentity, drop_zero_channels::DropZeroChannels,
    fold_batch_norm::FoldBatchNorm, fold_constants::FoldConstants,
    fuse_instance_norm::FuseInstanceNorm, fuse_layer_norm::FuseLayerNorm,
    fuse_softmax::FuseSoftmax, merge_transposes::MergeTransposes, narrow_channels::NarrowChannels,
    pick_first::PickFirst, plain_linear::PlainLinear, share_initializers::ShareInitializers,
    share_nodes::ShareNodes,
};
use crate::cost::Cost;
use crate::error::ExportError;
use crate::graph::Graph;
use crate::verify::{signature, verify};

/// Linear layers come before anything takes their reshapes for its own; folding turns reshaped norm parameters into constants, which fusion then recognises; LayerNorm
/// comes before InstanceNorm, whose middle it has; sharing comes last, since every fusion may make
/// new constants.
const PIPELINE: &[&dyn Pass] = &[
    &PlainLinear,
    &DropIdentity,
    &MergeTransposes,
    &FoldConstants,
    &ShareNodes,
    &FuseSoftmax,
    &FuseLayerNorm,
    &FuseInstanceNorm,
    &FoldBatchNorm,
    &PickFirst,
    &NarrowChannels,
    &DropZeroChannels,
    &DropConvBias,
    &DropDead,
    &ShareInitializers,
];

/// More rounds than any graph needs; a pass that always reports a change must not hang the export.
const MAX_ROUNDS: usize = 16;

/// Runs the pipeline until nothing changes, checking the graph after every step.
pub(crate) fn optimise(graph: &mut Graph) -> Result<Vec<PassReport>, ExportError> {
    let ends = signature(graph);
    let mut reports: Vec<PassReport> = PIPELINE
        .iter()
        .map(|pass| PassReport::new(pass.name()))
        .collect();
    for _ in 0..MAX_ROUNDS {
        let mut changed = false;
        for (pass, report) in PIPELINE.iter().zip(&mut reports) {
            let before = Cost::of(graph);
            let changes = pass.run(graph);
            if changes == 0 {
                continue;
            }
            changed = true;
            report.add(changes, before, Cost::of(graph));
            verify(graph, pass.name())?;
            if signature(graph) != ends {
                return Err(ExportError::BrokenGraph {
                    step: pass.name(),
                    finding: "an input or output changed its name, type or shape".into(),
                });
            }
        }
        if !changed {
            break;
        }
    }
    graph.drop_unused_constants();
    Ok(reports)
}
