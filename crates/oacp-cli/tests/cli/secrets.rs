//! Secrets: where their values come from, and that they show nowhere.

use std::path::Path;

use expect_test::expect;

use crate::server::server;
use crate::session::Session;

const VALUE: &str = "s3cr3t/value+with \"quotes\" 0123456789";

fn configure(session: &Session, port: u16, from: &str) {
    session.write(
        "oacp.yaml",
        format!(
            "secrets:\n  TOKEN:\n    from: {from}\n    host: \"127.0.0.1:{port}\"\n    header: \"X-Token\"\n    prefix: \"Key \"\n\
             sandbox:\n  capabilities:\n    network: [{{ host: \"127.0.0.1:{port}\", private: true }}]\n    env: [\"*\"]\n    secrets: [TOKEN]\n"
        ),
    );
}

const FETCH: &str = "import os, urllib.request\ndef run(url):\n    print(os.environ)\n    print(os.environ.get('TOKEN'))\n    return urllib.request.urlopen(url).read().decode()\n";

/// The forms in which a value could lie somewhere.
fn forms() -> Vec<Vec<u8>> {
    use base64::Engine;
    use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
    let percent: String = VALUE.bytes().map(|b| format!("%{b:02X}")).collect();
    let json = serde_json::to_string(VALUE).unwrap();
    vec![
        VALUE.as_bytes().to_vec(),
        json.trim_matches('"').as_bytes().to_vec(),
        // Its middle, which is the same at every alignment of three bytes.
        STANDARD_NO_PAD.encode(VALUE).into_bytes(),
        STANDARD_NO_PAD.encode(&VALUE[1..]).into_bytes(),
        STANDARD_NO_PAD.encode(&VALUE[2..]).into_bytes(),
        URL_SAFE_NO_PAD.encode(VALUE).into_bytes(),
        percent.to_lowercase().into_bytes(),
        percent.into_bytes(),
        VALUE.replace(' ', "%20").into_bytes(),
    ]
}

fn assert_absent(bytes: &[u8], place: &str) {
    for form in forms() {
        assert!(
            !bytes.windows(form.len()).any(|window| window == form),
            "{place} holds {}",
            String::from_utf8_lossy(&form)
        );
    }
}

/// No file below holds the value in any form; bundles' blobs are looked into.
fn search(dir: &Path) {
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            search(&path);
            continue;
        }
        let bytes = std::fs::read(&path).unwrap();
        assert_absent(&bytes, path.to_str().unwrap());
        let blobs = serde_json::from_slice::<serde_json::Value>(&bytes)
            .ok()
            .and_then(|json| json["blobs"].as_object().cloned());
        for blob in blobs.unwrap_or_default().values() {
            use base64::Engine;
            let blob = base64::engine::general_purpose::STANDARD.decode(blob.as_str().unwrap());
            assert_absent(&blob.unwrap(), path.to_str().unwrap());
        }
    }
}

#[test]
fn a_secret_is_sent_and_shows_nowhere() {
    let session = Session::with_runtimes("secret");
    session.write("agent.py", FETCH);
    let port = server(|request| {
        let sent = request.contains(&format!("x-token: Key {VALUE}"))
            || request.contains(&format!("X-Token: Key {VALUE}"));
        format!("sent: {sent}")
    });
    configure(&session, port, "{ env: TOKEN }");
    let url = format!("\"http://127.0.0.1:{port}/\"");
    let arguments = ["run", "agent.py", "--config", "oacp.yaml", "--input", &url];
    let output = session
        .command(&arguments)
        .env("TOKEN", VALUE)
        .output()
        .unwrap();
    assert_eq!(
        String::from_utf8_lossy(&output.stdout),
        "\"sent: true\"\n",
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    assert_absent(&output.stderr, "standard error");
    search(&session.path(""));

    // A server that gives it back, plainly and encoded.
    for answer in [
        (|request: &str| request.to_owned()) as fn(&str) -> String,
        |_: &str| {
            use base64::Engine;
            base64::engine::general_purpose::STANDARD.encode(VALUE)
        },
    ] {
        let port = server(answer);
        configure(&session, port, "{ env: TOKEN }");
        let url = format!("\"http://127.0.0.1:{port}/\"");
        let arguments = ["run", "agent.py", "--config", "oacp.yaml", "--input", &url];
        let output = session
            .command(&arguments)
            .env("TOKEN", VALUE)
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(1));
        let text = String::from_utf8_lossy(&output.stderr);
        assert!(text.contains("secret_reflected"), "{text}");
        assert_absent(&output.stdout, "standard output");
        assert_absent(&output.stderr, "standard error");
        search(&session.path(""));
    }
}

