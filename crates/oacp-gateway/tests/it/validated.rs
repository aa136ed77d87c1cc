//! Registered agents: held to their definition before and after the run, each verdict in the statement, each check an execution.

use std::sync::{Arc, Mutex};

use oacp::agent::{AgentCode, AgentDefinition, Check, Step};
use oacp::outcome::Outcome;
use oacp::recording::Recording;
use oacp::replay::{DivergedAt, ReplayVerdict, Replayed};
use oacp::source::Source;
use oacp::statement::Level;
use oacp::{Bundle, Envelope, PAYLOAD_TYPE, SecretKey, Verdict, Verified};
use oacp_egress::Options;
use oacp_gateway::{
    Agent, Call, RegisteredAgent, RegisteredAgentError, re_execute, re_execute_all,
};
use oacp_sandbox::Patience;
use serde_json::{Value, json};

use crate::fixture::{
    Seen, agent, call, capabilities, engine, languages, node, node_with, see_on, verify,
};

/// An agent that gives what it is told.
const SAYS: &str = "def run(input):\n    return input['says']\n";

/// A check that gives what it finds as `output["check"]`.
const CHECK: &str = "def run(a):\n    return eval(a['output']['check'])\n";

fn source(agent: &Agent) -> &Arc<Source> {
    match agent {
        Agent::Source { source, .. } => source,
        Agent::Component { .. } => unreachable!("these agents are Python"),
    }
}

/// Takes an object with `says`, gives one with `check`; and has these checks.
fn definition(agent: &Agent, checks: &[(&str, &Agent)]) -> AgentDefinition {
    AgentDefinition {
        name: "sayer".parse().unwrap(),
        version: None,
        description: "Says what it is told.".to_owned(),
        input_schema: Some(json!({"type": "object", "required": ["says"]})),
        output_schema: Some(json!({"type": "object", "required": ["check"]})),
        code: AgentCode::Source {
            sha256: source(agent).hash(),
            entry: source(agent).entry().clone(),
        },
        tools: [].into(),
        checks: checks
            .iter()
            .map(|(name, check)| Check {
                name: name.parse().unwrap(),
                sha256: source(check).hash(),
                entry: source(check).entry().clone(),
            })
            .collect(),
    }
}

fn held(definition: AgentDefinition, checks: Vec<Agent>) -> Arc<RegisteredAgent> {
    Arc::new(RegisteredAgent::new(definition, checks).unwrap())
}

/// A run of an agent that is held to a definition with one check.
fn saying(says: Value) -> Call {
    let (agent, check) = (agent("agent.py", SAYS), agent("check.py", CHECK));
    let definition = definition(&agent, &[("finds", &check)]);
    let mut call = call(agent, json!({ "says": says }));
    call.asked = capabilities(&[]);
    call.tools = oacp_sandbox::Tools::none();
    call.definition = Some(held(definition, vec![check]));
    call
}

fn seen(call: Call) -> Seen {
    see_on(node(), call)
}

fn steps(verified: &Verified) -> Vec<String> {
    let steps = verified
        .statement()
        .validation
        .as_ref()
        .unwrap()
        .steps
        .iter();
    steps
        .map(|step| format!("{step} {}", step.is_passed()))
        .collect()
}

fn replay_all(verified: &Verified) -> Replayed {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap();
    let (engine, languages) = (engine(), languages());
    let replayed = re_execute_all(verified, &engine, &languages, Patience::default(), &|_| {});
    runtime.block_on(replayed)
}

fn is_confirmed(replayed: &Replayed) -> bool {
    matches!(replayed.verdict, ReplayVerdict::Confirmed { .. })
        && replayed.children.iter().all(is_confirmed)
}

#[test]
fn a_run_that_follows_its_definition_says_so_and_its_checks_are_run_again() {
    let lines = Arc::new(Mutex::new(Vec::new()));
    let mut call = saying(json!({"check": "print(a['output']['check'][:5])"}));
    let told = Arc::clone(&lines);
    call.observer = Some(Arc::new(move |line| {
        told.lock().unwrap().push(line.message.to_owned());
    }));
    let seen = seen(call).confirmed();
    assert_eq!(seen.execution.outcome, Outcome::Ok);
    let verified = verify(&seen.execution.bundle.to_bytes());
    assert_eq!(
        steps(&verified),
        [
            "code true",
            "input true",
            "output true",
            "check `finds` true"
        ]
    );
    let [check] = verified.children() else {
        panic!("one child")
    };
    let statement = check.statement();
    assert_eq!(statement.parent, Some(verified.statement().execution_id));
    assert!(statement.grant.capabilities.is_empty());
    let judged = Check::input(verified.input().unwrap(), verified.output().unwrap());
    assert_eq!(check.input(), Some(judged.as_slice()));
    assert_eq!(*lines.lock().unwrap(), ["check finds: print"]);

    let replayed = replay_all(&verified);
    assert!(is_confirmed(&replayed), "{replayed:?}");
    let validation = verified.report_all(&replayed).validation.unwrap();
    let passes = |verdict: &Verdict| matches!(verdict, Verdict::Pass { .. });
    let passed: Vec<bool> = validation
        .steps
        .iter()
        .map(|step| passes(&step.verdict))
        .collect();
    assert_eq!(passed, [false, true, true, true]);
}

