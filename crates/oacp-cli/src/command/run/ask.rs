//! `oacp run --ask`: a person is asked, once for each right.
//!
//! The attacks: a name that redraws the question; keys that were typed before it was asked; a run that waits for ever where nobody
//! sits. What a guest chose is shown escaped and on one line, what was typed ahead is thrown away, and without a terminal nobody is
//! asked and nothing is granted.

use std::sync::{Arc, Mutex, PoisonError};

use oacp::capability::{Denial, OWN_SETTINGS};
use oacp_sandbox::Ask;

use crate::console::{BOLD, CYAN, Console, YELLOW};
use crate::escape::visible;
use crate::home::Home;
use crate::project::Answers;
use crate::question::{forget_what_was_typed, read_line};

/// Characters of what was asked for that are shown. A longer one could push the question off the screen.
const ASKED_CHARACTERS_SHOWN: usize = 300;

/// Wall time of a run that asks, if none is given: people think.
pub(super) const TIMEOUT_MS: u64 = 600_000;

/// Asks on the terminal. One question at a time; each is asked from a thread of its own, which an interrupted run does not wait for.
pub(super) fn on_terminal(answers: Answers, home: &Home, console: Console) -> Ask {
    let answers = Arc::new(Mutex::new(answers));
    let home = home.clone();
    Ask::new(move |denial: Denial| {
        let (answers, home) = (Arc::clone(&answers), home.clone());
        async move {
            if !is_askable(&denial) {
                return false;
            }
            let (sender, receiver) = tokio::sync::oneshot::channel();
            std::thread::spawn(move || {
                let mut answers = answers.lock().unwrap_or_else(PoisonError::into_inner);
                // The run may be over by now.
                let _ = sender.send(ask(&denial, &mut answers, &home, &console));
            });
            receiver.await.unwrap_or(false)
        }
    })
}

/// Whether a yes could change anything: what a rule forbids, and what is no right at all, stays denied.
fn is_askable(denial: &Denial) -> bool {
    match denial.code.as_str() {
        "tool_not_granted"
        | "file_read_not_granted"
        | "file_write_not_granted"
        | "network_not_granted" => true,
        // OACP's own settings are nobody's to grant.
        "env_not_granted" => !OWN_SETTINGS.contains(&denial.asked.as_str()),
        _ => false,
    }
}

fn ask(denial: &Denial, answers: &mut Answers, home: &Home, console: &Console) -> bool {
    if answers.is_never(denial) {
        return false;
    }
    let asked: String = denial.asked.chars().take(ASKED_CHARACTERS_SHOWN).collect();
    let cut = if asked.len() < denial.asked.len() {
        "…"
    } else {
        ""
    };
    console.say(&format!(
        "\n{YELLOW}the agent asks for{YELLOW:#} {} {BOLD}{}{cut}{BOLD:#}",
        visible(&denial.capability),
        visible(&asked)
    ));
    loop {
        forget_what_was_typed();
        console.say(&format!(
            "  {CYAN}y{CYAN:#} yes, in this run   {CYAN}p{CYAN:#} yes, and again in this project   {CYAN}n{CYAN:#} no   {CYAN}N{CYAN:#} never in this project"
        ));
        let (granted, kept) = match read_line().as_deref() {
            Some("y") => (true, Ok(())),
            Some("p") => (true, remember(denial, answers, home, console)),
            Some("n") | None => (false, Ok(())),
            Some("N") => (false, answers.refuse(denial, home)),
            Some(_) => continue,
        };
        if let Err(failure) = kept {
            console.say(&format!("not remembered: {}", failure.message()));
        }
        return granted;
    }
}

fn remember(
    denial: &Denial,
    answers: &mut Answers,
    home: &Home,
    console: &Console,
) -> Result<(), crate::failure::Failure> {
    if !answers.allow(denial, home)? {
        console
            .say("granted in this run; it cannot be remembered (a name like a secret's never is)");
    }
    Ok(())
}