/// A tool that fetches what it is told to, and an agent that tells it and tries it itself.
fn with_tool(session: &Session, port: u16) {
    session.write(
        "fetch.py",
        FETCH.replace(
            "def run(url):\n",
            "def fetch(url: str) -> str:\n    \"\"\"Fetches.\"\"\"\n",
        ),
    );
    session.write(
        "agent.py",
        "import oacp, urllib.request\ndef run(url):\n    try:\n        urllib.request.urlopen(url)\n    except PermissionError:\n        return oacp.tools.call('fetch', url=url)\n",
    );
    defined(session, port);
    let host = format!("127.0.0.1:{port}");
    session.stdout(&[
        "tool",
        "add",
        "fetch.py",
        "--config",
        "oacp.yaml",
        "--allow-net",
        &host,
        "--allow-env",
        "*",
        "--secret",
        "TOKEN",
    ]);
}

/// The secret, which no run is granted.
fn defined(session: &Session, port: u16) {
    session.write(
        "oacp.yaml",
        format!(
            "secrets:\n  TOKEN: {{ from: {{ env: TOKEN }}, host: \"127.0.0.1:{port}\", header: X-Token, prefix: \"Key \" }}\n"
        ),
    );
}

#[test]
fn a_tool_s_secret_is_sent_and_shows_nowhere_nor_to_the_agent() {
    for (answer, expected) in [
        (
            (|request: &str| {
                let request = request.to_ascii_lowercase();
                let sent = request.contains(&format!("x-token: key {VALUE}").to_ascii_lowercase());
                format!("sent: {sent}")
            }) as fn(&str) -> String,
            Ok("\"sent: true\"\n"),
        ),
        // A server that gives it back.
        (
            |request: &str| request.to_owned(),
            Err("holds the secret's value"),
        ),
    ] {
        let session = Session::with_runtimes("secret-tool");
        let port = server(answer);
        with_tool(&session, port);
        let url = format!("\"http://127.0.0.1:{port}/\"");
        let arguments = [
            "run",
            "agent.py",
            "--config",
            "oacp.yaml",
            "--allow-tool",
            "fetch",
            "--input",
            &url,
            "--bundle",
            "run.json",
        ];
        let output = session
            .command(&arguments)
            .env("TOKEN", VALUE)
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        match expected {
            Ok(answer) => assert_eq!(String::from_utf8_lossy(&output.stdout), answer, "{said}"),
            Err(code) => assert!(said.contains(code), "{said}"),
        }
        assert_absent(&output.stdout, "standard output");
        assert_absent(&output.stderr, "standard error");
        search(&session.path(""));
        // Neither does a replay need it, nor show it.
        let replayed = session.oacp(&["replay", "run.json"]);
        assert!(replayed.status.success());
        assert_absent(&replayed.stdout, "the replay");
    }
}

