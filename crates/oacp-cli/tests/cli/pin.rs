//! What tools are pinned to.

use expect_test::expect;

use crate::session::Session;

#[test]
fn a_pin_is_shown_compared_and_demanded() {
    let session = Session::with_runtimes("pin");
    session.write(
        "two.py",
        "def one() -> int:\n    \"\"\"One.\"\"\"\n    return 1\n\ndef two() -> int:\n    \"\"\"Two.\"\"\"\n    return 2\n",
    );
    let wrong = format!("sha256:{}", "0".repeat(64));
    session.check(&["tool", "add", "two.py", "--pin", &wrong], expect![[r#"
        $ oacp tool add two.py --pin sha256:0000000000000000000000000000000000000000000000000000000000000000
        ! error: the pin of `two` is sha256:f1473064f4ca7073679081642afd71c61f533394c826771d12bb0470e593603a, expected sha256:0000000000000000000000000000000000000000000000000000000000000000
        exit 3
    "#]]);
    assert_eq!(session.stdout(&["tool", "list"]), "");
    session.stdout(&["tool", "add", "two.py"]);
    session.check(
        &["tool", "pin", "two"],
        expect![[r#"
        $ oacp tool pin two
        two  sha256:f1473064f4ca7073679081642afd71c61f533394c826771d12bb0470e593603a
          two.one  sha256:0a046ca8d27619fd04c0f17e2630b15ef14a22e683238ba1b534e8fd4c8fa3fa
          code sha256:a341d7c6add10ff1041729298bee2144dda0641d2bff9f8ca2f4a0609a0adcf5
          two.two  sha256:6f1ef995689c2dd505b72ad5f54cf7410dc99685badbc7dcebd57a23dab05d46
          code sha256:5bdf2faa96041e60ea7b76f95b3efc0927ba637271d30cc4af707571847c3d1c
    "#]],
    );
    session.check(
        &["tool", "pin", "two.one"],
        expect![[r#"
        $ oacp tool pin two.one
        two.one  sha256:0a046ca8d27619fd04c0f17e2630b15ef14a22e683238ba1b534e8fd4c8fa3fa
          code sha256:a341d7c6add10ff1041729298bee2144dda0641d2bff9f8ca2f4a0609a0adcf5
    "#]],
    );
    let pin_of = |name| {
        let shown = session.stdout(&["tool", "pin", name]);
        let line = shown.lines().next().unwrap();
        line.split_whitespace().last().unwrap().to_owned()
    };
    for name in ["two", "two.one"] {
        let pin = pin_of(name);
        session.stdout(&["tool", "pin", name, "--expect", &pin]);
        let other = session.oacp(&["tool", "pin", name, "--expect", &wrong]);
        assert_eq!(other.status.code(), Some(1));
    }
    let pin = pin_of("two");
    session.check(
        &["tool", "pin", "two.two", "--expect", &pin, "--json"],
        expect![[r#"
            $ oacp tool pin two.two --expect sha256:f1473064f4ca7073679081642afd71c61f533394c826771d12bb0470e593603a --json
            {"matches":false,"name":"two.two","pin":"sha256:6f1ef995689c2dd505b72ad5f54cf7410dc99685badbc7dcebd57a23dab05d46","tools":{"two.two":{"code":"sha256:5bdf2faa96041e60ea7b76f95b3efc0927ba637271d30cc4af707571847c3d1c","digest":"sha256:6f1ef995689c2dd505b72ad5f54cf7410dc99685badbc7dcebd57a23dab05d46"}}}
            ! `two.two` is pinned to something else than sha256:f1473064f4ca7073679081642afd71c61f533394c826771d12bb0470e593603a
            exit 1
        "#]],
    );
    session.stdout(&["tool", "remove", "two"]);
    session.stdout(&["tool", "add", "two.py", "--pin", &pin]);
    session.check(
        &["tool", "pin", "three"],
        expect![[r#"
        $ oacp tool pin three
        ! error: no package or tool `three` is registered
        !   hint: `oacp tool list` shows those that are
        exit 3
    "#]],
    );
    session.check(
        &["tool", "pin", "two.three"],
        expect![[r#"
        $ oacp tool pin two.three
        ! error: no package or tool `two.three` is registered
        !   hint: `oacp tool list` shows those that are
        exit 3
    "#]],
    );
}

#[test]
fn a_directory_is_accepted_at_the_entry_that_was_named() {
    let session = Session::with_runtimes("pin-entry");
    let written =
        |text: &str| format!("def hello() -> str:\n    \"\"\"{text}\"\"\"\n    return 'hello'\n");
    session.write("dir/other/start.py", written("Greets."));
    session.write(
        "dir/tool.py",
        "def wrong() -> int:\n    \"\"\"Not this one.\"\"\"\n    return 0\n",
    );
    let add = ["tool", "add", "dir", "--entry", "other/start.py"];
    assert!(session.stdout(&add).starts_with("hello "));
    session.write("dir/other/start.py", written("Greets everybody."));
    session.check(&["tool", "accept", "hello", "--yes"], expect![[r#"
        $ oacp tool accept hello --yes
        - hello description: Greets.
        + hello description: Greets everybody.
        - hello code: sha256:334b87d0296c6eb3e452248818b70cff3e510af94e9133a8286b9f8a79cb1ebf
        + hello code: sha256:8e83e7ae81d9ab17c73e0490831db154fe8a4910c88f6ce1802f23770d24ef28
        ! ✓ accepted  sha256:4b5dc7a399b3928109e3e0222c88e76d2a8f53866c22bca55cd7945514f314ca logged in oacp.local/[key] at index 1
    "#]]);
}
