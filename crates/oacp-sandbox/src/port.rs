//! The completion port: calls that a guest starts, and the one place where their results come back.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use oacp::capability::Denial;
use oacp::event::{CallOutcome, Event};
use oacp::http::{ExchangeError, Request};
use tokio::task::JoinSet;
use wasmtime::StoreContextMut;
use wasmtime::component::Linker;

use crate::limits;
use crate::program::agent::oacp::agent as wit;
use crate::state::{State, charge};
use crate::tape::{Halt, Side};
use crate::tools::{self, ToolArguments, ToolFailure, ToolFailureCode};

/// The calls between their start and their delivery.
#[derive(Default)]
pub(crate) struct Port {
    next: u64,
    /// Started, not yet delivered.
    pending: BTreeSet<u64>,
    /// Complete, in the order of completion.
    ready: VecDeque<(u64, Answer)>,
    running: JoinSet<Answer>,
    running_ids: BTreeMap<tokio::task::Id, u64>,
    /// Bytes of all answers that were not delivered yet.
    held: Arc<AtomicUsize>,
    /// Calls that were denied.
    pub(crate) denied: BTreeSet<u64>,
}

pub(crate) enum Answer {
    Result(Vec<u8>),
    Failure { code: &'static str, message: String },
    Denial(Box<Denial>),
}

/// Words for [`Answer::Failure`] beside those of tools, which a replay reads back.
const FAILURE_CODES: [&str; 9] = [
    "limit",
    "unknown_tool",
    "bad_request",
    "resolve",
    "connect",
    "tls",
    "protocol",
    "timed_out",
    "unreachable",
];

/// What JSON can carry exactly: 2^53 − 1. A hundred days.
const CLOCK_ADVANCE_NS_MAX: u64 = (1 << 53) - 1;

/// What a guest says of an HTTP request.
pub(crate) struct Asked {
    pub(crate) method: String,
    pub(crate) url: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Port {
    /// Whether no call was started whose answer the guest has not taken.
    pub(crate) fn is_idle(&self) -> bool {
        self.pending.is_empty()
    }
}

impl State {
    /// A number for a call, or for a denial that is of no call.
    pub(crate) fn next_call(&mut self) -> wasmtime::Result<u64> {
        let call = self.port.next;
        if call >= limits::CALLS_MAX {
            self.halted(Err(Halt::Limit(format!(
                "the limit of {} calls is reached",
                limits::CALLS_MAX
            ))))?;
        }
        self.port.next += 1;
        Ok(call)
    }

    async fn start_tool(&mut self, tool: String, arguments: String) -> wasmtime::Result<u64> {
        let call = self.next_call()?;
        let answer = self.begin_tool(call, &tool, arguments).await?;
        Ok(self.begun(call, answer))
    }

    pub(crate) async fn start_http(&mut self, asked: Asked) -> wasmtime::Result<u64> {
        let call = self.next_call()?;
        let answer = self.begin_http(call, asked).await?;
        Ok(self.begun(call, answer))
    }

    fn begun(&mut self, call: u64, answer: Option<Answer>) -> u64 {
        self.port.pending.insert(call);
        if let Some(answer) = answer {
            self.port.ready.push_back((call, answer));
        }
        call
    }

