//! What a guest learns of the host that runs it: what is granted, and nothing else.

use std::collections::BTreeMap;

use oacp_gateway::Call;
use serde_json::{Value, json};

use crate::fixture::{Seen, see_granted};
use crate::ground::{codes, says};
use crate::server::{asking, asking_in_javascript};

const DENIED: &str = "env_not_granted";

fn offering(mut call: Call) -> Call {
    let offered = [
        ("APP_NAME", "granted"),
        ("APP_", "granted too"),
        ("APPLE", "not granted"),
        ("app_name", "not granted"),
        ("MY_APP_NAME", "not granted"),
        ("HOME", "/homes/somebody"),
        ("AWS_SECRET_ACCESS_KEY", "not granted"),
        ("OACP_HOME", "not granted"),
    ];
    let offered = offered.map(|(name, value)| (name.to_owned(), value.to_owned()));
    call.environment = BTreeMap::from(offered);
    call
}

#[track_caller]
fn sees(granted: Value, body: &str) -> Seen {
    let seen = see_granted(offering(asking(granted, body))).confirmed();
    assert_eq!(
        seen.execution.outcome,
        oacp::outcome::Outcome::Ok,
        "{:?}",
        seen.execution.failure
    );
    assert!(!String::from_utf8_lossy(&seen.execution.output).contains("not granted"));
    let bundle = seen.execution.bundle.to_bytes();
    assert!(!crate::secrets::holds(&bundle, b"not granted"));
    seen
}

#[test]
fn nothing_of_the_hosts_environment_is_seen_by_default() {
    assert!(std::env::var_os("PATH").is_some());
    let seen = sees(json!({}), "return sorted(os.environ)");
    says(&seen, &json!([]), &[]);
}

#[test]
fn a_variable_that_is_not_granted_is_denied_though_it_is_offered() {
    let seen = sees(
        json!({}),
        "return [t(lambda: os.environ['HOME']), os.environ.get('AWS_SECRET_ACCESS_KEY'), os.getenv('APP_NAME'), 'APPLE' in os.environ]",
    );
    says(&seen, &json!(["KeyError", null, null, false]), &[DENIED; 4]);
}

#[test]
fn a_pattern_gives_only_what_it_means() {
    let seen = sees(
        json!({ "env": ["APP_*"] }),
        "return [dict(os.environ), os.getenv('APPLE'), os.getenv('MY_APP_NAME')]",
    );
    let expected = json!([{ "APP_": "granted too", "APP_NAME": "granted" }, null, null]);
    says(&seen, &expected, &[DENIED; 2]);
}

#[test]
fn a_name_in_other_letters_is_another_name() {
    let seen = sees(
        json!({ "env": ["APP_NAME"] }),
        "return [sorted(os.environ), os.getenv('app_name'), os.getenv('App_Name')]",
    );
    says(&seen, &json!([["APP_NAME"], null, null]), &[DENIED; 2]);
}

#[test]
fn oacps_own_settings_are_not_granted_by_any_pattern() {
    let granted = json!({ "env": ["OACP_*", "OACP_HOME"] });
    let seen = sees(
        granted,
        "return [sorted(os.environ), os.getenv('OACP_HOME'), 'OACP_HOME' in os.environ]",
    );
    says(&seen, &json!([[], null, false]), &[DENIED]);
}

#[test]
fn what_is_no_variables_name_is_none() {
    let body = "from wit_world.imports import environment
from componentize_py_types import Err
def ask(name):
    try:
        return environment.get(name)
    except Err as e:
        return e.value.code
return [ask(n) for n in ('', '*', 'APP_*', 'APP=NAME', 'APP_NAME\\0', 'A' * 300, 'APP_NAME ', ' APP_NAME', 'ＡPP_NAME', '../HOME', '1APP')]";
    let seen = sees(json!({ "env": ["APP_*"] }), body);
    let said = seen.output();
    assert!(
        said.as_array()
            .unwrap()
            .iter()
            .all(|one| one == "denied" || one == "limit"),
        "{said}"
    );
    assert!(codes(&seen).iter().all(|code| *code == DENIED));
}

