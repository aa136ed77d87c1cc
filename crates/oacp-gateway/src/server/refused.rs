//! A request that is not answered: the one form that all refusals have.

use std::borrow::Cow;

use axum::http::StatusCode;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::response::{IntoResponse, Response};
use oacp::digest::Digest;
use serde_json::json;

/// `{"error": {"code", "message", "fix"?, "digest"?}}`, under a status.
#[derive(Debug)]
pub(crate) struct Refused {
    status: StatusCode,
    code: &'static str,
    message: Cow<'static, str>,
    fix: Option<Cow<'static, str>>,
    /// Of what is not there any more.
    digest: Option<Digest>,
    retry_after_s: Option<u32>,
}

impl Refused {
    pub(crate) fn new(
        status: StatusCode,
        code: &'static str,
        message: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self {
            status,
            code,
            message: message.into(),
            fix: None,
            digest: None,
            retry_after_s: None,
        }
    }

    /// With what the caller, or the operator, can do.
    pub(crate) fn with_fix(self, fix: impl Into<Cow<'static, str>>) -> Self {
        Self {
            fix: Some(fix.into()),
            ..self
        }
    }

    /// With the digest of what was asked for.
    pub(crate) fn with_digest(self, digest: Digest) -> Self {
        Self {
            digest: Some(digest),
            ..self
        }
    }

    /// It may be otherwise in so many seconds.
    pub(crate) fn with_retry_after(self, seconds: u32) -> Self {
        Self {
            retry_after_s: Some(seconds),
            ..self
        }
    }

    pub(crate) fn not_found(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", message)
    }

    pub(crate) fn bad_request(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "bad_request", message)
    }

    pub(crate) fn method_not_allowed() -> Self {
        Self::new(
            StatusCode::METHOD_NOT_ALLOWED,
            "method_not_allowed",
            "this path is not asked so",
        )
        .with_fix("the header `allow` lists the methods that it takes")
    }

    /// A failure of this side, whose details are the operator's.
    pub(crate) fn internal(code: &'static str, message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, code, message)
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let mut error = json!({"code": self.code, "message": self.message});
        if let Some(error) = error.as_object_mut() {
            let fix = self.fix.map(|fix| ("fix".to_owned(), fix.into()));
            let digest = self
                .digest
                .map(|digest| ("digest".to_owned(), digest.to_string().into()));
            error.extend(fix.into_iter().chain(digest));
        }
        let body = format!("{}\n", json!({ "error": error }));
        let mut response = (self.status, body).into_response();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some(seconds) = self.retry_after_s {
            headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        if self.status == StatusCode::UNAUTHORIZED {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}
