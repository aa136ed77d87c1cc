//! Who is believed to be who they say.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use oacp::http::{ExchangeError, Response};
use oacp_egress::{Client, ClientError, Options, RootsError};
use rcgen::{
    BasicConstraints, Certificate, CertificateParams, DnType, IsCa, Issuer, KeyPair, date_time_ymd,
};
use serde_json::json;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;

use crate::fixture::{Answer, Server, answers, client, code, get, ok, options};

/// Somebody who issues certificates.
pub struct Authority {
    certificate: Certificate,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    pub fn new() -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec![]).unwrap();
        params
            .distinguished_name
            .push(DnType::CommonName, "authority");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let certificate = params.self_signed(&key).unwrap();
        Self {
            certificate,
            issuer: Issuer::new(params, key),
        }
    }

    /// Options of a client that trusts this authority.
    pub fn options<const N: usize>(&self, names: [(&str, &str); N]) -> Options {
        Options {
            extra_roots: vec![pem("CERTIFICATE", self.certificate.der())],
            ..options(names)
        }
    }

    /// What a server of these names needs.
    pub fn acceptor(&self, names: &[&str], protocols: &[&str]) -> TlsAcceptor {
        self.acceptor_of(params(names), protocols)
    }

    fn acceptor_of(&self, params: CertificateParams, protocols: &[&str]) -> TlsAcceptor {
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        acceptor(certificate, &key, protocols)
    }
}

/// RFC 7468, on one line.
fn pem(label: &str, der: &[u8]) -> Vec<u8> {
    let text = STANDARD.encode(der);
    format!("-----BEGIN {label}-----\n{text}\n-----END {label}-----\n").into_bytes()
}

fn params(names: &[&str]) -> CertificateParams {
    let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
    CertificateParams::new(names).unwrap()
}

fn acceptor(certificate: Certificate, key: &KeyPair, protocols: &[&str]) -> TlsAcceptor {
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key)
        .unwrap();
    config.alpn_protocols = protocols
        .iter()
        .map(|name| name.as_bytes().to_vec())
        .collect();
    TlsAcceptor::from(Arc::new(config))
}

/// A client for `https://api.test:port` and `https://127.0.0.1:port`.
pub fn tls_client(port: u16, options: &Options) -> Client {
    let rules = ["api.test", "127.0.0.1"]
        .map(|host| json!({"host": format!("{host}:{port}"), "private": true}));
    client(json!({"network": {"allowlist": rules}}), &[], options)
}

async fn exchange(
    acceptor: TlsAcceptor,
    options: &Options,
) -> (Server, Result<Response, ExchangeError>) {
    let server = Server::tls(acceptor, |_| Answer::Keep(ok(&[], "private"))).await;
    let client = tls_client(server.port, options);
    let result = client
        .exchange(get(&format!("https://api.test:{}/", server.port)))
        .await;
    (server, result)
}

#[track_caller]
fn assert_refused(server: &Server, result: Result<Response, ExchangeError>, reason: &str) {
    let Err(ExchangeError::Failed {
        code: "tls",
        message,
    }) = result
    else {
        panic!("{result:?}");
    };
    assert!(message.contains(reason), "{message}");
    assert_eq!(server.requests().len(), 0, "nothing was sent");
}

#[tokio::test]
async fn a_certificate_of_a_trusted_authority_for_the_name_is_believed() {
    let authority = Authority::new();
    for protocols in [&[][..], &["http/1.1"]] {
        let acceptor = authority.acceptor(&["api.test", "127.0.0.1"], protocols);
        let server = Server::tls(acceptor, |_| Answer::Keep(ok(&[], "private"))).await;
        let client = tls_client(server.port, &authority.options([]));
        for host in ["api.test", "127.0.0.1", "api.test"] {
            let url = format!("https://{host}:{}/", server.port);
            assert_eq!(client.exchange(get(&url)).await.unwrap().body, b"private");
        }
        assert_eq!(
            server.connections(),
            2,
            "one for the name, one for the address"
        );
        assert_eq!(
            server.requests()[0].header("host"),
            [format!("api.test:{}", server.port)]
        );
    }
}

#[tokio::test]
async fn a_certificate_for_another_name_is_refused() {
    let authority = Authority::new();
    for names in [
        &["other.test"][..],
        &["sub.api.test"],
        &["*.api.test"],
        &["127.0.0.1"],
        &["test"],
        &[],
    ] {
        let (server, result) =
            exchange(authority.acceptor(names, &[]), &authority.options([])).await;
        assert_refused(&server, result, "is for another name");
    }
    let server = Server::tls(authority.acceptor(&["api.test"], &[]), |_| {
        Answer::Keep(vec![])
    })
    .await;
    let client = tls_client(server.port, &authority.options([]));
    let result = client
        .exchange(get(&format!("https://127.0.0.1:{}/", server.port)))
        .await;
    assert_refused(&server, result, "is for another name");
}

