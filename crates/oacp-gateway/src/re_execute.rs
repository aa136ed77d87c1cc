//! From a verified bundle to its re-execution.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use oacp::Verified;
use oacp::capability::Grant;
use oacp::digest::Digest;
use oacp::outcome::Outcome;
use oacp::replay::{DivergedAt, ReplayVerdict, Replayed};
use oacp::statement::Reexecutable;
use oacp_sandbox::{
    Claim, Engine, FUEL_MODEL, Languages, Limits, Patience, Program, Progress,
    execution_configuration,
};

use crate::validation::judged_again;

/// Runs a verified bundle's agent again and compares: *confirmed*, *diverged at event k*, or *unverifiable* with the reason.
///
/// The signature is not asked for anything here: the verdict follows from the code, the recorded inputs and the engine.
/// `engine` should be made for this alone.
pub async fn re_execute(
    verified: &Verified,
    engine: &Engine,
    languages: &Languages,
    patience: Patience,
    progress: &dyn Fn(Progress),
) -> ReplayVerdict {
    let calls_before = verified
        .statement()
        .instance
        .map_or(0, |instance| instance.calls_before);
    if calls_before > 0 {
        return ReplayVerdict::Unverifiable {
            reason: format!(
                "its instance had {calls_before} calls before, which are not in the bundle"
            ),
        };
    }
    match claim(verified, engine, languages, progress) {
        Ok(claim) => validated(
            verified,
            oacp_sandbox::replay(engine, claim, patience).await,
        ),
        Err(reason) => ReplayVerdict::Unverifiable { reason },
    }
}

/// The verdict of a replay; if that confirmed the run, once what the statement says of the definition's schemas was judged again.
fn validated(verified: &Verified, verdict: ReplayVerdict) -> ReplayVerdict {
    let validation = &verified.statement().validation;
    let (Some(definition), Some(validation)) = (verified.agent(), validation) else {
        return verdict;
    };
    let ReplayVerdict::Confirmed { .. } = verdict else {
        return verdict;
    };
    let (input, output) = (verified.input(), verified.output());
    let (input, output) = (input.unwrap_or_default(), output.unwrap_or_default());
    match judged_again(definition, validation, input, output) {
        Ok(None) => verdict,
        Ok(Some((recorded, replayed))) => ReplayVerdict::Diverged {
            at: DivergedAt::Validation,
            recorded,
            replayed,
        },
        Err(reason) => ReplayVerdict::Unverifiable { reason },
    }
}

/// [`re_execute`] of the bundle and of every execution that it called and whose bundle it holds. Each is tried, whatever came of the others;
/// but of the calls of one instance, which remembers, none says anything after one that was not confirmed.
pub async fn re_execute_all(
    verified: &Verified,
    engine: &Engine,
    languages: &Languages,
    patience: Patience,
    progress: &dyn Fn(Progress),
) -> Replayed {
    let mut all = Vec::new();
    collect(verified, &mut all);
    let mut verdicts: Vec<Option<ReplayVerdict>> = all.iter().map(|_| None).collect();
    let begun = Instant::now();
    for calls in instances(&all) {
        let mut patience = patience.clone();
        // One bundle has one, however many executions are in it.
        patience.timeout = patience.timeout.saturating_sub(begun.elapsed());
        let mut claims = Vec::with_capacity(calls.len());
        let mut lacking = None;
        for execution in calls.iter().filter_map(|index| all.get(*index)) {
            match claim(execution, engine, languages, progress) {
                Ok(claim) => claims.push(claim),
                Err(reason) => {
                    lacking = Some(reason);
                    break;
                }
            }
        }
        let replayed = oacp_sandbox::replay_calls(engine, claims, patience.clone()).await;
        let mut replayed = replayed.into_iter();
        for index in calls {
            let verdict = replayed.next().unwrap_or_else(|| {
                let before = || "a call before it, of the same instance, cannot be made again";
                let reason = lacking.take().unwrap_or_else(|| before().to_owned());
                ReplayVerdict::Unverifiable { reason }
            });
            if let (Some(place), Some(execution)) = (verdicts.get_mut(index), all.get(index)) {
                *place = Some(validated(execution, verdict));
            }
        }
    }
    let mut unnamed = Vec::new();
    withheld(verified, false, &mut unnamed);
    let reason = "the definition that names its code is not in the bundle";
    for (verdict, _) in verdicts
        .iter_mut()
        .zip(unnamed)
        .filter(|(_, unnamed)| *unnamed)
    {
        *verdict = Some(ReplayVerdict::Unverifiable {
            reason: reason.to_owned(),
        });
    }
    let mut verdicts = verdicts.into_iter().map(|verdict| {
        verdict.unwrap_or_else(|| ReplayVerdict::Unverifiable {
            reason: "the calls that its instance had before are not in the bundle, or not of the same code"
                .to_owned(),
        })
    });
    tree(verified, &mut verdicts)
}

