//! Temporary.
#[path = "../../tests/window.rs"]
mod window;
