//! What a guest may call as tools: functions of the embedding program, and whatever that makes of them.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use oacp::id::ToolName;
use oacp::json::admit;
use serde_json::Value;
use thiserror::Error;

use crate::limits::{ARGUMENTS, TOOL_RESULT_BYTES_MAX};

type Answer = Pin<Box<dyn Future<Output = Result<Vec<u8>, ToolFailure>> + Send>>;
type Function = Arc<dyn Fn(ToolArguments) -> Answer + Send + Sync>;

/// The tools that exist for a run. That a tool exists does not grant it: the grant does.
#[derive(Clone, Default)]
pub struct Tools(BTreeMap<ToolName, Function>);

/// What a tool is called with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ToolArguments {
    /// The number of the call in the recording.
    pub call: u64,
    /// One JSON object, as the guest wrote it, and as the recording has it.
    pub text: String,
}

/// A tool's own failure. The guest sees it as an exception that it can catch.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{0}")]
pub struct ToolError(pub String);

/// Why a call has no result, with a stable word for the guest's program.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{message}")]
pub struct ToolFailure {
    /// The word.
    pub code: ToolFailureCode,
    /// One line for people.
    pub message: String,
}

/// The words of [`ToolFailure`]: a replay reads them back, so there are no others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ToolFailureCode {
    /// The arguments are not what the tool takes.
    BadArguments,
    /// The result is not what the tool says that it gives.
    BadResult,
    /// The tool is not the one that was registered.
    Changed,
    /// A limit was reached: of fuel, memory, size, depth or calls at once.
    Limit,
    /// The tool's own error.
    ToolError,
    /// It took too long.
    TimedOut,
    /// It cannot be run here.
    Unavailable,
}

impl ToolFailureCode {
    /// Every word.
    pub const ALL: [Self; 7] = [
        Self::BadArguments,
        Self::BadResult,
        Self::Changed,
        Self::Limit,
        Self::ToolError,
        Self::TimedOut,
        Self::Unavailable,
    ];

    /// The word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::BadArguments => "bad_arguments",
            Self::BadResult => "bad_result",
            Self::Changed => "changed",
            Self::Limit => "limit",
            Self::ToolError => "tool_error",
            Self::TimedOut => "timed_out",
            Self::Unavailable => "unavailable",
        }
    }
}

impl Tools {
    /// No tools.
    pub fn none() -> Self {
        Self::default()
    }

    /// Adds a function of the embedding program, or replaces the one of that name. It is handed the call's arguments, a JSON object.
    #[must_use]
    pub fn with<F, A>(self, name: ToolName, function: F) -> Self
    where
        F: Fn(Value) -> A + Send + Sync + 'static,
        A: Future<Output = Result<Value, ToolError>> + Send + 'static,
    {
        let function = Arc::new(function);
        self.with_text(name, move |arguments| {
            let function = Arc::clone(&function);
            async move {
                let arguments = object(&arguments.text)?;
                match function(arguments).await {
                    Ok(result) => Ok(result.to_string().into_bytes()),
                    Err(ToolError(message)) => {
                        let code = ToolFailureCode::ToolError;
                        Err(ToolFailure { code, message })
                    }
                }
            }
        })
    }

    /// Adds what is called with the arguments' text and gives the result's, a JSON text: nothing is read or written anew on the way.
    #[must_use]
    pub fn with_text<F, A>(mut self, name: ToolName, function: F) -> Self
    where
        F: Fn(ToolArguments) -> A + Send + Sync + 'static,
        A: Future<Output = Result<Vec<u8>, ToolFailure>> + Send + 'static,
    {
        let function = move |arguments| -> Answer { Box::pin(function(arguments)) };
        self.0.insert(name, Arc::new(function));
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
pub(crate) async fn call(tool: Function, arguments: ToolArguments) -> Result<Vec<u8>, ToolFailure> {
    let bytes = tool(arguments).await?;
    if bytes.len() > TOOL_RESULT_BYTES_MAX {
        let message = format!(
            "the result has {} bytes, the limit is {TOOL_RESULT_BYTES_MAX}",
            bytes.len()
        );
        let code = ToolFailureCode::Limit;
        return Err(ToolFailure { code, message });
    }
    Ok(bytes)
}

fn object(text: &str) -> Result<Value, ToolFailure> {
    let bad = |message| ToolFailure {
        code: ToolFailureCode::BadArguments,
        message,
    };
    // Read strictly: the recording has the text, and nobody is to read something else in it.
    match admit(text.as_bytes(), ARGUMENTS) {
        Ok(arguments @ Value::Object(_)) => Ok(arguments),
        Ok(_) => Err(bad("the arguments are not a JSON object".to_owned())),
        Err(e) => Err(bad(format!("the arguments are not JSON: {e}"))),
    }
}