/// An execution, and then those that it called.
fn collect<'a>(verified: &'a Verified, all: &mut Vec<&'a Verified>) {
    all.push(verified);
    for child in verified.children() {
        collect(child, all);
    }
}

/// In the same order, of each whether its bundle lacks what says which code should have run: then what it ran is anybody's guess.
fn withheld(verified: &Verified, is_unnamed: bool, all: &mut Vec<bool>) {
    all.push(is_unnamed);
    let statement = verified.statement();
    for child in verified.children() {
        let id = Some(child.statement().execution_id);
        let is_named = match statement.tool_calls.iter().find(|call| call.child == id) {
            Some(call) => verified
                .tools()
                .iter()
                .any(|tool| tool.name.as_str() == call.tool),
            None => verified.agent().is_some(),
        };
        withheld(child, !is_named, all);
    }
}

/// In the same order.
fn tree(verified: &Verified, verdicts: &mut impl Iterator<Item = ReplayVerdict>) -> Replayed {
    let missing = || ReplayVerdict::Unverifiable {
        reason: "it was not run again".to_owned(),
    };
    Replayed {
        verdict: verdicts.next().unwrap_or_else(missing),
        children: verified
            .children()
            .iter()
            .map(|child| tree(child, verdicts))
            .collect(),
    }
}

/// The calls of each instance, in their order from its first on. A call whose predecessors are not all there is in none; so is a second one that
/// claims to follow the same call, and one of other code: nothing but the tools of one package share an instance.
fn instances(all: &[&Verified]) -> Vec<Vec<usize>> {
    let mut following = BTreeMap::new();
    let mut first = Vec::new();
    for (index, execution) in all.iter().enumerate() {
        let claim = execution.statement().instance.as_ref();
        match claim.and_then(|claim| claim.previous) {
            None => first.push(index),
            Some(previous) => {
                following.entry(previous).or_insert(index);
            }
        }
    }
    let calls = first.into_iter().filter_map(|first| {
        let mut calls = vec![first];
        let first_of = all.get(first)?;
        let mut last = Some(first_of);
        while let Some(next) = last.and_then(|last| {
            let last = last.statement();
            let next = following.get(&last.execution_id).copied()?;
            let execution = all.get(next)?;
            let claim = execution.statement().instance?;
            if !is_of_one_package(first_of, execution) {
                return None;
            }
            let before = last.instance.map(|claim| claim.calls_before)?;
            (claim.calls_before == before + 1).then_some(next)
        }) {
            calls.push(next);
            last = all.get(next);
        }
        Some(calls)
    });
    calls.collect()
}

/// Whether two executions ran the same files or the same component, for the same principal, on the same runtime.
fn is_of_one_package(one: &Verified, other: &Verified) -> bool {
    let is_same_code = match (one.source(), other.source()) {
        (Some(one), Some(other)) => one.files().eq(other.files()),
        (None, None) => one.statement().agent_hash == other.statement().agent_hash,
        _ => false,
    };
    let (one, other) = (one.statement(), other.statement());
    is_same_code && one.runtime.sha256 == other.runtime.sha256 && one.principal == other.principal
}