#[test]
fn what_a_check_gives_is_a_yes_only_if_it_is_true_or_nothing() {
    for (gives, problem) in [
        ("True", None),
        ("None", None),
        ("False", Some("the check `finds` failed: it says no")),
        ("'too much'", Some("the check `finds` failed: too much")),
        ("''", Some("the check `finds` failed: ")),
        (
            "1",
            Some(
                "the check `finds` failed: it gave something else than true, null, false or a text",
            ),
        ),
        (
            "1 // 0",
            Some("the check `finds` failed: ZeroDivisionError: "),
        ),
    ] {
        let seen = seen(saying(json!({ "check": gives }))).confirmed();
        let found = seen
            .execution
            .failure
            .as_ref()
            .map(|why| why.message.as_str());
        let starts = match (found, problem) {
            (Some(found), Some(problem)) => found.starts_with(problem),
            (found, problem) => found == problem,
        };
        assert!(starts, "{gives}: {found:?}");
        let outcome = problem.map_or(Outcome::Ok, |_| Outcome::CheckFailed);
        assert_eq!(seen.execution.outcome, outcome, "{gives}");
        // The run's own output is what it was, and follows.
        assert_eq!(seen.output(), json!({ "check": gives }));
        let verified = verify(&seen.execution.bundle.to_bytes());
        assert!(is_confirmed(&replay_all(&verified)), "{gives}");
    }
}

#[test]
fn a_check_has_no_right_and_ends_at_its_limits() {
    let denied = seen(saying(json!({"check": "open('/etc/passwd').read()"})));
    assert_eq!(denied.execution.outcome, Outcome::CheckFailed);
    assert!(
        denied.failure().message.contains("/etc/passwd"),
        "{}",
        denied.failure().message
    );
    let mut endless = saying(json!({"check": "sum(iter(int, 1))"}));
    endless.limits.fuel = 500_000_000;
    let endless = seen(endless);
    let [check] = endless.verified.children() else {
        panic!("one child")
    };
    assert_eq!(check.statement().outcome, Outcome::OutOfFuel);
    assert_eq!(endless.execution.outcome, Outcome::CheckFailed);
}

#[test]
fn an_output_that_is_not_by_its_schema_is_no_result_and_nothing_looks_at_it() {
    let seen = seen(saying(json!("nothing"))).confirmed();
    assert_eq!(seen.execution.outcome, Outcome::CheckFailed);
    assert_eq!(
        seen.failure().message,
        "the output is not what its schema says: expected an object, found \"nothing\""
    );
    assert_eq!(
        steps(&seen.verified),
        ["code true", "input true", "output false"]
    );
    assert!(seen.verified.children().is_empty());
}

#[test]
fn a_run_that_failed_by_itself_is_not_judged_after_it() {
    let seen = seen(saying(json!({"check": 1}))).confirmed();
    // The check fails, the run did not.
    assert_eq!(seen.execution.outcome, Outcome::CheckFailed);
    let mut call = saying(json!(0));
    let failing = agent("agent.py", "def run(input):\n    raise ValueError('no')\n");
    let definition = definition(&failing, &[]);
    call.agent = failing;
    call.definition = Some(held(definition, vec![]));
    let seen = crate::validated::seen(call).confirmed();
    assert_eq!(seen.execution.outcome, Outcome::GuestError);
    assert_eq!(steps(&seen.verified), ["code true", "input true"]);
}

/// Refused before it began, and attested all the same.
fn refused(call: Call) -> Seen {
    let seen = seen(call);
    assert_eq!(seen.execution.outcome, Outcome::Refused);
    assert_eq!(seen.execution.events, 1);
    let ReplayVerdict::Unverifiable { reason } = &seen.replay else {
        panic!("{:?}", seen.replay)
    };
    assert_eq!(reason, "nothing was run");
    assert_eq!(seen.output()["error"]["outcome"], "refused");
    seen
}

#[test]
fn an_input_that_is_not_by_its_schema_is_refused_before_the_run() {
    let mut call = saying(json!(0));
    call.input = r#"{"say": 1}"#.to_owned();
    let seen = refused(call);
    assert_eq!(steps(&seen.verified), ["code true", "input false"]);
    assert!(
        seen.failure()
            .message
            .starts_with("agent `sayer` does not take this input: "),
        "{}",
        seen.failure().message
    );
    // What a reader might understand in two ways is none.
    let mut call = saying(json!(0));
    call.input = r#"{"says": 1, "says": 2}"#.to_owned();
    refused(call);
}

