//! Vector instructions: which the processor has, and how channels are dealt out to them.

use pulp::{Arch, Simd, WithSimd};

/// Runs `op` with the widest vectors that `channels` channels fill.
///
/// Channels are what the kernels of this module put side by side in a vector, so that eight
/// channels would leave half of a vector of sixteen empty.
pub(super) fn with_lanes_for<Op: WithSimd>(channels: usize, op: Op) -> Op::Output {
    let arch = Arch::new();
    #[cfg(target_arch = "x86_64")]
    if channels <= 8
        && let Arch::V4(wide) = arch
    {
        return Simd::vectorize(*wide, op);
    }
    arch.dispatch(op)
}
