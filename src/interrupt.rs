//! Ctrl-C while segmenting: what is finished stays, what is half-written goes.

use std::thread;
use std::time::Duration;

use anyhow::Context;
use uniseg_imaging::abandon_writes;
use uniseg_runtime::CancelToken;

use crate::report;

/// The shell's code for a program that Ctrl-C ended.
const CODE: i32 = 130;

/// How long the work has to stop by itself; a window may take far longer.
const PATIENCE: Duration = Duration::from_millis(1000);

/// Listens for Ctrl-C from now on: the first one asks through the token that is returned and ends
/// the program after [`PATIENCE`], a second one ends it at once.
pub(crate) fn listen() -> anyhow::Result<CancelToken> {
    let token = CancelToken::new();
    let asked = token.clone();
    let handler = move || {
        if asked.is_cancelled() {
            end();
        }
        asked.cancel();
        report::note("stopping; what is finished is kept");
        thread::spawn(|| {
            thread::sleep(PATIENCE);
            end();
        });
    };
    match ctrlc::set_handler(handler) {
        // A second command in one process: the first handler stays.
        Ok(()) | Err(ctrlc::Error::MultipleHandlers) => Ok(token),
        Err(error) => Err(error).context("cannot listen for Ctrl-C"),
    }
}

/// Ends the program, and leaves no temporary file behind.
pub(crate) fn end() -> ! {
    abandon_writes();
    std::process::exit(CODE)
}
