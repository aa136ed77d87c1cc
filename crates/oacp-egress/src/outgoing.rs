//! A request as it is sent: with what the guest may not say, and with the secrets that go to its host.
//!
//! Attack: header smuggling, a guest that frames a request so that the host sees two. Framing, `host` and `accept-encoding` are
//! written here alone; what the guest says of them never came this far. A secret replaces what the guest put in its place, so that
//! no host sees two values and takes the guest's.

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::{ACCEPT_ENCODING, CONTENT_LENGTH, HOST, HeaderName, HeaderValue, RANGE};
use hyper::{HeaderMap, Method, Uri};
use oacp::capability::{Place, Scheme, SecretName};
use oacp::http::{ExchangeError, Request};
use zeroize::Zeroizing;

use crate::decoding::ACCEPTED;
use crate::failure;
use crate::secret::SecretValue;

/// The version that a connection speaks; they name the target differently.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Version {
    Http1,
    Http2,
}

/// Everything that is sent, whichever connection it is sent on.
pub(crate) struct Outgoing {
    method: Method,
    scheme: Scheme,
    authority: String,
    path_and_query: Zeroizing<String>,
    headers: HeaderMap,
    body: Bytes,
}

impl Outgoing {
    /// # Errors
    /// If something cannot be written in HTTP. None that a secret could be read from.
    pub(crate) fn new<'a>(
        request: &Request,
        secrets: impl IntoIterator<Item = (&'a SecretName, &'a Place, &'a SecretValue)>,
    ) -> Result<Self, ExchangeError> {
        let method = Method::from_bytes(request.method().as_bytes())
            .map_err(|_| failure::protocol("the method cannot be sent"))?;
        let mut headers = HeaderMap::new();
        for (name, value) in request.headers() {
            let (name, value) = header(name, value)?;
            headers.append(name, value);
        }
        let mut path_and_query = Zeroizing::new(request.target().path_and_query().to_owned());
        let mut taken: Vec<(&SecretName, &Place)> = vec![];
        for (secret, place, value) in secrets {
            if let Some((other, _)) = taken.iter().find(|(_, taken)| is_same(taken, place)) {
                return Err(failure::protocol(format!(
                    "the secrets `{other}` and `{secret}` are granted for the same place of `{}`",
                    request.target().origin()
                )));
            }
            taken.push((secret, place));
            match place {
                Place::Header { header, prefix } => {
                    let unusable = |_| {
                        failure::protocol(format!(
                            "the secret `{secret}` cannot be sent in the header `{header}`"
                        ))
                    };
                    let name = HeaderName::from_bytes(header.as_bytes()).map_err(|_| {
                        failure::protocol(format!("`{header}` cannot be a header's name"))
                    })?;
                    let text = Zeroizing::new([prefix.as_bytes(), value.expose()].concat());
                    let mut value = HeaderValue::from_bytes(&text).map_err(unusable)?;
                    // HTTP/2 then keeps it out of its table of repeated headers.
                    value.set_sensitive(true);
                    headers.insert(name, value);
                }
                Place::Query { parameter } => {
                    path_and_query = with_parameter(&path_and_query, parameter, value.expose());
                }
            }
        }
        // A part of a compressed body cannot be decompressed.
        let accepted = match headers.contains_key(RANGE) {
            true => "identity",
            false => ACCEPTED,
        };
        headers.insert(ACCEPT_ENCODING, HeaderValue::from_static(accepted));
        // Without a body, only methods that announce one by their meaning say how long it is.
        if !request.body().is_empty() || matches!(request.method(), "POST" | "PUT" | "PATCH") {
            headers.insert(CONTENT_LENGTH, HeaderValue::from(request.body().len()));
        }
        Ok(Self {
            method,
            scheme: request.target().scheme(),
            authority: request.target().authority(),
            path_and_query,
            headers,
            body: Bytes::copy_from_slice(request.body()),
        })
    }

    pub(crate) fn method(&self) -> &Method {
        &self.method
    }

