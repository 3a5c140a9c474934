//! Averaging where the network computes: the contract.

use std::ops::Range;

use ndarray::{Array4, ArrayView3};

use super::Lent;
use crate::RuntimeError;

/// What is summed.
#[derive(Debug, Clone)]
pub struct SumsOf<'a> {
    /// For each task how many classes are kept, the first ones of the network's.
    pub classes: &'a [usize],
    /// Planes along z that a window can touch.
    pub depth: usize,
    /// Voxels of a plane, (y, x).
    pub plane: [usize; 2],
    /// What a voxel of the patch weighs, (z, y, x).
    pub importance: ArrayView3<'a, f32>,
    /// Mirror views of a window, of which each weighs its share of that.
    pub views: usize,
}

/// Where in the sums the logits of a window go.
#[derive(Debug, Clone)]
pub struct Placed {
    /// Place of the task in [`SumsOf::classes`].
    pub task: usize,
    /// Place of the window among those of the call.
    pub item: usize,
    /// Which of the axes (z, y, x) were mirrored in the window.
    pub flips: [bool; 3],
    /// The part of the patch that lies in the volume, (z, y, x).
    pub patch: [Range<usize>; 3],
    /// The same part in the sums: z from the first plane that is kept.
    pub sums: [Range<usize>; 3],
}

/// Weighted sums of probabilities in the memory of the device that computes logits: only planes that
/// no later window touches cross to the host, instead of the logits of every window.
pub trait Sums: Send {
    /// Adds the soft-max over all classes of `logits`, times its share of the importance.
    ///
    /// Errors: what the engine reports; [`RuntimeError::Run`] for logits that lie elsewhere.
    fn add(&mut self, logits: &Lent<'_>, placed: &Placed) -> Result<(), RuntimeError>;

    /// Takes the first `planes` planes of a task's sums, (class, z, y, x). The others move up, and
    /// empty ones come behind them.
    ///
    /// Errors: what the engine reports.
    fn take(&mut self, task: usize, planes: usize) -> Result<Array4<f32>, RuntimeError>;
}
