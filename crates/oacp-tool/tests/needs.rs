//! What packages use, by their text.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

use oacp::Source;
use oacp::capability::{Capabilities, GuestPath};
use oacp_tool::needs::{Covered, Needs, Wanted, Works, map};

fn source(files: &[(&str, &str)]) -> Source {
    let entry = files[0].0.parse().unwrap();
    let files = files
        .iter()
        .map(|(path, text)| (path.parse().unwrap(), text.as_bytes().to_vec()));
    Source::new(files, entry).unwrap()
}

/// One line for each need: what, why, the right, and whether it works.
fn lines(needs: &Needs) -> Vec<String> {
    let line = |need: &oacp_tool::needs::Need| {
        let wanted = match &need.capability {
            None => String::new(),
            Some(Wanted::FileRead(path)) => format!(" read {path:?}"),
            Some(Wanted::FileWrite(path)) => format!(" write {path:?}"),
            Some(Wanted::Network(host)) => format!(" net {host:?}"),
            Some(Wanted::Env(name)) => format!(" env {name:?}"),
            Some(Wanted::Tool(name)) => format!(" tool {name:?}"),
        };
        let works = match &need.works {
            Works::Yes => String::new(),
            Works::No { instead } => format!(" NO {instead}"),
        };
        format!("{} @ {}{wanted}{works}", need.what, need.why())
    };
    needs.list.iter().map(line).collect()
}

fn python(text: &str) -> Vec<String> {
    lines(&Needs::of_source(&source(&[("main.py", text)])))
}

fn script(text: &str) -> Vec<String> {
    lines(&Needs::of_source(&source(&[("main.js", text)])))
}

#[test]
fn python_says_what_it_uses() {
    for (text, expected) in [
        ("import json, re\nfrom datetime import date\n", vec![]),
        (
            "import urllib.request\n\ndef f(q):\n    '''See https://docs.example/'''\n    # https://comment.example/\n    return urllib.request.urlopen(f'https://api.example.com/v1?q={q}')\n",
            vec!["api.example.com:443 @ main.py:6 net Some(\"api.example.com:443\")"],
        ),
        (
            "import requests\nrequests.get(url)\n",
            vec!["requests @ main.py:1 net None"],
        ),
        (
            "from urllib.request import urlopen as u\nu('http://a.example:8080/x'); u(f'https://{host}/')\n",
            vec!["a.example:8080 @ main.py:2 net Some(\"a.example:8080\")"],
        ),
        (
            "import http.client\nc = http.client.HTTPSConnection('b.example')\n",
            vec!["b.example:443 @ main.py:2 net Some(\"b.example:443\")"],
        ),
        (
            "open('/data/a.csv')\nopen('out.txt', 'w')\nopen('log', mode='a+')\nopen(name)\nx.open('no')\nopen('/tmp/own', 'w')\n",
            vec![
                "open(\"/data/a.csv\") @ main.py:1 read Some(\"/data/a.csv\")",
                "open(\"out.txt\") @ main.py:2 write Some(\"out.txt\")",
                "open(\"log\") @ main.py:3 read Some(\"log\")",
                "open(\"log\") @ main.py:3 write Some(\"log\")",
                "open @ main.py:4 read None",
            ],
        ),
        (
            "from pathlib import Path\nPath('a.txt').write_text('x')\nPath(\"b.txt\").read_text()\nimport sqlite3\nsqlite3.connect('x.db')\nsqlite3.connect(':memory:')\n",
            vec![
                "pathlib.Path(\"a.txt\") @ main.py:2 write Some(\"a.txt\")",
                "pathlib.Path(\"b.txt\") @ main.py:3 read Some(\"b.txt\")",
                "sqlite3.connect(\"x.db\") @ main.py:5 read Some(\"x.db\")",
                "sqlite3.connect(\"x.db\") @ main.py:5 write Some(\"x.db\")",
            ],
        ),
        (
            "import os\nos.environ['A']\nos.environ.get('B', '')\nos.getenv(\n  'C')\nfrom os import environ, getenv as g\nenviron[k]\ng('D')\n",
            vec![
                "os.environ(\"A\") @ main.py:2 env Some(\"A\")",
                "os.environ(\"B\") @ main.py:3 env Some(\"B\")",
                "os.getenv(\"C\") @ main.py:4 env Some(\"C\")",
                "os.environ @ main.py:7 env None",
                "os.getenv(\"D\") @ main.py:8 env Some(\"D\")",
            ],
        ),
        (
            "from oacp import tools\ntools.call('search', query='x')\nawait tools.call_async(name)\n",
            vec![
                "tools.call(\"search\") @ main.py:2 tool Some(\"search\")",
                "tools.call @ main.py:3 tool None",
            ],
        ),
        (
            "import subprocess, threading\nlock = threading.Lock()\nsubprocess.run(['ls'])\nthreading.Thread(target=f)\n",
            vec![
                "subprocess.run @ main.py:3 NO use a tool: there are no processes",
                "threading.Thread @ main.py:4 NO use asyncio, with `oacp.tools.call_async` and `oacp.http`: there are no threads",
            ],
        ),
        (
            "def f(subprocess, threading):\n    subprocess.run(threading.Thread())\n",
            vec![],
        ),
        (
            "import numpy as np\nimport ctypes\nimport yaml\n",
            vec![
                "numpy @ main.py:1 NO use `statistics`, `array` and `math`, or a tool: there is no native code",
                "ctypes @ main.py:2 NO use `struct` and `array`: there is no native code",
                "yaml @ main.py:3 NO put it beside the file: `pip install --target . yaml`, if it is Python alone",
            ],
        ),
        (
            "text = 'import numpy'\n'''\nimport numpy\n'''\nr = r\"open('x')\"\n",
            vec![],
        ),
        (
            "import importlib\nimportlib.import_module('lxml')\n",
            vec!["lxml @ main.py:2 NO use `xml.etree.ElementTree`: there is no native code"],
        ),
    ] {
        assert_eq!(python(text), expected, "{text}");
    }
}

