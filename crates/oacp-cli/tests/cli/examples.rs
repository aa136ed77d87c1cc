//! The tools of `examples/tools`, called by the agents of `examples/agents`: each agent gives what its `.output.json` says, and is verified
//! and run again together with every call.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::server::server;
use crate::session::Session;

/// An agent, and the tools that it needs.
struct Example {
    /// A file of `examples/agents`.
    agent: &'static str,
    /// What the agent itself may do, besides calling tools.
    rights: &'static [&'static str],
    /// The directories of the tools that are registered, with the rights that their `tool.yaml` asks for.
    tools: &'static [&'static str],
    /// The tools that the agent may call, and does.
    calls: &'static [&'static str],
    /// Those that only tools may call, and do.
    calls_of_tools: &'static [&'static str],
}

const SALES_REPORT: Example = Example {
    agent: "sales_report.py",
    rights: &[],
    tools: &["csv_query", "markdown", "spelling"],
    calls: &["csv_query", "markdown", "spelling.suggest"],
    calls_of_tools: &[],
};

const EXPENSE_CLAIM: Example = Example {
    agent: "expense_claim.py",
    rights: &[],
    tools: &["check_digits", "rates", "expenses", "workdays"],
    calls: &["check_digits.iban", "expenses", "workdays.shift"],
    calls_of_tools: &["rates"],
};

const HOME_FINDER: Example = Example {
    agent: "home_finder.py",
    rights: &[],
    tools: &["loan", "units"],
    calls: &["loan", "units"],
    calls_of_tools: &[],
};

const RELEASE_CHECK: Example = Example {
    agent: "release_check.mjs",
    rights: &["--allow-read", "agents/data/release/"],
    tools: &["checksum", "image_info", "json_patch"],
    calls: &["checksum", "image_info", "json_patch"],
    calls_of_tools: &[],
};

const EXAMPLES: [&Example; 4] = [&SALES_REPORT, &EXPENSE_CLAIM, &HOME_FINDER, &RELEASE_CHECK];

#[test]
fn the_sales_report_follows_from_a_csv_file_and_corrected_names() {
    check(&SALES_REPORT);
}

#[test]
fn the_expense_claim_follows_from_the_rates_that_a_server_gave_to_a_tool_of_a_tool() {
    check(&EXPENSE_CLAIM);
}

#[test]
fn the_choice_of_a_home_follows_from_units_and_loans() {
    check(&HOME_FINDER);
}

#[test]
fn the_release_follows_from_three_components_and_typescript() {
    check(&RELEASE_CHECK);
}

#[test]
fn every_example_is_among_these() {
    let directories: BTreeSet<_> = names("tools", |path| path.is_dir());
    let used = EXAMPLES.iter().flat_map(|example| example.tools);
    let used: BTreeSet<_> = used.map(|directory| (*directory).to_owned()).collect();
    assert_eq!(directories, used);
    assert_eq!(directories.len(), 12);

    let agents = names("agents", |path| {
        path.extension().is_some_and(|e| e == "py" || e == "mjs")
    });
    let run: BTreeSet<_> = EXAMPLES.map(|example| example.agent.to_owned()).into();
    assert_eq!(agents, run);
}

fn check(example: &Example) {
    let (name, _) = example.agent.rsplit_once('.').unwrap();
    let session = Session::with_runtimes(&format!("example-{name}"));
    copy(&examples().join("agents"), &session.path("agents"));
    let rates = session.json("agents/data/rates.json").to_string();
    let port = server(move |_| rates.clone());
    let host = format!("127.0.0.1:{port}");

    for directory in example.tools {
        let path = format!("tools/{directory}");
        copy(&examples().join(&path), &session.path(&path));
        // In place of the public server, this test's own.
        let rates = ["--allow-net", &host, "--allow-env", "RATES_URL"];
        let rights = match *directory {
            "rates" => &rates[..],
            _ => &["--yes"],
        };
        session.stdout(&[&["tool", "add", &path], rights].concat());
    }

    let (agent, input) = (
        format!("agents/{}", example.agent),
        format!("@agents/{name}.input.json"),
    );
    let run = ["run", &agent, "--input", &input, "--bundle", "bundle.json"];
    let mut run = session.command(&[&run, example.rights].concat());
    for tool in example.calls {
        run.args(["--allow-tool", tool]);
    }
    run.env("RATES_URL", format!("http://{host}/latest"));
    let found: Value = serde_json::from_str(&succeed(run)).unwrap();
    assert_eq!(found, session.json(&format!("agents/{name}.output.json")));

    let calls: BTreeSet<_> = [example.calls, example.calls_of_tools]
        .concat()
        .into_iter()
        .collect();
    let verified = session.stdout(&["verify", "bundle.json"]);
    assert_eq!(confirmed(&verified), calls, "{verified}");
    let replayed = session.stdout(&["replay", "bundle.json"]);
    assert!(replayed.starts_with("confirmed: output, "), "{replayed}");
    assert_eq!(confirmed(&replayed), calls, "{replayed}");
}

/// The tools that were called, by a report in which every call was run again and confirmed.
fn confirmed(report: &str) -> BTreeSet<&str> {
    let calls = report.lines().filter(|line| line.contains("tool call  "));
    let tools = calls.map(|line| {
        assert!(line.ends_with(": run again: its result follows"), "{line}");
        line.split_whitespace().nth(3).unwrap()
    });
    tools.collect()
}

fn succeed(mut command: Command) -> String {
    let output = command.output().unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap()
}

fn examples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples")
}

/// What lies in a directory of the examples.
fn names(directory: &str, is_wanted: impl Fn(&Path) -> bool) -> BTreeSet<String> {
    let entries = fs::read_dir(examples().join(directory)).unwrap();
    let wanted = entries
        .map(|entry| entry.unwrap())
        .filter(|entry| is_wanted(&entry.path()));
    wanted
        .map(|entry| entry.file_name().into_string().unwrap())
        .collect()
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}
