//! A tensor in the host's memory, on its way to the device or back.

use std::ffi::c_void;

use ::ort::value::{DynTensor, PrimitiveTensorElementType, TensorElementType};
use ndarray::{ArrayViewD, ArrayViewMutD, IxDyn};
use rayon::prelude::*;

use super::shape;
use crate::{
    TensorView, TensorViewMut,
    engine::gpu::{Gpu, Locked},
};

/// Elements that one thread copies at a time.
const AT_ONCE: usize = 1 << 16;

/// A tensor of the host for one of the device; both are made once and used again.
#[derive(Debug)]
pub(in crate::engine::ort) struct HostBuffer {
    memory: HostMemory,
    bytes: usize,
    element: TensorElementType,
    shape: Vec<usize>,
}

/// Where a [`HostBuffer`] lies.
#[derive(Debug)]
enum HostMemory {
    /// Where the GPU reads and writes itself.
    Locked(Locked),
    /// Anywhere: the device is the host, too.
    Plain(Vec<u64>),
}

impl HostBuffer {
    /// Zeros beside `gpu`, or beside the host itself.
    pub(super) fn new(
        gpu: Option<&Gpu>,
        element: TensorElementType,
        shape: &[usize],
    ) -> ::ort::Result<HostBuffer> {
        let bytes = element.byte_size(shape.iter().product());
        let Some(bytes) = bytes.filter(|bytes| *bytes > 0) else {
            return Err(::ort::Error::new("an input or output has no elements"));
        };
        Ok(HostBuffer {
            memory: match gpu {
                Some(gpu) => HostMemory::Locked(gpu.lock(bytes).map_err(said)?),
                None => HostMemory::Plain(vec![0; bytes.div_ceil(size_of::<u64>())]),
            },
            bytes,
            element,
            shape: shape.to_vec(),
        })
    }

    /// Puts the caller's tensor here.
    pub(super) fn fill(&mut self, tensor: &TensorView<'_>) -> ::ort::Result<()> {
        match tensor {
            TensorView::F32(array) => self.write(array),
            TensorView::I64(array) => self.write(array),
        }
    }

    fn write<T: PrimitiveTensorElementType + Copy + Send + Sync>(
        &mut self,
        array: &ArrayViewD<'_, T>,
    ) -> ::ort::Result<()> {
        let mut to = self.elements()?;
        match (to.as_slice_mut(), array.as_slice()) {
            // A window is 9 MB or more, and the GPU waits for it.
            (Some(to), Some(from)) => to
                .par_chunks_mut(AT_ONCE)
                .zip(from.par_chunks(AT_ONCE))
                .for_each(|(to, from)| to.copy_from_slice(from)),
            _ => to.assign(array),
        }
        Ok(())
    }

    /// The tensor, to be read and written over.
    fn view_mut(&mut self) -> ::ort::Result<TensorViewMut<'_>> {
        Ok(match self.element {
            TensorElementType::Int64 => TensorViewMut::I64(self.elements()?),
            _ => TensorViewMut::F32(self.elements()?),
        })
    }

    /// Copies what is here to the device.
    pub(super) fn upload(&self, device: &mut DynTensor) -> ::ort::Result<()> {
        self.check(device)?;
        let to = device.data_ptr_mut();
        self.copy_to(to)
    }

    /// A tensor of the device in the host's memory: in what `buffer` has if that is as large, else in
    /// one that is made beside `gpu`, or beside the host itself, and stays there.
    pub(in crate::engine::ort) fn bring<'b>(
        buffer: &'b mut Option<HostBuffer>,
        gpu: Option<&Gpu>,
        device: &DynTensor,
    ) -> ::ort::Result<TensorViewMut<'b>> {
        let made = buffer.take().filter(|made| made.fits(device));
        let buffer = buffer.insert(match made {
            Some(made) => made,
            None => HostBuffer::new(gpu, *device.data_type(), &shape(device))?,
        });
        buffer.copy_from(device.data_ptr())?;
        buffer.view_mut()
    }

    /// Whether a tensor of the device is as large as this one.
    fn fits(&self, device: &DynTensor) -> bool {
        *device.data_type() == self.element && shape(device) == self.shape
    }

    fn check(&self, device: &DynTensor) -> ::ort::Result<()> {
        match self.fits(device) {
            true => Ok(()),
            false => Err(::ort::Error::new(
                "an input or output changed its type or shape between two runs",
            )),
        }
    }
}

#[expect(
    unsafe_code,
    reason = "`ort` copies between devices with sessions of its own, which fails for page-locked \
              memory since ONNX Runtime 1.23; addresses are all that is left"
)]
impl HostBuffer {
    fn copy_to(&self, device: *mut c_void) -> ::ort::Result<()> {
        match &self.memory {
            // SAFETY: `fits` has found a tensor of the same bytes on this session's GPU; the
            // caller has borrowed it, and no run is on its way: a session waits for each, and
            // `Bound` for one that failed.
            HostMemory::Locked(memory) => {
                unsafe { memory.upload(device.addr() as u64) }.map_err(said)
            }
            HostMemory::Plain(memory) => {
                // SAFETY: the same, in the host's memory; two allocations do not overlap.
                unsafe {
                    let from = memory.as_ptr().cast::<u8>();
                    device
                        .cast::<u8>()
                        .copy_from_nonoverlapping(from, self.bytes);
                }
                Ok(())
            }
        }
    }

    fn copy_from(&mut self, device: *const c_void) -> ::ort::Result<()> {
        let bytes = self.bytes;
        match &mut self.memory {
            // SAFETY: as in `copy_to`.
            HostMemory::Locked(memory) => {
                unsafe { memory.download(device.addr() as u64) }.map_err(said)
            }
            HostMemory::Plain(memory) => {
                // SAFETY: as in `copy_to`.
                unsafe {
                    let to = memory.as_mut_ptr().cast::<u8>();
                    to.copy_from_nonoverlapping(device.cast::<u8>(), bytes);
                }
                Ok(())
            }
        }
    }

    /// The elements, if they are of this type.
    fn elements<T: PrimitiveTensorElementType>(&mut self) -> ::ort::Result<ArrayViewMutD<'_, T>> {
        if self.element != T::into_tensor_element_type() {
            return Err(::ort::Error::new(format!(
                "an input or output is of type {}, which this engine does not read",
                self.element
            )));
        }
        let start = match &mut self.memory {
            HostMemory::Locked(memory) => memory.bytes_mut().as_mut_ptr().cast::<T>(),
            HostMemory::Plain(memory) => memory.as_mut_ptr().cast::<T>(),
        };
        let shape = IxDyn(&self.shape);
        // SAFETY: there is memory for this shape and type, aligned for both of the types that are
        // read, filled when it was made, and borrowed as long as the view is.
        Ok(unsafe { ArrayViewMutD::from_shape_ptr(shape, start) })
    }
}

fn said(error: impl std::fmt::Display) -> ::ort::Error {
    ::ort::Error::new(error.to_string())
}
