//! What the operator is told while a server runs: one line at a time, for the edge to print.

use std::sync::Arc;

/// Takes a line: lower case, without a full stop or line feed. It must not wait.
pub type OperatorLog = Arc<dyn Fn(&str) + Send + Sync>;

/// An error and its causes in one line.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut line = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        line.push_str(": ");
        line.push_str(&error.to_string());
        cause = error.source();
    }
    line
}
