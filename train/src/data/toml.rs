//! Files that people write, with the words that people need when they mistype.

use std::path::Path;

use serde::de::DeserializeOwned;

use super::error::{DataError, nearest};

/// Reads a value from the text of `path`; `what` is what such a file is called.
///
/// Errors: [`DataError::UnknownKey`] with the line and the known key that looks most like it, for
/// types that deny unknown fields; [`DataError::Toml`].
pub(crate) fn from_toml<T: DeserializeOwned>(
    text: &str,
    path: &Path,
    what: &'static str,
) -> Result<T, DataError> {
    toml::from_str(text).map_err(|error| explain(error, text, path, what))
}

/// Turns serde's sentence about an unknown field into words of our own.
///
/// serde says: unknown field `naem`, expected one of `name`, `dataset`. A test holds that.
fn explain(error: toml::de::Error, text: &str, path: &Path, what: &'static str) -> DataError {
    let message = error.message().to_owned();
    let mut words = message.split('`').skip(1).step_by(2);
    match words.next() {
        Some(found) if message.starts_with("unknown field") => {
            let known: Vec<String> = words.map(str::to_owned).collect();
            let before = error
                .span()
                .and_then(|span| text.get(..span.start))
                .unwrap_or("");
            DataError::UnknownKey {
                path: path.to_path_buf(),
                line: before.matches('\n').count() + 1,
                found: found.to_owned(),
                nearest: nearest(found, known.iter().map(String::as_str)),
                known,
            }
        }
        _ => DataError::Toml {
            what,
            path: path.to_path_buf(),
            source: Box::new(error),
        },
    }
}
