//! Appending: envelopes in lines, acknowledged in lines.

use axum::body::Body;
use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use oacp::entry::{Entry, EntryError};
use oacp::envelope::Envelope;
use oacp_registry::{AppendError, Appended, Log};
use serde_json::json;

use super::parameters::Parameters;
use super::{APPEND_BYTES_MAX, APPEND_ENTRIES_MAX, Kept, Served, answer};
use crate::server::Refused;

const LINES: &str = "application/jsonl";

/// What becomes of one line.
enum Line {
    Appended(Appended),
    Refused {
        code: &'static str,
        message: String,
    },
    /// Not known: the log stopped meanwhile.
    Stopped,
}

pub(super) async fn append(
    State(served): State<Served>,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
    body: Body,
) -> Result<Response, Refused> {
    // Before a byte of the body is read.
    served.may_append(&headers)?;
    let mut parameters = Parameters::parse(query.as_deref())?;
    let log = parameters.take("log");
    parameters.finish("`log`")?;
    check_origin(&served, log.as_deref())?;
    // Whoever sends slowly takes nobody's turn.
    let body = served
        .bodies
        .read(body, APPEND_BYTES_MAX, too_large)
        .await?;
    let turn = served.appends.acquire().await;
    let _turn = turn.map_err(|_| Refused::internal("internal", "the server takes no entries"))?;
    let log = served.log.clone();
    let admitted = tokio::task::spawn_blocking(move || admit(&log, &body.bytes))
        .await
        .map_err(|_| Refused::internal("internal", "the envelopes could not be read"))??;

    let mut entries = Vec::with_capacity(admitted.len());
    let mut lines: Vec<Option<Line>> = Vec::with_capacity(admitted.len());
    for entry in admitted {
        match entry {
            Ok(entry) => {
                entries.push(entry);
                lines.push(None);
            }
            Err(refused) => lines.push(Some(refused)),
        }
    }
    let appended = served.log.append_entries(entries).await;
    let mut stopped = None;
    let mut appended = appended.map(Vec::into_iter);
    let lines = lines.into_iter().map(|line| match (line, &mut appended) {
        (Some(line), _) => line,
        // One answer for each entry; were one missing, nothing would be known of it.
        (None, Ok(appended)) => appended
            .next()
            .map_or(Line::Stopped, |result| line_of(result, &mut stopped)),
        (None, Err(error)) => line_of(Err(error.clone()), &mut stopped),
    });
    let response = respond(lines.collect());
    if let Some(reason) = stopped {
        served.tell_stopped(&reason);
    }
    Ok(response)
}

/// Refuses what is meant for another log: an acknowledgement of this one would be none.
fn check_origin(served: &Served, meant: Option<&str>) -> Result<(), Refused> {
    let origin = served.log.origin();
    match meant {
        Some(meant) if meant != origin.as_str() => Err(Refused::new(
            StatusCode::MISDIRECTED_REQUEST,
            "other_log",
            format!("this is the log `{origin}`, and the entries are for another"),
        )
        .with_fix("compare the log's URL with its origin")),
        _ => Ok(()),
    }
}

fn too_large() -> Refused {
    Refused::new(
        StatusCode::PAYLOAD_TOO_LARGE,
        "too_large",
        format!(
            "the body is longer than {APPEND_BYTES_MAX} bytes, or has more than {APPEND_ENTRIES_MAX} lines"
        ),
    )
    .with_fix("send the envelopes in several requests")
}

/// The envelopes of a body, a line each, judged; and what is to be said of those that are refused.
fn admit(log: &Log, body: &[u8]) -> Result<Vec<Result<Entry, Line>>, Refused> {
    let mut envelopes = vec![];
    let mut malformed = vec![];
    for line in split(body)? {
        let parsed = Envelope::parse(line);
        malformed.push(parsed.as_ref().err().cloned().map(EntryError::from));
        envelopes.extend(parsed.ok());
    }
    let mut admitted = log.admit_all(envelopes).into_iter();
    let of_line = |malformed: Option<EntryError>| match malformed {
        Some(error) => Err(refused(&AppendError::Entry(error))),
        None => match admitted.next() {
            Some(Ok(entry)) => Ok(entry),
            Some(Err(error)) => Err(refused(&AppendError::Entry(error))),
            None => Err(Line::Stopped),
        },
    };
    Ok(malformed.into_iter().map(of_line).collect())
}

/// The lines of a body. The last line feed may be missing.
fn split(body: &[u8]) -> Result<impl Iterator<Item = &[u8]>, Refused> {
    let text = body.strip_suffix(b"\n").unwrap_or(body);
    if text.is_empty() {
        return Err(Refused::bad_request("the body has no envelope"));
    }
    let lines = text.split(|byte| *byte == b'\n');
    match lines.clone().count() <= APPEND_ENTRIES_MAX {
        true => Ok(lines),
        false => Err(too_large()),
    }
}

fn line_of(result: Result<Appended, AppendError>, stopped: &mut Option<String>) -> Line {
    match result {
        Ok(appended) => Line::Appended(appended),
        Err(AppendError::Stopped { reason }) => {
            *stopped = Some(reason);
            Line::Stopped
        }
        Err(error) => refused(&error),
    }
}

fn refused(error: &AppendError) -> Line {
    Line::Refused {
        code: error.code(),
        message: error.to_string(),
    }
}

fn respond(lines: Vec<Line>) -> Response {
    let is_stopped = lines.iter().any(|line| matches!(line, Line::Stopped));
    let is_refused = lines
        .iter()
        .any(|line| matches!(line, Line::Refused { .. }));
    // Whoever looks at the status alone must not take what was refused for acknowledged.
    let status = match (is_stopped, is_refused) {
        (true, _) => StatusCode::SERVICE_UNAVAILABLE,
        (false, true) => StatusCode::UNPROCESSABLE_ENTITY,
        (false, false) => StatusCode::OK,
    };
    let mut body = String::with_capacity(lines.len() * 32);
    for line in lines {
        match line {
            Line::Appended(Appended { index, is_new }) => {
                body.push_str(&format!("{{\"index\":{index},\"new\":{is_new}}}\n"));
            }
            Line::Refused { code, message } => {
                let error = json!({"error": {"code": code, "message": message}});
                body.push_str(&format!("{error}\n"));
            }
            Line::Stopped => body.push_str(
                "{\"error\":{\"code\":\"stopped\",\"message\":\"the log stopped; whether this entry is in it is not known\"}}\n",
            ),
        }
    }
    answer(LINES, Kept::Never, (status, body)).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_an_envelope() {
        let count = |text: &str| split(text.as_bytes()).map(Iterator::count);
        assert_eq!(count("{}").unwrap(), 1);
        assert_eq!(count("{}\n").unwrap(), 1);
        assert_eq!(count("{}\n\n{}\n").unwrap(), 3);
        assert!(count("").is_err());
        assert!(count("\n").is_err());
        assert_eq!(count(&"x\n".repeat(1000)).unwrap(), 1000);
        assert!(count(&"x\n".repeat(1001)).is_err());
    }
}
