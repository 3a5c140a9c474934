//! Ctrl-C, or a scheduler's request to end, while segmenting: what is finished stays, what is
//! half-written goes.

use std::sync::atomic::{AtomicI32, Ordering};
use std::thread;
use std::time::Duration;

use anyhow::Context;
use uniseg_imaging::abandon_writes;
use uniseg_runtime::CancelToken;

use crate::report;

/// The shell's code for a program that Ctrl-C ended, 130, or SIGTERM, 143.
static CODE: AtomicI32 = AtomicI32::new(130);

/// How long the work has to stop by itself; a window may take far longer.
const PATIENCE: Duration = Duration::from_millis(1000);

/// Listens for Ctrl-C and SIGTERM from now on: the first one asks through the token that is returned
/// and ends the program after [`PATIENCE`], a second one ends it at once.
pub(crate) fn listen() -> anyhow::Result<CancelToken> {
    let token = CancelToken::new();
    let asked = token.clone();
    match ctrlc::set_handler(move || stop(&asked)) {
        Ok(()) => {}
        // A second command in one process: the first handler stays.
        Err(ctrlc::Error::MultipleHandlers) => return Ok(token),
        Err(error) => return Err(error).context("cannot listen for Ctrl-C"),
    }
    #[cfg(unix)]
    listen_for_the_end(token.clone()).context("cannot listen for SIGTERM")?;
    Ok(token)
}

/// SIGTERM is how schedulers and containers end a job. Not SIGHUP, which `nohup` has ignored.
#[cfg(unix)]
fn listen_for_the_end(asked: CancelToken) -> std::io::Result<()> {
    use signal_hook::{consts::SIGTERM, iterator::Signals};
    let mut signals = Signals::new([SIGTERM])?;
    thread::spawn(move || {
        for signal in signals.forever() {
            CODE.store(128 + signal, Ordering::Relaxed);
            stop(&asked);
        }
    });
    Ok(())
}

fn stop(asked: &CancelToken) {
    if asked.is_cancelled() {
        end();
    }
    asked.cancel();
    report::note("stopping; what is finished is kept");
    thread::spawn(|| {
        thread::sleep(PATIENCE);
        end();
    });
}

/// Ends the program, and leaves no temporary file behind.
pub(crate) fn end() -> ! {
    abandon_writes();
    let code = CODE.load(Ordering::Relaxed);
    // At once: what a library does when a process ends in order would run beside threads that compute.
    #[cfg(unix)]
    signal_hook::low_level::exit(code);
    #[cfg(not(unix))]
    std::process::exit(code)
}
