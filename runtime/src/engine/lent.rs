//! What a run made, lent where it was computed.

use std::fmt;

use super::ort::DeviceTensor;
use crate::{RuntimeError, TensorViewMut};

/// An output of [`super::Engine::lend`]. What lies in a GPU's memory stays there until somebody
/// looks at it.
#[derive(Debug)]
pub struct Lent<'a>(Place<'a>);

#[derive(Debug)]
enum Place<'a> {
    Host(TensorViewMut<'a>),
    Device(DeviceTensor<'a>),
}

impl<'a> From<TensorViewMut<'a>> for Lent<'a> {
    fn from(tensor: TensorViewMut<'a>) -> Lent<'a> {
        Lent(Place::Host(tensor))
    }
}

impl<'a> Lent<'a> {
    pub(super) fn on_device(tensor: DeviceTensor<'a>) -> Lent<'a> {
        Lent(Place::Device(tensor))
    }

    /// The tensor where it was computed, if that is not the host's memory.
    pub(super) fn device(&self) -> Option<&DeviceTensor<'a>> {
        match &self.0 {
            Place::Host(_) => None,
            Place::Device(tensor) => Some(tensor),
        }
    }

    /// Whether it is of 32-bit floats and this shape.
    pub fn is_f32(&self, shape: &[usize]) -> bool {
        match &self.0 {
            Place::Host(TensorViewMut::F32(array)) => array.shape() == shape,
            Place::Host(TensorViewMut::I64(_)) => false,
            Place::Device(tensor) => tensor.is_f32(shape),
        }
    }

    /// The tensor in the host's memory, brought there if it was not; it may be written over.
    ///
    /// Errors: [`RuntimeError::Run`] if it cannot be brought there.
    pub fn view(&mut self) -> Result<TensorViewMut<'_>, RuntimeError> {
        match &mut self.0 {
            Place::Host(tensor) => Ok(tensor.view_mut()),
            Place::Device(tensor) => tensor.view(),
        }
    }
}

/// Element type and shape, as in `f32 [1, 4, 32, 96, 96]`.
impl fmt::Display for Lent<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Place::Host(tensor) => tensor.fmt(f),
            Place::Device(tensor) => tensor.fmt(f),
        }
    }
}
