//! What comes back, read to its end and judged before anybody sees it.
//!
//! Attack: a head or a body without end; a body that is framed in two ways, so that somebody on the way sees another one; a
//! decompression bomb; a secret that is repeated.

use http_body_util::BodyExt as _;
use hyper::body::{Body as _, Incoming};
use hyper::ext::ReasonPhrase;
use hyper::header::{
    CONNECTION, CONTENT_ENCODING, CONTENT_LENGTH, HeaderName, TE, TRAILER, TRANSFER_ENCODING,
    UPGRADE,
};
use hyper::{HeaderMap, Method, StatusCode, Version};
use oacp::capability::{Denial, Target};
use oacp::http::{ExchangeError, Response};
use oacp::limits::{HEADERS_MAX, RESPONSE_BODY_BYTES_MAX, RESPONSE_HEAD_BYTES_MAX};

use crate::client::Secrets;
use crate::decoding::Encoding;
use crate::failure;
use crate::reflection::Forms;

/// What only concerned the connection that the reply came on.
const OF_THE_CONNECTION: [HeaderName; 6] = [
    CONNECTION,
    HeaderName::from_static("keep-alive"),
    TE,
    TRAILER,
    TRANSFER_ENCODING,
    UPGRADE,
];

/// A whole reply, as it was received.
pub(crate) struct Reply {
    status: StatusCode,
    reason: Vec<u8>,
    headers: HeaderMap,
    body: Vec<u8>,
}

impl Reply {
    /// Judges the head and reads the body to its end.
    pub(crate) async fn receive(
        method: &Method,
        response: hyper::Response<Incoming>,
    ) -> Result<Self, ExchangeError> {
        let (head, body) = response.into_parts();
        if head.status == StatusCode::SWITCHING_PROTOCOLS {
            return Err(failure::protocol(
                "the reply changes to another protocol, which was not asked for",
            ));
        }
        if head.version < Version::HTTP_2 {
            check_framing(&head.headers)?;
        }
        // HTTP/2 has no reason phrase.
        let reason = match head.extensions.get::<ReasonPhrase>() {
            Some(reason) => reason.as_bytes().to_vec(),
            None if head.version < Version::HTTP_2 => {
                let reason = head.status.canonical_reason().unwrap_or_default();
                reason.as_bytes().to_vec()
            }
            None => vec![],
        };
        check_size(&reason, &head.headers)?;
        Ok(Self {
            status: head.status,
            reason,
            headers: head.headers,
            body: receive_body(method, body).await?,
        })
    }

    /// Undoes the encoding, looks for secrets, and only then makes it a response. Takes a while for a large body.
    pub(crate) fn finish(
        mut self,
        target: &Target,
        secrets: &Secrets,
    ) -> Result<Response, ExchangeError> {
        // A part of an encoded body is not encoded; and there is none after HEAD.
        if self.status != StatusCode::PARTIAL_CONTENT
            && !self.body.is_empty()
            && let Some(encoding) = Encoding::of(&self.headers)?
        {
            self.body = encoding.undo(&self.body)?;
            self.headers.remove(CONTENT_ENCODING);
            self.headers.remove(CONTENT_LENGTH);
        }
        for name in OF_THE_CONNECTION {
            self.headers.remove(name);
        }
        let texts = self.headers.iter().flat_map(|(name, value)| {
            let name: &[u8] = name.as_ref();
            [name, value.as_bytes()]
        });
        let texts = texts.chain([self.reason.as_slice(), self.body.as_slice()]);
        if let Some(name) = Forms::of(secrets.iter()).found_in(texts) {
            return Err(Denial::secret_reflected(target, name).into());
        }
        let headers = self.headers.iter().map(|(name, value)| {
            let value = value.as_bytes().iter().copied().map(char::from).collect();
            (name.as_str().to_owned(), value)
        });
        Ok(Response {
            status: self.status.as_u16(),
            reason: self.reason.iter().copied().map(char::from).collect(),
            headers: headers.collect(),
            body: self.body,
        })
    }
}

/// A body is framed in one way, and in one that is known.
fn check_framing(headers: &HeaderMap) -> Result<(), ExchangeError> {
    let mut codings = headers.get_all(TRANSFER_ENCODING).iter();
    let Some(coding) = codings.next() else {
        return Ok(());
    };
    if headers.contains_key(CONTENT_LENGTH) {
        return Err(failure::protocol(
            "the reply has both `content-length` and `transfer-encoding`",
        ));
    }
    if codings.next().is_some() || !coding.as_bytes().eq_ignore_ascii_case(b"chunked") {
        return Err(failure::protocol(
            "the reply's transfer encoding is not `chunked` alone",
        ));
    }
    Ok(())
}

fn check_size(reason: &[u8], headers: &HeaderMap) -> Result<(), ExchangeError> {
    let bytes: usize = headers
        .iter()
        .map(|(name, value)| name.as_str().len() + value.len() + 4)
        .sum();
    if headers.len() > HEADERS_MAX || reason.len() + bytes > RESPONSE_HEAD_BYTES_MAX {
        return Err(failure::limit("the reply's head is too large"));
    }
    Ok(())
}

async fn receive_body(method: &Method, mut body: Incoming) -> Result<Vec<u8>, ExchangeError> {
    let too_large = || {
        failure::limit(format!(
            "the reply's body has more than {RESPONSE_BODY_BYTES_MAX} bytes"
        ))
    };
    let announced = body.size_hint().lower();
    if method != Method::HEAD && announced > u64::try_from(RESPONSE_BODY_BYTES_MAX).unwrap_or(0) {
        return Err(too_large());
    }
    let mut received = vec![];
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|e| failure::of_connection(&e))?;
        // Trailers are nobody's.
        let Some(data) = frame.data_ref() else {
            continue;
        };
        if received.len() + data.len() > RESPONSE_BODY_BYTES_MAX {
            return Err(too_large());
        }
        received.extend_from_slice(data);
    }
    Ok(received)
}
