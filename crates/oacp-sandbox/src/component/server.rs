//! A server (`wasi:http/incoming-handler`) as a tool: one request goes in, its response comes out.
//!
//! A status that says failure is a result like any other: what it means is between the server and its caller.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use wasmtime::Store;
use wasmtime::component::{ComponentExportIndex, InstancePre, Resource};
use wasmtime_wasi_http::p2::bindings::http::types::{IncomingRequest, ResponseOutparam};

use super::{Answer, lift};
use crate::limits;
use crate::state::State;
use crate::wasi_http::Request;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Input {
    #[serde(default = "get")]
    method: String,
    #[serde(default = "root")]
    path: String,
    #[serde(default)]
    headers: Vec<(String, String)>,
    #[serde(default)]
    body: Body,
}

/// Text as it is; other bytes in base64.
#[derive(Deserialize, Serialize)]
#[serde(untagged, deny_unknown_fields)]
enum Body {
    Text(String),
    Bytes { base64: String },
}

impl Default for Body {
    fn default() -> Self {
        Self::Text(String::new())
    }
}

fn get() -> String {
    "GET".to_owned()
}

fn root() -> String {
    "/".to_owned()
}

#[derive(Serialize)]
struct Output {
    status: u16,
    headers: Vec<(String, String)>,
    body: Body,
}

pub(crate) const DESCRIPTION: &str =
    "Sends one HTTP request to the component and gives its response. No network is involved.";

pub(crate) fn input_schema() -> Value {
    json!({
        "type": "object",
        "properties": {
            "method": {"type": "string", "description": "GET, if it is not said."},
            "path": {"type": "string", "pattern": "^/", "description": "With its query; `/`, if it is not said."},
            "headers": headers(),
            "body": body(),
        },
        "required": [],
        "additionalProperties": false,
    })
}

pub(crate) fn output_schema() -> Value {
    json!({
        "type": "object",
        "properties": {
            "status": {"type": "integer", "minimum": 100, "maximum": 999},
            "headers": headers(),
            "body": body(),
        },
        "required": ["status", "headers", "body"],
        "additionalProperties": false,
    })
}

fn headers() -> Value {
    let pair = json!({
        "type": "array",
        "prefixItems": [{"type": "string"}, {"type": "string"}],
        "items": false,
        "minItems": 2,
    });
    json!({"type": "array", "items": pair, "description": "Names and values."})
}

fn body() -> Value {
    let bytes = json!({
        "type": "object",
        "properties": {"base64": {"type": "string", "contentEncoding": "base64"}},
        "required": ["base64"],
        "additionalProperties": false,
    });
    json!({"oneOf": [{"type": "string"}, bytes], "description": "Text, or bytes that are none."})
}

/// Reads a call's arguments.
pub(crate) fn input(text: &str) -> Result<Request, String> {
    let input: Input = serde_json::from_str(text).map_err(|error| error.to_string())?;
    let body = match input.body {
        Body::Text(text) => text.into_bytes(),
        Body::Bytes { base64 } => {
            let bytes = BASE64.decode(base64);
            bytes.map_err(|_| "the body is not base64, at `/body/base64`".to_owned())?
        }
    };
    Request::new(input.method, input.path, input.headers, body)
}

/// Calls it.
pub(crate) async fn call(
    pre: &InstancePre<State>,
    handle: &ComponentExportIndex,
    request: Request,
    store: &mut Store<State>,
) -> wasmtime::Result<Answer> {
    let instance = pre.instantiate_async(&mut *store).await?;
    let handle = instance
        .get_typed_func::<(Resource<IncomingRequest>, Resource<ResponseOutparam>), ()>(
            &mut *store,
            handle,
        )?;
    let request = store.data_mut().serve_request(request)?;
    handle.call_async(&mut *store, request).await?;
    let response = match store.data_mut().take_response() {
        Ok(response) => response,
        Err(error) => return Ok(Err(error)),
    };
    let body = match String::from_utf8(response.body) {
        Ok(text) => Body::Text(text),
        Err(error) => Body::Bytes {
            base64: BASE64.encode(error.as_bytes()),
        },
    };
    let output = Output {
        status: response.status,
        headers: response.headers,
        body,
    };
    Ok(lift::json(&output, limits::RESULT_BYTES_MAX).map_err(|error| error.to_string()))
}
