//! How many inputs and outputs each standard operator takes, by operator-set version.
//!
//! Attributes and types are not in it: ONNX's own checker looks at those in this project's tests.

mod table;

/// Stands for "any number" in the table.
const MANY: usize = usize::MAX;

/// One operator from one version on.
struct Row {
    op: &'static str,
    since: i64,
    /// `None` where the version took the operator away.
    arity: Option<Arity>,
}

/// Smallest and largest numbers of inputs and outputs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Arity {
    pub(crate) inputs: (usize, usize),
    pub(crate) outputs: (usize, usize),
}

const fn row(op: &'static str, since: i64, inputs: (usize, usize), outputs: (usize, usize)) -> Row {
    Row {
        op,
        since,
        arity: Some(Arity { inputs, outputs }),
    }
}

const fn deprecated(op: &'static str, since: i64) -> Row {
    Row {
        op,
        since,
        arity: None,
    }
}

/// The arity of `op` in version `opset` of the standard operators; `None` if that version has no
/// such operator.
pub(crate) fn arity(op: &str, opset: i64) -> Option<Arity> {
    table::ROWS
        .iter()
        .filter(|row| row.op == op && row.since <= opset)
        .max_by_key(|row| row.since)
        .and_then(|row| row.arity)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_told_apart() {
        let inputs = |op, opset| arity(op, opset).map(|arity| arity.inputs);
        assert_eq!(inputs("ReduceMean", 17), Some((1, 1)));
        assert_eq!(inputs("ReduceMean", 18), Some((1, 2)));
        assert_eq!(inputs("Upsample", 9), Some((2, 2)));
        assert_eq!(inputs("Upsample", 10), None);
        assert_eq!(inputs("LayerNormalization", 16), None);
        assert_eq!(inputs("Concat", 17), Some((1, MANY)));
        assert_eq!(inputs("Blur", 17), None);
    }

    #[test]
    fn no_row_twice() {
        for (index, row) in table::ROWS.iter().enumerate() {
            let twin = |other: &Row| (other.op, other.since) == (row.op, row.since);
            assert!(
                !table::ROWS[index + 1..].iter().any(twin),
                "{} {}",
                row.op,
                row.since
            );
        }
    }
}
