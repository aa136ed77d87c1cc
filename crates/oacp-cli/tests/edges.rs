//! What may depend on what, and what may be named where: the absences that the architecture promises.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// A later crate may name any earlier one.
const ORDER: [&str; 10] = [
    "oacp-tlog",
    "oacp",
    "oacp-egress",
    "oacp-tee",
    "oacp-sandbox",
    "oacp-registry",
    "oacp-tool",
    "oacp-gateway",
    "oacp-cli",
    "oacp-bench",
];

/// These never name each other: what they hold is handed to them as arguments.
const STRANGERS: [&str; 5] = [
    "oacp-egress",
    "oacp-tee",
    "oacp-sandbox",
    "oacp-registry",
    "oacp-tool",
];

/// A heavy dependency and the crates that may name it. A name that ends in `*` stands for all that begin so.
const HOMES: [(&str, &[&str]); 15] = [
    ("anyhow", &["oacp-cli"]),
    ("axum", &["oacp-gateway"]),
    ("clap*", &["oacp-cli"]),
    ("ed25519-dalek", &["oacp-tlog"]),
    ("hyper*", &["oacp-egress"]),
    ("indicatif", &["oacp-cli"]),
    ("jsonschema", &["oacp-tool"]),
    ("ml-dsa", &["oacp-tlog"]),
    ("oxc*", &["oacp-tool"]),
    ("reqwest", &["oacp-bench"]),
    ("ring", &["oacp-tool"]),
    ("rusqlite", &["oacp-registry"]),
    ("wasmtime*", &["oacp-sandbox", "oacp-bench"]),
    ("tokio-rustls", &["oacp-egress"]),
    ("zip", &["oacp-cli"]),
];

/// The pure crates, and all that each may name outside its tests. None of these reaches a clock, randomness, a file or a socket.
const PURE: [(&str, &[&str]); 2] = [
    (
        "oacp-tlog",
        &[
            "base64",
            "ed25519-dalek",
            "ml-dsa",
            "sha2",
            "thiserror",
            "zeroize",
        ],
    ),
    (
        "oacp",
        &[
            "base64",
            "hmac",
            "oacp-tlog",
            "serde",
            "serde_json",
            "serde_json_canonicalizer",
            "sha2",
            "thiserror",
            "url",
            "uuid",
            "zeroize",
        ],
    ),
];

/// What the pure crates' dependencies must not bring with them, at any depth.
const IMPURE: [&str; 9] = [
    "async-std",
    "chrono",
    "getrandom",
    "mio",
    "rand",
    "rustix",
    "socket2",
    "time",
    "tokio",
];

/// What the pure crates' sources do not name.
const IMPURE_PATHS: [&str; 9] = [
    "std::env",
    "std::fs",
    "std::io",
    "std::net",
    "std::process",
    "std::thread",
    "Instant",
    "SystemTime",
    "async fn",
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .canonicalize()
        .unwrap()
}

fn output(program: &str, arguments: &[&str]) -> Vec<u8> {
    let output = Command::new(program)
        .args(arguments)
        .current_dir(root())
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{program} {arguments:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    output.stdout
}

/// What Cargo knows of this workspace, for this machine, without the network.
fn metadata() -> Value {
    let arguments = [
        "metadata",
        "--format-version=1",
        "--offline",
        "--locked",
        "--filter-platform=host-tuple",
    ];
    serde_json::from_slice(&output(env!("CARGO"), &arguments)).unwrap()
}

/// The packages of this workspace, by name.
fn members(metadata: &Value) -> BTreeMap<&str, &Value> {
    let members = metadata["workspace_members"].as_array().unwrap();
    let packages = metadata["packages"].as_array().unwrap().iter();
    packages
        .filter(|package| members.contains(&package["id"]))
        .map(|package| (text(&package["name"]), package))
        .collect()
}

/// What a package names in its `Cargo.toml`, in a section of one of these kinds.
fn named<'a>(package: &'a Value, kinds: &[Option<&str>]) -> BTreeSet<&'a str> {
    let dependencies = package["dependencies"].as_array().unwrap().iter();
    dependencies
        .filter(|dependency| kinds.contains(&dependency["kind"].as_str()))
        .map(|dependency| text(&dependency["name"]))
        .collect()
}

const IN_CODE: [Option<&str>; 2] = [None, Some("build")];
const ANYWHERE: [Option<&str>; 3] = [None, Some("build"), Some("dev")];

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

#[test]
fn a_crate_names_only_earlier_ones() {
    let metadata = metadata();
    let members = members(&metadata);
    let place = |name: &str| ORDER.iter().position(|other| *other == name);
    for (name, package) in &members {
        let own = place(name).unwrap_or_else(|| panic!("`{name}` has no place in the order"));
        for other in named(package, &ANYWHERE)
            .into_iter()
            .filter(|other| members.contains_key(other))
        {
            assert!(
                place(other) < Some(own),
                "`{name}` names `{other}`, which comes after it"
            );
            let strangers = STRANGERS.contains(name) && STRANGERS.contains(&other);
            assert!(
                !strangers,
                "`{name}` names `{other}`; these two never name each other"
            );
        }
    }
    assert!(members.len() >= 4, "{members:?}");
}

