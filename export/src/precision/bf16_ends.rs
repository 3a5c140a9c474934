//! First and last convolutions whose weights bfloat16 holds well.
//!
//! They stay in float next to layers in bytes, and what is in float an engine may compute in
//! bfloat16, whose 8 bits round a weight by up to 0.4 %: in every voxel alike, so that overlapping
//! windows do not average it out. Of what bf16 added to the error of int8 on the reference network
//! these few weights made more than half.

use std::collections::HashMap;

use half::bf16;

use super::Ends;
use super::chain::{Chain, input_axis, replaced, rescaled};
use super::quantise::channels;
use super::roles::{heads, stems};
use crate::graph::Graph;
use crate::types::Constant;

/// Scales that are tried for a channel, from 1 to 2: beyond, bfloat16 is the same again.
const CANDIDATES: u16 = 1024;

/// `graph` with the channels that heads read scaled so that their weights are close to numbers that
/// bf16 has: the same result, but for rounding.
pub(super) fn fit_heads(graph: &Graph, ends: Ends) -> Graph {
    let heads = heads(graph, ends);
    let mut chains = Chain::all(graph);
    chains.retain(|chain| chain.readers.iter().all(|&(reader, _)| heads[reader]));
    let scaled = chains.iter().map(|chain| (chain, scales(graph, chain)));
    rescaled(graph, scaled)
}

/// `graph` with the weights of stems rounded to bf16, here instead of by the engine: not each to the
/// nearest, but such that the sum of each kernel stays. Neighbours in an image differ little, so that
/// their errors cancel.
pub(super) fn round_stems(graph: &Graph, ends: Ends) -> Graph {
    let stems = stems(graph, ends);
    let kernels = graph
        .nodes()
        .iter()
        .enumerate()
        .filter_map(|(index, node)| {
            let weight = graph.constant(*node.inputs.get(1)?)?;
            let taps: usize = weight.shape.get(2..)?.iter().product();
            let mut values = weight.as_f32()?;
            (stems[index] && node.op == "Conv").then(|| {
                values.chunks_mut(taps.max(1)).for_each(round);
                ((index, 1), Constant::f32(&weight.shape, &values))
            })
        });
    replaced(graph, kernels.collect::<HashMap<_, _>>())
}

/// The scale of each channel of `chain` with which bf16 rounds the weights that read it least.
fn scales(graph: &Graph, chain: &Chain) -> Vec<f32> {
    let made = graph.value(chain.read).shape.get(1).copied().unwrap_or(0);
    let mut columns: Vec<Vec<f32>> = vec![Vec::new(); made];
    for &(reader, first) in &chain.readers {
        let node = &graph.nodes()[reader];
        let weight = graph.constant(node.inputs[1]).zip(input_axis(node));
        let Some((weight, axis)) = weight else {
            continue;
        };
        let values = weight.as_f32().unwrap_or_default();
        for (value, channel) in values.into_iter().zip(channels(&weight.shape, axis)) {
            let column = channel.checked_sub(first);
            if let Some(column) = column.and_then(|channel| columns.get_mut(channel)) {
                column.push(value);
            }
        }
    }
    columns.iter().map(|column| scale(column)).collect()
}

/// The scale from 1 to 2 with which bf16 rounds `weights` least.
fn scale(weights: &[f32]) -> f32 {
    (0..CANDIDATES)
        .map(|step| 1.0 + f32::from(step) / f32::from(CANDIDATES))
        .map(|scale| (error(weights, scale), scale))
        .min_by(|a, b| a.0.total_cmp(&b.0))
        .map_or(1.0, |(_, scale)| scale)
}

/// Sum of squares of what `weights` lose if they are rounded to bf16 at this scale.
fn error(weights: &[f32], scale: f32) -> f32 {
    let each = weights.iter().map(|weight| {
        let scaled = weight * scale;
        ((bf16::from_f32(scaled).to_f32() - scaled) / scale).powi(2)
    });
    each.sum()
}

