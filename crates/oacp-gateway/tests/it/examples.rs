//! Every agent under `examples/` runs, gives what its `.output.json` says, and is confirmed when re-executed.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use oacp::outcome::Outcome;
use oacp::source::{Source, SourcePath};
use oacp_gateway::Agent;
use oacp_sandbox::Language;
use serde_json::Value;

use crate::fixture::{call, language, repository, see};

/// An example's files: the file itself, or everything below the directory.
fn files(path: &Path) -> BTreeMap<SourcePath, Vec<u8>> {
    fn walk(dir: &Path, prefix: &str, files: &mut BTreeMap<SourcePath, Vec<u8>>) {
        for entry in fs::read_dir(dir).unwrap() {
            let entry = entry.unwrap();
            let name = format!("{prefix}{}", entry.file_name().to_str().unwrap());
            if entry.file_type().unwrap().is_dir() {
                walk(&entry.path(), &format!("{name}/"), files);
            } else {
                files.insert(name.parse().unwrap(), fs::read(entry.path()).unwrap());
            }
        }
    }
    let mut found = BTreeMap::new();
    if path.is_dir() {
        walk(path, "", &mut found);
    } else {
        found.insert(
            path.file_name().unwrap().to_str().unwrap().parse().unwrap(),
            fs::read(path).unwrap(),
        );
    }
    found
}

fn agent(path: &Path, of: Language) -> Agent {
    let files = files(path);
    let entry = match files.len() {
        1 => files.keys().next().unwrap().clone(),
        _ => ["agent.py", "agent.js", "agent.mjs"]
            .into_iter()
            .map(|name| name.parse::<SourcePath>().unwrap())
            .find(|name| files.contains_key(name))
            .unwrap(),
    };
    Agent::Source {
        program: language(of),
        source: Arc::new(Source::new(files, entry).unwrap()),
    }
}

fn json(path: PathBuf) -> Option<Value> {
    let text = fs::read_to_string(&path).ok()?;
    Some(serde_json::from_str(&text).unwrap_or_else(|e| panic!("{}: {e}", path.display())))
}

/// Runs all of a directory's examples, and says which ones failed how.
fn all(of: Language, at_least: usize) {
    let dir = repository().join("examples").join(of.name());
    let mut paths: Vec<_> = fs::read_dir(&dir)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_none_or(|e| e != "json" && e != "md"))
        .collect();
    paths.sort();
    assert!(paths.len() >= at_least, "{} examples", paths.len());
    let mut wrong = Vec::new();
    for path in paths {
        let input = json(path.with_extension("input.json")).unwrap_or(Value::Null);
        let seen = see(call(agent(&path, of), input));
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        if seen.execution.outcome != Outcome::Ok {
            wrong.push(format!("{name}: {:?}", seen.execution.failure));
        } else if let Some(expected) = json(path.with_extension("output.json"))
            && expected != seen.output()
        {
            wrong.push(format!(
                "{name}: gave {}, expected {expected}",
                seen.output()
            ));
        }
        if !matches!(seen.replay, oacp::replay::ReplayVerdict::Confirmed { .. }) {
            wrong.push(format!("{name}: {:?}", seen.replay));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn python_examples_run_and_are_confirmed() {
    all(Language::Python, 20);
}

#[test]
fn javascript_examples_run_and_are_confirmed() {
    all(Language::JavaScript, 10);
}