    /// Records the call, judges it, and starts the tool. The answer is there at once if the tool need not run.
    async fn begin_tool(
        &mut self,
        call: u64,
        tool: &str,
        arguments: String,
    ) -> wasmtime::Result<Option<Answer>> {
        // What is too large to be recorded is recorded as absent, and refused.
        let too_large = arguments.len() > limits::ARGUMENT_BYTES_MAX;
        let recorded = if too_large { &[] } else { arguments.as_bytes() };
        let content = self.tape.content(recorded);
        let content = self.halted(content)?;
        self.event(&Event::ToolCall {
            call,
            tool: recordable(tool),
            arguments: content,
        })?;
        if too_large {
            return Ok(Some(Answer::limit(format!(
                "the arguments have {} bytes, the limit is {}",
                arguments.len(),
                limits::ARGUMENT_BYTES_MAX
            ))));
        }
        let unknown = || {
            Ok(Some(Answer::Failure {
                code: "unknown_tool",
                message: format!("there is no tool `{}`", tool.escape_debug()),
            }))
        };
        let Ok(name) = tool.parse() else {
            return unknown();
        };
        if let Err(denial) = self.grant.allows_tool(&name)
            && let Some(denial) = self.refuse(call, denial).await?
        {
            return Ok(Some(Answer::Denial(Box::new(denial))));
        }
        if let Some(full) = self.port.full() {
            return Ok(Some(full));
        }
        if let Side::Replay(_) = self.tape.side {
            return Ok(None);
        }
        let Some(tool) = self.tools.find(&name) else {
            return unknown();
        };
        let arguments = ToolArguments {
            call,
            text: arguments,
        };
        self.port.run(call, async {
            match tools::call(tool, arguments).await {
                Ok(result) => Answer::Result(result),
                Err(ToolFailure { code, message }) => Answer::Failure {
                    code: code.as_str(),
                    message,
                },
            }
        });
        Ok(None)
    }

    /// Records the request, judges it, and starts the exchange. Where nothing goes out, the answer is there at once.
    async fn begin_http(&mut self, call: u64, asked: Asked) -> wasmtime::Result<Option<Answer>> {
        let request = Request::new(&asked.method, &asked.url, &asked.headers, asked.body);
        // What is no request is recorded by its beginning only: it went nowhere.
        let (method, url, headers, body) = match &request {
            Ok(request) => (
                request.method().to_owned(),
                request.target().to_string(),
                request.headers_to_bytes(),
                request.body(),
            ),
            Err(_) => (
                recordable(&asked.method).chars().take(32).collect(),
                beginning(&asked.url, limits::URL_RECORDED_BYTES_MAX),
                b"[]".to_vec(),
                [].as_slice(),
            ),
        };
        let headers = self.tape.content(&headers);
        let headers = self.halted(headers)?;
        let body = self.tape.content(body);
        let body = self.halted(body)?;
        self.event(&Event::HttpRequest {
            call,
            method,
            url,
            headers,
            body,
        })?;
        let request = match request {
            Ok(request) => request,
            Err(error) => {
                let asked = beginning(&asked.url, limits::URL_RECORDED_BYTES_MAX);
                let Some(denial) = error.denial(&asked) else {
                    return Ok(Some(Answer::Failure {
                        code: "bad_request",
                        message: error.to_string(),
                    }));
                };
                self.deny(call, &denial)?;
                return Ok(Some(Answer::Denial(Box::new(denial))));
            }
        };
        if let Err(denial) = self.grant.allows_target(request.target())
            && let Some(denial) = self.refuse(call, denial).await?
        {
            return Ok(Some(Answer::Denial(Box::new(denial))));
        }
        if let Some(full) = self.port.full() {
            return Ok(Some(full));
        }
        if let Side::Replay(_) = self.tape.side {
            return Ok(None);
        }
        let Some(egress) = self.egress.clone() else {
            return Ok(Some(Answer::Failure {
                code: "unreachable",
                message: "this run was begun without a network".to_owned(),
            }));
        };
        self.port.run(call, async move {
            match egress.exchange(request).await {
                Ok(response) => Answer::Result(response.to_bytes()),
                Err(ExchangeError::Denied(denial)) => Answer::Denial(denial),
                Err(ExchangeError::Failed { code, message }) => Answer::Failure {
                    code: FAILURE_CODES
                        .into_iter()
                        .find(|known| *known == code)
                        .unwrap_or("protocol"),
                    message,
                },
            }
        });
        Ok(None)
    }

