//! What a person sees while something long goes on: compiling a runtime takes seconds, once.

use std::cell::{Cell, RefCell};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use oacp_sandbox::Progress;

use crate::console::Console;
use crate::measure;

/// Shows how the loading of one component goes. On a terminal a spinner with the time passed, elsewhere one line.
pub(crate) struct Loading<'a> {
    console: &'a Console,
    what: String,
    spinner: RefCell<Option<ProgressBar>>,
    begun: Cell<Option<Instant>>,
}

impl<'a> Loading<'a> {
    pub(crate) fn new(console: &'a Console, what: impl Into<String>) -> Self {
        Self {
            console,
            what: what.into(),
            spinner: RefCell::new(None),
            begun: Cell::new(None),
        }
    }

    /// Takes one report.
    pub(crate) fn report(&self, progress: Progress) {
        match progress {
            Progress::Compiling { bytes } => {
                let bytes = measure::bytes(bytes as u64);
                self.begin(&format!("compiling {} ({bytes}), once", self.what));
            }
            Progress::Waiting => self.begin(&format!(
                "waiting for another process that compiles {}",
                self.what
            )),
            Progress::Ready => self.end(),
        }
    }

    fn begin(&self, message: &str) {
        self.begun.set(Some(Instant::now()));
        if !self.console.draws() {
            return self.console.note(&format!("{message} …"));
        }
        let spinner = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
        if let Ok(style) = ProgressStyle::with_template("{spinner} {msg} … {elapsed}") {
            spinner.set_style(style);
        }
        spinner.set_message(message.to_owned());
        spinner.enable_steady_tick(Duration::from_millis(100));
        if let Some(before) = self.spinner.replace(Some(spinner)) {
            before.finish_and_clear();
        }
    }

    fn end(&self) {
        if let Some(spinner) = self.spinner.take() {
            spinner.finish_and_clear();
            if let Some(begun) = self.begun.take() {
                self.console.note(&format!(
                    "{} is ready after {}",
                    self.what,
                    measure::duration(begun.elapsed())
                ));
            }
        }
    }
}

impl Drop for Loading<'_> {
    fn drop(&mut self) {
        // Loading ended by an error: the spinner must not stay on the screen above it.
        if let Some(spinner) = self.spinner.take() {
            spinner.finish_and_clear();
        }
    }
}

/// Shows how far something has come that is counted: a bar on a terminal, nothing elsewhere.
pub(crate) struct Counting {
    bar: Option<ProgressBar>,
}

impl Counting {
    /// `doing` so many `things`. Drawn only once it has taken a moment.
    pub(crate) fn new(console: &Console, doing: &str, things: &str, total: u64) -> Self {
        let bar = console.draws().then(|| {
            let bar = ProgressBar::with_draw_target(Some(total), ProgressDrawTarget::stderr());
            let template =
                format!("{doing} {{human_pos}} of {{human_len}} {things} {{wide_bar}} {{eta}}");
            if let Ok(style) = ProgressStyle::with_template(&template) {
                bar.set_style(style);
            }
            bar
        });
        Self { bar }
    }

    /// One more.
    pub(crate) fn step(&self) {
        self.to_next(1);
    }

    /// So many more.
    pub(crate) fn to_next(&self, more: u64) {
        if let Some(bar) = &self.bar {
            bar.inc(more);
        }
    }
}

impl Drop for Counting {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
