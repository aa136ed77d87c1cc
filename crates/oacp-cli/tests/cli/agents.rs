use std::io::Write;

use expect_test::expect;
use serde_json::Value;

use crate::session::Session;

const FILES: [(&str, &str); 3] = [
    (
        "agent.py",
        "from pkg.words import word\n\ndef run(input):\n    return word\n",
    ),
    ("pkg/__init__.py", ""),
    ("pkg/words.py", "word = 'found'\n"),
];

/// A zip, stored, written by hand: names and order as given.
fn zip(entries: &[(&str, &str)]) -> Vec<u8> {
    let (mut local, mut central) = (Vec::new(), Vec::new());
    for (name, content) in entries {
        let fields = [20_u16, 0x800, 0, 0x1234, 0x5678];
        let mut header: Vec<u8> = fields
            .iter()
            .flat_map(|field| field.to_le_bytes())
            .collect();
        for number in [
            crc32(content.as_bytes()),
            content.len() as u32,
            content.len() as u32,
        ] {
            header.extend(number.to_le_bytes());
        }
        header.extend((name.len() as u16).to_le_bytes());
        header.extend([0, 0]);
        central.extend(b"PK\x01\x02\x14\x03");
        central.extend(&header);
        central.extend([0; 6]);
        let mode: u32 = if name.ends_with("link") {
            0o120_777
        } else {
            0o100_644
        };
        central.extend((mode << 16).to_le_bytes());
        central.extend((local.len() as u32).to_le_bytes());
        central.extend(name.as_bytes());
        local.extend(b"PK\x03\x04");
        local.extend(&header);
        local.extend(name.as_bytes());
        local.extend(content.as_bytes());
    }
    let mut end = b"PK\x05\x06\0\0\0\0".to_vec();
    for _ in 0..2 {
        end.extend((entries.len() as u16).to_le_bytes());
    }
    end.extend((central.len() as u32).to_le_bytes());
    end.extend((local.len() as u32).to_le_bytes());
    end.extend([0, 0]);
    [local, central, end].concat()
}

fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
            (crc >> 1) ^ (0xedb8_8320 & (crc & 1).wrapping_neg())
        })
    })
}

fn agent_hash(session: &Session, agent: &str) -> String {
    let answer: Value = serde_json::from_str(&session.stdout(&["run", agent, "--json"])).unwrap();
    assert_eq!(answer["result"], "found");
    let shown = session.stdout(&["show", answer["bundle"].as_str().unwrap(), "--json"]);
    let shown: Value = serde_json::from_str(&shown).unwrap();
    shown["statement"]["agent_hash"]
        .as_str()
        .unwrap()
        .to_owned()
}

#[test]
fn a_directory_and_its_zips_are_one_agent() {
    let session = Session::with_runtimes("zip");
    for (path, content) in FILES {
        session.write(&format!("dir/{path}"), content);
    }
    // What tools leave behind is no part of an agent.
    session.write("dir/.git/config", "secret");
    session.write("dir/pkg/__pycache__/words.pyc", "old");
    session.write("flat.zip", zip(&FILES));
    let backwards: Vec<_> = FILES
        .into_iter()
        .rev()
        .chain([(".DS_Store", "x")])
        .collect();
    session.write("backwards.zip", zip(&backwards));
    let nested: Vec<_> = FILES
        .iter()
        .map(|(path, content)| (format!("my-agent/{path}"), *content))
        .collect();
    let nested: Vec<_> = nested
        .iter()
        .map(|(path, content)| (path.as_str(), *content))
        .chain([("my-agent/", "")])
        .collect();
    session.write("nested.zip", zip(&nested));

    let hash = agent_hash(&session, "dir");
    for other in ["flat.zip", "backwards.zip", "nested.zip"] {
        assert_eq!(agent_hash(&session, other), hash, "{other}");
    }
    std::fs::File::options()
        .append(true)
        .open(session.path("dir/pkg/words.py"))
        .unwrap()
        .write_all(b"#")
        .unwrap();
    assert_ne!(agent_hash(&session, "dir"), hash);
}

