//! `oacp show`: a bundle for people, and in the forms that other programs read.

mod disclose;
mod story;

pub(super) use story::name;

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use oacp::bundle::Bundle;
use oacp::delegation::Delegation;
use oacp::key::PublicKey;
use oacp::refusal::{Refusal, RefusalKind};
use oacp::statement::ExecutionStatement;
use oacp::trust::Trust;
use oacp::{Expectation, Proven, Verified};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::console::{Console, YELLOW};
use crate::failure::{Exit, Failure};
use crate::file::{Existing, Readers};
use crate::home::{self, Home};
use crate::{bundle_file, measure, trust};

#[derive(Args)]
#[command(group(clap::ArgGroup::new("written").args(["redact", "out"])))]
pub(crate) struct Arguments {
    /// The bundle, or - for standard input
    bundle: PathBuf,
    /// Whom to trust [default: this machine's own node]
    #[arg(long, value_name = "FILE")]
    trust: Option<PathBuf>,
    /// Show every event, with all of its contents
    #[arg(long)]
    events: bool,
    /// Print it in another form
    #[arg(long = "as", value_enum, value_name = "FORM")]
    form: Option<Form>,
    /// Print the sandbox's public key, in PEM, for verifiers of DSSE
    #[arg(long, conflicts_with = "form")]
    key: bool,
    /// Write a copy without private content
    #[arg(long, value_name = "OUT", conflicts_with_all = ["form", "key", "disclose"])]
    redact: Option<PathBuf>,
    /// Write a copy that shows these events, and of the others only that they are there: 3, 5-7
    #[arg(long, value_name = "EVENT", num_args = 1.., value_delimiter = ',', requires = "out", conflicts_with_all = ["form", "key"])]
    disclose: Vec<disclose::Events>,
    /// Where that copy is written
    #[arg(long, value_name = "FILE", requires = "disclose")]
    out: Option<PathBuf>,
    /// Replace the file if it is there already
    #[arg(long, requires = "written")]
    force: bool,
}

impl Arguments {
    /// For a person, by this machine's own trust.
    pub(super) fn of(bundle: PathBuf, events: bool) -> Self {
        Self {
            bundle,
            trust: None,
            events,
            form: None,
            key: false,
            redact: None,
            disclose: Vec::new(),
            out: None,
            force: false,
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Form {
    /// One JSON object, as with --json
    Json,
    /// The DSSE envelope
    Dsse,
    /// A Sigstore bundle, version 0.3
    Sigstore,
    /// The in-toto statement that was signed, byte for byte
    Statement,
}

/// A bundle, as far as it could be checked.
struct Shown {
    bundle: Bundle,
    statement: ExecutionStatement,
    sandbox_key: PublicKey,
    checked: Result<Box<Verified>, Refusal>,
}

pub(crate) fn show(arguments: &Arguments, home: &Home, console: &Console) -> Result<Exit, Failure> {
    let trusted = trust::load(arguments.trust.as_deref(), home)?;
    let bundle = bundle_file::read(&arguments.bundle)?;
    let trust = trusted.with(&bundle)?;
    let shown = check(bundle, &trust)?;
    if let Err(refusal) = &shown.checked {
        let why = bundle_file::foreign_here(refusal, trust.origin())
            .unwrap_or_else(|| refusal.to_string());
        console.say(&format!(
            "{YELLOW}not verified{YELLOW:#}: {why}; give --trust FILE"
        ));
    }
    let form = if console.json {
        Some(Form::Json)
    } else {
        arguments.form
    };
    let envelope = shown.bundle.envelope();
    let existing = if arguments.force {
        Existing::Replace
    } else {
        Existing::Keep
    };
    if let Some(out) = &arguments.redact {
        return redact(shown, out, existing, console);
    }
    if let Some(out) = &arguments.out {
        return disclose::disclose(&shown.bundle, &arguments.disclose, out, existing, console);
    }
    match form {
        _ if arguments.key => console.print(&shown.sandbox_key.to_pem())?,
        None => console.print(&story::tell(&shown, arguments.events))?,
        Some(Form::Json) => console.print_json(&story::json(&shown))?,
        Some(Form::Dsse) => console.print_bytes(&envelope.to_json())?,
        Some(Form::Statement) => console.print_exactly(envelope.unverified_payload())?,
        Some(Form::Sigstore) => console.print_json(&sigstore(&shown.bundle)?)?,
    }
    Ok(Exit::Yes)
}

/// Verifies as far as possible. A foreign node's key cannot be judged; that the sandbox's own signature holds is the least.
fn check(bundle: Bundle, trust: &Trust) -> Result<Shown, Failure> {
    match bundle.verify(trust, &Expectation::default(), bundle_file::now()) {
        Ok(verified) => Ok(Shown {
            statement: verified.statement().clone(),
            sandbox_key: verified.delegation().key,
            checked: Ok(Box::new(verified)),
            bundle,
        }),
        Err(refusal) if refusal.kind() == RefusalKind::CouldNotCheck => {
            let sandbox_key = unverified_delegation(&bundle)?.key;
            let payload = bundle
                .envelope()
                .verify(&sandbox_key)
                .map_err(|e| bundle_file::refused(Refusal::Envelope(e), trust.origin()))?;
            let statement = ExecutionStatement::parse(payload)
                .map_err(|e| bundle_file::refused(Refusal::Statement(e), trust.origin()))?;
            Ok(Shown {
                statement,
                sandbox_key,
                checked: Err(refusal),
                bundle,
            })
        }
        Err(refusal) => Err(bundle_file::refused(refusal, trust.origin())),
    }
}

/// What the delegation says, before anybody checked who signed it.
fn unverified_delegation(bundle: &Bundle) -> Result<Delegation, Failure> {
    #[derive(Deserialize)]
    struct Statement {
        predicate: Delegation,
    }
    let payload = bundle.delegation().unverified_payload();
    let statement: Statement = oacp::json::from_slice(payload, oacp::limits::STATEMENT)?;
    Ok(statement.predicate)
}

fn redact(
    shown: Shown,
    out: &std::path::Path,
    existing: Existing,
    console: &Console,
) -> Result<Exit, Failure> {
    let redacted = shown.bundle.redact();
    bundle_file::write(
        out,
        &redacted,
        existing,
        // A copy without private content is made to be given away.
        Readers::Anyone,
    )?;
    let size = std::fs::metadata(out)?.len();
    if console.json {
        console
            .print_json(&json!({ "bundle": out, "size": size, "private": redacted.private() }))?;
    } else {
        let text = format!(
            "wrote {} ({}): {}; it can be verified, and not run again",
            home::shown(out),
            measure::bytes(size),
            match redacted.proofs(Proven::Execution) {
                [] => "envelope and delegation only",
                _ => "envelope, delegation and log proofs only",
            }
        );
        console.print(&text)?;
    }
    Ok(Exit::Yes)
}

/// As `cosign` and `@sigstore/verify` read it, with the key given from outside.
fn sigstore(bundle: &Bundle) -> Result<Value, Failure> {
    let envelope: Value = serde_json::from_slice(&bundle.envelope().to_json())?;
    Ok(json!({
        "mediaType": "application/vnd.dev.sigstore.bundle.v0.3+json",
        "verificationMaterial": { "publicKey": { "hint": bundle.envelope().keyid() }, "tlogEntries": [] },
        "dsseEnvelope": envelope,
    }))
}
