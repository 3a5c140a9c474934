//! What goes into an engine and comes out of it.

use std::fmt;

use ndarray::{ArrayD, ArrayViewD, ArrayViewMutD};

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

/// A tensor that an engine made and lends; what is in it may be written over.
#[derive(Debug)]
pub enum TensorViewMut<'a> {
    /// 32-bit floats.
    F32(ArrayViewMutD<'a, f32>),
    /// 64-bit integers.
    I64(ArrayViewMutD<'a, i64>),
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

impl TensorViewMut<'_> {
    /// The same tensor, lent on to be written over.
    pub fn view_mut(&mut self) -> TensorViewMut<'_> {
        match self {
            TensorViewMut::F32(array) => TensorViewMut::F32(array.view_mut()),
            TensorViewMut::I64(array) => TensorViewMut::I64(array.view_mut()),
        }
    }

    /// A copy.
    pub fn to_tensor(&self) -> Tensor {
        match self {
            TensorViewMut::F32(array) => Tensor::F32(array.to_owned()),
            TensorViewMut::I64(array) => Tensor::I64(array.to_owned()),
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

    /// The same tensor, lent to be written over.
    pub fn view_mut(&mut self) -> TensorViewMut<'_> {
        match self {
            Tensor::F32(array) => TensorViewMut::F32(array.view_mut()),
            Tensor::I64(array) => TensorViewMut::I64(array.view_mut()),
        }
    }
}

/// Element type and shape, as in `f32 [1, 4, 32, 96, 96]`.
impl fmt::Display for Tensor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Tensor::F32(array) => write!(f, "f32 {:?}", array.shape()),
            Tensor::I64(array) => write!(f, "i64 {:?}", array.shape()),
        }
    }
}

/// The same.
impl fmt::Display for TensorViewMut<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TensorViewMut::F32(array) => write!(f, "f32 {:?}", array.shape()),
            TensorViewMut::I64(array) => write!(f, "i64 {:?}", array.shape()),
        }
    }
}