#[test]
fn a_heavy_dependency_has_one_home() {
    let metadata = metadata();
    let mut seen = BTreeSet::new();
    for (name, package) in members(&metadata) {
        for dependency in named(package, &IN_CODE) {
            for (heavy, homes) in HOMES {
                let is_heavy = match heavy.strip_suffix('*') {
                    Some(start) => dependency.starts_with(start),
                    None => dependency == heavy,
                };
                assert!(
                    !is_heavy || homes.contains(&name),
                    "`{name}` names `{dependency}`, whose home is {homes:?}"
                );
                seen.extend(is_heavy.then_some(heavy));
            }
        }
    }
    assert_eq!(
        seen.len(),
        HOMES.len(),
        "the list is out of date: only {seen:?} are named at all"
    );
}

#[test]
fn the_pure_crates_name_nothing_impure() {
    let metadata = metadata();
    for (name, pure) in PURE {
        let named: Vec<_> = named(members(&metadata)[name], &IN_CODE)
            .into_iter()
            .collect();
        assert_eq!(
            named, pure,
            "a new dependency of `{name}` must be as pure as it is"
        );

        // At any depth, with the features that it asks for by itself: in the workspace, others ask for more.
        let package = format!("--package={name}");
        let arguments = [
            "tree",
            &package,
            "--edges=normal",
            "--prefix=none",
            "--format={p}",
            "--offline",
            "--locked",
        ];
        let tree = String::from_utf8(output(env!("CARGO"), &arguments)).unwrap();
        let reached: BTreeSet<_> = tree
            .lines()
            .filter_map(|line| line.split(' ').next())
            .collect();
        let impure: Vec<_> = reached.intersection(&IMPURE.into()).copied().collect();
        assert!(impure.is_empty(), "`{name}` depends on {impure:?}");
        assert!(reached.len() > pure.len(), "{reached:?}");
    }
}

#[test]
fn the_pure_crates_sources_name_nothing_impure() {
    for (name, _) in PURE {
        let mut open = vec![root().join("crates").join(name).join("src")];
        let mut files = 0;
        while let Some(path) = open.pop() {
            if path.is_dir() {
                open.extend(
                    std::fs::read_dir(path)
                        .unwrap()
                        .map(|entry| entry.unwrap().path()),
                );
                continue;
            }
            files += 1;
            let source = std::fs::read_to_string(&path).unwrap();
            // Tests stand at the foot of a file, and may read vectors.
            let code = source.split("#[cfg(test)]\nmod tests").next().unwrap();
            for (number, line) in (1..).zip(code.lines()) {
                let line = line.split("//").next().unwrap();
                if let Some(named) = IMPURE_PATHS.iter().find(|path| line.contains(**path)) {
                    panic!("{}:{number}: a pure crate names `{named}`", path.display());
                }
            }
        }
        assert!(files > 10, "only {files} files");
    }
}

#[test]
fn every_licence_is_allowed() {
    let allowed = allowed_licences();
    let metadata = metadata();
    let mut used = BTreeSet::new();
    for package in metadata["packages"].as_array().unwrap() {
        let name = text(&package["name"]);
        let expression = package["license"]
            .as_str()
            .unwrap_or_else(|| panic!("`{name}` states no licence"));
        let chosen = satisfied(expression, &allowed);
        used.extend(
            chosen.unwrap_or_else(|| panic!("`{name}`: deny.toml does not allow `{expression}`")),
        );
    }
    let unused: Vec<_> = allowed.difference(&used).collect();
    assert!(
        unused.is_empty(),
        "deny.toml allows {unused:?}, which nothing needs"
    );
}

/// The list `allow` of deny.toml's section `[licenses]`.
fn allowed_licences() -> BTreeSet<String> {
    let file = std::fs::read_to_string(root().join("deny.toml")).unwrap();
    let section = file
        .split("[licenses]")
        .nth(1)
        .expect("deny.toml has a section [licenses]");
    let list = section
        .split("allow = [")
        .nth(1)
        .and_then(|rest| rest.split(']').next())
        .expect("with a list `allow`");
    let lines = list.lines().map(|line| line.split('#').next().unwrap());
    let quoted = lines.flat_map(|line| line.split('"').skip(1).step_by(2));
    quoted.map(str::to_owned).collect()
}

