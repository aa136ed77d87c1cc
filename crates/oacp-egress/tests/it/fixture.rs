//! Servers that follow a script, and clients with a grant for them.

use std::collections::BTreeMap;
use std::io;
use std::net::IpAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use oacp::capability::{Capabilities, Grant};
use oacp::http::{ExchangeError, Request, Response};
use oacp_egress::{Client, Options, Resolver, SecretValue};
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio_rustls::TlsAcceptor;

/// What a server received.
#[derive(Clone, Debug)]
pub struct Received {
    /// The request line and the headers, without the empty line.
    pub head: String,
    pub body: Vec<u8>,
    /// Which request of all connections this is, from 1.
    pub number: usize,
}

impl Received {
    pub fn line(&self) -> &str {
        self.head.lines().next().unwrap()
    }

    /// All values of a header.
    pub fn header(&self, name: &str) -> Vec<&str> {
        let fields = self.head.lines().skip(1);
        fields
            .filter_map(|field| field.split_once(": "))
            .filter(|(field, _)| *field == name)
            .map(|(_, value)| value)
            .collect()
    }
}

/// What a server does about a request.
pub enum Answer {
    /// These bytes, and then the next request.
    Keep(Vec<u8>),
    /// These bytes, and then the end of the connection.
    Close(Vec<u8>),
    /// These bytes, and then the end without a farewell.
    Abandon(Vec<u8>),
    /// These bytes, and then nothing for ever.
    Silence(Vec<u8>),
    /// The first bytes once, the second without end.
    Endless(Vec<u8>, Vec<u8>),
    /// These bytes one by one, with this much time between.
    Drip(Vec<u8>, Duration),
}

#[derive(Clone)]
pub struct Server {
    pub port: u16,
    seen: Arc<Seen>,
}

#[derive(Default)]
struct Seen {
    connections: AtomicUsize,
    requests: Mutex<Vec<Received>>,
    closed: Notify,
}

impl Server {
    pub async fn new(answer: impl Fn(&Received) -> Answer + Clone + Send + 'static) -> Self {
        Self::start(None, answer).await
    }

    pub async fn tls(
        acceptor: TlsAcceptor,
        answer: impl Fn(&Received) -> Answer + Clone + Send + 'static,
    ) -> Self {
        Self::start(Some(acceptor), answer).await
    }

    async fn start(
        acceptor: Option<TlsAcceptor>,
        answer: impl Fn(&Received) -> Answer + Clone + Send + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let server = Self {
            port: listener.local_addr().unwrap().port(),
            seen: Arc::default(),
        };
        let seen = Arc::clone(&server.seen);
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                seen.connections.fetch_add(1, Ordering::SeqCst);
                let (seen, answer, acceptor) =
                    (Arc::clone(&seen), answer.clone(), acceptor.clone());
                tokio::spawn(async move {
                    let _ = match acceptor {
                        None => serve(stream, &seen, answer).await,
                        Some(acceptor) => match acceptor.accept(stream).await {
                            Ok(stream) => serve(stream, &seen, answer).await,
                            Err(e) => Err(e),
                        },
                    };
                    seen.closed.notify_one();
                });
            }
        });
        server
    }

    /// One that is another's to play, at this port.
    pub fn at(port: u16) -> Self {
        Self {
            port,
            seen: Arc::default(),
        }
    }

    pub fn connections(&self) -> usize {
        self.seen.connections.load(Ordering::SeqCst)
    }

    pub fn requests(&self) -> Vec<Received> {
        self.seen.requests.lock().unwrap().clone()
    }

    /// The only request.
    pub fn request(&self) -> Received {
        let requests = self.requests();
        assert_eq!(requests.len(), 1, "{requests:?}");
        requests.into_iter().next().unwrap()
    }

    /// Waits until a connection has been closed.
    pub async fn closed(&self) {
        self.seen.closed.notified().await;
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    /// A client that may reach this server by its address.
    pub fn client(&self) -> Client {
        self.client_with(&options([]))
    }

    pub fn client_with(&self, options: &Options) -> Client {
        client(
            json!({"network": {"allowlist": [
                {"host": format!("127.0.0.1:{}", self.port), "private": true},
                {"host": format!("api.test:{}", self.port), "private": true},
            ]}}),
            &[],
            options,
        )
    }

    /// What becomes of a GET for `/`.
    pub async fn get(&self) -> Result<Response, ExchangeError> {
        let result = self.client().exchange(get(&self.url("/"))).await;
        if let Ok(response) = &result {
            // Whatever comes through can be recorded and read again.
            assert_eq!(Response::parse(&response.to_bytes()).as_ref(), Ok(response));
        }
        result
    }
}