    /// The next completion of one of `calls`, or none when `deadline` passes. The only place where outside order enters.
    pub(crate) async fn wait(
        &mut self,
        calls: Vec<u64>,
        deadline: Option<u64>,
    ) -> wasmtime::Result<Option<(u64, Answer)>> {
        if let Some(unknown) = calls.iter().find(|call| !self.port.pending.contains(call)) {
            return Err(wasmtime::Error::msg(format!(
                "the guest waits for call {unknown}, which is not pending"
            )));
        }
        if calls.iter().collect::<BTreeSet<_>>().len() < calls.len() {
            return Err(wasmtime::Error::msg(
                "the guest waits for the same call twice",
            ));
        }
        // Each waiting may be recorded, with all that was waited for.
        let counted = self.tape.waits(calls.len());
        self.halted(counted)?;
        if calls.is_empty() {
            let Some(deadline) = deadline else {
                return Err(wasmtime::Error::msg(
                    "the guest waits for nothing, for ever",
                ));
            };
            self.clock.sleep_until(deadline).await;
            return Ok(None);
        }
        let delivered = match self.tape.side {
            Side::Record(_) => self.wait_outside(&calls, deadline).await?,
            Side::Replay(_) => self.wait_recorded(&calls)?,
        };
        if let Some((call, _)) = &delivered {
            self.port.pending.remove(call);
        }
        Ok(delivered)
    }

    async fn wait_outside(
        &mut self,
        calls: &[u64],
        deadline: Option<u64>,
    ) -> wasmtime::Result<Option<(u64, Answer)>> {
        let begun = Instant::now();
        let left = deadline.map(|deadline| deadline.saturating_sub(self.clock.monotonic()));
        let next = self.port.next_of(calls);
        let delivered = match left {
            None => Some(next.await),
            Some(left) => tokio::time::timeout(Duration::from_nanos(left), next)
                .await
                .ok(),
        };
        let elapsed = u64::try_from(begun.elapsed().as_nanos()).unwrap_or(u64::MAX);
        match delivered {
            Some((call, mut answer)) => {
                if !self.tape.fits(answer.bytes()) {
                    answer = Answer::limit(format!(
                        "the limit of {} recorded bytes is reached",
                        limits::RECORDING_BYTES_MAX
                    ));
                }
                // What was found out outside: an address that is not granted, a secret that came back.
                if let Answer::Denial(denial) = &answer
                    && !self.port.denied.contains(&call)
                {
                    self.deny(call, denial)?;
                }
                // A completion that is delivered came before the deadline, on the guest's clock too.
                let clock_advance_ns = elapsed
                    .min(left.unwrap_or(u64::MAX))
                    .min(CLOCK_ADVANCE_NS_MAX);
                let (outcome, contents) = answer.record();
                let event = |result| Event::Completion {
                    call,
                    outcome,
                    result,
                    clock_advance_ns,
                };
                let recorded = self.tape.write(&contents, event);
                self.halted(recorded)?;
                self.clock.advance(clock_advance_ns);
                Ok(Some((call, answer)))
            }
            None => {
                let clock_advance_ns = left.unwrap_or(0).min(CLOCK_ADVANCE_NS_MAX);
                self.event(&Event::Deadline {
                    calls: calls.to_vec(),
                    clock_advance_ns,
                })?;
                self.clock.advance(clock_advance_ns);
                Ok(None)
            }
        }
    }

