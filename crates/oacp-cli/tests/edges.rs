//! The order of the crates, and which of them alone may name a heavy dependency.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use serde_json::Value;

/// The crates in their order: a later one may name an earlier one.
const ORDER: [&str; 4] = ["oacp", "oacp-sandbox", "oacp-gateway", "oacp-cli"];

/// Dependencies that live in one crate alone.
const HOMES: [(&str, &str); 7] = [
    ("anyhow", "oacp-cli"),
    ("clap", "oacp-cli"),
    ("ed25519-dalek", "oacp"),
    ("indicatif", "oacp-cli"),
    ("wasmtime", "oacp-sandbox"),
    ("wasmtime-wasi", "oacp-sandbox"),
    ("zip", "oacp-cli"),
];

/// What each crate of the workspace names as a dependency, tests apart.
fn named() -> BTreeMap<String, BTreeSet<String>> {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["metadata", "--format-version", "1", "--no-deps", "--offline", "--manifest-path"]);
    let output = cargo.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml")).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    let name = |value: &Value| value["name"].as_str().unwrap().to_owned();
    let dependencies = |package: &Value| -> BTreeSet<String> {
        let all = package["dependencies"].as_array().unwrap();
        all.iter().filter(|dependency| dependency["kind"] != "dev").map(name).collect()
    };
    metadata["packages"].as_array().unwrap().iter().map(|package| (name(package), dependencies(package))).collect()
}

#[test]
fn a_crate_names_only_earlier_ones() {
    let named = named();
    for (place, package) in ORDER.iter().enumerate() {
        for later in &ORDER[place..] {
            assert!(!named[*package].contains(*later), "`{package}` names `{later}`");
        }
    }
}

#[test]
fn a_heavy_dependency_has_one_home() {
    for (dependency, home) in HOMES {
        let named = named();
        let users = ORDER.into_iter().filter(|package| named[*package].contains(dependency));
        assert_eq!(users.collect::<Vec<_>>(), [home], "`{dependency}`");
    }
}

#[test]
fn the_pure_crate_names_nothing_that_could_reach_outside() {
    let named = named();
    for outside in ["getrandom", "rand", "rustix", "tokio"] {
        assert!(!named["oacp"].contains(outside), "`oacp` names `{outside}`");
    }
}
