//! OpenVINO on the processor.

use super::{Options, Request};
use crate::Precision;

/// The precision is said in OpenVINO's own configuration and always: left alone, OpenVINO takes
/// bf16 wherever the processor has it, and f32 would not be f32.
pub(super) fn options(request: &Request<'_>) -> Options {
    let hint = match request.precision {
        Precision::Bf16 => "bf16",
        Precision::F16 => "f16",
        Precision::Auto | Precision::F32 | Precision::Tf32 | Precision::Int8 => "f32",
    };
    let load = serde_json::json!({
        "CPU": {
            "INFERENCE_PRECISION_HINT": hint,
            "INFERENCE_NUM_THREADS": request.threads.to_string(),
            "NUM_STREAMS": "1",
        }
    });
    vec![
        ("device_type", "CPU".to_owned()),
        // Keeps the graph's own types; the hint above decides what is computed in.
        ("precision", "ACCURACY".to_owned()),
        ("load_config", load.to_string()),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{CudaOptions, Device};

    #[test]
    fn the_precision_is_always_said() {
        let cuda = CudaOptions::default();
        let of = |precision| {
            options(&Request {
                device: Device::OpenVino,
                precision,
                threads: 3,
                cuda: &cuda,
            })
        };
        let expected = |hint: &str| {
            [
                ("device_type", "CPU".to_owned()),
                ("precision", "ACCURACY".to_owned()),
                (
                    "load_config",
                    format!(
                        r#"{{"CPU":{{"INFERENCE_NUM_THREADS":"3","INFERENCE_PRECISION_HINT":"{hint}","NUM_STREAMS":"1"}}}}"#
                    ),
                ),
            ]
        };
        assert_eq!(of(Precision::F32), expected("f32"));
        assert_eq!(of(Precision::Bf16), expected("bf16"));
    }
}
