//! The store of registered agents: what is read is what was agreed to, or an error.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

use std::fs;
use std::path::PathBuf;

use oacp::agent::{AgentCode, AgentDefinition, Check};
use oacp::capability::{Capabilities, GuestPath};
use oacp::digest::Digest;
use oacp::source::{Source, SourcePath};
use oacp::time::Timestamp;
use oacp_tool::agents::{AgentFiles, AgentRecord, Agents, AgentsError, StoredCode};
use oacp_tool::manifest::Limits;

fn dir(name: &str) -> PathBuf {
    let dir = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("agents-{name}"));
    let _ = fs::remove_dir_all(&dir);
    dir
}

/// An agent with a check, whose code says `text`.
fn agent(name: &str, text: &str) -> (AgentRecord, AgentFiles) {
    let path = |path: &str| path.parse::<SourcePath>().unwrap();
    let files = vec![
        (path("agent.py"), text.as_bytes().to_vec()),
        (path("oacp_check_1.py"), b"def run(a): ...\n".to_vec()),
    ];
    let hash = |entry: &str| Source::new(files.clone(), path(entry)).unwrap().hash();
    let definition = AgentDefinition {
        name: name.parse().unwrap(),
        version: None,
        description: String::new(),
        input_schema: None,
        output_schema: None,
        code: AgentCode::Source {
            sha256: hash("agent.py"),
            entry: path("agent.py"),
        },
        tools: [].into(),
        checks: vec![Check {
            name: "total".parse().unwrap(),
            sha256: hash("oacp_check_1.py"),
            entry: path("oacp_check_1.py"),
        }],
    };
    let record = AgentRecord {
        definition,
        manifest: "/q/agent.yaml".to_owned(),
        origin: None,
        capabilities: Capabilities::default(),
        limits: Limits::default(),
        level: None,
        working_directory: GuestPath::root(),
        added: Timestamp::from_unix_ms(0),
        code: StoredCode::default(),
    };
    let files = AgentFiles {
        component: None,
        files,
    };
    (record, files)
}

fn code_files(dir: &std::path::Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(dir.join("code")).unwrap();
    entries.map(|entry| entry.unwrap().path()).collect()
}

#[test]
fn what_was_added_is_there_and_gone_when_it_was_removed() {
    let dir = dir("kept");
    let store = Agents::open(&dir);
    let name = "quote".parse().unwrap();
    assert_eq!(store.get(&name).unwrap(), None);
    assert!(matches!(store.remove(&name), Err(AgentsError::Missing(_))));
    let (record, files) = agent("quote", "1");
    let written = store.add(record.clone(), &files).unwrap();
    assert_eq!(store.load(&name).unwrap(), Some((written, files.clone())));
    assert!(matches!(
        store.add(record, &files),
        Err(AgentsError::Exists(_))
    ));
    let (other, files) = agent("Quote", "1");
    assert!(matches!(
        store.add(other, &files),
        Err(AgentsError::Case { .. })
    ));

    let (record, files) = agent("quote", "2");
    store.replace(record, &files).unwrap();
    assert_eq!(store.load(&name).unwrap().unwrap().1, files);
    assert_eq!(code_files(&dir).len(), 1);
    assert_eq!(store.list().unwrap().len(), 1);
    store.remove(&name).unwrap();
    assert!(store.list().unwrap().is_empty() && code_files(&dir).is_empty());
}

#[test]
fn code_that_is_not_the_definitions_is_not_written() {
    let store = Agents::open(&dir("other"));
    let (record, _) = agent("quote", "1");
    let (_, files) = agent("quote", "2");
    assert!(matches!(
        store.add(record.clone(), &files),
        Err(AgentsError::Code)
    ));
    let component = AgentRecord {
        definition: AgentDefinition {
            code: AgentCode::Component {
                sha256: Digest::of(b"wasm"),
            },
            checks: vec![],
            ..record.definition
        },
        ..record
    };
    let files = |bytes: &[u8]| AgentFiles {
        component: Some(bytes.to_vec()),
        files: vec![],
    };
    let refused = store.add(component.clone(), &files(b"other"));
    assert!(matches!(refused, Err(AgentsError::Code)));
    let name = component.definition.name.clone();
    store.add(component, &files(b"wasm")).unwrap();
    assert_eq!(store.load(&name).unwrap().unwrap().1, files(b"wasm"));
}

#[test]
fn a_file_that_was_altered_is_not_believed() {
    let dir = dir("altered");
    let store = Agents::open(&dir);
    let (record, files) = agent("quote", "1");
    let name = record.definition.name.clone();
    store.add(record, &files).unwrap();
    let record_file = dir.join("agents/quote.json");
    for file in code_files(&dir).into_iter().chain([record_file.clone()]) {
        let bytes = fs::read(&file).unwrap();
        for at in [0, bytes.len() / 2, bytes.len() - 1] {
            let mut altered = bytes.clone();
            altered[at] ^= 1;
            fs::write(&file, altered).unwrap();
            assert!(store.load(&name).is_err(), "{} at {at}", file.display());
        }
        fs::write(&file, bytes).unwrap();
    }
    assert!(store.load(&name).unwrap().is_some());
    let text = fs::read_to_string(&record_file).unwrap();
    fs::write(&record_file, text.replace("oacp-agent/v1", "oacp-agent/v2")).unwrap();
    assert!(matches!(store.get(&name), Err(AgentsError::Version { .. })));
    fs::write(&record_file, "").unwrap();
    // What is damaged can be taken out.
    store.remove(&name).unwrap();
}
