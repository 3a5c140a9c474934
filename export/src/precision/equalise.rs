//! Balancing channels, so that one range of bytes fits all of them.
//!
//! With the largest activation of each channel as its scale (`chain.rs`) all of them fill the whole
//! range of bytes, and what differs is left to the weights (SmoothQuant, Xiao et al., ICML 2023, with
//! alpha 1). Sharing the difference between both (alpha 0.5: Nagel et al., ICCV 2019) is worse here,
//! a third more labels that change: behind a norm, activations lose far more to bytes than weights,
//! which have a scale for each output channel.

use super::Calibrator;
use super::calibrate::magnitudes;
use super::chain::{Chain, rescaled};
use super::quantise::{Site, Sites};
use crate::error::ExportError;
use crate::graph::{Graph, ValueId};

/// Rewrites the constants of `graph` so that the channels of what is computed in bytes are balanced.
pub(super) fn equalise(
    graph: &Graph,
    sites: &Sites,
    calibrator: &mut dyn Calibrator,
) -> Result<Graph, ExportError> {
    let mut chains = Chain::all(graph);
    let computed = |&(reader, _): &(usize, usize)| sites.of(reader) == Site::Computed;
    chains.retain(|chain| chain.readers.iter().any(computed));
    if chains.is_empty() {
        return Ok(graph.clone());
    }
    let read: Vec<ValueId> = chains.iter().map(|chain| chain.read).collect();
    let magnitudes = magnitudes(graph, &read, calibrator)?;
    let scaled = chains.iter().filter_map(|chain| {
        let activations = magnitudes.get(&chain.read)?;
        Some((chain, scales(activations)))
    });
    Ok(rescaled(graph, scaled))
}

/// One scale for each channel: 1 for the largest, and for channels that are always zero.
fn scales(activations: &[f32]) -> Vec<f32> {
    let largest = activations.iter().copied().fold(0.0, f32::max);
    activations
        .iter()
        .map(|activation| activation / largest)
        .map(|scale| if scale.is_normal() { scale } else { 1.0 })
        .collect()
}
