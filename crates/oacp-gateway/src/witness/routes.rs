//! The witness over HTTP, with the statuses and media types of C2SP tlog-witness.

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use oacp_tlog::limits::ADD_CHECKPOINT_BYTES_MAX;
use oacp_tlog::witness::{Refused as Verdict, SIZE_CONTENT_TYPE};
use serde_json::json;

use super::{AddCheckpointError, Witness};
use crate::operator::chain;
use crate::server::Refused;

pub(super) fn router(witness: Witness) -> Router {
    Router::new()
        .route("/add-checkpoint", post(add_checkpoint))
        .route("/", get(about))
        .layer(DefaultBodyLimit::max(ADD_CHECKPOINT_BYTES_MAX))
        .with_state(witness)
}

async fn add_checkpoint(State(witness): State<Witness>, body: Bytes) -> Response {
    let answer = tokio::task::spawn_blocking(move || witness.add_checkpoint(&body)).await;
    let refused = match answer {
        Ok(Ok(cosignatures)) => {
            let lines: String = cosignatures.iter().map(ToString::to_string).collect();
            return text("text/plain; charset=utf-8", StatusCode::OK, lines);
        }
        Ok(Err(refused)) => refused,
        Err(_) => return Refused::internal("ending", "the witness is ending").into_response(),
    };
    let message = chain_to_stranger(&refused);
    match refused {
        AddCheckpointError::Refused {
            refused: Verdict::Conflict { size },
            ..
        } => text(SIZE_CONTENT_TYPE, StatusCode::CONFLICT, format!("{size}\n")),
        AddCheckpointError::Refused { refused, .. } => {
            let status = StatusCode::from_u16(refused.status());
            let status = status.unwrap_or(StatusCode::BAD_REQUEST);
            Refused::new(status, code(&refused), message).into_response()
        }
        AddCheckpointError::Malformed(_) => Refused::bad_request(message).into_response(),
        AddCheckpointError::State(_) => {
            Refused::internal("state_unusable", message).into_response()
        }
    }
}

/// The causes of a refusal are the requester's; those of a failure are the operator's.
fn chain_to_stranger(error: &AddCheckpointError) -> String {
    match error {
        AddCheckpointError::State(_) => error.to_string(),
        _ => chain(error),
    }
}

fn code(refused: &Verdict) -> &'static str {
    match refused {
        Verdict::UnknownOrigin => "unknown_log",
        Verdict::BadSignature => "not_signed",
        Verdict::BadRequest { .. } => "bad_request",
        Verdict::Conflict { .. } => "other_size",
        Verdict::RootConflict { .. } => "other_root",
        Verdict::Inconsistent(_) => "inconsistent",
    }
}

fn text(content_type: &'static str, status: StatusCode, body: String) -> Response {
    (status, [(CONTENT_TYPE, content_type)], body).into_response()
}

async fn about(State(witness): State<Witness>) -> Response {
    let about = tokio::task::spawn_blocking(move || {
        let keys = witness.verifiers();
        let logs = witness.logs().into_iter().map(|log| {
            json!({
                "origin": log.origin,
                "keys": log.keys,
                "size": log.size,
                "forks": log.forks,
                "unproven": log.unproven,
            })
        });
        json!({
            "keys": keys.iter().map(ToString::to_string).collect::<Vec<_>>(),
            "logs": logs.collect::<Vec<_>>(),
        })
    });
    match about.await {
        Ok(about) => text("application/json", StatusCode::OK, format!("{about}\n")),
        Err(_) => Refused::internal("ending", "the witness is ending").into_response(),
    }
}