#[test]
fn a_tool_gets_no_secret_but_the_one_that_was_meant() {
    let session = Session::with_runtimes("secret-tool-other");
    with_tool(&session, 80);
    let run = [
        "run",
        "agent.py",
        "--config",
        "oacp.yaml",
        "--allow-tool",
        "fetch",
        "--input",
        "\"http://127.0.0.1/\"",
    ];
    session.check(
        &run,
        expect![[r#"
        $ oacp run agent.py --config oacp.yaml --allow-tool fetch --input "http://127.0.0.1/"
        ! error: the secret `TOKEN` cannot be had
        !   cause: the environment variable `TOKEN` is not set
        exit 3
    "#]],
    );
    // The configuration has it for another host by now.
    defined(&session, 81);
    session.check(&run, expect![[r#"
        $ oacp run agent.py --config oacp.yaml --allow-tool fetch --input "http://127.0.0.1/"
        ! error: the secret `TOKEN` is for another host or place than when the tool `fetch` was granted it
        !   hint: remove the tool and add it again, if it shall have the secret as it is now
        exit 3
    "#]]);
    session.write("oacp.yaml", "{}\n");
    session.check(&run, expect![[r#"
        $ oacp run agent.py --config oacp.yaml --allow-tool fetch --input "http://127.0.0.1/"
        ! error: tool `fetch`: no secret `TOKEN` is defined
        !   hint: write it into the configuration: secrets: { TOKEN: { from: { env: TOKEN }, host: "api.example.com", header: "Authorization", prefix: "Bearer " } }
        exit 3
    "#]]);
}

#[test]
fn what_is_wrong_with_a_secret_is_said_without_its_value() {
    let session = Session::new("secret-mistakes");
    session.write("agent.py", FETCH);
    let run = ["run", "agent.py", "--config", "oacp.yaml"];
    configure(&session, 80, "{ env: NOT_SET }");
    session.check(
        &run,
        expect![[r#"
        $ oacp run agent.py --config oacp.yaml
        ! error: the secret `TOKEN` cannot be had
        !   cause: the environment variable `NOT_SET` is not set
        exit 3
    "#]],
    );
    configure(&session, 80, "{ file: short.key }");
    let key = session.write("short.key", "hunter2\n");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        session.check(
            &run,
            expect![[r#"
            $ oacp run agent.py --config oacp.yaml
            ! error: the secret `TOKEN` cannot be had
            !   cause: `[dir]/short.key` can be read by others (mode 644)
            !   hint: chmod 600 ~/short.key
            exit 3
        "#]],
        );
        std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o600)).unwrap();
    }
    session.check(
        &run,
        expect![[r#"
        $ oacp run agent.py --config oacp.yaml
        ! error: the secret `TOKEN` is refused
        !   cause: the value has 7 bytes, a secret needs at least 16
        exit 3
    "#]],
    );
    configure(
        &session,
        80,
        "{ command: [\"sh\", \"-c\", \"echo hunter2hunter2hunter2; exit 4\"] }",
    );
    session.check(
        &run,
        expect![[r#"
        $ oacp run agent.py --config oacp.yaml
        ! error: the secret `TOKEN` cannot be had
        !   cause: `sh` ended with exit status: 4
        exit 3
    "#]],
    );
    configure(&session, 80, "{ command: [\"no-such-program\"] }");
    session.check(
        &run,
        expect![[r#"
        $ oacp run agent.py --config oacp.yaml
        ! error: the secret `TOKEN` cannot be had
        !   cause: `no-such-program` cannot be started
        !   cause: No such file or directory (os error 2)
        exit 3
    "#]],
    );
    configure(&session, 80, "{ vault: x }");
    session.check(
        &run,
        expect![[r#"
        $ oacp run agent.py --config oacp.yaml
        ! error: oacp.yaml:3:13: unknown value `vault`
        !   hint: known here: `env`, `file`, `command`
        exit 3
    "#]],
    );
    session.write(
        "oacp.yaml",
        "secrets:\n  TOKEN: { from: { env: T }, host: \"*.example.com\", header: X }\n",
    );
    session.check(&run, expect![[r#"
        $ oacp run agent.py --config oacp.yaml
        ! error: oacp.yaml:2:10: secret `TOKEN` needs an exact `host` or `host:port`, found `*.example.com:443`
        exit 3
    "#]]);
    session.write(
        "oacp.yaml",
        "secrets:\n  TOKEN: { from: { env: T }, host: example.com }\n",
    );
    session.check(&run, expect![[r#"
        $ oacp run agent.py --config oacp.yaml
        ! error: oacp.yaml:2:10: secret `TOKEN` needs one of `header` (with an optional `prefix`) and `query`
        exit 3
    "#]]);
    session.write(
        "oacp.yaml",
        "sandbox: { capabilities: { secrets: [TOKNE] } }\nsecrets:\n  TOKEN: { from: { env: T }, host: example.com, header: X }\n",
    );
    session.check(&run, expect![[r#"
        $ oacp run agent.py --config oacp.yaml
        ! error: oacp.yaml:1:38: no secret `TOKNE` is defined; did you mean `TOKEN`?
        !   hint: write it into the configuration: secrets: { TOKNE: { from: { env: TOKNE }, host: "api.example.com", header: "Authorization", prefix: "Bearer " } }
        exit 3
    "#]]);
}
