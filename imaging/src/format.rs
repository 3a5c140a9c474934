//! File formats. The only place where axes change order, units become millimetres and bytes
//! become numbers.

pub mod nifti;

pub(crate) mod atomic;