async fn serve<S>(
    mut stream: S,
    seen: &Seen,
    answer: impl Fn(&Received) -> Answer,
) -> io::Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    loop {
        let mut received = read_request(&mut stream).await?;
        {
            let mut requests = seen.requests.lock().unwrap();
            received.number = requests.len() + 1;
            requests.push(received.clone());
        }
        match answer(&received) {
            Answer::Keep(bytes) => {
                stream.write_all(&bytes).await?;
                stream.flush().await?;
            }
            Answer::Close(bytes) => {
                stream.write_all(&bytes).await?;
                return stream.shutdown().await;
            }
            Answer::Abandon(bytes) => {
                stream.write_all(&bytes).await?;
                return stream.flush().await;
            }
            Answer::Silence(bytes) => {
                stream.write_all(&bytes).await?;
                stream.flush().await?;
                return std::future::pending().await;
            }
            Answer::Endless(first, then) => {
                stream.write_all(&first).await?;
                loop {
                    stream.write_all(&then).await?;
                }
            }
            Answer::Drip(bytes, pause) => {
                for byte in bytes {
                    stream.write_all(&[byte]).await?;
                    tokio::time::sleep(pause).await;
                }
            }
        }
    }
}

async fn read_request(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<Received> {
    let mut head = vec![];
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await?);
    }
    head.truncate(head.len() - 4);
    let mut received = Received {
        head: head.into_iter().map(char::from).collect(),
        body: vec![],
        number: 0,
    };
    if let [length] = received.header("content-length")[..] {
        received.body = vec![0; length.parse().unwrap()];
        stream.read_exact(&mut received.body).await?;
    }
    Ok(received)
}

/// A reply with a body, framed by its length.
pub fn ok(headers: &[(&str, &str)], body: impl AsRef<[u8]>) -> Vec<u8> {
    let mut reply = "HTTP/1.1 200 OK\r\n".to_owned();
    for (name, value) in headers {
        reply += &format!("{name}: {value}\r\n");
    }
    reply += &format!("content-length: {}\r\n\r\n", body.as_ref().len());
    [reply.as_bytes(), body.as_ref()].concat()
}

/// A server that always answers so.
pub async fn answers(reply: impl AsRef<[u8]>) -> Server {
    let reply = reply.as_ref().to_vec();
    Server::new(move |_| Answer::Close(reply.clone())).await
}

pub fn client(capabilities: Value, secrets: &[(&str, &str)], options: &Options) -> Client {
    let wanted: Capabilities = serde_json::from_value(capabilities).unwrap();
    let secrets: BTreeMap<_, _> = secrets
        .iter()
        .map(|(name, value)| {
            let value = SecretValue::new(value.as_bytes().to_vec()).unwrap();
            (name.parse().unwrap(), value)
        })
        .collect();
    Client::new(Grant::attenuate(&wanted, &wanted), secrets, options).unwrap()
}

/// `api.test` is this machine, and so is `localhost`; nothing else has an address but what is given here.
pub fn options<const N: usize>(names: [(&str, &str); N]) -> Options {
    let mut known: BTreeMap<String, Vec<IpAddr>> = BTreeMap::new();
    for name in ["api.test", "localhost"] {
        known.insert(name.to_owned(), vec!["127.0.0.1".parse().unwrap()]);
    }
    for (name, addresses) in names {
        let addresses = addresses.split(' ').map(|address| address.parse().unwrap());
        known.insert(name.to_owned(), addresses.collect());
    }
    Options {
        resolver: Resolver::new(move |name| {
            let found = known.get(&name).cloned();
            async move { found.ok_or_else(|| io::Error::other("no such name")) }
        }),
        ..Options::default()
    }
}

pub fn get(url: &str) -> Request {
    request("GET", url, &[], "")
}

pub fn request(method: &str, url: &str, headers: &[(&str, &str)], body: &str) -> Request {
    let headers: Vec<_> = headers
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    Request::new(method, url, &headers, body.as_bytes().to_vec()).unwrap()
}

/// The code of a failure or a denial.
pub fn code(result: Result<Response, ExchangeError>) -> String {
    match result {
        Ok(response) => panic!("there is a response, with status {}", response.status),
        Err(ExchangeError::Failed { code, .. }) => code.to_owned(),
        Err(ExchangeError::Denied(denial)) => denial.code.to_string(),
    }
}

/// The value of a response's only header of that name.
pub fn header<'a>(response: &'a Response, name: &str) -> Option<&'a str> {
    let mut values = response.headers.iter().filter(|(other, _)| other == name);
    let value = values.next().map(|(_, value)| value.as_str());
    assert!(values.next().is_none(), "several headers `{name}`");
    value
}