    fn wait_recorded(&mut self, calls: &[u64]) -> wasmtime::Result<Option<(u64, Answer)>> {
        // What only the outside could deny is taken from the recording, as its answers are.
        if let Some(Event::Denial { call, denial }) = self.tape.peek()
            && calls.contains(&call)
            && denial.is_from_outside()
            && !self.port.denied.contains(&call)
        {
            self.deny(call, &denial)?;
            self.port
                .ready
                .push_back((call, Answer::Denial(Box::new(denial))));
        }
        let waiting = format!("the guest waits for calls {calls:?}");
        let read = self.tape.read(&waiting, |event| {
            matches!(event, Event::Completion { .. } | Event::Deadline { .. })
        });
        let (event, contents) = self.halted(read)?;
        let delivered = match &event {
            Event::Completion {
                call,
                outcome,
                clock_advance_ns,
                ..
            } if calls.contains(call) => {
                self.clock.advance(*clock_advance_ns);
                let answer = match outcome {
                    CallOutcome::Ok => Some(Answer::Result(contents.to_vec())),
                    CallOutcome::Error => Answer::parse_failure(&contents),
                    // A denial is never taken from its completion: it was judged, or came as an event of its own.
                    CallOutcome::Denied => self.port.take_denial(*call),
                };
                answer.map(|answer| Some((*call, answer)))
            }
            Event::Deadline {
                calls: recorded,
                clock_advance_ns,
            } if recorded == calls => {
                self.clock.advance(*clock_advance_ns);
                Some(None)
            }
            _ => None,
        };
        let delivered = delivered.ok_or_else(|| self.tape.diverged_before(&event, waiting));
        self.halted(delivered)
    }
}

/// A tool's name as the recording gives it: what no name may contain is a `?` there, so that each call takes little room.
fn recordable(tool: &str) -> String {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "_.-".contains(c);
    tool.chars()
        .take(128)
        .map(|c| if allowed(c) { c } else { '?' })
        .collect()
}

fn beginning(text: &str, bytes_max: usize) -> String {
    text.get(..text.floor_char_boundary(bytes_max))
        .unwrap_or_default()
        .to_owned()
}

impl Port {
    fn full(&self) -> Option<Answer> {
        (self.pending.len() >= limits::CALLS_PENDING_MAX).then(|| {
            Answer::limit(format!(
                "{} calls are pending, which is the limit",
                limits::CALLS_PENDING_MAX
            ))
        })
    }

    /// Works on a call beside the guest. What it answers is held until the guest asks for it: in all, no more than a recording takes.
    fn run(&mut self, call: u64, work: impl Future<Output = Answer> + Send + 'static) {
        let held = self.held.clone();
        let task = self.running.spawn(async move {
            let answer = work.await;
            let bytes = answer.bytes();
            if held.fetch_add(bytes, Ordering::Relaxed) + bytes <= limits::RECORDING_BYTES_MAX {
                return answer;
            }
            held.fetch_sub(bytes, Ordering::Relaxed);
            Answer::limit(format!(
                "answers that nothing waited for have {} bytes, which is the limit",
                limits::RECORDING_BYTES_MAX
            ))
        });
        self.running_ids.insert(task.id(), call);
    }

    fn take_denial(&mut self, call: u64) -> Option<Answer> {
        let denied =
            |(id, answer): &(u64, Answer)| *id == call && matches!(answer, Answer::Denial(_));
        let at = self.ready.iter().position(denied)?;
        self.ready.remove(at).map(|(_, answer)| answer)
    }

    async fn next_of(&mut self, calls: &[u64]) -> (u64, Answer) {
        loop {
            if let Some(at) = self.ready.iter().position(|(call, _)| calls.contains(call))
                && let Some(found) = self.ready.remove(at)
            {
                let bytes = found.1.bytes();
                let less = |held: usize| Some(held.saturating_sub(bytes));
                let _ = self
                    .held
                    .fetch_update(Ordering::Relaxed, Ordering::Relaxed, less);
                return found;
            }
            let (id, answer) = match self.running.join_next_with_id().await {
                Some(Ok((id, answer))) => (id, answer),
                Some(Err(e)) => (
                    e.id(),
                    Answer::Failure {
                        code: "tool_error",
                        message: "the tool panicked".to_owned(),
                    },
                ),
                // Every pending call is ready or running, so this is not reached.
                None => std::future::pending().await,
            };
            if let Some(call) = self.running_ids.remove(&id) {
                self.ready.push_back((call, answer));
            }
        }
    }
}

impl Answer {
    fn limit(message: String) -> Self {
        Self::Failure {
            code: "limit",
            message,
        }
    }

