//! The rewritten graph in ONNX Runtime on the processor, with the operation computed there.

use ::ort::{session::Session, value::TensorRef};
use ndarray::{Array1, ArrayD, ArrayViewD, Axis};
use sha2::{Digest, Sha256};
use uniseg_onnx::{IMAGE, TASK};

use super::*;
use crate::{
    EngineKind, EngineOptions, Tensor,
    engine::ort::load,
    open_engine,
    testing::graphs::{close, run, whole, windows},
};

/// The operation by its definition.
struct OnHost;

struct HostKernel(Numbers);

impl Operator for OnHost {
    type Kernel<'a> = HostKernel;

    fn name(&self) -> &str {
        NAME
    }

    fn inputs(&self) -> impl IntoIterator<Item = OperatorInput> {
        [(); 3].map(|()| OperatorInput::required(TensorElementType::Float32))
    }

    fn outputs(&self) -> impl IntoIterator<Item = OperatorOutput> {
        [OperatorOutput::required(TensorElementType::Float32)]
    }

    fn create_kernel<'a>(&self, context: &KernelContext<'a>) -> ::ort::Result<HostKernel> {
        Numbers::of(context).map(HostKernel)
    }

    fn infer_shape(&self, context: &mut ShapeInferenceContext) -> ::ort::Result<()> {
        context.set_output(0, &context.inputs()[0])
    }
}

impl Kernel for HostKernel {
    fn compute(&mut self, context: &ComputeContext) -> ::ort::Result<()> {
        let Numbers {
            epsilon,
            alpha,
            channels_last,
        } = self.0;
        let inputs = [0, 1, 2].map(|place| context.input(place).unwrap().unwrap());
        let [tensor, scale, bias] = inputs
            .each_ref()
            .map(|value| value.try_extract_array::<f32>().unwrap());
        let shape: Vec<i64> = tensor.shape().iter().map(|extent| *extent as i64).collect();
        let mut output = context.output(0, shape)?.unwrap();
        let mut output = output.try_extract_array_mut::<f32>()?;
        output.assign(&tensor);
        let axis = if channels_last { tensor.ndim() - 2 } else { 0 };
        for mut item in output.outer_iter_mut() {
            for (channel, mut values) in item.axis_iter_mut(Axis(axis)).enumerate() {
                let exact = values.mapv(f64::from);
                let mean = exact.mean().unwrap();
                let variance = exact.mapv(|value| (value - mean).powi(2)).mean().unwrap();
                let factor = f64::from(scale[channel]) / (variance + f64::from(epsilon)).sqrt();
                values.mapv_inplace(|value| {
                    let found = (f64::from(value) - mean) * factor + f64::from(bias[channel]);
                    let found = found as f32;
                    if found < 0.0 { found * alpha } else { found }
                });
            }
        }
        Ok(())
    }
}

fn logits(session: &mut Session, image: ArrayViewD<'_, f32>, task: i64) -> ArrayD<f32> {
    let task = Array1::from_elem(1, task);
    let outputs = session
        .run(::ort::inputs! {
            IMAGE => TensorRef::from_array_view(image).unwrap(),
            TASK => TensorRef::from_array_view(&task).unwrap(),
        })
        .unwrap();
    outputs[0].try_extract_array::<f32>().unwrap().to_owned()
}

#[test]
fn a_rewritten_graph_computes_the_same_in_either_layout() {
    let model = whole();
    let options = EngineOptions {
        kind: EngineKind::Ort,
        ..EngineOptions::default()
    };
    let mut plain = open_engine(&model, &options).unwrap().engine;
    let loaded = load(crate::find_ort(None).unwrap().unwrap().path()).unwrap();
    let decoded = uniseg_onnx::decode(model.bytes().to_vec().into()).unwrap();
    for channels_last in [false, true] {
        let rewritten = rewritten(decoded.clone(), channels_last).unwrap();
        let domain = OperatorDomain::new(DOMAIN).unwrap().add(OnHost).unwrap();
        let mut session = Session::builder(&loaded.environment)
            .unwrap()
            .with_operators(domain)
            .unwrap()
            .commit_from_memory(&uniseg_onnx::encode(&rewritten))
            .unwrap();
        for (count, seed, task) in [(1, 0, 0), (2, 1, 1)] {
            let image = windows(count, seed);
            let expected = run(plain.as_mut(), &image, task).unwrap();
            let found = logits(&mut session, image.view().into_dyn(), task);
            close(&Tensor::F32(found), &expected[0].1, 1e-5);
        }
    }
}

/// The driver gets what was compiled, whatever the source says by now.
#[test]
fn the_compiled_file_is_that_of_the_source() {
    let digest = Sha256::digest(include_bytes!("kernel.cu"));
    let digest: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    let first = PTX.lines().next().unwrap();
    assert_eq!(
        first,
        format!("// kernel.cu, sha256 {digest}"),
        "run runtime/src/engine/ort/norm/kernel.py"
    );
}
