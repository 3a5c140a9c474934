//! NVIDIA's GPUs through TensorRT.

use super::{Options, Request};
use crate::Precision;

/// The artefact's shapes are fixed, so TensorRT compiles one engine and no profile of shapes is
/// given. It takes minutes, so the engine is kept where `engine_cache` says: under a name that
/// ONNX Runtime makes from the names in the graph, the GPU and the versions, but not from weights,
/// so that the folder must be one network's own.
///
/// There is no option for TensorFloat-32: [`super::precision`] says what TensorRT does with f32.
pub(super) fn options(request: &Request<'_>, index: u32) -> Options {
    let switch = |on: bool| u8::from(on).to_string();
    let mut options = vec![
        ("device_id", index.to_string()),
        (
            "trt_fp16_enable",
            switch(request.precision == Precision::F16),
        ),
        (
            "trt_bf16_enable",
            switch(request.precision == Precision::Bf16),
        ),
        (
            "trt_int8_enable",
            switch(request.precision == Precision::Int8),
        ),
        ("trt_cuda_graph_enable", switch(request.graph())),
        (
            "trt_engine_cache_enable",
            switch(request.cuda.engine_cache.is_some()),
        ),
    ];
    if let Some(folder) = &request.cuda.engine_cache {
        let folder = folder.to_string_lossy().into_owned();
        options.push(("trt_engine_cache_path", folder.clone()));
        options.push(("trt_timing_cache_enable", switch(true)));
        options.push(("trt_timing_cache_path", folder));
    }
    options
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{CudaOptions, Device};

    fn map(precision: Precision, cuda: &CudaOptions) -> Options {
        let request = Request {
            device: Device::TensorRt(1),
            precision,
            threads: 1,
            cuda,
        };
        options(&request, 1)
    }

    #[test]
    fn f16_is_asked_for_and_engines_are_kept_where_said() {
        let cuda = CudaOptions {
            graph: Some(true),
            engine_cache: Some("engines".into()),
            ..CudaOptions::default()
        };
        let expected = [
            ("device_id", "1"),
            ("trt_fp16_enable", "1"),
            ("trt_bf16_enable", "0"),
            ("trt_int8_enable", "0"),
            ("trt_cuda_graph_enable", "1"),
            ("trt_engine_cache_enable", "1"),
            ("trt_engine_cache_path", "engines"),
            ("trt_timing_cache_enable", "1"),
            ("trt_timing_cache_path", "engines"),
        ]
        .map(|(key, value)| (key, value.to_owned()));
        assert_eq!(map(Precision::F16, &cuda), expected);
    }

    #[test]
    fn f32_does_not_become_f16_and_nothing_is_kept_without_a_folder() {
        let found = map(Precision::F32, &CudaOptions::default());
        assert!(found.contains(&("trt_fp16_enable", "0".to_owned())));
        assert!(found.contains(&("trt_engine_cache_enable", "0".to_owned())));
        assert!(found.contains(&("trt_cuda_graph_enable", "0".to_owned())));
        assert!(!found.iter().any(|(key, _)| key.ends_with("_path")));
    }
}