/// Rounds one kernel to numbers that bf16 has, its sum to little more than theirs.
///
/// Of all weights, one after another, that one is moved to the next number which lowers the error
/// most: the sum of squared errors, and the square of their sum, which counts for as many taps as
/// there are.
fn round(kernel: &mut [f32]) {
    let mut rounded: Vec<bf16> = kernel
        .iter()
        .map(|weight| bf16::from_f32(*weight))
        .collect();
    let taps = kernel.len() as f32;
    // Each move brings the sum nearer, so that it ends; the bound is for what is not finite.
    for _ in 0..kernel.len() {
        let error = |tap: usize| kernel[tap] - rounded[tap].to_f32();
        let sum: f32 = (0..kernel.len()).map(error).sum();
        let moves = (0..kernel.len()).map(|tap| {
            let moved = next(rounded[tap], sum > 0.0);
            let step = moved.to_f32() - rounded[tap].to_f32();
            let squares = (error(tap) - step).powi(2) - error(tap).powi(2);
            (
                squares + taps * ((sum - step).powi(2) - sum * sum),
                tap,
                moved,
            )
        });
        match moves.min_by(|a, b| a.0.total_cmp(&b.0)) {
            Some((change, tap, moved)) if change < 0.0 => rounded[tap] = moved,
            _ => break,
        }
    }
    for (weight, rounded) in kernel.iter_mut().zip(rounded) {
        *weight = rounded.to_f32();
    }
}

/// The next larger or smaller number of bf16; zero, whose next are beyond any use, stays.
fn next(value: bf16, larger: bool) -> bf16 {
    let bits = value.to_bits();
    match (value.to_f32() == 0.0, larger == value.is_sign_positive()) {
        (true, _) => value,
        (false, true) => bf16::from_bits(bits.saturating_add(1)),
        (false, false) => bf16::from_bits(bits.saturating_sub(1)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn errors(exact: &[f32], found: &[f32]) -> (f32, f32) {
        let each = || exact.iter().zip(found).map(|(exact, found)| found - exact);
        (each().sum(), each().map(|error| error * error).sum())
    }

    #[test]
    fn a_kernel_keeps_its_sum_and_is_hardly_further_away() {
        let exact: Vec<f32> = (0..27u8)
            .map(|tap| (f32::from(tap) * 1.7).sin() * 0.1)
            .collect();
        let mut kernel = exact.clone();
        round(&mut kernel);
        assert!(kernel.iter().all(|w| bf16::from_f32(*w).to_f32() == *w));
        let nearest: Vec<f32> = exact.iter().map(|w| bf16::from_f32(*w).to_f32()).collect();
        let [kept, each] = [&kernel, &nearest].map(|found| errors(&exact, found));
        assert!(kept.0.abs() < 0.1 * each.0.abs(), "{kept:?} {each:?}");
        assert!(kept.1 < 2.0 * each.1, "{kept:?} {each:?}");
    }

    #[test]
    fn kernels_of_numbers_that_bf16_has_stay() {
        for exact in [vec![0.5, -0.25, 0.0], vec![0.0; 3], vec![1.0]] {
            let mut kernel = exact.clone();
            round(&mut kernel);
            assert_eq!(kernel, exact);
        }
    }

    #[test]
    fn what_is_not_finite_ends_all_the_same() {
        round(&mut [f32::NAN, 1.0, f32::INFINITY, f32::MAX]);
        round(&mut []);
        assert_eq!(scale(&[f32::NAN]), 1.0);
    }

    #[test]
    fn a_scale_makes_weights_what_bf16_has() {
        // bf16 has 1 and 1 + 1/128 and nothing between; twice as much is the same again.
        let small = 1.0f32 / 512.0;
        assert_eq!(error(&[1.0, 1.0 + small], 1.0), small.powi(2));
        assert_eq!(error(&[1.0 + small], 2.0), small.powi(2));
        let weights = [0.3337, -0.1119, 0.7771];
        let scale = scale(&weights);
        assert!((1.0..2.0).contains(&scale));
        assert!(error(&weights, scale) < 0.16 * error(&weights, 1.0));
        assert_eq!(super::scale(&[0.5, 0.25]), 1.0);
    }
}