#[test]
fn what_a_guest_sets_is_its_own() {
    let seen = sees(
        json!({ "env": ["APP_*"] }),
        "os.environ['APP_NAME'] = 'mine'\nos.environ['PATH'] = 'mine'\nos.putenv('APP_', 'mine')\nreturn os.environ['PATH']",
    );
    says(&seen, &json!("mine"), &[]);
    assert_ne!(std::env::var("PATH").unwrap(), "mine");
    let seen = sees(json!({ "env": ["APP_*"] }), "return dict(os.environ)");
    says(
        &seen,
        &json!({ "APP_": "granted too", "APP_NAME": "granted" }),
        &[],
    );
}

#[test]
fn a_variable_that_is_granted_and_not_set_is_not_there() {
    let seen = sees(json!({ "env": ["NONE"] }), "return os.getenv('NONE')");
    says(&seen, &json!(null), &[]);
}

#[test]
fn javascript_sees_the_same_variables() {
    let source = "import { env } from 'oacp';
export function run() { return [Object.keys(env), env.APP_NAME, env.HOME ?? null, 'APPLE' in env, typeof process === 'undefined' ? null : process.env?.HOME ?? null]; }";
    let call = asking_in_javascript(json!({ "env": ["APP_*"] }), source);
    let seen = see_granted(offering(call)).confirmed();
    assert_eq!(
        seen.output(),
        json!([["APP_", "APP_NAME"], "granted", null, false, null])
    );
    assert!(codes(&seen).iter().all(|code| *code == DENIED));
    assert!(codes(&seen).len() >= 2);
}

#[test]
fn there_are_no_children_to_give_an_environment_to() {
    let body = "import subprocess
return [t(lambda: subprocess.run(['env'])), t(lambda: os.system('env')), t(lambda: os.popen('env').read()), t(lambda: os.execv('/usr/bin/env', ['env'])), t(lambda: os.fork()), t(lambda: os.posix_spawn('/usr/bin/env', ['env'], {})), t(lambda: os.kill(1, 9))]";
    let seen = sees(json!({}), body);
    for one in seen.output().as_array().unwrap() {
        let is_error = one
            .as_str()
            .is_some_and(|one| one.starts_with('E') || one.ends_with("Error"));
        assert!(is_error, "{}", seen.output());
    }
}

#[test]
fn who_and_where_the_host_is_is_not_told() {
    let body = "import platform, socket, getpass, sys, time, locale
found = [t(lambda: os.uname()), t(platform.node), t(platform.platform), t(socket.gethostname), t(getpass.getuser), sys.argv, sys.executable, os.getcwd(), t(os.getpid), t(lambda: os.getppid()), t(lambda: os.getlogin()), t(lambda: os.getloadavg()), time.tzname, t(os.path.expanduser, '~'), sorted(os.environ)]
return [repr(one) for one in found]";
    let seen = sees(json!({}), body);
    let said = seen.output().to_string();
    let of_the_host = |file: &str| std::fs::read_to_string(file).unwrap_or_default();
    for known in [
        of_the_host("/etc/hostname"),
        of_the_host("/proc/sys/kernel/osrelease"),
        std::env::var("HOME").unwrap_or_default(),
        std::env::current_dir().unwrap().display().to_string(),
        std::env::current_exe().unwrap().display().to_string(),
    ] {
        let known = known.trim();
        assert!(known.len() < 6 || !said.contains(known), "{known}: {said}");
    }
    assert!(said.contains("/project"), "{said}");
}

#[test]
fn a_replay_reads_no_variable() {
    let call = offering(asking(
        json!({ "env": ["APP_*"] }),
        "return dict(os.environ)",
    ));
    let first = see_granted(call).confirmed();
    // A replay is offered none: what it says is from the recording.
    assert_eq!(first.output()["APP_NAME"], "granted");
}
