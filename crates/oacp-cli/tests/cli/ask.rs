//! Questions on a terminal, which a pseudoterminal stands in for.
#![cfg(unix)]

use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::process::Stdio;

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

use crate::session::Session;

/// Runs the command on a terminal, answers each question, which ends with `question`, with the next answer, and gives exit code,
/// standard output and what the terminal showed.
pub fn on_terminal(
    session: &Session,
    arguments: &[&str],
    question: &str,
    answers: &[&str],
) -> (i32, String, String) {
    let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&master).unwrap();
    unlockpt(&master).unwrap();
    let name = ptsname(&master, Vec::new()).unwrap();
    let terminal = || {
        OpenOptions::new()
            .read(true)
            .write(true)
            .open(name.to_str().unwrap())
            .unwrap()
    };
    let mut child = session
        .command(arguments)
        .env("NO_COLOR", "1")
        .stdin(Stdio::from(terminal()))
        .stderr(Stdio::from(terminal()))
        .spawn()
        .unwrap();
    let mut master = File::from(master);
    let (mut shown, mut byte, mut answers) = (String::new(), [0], answers.iter());
    // Reading fails when the last one on the other side is gone.
    while master.read(&mut byte).is_ok_and(|count| count == 1) {
        shown.push(char::from(byte[0]));
        if shown.ends_with(&format!("{question}\r\n")) {
            let answer = answers.next().expect("no more questions");
            master.write_all(format!("{answer}\n").as_bytes()).unwrap();
        }
    }
    let mut output = String::new();
    child
        .stdout
        .take()
        .unwrap()
        .read_to_string(&mut output)
        .unwrap();
    let code = child.wait().unwrap().code().unwrap();
    assert!(answers.next().is_none(), "fewer questions: {shown}");
    (code, output, shown)
}

/// How a run's question ends.
const QUESTION: &str = "in this project";

const AGENT: &str = "def run(paths):\n    seen = []\n    for path in paths:\n        try:\n            seen.append(open(path).read())\n        except PermissionError:\n            seen.append('denied')\n    return seen\n";

#[test]
fn a_person_is_asked_once_and_the_answer_is_remembered_if_told_to() {
    let session = Session::with_runtimes("ask");
    session.write("agent.py", AGENT);
    for name in ["a", "b", "c"] {
        session.write(&format!("{name}.txt"), name);
    }
    let run = |input, answers: &[&str]| {
        on_terminal(
            &session,
            &["run", "agent.py", "--ask", "-q", "--input", input],
            QUESTION,
            answers,
        )
    };
    // This run only; what is no answer is asked again; no; never.
    let (code, output, shown) = run(
        r#"["a.txt", "a.txt", "b.txt", "c.txt"]"#,
        &["what", "y", "n", "N"],
    );
    assert_eq!(
        (code, output.as_str()),
        (0, "[\"a\",\"a\",\"denied\",\"denied\"]\n"),
        "{shown}"
    );
    assert!(shown.contains("the agent asks for file_read "), "{shown}");
    // Never is not asked again; this project.
    let (_, output, shown) = run(r#"["a.txt", "b.txt", "c.txt"]"#, &["p", "n"]);
    assert_eq!(output, "[\"a\",\"denied\",\"denied\"]\n", "{shown}");
    let (_, output, _) = run(r#"["a.txt", "c.txt"]"#, &[]);
    assert_eq!(output, "[\"a\",\"denied\"]\n");
    // What was remembered counts for --ask alone, with a terminal or without.
    let input = r#"["a.txt", "c.txt"]"#;
    let answer = |arguments: &[&str]| {
        session.stdout(&[&["run", "agent.py", "-q", "--input", input], arguments].concat())
    };
    assert_eq!(answer(&["--ask"]), "[\"a\",\"denied\"]\n");
    assert_eq!(answer(&[]), "[\"denied\",\"denied\"]\n");
}

#[test]
fn what_was_allowed_during_a_run_is_in_its_bundle_and_is_replayed() {
    let session = Session::with_runtimes("ask-replay");
    session.write("agent.py", AGENT);
    session.write("a.txt", "a");
    let arguments = [
        "run",
        "agent.py",
        "--ask",
        "--input",
        r#"["a.txt"]"#,
        "--bundle",
        "run.json",
    ];
    let (code, _, shown) = on_terminal(&session, &arguments, QUESTION, &["y"]);
    assert_eq!(code, 0, "{shown}");
    let text = session.stdout(&["show", "run.json"]);
    assert!(
        text.contains("somebody was asked, and said yes for this run"),
        "{text}"
    );
    assert!(
        session
            .stdout(&["replay", "run.json"])
            .starts_with("confirmed")
    );
}

#[test]
fn a_name_cannot_redraw_the_question() {
    let session = Session::with_runtimes("ask-escapes");
    session.write(
        "agent.py",
        "import os\ndef run(input):\n    try:\n        open('/etc/\\x1b[2Jx\\rallow')\n    except OSError as e:\n        return 'no'\n",
    );
    let (_, _, shown) = on_terminal(
        &session,
        &["run", "agent.py", "--ask", "-q"],
        QUESTION,
        &["n"],
    );
    assert!(shown.contains("/etc/\\u{1b}[2Jx\\rallow"), "{shown:?}");
    assert!(!shown.contains('\u{1b}'), "{shown:?}");
}

#[test]
fn a_configuration_is_accepted_on_a_terminal() {
    let session = Session::new("accept-terminal");
    session.write("oacp.yaml", "sandbox: {}\n");
    let list = || session.path("oacp/accepted.json").exists();
    let accept = |answer| {
        on_terminal(
            &session,
            &["policy", "accept"],
            "accept it? [y/N]",
            &[answer],
        )
        .0
    };
    assert_eq!((accept("n"), list()), (1, false));
    assert_eq!((accept("y"), list()), (0, true));
}
