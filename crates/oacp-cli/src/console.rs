//! The terminal: results on standard output, everything for people on standard error.
//!
//! Colours are left out where they would not be seen as such: no terminal, `NO_COLOR`, `TERM=dumb`.

use std::io::{self, IsTerminal, Write};

use anstyle::{AnsiColor, Style};
use serde::Serialize;

use crate::escape::{json_line, visible};

pub(crate) const BOLD: Style = Style::new().bold();
pub(crate) const DIM: Style = Style::new().dimmed();
pub(crate) const RED: Style = AnsiColor::Red.on_default().bold();
pub(crate) const GREEN: Style = AnsiColor::Green.on_default().bold();
pub(crate) const YELLOW: Style = AnsiColor::Yellow.on_default().bold();
pub(crate) const CYAN: Style = AnsiColor::Cyan.on_default();

/// What was asked of the program's output.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Console {
    /// One JSON object on standard output.
    pub(crate) json: bool,
    /// No progress, notes or summary.
    pub(crate) quiet: bool,
}

impl Console {
    /// Prints text on standard output, with a newline at its end. Styles in it show on a terminal only.
    pub(crate) fn print(&self, text: &str) -> io::Result<()> {
        let mut out = anstream::stdout().lock();
        out.write_all(text.as_bytes())?;
        if !text.ends_with('\n') {
            out.write_all(b"\n")?;
        }
        out.flush()
    }

    /// Prints one line of JSON on standard output.
    pub(crate) fn print_json(&self, value: &impl Serialize) -> io::Result<()> {
        let text = serde_json::to_string(value)?;
        self.print_bytes(json_line(&text).as_bytes())
    }

    /// Prints bytes as they are, and a newline.
    pub(crate) fn print_bytes(&self, bytes: &[u8]) -> io::Result<()> {
        let mut out = io::stdout().lock();
        out.write_all(bytes)?;
        out.write_all(b"\n")?;
        out.flush()
    }

    /// Prints bytes as they are, and nothing more.
    pub(crate) fn print_exactly(&self, bytes: &[u8]) -> io::Result<()> {
        let mut out = io::stdout().lock();
        out.write_all(bytes)?;
        out.flush()
    }

    /// Says something in passing, on standard error.
    pub(crate) fn note(&self, text: &str) {
        if !self.quiet {
            self.say(text);
        }
    }

    /// Says something on standard error, also when quiet.
    pub(crate) fn say(&self, text: &str) {
        // Where standard error is gone there is nobody to tell.
        let _ = writeln!(anstream::stderr().lock(), "{text}");
    }

    /// Whether progress may be drawn.
    pub(crate) fn draws(&self) -> bool {
        !self.quiet && io::stderr().is_terminal()
    }

    /// Prints an error with its causes and its mending.
    pub(crate) fn error(&self, label: &str, message: &str, causes: &[String], hint: Option<&str>) {
        let mut text = format!("{RED}{label}{RED:#}: {}", visible(message));
        for cause in causes {
            text.push_str(&format!("\n  {DIM}cause{DIM:#}: {}", visible(cause)));
        }
        if let Some(hint) = hint {
            text.push_str(&format!("\n  {CYAN}hint{CYAN:#}: {}", visible(hint)));
        }
        self.say(&text);
    }
}
