//! How the C library's allocator gives memory back.

/// Blocks of a window's size go back to the system as soon as they are free.
///
/// glibc raises its threshold to the largest block that was ever freed, up to 32 MB, and keeps what
/// is below for later: volumes and weights that are gone would stay beside the network's own
/// memory, a tenth of its peak. Elsewhere nothing is changed.
pub(crate) fn give_back_large_blocks() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    {
        const THRESHOLD: libc::c_int = 256 << 10;
        #[expect(
            unsafe_code,
            reason = "the C library's function; it takes two integers and touches no memory of ours"
        )]
        // SAFETY: mallopt may be called at any time; an unknown setting is ignored.
        unsafe {
            libc::mallopt(libc::M_MMAP_THRESHOLD, THRESHOLD);
        }
    }
}