#[test]
fn a_single_file_s_hash_is_what_sha256sum_prints() {
    let session = Session::with_runtimes("single");
    session.write("a.py", "def run(input): return 'found'\n");
    let digest = agent_hash(&session, "a.py");
    assert_eq!(
        digest,
        "sha256:b7990467d37a93ca38448f9852317fe5f06d6d6b5318a4d953b44d775f04e05b"
    );
}

/// An agent compiled to a component: it gives its input back.
fn echo() -> Vec<u8> {
    const CORE: &str = r#"(module
      (memory (export "memory") 1)
      (global $next (mut i32) (i32.const 64))
      (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
        (global.get $next)
        (global.set $next (i32.add (global.get $next) (local.get 3))))
      (func (export "run") (param $ptr i32) (param $len i32) (result i32)
        (i32.store (i32.const 8) (local.get $ptr))
        (i32.store (i32.const 12) (local.get $len))
        (i32.const 0)))"#;
    let mut core = wat::parse_str(CORE).unwrap();
    let mut resolve = wit_parser::Resolve::default();
    let (package, _) = resolve
        .push_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../../wit"))
        .unwrap();
    let world = resolve.select_world(&[package], Some("agent")).unwrap();
    wit_component::embed_component_metadata(
        &mut core,
        &resolve,
        world,
        wit_component::StringEncoding::UTF8,
    )
    .unwrap();
    wit_component::ComponentEncoder::default()
        .module(&core)
        .unwrap()
        .encode()
        .unwrap()
}

