//! Every layer of a network in the order of computation, without building it.

use crate::plan::NetworkConfig;

/// What a layer is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Convolution, InstanceNorm, LeakyReLU.
    Block,
    /// Transposed convolution whose kernel is its stride, without bias; then the concatenation
    /// with the skip.
    Up,
    /// 1 x 1 x 1 convolution to class scores, without bias.
    Head,
}

/// A layer and the sizes that its cost depends on. `f64`, since products of absurd sizes must not
/// overflow before they are refused.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Layer {
    pub kind: Kind,
    pub channels_in: f64,
    pub channels_out: f64,
    /// Voxels of its kernel.
    pub kernel: f64,
    /// Voxels that it writes for each output channel.
    pub voxels: f64,
}

impl Layer {
    /// Weights, biases and affine norm parameters.
    pub(super) fn parameters(&self) -> f64 {
        let weights = self.channels_in * self.channels_out * self.kernel;
        match self.kind {
            Kind::Block => weights + 3.0 * self.channels_out,
            Kind::Up | Kind::Head => weights,
        }
    }

    /// Floating-point operations of one sample's forward pass; a product and a sum are two.
    pub(super) fn flops(&self) -> f64 {
        let products = match self.kind {
            // Each output voxel comes from one input voxel only.
            Kind::Up => self.channels_in * self.channels_out,
            Kind::Block | Kind::Head => self.channels_in * self.channels_out * self.kernel,
        };
        2.0 * products * self.voxels
    }

    /// Numbers that it writes for one sample.
    pub(super) fn elements(&self) -> f64 {
        self.channels_out * self.voxels
    }
}

/// The layers of one forward pass with all heads, that of the stem with the most channels.
///
/// `network` must have passed [`NetworkConfig::check`].
pub(super) fn layers(network: &NetworkConfig) -> Vec<Layer> {
    let sizes = sizes(network);
    let volume = |stage: usize| product(sizes[stage]);
    let features = |stage: usize| network.features(stage) as f64;
    let kernel = |stage: usize| product(network.kernel_sizes[stage]);
    let block = |[channels_in, channels_out]: [f64; 2], kernel, voxels| Layer {
        kind: Kind::Block,
        channels_in,
        channels_out,
        kernel,
        voxels,
    };
    let deepest = network.stages() - 1;
    let most_channels = network.input_channel_variants.last().copied().unwrap_or(1);

    let mut all = vec![block(
        [most_channels as f64, features(0)],
        kernel(0),
        volume(0),
    )];
    for stage in 0..=deepest {
        if stage > 0 {
            let channels = [features(stage - 1), features(stage)];
            all.push(block(channels, kernel(stage), volume(stage)));
        }
        all.push(block([features(stage); 2], kernel(stage), volume(stage)));
    }
    let tasks = network.num_tasks as f64;
    if network.variant.fuses() {
        let joined = features(deepest) + tasks;
        let hidden = (joined / 4.0).floor().max(1.0);
        for channels in [[joined, hidden], [hidden; 2], [hidden, tasks]] {
            all.push(block(channels, 27.0, volume(deepest)));
        }
    }
    for level in 0..deepest {
        let stage = deepest - 1 - level;
        let prompted = level == 0 && network.variant.prompts_bottleneck();
        let voxels = volume(stage);
        all.push(Layer {
            kind: Kind::Up,
            channels_in: features(stage + 1) + f64::from(prompted),
            channels_out: features(stage),
            kernel: product(network.strides_between_stages[stage]),
            voxels,
        });
        // The finest level has the kernel of stage 1, as in the official decoder.
        let kernel = kernel(deepest - level);
        all.push(block(
            [2.0 * features(stage), features(stage)],
            kernel,
            voxels,
        ));
        all.push(block([features(stage); 2], kernel, voxels));
        all.push(Layer {
            kind: Kind::Head,
            channels_in: features(stage) + f64::from(network.variant.prompts_heads()),
            channels_out: network.num_classes as f64,
            kernel: 1.0,
            voxels,
        });
    }
    all
}

/// Size of each stage in voxels, finest first.
fn sizes(network: &NetworkConfig) -> Vec<[usize; 3]> {
    let mut size = network.patch_size;
    let mut sizes = vec![size];
    for stride in &network.strides_between_stages {
        size = std::array::from_fn(|axis| size[axis] / stride[axis]);
        sizes.push(size);
    }
    sizes
}

pub(super) fn product(size: [usize; 3]) -> f64 {
    size.into_iter().map(|n| n as f64).product()
}
