//! What ran, told in order.

use std::fmt::Write;

use oacp::capability::Denial;
use oacp::digest::Digest;
use oacp::event::{CallOutcome, Change, Event, Found, LogLevel, Written};
use oacp::recording::Content;
use oacp::refusal::Refusal;
use oacp::statement::{ExecutionStatement, Reexecutable};
use oacp::time::Timestamp;
use oacp::{Logged, Private, Proven, Verified};
use serde_json::{Value, json};

use super::Shown;
use crate::console::{BOLD, DIM, GREEN, RED, YELLOW};
use crate::escape::visible;
use crate::{measure, rights};

/// How much is shown where not all is asked for.
const EVENTS_SHOWN: usize = 20;
const CONTENT_CHARACTERS_SHOWN: usize = 100;

pub(super) fn tell(shown: &Shown, all: bool) -> String {
    let mut text = String::new();
    // Writing to a string does not fail.
    let _ = statement(&mut text, shown);
    match &shown.checked {
        Ok(verified) => {
            let _ = contents(&mut text, verified, all);
            let _ = events(&mut text, verified, all);
        }
        Err(_) => {
            let _ = writeln!(
                text,
                "\n{YELLOW}events and contents are shown of a verified bundle only{YELLOW:#}"
            );
        }
    }
    let private: Vec<String> = shown
        .bundle
        .private()
        .iter()
        .map(|private| name(*private))
        .collect();
    let _ = match private.is_empty() {
        true => writeln!(text, "\nprivate content: none"),
        false => writeln!(
            text,
            "\nprivate content: {}  {DIM}oacp show --redact OUT leaves it out{DIM:#}",
            private.join(", ")
        ),
    };
    text
}

fn statement(text: &mut String, shown: &Shown) -> std::fmt::Result {
    let ExecutionStatement {
        outcome,
        resources,
        grant,
        ..
    } = &shown.statement;
    let statement = &shown.statement;
    let style = if *outcome == oacp::Outcome::Ok {
        GREEN
    } else {
        RED
    };
    let entry = statement
        .agent_entry
        .as_ref()
        .map(|entry| format!("{}  ", visible(entry.as_str())))
        .unwrap_or_default();
    writeln!(
        text,
        "{BOLD}{}{BOLD:#}  {style}{outcome}{style:#}  {}",
        statement.execution_id, statement.timestamp
    )?;
    let mut field = |name: &str, value: String| writeln!(text, "  {DIM}{name:<10}{DIM:#} {value}");
    field("agent", format!("{entry}{}", statement.agent_hash))?;
    if let Some(validation) = &statement.validation {
        let steps: Vec<String> = validation
            .steps
            .iter()
            .map(|step| {
                format!(
                    "{step} {}",
                    if step.is_passed() { "passed" } else { "FAILED" }
                )
            })
            .collect();
        field(
            "held to",
            format!("{}  {}", validation.agent, validation.definition),
        )?;
        field("validated", visible(&steps.join(", ")).into_owned())?;
    }
    field("input", statement.input_hash.to_string())?;
    field("output", statement.output_hash.to_string())?;
    field("principal", statement.principal.to_string())?;
    field(
        "sandbox",
        format!("{}  number {}", statement.sandbox_id, statement.sequence),
    )?;
    field(
        "isolation",
        format!("{}  level {}", statement.isolation.kind, statement.level),
    )?;
    field(
        "runtime",
        format!(
            "{}  {}",
            statement.runtime.sha256.short(),
            visible(&statement.runtime.engine)
        ),
    )?;
    let rights = rights::lines(&grant.capabilities);
    for (number, right) in rights.iter().enumerate() {
        field(
            if number == 0 { "rights" } else { "" },
            visible(right).into_owned(),
        )?;
    }
    if rights.is_empty() {
        field("rights", "none".to_owned())?;
    }
    for (name, value) in [
        ("nonce", statement.nonce.as_ref().map(AsRef::as_ref)),
        ("audience", statement.audience.as_ref().map(AsRef::as_ref)),
    ] {
        if let Some(value) = value {
            field(name, str::to_owned(value))?;
        }
    }
    let mut used = vec![measure::duration(std::time::Duration::from_micros(
        resources.wall_us,
    ))];
    used.extend(
        resources
            .fuel
            .map(|fuel| format!("{} fuel", measure::count(fuel))),
    );
    used.push(format!(
        "{} of memory",
        measure::bytes(resources.memory_bytes_peak)
    ));
    used.push(measure::plural(
        statement.tool_calls.len() as u64,
        "tool call",
    ));
    field("used", used.join(" · "))?;
    match &statement.reexecutable {
        Reexecutable::Yes => field("again", reexecutable(shown).to_owned())?,
        Reexecutable::No { reason } => {
            field("again", format!("not re-executable: {}", visible(reason)))?;
        }
    }
    for (number, line) in log(shown).into_iter().enumerate() {
        field(if number == 0 { "log" } else { "" }, line)?;
    }
    Ok(())
}

