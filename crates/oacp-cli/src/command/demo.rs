//! `oacp demo`: a run, a denial, an entry in a log, a verification, and two forgeries that are refused. Every step is checked; one that is not as
//! it should be ends the demo with an error.

mod forgery;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use clap::Args;
use oacp::capability::{Capabilities, GuestPath};
use oacp::id::ToolName;
use oacp::key::SecretKey;
use oacp::outcome::Outcome;
use oacp::replay::ReplayVerdict;
use oacp::source::Source;
use oacp::trust::Trust;
use oacp::{Expectation, Verified};
use oacp_gateway::{Bound, Call, Execution, Node, NodeOptions, execute};
use oacp_sandbox::{Cancel, Language, Limits, ToolError, Tools};
use serde_json::{Value, json};

use super::{replay, report, run};
use crate::agent::Given;
use crate::console::{BOLD, CYAN, Console, DIM, GREEN, RED};
use crate::escape::visible_lines;
use crate::failure::{Exit, Failure, Judge};
use crate::file::{Existing, Readers};
use crate::home::{Home, shown};
use crate::registry::{self, Asked, Directory, Place, Urgency};
use crate::{bundle_file, file, measure, node_key, runtime, started, trust};

const AGENT: &str = include_str!("demo/agent.py");
const INPUT: &str = r#"{"city": "Bergen"}"#;

#[derive(Args)]
pub(crate) struct Arguments {
    /// Keep the demo's bundle in this directory [default: a temporary one]
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

pub(crate) fn demo(arguments: &Arguments, home: &Home, console: &Console) -> Result<Exit, Failure> {
    let dir = match &arguments.dir {
        Some(dir) => std::path::absolute(dir)?,
        // A name that nobody on this machine could have taken before.
        None => {
            let mut random = [0; 8];
            getrandom::fill(&mut random).map_err(std::io::Error::from)?;
            std::env::temp_dir().join(format!("oacp-demo-{:016x}", u64::from_le_bytes(random)))
        }
    };
    file::create_private_dir(&dir)?;
    let key = node_key::load_or_make(home, console)?;
    // A log of the demo's own: what is played does not belong into this machine's.
    let log = Directory::new(dir.join("log"));
    log.init(None, home)?;
    let policy = log.policy()?;
    let trust_file = dir.join("trust.yaml");
    let text = trust::file_for(trust::THIS_MACHINE, &key.public(), policy.as_ref())?;
    file::write_whole(
        &trust_file,
        text.as_bytes(),
        Existing::Replace,
        Readers::Anyone,
    )?;
    let trust = trust::read(&trust_file)?;
    // The same key: it signs the lie below.
    let dishonest = node_key::load_or_make(home, console)?;
    let source = Source::single("agent.py".parse()?, AGENT.as_bytes().to_vec())?;
    let stage = Stage {
        home,
        console,
        trust,
        log,
    };

    stage.heading("An agent from a stranger")?;
    fs::write(dir.join("agent.py"), AGENT)?;
    let code = AGENT.split("\n\n\n").nth(1).unwrap_or(AGENT);
    stage.text(&format!(
        "{DIM}{}{DIM:#}\n\nagent.py, {}",
        visible_lines(code.trim_end(), ""),
        source.hash()
    ))?;

    stage.heading("It runs in a sandbox: no files, no network, one tool granted of two")?;
    let (execution, logged) = stage.run(key, source)?;
    let bundle = dir.join("run.json");
    bundle_file::write(
        &bundle,
        &execution.bundle,
        Existing::Replace,
        Readers::Owner,
    )?;
    stage.text(&format!(
        "its input  {INPUT}\nits result {GREEN}{}{GREEN:#}",
        String::from_utf8_lossy(&execution.output)
    ))?;
    stage.text(&format!(
        "bundle     {}, {}",
        shown(&bundle),
        measure::bytes(fs::metadata(&bundle)?.len())
    ))?;

    stage.heading("It is logged: whoever keeps the proof can tell if the log is ever changed")?;
    stage.text(&logged)?;

    stage.heading("Whoever has the bundle checks it, and runs it again")?;
    let verified = stage.verified(&bundle)?;
    let verdict = replay::re_execute(&verified, home, console)?.verdict;
    expect(
        matches!(verdict, ReplayVerdict::Confirmed { .. }),
        "the replay is confirmed",
    )?;
    expect(verified.logged().is_some(), "the proof of logging holds")?;
    stage.text(&report::verdicts(&verified.report(&verdict)))?;

    stage.heading("Somebody changes one byte of what the tool answered")?;
    let tampered = dir.join("tampered.json");
    file::write_whole(
        &tampered,
        &forgery::with_another_answer(&verified, &fs::read(&bundle)?)?,
        Existing::Replace,
        Readers::Owner,
    )?;
    stage.refused(&tampered)?;

    stage.heading("The node itself lies, and signs another result")?;
    let forged = forgery::signed_by_the_node(&verified, &dishonest)?;
    bundle_file::write(
        &dir.join("forged.json"),
        &forged,
        Existing::Replace,
        Readers::Owner,
    )?;
    stage.diverges(&dir.join("forged.json"))?;

    stage.end(&dir, &trust_file)
}

/// Where the demo plays.
struct Stage<'a> {
    home: &'a Home,
    console: &'a Console,
    trust: Trust,
    log: Directory,
}

