//! Functions of the embedding program that a guest may call as tools.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use oacp::id::ToolName;
use serde_json::Value;
use thiserror::Error;

use crate::limits::TOOL_RESULT_BYTES_MAX;

type Answer = Pin<Box<dyn Future<Output = Result<Value, ToolError>> + Send>>;
type Function = Arc<dyn Fn(Value) -> Answer + Send + Sync>;

/// The tools that exist for a run. That a tool exists does not grant it: the grant does.
#[derive(Clone, Default)]
pub struct Tools(BTreeMap<ToolName, Function>);

/// A tool's own failure. The guest sees it as an exception that it can catch.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{0}")]
pub struct ToolError(pub String);

impl Tools {
    /// No tools.
    pub fn none() -> Self {
        Self::default()
    }

    /// Adds a tool, or replaces the one of that name. It is handed the call's arguments, a JSON object.
    #[must_use]
    pub fn with<F, A>(mut self, name: ToolName, function: F) -> Self
    where
        F: Fn(Value) -> A + Send + Sync + 'static,
        A: Future<Output = Result<Value, ToolError>> + Send + 'static,
    {
        self.0.insert(
            name,
            Arc::new(move |arguments| Box::pin(function(arguments))),
        );
        self
    }

    /// The tools' names, sorted.
    pub fn names(&self) -> impl Iterator<Item = &ToolName> {
        self.0.keys()
    }

    pub(crate) fn find(&self, name: &ToolName) -> Option<Function> {
        self.0.get(name).cloned()
    }
}

/// Calls a tool and bounds what it answers.
pub(crate) async fn call(tool: Function, arguments: Vec<u8>) -> Result<Vec<u8>, ToolFailure> {
    let arguments = match serde_json::from_slice(&arguments) {
        Ok(arguments @ Value::Object(_)) => arguments,
        Ok(_) => {
            return Err(ToolFailure::arguments(
                "the arguments are not a JSON object".into(),
            ));
        }
        Err(e) => {
            return Err(ToolFailure::arguments(format!(
                "the arguments are not JSON: {e}"
            )));
        }
    };
    let result = tool(arguments)
        .await
        .map_err(|ToolError(message)| ToolFailure {
            code: "tool_error",
            message,
        })?;
    let bytes = result.to_string().into_bytes();
    if bytes.len() > TOOL_RESULT_BYTES_MAX {
        let message = format!(
            "the result has {} bytes, the limit is {TOOL_RESULT_BYTES_MAX}",
            bytes.len()
        );
        return Err(ToolFailure {
            code: "limit",
            message,
        });
    }
    Ok(bytes)
}

pub(crate) struct ToolFailure {
    pub(crate) code: &'static str,
    pub(crate) message: String,
}

impl ToolFailure {
    fn arguments(message: String) -> Self {
        Self {
            code: "bad_arguments",
            message,
        }
    }
}