    /// How an answer stands in the recording.
    fn record(&self) -> (CallOutcome, Vec<u8>) {
        match self {
            Self::Result(bytes) => (CallOutcome::Ok, bytes.clone()),
            Self::Failure { code, message } => {
                let failure = serde_json::json!({ "code": code, "message": message });
                (CallOutcome::Error, failure.to_string().into_bytes())
            }
            Self::Denial(denial) => (CallOutcome::Denied, detail(denial).into_bytes()),
        }
    }

    fn parse_failure(bytes: &[u8]) -> Option<Self> {
        let value: serde_json::Value = serde_json::from_slice(bytes).ok()?;
        let message = value.get("message")?.as_str()?.to_owned();
        let of_tools = ToolFailureCode::ALL.map(ToolFailureCode::as_str);
        let code = FAILURE_CODES
            .into_iter()
            .chain(of_tools)
            .find(|code| value.get("code").is_some_and(|c| c == code))?;
        Some(Self::Failure { code, message })
    }

    pub(crate) fn bytes(&self) -> usize {
        match self {
            Self::Result(bytes) => bytes.len(),
            Self::Failure { message, .. } => message.len(),
            Self::Denial(_) => 0,
        }
    }

    fn into_outcome(self) -> Result<Vec<u8>, wit::types::Failure> {
        match self {
            Self::Result(bytes) => Ok(bytes),
            Self::Failure { code, message } => Err(failure(code, message)),
            Self::Denial(denial) => Err(denied(&denial)),
        }
    }
}

/// A failure as guests get it.
pub(crate) fn failure(code: &str, message: impl Into<String>) -> wit::types::Failure {
    wit::types::Failure {
        code: code.to_owned(),
        message: message.into(),
        detail: None,
    }
}

/// A denial as guests get it.
pub(crate) fn denied(denial: &Denial) -> wit::types::Failure {
    wit::types::Failure {
        code: "denied".to_owned(),
        message: denial
            .to_string()
            .lines()
            .next()
            .unwrap_or_default()
            .to_owned(),
        detail: Some(detail(denial)),
    }
}

pub(crate) fn detail(denial: &Denial) -> String {
    oacp::json::canonicalize(denial)
        .ok()
        .and_then(|bytes| String::from_utf8(bytes).ok())
        .unwrap_or_default()
}

pub(crate) fn link(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    linker.instance("oacp:agent/tools@0.1.0")?.func_wrap_async(
        "start",
        |mut store: StoreContextMut<'_, State>, (name, arguments): (String, String)| {
            Box::new(async move {
                charge(&mut store, name.len() + arguments.len()).await?;
                Ok((store.data_mut().start_tool(name, arguments).await?,))
            })
        },
    )?;
    linker.instance("oacp:agent/http@0.1.0")?.func_wrap_async(
        "start",
        |mut store: StoreContextMut<'_, State>, (request,): (wit::http::Request,)| {
            Box::new(async move {
                let wit::http::Request {
                    method,
                    url,
                    headers,
                    body,
                } = request;
                let heads: usize = headers.iter().map(|(n, v)| n.len() + v.len()).sum();
                charge(&mut store, method.len() + url.len() + heads + body.len()).await?;
                let asked = Asked {
                    method,
                    url,
                    headers,
                    body,
                };
                Ok((store.data_mut().start_http(asked).await?,))
            })
        },
    )?;
    linker.instance("oacp:agent/port@0.1.0")?.func_wrap_async(
        "wait",
        |mut store: StoreContextMut<'_, State>, (calls, deadline): (Vec<u64>, Option<u64>)| {
            Box::new(async move {
                charge(&mut store, 8 * calls.len()).await?;
                let Some((call, answer)) = store.data_mut().wait(calls, deadline).await? else {
                    return Ok((None,));
                };
                charge(&mut store, answer.bytes()).await?;
                Ok((Some(wit::port::Completion {
                    call,
                    outcome: answer.into_outcome(),
                }),))
            })
        },
    )
}
