use expect_test::expect;
use serde_json::Value;

use crate::session::Session;

#[test]
fn the_first_run_makes_a_key_that_only_its_owner_can_read() {
    let session = Session::with_runtimes("first-key");
    std::fs::remove_file(session.path("oacp/node.key")).unwrap();
    session.write("agent.py", "def run(input):\n    return 1\n");
    let output = session.oacp(&["run", "agent.py"]);
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(stderr.starts_with("made this node's key "), "{stderr}");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = |path: &str| {
            std::fs::metadata(session.path(path))
                .unwrap()
                .permissions()
                .mode()
                & 0o777
        };
        assert_eq!(
            (mode("oacp"), mode("oacp/runs"), mode("oacp/node.key")),
            (0o700, 0o700, 0o600)
        );
        let bundle = std::fs::read_dir(session.path("oacp/runs"))
            .unwrap()
            .next()
            .unwrap()
            .unwrap();
        assert_eq!(
            bundle.metadata().unwrap().permissions().mode() & 0o777,
            0o600
        );
    }
}

#[cfg(unix)]
#[test]
fn a_key_that_others_can_read_is_refused() {
    use std::os::unix::fs::PermissionsExt;
    let session = Session::new("shared-key");
    session.stdout(&["key", "new"]);
    std::fs::set_permissions(
        session.path("oacp/node.key"),
        std::fs::Permissions::from_mode(0o644),
    )
    .unwrap();
    session.check(&["key", "show"], expect![[r#"
        $ oacp key show
        ! error: the node's key `[dir]/oacp/node.key` can be read by others (mode 644)
        !   hint: chmod 600 ~/oacp/node.key; if somebody may have read it: `oacp key new --force` makes another, which no trust file knows
        exit 2
    "#]]);
}

#[test]
fn a_key_is_never_replaced_silently() {
    let session = Session::new("key");
    let before: Value = serde_json::from_str(&session.stdout(&["key", "new", "--json"])).unwrap();
    session.check(
        &["key", "new"],
        expect![[r#"
        $ oacp key new
        ! error: this node has a key already, ~/oacp/node.key
        !   hint: --force puts it aside and makes another; who trusted this node has to be told
        exit 3
    "#]],
    );
    let again: Value = serde_json::from_str(&session.stdout(&["key", "show", "--json"])).unwrap();
    assert_eq!(again["key_id"], before["key_id"]);
    let after: Value =
        serde_json::from_str(&session.stdout(&["key", "new", "--force", "--json"])).unwrap();
    assert_ne!(after["key_id"], before["key_id"]);
    let aside = format!(
        "oacp/node.key.{}",
        &before["key_id"].as_str().unwrap()[..12]
    );
    assert!(session.path(&aside).exists());
    session.write("oacp/node.key", "damaged");
    session.check(&["key", "show"], expect![[r#"
        $ oacp key show
        ! error: the node's key `[dir]/oacp/node.key` is damaged
        !   hint: restore it from a backup; `oacp key new --force` makes another, which no trust file knows
        exit 2
    "#]]);
}
