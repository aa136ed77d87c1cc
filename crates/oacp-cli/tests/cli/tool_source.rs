//! Tools from elsewhere, and signed ones.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::path::PathBuf;

use expect_test::expect;
use oacp::digest::Digest;

use crate::session::Session;

const WEATHER: &str = "\
def forecast(city: str) -> int:
    \"\"\"The forecast for a town.\"\"\"
    return len(city)
";

const AGENT: &str = "\
import oacp
def run(input):
    return oacp.tools.call('forecast', city=input)
";

/// Serves the files of a directory, as they are when they are asked for. Goes on until the process ends.
fn serve(dir: PathBuf) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let host = listener.local_addr().unwrap().to_string();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let (mut head, mut buffer) = (vec![], [0; 4096]);
            while !head.ends_with(b"\r\n\r\n") {
                match stream.read(&mut buffer) {
                    Ok(count) if count > 0 => head.extend_from_slice(&buffer[..count]),
                    _ => break,
                }
            }
            let head = String::from_utf8(head).unwrap();
            let name = head.split(' ').nth(1).unwrap_or_default();
            let (status, body) = match std::fs::read(dir.join(name.trim_start_matches('/'))) {
                Ok(body) => ("200 OK", body),
                Err(_) => ("404 Not Found", vec![]),
            };
            let length = body.len();
            let head = format!(
                "HTTP/1.1 {status}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n"
            );
            let _ = stream.write_all(&[head.as_bytes(), &body].concat());
        }
    });
    host
}

struct Served {
    session: Session,
    host: String,
}

impl Served {
    fn new(name: &str) -> Self {
        let session = Session::with_runtimes(name);
        session.write("www/weather.py", WEATHER);
        session.write("agent.py", AGENT);
        let host = serve(session.path("www"));
        Self { session, host }
    }

    fn url(&self, text: &str) -> String {
        let digest = Digest::of(text.as_bytes());
        format!("http://{}/weather.py#{digest}", self.host)
    }
}