impl Stage<'_> {
    /// The execution, and what became of it in the log.
    fn run(&self, key: SecretKey, source: Source) -> Result<(Execution, String), Failure> {
        let engine = runtime::engine(self.home)?;
        let languages = runtime::languages(self.home);
        let agent = runtime::load(
            Given::Source {
                language: Language::Python,
                source,
            },
            &engine,
            &languages,
            self.console,
        )?;
        let weather: ToolName = "weather".parse()?;
        let capabilities = Capabilities {
            tools: [weather.clone()].into(),
            ..Capabilities::default()
        };
        let paid = Arc::new(AtomicBool::new(false));
        let call = Call {
            agent,
            definition: None,
            input: INPUT.to_owned(),
            asked: capabilities.clone(),
            tools: tools(weather, &paid)?,
            bound: Bound::none(),
            working_directory: GuestPath::root(),
            environment: BTreeMap::new(),
            secrets: BTreeMap::new(),
            ask: None,
            limits: Limits::default(),
            level: None,
            nonce: None,
            audience: None,
            seed: None,
            clock_start: None,
            principal: run::principal()?,
            observer: Some(Arc::new(run::log_to(*self.console))),
            cancel: Cancel::default(),
        };
        let executor = runtime::executor()?;
        let asked = Asked {
            place: Some(Place::Directory(self.log.dir().to_owned())),
            ..Asked::default()
        };
        let egress = oacp_egress::Options::default();
        let log = {
            let _entered = executor.enter();
            let (public, urgency) = (key.public(), Urgency::Now);
            registry::open(&asked, self.home, public, &egress, urgency, self.console)?
        };
        let node = Node::new(NodeOptions {
            key,
            engine,
            languages,
            allowed: capabilities,
            egress,
            state_dir: None,
            withheld: Vec::new(),
            log: log.as_ref().map(|log| log.logging.clone()),
        });
        let sandbox = node.spawn(None)?;
        let execution = executor.block_on(execute(&node, &sandbox, call))?;
        executor.block_on(sandbox.close(&node))?;
        expect(execution.outcome == Outcome::Ok, "the agent gives a result")?;
        expect(
            execution.denials.len() == 1 && !paid.load(Ordering::Relaxed),
            "the transfer is denied",
        )?;
        let told = run::Told::of(&execution, log.as_ref());
        let line = told.line(&self.log.dir().with_file_name("run.json"));
        expect(line.is_some(), "the run is logged")?;
        Ok((execution, line.unwrap_or_default()))
    }

    fn verified(&self, bundle: &Path) -> Result<Verified, Failure> {
        bundle_file::verify_by(
            &bundle_file::read(bundle)?,
            &self.trust,
            &Expectation::default(),
        )
    }

    /// The bundle must be refused; says why it is.
    fn refused(&self, bundle: &Path) -> Result<(), Failure> {
        match self.verified(bundle) {
            Ok(_) => expect(false, "the altered bundle is refused"),
            Err(failure) => self.text(&format!("{RED}refused{RED:#}: {}", failure.message())),
        }
    }

    /// The signature holds, and running it again shows the lie.
    fn diverges(&self, bundle: &Path) -> Result<(), Failure> {
        let verified = self.verified(bundle)?;
        let verdict = replay::re_execute(&verified, self.home, self.console)?.verdict;
        self.text(&format!(
            "{GREEN}signature valid{GREEN:#}: it is the node's own\n{}",
            replay::text(&verdict)
        ))?;
        expect(
            matches!(verdict, ReplayVerdict::Diverged { .. }),
            "the replay diverges",
        )
    }

    fn heading(&self, text: &str) -> Result<(), Failure> {
        self.text(&format!("\n{BOLD}{text}{BOLD:#}"))
    }

    fn text(&self, text: &str) -> Result<(), Failure> {
        if !self.console.json {
            let indent = if text.starts_with('\n') { "" } else { "  " };
            let lines: String = text
                .lines()
                .map(|line| {
                    if line.is_empty() {
                        "\n".to_owned()
                    } else {
                        format!("{indent}{line}\n")
                    }
                })
                .collect();
            self.console.print(&lines)?;
        }
        Ok(())
    }

    fn end(&self, dir: &Path, trust: &Path) -> Result<Exit, Failure> {
        if self.console.json {
            self.console
                .print_json(&json!({ "ok": true, "dir": dir }))?;
            return Ok(Exit::Yes);
        }
        let bundle = shown(&dir.join("run.json"));
        let trust = shown(trust);
        let oacp = started::name();
        let next = [
            (format!("{oacp} show {bundle}"), "what happened, in order"),
            (
                format!("{oacp} verify {bundle} --trust {trust}"),
                "the whole report, with what nobody checked",
            ),
            (format!("{oacp} init my-agent"), "an agent of your own"),
        ];
        let lines: String = next
            .iter()
            .map(|(command, what)| format!("  {CYAN}{command}{CYAN:#}  {DIM}{what}{DIM:#}\n"))
            .collect();
        self.console
            .print(&format!("\n{BOLD}next:{BOLD:#}\n{lines}"))?;
        Ok(Exit::Yes)
    }
}

/// Two tools. That the second exists does not grant it.
fn tools(weather: ToolName, paid: &Arc<AtomicBool>) -> Result<Tools, Failure> {
    let paid = Arc::clone(paid);
    let report = |_: Value| async { Ok::<_, ToolError>(json!({ "celsius": 9, "sky": "rain" })) };
    let transfer = move |_: Value| {
        paid.store(true, Ordering::Relaxed);
        async { Ok(json!({ "done": true })) }
    };
    Ok(Tools::none()
        .with(weather, report)
        .with("transfer_funds".parse()?, transfer))
}

fn expect(holds: bool, what: &str) -> Result<(), Failure> {
    if holds {
        Ok(())
    } else {
        Err(Failure::unable(format!(
            "the demo went wrong: expected that {what}"
        )))
    }
    .or_hint(|| "this is a fault of the program, please report it".to_owned())
}