#[test]
fn methods_of_paths_are_seen() {
    let some = |kind: &str| vec![format!("pathlib.Path @ main.py:2 {kind} None")];
    let read = |path: &str| {
        vec![format!(
            "pathlib.Path({path:?}) @ main.py:2 read Some({path:?})"
        )]
    };
    let write = |path: &str| {
        vec![format!(
            "pathlib.Path({path:?}) @ main.py:2 write Some({path:?})"
        )]
    };
    for (text, expected) in [
        ("Path('a').open()", read("a")),
        ("Path('a').open('rb')", read("a")),
        ("Path('a').open('w')", write("a")),
        ("Path('a').open(mode='x')", write("a")),
        ("Path('a').open('r+')", [read("a"), write("a")].concat()),
        ("Path('a').is_dir()", read("a")),
        ("Path('a').replace('b')", write("a")),
        ("pathlib.Path('a').read_bytes()", read("a")),
        ("Path('a', 'b').read_text()", some("read")),
        ("Path(name).read_text()", some("read")),
        ("Path(Path('a').name).read_text()", some("read")),
        ("Path(f'{name}').read_text()", some("read")),
        ("Path('a').parent.mkdir()", some("write")),
        ("Path('a').joinpath('b').write_text('x')", some("write")),
        ("(Path('a') / 'b').read_text()", some("read")),
        ("Path.home().joinpath('b').open('a')", some("write")),
        ("with data.open('w') as f: pass", some("write")),
        ("data.path.read_text()", some("read")),
        ("f'{data.read_text()}'", some("read")),
        ("Path('/tmp/a').write_text('x')", vec![]),
        ("'a'.replace('a', 'b'); text.replace('a', 'b')", vec![]),
        ("Path('a').name; Path('a') / 'b'", vec![]),
        (
            "os.path.exists(x)",
            vec!["os.path.exists @ main.py:2 read None".to_owned()],
        ),
    ] {
        let text = format!("import os, pathlib; from pathlib import Path\n{text}\n");
        assert_eq!(python(&text), expected, "{text}");
    }
    // Without paths, a method of that name is another one's.
    assert_eq!(
        python("data.read_text(); x.open('a')\n"),
        Vec::<String>::new()
    );
}

