//! A command (`wasi:cli/run`) as a tool: arguments and standard input go in; what it printed and its status come out.
//!
//! A status other than 0 is a result like any other: what it means is between the command and its caller.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use wasmtime::Store;
use wasmtime::component::ComponentExportIndex;
use wasmtime::component::InstancePre;
use wasmtime_wasi::I32Exit;

use super::{Answer, lift};
use crate::limits;
use crate::state::State;

/// What a command is called with.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Input {
    /// Without the program's own name.
    #[serde(default)]
    args: Vec<String>,
    #[serde(default)]
    stdin: String,
}

/// How it ended. Bytes that are no UTF-8 are U+FFFD each.
#[derive(Serialize)]
struct Output<'a> {
    stdout: &'a str,
    stderr: &'a str,
    status: i32,
}

pub(crate) const DESCRIPTION: &str = "Runs the command with arguments and standard input; gives what it printed and its exit status.";

/// As an argument 0, which programs show in their help.
const NAME: &str = "command";

pub(crate) fn input_schema() -> Value {
    json!({
        "type": "object",
        "properties": {
            "args": {
                "type": "array",
                "items": {"type": "string"},
                "maxItems": limits::COMMAND_ARGUMENTS_MAX,
                "description": "The arguments, without the program's name.",
            },
            "stdin": {"type": "string", "description": "Standard input."},
        },
        "required": [],
        "additionalProperties": false,
    })
}

pub(crate) fn output_schema() -> Value {
    json!({
        "type": "object",
        "properties": {
            "stdout": {"type": "string"},
            "stderr": {"type": "string"},
            "status": {"type": "integer", "description": "0: it ended well."},
        },
        "required": ["stdout", "stderr", "status"],
        "additionalProperties": false,
    })
}

/// Reads a call's arguments.
pub(crate) fn input(text: &str) -> Result<Input, String> {
    let input: Input = serde_json::from_str(text).map_err(|error| error.to_string())?;
    if input.args.len() > limits::COMMAND_ARGUMENTS_MAX {
        return Err(format!(
            "a command takes at most {} arguments",
            limits::COMMAND_ARGUMENTS_MAX
        ));
    }
    Ok(input)
}

/// Runs it.
pub(crate) async fn call(
    pre: &InstancePre<State>,
    run: &ComponentExportIndex,
    input: Input,
    store: &mut Store<State>,
) -> wasmtime::Result<Answer> {
    let arguments = std::iter::once(NAME.to_owned()).chain(input.args);
    store
        .data_mut()
        .serve_command(arguments.collect(), input.stdin);
    let ended = async {
        let instance = pre.instantiate_async(&mut *store).await?;
        let run = instance.get_typed_func::<(), (Result<(), ()>,)>(&mut *store, run)?;
        run.call_async(&mut *store, ()).await
    };
    let status = match ended.await {
        Ok((Ok(()),)) => 0,
        Ok((Err(()),)) => 1,
        Err(trap) => match trap.downcast_ref::<I32Exit>() {
            Some(exit) => exit.0,
            None => return Err(trap),
        },
    };
    // The lines are the result here, so they are not log lines as well.
    let (stdout, stderr) = store.data_mut().take_printed();
    for (stream, bytes) in [("output", &stdout), ("error", &stderr)] {
        if bytes.len() >= limits::COMMAND_OUTPUT_BYTES_MAX {
            return Ok(Err(format!(
                "the command wrote {} bytes or more to standard {stream}, which is the limit",
                limits::COMMAND_OUTPUT_BYTES_MAX
            )));
        }
    }
    let output = Output {
        stdout: &String::from_utf8_lossy(&stdout),
        stderr: &String::from_utf8_lossy(&stderr),
        status,
    };
    Ok(lift::json(&output, limits::RESULT_BYTES_MAX).map_err(|error| error.to_string()))
}
