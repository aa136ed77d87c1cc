//! The way out: the function through which a run's HTTP requests go. What it is, is the embedder's to say; that it is asked only for what
//! is granted, is this crate's.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use oacp::http::{ExchangeError, Request, Response};

type Answer = Pin<Box<dyn Future<Output = Result<Response, ExchangeError>> + Send>>;

/// Performs one exchange. Addresses are its own to judge: here names and ports were.
#[derive(Clone)]
pub struct Egress(Arc<dyn Fn(Request) -> Answer + Send + Sync>);

impl Egress {
    /// From a function. It must bound what it takes in: time, head and body.
    pub fn new<F, A>(exchange: F) -> Self
    where
        F: Fn(Request) -> A + Send + Sync + 'static,
        A: Future<Output = Result<Response, ExchangeError>> + Send + 'static,
    {
        Self(Arc::new(move |request| Box::pin(exchange(request))))
    }

    pub(crate) fn exchange(&self, request: Request) -> Answer {
        (self.0)(request)
    }
}
