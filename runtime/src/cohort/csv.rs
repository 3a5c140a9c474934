//! A table of cases: comma-separated, quoted as spreadsheets do.

use std::{fs, path::Path};

use super::{CaseFlaw, CohortCase, CohortError};

/// Reads the table at `path`.
pub(super) fn read(path: &Path) -> Result<Vec<CohortCase>, CohortError> {
    let text = fs::read_to_string(path).map_err(|source| CohortError::Read {
        path: path.to_owned(),
        source,
    })?;
    // Spreadsheets mark UTF-8 with a character that nobody sees.
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    let mut lines = text
        .lines()
        .zip(1..)
        .filter(|(line, _)| !line.trim().is_empty());
    let wrong = |line: usize, problem: String| CohortError::Line {
        path: path.to_owned(),
        line,
        problem,
    };
    let columns = || CohortError::Columns {
        path: path.to_owned(),
    };
    let (heading, line) = lines.next().ok_or_else(columns)?;
    let heading: Vec<String> = cells(heading)
        .ok_or_else(|| wrong(line, "a quote is not closed".to_owned()))?
        .into_iter()
        .map(|cell| cell.trim().to_lowercase())
        .collect();
    let place = |name: &str| heading.iter().position(|cell| cell == name);
    let (case, task) = (place("case").ok_or_else(columns)?, place("task"));
    let images: Vec<usize> = (0..heading.len())
        .filter(|at| *at != case && Some(*at) != task)
        .collect();
    if images.is_empty() {
        return Err(columns());
    }
    let folder = path.parent().unwrap_or(Path::new(""));
    lines
        .map(|(text, line)| {
            let cells =
                cells(text).ok_or_else(|| wrong(line, "a quote is not closed".to_owned()))?;
            if cells.len() != heading.len() {
                let (found, expected) = (cells.len(), heading.len());
                return Err(wrong(
                    line,
                    format!("{found} cells where {expected} belong"),
                ));
            }
            let cell = |at: usize| cells[at].trim();
            let name = cell(case);
            if name.is_empty() || name.starts_with('.') || name.contains(['/', '\\']) {
                return Err(wrong(line, format!("{name:?} cannot name a case's files")));
            }
            // Empty cells behind the last image are channels that other cases have.
            let named = images.iter().map(|at| cell(*at));
            let mut channels: Vec<&str> = named.collect();
            while channels.last().is_some_and(|file| file.is_empty()) {
                channels.pop();
            }
            let absent = (0u32..).zip(&channels).find(|(_, file)| file.is_empty());
            let files = channels.iter().filter(|file| !file.is_empty());
            let files: Vec<_> = files.map(|file| folder.join(file)).collect();
            let absent = absent.map(|(channel, _)| CaseFlaw::NoFile { channel });
            let flaw = match files.is_empty() {
                true => Some(CaseFlaw::NoImage),
                false => absent,
            };
            Ok(CohortCase {
                name: name.to_owned(),
                images: files,
                task: task
                    .map(|at| cell(at).to_owned())
                    .filter(|task| !task.is_empty()),
                flaw,
            })
        })
        .collect()
}

/// The cells of a line; nothing if a quote is not closed.
fn cells(line: &str) -> Option<Vec<String>> {
    let mut cells = vec![String::new()];
    let mut quoted = false;
    let mut characters = line.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '"' if quoted && characters.peek() == Some(&'"') => {
                characters.next();
                cells.last_mut()?.push('"');
            }
            '"' => quoted = !quoted,
            ',' if !quoted => cells.push(String::new()),
            other => cells.last_mut()?.push(other),
        }
    }
    (!quoted).then_some(cells)
}
