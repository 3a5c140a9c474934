use std::fmt;
use std::str::FromStr;

/// An amount of memory.
///
/// Read from `512M`, `4G`, `1.5GiB`, `2048 MB` or a number of bytes. Units are powers of 1024
/// whether they are written G, GB or GiB, as in most tools that limit memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct MemorySize(u64);

/// Text that is no amount of memory.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{found}' is no amount of memory: {reason} (examples: 512M, 4G, 1.5GiB)")]
pub struct MemorySizeError {
    /// The text.
    pub found: String,
    /// What is wrong with it.
    pub reason: String,
}

const UNITS: [(&str, u32); 5] = [("B", 0), ("K", 1), ("M", 2), ("G", 3), ("T", 4)];

impl MemorySize {
    /// From a number of bytes.
    pub fn from_bytes(bytes: u64) -> Self {
        Self(bytes)
    }

    /// The number of bytes.
    pub fn bytes(self) -> u64 {
        self.0
    }
}

impl FromStr for MemorySize {
    type Err = MemorySizeError;

    fn from_str(text: &str) -> Result<Self, MemorySizeError> {
        let fail = |reason: String| MemorySizeError {
            found: text.to_owned(),
            reason,
        };
        let trimmed = text.trim();
        let end = trimmed.find(|c: char| c.is_ascii_alphabetic());
        let (number, unit) = trimmed.split_at(end.unwrap_or(trimmed.len()));
        let number = number.trim();
        let value: f64 = number
            .parse()
            .map_err(|_| fail(format!("it should begin with a number, not '{number}'")))?;
        let upper = unit.to_ascii_uppercase();
        let letter = match upper.strip_suffix("IB").or(upper.strip_suffix('B')) {
            Some("") | None if upper.is_empty() || upper == "B" => "B",
            Some(letter) => letter,
            None => upper.as_str(),
        };
        let power = UNITS.iter().find(|(name, _)| *name == letter);
        let (_, power) =
            power.ok_or_else(|| fail(format!("the unit is K, M, G or T, not '{unit}'")))?;
        let bytes = value * 1024_f64.powi(*power as i32);
        if !(bytes >= 1.0 && bytes < u64::MAX as f64) {
            return Err(fail("it is not between 1 byte and 16 EiB".into()));
        }
        Ok(Self(bytes as u64))
    }
}

impl fmt::Display for MemorySize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = self.0 as f64;
        let (gib, mib) = (1024_f64.powi(3), 1024_f64.powi(2));
        match bytes {
            _ if bytes >= gib => write!(f, "{:.2} GiB", bytes / gib),
            _ if bytes >= mib => write!(f, "{:.0} MiB", bytes / mib),
            _ => write!(f, "{} bytes", self.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_read_as_people_write_them() {
        let (mib, gib) = (1 << 20, 1 << 30);
        for (text, bytes) in [
            ("512M", 512 * mib),
            ("4G", 4 * gib),
            ("4GiB", 4 * gib),
            ("4gb", 4 * gib),
            ("1.5G", 3 * gib / 2),
            ("2048 MB", 2 * gib),
            ("1T", 1024 * gib),
            ("4096", 4096),
            ("4096B", 4096),
            ("8k", 8192),
        ] {
            assert_eq!(
                text.parse::<MemorySize>().map(|m| m.bytes()),
                Ok(bytes),
                "{text}"
            );
        }
    }

    #[test]
    fn nonsense_is_told() {
        for (text, reason) in [
            ("", "begin with a number"),
            ("lots", "begin with a number, not ''"),
            ("4X", "the unit is K, M, G or T, not 'X'"),
            ("4iB", "not 'iB'"),
            ("1,5G", "not '1,5'"),
            ("-4G", "not between 1 byte"),
            ("0", "not between 1 byte"),
            ("4e3G", "not 'e3G'"),
            ("99999999999T", "and 16 EiB"),
            ("infG", "begin with a number"),
        ] {
            let error = text.parse::<MemorySize>().unwrap_err().to_string();
            assert!(error.contains(reason), "{error}");
        }
    }

    #[test]
    fn amounts_are_written_with_the_unit_that_fits() {
        for (bytes, text) in [
            (7, "7 bytes"),
            (300 << 20, "300 MiB"),
            (3 << 29, "1.50 GiB"),
        ] {
            assert_eq!(MemorySize::from_bytes(bytes).to_string(), text);
        }
    }
}