#[test]
fn what_is_computed_within_texts_is_seen() {
    let env = |names: &[&str]| -> Vec<String> {
        let line = |name| format!("os.environ({name:?}) @ main.py:2 env Some({name:?})");
        names.iter().map(line).collect()
    };
    for (text, expected) in [
        ("f\"{os.environ['A']}\"", env(&["A"])),
        ("f\"{os.environ[\"A\"]}\"", env(&["A"])),
        (
            "rf'{os.environ.get(\"A\", \"}\")!r:>{os.environ[\"B\"]}} {{os.environ[\"C\"]}}'",
            env(&["A", "B"]),
        ),
        (
            "f'{ {1: 2}[os.environ[\"A\"]] }' + os.environ['B']",
            env(&["A", "B"]),
        ),
        (
            "f'{f\"{os.environ['A']}\"}'; os.environ['B']",
            env(&["A", "B"]),
        ),
        (
            "f'''\\\n{x:%H:%M}{os.environ['A']}'''",
            vec!["os.environ(\"A\") @ main.py:3 env Some(\"A\")".to_owned()],
        ),
        ("t'{os.environ[\"A\"]=}'", env(&["A"])),
        (
            "f'{os.getenv(\"A\")}'",
            vec!["os.getenv(\"A\") @ main.py:2 env Some(\"A\")".to_owned()],
        ),
        ("'{os.environ[\"A\"]}'; f'{{os.environ[\"A\"]}}'", vec![]),
        (
            "f'{open(\"a\").read()}'",
            vec!["open(\"a\") @ main.py:2 read Some(\"a\")".to_owned()],
        ),
        (
            "open(f'{x}.csv'); f'{a}'.open",
            vec!["open @ main.py:2 read None".to_owned()],
        ),
    ] {
        assert_eq!(python(&format!("import os\n{text}\n")), expected, "{text}");
    }
    assert_eq!(
        script(
            "import { env, files } from 'oacp';\n`${env.A} ${`${files.readText('a')}`} ${{ a: env['B'] }.a}` / env.C;\n[...env.D]; f()?.env.E;\n"
        ),
        [
            "env(\"A\") @ main.js:2 env Some(\"A\")",
            "files.readText(\"a\") @ main.js:2 read Some(\"a\")",
            "env(\"B\") @ main.js:2 env Some(\"B\")",
            "env(\"C\") @ main.js:2 env Some(\"C\")",
            "env(\"D\") @ main.js:3 env Some(\"D\")",
        ]
    );
    assert_eq!(
        script("`${\n document.title}`;\n"),
        ["document @ main.js:2 NO return data: there is no page"]
    );
}

#[test]
fn python_files_that_are_imported_are_looked_at_and_others_are_not() {
    let needs = Needs::of_source(&source(&[
        (
            "main.py",
            "import lib.money\nfrom lib import more\nimport yaml\nimport space.inner\n",
        ),
        ("lib/__init__.py", ""),
        ("lib/money.py", "from . import rates\nfrom .deep import x\n"),
        ("lib/rates.py", "open('rates.csv')\n"),
        ("lib/more.py", "open('more.csv')\n"),
        ("lib/deep/__init__.py", "open('deep.csv')\n"),
        ("lib/unused.py", "open('unused.csv')\n"),
        ("yaml/__init__.py", "open('yaml.cfg')\n"),
        ("space/inner.py", "open('inner.csv')\n"),
    ]));
    let mut found = lines(&needs);
    found.sort();
    assert_eq!(
        found,
        [
            "open(\"deep.csv\") @ lib/deep/__init__.py:1 read Some(\"deep.csv\")",
            "open(\"inner.csv\") @ space/inner.py:1 read Some(\"inner.csv\")",
            "open(\"more.csv\") @ lib/more.py:1 read Some(\"more.csv\")",
            "open(\"rates.csv\") @ lib/rates.py:1 read Some(\"rates.csv\")",
            "open(\"yaml.cfg\") @ yaml/__init__.py:1 read Some(\"yaml.cfg\")",
        ]
    );
}

