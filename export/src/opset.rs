//! Versions of ONNX's standard operators.
//!
//! A graph is built and optimised with the operators as they are in [`Opset::DEFAULT`]; a later
//! version allows further operators to lowerings and passes, which ask [`crate::Graph::opset`], and
//! [`legalise`] rewrites what has changed since just before the graph is written.

pub(crate) mod legalise;

use std::fmt;
use std::str::FromStr;

use crate::error::ExportError;

/// A version of ONNX's standard operators that models can be written in: 17 to 23.
///
/// | from | what a model gains |
/// |---|---|
/// | 18 | bitwise operators, and the largest or smallest of what is scattered to one place |
/// | 19 | deformable convolutions |
/// | 20 | GELU as one node |
/// | 22 | bfloat16 in convolutions |
/// | 23 | attention as one node |
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Opset(u8);

impl Opset {
    /// What is written unless another one is asked for: the first with LayerNormalization, and
    /// every engine in use reads it.
    pub const DEFAULT: Self = Self(17);
    /// The last one that we know.
    pub const NEWEST: Self = Self(23);

    /// Version number `version`.
    ///
    /// Errors: [`ExportError::UnknownOpset`] outside of 17 to 23.
    pub fn new(version: i64) -> Result<Self, ExportError> {
        u8::try_from(version)
            .ok()
            .map(Self)
            .filter(|opset| (Self::DEFAULT..=Self::NEWEST).contains(opset))
            .ok_or(ExportError::UnknownOpset { version })
    }

    /// A version that is known to be one.
    pub(crate) const fn known(version: u8) -> Self {
        assert!(Self::DEFAULT.0 <= version && version <= Self::NEWEST.0);
        Self(version)
    }

    /// Its number.
    pub fn version(self) -> i64 {
        i64::from(self.0)
    }

    /// The version of the file format that came with it.
    pub fn ir_version(self) -> i64 {
        match self.0 {
            ..=18 => 8,
            19 | 20 => 9,
            21 | 22 => 10,
            23.. => 11,
        }
    }
}

impl Default for Opset {
    fn default() -> Self {
        Self::DEFAULT
    }
}

impl fmt::Display for Opset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for Opset {
    type Err = ExportError;

    /// Errors: [`ExportError::UnknownOpset`], for what is no number as well.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::new(text.parse().unwrap_or(-1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_known_versions_can_be_said() {
        for version in 17..=23 {
            let opset = Opset::new(version).unwrap();
            assert_eq!(opset.version(), version);
            assert_eq!(opset.to_string().parse::<Opset>().unwrap(), opset);
        }
        for version in [-1, 0, 16, 24, 273] {
            assert!(Opset::new(version).is_err(), "{version}");
        }
        insta::assert_snapshot!(Opset::new(16).unwrap_err(), @"models are written in opset 17 to 23, not 16");
        assert!("newest".parse::<Opset>().is_err());
    }
}
