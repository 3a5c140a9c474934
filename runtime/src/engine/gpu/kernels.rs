//! Kernels of our own: loaded from PTX, which the driver compiles for its GPU, and launched into a
//! stream of somebody else's.

use std::{
    ffi::{CString, c_void},
    ptr::NonNull,
    sync::Arc,
};

use cudarc::driver::{
    DriverError, result,
    sys::{CUdeviceptr, CUfunction, CUmodule, CUresult},
};

use super::Gpu;

/// A compiled file of kernels.
pub(in crate::engine) struct Kernels {
    gpu: Gpu,
    module: CUmodule,
}

#[expect(
    unsafe_code,
    reason = "a handle of the driver says nothing about threads"
)]
// SAFETY: the driver's functions take a module from any thread that the context is bound to.
unsafe impl Send for Kernels {}
#[expect(unsafe_code, reason = "as above")]
// SAFETY: as above; nothing changes a module after it was loaded.
unsafe impl Sync for Kernels {}

/// One kernel. It lives as long as its file.
#[derive(Clone)]
pub(in crate::engine) struct Kernel {
    kernels: Arc<Kernels>,
    function: CUfunction,
}

#[expect(unsafe_code, reason = "as for `Kernels`")]
// SAFETY: as for `Kernels`, to which the function belongs.
unsafe impl Send for Kernel {}
#[expect(unsafe_code, reason = "as for `Kernels`")]
// SAFETY: as for `Kernels`; nothing changes a function either.
unsafe impl Sync for Kernel {}

/// How many blocks, of how many threads, in which stream.
#[derive(Debug, Clone, Copy)]
pub(in crate::engine) struct Launch {
    pub(in crate::engine) blocks: (u32, u32, u32),
    pub(in crate::engine) threads: u32,
    /// The default stream if there is none.
    pub(in crate::engine) stream: Option<NonNull<c_void>>,
}

/// Memory of the device that belongs to nobody else.
pub(in crate::engine) struct Scratch {
    gpu: Gpu,
    start: CUdeviceptr,
    bytes: usize,
}

#[expect(
    unsafe_code,
    reason = "the driver takes handles and addresses, and believes what is said of them"
)]
impl Gpu {
    /// Compiles PTX for this GPU, or takes what the driver has kept of it.
    pub(in crate::engine) fn load(&self, ptx: &str) -> Result<Arc<Kernels>, DriverError> {
        self.0.bind_to_thread()?;
        let invalid = |_| DriverError(CUresult::CUDA_ERROR_INVALID_PTX);
        let text = CString::new(ptx).map_err(invalid)?;
        // SAFETY: the text ends with a zero and outlives the call.
        let module = unsafe { result::module::load_data(text.as_ptr().cast()) }?;
        Ok(Arc::new(Kernels {
            gpu: self.clone(),
            module,
        }))
    }

    /// At least one byte of the device's memory, with anything in it.
    pub(in crate::engine) fn scratch(&self, bytes: usize) -> Result<Scratch, DriverError> {
        self.0.bind_to_thread()?;
        // SAFETY: nothing reads it before a kernel has written it, as the name says.
        let start = unsafe { result::malloc_sync(bytes.max(1)) }?;
        Ok(Scratch {
            gpu: self.clone(),
            start,
            bytes,
        })
    }
}

#[expect(unsafe_code, reason = "as above")]
impl Kernels {
    /// The kernel of this name.
    pub(in crate::engine) fn get(self: &Arc<Self>, name: &str) -> Result<Kernel, DriverError> {
        self.gpu.0.bind_to_thread()?;
        let missing = |_| DriverError(CUresult::CUDA_ERROR_NOT_FOUND);
        let name = CString::new(name).map_err(missing)?;
        // SAFETY: the module is loaded and stays so as long as the kernel keeps it.
        let function = unsafe { result::module::get_function(self.module, name) }?;
        Ok(Kernel {
            kernels: self.clone(),
            function,
        })
    }
}

#[expect(unsafe_code, reason = "as above")]
impl Kernel {
    /// Puts the kernel into the stream; it may not have run when this returns.
    ///
    /// # Safety
    ///
    /// `arguments` must point to the kernel's parameters, in their order and of their types, and
    /// all that the kernel reads and writes must stay until the stream is done with it.
    pub(in crate::engine) unsafe fn launch(
        &self,
        launch: Launch,
        arguments: &mut [*mut c_void],
    ) -> Result<(), DriverError> {
        self.kernels.gpu.0.bind_to_thread()?;
        let stream = launch.stream.map_or(std::ptr::null_mut(), NonNull::as_ptr);
        let threads = (launch.threads, 1, 1);
        // SAFETY: as the caller promises.
        unsafe {
            let stream = stream.cast();
            result::launch_kernel(self.function, launch.blocks, threads, 0, stream, arguments)
        }
    }
}

impl Scratch {
    /// Its address on the device.
    pub(in crate::engine) fn address(&self) -> u64 {
        self.start
    }

    /// Its size in bytes.
    pub(in crate::engine) fn bytes(&self) -> usize {
        self.bytes
    }
}

#[expect(unsafe_code, reason = "the memory goes back to where it came from")]
impl Drop for Scratch {
    fn drop(&mut self) {
        if self.gpu.0.bind_to_thread().is_ok() {
            // SAFETY: allocated by `Gpu::scratch`, freed once; the driver waits for kernels that
            // still use it.
            let _ = unsafe { result::free_sync(self.start) };
        }
    }
}

#[expect(unsafe_code, reason = "the module goes back to where it came from")]
impl Drop for Kernels {
    fn drop(&mut self) {
        if self.gpu.0.bind_to_thread().is_ok() {
            // SAFETY: every kernel of it keeps it alive, so none is left.
            let _ = unsafe { result::module::unload(self.module) };
        }
    }
}
