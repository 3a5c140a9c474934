//! The network's layers, computed by code of our own where they run on the CPU.
//!
//! burn composes a convolution's gradients of a matrix product and copies, and an InstanceNorm of
//! a dozen passes over the volume. On the CPU, where this decides how long a training step takes
//! and how much memory it needs, the layers here are single operations with a backward pass each.
//! On every other device, the recording one of the exporter among them, they are burn's own: the
//! exporter sees the operations it knows, and a GPU its own kernels.
//!
//! | layer | forward | gradient of the input | gradient of the kernel |
//! |---|---|---|---|
//! | convolution | convolution | adjoint | correlation |
//! | transposed convolution | adjoint | convolution | correlation |
//! | InstanceNorm, LeakyReLU | three passes | two passes, in place | from the same |
//!
//! Convolution and adjoint are one routine, [`convolve`].

mod axes;
mod conv3d;
mod conv_transpose3d;
mod convolve;
mod correlate;
mod cpu;
mod lanes;
mod norm_activation;
mod normalize;
mod planes;
mod slab;

pub(crate) use conv_transpose3d::conv_transpose3d;
pub(crate) use conv3d::{conv3d, conv3d_of_two};
pub(crate) use norm_activation::norm_leaky_relu;

#[cfg(test)]
mod tests;
