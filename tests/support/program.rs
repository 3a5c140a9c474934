//! The program under test, started as a user would.

use std::ffi::OsStr;
use std::process::{Command, Stdio};

/// How a command ended and what it said.
#[derive(Debug)]
pub struct Run {
    /// The exit code; absent if a signal ended it.
    pub code: Option<i32>,
    /// The result.
    pub stdout: String,
    /// The talk.
    pub stderr: String,
}

/// Path of the program.
pub const PROGRAM: &str = env!("CARGO_BIN_EXE_uniseg");

/// Runs the program to its end.
#[track_caller]
pub fn uniseg<I: IntoIterator<Item = S>, S: AsRef<OsStr>>(arguments: I) -> Run {
    run(Command::new(PROGRAM).args(arguments))
}

/// Runs any command to its end; its text does not depend on the terminal of whoever runs the tests.
#[track_caller]
pub fn run(command: &mut Command) -> Run {
    let output = command
        .env("COLUMNS", "100")
        .env_remove("RUST_BACKTRACE")
        .stdin(Stdio::null())
        .output()
        .unwrap_or_else(|error| panic!("cannot start {command:?}: {error}"));
    Run {
        code: output.status.code(),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

impl Run {
    /// Exit code 0; returns what was printed as the result.
    #[track_caller]
    pub fn succeeds(self) -> String {
        assert_eq!(self.code, Some(0), "{}{}", self.stdout, self.stderr);
        self.stdout
    }

    /// Exit code 2, no result, and one sentence that holds all of `words`, whatever their case.
    #[track_caller]
    pub fn refuses(self, words: &[&str]) {
        let Run {
            code,
            stdout,
            stderr,
        } = self;
        assert_eq!(code, Some(2), "{stdout}{stderr}");
        assert!(!stderr.contains("panicked"), "{stderr}");
        assert!(
            stderr.lines().any(|line| line.starts_with("uniseg: ")),
            "{stderr}"
        );
        assert_eq!(stdout, "", "a failed command printed a result");
        let said = stderr.to_lowercase();
        for word in words {
            assert!(
                said.contains(&word.to_lowercase()),
                "{word:?} is not said:\n{stderr}"
            );
        }
    }
}

/// A file may not grow beyond some 50 or 100 kB; the signal is ignored, so that writing fails.
pub const LIMITED: &str = r#"trap "" XFSZ; ulimit -f 100; exec "$@""#;

/// Runs `script` with the program and its arguments as `"$@"`.
pub fn shell(program: &str, script: &str, arguments: &[&str]) -> Run {
    let mut parts = program.split(' ');
    let mut command = Command::new(parts.next().unwrap());
    run(command
        .args(parts)
        .args(["-c", script, "sh", PROGRAM])
        .args(arguments))
}
