//! The driver of an NVIDIA GPU: page-locked memory of the host, copies to the device and back, and
//! kernels. Only this file and its folder name `cudarc`.
//!
//! ONNX Runtime computes in the same primary context of the device, so that its buffers are copied
//! from and to by their addresses, and kernels go into its stream.

mod kernels;
mod locked;

use std::{ptr::NonNull, sync::Arc};

use cudarc::driver::{
    CudaContext, result,
    sys::{CUresult, is_culib_present},
};

pub(super) use cudarc::driver::DriverError;
pub(super) use kernels::{Kernel, Kernels, Launch, Scratch};
pub(super) use locked::Locked;

/// An NVIDIA GPU whose driver is loaded.
#[derive(Debug, Clone)]
pub(super) struct Gpu(Arc<CudaContext>);

#[expect(
    unsafe_code,
    reason = "the driver is loaded, and hands out memory as addresses"
)]
impl Gpu {
    /// The GPU of this index, in the driver's order.
    ///
    /// Errors: why there is none.
    pub(super) fn open(index: u32) -> Result<Gpu, String> {
        // SAFETY: the driver's own start, if it has one, is all that runs.
        if !unsafe { is_culib_present() } {
            return Err("no NVIDIA driver (libcuda) is on the loader's path".to_owned());
        }
        let context = CudaContext::new(index as usize).map_err(|error| error.to_string())?;
        Ok(Gpu(context))
    }

    /// Returns when everything on this GPU that was begun in this process is done.
    pub(super) fn wait(&self) -> Result<(), DriverError> {
        self.0.synchronize()
    }

    /// `bytes` zeros that the device reads and writes without a detour.
    pub(super) fn lock(&self, bytes: usize) -> Result<Locked, DriverError> {
        self.0.bind_to_thread()?;
        // SAFETY: what is allocated is filled below before anybody reads it.
        let start = unsafe { result::malloc_host(bytes, 0) }?.cast::<u8>();
        let start = NonNull::new(start).ok_or(DriverError(CUresult::CUDA_ERROR_OUT_OF_MEMORY))?;
        // SAFETY: the driver has just allocated so many bytes here, and nothing else points there.
        unsafe { start.write_bytes(0, bytes) };
        Ok(Locked::new(self.clone(), start, bytes))
    }
}
