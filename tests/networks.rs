//! Networks that are not ours, written as their papers describe: exported and compared.
//!
//! The snapshots count operators, so that a reviewer sees what the passes have made of a network:
//! BatchNorms are in the convolutions before them, a LayerNorm is one node.

pub mod mobilenet;
pub mod resnet;
pub mod signal;
pub mod speech;
pub mod subject;
pub mod translation;
pub mod unet;
pub mod vit;
pub mod weights;

mod own;

pub use subject::Subject;
