//! Errors on their way out of the program: exit code, causes and how to mend it.

use std::io;
use std::process::ExitCode;

use serde_json::json;

use crate::console::Console;

/// How the program ends. The codes are documented and stable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Done; the agent gave a result; the bundle is verified.
    Yes = 0,
    /// The agent failed; the bundle is refused; the replay diverged.
    No = 1,
    /// It could not be done, or not be checked.
    Unable = 2,
    /// The command line, or a file that it names as its input, is not what it should be. Nothing was begun.
    Usage = 3,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// An error, what it means to whoever called the program, and what to do.
pub(crate) struct Failure {
    exit: Exit,
    error: anyhow::Error,
    hint: Option<String>,
    /// A stable word for programs, where there is one.
    code: Option<&'static str>,
}

/// Any error that nobody has judged is one that kept the program from its work.
impl<E: Into<anyhow::Error>> From<E> for Failure {
    fn from(error: E) -> Self {
        Self {
            exit: Exit::Unable,
            error: error.into(),
            hint: None,
            code: None,
        }
    }
}

impl Failure {
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self {
            exit: Exit::Usage,
            error: anyhow::Error::msg(message.into()),
            hint: None,
            code: None,
        }
    }

    pub(crate) fn unable(message: impl Into<String>) -> Self {
        Self {
            exit: Exit::Unable,
            error: anyhow::Error::msg(message.into()),
            hint: None,
            code: None,
        }
    }

    /// Says how to mend it.
    pub(crate) fn hint(self, hint: impl Into<String>) -> Self {
        Self {
            hint: Some(hint.into()),
            ..self
        }
    }

    /// Says where in a file it lies.
    pub(crate) fn with_place(self, place: &str) -> Self {
        Self {
            error: anyhow::Error::msg(format!("{place}: {}", self.error)),
            ..self
        }
    }

    /// A bundle was refused, or could not be checked.
    pub(crate) fn refused(self, exit: Exit, code: &'static str) -> Self {
        Self {
            exit,
            code: Some(code),
            ..self
        }
    }

    /// What went wrong, with its causes and code, on one line.
    pub(crate) fn message(&self) -> String {
        let code = self
            .code
            .map(|code| format!(" ({code})"))
            .unwrap_or_default();
        format!("{:#}{code}", self.error)
    }

    /// What to do, where that is known.
    pub(crate) fn hinted(&self) -> Option<&str> {
        self.hint.as_deref()
    }

    /// Whether it lies in what the caller gave.
    pub(crate) fn is_usage(&self) -> bool {
        self.exit == Exit::Usage
    }

    fn with_context(self, context: String) -> Self {
        Self {
            error: self.error.context(context),
            ..self
        }
    }

    /// Prints it for a person, and as JSON if that was asked for.
    pub(crate) fn report(self, console: &Console) -> Exit {
        let gone = |e: &io::Error| e.kind() == io::ErrorKind::BrokenPipe;
        if self.error.downcast_ref::<io::Error>().is_some_and(gone) {
            // Whoever read our output has stopped; it is no verdict either way.
            return Exit::Unable;
        }
        let message = self.error.to_string();
        let causes: Vec<String> = self
            .error
            .chain()
            .skip(1)
            .map(ToString::to_string)
            .collect();
        let label = match (self.code, self.exit) {
            (Some(_), Exit::No) => "refused",
            (Some(_), _) => "not checked",
            (None, _) => "error",
        };
        let message_shown = self
            .code
            .map_or_else(|| message.clone(), |code| format!("{message} ({code})"));
        console.error(label, &message_shown, &causes, self.hint.as_deref());
        if console.json {
            let error = json!({ "code": self.code, "message": message, "causes": causes, "hint": self.hint });
            // Nothing is left to do when nobody reads.
            let _ = console.print_json(&json!({ "error": error }));
        }
        self.exit
    }
}

/// Judging an error where it arises.
pub(crate) trait Judge<T> {
    /// The error is in what the caller gave.
    fn or_usage(self) -> Result<T, Failure>;
    /// Says what was being done.
    fn or_context(self, context: impl FnOnce() -> String) -> Result<T, Failure>;
    /// Says how to mend it.
    fn or_hint(self, hint: impl FnOnce() -> String) -> Result<T, Failure>;
}

impl<T, E: Into<Failure>> Judge<T> for Result<T, E> {
    fn or_usage(self) -> Result<T, Failure> {
        self.map_err(|e| Failure {
            exit: Exit::Usage,
            ..e.into()
        })
    }

    fn or_context(self, context: impl FnOnce() -> String) -> Result<T, Failure> {
        self.map_err(|e| e.into().with_context(context()))
    }

    fn or_hint(self, hint: impl FnOnce() -> String) -> Result<T, Failure> {
        self.map_err(|e| e.into().hint(hint()))
    }
}
