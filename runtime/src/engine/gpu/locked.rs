//! Memory of the host that the GPU reads and writes without a detour.

use std::{ptr::NonNull, slice};

use cudarc::driver::{DriverError, result};

use super::Gpu;

/// Page-locked memory of the host, aligned for every type of number.
#[derive(Debug)]
pub(in crate::engine) struct Locked {
    gpu: Gpu,
    start: NonNull<u8>,
    bytes: usize,
}

#[expect(
    unsafe_code,
    reason = "the memory is the driver's, not the allocator's"
)]
impl Locked {
    /// What [`Gpu::lock`] has allocated and filled.
    pub(super) fn new(gpu: Gpu, start: NonNull<u8>, bytes: usize) -> Locked {
        Locked { gpu, start, bytes }
    }

    /// Copies all of it to the device, and returns when it is done.
    ///
    /// # Safety
    ///
    /// `device` must be the address of as many bytes on the same GPU, which nothing reads or writes
    /// meanwhile.
    pub(in crate::engine) unsafe fn upload(&self, device: u64) -> Result<(), DriverError> {
        self.gpu.0.bind_to_thread()?;
        // SAFETY: as the caller promises.
        unsafe { result::memcpy_htod_sync(device, self.bytes()) }
    }

    /// Fills all of it from the device, and returns when it is done.
    ///
    /// # Safety
    ///
    /// `device` must be the address of as many bytes on the same GPU, which nothing writes meanwhile.
    pub(in crate::engine) unsafe fn download(&mut self, device: u64) -> Result<(), DriverError> {
        self.gpu.0.bind_to_thread()?;
        // SAFETY: as the caller promises.
        unsafe { result::memcpy_dtoh_sync(self.bytes_mut(), device) }
    }

    pub(in crate::engine) fn bytes(&self) -> &[u8] {
        // SAFETY: so many bytes were allocated and filled by `Gpu::lock`, and live as long as this.
        unsafe { slice::from_raw_parts(self.start.as_ptr(), self.bytes) }
    }

    pub(in crate::engine) fn bytes_mut(&mut self) -> &mut [u8] {
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