#[test]
fn javascript_says_what_it_uses() {
    for (text, expected) in [
        ("export function run(a) { return a.b / 2 / c; }\n", vec![]),
        (
            "const r = await fetch(`https://api.example.com/v1/${q}`); // https://comment.example/\n",
            vec!["api.example.com:443 @ main.js:1 net Some(\"api.example.com:443\")"],
        ),
        (
            "fetch(url)\nx.fetch(1)\n",
            vec!["fetch @ main.js:1 net None"],
        ),
        (
            "import { files, env as e, tools } from \"oacp\";\nfiles.readText('/a'); files.write(\"b\", x);\ne.HOME; e['LANG']; e[k];\nawait tools.call('search', {});\n",
            vec![
                "files.readText(\"/a\") @ main.js:2 read Some(\"/a\")",
                "files.write(\"b\") @ main.js:2 write Some(\"b\")",
                "env(\"HOME\") @ main.js:3 env Some(\"HOME\")",
                "env(\"LANG\") @ main.js:3 env Some(\"LANG\")",
                "env @ main.js:3 env None",
                "tools.call(\"search\") @ main.js:4 tool Some(\"search\")",
            ],
        ),
        (
            "import * as o from 'oacp';\no.files.exists('/a');\noacp.tools.callSync('b');\n",
            vec![
                "files.exists(\"/a\") @ main.js:2 read Some(\"/a\")",
                "tools.call(\"b\") @ main.js:3 tool Some(\"b\")",
            ],
        ),
        (
            "import fs from 'node:fs';\nimport { spawn } from \"child_process\";\nconst x = require('left-pad');\nimport _ from 'lodash';\nimport z from './z.js';\nimport 'https://cdn.example/x.js';\n",
            vec![
                "node:fs @ main.js:1 NO use `files` of module `oacp`",
                "child_process @ main.js:2 NO use a tool: there are no processes",
                "left-pad @ main.js:3 NO put the package into the source, bundled as one ES module, and import it by its path",
                "lodash @ main.js:4 NO put the package into the source, bundled as one ES module, and import it by its path",
                "./z.js @ main.js:5 NO there is no such file in the source",
                "https://cdn.example/x.js @ main.js:6 NO put the module's file into the source: nothing is fetched",
                "require @ main.js:3 NO use `import`",
            ],
        ),
        (
            "process.env.X; ({ process: 1, Buffer: 2 }); a.process; new Worker('x');\n",
            vec![
                "process @ main.js:1 NO use the input, and `env` of module `oacp`",
                "Worker @ main.js:1 NO use promises: there are no threads",
            ],
        ),
        (
            "const re = /fetch(['\"`])/g; const s = 'process.env'; /* fetch(x) */ `process ${`${1}`} env`;\n",
            vec![],
        ),
    ] {
        assert_eq!(script(text), expected, "{text}");
    }
    let needs = Needs::of_source(&source(&[
        (
            "src/main.ts",
            "import type { X } from 'types';\nimport { a } from '../lib';\nexport { b } from './b';\n",
        ),
        ("lib/index.js", "fetch('https://lib.example/')\n"),
        ("src/b.ts", "fetch('https://b.example/')\n"),
        ("src/c.ts", "fetch('https://c.example/')\n"),
    ]));
    let mut found = lines(&needs);
    found.sort();
    assert_eq!(
        found,
        [
            "b.example:443 @ src/b.ts:1 net Some(\"b.example:443\")",
            "lib.example:443 @ lib/index.js:1 net Some(\"lib.example:443\")",
        ]
    );
}

