//! The list of engines, best first.

use super::{Engine, EngineKind, EngineOptions, ort, tract};
use crate::{Model, RuntimeError};

/// One engine: what it is called and how it opens a model.
pub(super) struct Row {
    pub(super) kind: EngineKind,
    pub(super) open: fn(&Model, &EngineOptions) -> Result<Opened, RuntimeError>,
}

/// What came of opening an engine.
pub(super) enum Opened {
    /// It is ready; and what the user should know about it.
    Ready(Box<dyn Engine>, Option<String>),
    /// It is not on this machine, and why; another one may be.
    Absent(String),
}

/// The order is the preference of [`EngineKind::Auto`].
const ROWS: [Row; 2] = [
    Row {
        kind: EngineKind::Ort,
        open: ort::open,
    },
    Row {
        kind: EngineKind::Tract,
        open: tract::open,
    },
];

/// The rows to try for `kind`, in order.
pub(super) fn rows(kind: EngineKind) -> impl Iterator<Item = &'static Row> {
    ROWS.iter()
        .filter(move |row| kind == EngineKind::Auto || kind == row.kind)
}
