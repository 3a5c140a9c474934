//! Plots as SVG text: curves over iterations, and values of cases by group.
//!
//! Text in them stays text, in whatever sans-serif font the reader has; nothing is looked up on
//! this machine, so the same numbers give the same bytes everywhere.

// For training's reports; an evaluation has no curves.
#[allow(dead_code)]
mod curves;
#[allow(dead_code)]
mod frame;
mod strip;

#[allow(unused_imports)]
pub(crate) use curves::{Series, curves};
pub(crate) use strip::{Group, strip};