/// Where it is in the log, and who has seen it there.
fn log(shown: &Shown) -> Vec<String> {
    let Some(origin) = &shown.statement.log else {
        return vec!["none".to_owned()];
    };
    let proofs = shown.bundle.proofs(Proven::Execution);
    let logged = shown
        .checked
        .as_ref()
        .ok()
        .and_then(|verified| verified.logged());
    let Some(logged) = logged else {
        let why = match proofs.len() {
            0 => "no proof in this bundle".to_owned(),
            count => format!(
                "{}, and nobody said whose to believe",
                measure::plural(count as u64, "proof")
            ),
        };
        return vec![format!("{origin}  {YELLOW}not checked{YELLOW:#}: {why}")];
    };
    let mut before = Vec::new();
    before.extend(
        logged
            .delegation_index()
            .map(|index| format!("its delegation at {index}")),
    );
    before.extend(
        logged
            .begin_index()
            .map(|index| format!("its begin at {index}")),
    );
    let before = match before.is_empty() {
        true => String::new(),
        false => format!(", {}", before.join(", ")),
    };
    let mut seen = vec![format!("checkpoint of {}", measure::entries(logged.size()))];
    if !logged.witnesses().is_empty() {
        seen.push(format!(
            "cosigned by {}",
            visible(&logged.witnesses().join(", "))
        ));
    }
    seen.extend(logged.witness_time().map(|time| format!("seen by {time}")));
    if proofs.len() > 1 {
        seen.push(format!(
            "{} newer",
            measure::plural(proofs.len() as u64 - 1, "proof")
        ));
    }
    vec![
        format!("{origin}  entry {}{before}", logged.index()),
        seen.join(" · "),
    ]
}

/// The statement says that the run can be repeated; by whom depends on what this copy holds.
fn reexecutable(shown: &Shown) -> &'static str {
    let needed = [
        Private::Events,
        Private::Input,
        Private::Output,
        Private::Source,
    ];
    if needed
        .iter()
        .all(|private| shown.bundle.private().contains(private))
    {
        "re-executable"
    } else {
        "re-executable, by whoever has the whole bundle: this copy withholds what it takes"
    }
}

fn contents(text: &mut String, verified: &Verified, all: bool) -> std::fmt::Result {
    for (name, bytes) in [("input", verified.input()), ("output", verified.output())] {
        if let Some(bytes) = bytes {
            writeln!(text, "\n{BOLD}{name}{BOLD:#}\n  {}", excerpt(bytes, all))?;
        }
    }
    if let Some(source) = verified.source() {
        writeln!(text, "\n{BOLD}source{BOLD:#}")?;
        for (path, content) in source.files() {
            writeln!(
                text,
                "  {}  {}",
                visible(path.as_str()),
                measure::bytes(content.len() as u64)
            )?;
        }
    }
    Ok(())
}

fn events(text: &mut String, verified: &Verified, all: bool) -> std::fmt::Result {
    let events: Vec<(u64, &Event)> = match (verified.events(), verified.disclosed()) {
        (Some(events), _) => (0..).zip(events).collect(),
        (None, Some(events)) => events
            .iter()
            .map(|(index, event)| (*index, event))
            .collect(),
        (None, None) => return Ok(()),
    };
    writeln!(text, "\n{BOLD}events{BOLD:#}")?;
    let shown = if all { events.len() } else { EVENTS_SHOWN };
    let mut next = 0;
    for (index, event) in events.iter().take(shown) {
        withheld(text, next, *index)?;
        next = index + 1;
        writeln!(
            text,
            "  {DIM}{index:>4}{DIM:#}  {}",
            line(event, verified, all)
        )?;
    }
    if events.len() <= shown
        && let Some(recording) = verified.statement().recording
    {
        withheld(text, next, recording.events)?;
    }
    if events.len() > shown {
        writeln!(
            text,
            "  {DIM}… {} more: --events{DIM:#}",
            events.len() - shown
        )?;
    }
    Ok(())
}

