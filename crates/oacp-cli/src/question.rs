//! A question on the terminal that a person answers with yes or no.
//!
//! The attack: keys that were typed before it was asked. They are thrown away; and without a terminal nobody is asked.

use std::io::{self, BufRead, IsTerminal, Read};

use crate::console::Console;

/// Bytes of a line that is read as an answer.
const ANSWER_BYTES_MAX: u64 = 256;

/// Whether there is somebody to ask.
pub(crate) fn is_possible() -> bool {
    io::stdin().is_terminal() && io::stderr().is_terminal()
}

/// Asks. Whatever is not a yes is a no.
pub(crate) fn is_agreed(question: &str, console: &Console) -> bool {
    forget_what_was_typed();
    console.say(&format!("{question} [y/N]"));
    matches!(read_line().as_deref(), Some("y" | "Y" | "yes"))
}

/// One line, without what surrounds it. `None`: the terminal is gone.
pub(crate) fn read_line() -> Option<String> {
    let mut line = String::new();
    let read = io::stdin()
        .lock()
        .take(ANSWER_BYTES_MAX)
        .read_line(&mut line)
        .ok()?;
    (read > 0).then(|| line.trim().to_owned())
}

/// A key that was hit before the question was seen is no answer to it.
pub(crate) fn forget_what_was_typed() {
    #[cfg(unix)]
    // Where it fails there is no terminal, and the read will tell.
    let _ = rustix::termios::tcflush(io::stdin(), rustix::termios::QueueSelector::IFlush);
}
