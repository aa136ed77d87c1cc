//! What people write of tools and agents.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

use oacp_tool::manifest::*;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

fn read<T: DeserializeOwned>(value: Value) -> Result<T, String> {
    serde_json::from_value(value).map_err(|error| error.to_string())
}

#[test]
fn every_key_of_a_tool_is_read() {
    let tool: ToolFile = read(json!({
        "name": "weather",
        "version": "1.2.0",
        "description": "Forecasts.",
        "source": {"url": "https://example.org/weather.py", "sha256": "sha256:00"},
        "entry": "weather.py",
        "capabilities": {
            "file_read": ["./data/"], "file_write": ["./out/*.csv"],
            "network": {"allowlist": ["api.example.com", {"host": "10.0.0.1:80", "private": true}], "denylist": ["10.0.0.0/8"]},
            "env": ["LANG"], "secrets": ["KEY"], "tools": ["search"],
        },
        "limits": {"memory_mb": 64, "cpu_quota_ms": 1000, "timeout_ms": 5000, "result_bytes": 65536, "concurrency": 4},
        "instance": "per_run",
    }))
    .unwrap();
    assert_eq!(
        tool.source.unwrap().place(),
        Ok(Place::Url("https://example.org/weather.py"))
    );
    assert_eq!(
        tool.capabilities.network.allowlist[1],
        HostEntry {
            host: "10.0.0.1:80".to_owned(),
            private: true
        }
    );
    assert_eq!(tool.capabilities.tools, ["search"]);
    assert_eq!(
        (tool.limits.concurrency, tool.limits.check()),
        (Some(4), Ok(()))
    );
    assert_eq!(tool.instance, Instance::PerRun);

    let least: ToolFile = read(json!({"name": "weather"})).unwrap();
    assert_eq!(
        (least.capabilities, least.instance),
        (Capabilities::default(), Instance::PerCall)
    );

    let tools: Tools = read(json!({
        "weather": {"source": "./weather.py", "capabilities": {"network": ["api.example.com"]}},
        "image": {"source": {"oci": "registry.example/image:1"}, "instance": "kept"},
    }))
    .unwrap();
    assert_eq!(
        tools["weather"].source.place(),
        Ok(Place::Reference("./weather.py"))
    );
    assert_eq!(
        tools["image"].source.place(),
        Ok(Place::Oci("registry.example/image:1"))
    );
}

#[test]
fn what_is_not_known_is_refused() {
    for (value, expected) in [
        (
            json!({"name": "a", "capabilites": {}}),
            "unknown field `capabilites`",
        ),
        (
            json!({"name": "a", "capabilities": {"net": []}}),
            "unknown field `net`",
        ),
        (
            json!({"name": "a", "capabilities": {"network": {"allow": []}}}),
            "unknown field `allow`",
        ),
        (
            json!({"name": "a", "capabilities": {"network": "x"}}),
            "a list of hosts",
        ),
        (
            json!({"name": "a", "limits": {"memory": 1}}),
            "unknown field `memory`",
        ),
        (
            json!({"name": "a", "limits": {"memory_mb": -1}}),
            "expected u64",
        ),
        (
            json!({"name": "a", "instance": "forever"}),
            "unknown variant `forever`",
        ),
        (
            json!({"name": "a", "source": {}}),
            "`source` has exactly one of",
        ),
        (
            json!({"name": "a", "source": {"path": "a", "url": "b"}}),
            "`source` has exactly one of",
        ),
        (
            json!({"name": "a", "source": {"git": "a"}}),
            "unknown field `git`",
        ),
        (json!({"version": "1"}), "missing field `name`"),
    ] {
        let found = read::<ToolFile>(value.clone()).unwrap_err();
        assert!(found.contains(expected), "{value}: {found}");
    }
    assert!(
        read::<ToolBlock>(json!({"source": "a", "name": "b"}))
            .unwrap_err()
            .contains("unknown field `name`")
    );
    assert!(
        read::<ToolBlock>(json!({}))
            .unwrap_err()
            .contains("missing field `source`")
    );
    let limits: Limits = read(json!({"timeout_ms": 0})).unwrap();
    assert_eq!(
        limits.check().unwrap_err().to_string(),
        "`limits.timeout_ms` is 0, expected 1 to 3600000"
    );
}

