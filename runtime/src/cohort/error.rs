//! What can be wrong with a list of cases.

use std::{io, path::PathBuf};

use glob::PatternError;

/// Why a folder, pattern or table is no list of cases.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CohortError {
    /// A folder or table cannot be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// The folder or file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A folder has no case.
    #[error("{} holds no NIfTI file", path.display())]
    Empty {
        /// The folder.
        path: PathBuf,
    },
    /// A pattern finds no case.
    #[error("no NIfTI file matches {}", path.display())]
    NoMatch {
        /// The pattern.
        path: PathBuf,
    },
    /// A table has no case.
    #[error("{} names no case: there is nothing below its first line", path.display())]
    NoRows {
        /// The table.
        path: PathBuf,
    },
    /// All images lie where results would go.
    #[error(
        "{} holds the images: results would be taken for cases there, name another folder with -o",
        path.display()
    )]
    AmongResults {
        /// The folder of results.
        path: PathBuf,
    },
    /// A pattern is not one.
    #[error("{pattern} is no pattern")]
    Pattern {
        /// What was typed.
        pattern: String,
        /// Why.
        source: PatternError,
    },
    /// Two cases have one name, so their results would have one too.
    #[error("{} has two cases called {case:?}", path.display())]
    Twice {
        /// The folder, pattern or table.
        path: PathBuf,
        /// The name.
        case: String,
    },
    /// A case lacks the file of a channel, but has that of a later one.
    #[error("case {case} has no file of channel _{missing:04}, but {}: a channel is missing", found.join(", "))]
    Gap {
        /// Name of the case.
        case: String,
        /// The channel without a file.
        missing: u32,
        /// Names of the files that are there.
        found: Vec<String>,
    },
    /// A table names no image of a case.
    #[error("case {case} has no image: its cells are empty")]
    NoImage {
        /// Name of the case.
        case: String,
    },
    /// More than one file could be a channel of a case.
    #[error("case {case} has more than one file of channel _{channel:04}: {}", found.join(", "))]
    TwoFiles {
        /// Name of the case.
        case: String,
        /// The channel.
        channel: u32,
        /// Names of all its files.
        found: Vec<String>,
    },
    /// A table's first line does not name its columns.
    #[error(
        "the first line of {} must name the columns: case, one or more images, and optionally task",
        path.display()
    )]
    Columns {
        /// The table.
        path: PathBuf,
    },
    /// A line of a table cannot be understood.
    #[error("line {line} of {}: {problem}", path.display())]
    Line {
        /// The table.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What is wrong with it.
        problem: String,
    },
    /// A shard is not one.
    #[error("{found:?} is no shard: write i/n with i from 1 to n, as in 2/8")]
    Shard {
        /// What was typed.
        found: String,
    },
}
