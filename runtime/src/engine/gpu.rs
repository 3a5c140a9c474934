//! The driver of an NVIDIA GPU: page-locked memory of the host, copies to the device and back, and
//! kernels. Only this file and its folder name `cudarc`.
//!
//! ONNX Runtime computes in the same primary context of the device, so that its buffers are copied
//! from and to by their addresses, and kernels go into its stream.

mod kernels;
mod locked;

use std::{ffi::c_void, ptr::NonNull, sync::Arc};

use cudarc::driver::{CudaContext, result, sys::CUresult};

pub(super) use cudarc::driver::DriverError;
pub(super) use kernels::{Kernel, Kernels, Launch, Scratch};
pub(super) use locked::Locked;

/// An NVIDIA GPU whose driver is loaded.
#[derive(Clone)]
pub(super) struct Gpu(Arc<CudaContext>);

#[expect(
    unsafe_code,
    reason = "the driver copies between addresses, of which it knows neither lengths nor owners"
)]
impl Gpu {
    /// The GPU of this index, in the driver's order. The driver must be there: opening a session on
    /// CUDA has shown it.
    pub(super) fn open(index: u32) -> Result<Gpu, DriverError> {
        CudaContext::new(index as usize).map(Gpu)
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

    /// Copies to the device, and returns when it is done.
    ///
    /// # Safety
    ///
    /// `device` must point to as many bytes on this GPU, which nothing reads or writes meanwhile.
    pub(super) unsafe fn upload(
        &self,
        host: &[u8],
        device: *mut c_void,
    ) -> Result<(), DriverError> {
        self.0.bind_to_thread()?;
        // SAFETY: as the caller promises.
        unsafe { result::memcpy_htod_sync(device.addr() as u64, host) }
    }

    /// Copies from the device, and returns when it is done.
    ///
    /// # Safety
    ///
    /// `device` must point to as many bytes on this GPU, which nothing writes meanwhile.
    pub(super) unsafe fn download(
        &self,
        device: *const c_void,
        host: &mut [u8],
    ) -> Result<(), DriverError> {
        self.0.bind_to_thread()?;
        // SAFETY: as the caller promises.
        unsafe { result::memcpy_dtoh_sync(host, device.addr() as u64) }
    }
}
