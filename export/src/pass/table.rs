//! THE pipeline: which passes run, and in which order.

use super::{
    Pass, PassReport, drop_conv_bias::DropConvBias, drop_dead::DropDead,
    drop_identity::DropIdentity, drop_zero_channels::DropZeroChannels,
    fold_batch_norm::FoldBatchNorm, fold_constants::FoldConstants, fuse_attention::FuseAttention,
    fuse_gelu::FuseGelu, fuse_instance_norm::FuseInstanceNorm, fuse_layer_norm::FuseLayerNorm,
    fuse_softmax::FuseSoftmax, merge_transposes::MergeTransposes, narrow_channels::NarrowChannels,
    pick_first::PickFirst, plain_linear::PlainLinear, share_initializers::ShareInitializers,
    share_nodes::ShareNodes,
};
use crate::cost::Cost;
use crate::error::ExportError;
use crate::graph::Graph;
use crate::verify::{signature, verify};

/// Linear layers come before anything takes their reshapes for its own; folding turns reshaped norm
/// parameters into constants, which fusion then recognises; LayerNorm comes before InstanceNorm,
/// whose middle it has, and attention behind the soft-max in it; sharing comes last, since every fusion may make
/// new constants.
const PIPELINE: &[&dyn Pass] = &[
    &PlainLinear,
    &DropIdentity,
    &MergeTransposes,
    &FoldConstants,
    &ShareNodes,
    &FuseSoftmax,
    &FuseGelu,
    &FuseAttention,
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

#[cfg(test)]
mod tests {
    use burn::prelude::*;
    use burn::tensor::activation::gelu;
    use burn::tensor::module::attention;

    use crate::{Exporter, Opset};

    #[test]
    fn a_report_tells_what_each_fusion_changed() {
        let exported = Exporter::new()
            .opset(Opset::NEWEST)
            .float_input("x", &[1, 2, 3, 4])
            .export(|tracer| {
                let x: Tensor<4> = gelu(tracer.float("x")?);
                let y = attention(x.clone(), x.clone(), x, None, None, Default::default());
                tracer.output("y", y)
            })
            .unwrap();
        let said: Vec<String> = exported
            .passes()
            .iter()
            .filter(|pass| pass.changes > 0)
            .map(|pass| {
                let (name, changes, nodes) = (pass.name, pass.changes, pass.nodes);
                format!("{name}: {changes}, {nodes:+} nodes, {:+} FLOPs", pass.flops)
            })
            .collect();
        insta::assert_snapshot!(said.join("\n"), @"
        fuse-gelu: 1, -4 nodes, -96 FLOPs
        fuse-attention: 1, -4 nodes, +0 FLOPs
        ");
    }
}