    /// The request for one connection.
    pub(crate) fn request(
        &self,
        version: Version,
    ) -> Result<hyper::Request<Full<Bytes>>, ExchangeError> {
        let uri = Uri::builder().path_and_query(self.path_and_query.as_str());
        let uri = match version {
            Version::Http1 => uri,
            Version::Http2 => uri
                .scheme(self.scheme.as_str())
                .authority(self.authority.as_str()),
        };
        let uri = uri
            .build()
            .map_err(|_| failure::protocol("the URL cannot be sent"))?;

        let mut headers = HeaderMap::with_capacity(self.headers.len() + 1);
        if version == Version::Http1 {
            let host = HeaderValue::from_str(&self.authority)
                .map_err(|_| failure::protocol("the host cannot be sent"))?;
            headers.insert(HOST, host);
        }
        headers.extend(self.headers.clone());

        let mut request = hyper::Request::new(Full::new(self.body.clone()));
        *request.method_mut() = self.method.clone();
        *request.uri_mut() = uri;
        *request.headers_mut() = headers;
        Ok(request)
    }
}

fn is_same(one: &Place, other: &Place) -> bool {
    match (one, other) {
        (Place::Header { header: one, .. }, Place::Header { header: other, .. }) => one == other,
        (Place::Query { parameter: one }, Place::Query { parameter: other }) => one == other,
        _ => false,
    }
}

/// A header whose value's characters are bytes.
fn header(name: &str, value: &str) -> Result<(HeaderName, HeaderValue), ExchangeError> {
    let refused = || failure::protocol("a header of the request cannot be sent");
    let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| refused())?;
    let bytes: Option<Vec<u8>> = value.chars().map(|c| u8::try_from(c).ok()).collect();
    let bytes = bytes.ok_or_else(refused)?;
    let value = HeaderValue::from_bytes(&bytes).map_err(|_| refused())?;
    Ok((name, value))
}

/// The path and query with this parameter at its end, and without those of the same name that were there.
fn with_parameter(path_and_query: &str, name: &str, value: &[u8]) -> Zeroizing<String> {
    let (path, query) = path_and_query
        .split_once('?')
        .unwrap_or((path_and_query, ""));
    // Room for all, so that nothing is left behind where it was smaller.
    let most = path_and_query.len() + 3 * (name.len() + value.len()) + 2;
    let mut text = Zeroizing::new(String::with_capacity(most));
    text.push_str(path);
    text.push('?');
    for parameter in query.split('&').filter(|parameter| !parameter.is_empty()) {
        let other = parameter.split('=').next().unwrap_or_default();
        if decoded(other) != name.as_bytes() {
            text.push_str(parameter);
            text.push('&');
        }
    }
    encode(name.as_bytes(), &mut text);
    text.push('=');
    encode(value, &mut text);
    text
}

fn encode(bytes: &[u8], text: &mut String) {
    for byte in bytes {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(byte) {
            text.push(char::from(*byte));
            continue;
        }
        let digit = |nibble: u8| {
            char::from_digit(u32::from(nibble), 16).map(|digit| digit.to_ascii_uppercase())
        };
        text.push('%');
        text.extend(digit(byte >> 4));
        text.extend(digit(byte & 15));
    }
}

/// A parameter's name as servers read it.
fn decoded(name: &str) -> Vec<u8> {
    let mut plain = Vec::with_capacity(name.len());
    let mut rest = name.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        let digits = match (byte, after) {
            (b'%', [high, low, ..]) => char::from(*high)
                .to_digit(16)
                .zip(char::from(*low).to_digit(16)),
            _ => None,
        };
        match (byte, digits) {
            (_, Some((high, low))) => {
                plain.extend(u8::try_from(16 * high + low));
                rest = after.get(2..).unwrap_or_default();
            }
            (b'+', None) => plain.push(b' '),
            (byte, None) => plain.push(byte),
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parameter_replaces_those_of_its_name() {
        for (before, expected) in [
            ("/", "/?api%20key=a%2Fb%26c%3Dd"),
            ("/p?", "/p?api%20key=a%2Fb%26c%3Dd"),
            ("/p?x=1&y", "/p?x=1&y&api%20key=a%2Fb%26c%3Dd"),
            (
                "/p?api+key=guess&x=1&api%20key&%61pi%20key=2",
                "/p?x=1&api%20key=a%2Fb%26c%3Dd",
            ),
            (
                "/p?API%20key=kept&api%2key=kept",
                "/p?API%20key=kept&api%2key=kept&api%20key=a%2Fb%26c%3Dd",
            ),
        ] {
            assert_eq!(
                with_parameter(before, "api key", b"a/b&c=d").as_str(),
                expected
            );
        }
    }
}
