//! NVIDIA's GPUs through CUDA and cuDNN.

use super::{Options, Request};
use crate::Precision;

/// Everything that decides about speed, memory or rounding is said, so that a new version's
/// defaults change nothing unseen.
pub(super) fn options(request: &Request<'_>, index: u32) -> Options {
    let cuda = request.cuda;
    let switch = |on: bool| u8::from(on).to_string();
    let search = cuda.conv_search.unwrap_or_default();
    let arena = if cuda.tight_arena {
        "kSameAsRequested"
    } else {
        "kNextPowerOfTwo"
    };
    vec![
        ("device_id", index.to_string()),
        (
            "cudnn_conv_algo_search",
            search.to_string().to_ascii_uppercase(),
        ),
        // Without it the search may use 32 MB only, and finds slow convolutions for volumes.
        ("cudnn_conv_use_max_workspace", switch(true)),
        ("use_tf32", switch(request.precision == Precision::Tf32)),
        ("enable_cuda_graph", switch(request.graph())),
        ("arena_extend_strategy", arena.to_owned()),
        // Its own InstanceNormalization has channels first only, and would be wrapped in two
        // transpositions each: this goes with ours.
        ("prefer_nhwc", switch(request.channels_last())),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{CudaOptions, Device, device::ConvSearch};

    fn map(cuda: &CudaOptions, precision: Precision, index: u32) -> Options {
        let request = Request {
            device: Device::Cuda(index),
            precision,
            threads: 1,
            cuda,
        };
        options(&request, index)
    }

    #[test]
    fn f32_is_f32_and_the_search_heuristic_unless_asked_otherwise() {
        let expected = [
            ("device_id", "0"),
            ("cudnn_conv_algo_search", "HEURISTIC"),
            ("cudnn_conv_use_max_workspace", "1"),
            ("use_tf32", "0"),
            ("enable_cuda_graph", "0"),
            ("arena_extend_strategy", "kNextPowerOfTwo"),
            ("prefer_nhwc", "0"),
        ]
        .map(|(key, value)| (key, value.to_owned()));
        assert_eq!(map(&CudaOptions::default(), Precision::F32, 0), expected);
    }

    #[test]
    fn everything_asked_for_is_handed_on() {
        let cuda = CudaOptions {
            conv_search: Some(ConvSearch::Exhaustive),
            graph: Some(true),
            own_norm: None,
            device_sums: false,
            tight_arena: true,
            engine_cache: None,
        };
        let found = map(&cuda, Precision::Tf32, 1);
        for (key, value) in [
            ("device_id", "1"),
            ("cudnn_conv_algo_search", "EXHAUSTIVE"),
            ("use_tf32", "1"),
            ("enable_cuda_graph", "1"),
            ("arena_extend_strategy", "kSameAsRequested"),
        ] {
            assert!(found.contains(&(key, value.to_owned())), "{key}: {found:?}");
        }
    }
}
