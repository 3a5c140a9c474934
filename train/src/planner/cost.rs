use super::layers::{layers, product};
use super::{MemorySize, memory};
use crate::plan::NetworkConfig;

/// What a network takes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Cost {
    /// Trainable numbers, those of all stems and heads together.
    pub parameters: u64,
    /// Floating-point operations of one patch's forward pass with all heads.
    pub forward_flops: f64,
    /// Memory of one training step in f32, optimiser and process included; an estimate on the
    /// high side.
    pub step: MemorySize,
}

impl Cost {
    /// The cost of a network that is trained on `batch_size` patches at a time.
    ///
    /// `network` must have passed [`NetworkConfig::check`].
    pub fn of(network: &NetworkConfig, batch_size: usize) -> Self {
        let layers = layers(network);
        // One stem is among the layers, that of the most channels; the norm is shared.
        let stems = &network.input_channel_variants;
        let others = stems.split_last().map_or(&[][..], |(_, others)| others);
        let stem_kernel = product(network.kernel_sizes[0]);
        let stem_features = network.features(0) as f64;
        let of_stem = |channels: &usize| (*channels as f64 * stem_kernel + 1.0) * stem_features;
        let prompt = match network.variant.learns_prompt() {
            true => network.num_tasks as f64 * product(network.bottleneck_size()),
            false => 0.0,
        };
        let parameters = layers.iter().map(|layer| layer.parameters()).sum::<f64>()
            + others.iter().map(of_stem).sum::<f64>()
            + prompt;
        Self {
            parameters: parameters as u64,
            forward_flops: layers.iter().map(|layer| layer.flops()).sum(),
            step: memory::of_step(network, &layers, batch_size, parameters),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::UniSeg;
    use crate::plan::{Variant, paper};
    use burn::module::Module;
    use burn::prelude::*;

    /// design.md: counted in the official network.
    #[test]
    fn the_paper_costs_what_was_counted() {
        let cost = Cost::of(&paper().network, 2);
        assert_eq!(cost.parameters, 32_114_381);
        let gflop = cost.forward_flops / 1e9;
        assert!((gflop / 1523.0 - 1.0).abs() < 0.01, "{gflop}");
    }

    #[test]
    fn parameters_are_those_of_the_network() {
        for variant in Variant::ALL {
            let mut network = paper().network;
            network.variant = variant;
            network.patch_size = [16, 64, 64];
            network.base_num_features = 4;
            network.strides_between_stages = vec![[1, 2, 2], [2; 3], [2, 2, 1]];
            network.kernel_sizes = vec![[1, 3, 3], [3; 3], [3, 3, 1], [3; 3]];
            if variant == Variant::Baseline {
                network.num_tasks = 1;
            }
            network.check().unwrap();
            let built = UniSeg::new(&network, &Device::flex());
            let cost = Cost::of(&network, 2);
            assert_eq!(cost.parameters, built.num_params() as u64, "{variant}");
        }
    }
}