#[test]
fn what_is_not_the_definitions_is_refused_before_the_run() {
    let mut other = saying(json!({"check": "True"}));
    other.agent = agent("agent.py", &format!("{SAYS}\n"));
    let seen = refused(other);
    assert_eq!(steps(&seen.verified), ["code false"]);
    assert_eq!(
        seen.failure().message,
        "the code of agent `sayer` is not accepted: it is not what was registered"
    );

    let importing = agent(
        "agent.py",
        "import tkinter\ndef run(input):\n    return input['says']\n",
    );
    let mut call = saying(json!({"check": "True"}));
    call.definition = Some(held(definition(&importing, &[]), vec![]));
    call.agent = importing;
    let message = refused(call).failure().message.clone();
    assert!(
        message.contains("`tkinter` cannot work (agent.py:1)"),
        "{message}"
    );

    let calling = agent(
        "agent.py",
        "import oacp\ndef run(input):\n    return oacp.tools.call('vat', net=1)\n",
    );
    let mut call = saying(json!({"check": "True"}));
    call.definition = Some(held(definition(&calling, &[]), vec![]));
    call.agent = calling.clone();
    let message = refused(call).failure().message.clone();
    assert!(
        message.ends_with("it calls the tool `vat`, which it does not have (agent.py:3)"),
        "{message}"
    );

    // It has the tool by its definition, and is not granted it.
    let mut having = definition(&calling, &[]);
    having.tools = [("vat".parse().unwrap(), oacp::Digest::of(b"vat"))].into();
    let mut call = saying(json!({"check": "True"}));
    call.definition = Some(held(having, vec![]));
    call.agent = calling;
    let message = refused(call).failure().message.clone();
    assert!(
        message.ends_with("it is not granted its tool `vat`"),
        "{message}"
    );
}

#[test]
fn a_statement_that_its_schema_contradicts_diverges() {
    let seen = seen(saying(json!({"check": "True"}))).confirmed();
    let (one, other) = (agent("agent.py", SAYS), agent("check.py", CHECK));
    let mut strict = definition(&one, &[("finds", &other)]);
    strict.output_schema = Some(json!({"type": "object", "required": ["other"]}));
    // A signer that names the stricter definition, and never judged by it.
    let sandbox = SecretKey::from_bytes(&[9; 32]);
    let mut delegation = seen.verified.delegation().clone();
    delegation.key = sandbox.public();
    let delegation = delegation.sign(&SecretKey::from_bytes(&[1; 32]));
    let mut statement = seen.verified.statement().clone();
    statement.previous = delegation.pae_digest();
    statement.validation.as_mut().unwrap().definition = strict.digest();
    let envelope = Envelope::sign(PAYLOAD_TYPE, statement.to_payload(), &sandbox);
    let recording = seen.verified.recording().unwrap();
    let events = recording.events().map(<[u8]>::to_vec);
    let lying = Bundle::new(envelope, delegation)
        .with_recording(Recording::from_events(recording.salt_key().clone(), events))
        .with_source(seen.verified.source().unwrap().clone())
        .with_input(seen.verified.input().unwrap())
        .with_output(seen.verified.output().unwrap())
        .with_agent(strict)
        .with_child(seen.execution.bundle.children()[0].clone());
    let verified = verify(&lying.to_bytes());
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap();
    let (engine, languages) = (engine(), languages());
    let replayed = re_execute(&verified, &engine, &languages, Patience::default(), &|_| {});
    let ReplayVerdict::Diverged {
        at,
        recorded,
        replayed,
    } = runtime.block_on(replayed)
    else {
        panic!("it was confirmed")
    };
    assert_eq!(at, DivergedAt::Validation);
    assert_eq!(recorded, "the output is accepted");
    assert!(replayed.contains("other"), "{replayed}");
}

#[test]
fn level_basic_keeps_the_verdicts_and_no_recording() {
    let mut call = saying(json!({"check": "True"}));
    call.level = Some(Level::Basic);
    let seen = see_on(&node_with(capabilities(&[]), Options::default()), call);
    assert_eq!(steps(&seen.verified).len(), 4);
    assert_eq!(seen.verified.children()[0].statement().level, Level::Basic);
    assert!(seen.verified.statement().recording.is_none());
}

#[test]
fn what_is_withheld_is_not_in_the_statement() {
    let seen = seen(saying(json!({"check": "'the secret is 4711'"})));
    assert!(seen.failure().message.contains("4711"));
    let redacted = seen.execution.bundle.clone().redact().to_bytes();
    let text = String::from_utf8(redacted.clone()).unwrap();
    assert!(!text.contains("4711") && !text.contains("Says what"));
    let payload = serde_json::to_string(verify(&redacted).statement()).unwrap();
    assert!(!payload.contains("4711"), "{payload}");
    let verified = verify(&redacted);
    assert!(verified.agent().is_none());
    assert!(matches!(
        verified
            .statement()
            .validation
            .as_ref()
            .unwrap()
            .steps
            .last(),
        Some(Step::Check { passed: false, .. })
    ));
}

#[test]
fn other_checks_than_the_definitions_are_no_registered_agent() {
    let (one, check) = (agent("agent.py", SAYS), agent("check.py", CHECK));
    let definition = definition(&one, &[("finds", &check)]);
    let refused = |checks: Vec<Agent>| RegisteredAgent::new(definition.clone(), checks).err();
    let expected = Some(RegisteredAgentError::Check("finds".to_owned()));
    assert_eq!(refused(vec![]), expected);
    assert_eq!(refused(vec![one]), expected);
    assert_eq!(refused(vec![check]), None);
}