#[test]
fn a_name_that_a_file_binds_itself_is_no_global() {
    let document = "document @ main.js:2 NO return data: there is no page";
    for (text, expected) in [
        (
            "export function f(document) {\n document.title; }\n",
            vec![],
        ),
        ("const f = document =>\n document.title;\n", vec![]),
        (
            "const f = ({ document }, [window], ...process) =>\n [document, window, process];\n",
            vec![],
        ),
        ("let a, document = 1;\n document;\n", vec![]),
        ("for (const document of []) {\n document.x; }\n", vec![]),
        ("try {} catch (document) {\n document.x; }\n", vec![]),
        (
            "function process() {}\nclass Worker {}\nprocess(new Worker());\n",
            vec![],
        ),
        (
            "import Buffer, { x as process } from './b.js';\nBuffer.of(process);\n",
            vec!["./b.js @ main.js:1 NO there is no such file in the source"],
        ),
        (
            "class A { process(x) { return x; } }\nnew A().process({ document: 1, window() {} });\n",
            vec![],
        ),
        (
            "const { document: d } = {};\n document.x; [...document];\n",
            vec![document],
        ),
        ("function f(x) {\n return document.x; }\n", vec![document]),
        ("const f = {\n document };\n", vec![document]),
        // Scopes are not told apart.
        ("function f(document) {}\n document.x;\n", vec![]),
        // It cannot be run, either.
        ("function (\n document.x;\n", vec![]),
    ] {
        assert_eq!(script(text), expected, "{text}");
    }
    // Types are no values, and what is only declared is still the host's.
    let text = "interface Worker { x: Buffer }\ndeclare const process: any;\nlet document = null as Worker | Buffer;\nconst é: Buffer =\n  process.env.X + document;\n";
    assert_eq!(
        lines(&Needs::of_source(&source(&[("main.ts", text)]))),
        ["process @ main.ts:5 NO use the input, and `env` of module `oacp`"]
    );
}

#[test]
fn a_component_says_what_it_imports() {
    let needs = Needs::of_imports([
        "wasi:io/streams@0.2.6",
        "wasi:clocks/monotonic-clock@0.2.6",
        "wasi:http/types@0.2.6",
        "wasi:http/outgoing-handler@0.2.6",
        "wasi:filesystem/preopens@0.2.6",
        "wasi:cli/environment@0.2.6",
        "wasi:sockets/tcp@0.2.6",
        "acme:db/query",
        "oacp:agent/tools@0.1.0",
        "oacp:agent/definitions@0.1.0",
        "wasi:logging/logging",
    ]);
    assert_eq!(
        lines(&needs),
        [
            "HTTP requests @ import of `wasi:http/outgoing-handler@0.2.6` net None",
            "files @ import of `wasi:filesystem/preopens@0.2.6` read None",
            "files @ import of `wasi:filesystem/preopens@0.2.6` write None",
            "environment variables @ import of `wasi:cli/environment@0.2.6` env None",
            "sockets @ import of `wasi:sockets/tcp@0.2.6` NO use `wasi:http`: opening a socket is denied",
            "acme:db/query @ import of `acme:db/query` NO compose the component with one that exports it: nothing here serves it",
            "tools @ import of `oacp:agent/tools@0.1.0` tool None",
        ]
    );
    assert_eq!(needs.impossible().count(), 2);
}