/// The events from `from` on, `to` left out, of which nothing is known but that they are there.
fn withheld(text: &mut String, from: u64, to: u64) -> std::fmt::Result {
    match to.saturating_sub(from) {
        0 => Ok(()),
        1 => writeln!(text, "  {DIM}{from:>4}  withheld{DIM:#}"),
        count => writeln!(
            text,
            "  {DIM}{from:>4}  and the next {}, withheld{DIM:#}",
            count - 1
        ),
    }
}

fn line(event: &Event, verified: &Verified, all: bool) -> String {
    let advance = |ns: &u64| {
        format!(
            "{DIM}+{}{DIM:#}",
            measure::duration(std::time::Duration::from_nanos(*ns))
        )
    };
    match event {
        Event::Start {
            seed,
            clock_start_ms,
            working_directory,
        } => {
            let clock = Timestamp::from_unix_ms(i64::try_from(*clock_start_ms).unwrap_or(i64::MAX));
            let seed = seed.to_string();
            let seed = if all {
                seed.as_str()
            } else {
                seed.get(..12).unwrap_or(&seed)
            };
            format!(
                "start       clock {clock}  seed {seed}{}  in {}",
                if all { "" } else { "…" },
                visible(working_directory.as_str())
            )
        }
        Event::ToolCall {
            call,
            tool,
            arguments,
        } => {
            format!(
                "call {call:<6} {BOLD}{}{BOLD:#} {}",
                visible(tool),
                content(arguments, verified, all)
            )
        }
        Event::Completion {
            call,
            outcome,
            result,
            clock_advance_ns,
        } => {
            let (style, word) = match outcome {
                CallOutcome::Ok => (GREEN, "ok"),
                CallOutcome::Error => (RED, "error"),
                CallOutcome::Denied => (YELLOW, "denied"),
            };
            format!(
                "done {call:<6} {style}{word}{style:#} {}  {}",
                content(result, verified, all),
                advance(clock_advance_ns)
            )
        }
        Event::Deadline {
            calls,
            clock_advance_ns,
        } => {
            format!(
                "deadline    while waiting for {}  {}",
                measure::plural(calls.len() as u64, "call"),
                advance(clock_advance_ns)
            )
        }
        Event::Log { level, message } => {
            let level = match level {
                LogLevel::Debug => "debug",
                LogLevel::Info => "info",
                LogLevel::Warning => "warning",
                LogLevel::Error => "error",
            };
            format!("log {level:<7} {}", excerpt(message.as_bytes(), all))
        }
        Event::Denial { call, denial } => {
            format!("{YELLOW}denial{YELLOW:#} {call:<4} {}", first_line(denial))
        }
        Event::Granted {
            call,
            denial,
            scope,
        } => format!(
            "{YELLOW}granted{YELLOW:#} {call:<3} {} {}  {DIM}somebody was asked, and said yes for this {}{DIM:#}",
            visible(&denial.capability),
            visible(&denial.asked),
            visible(scope)
        ),
        Event::HttpRequest {
            call,
            method,
            url,
            headers,
            body,
        } => {
            let mut line = format!(
                "http {call:<6} {BOLD}{} {}{BOLD:#}",
                visible(method),
                visible(url)
            );
            if all {
                line.push_str(&format!("  headers {}", content(headers, verified, all)));
            }
            if body.size > 0 {
                line.push_str(&format!("  body {}", content(body, verified, all)));
            }
            line
        }
        Event::FileOpened {
            path,
            content: bytes,
        } => format!(
            "read        {BOLD}{}{BOLD:#}  {}",
            visible(path.as_str()),
            content(bytes, verified, all)
        ),
        Event::FileStatus { path, found, size } => {
            let found = match found {
                Found::File => format!("a file, {}", measure::bytes(*size)),
                Found::Directory => "a directory".to_owned(),
                Found::Absent => "nothing there".to_owned(),
                Found::Special => "no regular file".to_owned(),
                Found::Outside => "a link to what is not granted".to_owned(),
                Found::Withheld => "OACP's own, withheld".to_owned(),
                Found::Unreadable => "unreadable".to_owned(),
            };
            format!("stat        {}  {found}", visible(path.as_str()))
        }
        Event::DirectoryListed { path, entries } => format!(
            "list        {}  {}",
            visible(path.as_str()),
            content(entries, verified, all)
        ),
        Event::Environment { variables } => {
            format!("environment {}", content(variables, verified, all))
        }
        Event::WriteBack {
            path,
            change,
            content: bytes,
            result,
            ..
        } => {
            let change = match change {
                Change::Created => "created",
                Change::Replaced => "replaced",
                Change::Removed => "removed",
                Change::DirectoryCreated => "directory created",
                Change::DirectoryRemoved => "directory removed",
            };
            let (style, result) = match result {
                Written::Done => (GREEN, "done"),
                Written::Conflict => (RED, "not written: somebody else had changed it"),
                Written::Failed => (RED, "not written: the system refused"),
                Written::NotDone => (RED, "not written, after another failed"),
            };
            let bytes = bytes
                .as_ref()
                .map(|bytes| format!("  {}", content(bytes, verified, all)))
                .unwrap_or_default();
            format!(
                "write       {BOLD}{}{BOLD:#}  {change}, {style}{result}{style:#}{bytes}",
                visible(path.as_str())
            )
        }
    }
}

