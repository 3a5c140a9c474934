//! A second process of this program that ends when this one does, however that ends.
//!
//! Its standard input is a pipe to which nothing is written. The system closes it with this process,
//! killed or not, and the second one, which waits for that, ends too. A signal would have to be sent
//! by somebody who is still there.

use std::io;
use std::process::{Command, Output, Stdio};
use std::thread;

use crate::interrupt;

/// Runs `command`, which calls [`end_with_parent`], to its end and returns what it printed.
pub(crate) fn output(command: &mut Command) -> io::Result<Output> {
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn()?;
    // Waiting would close it.
    let pipe = child.stdin.take();
    let output = child.wait_with_output();
    drop(pipe);
    output
}

/// In the second process: ends it when the first one is no longer there.
pub(crate) fn end_with_parent() {
    thread::spawn(|| {
        // Returns at the end of the pipe, and if there is none.
        let _ = io::copy(&mut io::stdin().lock(), &mut io::sink());
        interrupt::end()
    });
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn the_pipe_stays_open_as_long_as_the_process_runs() {
        // `cat` would end at the end of its input.
        let script = "timeout 0.3 cat; echo $?";
        let output = output(Command::new("sh").args(["-c", script])).unwrap();
        assert_eq!(String::from_utf8_lossy(&output.stdout), "124\n");
    }
}