#[test]
fn every_key_of_an_agent_is_read() {
    let agent: AgentFile = read(json!({
        "name": "reporter",
        "version": "0.1",
        "entry": "report.py",
        "description": "Writes reports.",
        "input_schema": {"type": "object", "properties": {"path": {"type": "string"}}},
        "output_schema": {"path": "output.schema.json"},
        "tools": ["weather.forecast", "search"],
        "capabilities": {"file_read": ["/data/"]},
        "limits": {"memory_mb": 128},
        "level": "full",
        "checks": [{"name": "no names", "file": "checks.py", "function": "no_names"}],
    }))
    .unwrap();
    assert!(matches!(agent.input_schema, Some(SchemaText::Inline(_))));
    assert_eq!(
        agent.output_schema,
        Some(SchemaText::Path("output.schema.json".to_owned()))
    );
    assert_eq!((agent.tools.len(), agent.level), (2, Some(LevelName::Full)));
    assert_eq!(agent.checks[0].function, "no_names");
    let least: AgentFile = read(json!({"name": "a", "entry": "a.py"})).unwrap();
    assert_eq!((least.input_schema, least.checks.len()), (None, 0));
    assert!(read::<AgentFile>(json!({"name": "a", "entry": "a.py", "tool": []})).is_err());
    assert!(
        read::<AgentFile>(json!({"name": "a", "entry": "a.py", "checks": [{"name": "c"}]}))
            .is_err()
    );
    assert!(
        read::<AgentFile>(json!({"name": "a", "entry": "a.py", "input_schema": "x"}))
            .unwrap_err()
            .contains("a JSON schema")
    );
}

#[test]
fn the_schemas_that_are_published_judge_as_the_parsers_do() {
    let admits = |schema: &Value, value: &Value| {
        let mut schema = schema.clone();
        // Editors' draft; what is used of it is the same in both.
        schema.as_object_mut().unwrap().remove("$schema");
        oacp_tool::schema::Schema::admit(&schema)
            .unwrap()
            .validate_value(value)
            .is_ok()
    };
    let tool = tool_file_schema();
    for (value, expected) in [
        (json!({"name": "a"}), true),
        (
            json!({"name": "a", "source": "./a.py", "limits": {"memory_mb": 64}, "instance": "kept"}),
            true,
        ),
        (
            json!({"name": "a", "source": {"path": "./a.py"}, "capabilities": {"network": ["a", {"host": "b", "private": true}]}}),
            true,
        ),
        (
            json!({"name": "a", "capabilities": {"network": {"denylist": ["a"]}}}),
            true,
        ),
        (json!({"name": "a", "nam": 1}), false),
        (json!({"name": "a", "limits": {"memory_mb": 0}}), false),
        (
            json!({"name": "a", "capabilities": {"network": [1]}}),
            false,
        ),
        (json!({}), false),
    ] {
        assert_eq!(admits(&tool, &value), expected, "{value}");
        let is_read = read::<ToolFile>(value.clone()).is_ok_and(|tool| tool.limits.check().is_ok());
        assert_eq!(is_read, expected, "{value}");
    }
    let agent = agent_file_schema();
    for (value, expected) in [
        (json!({"name": "a", "entry": "a.py"}), true),
        (
            json!({"name": "a", "entry": "a.py", "input_schema": {"path": "x"}, "level": "basic"}),
            true,
        ),
        (
            json!({"name": "a", "entry": "a.py", "input_schema": {"type": "object"}}),
            true,
        ),
        (
            json!({"name": "a", "entry": "a.py", "level": "most"}),
            false,
        ),
        (json!({"name": "a"}), false),
    ] {
        assert_eq!(admits(&agent, &value), expected, "{value}");
        assert_eq!(
            read::<AgentFile>(value.clone()).is_ok(),
            expected,
            "{value}"
        );
    }
    assert!(admits(&tools_schema(), &json!({"a": {"source": "./a.py"}})));
    assert!(!admits(&tools_schema(), &json!({"a": {}})));
}
