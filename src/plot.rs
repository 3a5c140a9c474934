//! Plots as SVG text: curves over iterations, and values of cases by group.
//!
//! Text in them stays text, in whatever sans-serif font the reader has; nothing is looked up on
//! this machine, so the same numbers give the same bytes everywhere.

mod curves;
mod frame;
mod strip;

pub(crate) use curves::{Series, curves};
pub(crate) use strip::{Group, strip};