/// The licences by which an SPDX expression is satisfied, if it is: of several alternatives, the first that is allowed.
fn satisfied(expression: &str, allowed: &BTreeSet<String>) -> Option<BTreeSet<String>> {
    // Older packages write `/` for OR.
    let expression = expression
        .replace('/', " OR ")
        .replace('(', " ( ")
        .replace(')', " ) ");
    let tokens: Vec<&str> = expression.split_whitespace().collect();
    let mut rest = tokens.as_slice();
    let answer = any_of(&mut rest, allowed);
    assert!(rest.is_empty(), "not an SPDX expression: `{expression}`");
    answer
}

fn any_of(rest: &mut &[&str], allowed: &BTreeSet<String>) -> Option<BTreeSet<String>> {
    let mut answer = all_of(rest, allowed);
    while rest.first() == Some(&"OR") {
        *rest = &rest[1..];
        let other = all_of(rest, allowed);
        answer = answer.or(other);
    }
    answer
}

fn all_of(rest: &mut &[&str], allowed: &BTreeSet<String>) -> Option<BTreeSet<String>> {
    let mut answer = one(rest, allowed);
    while rest.first() == Some(&"AND") {
        *rest = &rest[1..];
        let other = one(rest, allowed);
        answer = answer
            .zip(other)
            .map(|(one, other)| one.into_iter().chain(other).collect());
    }
    answer
}

fn one(rest: &mut &[&str], allowed: &BTreeSet<String>) -> Option<BTreeSet<String>> {
    let (first, tail) = rest.split_first().expect("an SPDX expression ends early");
    *rest = tail;
    if *first == "(" {
        let answer = any_of(rest, allowed);
        assert_eq!(rest.first(), Some(&")"));
        *rest = &rest[1..];
        return answer;
    }
    let mut licence = (*first).to_owned();
    if let ["WITH", exception, tail @ ..] = *rest {
        licence = format!("{licence} WITH {exception}");
        *rest = tail;
    }
    allowed
        .contains(&licence)
        .then(|| BTreeSet::from([licence]))
}

#[test]
fn an_spdx_expression_is_judged() {
    let allowed = ["MIT", "Apache-2.0 WITH LLVM-exception", "BSD-3-Clause"]
        .map(str::to_owned)
        .into();
    for (expression, expected) in [
        ("MIT", true),
        ("GPL-3.0", false),
        ("Apache-2.0", false),
        ("Apache-2.0 WITH LLVM-exception", true),
        ("GPL-3.0 OR MIT", true),
        ("GPL-3.0/MIT", true),
        ("GPL-3.0 AND MIT", false),
        ("(GPL-3.0 OR MIT) AND BSD-3-Clause", true),
        ("MIT OR GPL-3.0 AND GPL-2.0", true),
        ("(MIT OR GPL-3.0) AND GPL-2.0", false),
    ] {
        assert_eq!(
            satisfied(expression, &allowed).is_some(),
            expected,
            "{expression}"
        );
    }
}

/// What is checked in must work, and be understood, on any machine and behind any mirror of a registry.
#[test]
fn no_file_names_this_machine_or_a_registry() {
    // In two parts each, so that this file is not among those found.
    let folders = [("/ro", "ot/"), ("/wo", "rk/"), ("/ho", "me/")]
        .map(|(start, end)| format!("{start}{end}"));
    let hosts = [
        ("crates", ".io"),
        ("py", "pi.org"),
        ("pythonh", "osted.org"),
        ("npm", "js.org"),
        ("npm", "js.com"),
    ]
    .map(|(start, end)| format!("{start}{end}"));
    let is_found = |line: &str| {
        hosts.iter().any(|host| line.contains(host))
            || folders.iter().any(|folder| {
                line.match_indices(folder)
                    .any(|(at, _)| is_start_of_path(&line[..at]))
            })
    };
    let files = output("git", &["ls-files", "-z"]);
    let mut found = vec![];
    for name in files
        .split(|byte| *byte == 0)
        .filter(|name| !name.is_empty())
    {
        let name = std::str::from_utf8(name).unwrap();
        // Deleted, and not yet committed as such.
        let Ok(bytes) = std::fs::read(root().join(name)) else {
            continue;
        };
        // What is not text was not written by hand.
        let Ok(content) = std::str::from_utf8(&bytes) else {
            continue;
        };
        for (number, line) in (1..).zip(content.lines()) {
            if is_found(line) && !is_lock_file_s_own(name, line) {
                found.push(format!("{name}:{number}: {}", line.trim()));
            }
        }
    }
    assert!(found.is_empty(), "{found:#?}");
}

/// Whether a slash after this begins an absolute path. `~`, `.`, a name or a placeholder go on in a relative one.
fn is_start_of_path(before: &str) -> bool {
    !before.ends_with(|last: char| last.is_alphanumeric() || "~._-]})*".contains(last))
}

/// Cargo names the default registry in every lock file, whichever mirror served it.
fn is_lock_file_s_own(name: &str, line: &str) -> bool {
    name.ends_with("Cargo.lock") && line.starts_with("source = \"registry+")
}
