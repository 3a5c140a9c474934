//! Turns a panic inside a foreign library into an error.

use std::{
    any::Any,
    panic::{AssertUnwindSafe, catch_unwind},
};

use crate::RuntimeError;

/// Runs `work` inside the library `engine`; a panic in there becomes
/// [`RuntimeError::EnginePanicked`].
///
/// Both engines index by what the graph says in places, and `ort` asserts on what a library
/// answers: a damaged file must still end in a message.
pub(super) fn guard<T>(
    engine: &str,
    work: impl FnOnce() -> Result<T, RuntimeError>,
) -> Result<T, RuntimeError> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|payload| {
        Err(RuntimeError::EnginePanicked {
            engine: engine.to_owned(),
            message: message(payload.as_ref()),
        })
    })
}

fn message(payload: &(dyn Any + Send)) -> String {
    let text = payload
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| payload.downcast_ref::<&str>().copied());
    text.unwrap_or("no message").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_becomes_an_error_with_its_message() {
        let error = guard::<()>("toy", || panic!("index {} of 2", 3)).unwrap_err();
        assert_eq!(error.to_string(), "toy failed inside: index 3 of 2");
    }
}