#[tokio::test]
async fn a_certificate_out_of_its_time_is_refused() {
    let authority = Authority::new();
    let mut expired = params(&["api.test"]);
    expired.not_before = date_time_ymd(2020, 1, 1);
    expired.not_after = date_time_ymd(2021, 1, 1);
    let (server, result) =
        exchange(authority.acceptor_of(expired, &[]), &authority.options([])).await;
    assert_refused(&server, result, "has expired");

    let mut early = params(&["api.test"]);
    early.not_before = date_time_ymd(3000, 1, 1);
    early.not_after = date_time_ymd(3001, 1, 1);
    let (server, result) =
        exchange(authority.acceptor_of(early, &[]), &authority.options([])).await;
    assert_refused(&server, result, "is not valid yet");
}

#[tokio::test]
async fn a_certificate_of_nobody_is_refused() {
    let authority = Authority::new();
    let key = KeyPair::generate().unwrap();
    let certificate = params(&["api.test"]).self_signed(&key).unwrap();
    let (server, result) = exchange(acceptor(certificate, &key, &[]), &authority.options([])).await;
    assert_refused(&server, result, "nobody who is trusted");

    let stranger = Authority::new();
    let (server, result) = exchange(
        stranger.acceptor(&["api.test"], &[]),
        &authority.options([]),
    )
    .await;
    assert_refused(&server, result, "certificate");

    // Not even the machine's roots know this one.
    let (server, result) = exchange(authority.acceptor(&["api.test"], &[]), &options([])).await;
    assert_refused(&server, result, "");
}

#[tokio::test]
async fn a_server_that_speaks_no_tls_is_refused() {
    let authority = Authority::new();
    let server = answers(ok(&[], "")).await;
    // It waits for the end of a head; what it is sent is none.
    let options = Options {
        timeout: std::time::Duration::from_millis(250),
        ..authority.options([])
    };
    let url = format!("https://api.test:{}/", server.port);
    let silent = tls_client(server.port, &options);
    assert_eq!(code(silent.exchange(get(&url)).await), "timed_out");

    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        tokio::io::AsyncWriteExt::write_all(&mut stream, b"HTTP/1.1 400 Bad Request\r\n\r\n")
            .await
            .unwrap();
        std::future::pending::<()>().await;
    });
    let client = tls_client(port, &authority.options([]));
    assert_eq!(
        code(
            client
                .exchange(get(&format!("https://api.test:{port}/")))
                .await
        ),
        "tls"
    );
}

#[tokio::test]
async fn a_body_that_was_cut_off_is_not_whole() {
    // A body that ends with the connection, to which anybody on the way can put an end, but not TLS' own.
    let reply = b"HTTP/1.1 200 OK\r\n\r\npay 1000".to_vec();
    let authority = Authority::new();
    for is_whole in [true, false] {
        let reply = reply.clone();
        let server = Server::tls(
            authority.acceptor(&["api.test"], &[]),
            move |_| match is_whole {
                true => Answer::Close(reply.clone()),
                false => Answer::Abandon(reply.clone()),
            },
        )
        .await;
        let client = tls_client(server.port, &authority.options([]));
        let url = format!("https://api.test:{}/", server.port);
        match client.exchange(get(&url)).await {
            Ok(response) => assert!(is_whole && response.body == b"pay 1000"),
            error => assert_eq!((is_whole, code(error).as_str()), (false, "protocol")),
        }
    }
}

#[test]
fn roots_that_are_none_are_refused() {
    let key = KeyPair::generate().unwrap();
    let good = pem("CERTIFICATE", Authority::new().certificate.der());
    let broken = String::from_utf8(good.clone())
        .unwrap()
        .replacen("MII", "MI!", 1);
    for (pem, expected) in [
        (b"".to_vec(), RootsError::Empty),
        (b"hello".to_vec(), RootsError::Empty),
        (pem("PRIVATE KEY", key.serialized_der()), RootsError::Empty),
        (broken.into_bytes(), RootsError::Pem),
        (
            b"-----BEGIN CERTIFICATE-----\naGVsbG8=\n-----END CERTIFICATE-----\n".to_vec(),
            RootsError::Certificate,
        ),
    ] {
        let options = Options {
            extra_roots: vec![good.clone(), pem],
            ..options([])
        };
        let error = Client::new(
            oacp::capability::Grant::none(),
            Default::default(),
            &options,
        )
        .unwrap_err();
        let source = expected;
        assert_eq!(error, ClientError::ExtraRoots { number: 2, source });
    }
}
