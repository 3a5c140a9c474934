//! What goes into an engine and comes out of it.

use std::fmt;

use ndarray::{ArrayD, ArrayViewD};

/// A tensor that an engine returned.
#[derive(Debug, Clone, PartialEq)]
pub enum Tensor {
    /// 32-bit floats.
    F32(ArrayD<f32>),
    /// 64-bit integers.
    I64(ArrayD<i64>),
}

/// A tensor lent to an engine.
#[derive(Debug, Clone)]
pub enum TensorView<'a> {
    /// 32-bit floats.
    F32(ArrayViewD<'a, f32>),
    /// 64-bit integers.
    I64(ArrayViewD<'a, i64>),
}

impl TensorView<'_> {
    /// The same tensor, lent on.
    pub fn view(&self) -> TensorView<'_> {
        match self {
            TensorView::F32(array) => TensorView::F32(array.view()),
            TensorView::I64(array) => TensorView::I64(array.view()),
        }
    }
}

impl Tensor {
    /// Lengths of the axes.
    pub fn shape(&self) -> &[usize] {
        match self {
            Tensor::F32(array) => array.shape(),
            Tensor::I64(array) => array.shape(),
        }
    }

    /// The same tensor, lent.
    pub fn view(&self) -> TensorView<'_> {
        match self {
            Tensor::F32(array) => TensorView::F32(array.view()),
            Tensor::I64(array) => TensorView::I64(array.view()),
        }
    }
}

/// Element type and shape, as in `f32 [1, 4, 32, 96, 96]`.
impl fmt::Display for Tensor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self {
            Tensor::F32(_) => "f32",
            Tensor::I64(_) => "i64",
        };
        write!(f, "{kind} {:?}", self.shape())
    }
}
