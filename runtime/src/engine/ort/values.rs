//! Tensors as ONNX Runtime's values: lent on the way in, lent or copied on the way out.

use ::ort::{
    session::{NoSelectedOutputs, RunOptions, Session, SessionInputValue, SessionOutputs},
    value::{
        DynTensor, DynTensorValueType, TensorElementType, TensorRef, TensorValueTypeMarker, Value,
    },
};
use ndarray::CowArray;

use super::stop::run_error;
use crate::{RuntimeError, Tensor, TensorView, TensorViewMut, engine::guard::guard};

/// The outputs of a run, where ONNX Runtime left them.
pub(in crate::engine) struct Outputs<'a> {
    /// The engine's name, for messages.
    pub(super) engine: &'a str,
    pub(super) values: Vec<(&'a str, DynTensor)>,
}

impl Outputs<'_> {
    /// The outputs, lent; an error if they lie where the host cannot read them.
    pub(in crate::engine) fn views(&self) -> Result<Vec<(&str, TensorView<'_>)>, RuntimeError> {
        guard(self.engine, || {
            self.values
                .iter()
                .map(|(name, value)| Ok((*name, view(value)?)))
                .collect::<::ort::Result<_>>()
                .map_err(|source| run_error(self.engine, source))
        })
    }
}

/// The values of a run's outputs; they outlive the run.
pub(super) fn tensors(outputs: SessionOutputs<'_>) -> ::ort::Result<Vec<(&str, DynTensor)>> {
    outputs
        .into_iter()
        .map(|(name, value)| Ok((name, value.downcast::<DynTensorValueType>()?)))
        .collect()
}

/// Copies of a run's outputs, each of which ONNX Runtime frees once it is copied.
pub(super) fn copies(outputs: SessionOutputs<'_>) -> ::ort::Result<Vec<(String, Tensor)>> {
    outputs
        .into_iter()
        .map(|(name, value)| Ok((name.to_owned(), owned(view(&value)?))))
        .collect()
}

/// Runs a session on tensors where they lie, also on those that another session `held`, whatever
/// their type is; ONNX Runtime allocates the outputs.
pub(super) fn compute<'r>(
    session: &'r mut Session,
    run_options: &'r RunOptions<NoSelectedOutputs>,
    held: &[(&str, DynTensor)],
    inputs: &[(&str, TensorView<'_>)],
) -> ::ort::Result<SessionOutputs<'r>> {
    let contiguous: Vec<(&str, Contiguous<'_>)> = inputs
        .iter()
        .map(|(name, tensor)| match tensor {
            TensorView::F32(array) => (*name, Contiguous::F32(array.as_standard_layout())),
            TensorView::I64(array) => (*name, Contiguous::I64(array.as_standard_layout())),
        })
        .collect();
    let held = held.iter().map(|(name, value)| Ok((*name, value.into())));
    let values: Vec<(&str, SessionInputValue<'_>)> = contiguous
        .iter()
        .map(|(name, tensor)| {
            let value: SessionInputValue<'_> = match tensor {
                Contiguous::F32(array) => TensorRef::from_array_view(array)?.into(),
                Contiguous::I64(array) => TensorRef::from_array_view(array)?.into(),
            };
            Ok((*name, value))
        })
        .chain(held)
        .collect::<::ort::Result<_>>()?;
    session.run_with_options(values, run_options)
}

/// A lent tensor in the layout that ONNX Runtime reads; copied only if it is not in it already.
enum Contiguous<'a> {
    F32(CowArray<'a, f32, ndarray::IxDyn>),
    I64(CowArray<'a, i64, ndarray::IxDyn>),
}

fn view<T: TensorValueTypeMarker + ?Sized>(value: &Value<T>) -> ::ort::Result<TensorView<'_>> {
    Ok(match value.dtype().tensor_type() {
        Some(TensorElementType::Int64) => TensorView::I64(value.try_extract_array()?),
        _ => TensorView::F32(value.try_extract_array()?),
    })
}

/// An output, to be written over; an error if it lies where the host cannot.
pub(super) fn view_mut<'a>(
    engine: &str,
    value: &'a mut DynTensor,
) -> Result<TensorViewMut<'a>, RuntimeError> {
    guard(engine, || {
        let found = match value.dtype().tensor_type() {
            Some(TensorElementType::Int64) => value.try_extract_array_mut().map(TensorViewMut::I64),
            _ => value.try_extract_array_mut().map(TensorViewMut::F32),
        };
        found.map_err(|source| run_error(engine, source))
    })
}

fn owned(tensor: TensorView<'_>) -> Tensor {
    match tensor {
        TensorView::F32(array) => Tensor::F32(array.to_owned()),
        TensorView::I64(array) => Tensor::I64(array.to_owned()),
    }
}