#[test]
fn a_component_is_an_agent_and_its_bundle_holds_it() {
    let session = Session::with_runtimes("component");
    session.write("echo.wasm", echo());
    session.write("core.wasm", b"\0asm\x01\0\0\0");
    session.stdout(&["run", "echo.wasm", "--bundle", "first.json"]);
    session.check(
        &["run", "echo.wasm", "--input", "[1]", "--bundle", "run.json"],
        expect![[r#"
            $ oacp run echo.wasm --input [1] --bundle run.json
            [1]
            ! logged as entry 4 of oacp.local/[key] (5 entries)
            ! ok · [took] · 14 fuel · oacp verify ~/run.json
        "#]],
    );
    session.check(
        &["replay", "run.json"],
        expect![[r#"
        $ oacp replay run.json
        confirmed: output, outcome, every event and the fuel are the same
    "#]],
    );
    session.check(
        &["runs", "list"],
        expect![[r#"
            $ oacp runs list
            ! no runs in ~/oacp/runs; the bundle of a run with --bundle is where that said, and not listed
        "#]],
    );
    session.check(
        &["run", "core.wasm"],
        expect![[r#"
        $ oacp run core.wasm
        ! error: `core.wasm` is not an agent
        !   cause: it is a core WebAssembly module, not a component
        !   hint: build it against wit/agent.wit, and make it a component: wasm-tools component new
        exit 3
    "#]],
    );
}

#[test]
fn an_entry_is_found_or_named() {
    let session = Session::with_runtimes("entry");
    session.write("a/tool.py", "def run(input): return 'tool'\n");
    session.check(&["run", "a"], expect![[r#"
        $ oacp run a
        ! error: `a` is not an agent
        !   cause: it has none of the files `agent.py`, `main.py`, `agent.js`, `main.js`, `agent.mjs`, `main.mjs`
        !   hint: name the file to start at with --entry PATH
        exit 3
    "#]]);
    session.check(
        &["run", "a", "-q", "--entry", "tool.py"],
        expect![[r#"
        $ oacp run a -q --entry tool.py
        "tool"
    "#]],
    );
    session.check(
        &["run", "a", "--entry", "tol.py"],
        expect![[r#"
        $ oacp run a --entry tol.py
        ! error: `a` is not an agent
        !   cause: source has no file `tol.py` to start at
        exit 3
    "#]],
    );
    session.write("a/agent.py", "def run(input): return 'agent'\n");
    session.write("a/main.js", "");
    session.check(
        &["run", "a"],
        expect![[r#"
        $ oacp run a
        ! error: `a` is not an agent
        !   cause: it could start at `agent.py` or at `main.js`
        !   hint: choose with --entry agent.py
        exit 3
    "#]],
    );
    session.check(
        &["run", "a/agent.py", "--entry", "tool.py"],
        expect![[r#"
        $ oacp run a/agent.py --entry tool.py
        ! error: `a/agent.py` is one file: it has no other entry
        !   hint: --entry is for a directory or a zip
        exit 3
    "#]],
    );
}

#[test]
fn what_is_no_agent_is_refused() {
    let session = Session::new("no-agent");
    session.write("agent.rb", "puts 1");
    session.write("agent.wasm", "not wasm");
    session.write("agent.zip", "not a zip");
    session.check(
        &["run", "missing.py"],
        expect![[r#"
        $ oacp run missing.py
        ! error: cannot read the agent `missing.py`
        !   cause: No such file or directory (os error 2)
        exit 3
    "#]],
    );
    session.check(
        &["run", "agent.rb"],
        expect![[r#"
        $ oacp run agent.rb
        ! error: cannot tell what kind of agent `agent.rb` is
        !   hint: an agent is a .py, .js, .mjs or .wasm file, a directory, or a .zip
        exit 3
    "#]],
    );
    session.check(
        &["run", "agent.wasm", "-q"],
        expect![[r#"
        $ oacp run agent.wasm -q
        ! error: `agent.wasm` is not an agent
        !   cause: it is not WebAssembly
        exit 3
    "#]],
    );
    session.check(
        &["run", "agent.zip"],
        expect![[r#"
        $ oacp run agent.zip
        ! error: cannot read the archive `agent.zip`
        !   cause: invalid Zip archive: Could not find EOCD
        exit 3
    "#]],
    );
}

#[test]
fn a_zip_that_means_harm_is_refused() {
    let session = Session::new("zip-harm");
    let cases = [
        ("out.zip", zip(&[("agent.py", ""), ("../../.bashrc", "x")])),
        (
            "absolute.zip",
            zip(&[("agent.py", ""), ("/etc/passwd", "x")]),
        ),
        ("backslash.zip", zip(&[("agent.py", ""), ("..\\x", "x")])),
        ("twice.zip", zip(&[("agent.py", "1"), ("agent.py", "2")])),
        (
            "link.zip",
            zip(&[("agent.py", ""), ("link", "/etc/passwd")]),
        ),
    ];
    for (name, bytes) in &cases {
        session.write(name, bytes);
    }
    session.check(
        &["run", "out.zip"],
        expect![[r#"
        $ oacp run out.zip
        ! error: cannot read the archive `out.zip`
        !   cause: it holds the name `../../.bashrc`
        !   cause: source path is absolute, or has a segment that is empty, `.` or `..`
        exit 3
    "#]],
    );
    session.check(
        &["run", "absolute.zip"],
        expect![[r#"
        $ oacp run absolute.zip
        ! error: cannot read the archive `absolute.zip`
        !   cause: it holds the name `/etc/passwd`
        !   cause: source path is absolute, or has a segment that is empty, `.` or `..`
        exit 3
    "#]],
    );
    session.check(
        &["run", "backslash.zip"],
        expect![[r#"
        $ oacp run backslash.zip
        ! error: cannot read the archive `backslash.zip`
        !   cause: it holds the name `..\x`
        !   cause: source path holds a control character or a backslash
        exit 3
    "#]],
    );
    session.check(
        &["run", "twice.zip"],
        expect![[r#"
        $ oacp run twice.zip
        ! error: cannot read the archive `twice.zip`
        !   cause: it holds one name twice
        exit 3
    "#]],
    );
    session.check(
        &["run", "link.zip"],
        expect![[r#"
        $ oacp run link.zip
        ! error: cannot read the archive `link.zip`
        !   cause: its entry `link` is a symbolic link
        exit 3
    "#]],
    );
}

#[cfg(unix)]
#[test]
fn a_link_in_a_directory_is_not_followed() {
    let session = Session::new("link");
    session.write("a/agent.py", "");
    std::os::unix::fs::symlink("/etc/passwd", session.path("a/data.txt")).unwrap();
    session.check(&["run", "a"], expect![[r#"
        $ oacp run a
        ! error: `data.txt` is a symbolic link, which is not followed
        !   hint: put a copy of the file in its place: what an agent is made of lies within its directory
        exit 3
    "#]]);
}