fn claim(
    verified: &Verified,
    engine: &Engine,
    languages: &Languages,
    progress: &dyn Fn(Progress),
) -> Result<Claim, String> {
    let statement = verified.statement();
    if let Reexecutable::No { reason } = &statement.reexecutable {
        return Err(reason.clone());
    }
    let withheld = |what: &str| format!("the bundle withholds the {what}");
    let recording = verified.recording().ok_or_else(|| withheld("recording"))?;
    let input = verified.input().ok_or_else(|| withheld("input"))?;
    let output = verified.output().ok_or_else(|| withheld("output"))?;
    let program = program(verified, engine, languages, progress)?;
    let source = match (program.is_language(), verified.source()) {
        (true, None) => return Err(withheld("agent's source")),
        (_, source) => source.cloned().map(Arc::new),
    };
    let capabilities = &statement.grant.capabilities;
    Ok(Claim {
        program,
        source,
        export: statement.export.clone(),
        input: String::from_utf8(input.to_vec()).map_err(|_| "the input is not text".to_owned())?,
        // What was granted is a claim of the statement; granting exactly that again is the identity.
        grant: Grant::attenuate(capabilities, capabilities),
        limits: limits(verified)?,
        events: recording.events().map(<[u8]>::to_vec).collect(),
        blobs: recording.blobs().clone(),
        // The run itself ended well; what was said of its output is judged elsewhere.
        outcome: match statement.outcome {
            Outcome::CheckFailed => Outcome::Ok,
            outcome => outcome,
        },
        output: output.to_vec(),
        fuel: statement.resources.fuel,
        engine: statement.runtime.engine.clone(),
    })
}

/// The limits of the run. Anything else in the configuration must be as it is here.
fn limits(verified: &Verified) -> Result<Limits, String> {
    let runtime = &verified.statement().runtime;
    if runtime.fuel_model != FUEL_MODEL {
        return Err(format!(
            "the fuel model is `{}`, this verifier knows `{FUEL_MODEL}`",
            runtime.fuel_model
        ));
    }
    if !runtime.layers.is_empty() {
        return Err("the runtime has layers, which this verifier does not know".to_owned());
    }
    let number = |name: &str| {
        let text = runtime
            .config
            .get(name)
            .ok_or_else(|| format!("the configuration lacks `{name}`"))?;
        text.parse::<u64>()
            .map_err(|_| format!("the configuration's `{name}` is not a number"))
    };
    let limits = Limits {
        fuel: number("fuel_max")?,
        memory_bytes_max: usize::try_from(number("memory_bytes_max")?).unwrap_or(usize::MAX),
        ..Limits::default()
    };
    if execution_configuration(&limits) == runtime.config {
        Ok(limits)
    } else {
        Err("the run's configuration is one that this verifier cannot reproduce".to_owned())
    }
}

fn program(
    verified: &Verified,
    engine: &Engine,
    languages: &Languages,
    progress: &dyn Fn(Progress),
) -> Result<Program, String> {
    let digest: Digest = verified.statement().runtime.sha256;
    let chain = |error: &dyn std::error::Error| {
        let mut text = error.to_string();
        let mut source = error.source();
        while let Some(cause) = source {
            text = format!("{text}: {cause}");
            source = cause.source();
        }
        text
    };
    match verified.component() {
        Some(wasm) => engine
            .load(digest, || Ok(wasm.to_vec()), progress)
            .map_err(|e| chain(&e)),
        // A runtime that only the bundle vouches for could be made to give any output: it is the verifier's to add.
        None => languages
            .load(engine, digest, progress)
            .map_err(|e| chain(&e)),
    }
}
