//! The driver of an NVIDIA GPU: page-locked memory of the host, and copies to the device and back.
//! Only this file names `cudarc`.
//!
//! ONNX Runtime computes in the same primary context of the device, so that its buffers are copied
//! from and to by their addresses.

use std::{ffi::c_void, ptr::NonNull, slice, sync::Arc};

use cudarc::driver::{CudaContext, DriverError, result};

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
        let start = NonNull::new(start).ok_or(DriverError(
            cudarc::driver::sys::CUresult::CUDA_ERROR_OUT_OF_MEMORY,
        ))?;
        // SAFETY: the driver has just allocated so many bytes here, and nothing else points there.
        unsafe { start.write_bytes(0, bytes) };
        Ok(Locked {
            gpu: self.clone(),
            start,
            bytes,
        })
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

/// Page-locked memory of the host, aligned for every type of number.
pub(super) struct Locked {
    gpu: Gpu,
    start: NonNull<u8>,
    bytes: usize,
}

#[expect(
    unsafe_code,
    reason = "the memory is the driver's, not the allocator's"
)]
impl Locked {
    pub(super) fn bytes(&self) -> &[u8] {
        // SAFETY: so many bytes were allocated and filled by `Gpu::lock`, and live as long as this.
        unsafe { slice::from_raw_parts(self.start.as_ptr(), self.bytes) }
    }

    pub(super) fn bytes_mut(&mut self) -> &mut [u8] {
        // SAFETY: as above, and nothing else points there.
        unsafe { slice::from_raw_parts_mut(self.start.as_ptr(), self.bytes) }
    }
}

#[expect(unsafe_code, reason = "the memory goes back to where it came from")]
impl Drop for Locked {
    fn drop(&mut self) {
        // What cannot be given back is lost until the process ends; there is nobody to tell.
        if self.gpu.0.bind_to_thread().is_ok() {
            // SAFETY: `start` came from the driver's allocation and is freed once.
            let _ = unsafe { result::free_host(self.start.as_ptr().cast()) };
        }
    }
}

#[expect(unsafe_code, reason = "a pointer alone says nothing about threads")]
// SAFETY: the memory belongs to this value alone, whichever thread that is in.
unsafe impl Send for Locked {}
