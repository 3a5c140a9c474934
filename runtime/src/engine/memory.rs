//! Telling "no memory left" from every other failure, by what the libraries say.

/// What the libraries below an engine say when an allocation fails, in lower case.
const SAID: [&str; 10] = [
    // ONNX Runtime's arenas.
    "failed to allocate memory",
    "available memory",
    // C++'s operator new, also through OpenVINO.
    "bad_alloc",
    "bad allocation",
    // CUDA ("CUDA failure 2: out of memory", "cudaErrorMemoryAllocation"), cuBLAS, cuDNN.
    "out of memory",
    "out_of_memory",
    "memoryallocation",
    "status_alloc_failed",
    // oneDNN, inside OpenVINO, and TensorRT.
    "could not allocate",
    "outofmemory",
];

/// Whether `message` tells of an allocation that failed.
pub(crate) fn out_of_memory(message: &str) -> bool {
    let message = message.to_ascii_lowercase();
    SAID.iter().any(|said| message.contains(said))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn allocations_that_failed_are_told_from_the_rest() {
        for message in [
            "BFCArena::AllocateRawInternal(size_t, bool) Failed to allocate memory for requested buffer of size 9663676416",
            "Non-zero status code returned while running Conv node. Status Message: std::bad_alloc",
            "CUDA failure 2: out of memory ; GPU=0",
            "CUBLAS failure 3: CUBLAS_STATUS_ALLOC_FAILED",
            "Available memory of 1024 is smaller than requested bytes of 4096",
        ] {
            assert!(out_of_memory(message), "{message}");
        }
        for message in [
            "Invalid rank for input: image",
            "CUDA failure 100: no CUDA-capable device is detected",
        ] {
            assert!(!out_of_memory(message), "{message}");
        }
    }
}
