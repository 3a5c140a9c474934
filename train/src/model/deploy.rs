use burn::module::{Module, Param};
use burn::nn::conv::Conv3d;
use burn::prelude::*;

use super::UniSeg;

/// A network rewritten for deployment: all stems are one convolution over *slots*.
///
/// A convolution is linear, so the stems for 1, 2 and 4 channels are one convolution over
/// 1 + 2 + 4 slots in which a task fills the slots of its own stem and leaves the others zero. The
/// stems' biases differ but reach only an InstanceNorm, which removes any constant of a channel,
/// so the joined convolution has none.
#[derive(Module, Debug)]
pub struct Deploy {
    stem: Conv3d,
    network: UniSeg,
}

impl Deploy {
    /// Joins the stems of a network.
    pub fn new(network: UniSeg) -> Self {
        let stems: Vec<usize> = (0..network.encoder.stem.convs.len()).collect();
        Self::with_stems(network, &stems)
    }

    /// Joins some of the stems, in this order: for images that no other stem takes.
    ///
    /// # Panics
    ///
    /// If `stems` is empty or names one that the network does not have.
    pub fn with_stems(network: UniSeg, stems: &[usize]) -> Self {
        let convs = &network.encoder.stem.convs;
        let mut stem = convs[stems[0]].clone();
        let weights = stems.iter().map(|&stem| convs[stem].weight.val()).collect();
        stem.weight = Param::from_tensor(Tensor::cat(weights, 1));
        stem.bias = None;
        Self { stem, network }
    }

    /// Class scores at full resolution.
    ///
    /// Shapes: `image` [batch, slots, z, y, x], `task` `[1]`; returns [batch, classes, z, y, x].
    pub fn forward(&self, image: Tensor<5>, task: Tensor<1, Int>) -> Tensor<5> {
        let network = &self.network;
        let stem = network.encoder.stem.finish(self.stem.forward(image));
        let (encoded, map) = network.condition(network.encoder.encode(stem), task);
        network.decoder.forward_finest(encoded, map)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::random::Random;
    use crate::plan::{NetworkConfig, paper};
    use crate::testing::uniform;

    /// Every stem, with biases that are not zero, agrees with its slots.
    #[test]
    fn slots_equal_stems() {
        let config = NetworkConfig {
            patch_size: [8, 16, 16],
            strides_between_stages: vec![[1, 2, 2], [2; 3]],
            kernel_sizes: vec![[1, 3, 3], [3; 3], [3; 3]],
            base_num_features: 4,
            num_tasks: 3,
            num_classes: 3,
            ..paper().network
        };
        let device = Device::flex();
        let mut network = UniSeg::random(&config, 7, &device);
        let mut stream = Random::new(7);
        for (index, conv) in network.encoder.stem.convs.iter_mut().enumerate() {
            let bias = Tensor::<1>::from_floats([0.5, -1.0, 2.0, 0.1], &device);
            conv.bias = Some(Param::from_tensor(bias + index as f64));
        }
        let deploy = Deploy::new(network.clone());
        for (task, channels) in [(0, 1), (1, 2), (2, 4)] {
            let image = uniform([1, channels, 8, 16, 16], &mut stream, &device);
            let slots = config.slots_for(channels).unwrap();
            let before = Tensor::zeros([1, slots[0], 8, 16, 16], &device);
            let after = Tensor::zeros([1, 7 - slots[0] - channels, 8, 16, 16], &device);
            let parts: Vec<Tensor<5>> = [before, image.clone(), after]
                .into_iter()
                .filter(|part| part.dims()[1] > 0)
                .collect();
            let task = Tensor::<1, Int>::from_ints([task], &device);
            let through_slots = deploy.forward(Tensor::cat(parts, 1), task.clone());
            let through_stem = network.forward(image, task).logits;
            through_slots.into_data().assert_approx_eq::<f32>(
                &through_stem.into_data(),
                burn::tensor::Tolerance::absolute(1e-4),
            );
        }
    }
}
