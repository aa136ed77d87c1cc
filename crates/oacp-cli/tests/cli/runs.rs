use expect_test::expect;
use serde_json::Value;

use crate::session::Session;

#[test]
fn runs_are_listed_shown_and_pruned() {
    let session = Session::with_runtimes("runs");
    session.write("good.py", "def run(input):\n    return 1\n");
    session.write("bad.py", "def run(input):\n    raise ValueError('no')\n");
    session.stdout(&["run", "good.py"]);
    session.oacp(&["run", "bad.py"]);
    session.stdout(&["run", "good.py", "--level", "basic"]);
    session.check(&["runs", "list"], expect![[r#"
        $ oacp runs list
        [id]  [time]  ok             d8c00f165cc5 good.py             [size]  input,output,source
        [id]  [time]  guest_error    1f80d2a8c205 bad.py              [size]  events,input,output,source
        [id]  [time]  ok             d8c00f165cc5 good.py             [size]  events,input,output,source
    "#]]);
    session.check(
        &["runs", "list", "-n", "1"],
        expect![[r#"
        $ oacp runs list -n 1
        [id]  [time]  ok             d8c00f165cc5 good.py             [size]  input,output,source
        ! 2 more
    "#]],
    );
    let list: Vec<Value> =
        serde_json::from_str(&session.stdout(&["runs", "list", "--json"])).unwrap();
    let outcomes: Vec<&str> = list
        .iter()
        .map(|run| run["outcome"].as_str().unwrap())
        .collect();
    assert_eq!(outcomes, ["ok", "guest_error", "ok"]);

    let oldest = list[2]["execution_id"].as_str().unwrap();
    assert!(session.stdout(&["runs", "show", oldest]).contains(oldest));
    assert!(
        session
            .stdout(&["runs", "show", &oldest[24..]])
            .contains(oldest)
    );
    session.check(
        &["runs", "show", "none"],
        expect![[r#"
            $ oacp runs show none
            ! error: no run `none`
            !   hint: `oacp runs` lists them; the bundle of a run with --bundle is where that said, and not listed
            exit 3
        "#]],
    );

    session.check(
        &["runs", "prune"],
        expect![[r#"
        $ oacp runs prune
        ! error: the following required arguments were not provided:
        !   <--older-than <DAYS>|--keep <N>>
        !
        ! Usage: oacp runs prune <--older-than <DAYS>|--keep <N>>
        !
        ! For more information, try '--help'.
        exit 3
    "#]],
    );
    session.check(
        &["runs", "prune", "--keep", "1", "--dry-run"],
        expect![[r#"
        $ oacp runs prune --keep 1 --dry-run
        [id]
        [id]
        would remove 2 bundles, [size]
    "#]],
    );
    session.check(
        &["runs", "prune", "--keep", "1", "--older-than", "1"],
        expect![[r#"
        $ oacp runs prune --keep 1 --older-than 1
        removed 0 bundles, [size]
    "#]],
    );
    session.check(
        &["runs", "prune", "--keep", "1"],
        expect![[r#"
        $ oacp runs prune --keep 1
        [id]
        [id]
        removed 2 bundles, [size]
    "#]],
    );
    assert_eq!(session.stdout(&["runs"]).lines().count(), 1);
}

#[test]
fn what_is_no_longer_a_bundle_is_listed_as_such() {
    let session = Session::with_runtimes("runs-damaged");
    session.write("oacp/runs/01940000-0000-7000-8000-000000000000.json", "{}");
    session.write("oacp/runs/notes.txt", "mine");
    session.check(
        &["runs", "list"],
        expect![[r#"
        $ oacp runs list
        [id]  [time]  not verified: json_shape        [size]
    "#]],
    );
    session.check(
        &["runs", "prune", "--older-than", "30"],
        expect![[r#"
        $ oacp runs prune --older-than 30
        [id]
        removed 1 bundle, [size]
    "#]],
    );
    assert!(session.path("oacp/runs/notes.txt").exists());
}

#[test]
fn runtimes_are_listed_exported_and_added() {
    let session = Session::with_runtimes("runtimes");
    let list: Vec<Value> =
        serde_json::from_str(&session.stdout(&["runtime", "list", "--json"])).unwrap();
    assert_eq!(
        list.iter()
            .map(|runtime| runtime["language"].as_str().unwrap())
            .collect::<Vec<_>>(),
        ["python", "javascript"]
    );
    let digest = list[1]["digest"].as_str().unwrap();
    let unknown = "sha256:0000000000000000000000000000000000000000000000000000000000000000";
    session.stdout(&["runtime", "export", digest, "js.wasm"]);
    assert_eq!(
        session.stdout(&["runtime", "add", "js.wasm"]),
        format!("added {digest}\n")
    );
    session.check(&["runtime", "export", unknown, "no.wasm"], expect![[r#"
        $ oacp runtime export sha256:0000000000000000000000000000000000000000000000000000000000000000 no.wasm
        ! error: no language runtime sha256:0000000000000000000000000000000000000000000000000000000000000000 is at hand; add it with `oacp runtime add FILE.wasm`
        exit 3
    "#]]);
    session.check(
        &["run", "js.wasm"],
        expect![[r#"
        $ oacp run js.wasm
        ! error: the component is a language runtime, not an agent
        !   hint: give it an agent: name a .py or .js file; `oacp runtime add` adds a runtime
        exit 3
    "#]],
    );
}
