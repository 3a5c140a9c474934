//! The list of engines, best first.

use super::{ComputedOn, Engine, EngineKind, EngineOptions, ort, tract};
use crate::{Model, RuntimeError};

/// One engine: what it is called, what it would compute a model on, and how it opens one.
pub(super) struct Row {
    pub(super) kind: EngineKind,
    /// Nothing if it is not on this machine.
    pub(super) planned: fn(&Model, &EngineOptions) -> Result<Option<ComputedOn>, RuntimeError>,
    pub(super) open: fn(&Model, &EngineOptions) -> Result<Opened, RuntimeError>,
}

/// What came of opening an engine.
pub(super) enum Opened {
    /// It is ready; and what the user should know about it.
    Ready(Box<dyn Engine>, Option<String>),
    /// It is not on this machine, and why; another one may be.
    Absent(String),
}

/// What the user should know as one sentence; nothing if there is nothing.
pub(crate) fn one_note(notes: impl IntoIterator<Item = String>) -> Option<String> {
    let notes: Vec<String> = notes.into_iter().collect();
    (!notes.is_empty()).then(|| notes.join("; "))
}

/// The order is the preference of [`EngineKind::Auto`].
const ROWS: [Row; 2] = [
    Row {
        kind: EngineKind::Ort,
        planned: ort::planned,
        open: ort::open,
    },
    Row {
        kind: EngineKind::Tract,
        planned: tract::planned,
        open: tract::open,
    },
];

/// The rows to try for `kind`, in order.
pub(super) fn rows(kind: EngineKind) -> impl Iterator<Item = &'static Row> {
    ROWS.iter()
        .filter(move |row| kind == EngineKind::Auto || kind == row.kind)
}