#[test]
fn the_map_puts_uses_beside_what_is_asked_and_granted() {
    let needs = Needs::of_source(&source(&[(
        "main.py",
        "import os, requests\nrequests.get('https://api.example.com/')\nopen('data/a.csv')\nopen('/etc/passwd')\nos.getenv(x)\nimport numpy\n",
    )]));
    let read = |json: &str| serde_json::from_str::<Capabilities>(json).unwrap();
    let asked = read(
        r#"{"file_read":["/w/data/**","/unused/**"],"network":{"allowlist":["*.example.com"]},"env":["LANG"]}"#,
    );
    let granted = read(
        r#"{"network":{"allowlist":["api.example.com"],"denylist":[]},"file_read":["/w/data/*.csv"],"env":["HOME"]}"#,
    );
    let base: GuestPath = "/w".parse().unwrap();
    let map = map(&needs, &asked, &granted, &base);
    let rows: Vec<_> = map
        .rows
        .iter()
        .map(|row| {
            let why = row.why.as_deref().unwrap_or("-");
            format!(
                "{} {} | {why} | {:?} | {:?}",
                row.capability, row.what, row.asked, row.granted
            )
        })
        .collect();
    let mut sorted = rows.clone();
    sorted.sort();
    assert_eq!(
        sorted,
        [
            "env os.getenv | main.py:5 | Some | Some",
            "file_read /etc/passwd | main.py:4 | No | No",
            "file_read /unused/** | - | Yes | No",
            "file_read /w/data/a.csv | main.py:3 | Yes | Yes",
            "network api.example.com:443 | main.py:2 | Yes | Yes",
        ]
    );
    assert_eq!(map.rows.last().unwrap().asked, Covered::Yes);
}

#[test]
fn what_is_granted_unasked_and_not_seen_to_be_used_is_in_the_map() {
    let needs = Needs::of_source(&source(&[("main.py", "open('/a/x')\n")]));
    let granted: Capabilities = serde_json::from_str(
        r#"{"file_read":["/a/**","/b/**"],"tools":["search"],"secrets":[{"name":"KEY","host":"a.example:443","header":"X","prefix":""}]}"#,
    )
    .unwrap();
    let base: GuestPath = "/w".parse().unwrap();
    let map = map(&needs, &Capabilities::default(), &granted, &base);
    let rows = map.rows.iter().map(|row| {
        assert_eq!((row.asked, row.granted), (Covered::No, Covered::Yes));
        format!("{} {} {}", row.capability, row.what, row.why.is_some())
    });
    assert_eq!(
        rows.collect::<Vec<_>>(),
        [
            "file_read /a/x true",
            "file_read /b/** false",
            "secrets KEY false",
            "tools search false"
        ]
    );
}

#[test]
fn hostile_texts_end_and_are_bounded() {
    let deep = "f(".repeat(100_000);
    // These are handed to the parser, as far as it takes them.
    let parsed_deep = format!("document;{deep}");
    let parsed_chain = format!("document{};", "\n.a()".repeat(100_000));
    let parsed_many = "document;\n".repeat(90_000);
    let quotes = "'''".repeat(50_001);
    let many: String = (0..10_000).map(|n| format!("import m{n}\n")).collect();
    let templates = "`${".repeat(50_000);
    let braces = "`${{{{".repeat(20_000);
    let formats = "f'{".repeat(50_000);
    let nested = "f'{x:{".repeat(50_000);
    let substituted = "`${a".repeat(50_000) + &"}`".repeat(50_000);
    let long = format!(
        "import {}\nopen('{}')\n",
        "x".repeat(100_000),
        "y".repeat(100_000)
    );
    for text in [
        &deep,
        &parsed_deep,
        &parsed_chain,
        &parsed_many,
        &quotes,
        &many,
        &templates,
        &braces,
        &formats,
        &nested,
        &substituted,
        &long,
        "",
        "\\",
        "'",
        "from",
        "import",
        "from .",
        "import a as",
        "open(",
    ] {
        for name in ["main.py", "main.js"] {
            let needs = Needs::of_source(&source(&[(name, text)]));
            assert!(needs.list.len() <= oacp_tool::limits::NEEDS_MAX);
            assert!(needs.list.iter().all(|need| need.what.len() < 1000));
        }
    }
    let same: String = "open('a')\n".repeat(1000);
    let needs = Needs::of_source(&source(&[("main.py", &same)]));
    assert_eq!(
        (
            needs.list.len(),
            needs.list[0].places.len(),
            needs.list[0].more
        ),
        (1, 8, 992)
    );
    let invalid = Source::single("main.py".parse().unwrap(), vec![0xff; 1000]).unwrap();
    assert!(Needs::of_source(&invalid).list.is_empty());
}