fn first_line(denial: &Denial) -> String {
    // Its text escapes what a guest chose.
    let text = denial.to_string();
    text.lines().next().unwrap_or_default().to_owned()
}

fn content(content: &Content, verified: &Verified, all: bool) -> String {
    match verified.blob(&content.sha256) {
        Some(bytes) => excerpt(bytes, all),
        None => format!("{DIM}withheld, {}{DIM:#}", measure::bytes(content.size)),
    }
}

fn excerpt(bytes: &[u8], all: bool) -> String {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return format!(
            "{DIM}{} that are no text{DIM:#}",
            measure::bytes(bytes.len() as u64)
        );
    };
    match text.char_indices().nth(CONTENT_CHARACTERS_SHOWN) {
        Some((end, _)) if !all => format!(
            "{}{DIM}… {}{DIM:#}",
            visible(text.get(..end).unwrap_or_default()),
            measure::bytes(bytes.len() as u64)
        ),
        _ => visible(text).into_owned(),
    }
}

/// A kind of private content, by the name that the bundle has for it.
pub(crate) fn name(private: oacp::Private) -> String {
    match serde_json::to_value(private) {
        Ok(Value::String(name)) => name,
        _ => format!("{private:?}"),
    }
}

/// Everything as one JSON object. Contents are text where they are text; the bundle itself has the bytes.
pub(super) fn json(shown: &Shown) -> Value {
    let text =
        |bytes: Option<&[u8]>| bytes.map(|bytes| String::from_utf8_lossy(bytes).into_owned());
    let verified = shown.checked.as_ref().ok();
    json!({
        "verified": verified.is_some(),
        "not_verified": shown.checked.as_ref().err().map(Refusal::code),
        "node": verified.map(|verified| verified.node()),
        "statement": shown.statement,
        "sandbox_key": shown.sandbox_key,
        "private": shown.bundle.private(),
        "input": verified.and_then(|verified| text(verified.input())),
        "output": verified.and_then(|verified| text(verified.output())),
        "source": verified.and_then(|verified| verified.source()).map(files),
        "events": verified.and_then(|verified| verified.events()),
        "disclosed": verified.and_then(|verified| verified.disclosed()),
        "logged": verified.and_then(|verified| verified.logged()).map(logged),
        "proofs": Proven::ALL
            .into_iter()
            .map(|of| (of.to_string(), shown.bundle.proofs(of).len().into()))
            .collect::<serde_json::Map<_, Value>>(),
    })
}

fn logged(logged: &Logged) -> Value {
    json!({
        "log": logged.origin(),
        "index": logged.index(),
        "begin_index": logged.begin_index(),
        "delegation_index": logged.delegation_index(),
        "size": logged.size(),
        "witnesses": logged.witnesses(),
        "witness_time": logged.witness_time(),
    })
}

fn files(source: &oacp::Source) -> Value {
    source
        .files()
        .map(|(path, content)| (path.to_string(), json!(Digest::of(content))))
        .collect::<serde_json::Map<_, _>>()
        .into()
}