#[test]
fn a_tool_comes_from_a_url_and_is_what_its_digest_says() {
    let served = Served::new("tool-url");
    let (session, url) = (&served.session, served.url(WEATHER));
    session.check(
        &["tool", "add", &format!("http://{}/weather.py", served.host)],
        expect![[r#"
            $ oacp tool add http://127.0.0.1:[port]/weather.py
            ! error: `http://127.0.0.1:[port]/weather.py`: it does not say what the file has to hash to; add `#sha256:` and the 64 digits that `sha256sum` prints for it
            exit 3
        "#]],
    );
    session.check(&["tool", "add", &served.url("another")], expect![[r#"
        $ oacp tool add http://127.0.0.1:[port]/weather.py#sha256:ae448ac86c4e8e4dec645729708ef41873ae79c6dff84eff73360989487f08e5
        ! error: `http://127.0.0.1:[port]/weather.py` hashes to sha256:2c29ad0c305350d0f211f8ffb03de8f9a4c97c773a2db896b41a8cd651883869, expected sha256:ae448ac86c4e8e4dec645729708ef41873ae79c6dff84eff73360989487f08e5
        !   hint: it is not the file that was meant: ask its publisher which digest is right
        exit 3
    "#]]);
    session.check(
        &["tool", "list"],
        expect![[r#"
        $ oacp tool list
        ! no tool is registered; `oacp tool add FILE` registers one
    "#]],
    );
    session.check(&["tool", "add", &url], expect![[r#"
        $ oacp tool add http://127.0.0.1:[port]/weather.py#sha256:2c29ad0c305350d0f211f8ffb03de8f9a4c97c773a2db896b41a8cd651883869
        forecast  sha256:1847fa44b892b61a255566772247bd518fe83a73aa673e57659e04eb59b0a538
        ! ✓ fetched   weather.py sha256:2c29ad0c305350d0f211f8ffb03de8f9a4c97c773a2db896b41a8cd651883869
        ! ✓ schema    forecast
        ! ✓ rights    nothing is granted
        ! ✓ compiled  python
        ! ✓ bound     sha256:a5df2715ca58103dcd1666bed5455d514ee3e82b841987913e0a1ef44cb81ab1 logged in oacp.local/[key] at index 0
        ! next: oacp run AGENT --allow-tool forecast
    "#]]);
    session.check(&["tool", "show", "forecast"], expect![[r#"
        $ oacp tool show forecast
        forecast  sha256:1847fa44b892b61a255566772247bd518fe83a73aa673e57659e04eb59b0a538

        The forecast for a town.

        takes   {
          "$schema": "https://json-schema.org/draft/2020-12/schema",
          "additionalProperties": false,
          "properties": {
            "city": {
              "type": "string"
            }
          },
          "required": [
            "city"
          ],
          "type": "object"
        }
        gives   {
          "type": "integer"
        }
        rights  none
        code    sha256:e552cbc7cb3b1b6551aed962814cadf425590afe508deb2b2f3e5d33deec4f2f
        from    http://127.0.0.1:[port]/weather.py#sha256:2c29ad0c305350d0f211f8ffb03de8f9a4c97c773a2db896b41a8cd651883869
        added   [time]
    "#]]);
    session.check(
        &[
            "run",
            "agent.py",
            "--input",
            "\"Bern\"",
            "--allow-tool",
            "forecast",
        ],
        expect![[r#"
            $ oacp run agent.py --input "Bern" --allow-tool forecast
            4
            ! logged as entry 4 of oacp.local/[key] (5 entries)
            ! ok · [took] · [fuel] · 1 tool call · oacp verify ~/oacp/runs/[id].json
        "#]],
    );
    // What is there now is of no concern to what was registered.
    let changed = WEATHER.replace("len(city)", "0");
    session.write("www/weather.py", &changed);
    session.check(&["tool", "accept", "forecast", "--yes"], expect![[r#"
        $ oacp tool accept forecast --yes
        ! error: `http://127.0.0.1:[port]/weather.py#sha256:2c29ad0c305350d0f211f8ffb03de8f9a4c97c773a2db896b41a8cd651883869` is named by its digest, and cannot change
        !   hint: say where another version is with --from
        exit 3
    "#]]);
    let from = served.url(&changed);
    session.check(
        &["tool", "accept", "forecast", "--from", &from, "--yes"],
        expect![[r#"
            $ oacp tool accept forecast --from http://127.0.0.1:[port]/weather.py#sha256:cd65e77bee010839087a442655e40dae086da683bb99b275fe222fc9de912774 --yes
            - forecast code: sha256:e552cbc7cb3b1b6551aed962814cadf425590afe508deb2b2f3e5d33deec4f2f
            + forecast code: sha256:a8c9522eda0a4a97808f2c9af31e14b219eb96452984cbe299d29f6cc4fd93b9
            ! ✓ fetched   weather.py sha256:cd65e77bee010839087a442655e40dae086da683bb99b275fe222fc9de912774
            ! ✓ accepted  sha256:77620646b495dbb6090a82aa9e95cec9c5cd4b95c07891667f19f4a9bc76987c logged in oacp.local/[key] at index 7
        "#]],
    );
    assert_eq!(
        session.stdout(&[
            "run",
            "agent.py",
            "--input",
            "\"Bern\"",
            "--allow-tool",
            "forecast"
        ]),
        "0\n"
    );
}

#[test]
fn what_is_not_signed_is_refused_where_that_is_required() {
    let served = Served::new("tool-signed");
    let (session, url) = (&served.session, served.url(WEATHER));
    let publisher = Session::with_runtimes("tool-publisher");
    publisher.write("weather.py", WEATHER);
    let key = publisher.stdout(&["key", "show"]);
    session.write("publisher.pem", &key);
    let add = ["tool", "add", &url, "--publisher-key", "publisher.pem"];
    session.check(&add, expect![[r#"
        $ oacp tool add http://127.0.0.1:[port]/weather.py#sha256:2c29ad0c305350d0f211f8ffb03de8f9a4c97c773a2db896b41a8cd651883869 --publisher-key publisher.pem
        ! error: `http://127.0.0.1:[port]/weather.py` is not signed by `publisher.pem` (key [keyid]); looked for in `http://127.0.0.1:[port]/weather.py.dsse.json` (not there)
        !   hint: `oacp tool sign FILE` signs with this node's key, and cosign with its own; --publisher-key FILE names another key
        exit 3
    "#]]);
    // By another key: this node's own.
    session.check(&["tool", "sign", "www/weather.py"], expect![[r#"
        $ oacp tool sign www/weather.py
        sha256:2c29ad0c305350d0f211f8ffb03de8f9a4c97c773a2db896b41a8cd651883869  www/weather.py.dsse.json
        ! others take it with --publisher-key FILE; `oacp key show` prints what belongs into that file
    "#]]);
    session.check(&add, expect![[r#"
        $ oacp tool add http://127.0.0.1:[port]/weather.py#sha256:2c29ad0c305350d0f211f8ffb03de8f9a4c97c773a2db896b41a8cd651883869 --publisher-key publisher.pem
        ! error: `http://127.0.0.1:[port]/weather.py` is not signed by `publisher.pem` (key [keyid]); looked for in `http://127.0.0.1:[port]/weather.py.dsse.json` (signed by another key, or something else)
        !   hint: `oacp tool sign FILE` signs with this node's key, and cosign with its own; --publisher-key FILE names another key
        exit 3
    "#]]);
    session.check(
        &["tool", "list"],
        expect![[r#"
        $ oacp tool list
        ! no tool is registered; `oacp tool add FILE` registers one
    "#]],
    );

    publisher.check(&["tool", "sign", "weather.py"], expect![[r#"
        $ oacp tool sign weather.py
        sha256:2c29ad0c305350d0f211f8ffb03de8f9a4c97c773a2db896b41a8cd651883869  weather.py.dsse.json
        ! others take it with --publisher-key FILE; `oacp key show` prints what belongs into that file
    "#]]);
    session.write(
        "www/weather.py.dsse.json",
        publisher.read("weather.py.dsse.json"),
    );
    session.check(&add, expect![[r#"
        $ oacp tool add http://127.0.0.1:[port]/weather.py#sha256:2c29ad0c305350d0f211f8ffb03de8f9a4c97c773a2db896b41a8cd651883869 --publisher-key publisher.pem
        forecast  sha256:1847fa44b892b61a255566772247bd518fe83a73aa673e57659e04eb59b0a538
        ! ✓ fetched   weather.py sha256:2c29ad0c305350d0f211f8ffb03de8f9a4c97c773a2db896b41a8cd651883869
        ! ✓ signed    dsse, key [keyid]
        ! ✓ schema    forecast
        ! ✓ rights    nothing is granted
        ! ✓ compiled  python
        ! ✓ bound     sha256:a5df2715ca58103dcd1666bed5455d514ee3e82b841987913e0a1ef44cb81ab1 logged in oacp.local/[key] at index 0
        ! next: oacp run AGENT --allow-tool forecast
    "#]]);
    let shown = session.stdout(&["tool", "show", "forecast"]);
    assert!(shown.contains("\nsigned  dsse, key "), "{shown}");
    // Another version has to be signed as this one was.
    let changed = WEATHER.replace("len(city)", "0");
    session.write("www/weather.py", &changed);
    let from = served.url(&changed);
    let accept = ["tool", "accept", "forecast", "--yes", "--from", &from];
    session.check(&accept, expect![[r#"
        $ oacp tool accept forecast --yes --from http://127.0.0.1:[port]/weather.py#sha256:cd65e77bee010839087a442655e40dae086da683bb99b275fe222fc9de912774
        ! error: `forecast` was registered with a signature by the key [keyid], and another version would be taken without one
        !   hint: say --publisher-key FILE or --require-signature, as when it was added
        exit 3
    "#]]);
    let by_publisher = [accept.as_slice(), &["--publisher-key", "publisher.pem"]].concat();
    session.check(&by_publisher, expect![[r#"
        $ oacp tool accept forecast --yes --from http://127.0.0.1:[port]/weather.py#sha256:cd65e77bee010839087a442655e40dae086da683bb99b275fe222fc9de912774 --publisher-key publisher.pem
        ! error: `http://127.0.0.1:[port]/weather.py` is not signed by `publisher.pem` (key [keyid]); looked for in `http://127.0.0.1:[port]/weather.py.dsse.json` (signed by another key, or something else)
        !   hint: `oacp tool sign FILE` signs with this node's key, and cosign with its own; --publisher-key FILE names another key
        exit 3
    "#]]);
}

#[test]
fn a_file_of_this_machine_can_be_required_to_be_signed() {
    let session = Session::with_runtimes("tool-signed-file");
    session.write("weather.py", WEATHER);
    session.write("several/tool.py", WEATHER);
    let add = ["tool", "add", "weather.py", "--require-signature"];
    session.check(&add, expect![[r#"
        $ oacp tool add weather.py --require-signature
        ! error: `weather.py` is not signed by `this node` (key [keyid]); looked for in `weather.py.dsse.json` (not there)
        !   hint: `oacp tool sign FILE` signs with this node's key, and cosign with its own; --publisher-key FILE names another key
        exit 3
    "#]]);
    session.stdout(&["tool", "sign", "weather.py"]);
    session.check(&add, expect![[r#"
        $ oacp tool add weather.py --require-signature
        forecast  sha256:1847fa44b892b61a255566772247bd518fe83a73aa673e57659e04eb59b0a538
        ! ✓ signed    dsse, key [keyid]
        ! ✓ schema    forecast
        ! ✓ rights    nothing is granted
        ! ✓ compiled  python
        ! ✓ bound     sha256:a5df2715ca58103dcd1666bed5455d514ee3e82b841987913e0a1ef44cb81ab1 logged in oacp.local/[key] at index 0
        ! next: oacp run AGENT --allow-tool forecast
    "#]]);
    session.check(
        &["tool", "add", "several", "--require-signature"],
        expect![[r#"
            $ oacp tool add several --require-signature
            ! error: `several` is not one file with .py, .js, .mjs, .ts, .mts or .wasm at its end, which could be signed
            exit 3
        "#]],
    );
    session.write("not-a-key.pem", "x");
    session.check(
        &[
            "tool",
            "add",
            "weather.py",
            "--publisher-key",
            "not-a-key.pem",
        ],
        expect![[r#"
            $ oacp tool add weather.py --publisher-key not-a-key.pem
            ! error: `not-a-key.pem`
            !   cause: it is not a public key in PEM
            exit 3
        "#]],
    );
    session.check(
        &["tool", "add", "ftp://a.example/x.py"],
        expect![[r#"
        $ oacp tool add ftp://a.example/x.py
        ! error: `ftp://a.example/x.py`: a tool comes from a path, from `https://` or from `oci://`
        exit 3
    "#]],
    );
}

#[test]
fn a_configuration_names_a_tool_that_is_elsewhere_and_it_is_registered_when_it_may_be_called() {
    let served = Served::new("tool-declared-elsewhere");
    let session = &served.session;
    let url = format!("http://{}/weather.py", served.host);
    let tools = |sha256: Digest| {
        let source = format!("{{ url: \"{url}\", sha256: \"{sha256}\" }}");
        format!(
            "tools:\n  forecast:\n    source: {source}\nsandbox:\n  capabilities:\n    tools: [forecast]\n"
        )
    };
    session.write("other.yaml", tools(Digest::of(b"another")));
    session.check(&["run", "agent.py", "--config", "other.yaml"], expect![[r#"
        $ oacp run agent.py --config other.yaml
        ! error: the tool `forecast` of the configuration
        !   cause: `http://127.0.0.1:[port]/weather.py` hashes to sha256:2c29ad0c305350d0f211f8ffb03de8f9a4c97c773a2db896b41a8cd651883869, expected sha256:ae448ac86c4e8e4dec645729708ef41873ae79c6dff84eff73360989487f08e5
        !   hint: it is not the file that was meant: ask its publisher which digest is right
        exit 3
    "#]]);
    session.write("c.yaml", tools(Digest::of(WEATHER.as_bytes())));
    session.check(&["run", "agent.py", "--config", "c.yaml", "--input", "\"Bern\""], expect![[r#"
        $ oacp run agent.py --config c.yaml --input "Bern"
        4
        ! ✓ fetched   weather.py sha256:2c29ad0c305350d0f211f8ffb03de8f9a4c97c773a2db896b41a8cd651883869
        ! ✓ registered forecast sha256:a5df2715ca58103dcd1666bed5455d514ee3e82b841987913e0a1ef44cb81ab1 logged in oacp.local/[key] at index 0
        ! logged as entry 4 of oacp.local/[key] (5 entries)
        ! ok · [took] · [fuel] · 1 tool call · oacp verify ~/oacp/runs/[id].json
    "#]]);
    // From then on it is there, and its place is asked for nothing.
    session.write("www/weather.py", "nothing");
    session.check(
        &[
            "run", "agent.py", "--config", "c.yaml", "--input", "\"Bern\"",
        ],
        expect![[r#"
        $ oacp run agent.py --config c.yaml --input "Bern"
        4
        ! logged as entry 10 of oacp.local/[key] (11 entries)
        ! ok · [took] · [fuel] · 1 tool call · oacp verify ~/oacp/runs/[id].json
    "#]],
    );
    session.check(&["run", "agent.py", "--config", "other.yaml"], expect![[r#"
        $ oacp run agent.py --config other.yaml
        ! error: the configuration has the tool `forecast` from `http://127.0.0.1:[port]/weather.py#sha256:ae448ac86c4e8e4dec645729708ef41873ae79c6dff84eff73360989487f08e5`, and the one that is registered comes from `http://127.0.0.1:[port]/weather.py#sha256:2c29ad0c305350d0f211f8ffb03de8f9a4c97c773a2db896b41a8cd651883869`
        !   hint: give it another name in the configuration, or take the registered one out: oacp tool remove forecast
        exit 3
    "#]]);
    session.write(
        "tool/tool.yaml",
        format!("name: forecast\nsource: \"{}\"\n", served.url(WEATHER)),
    );
    session.check(&["tool", "test", "tool"], expect![[r#"
        $ oacp tool test tool
        ! error: its code is at `http://127.0.0.1:[port]/weather.py#sha256:2c29ad0c305350d0f211f8ffb03de8f9a4c97c773a2db896b41a8cd651883869`: what is tried has to lie here
        exit 3
    "#]]);
}
