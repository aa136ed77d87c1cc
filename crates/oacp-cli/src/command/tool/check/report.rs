//! What a check found, for a person and for a program.

use std::time::{Duration, Instant};

use oacp::id::ToolName;
use oacp::tool::Definition;
use oacp_tool::package::PackageName;
use serde::Serialize;
use serde_json::Value;

use super::super::test::{self, Tried};
use super::super::trial::{Start, Trial};
use super::determinism::{Determinism, Difference, Source, TIMES};
use crate::console::{Console, DIM, GREEN, RED, YELLOW};
use crate::escape::{visible, visible_lines};
use crate::failure::Failure;
use crate::home::Home;
use crate::measure;
use crate::tool::example::Example;
use crate::tool::{Candidate, Workbench};

/// What `--json` prints. Fields are added, never renamed.
#[derive(Default, Serialize)]
pub(super) struct Report {
    /// `None`: it cannot be a package.
    pub(super) package: Option<PackageName>,
    pub(super) tools: Vec<ToolName>,
    /// What has to be mended.
    pub(super) problems: Vec<Finding>,
    /// What could be better.
    pub(super) notes: Vec<Finding>,
    /// What it seems to use, what it asks for and what it is granted.
    pub(super) permissions: Option<Value>,
    /// The same for a person, a line for each right.
    #[serde(skip)]
    pub(super) rights: Vec<String>,
    pub(super) code_bytes: Option<u64>,
    /// `None`: nothing was run.
    pub(super) timing: Option<Timing>,
    pub(super) examples: Vec<Checked>,
}

/// Something to mend, or that could be better.
#[derive(Serialize)]
pub(super) struct Finding {
    pub(super) what: String,
    /// What to do instead. `None`: nothing obvious.
    pub(super) fix: Option<String>,
}

impl From<String> for Finding {
    fn from(what: String) -> Self {
        Self { what, fix: None }
    }
}

/// An example that was run, and run again.
#[derive(Serialize)]
pub(super) struct Checked {
    #[serde(flatten)]
    pub(super) tried: Tried,
    /// `None`: its arguments are refused, so that nothing runs.
    pub(super) determinism: Option<Determinism>,
}

/// How long a call takes, in microseconds. What has to be compiled once was compiled before.
#[derive(Serialize)]
pub(super) struct Timing {
    /// Of the first call in a process, with the loading of the code.
    cold_us: u64,
    /// Of a later one: the median of ten.
    warm_us: u64,
}

impl Timing {
    /// Of the first example that gives a result, or else of the first.
    pub(super) fn measure(
        candidate: &Candidate,
        examples: &[(Example, &Definition)],
        home: &Home,
        console: &Console,
    ) -> Result<Option<Self>, Failure> {
        let gives = examples
            .iter()
            .find(|(example, _)| example.gives_a_result());
        let Some((example, definition)) = gives.or(examples.first()) else {
            return Ok(None);
        };
        let begun = Instant::now();
        let bench = Workbench::new(home)?;
        let trial = Trial::new(candidate, &bench, None, home, console)?;
        trial.call(definition, &example.arguments, Start::default())?;
        let cold = begun.elapsed();
        let mut warm = [Duration::ZERO; TIMES];
        for warm in &mut warm {
            let begun = Instant::now();
            trial.call(definition, &example.arguments, Start::default())?;
            *warm = begun.elapsed();
        }
        warm.sort_unstable();
        let microseconds = |time: Duration| u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        Ok(Some(Self {
            cold_us: microseconds(cold),
            warm_us: microseconds(warm.get(TIMES / 2).copied().unwrap_or_default()),
        }))
    }
}

impl Report {
    /// Whether nothing has to be mended.
    pub(super) fn is_well(&self) -> bool {
        self.problems.is_empty()
            && self.examples.iter().all(|checked| {
                let replays = checked.determinism.as_ref();
                checked.tried.passed
                    && replays.is_none_or(|replays| replays.not_confirmed.is_none())
            })
    }

    /// A line for each thing that was looked at.
    pub(super) fn text(&self) -> String {
        let mut lines = Vec::new();
        let well = |what: &str, text: String| format!("{GREEN}✓{GREEN:#} {what:<9} {text}");
        let ill = |what: &str, text: String| format!("{RED}✗{RED:#} {what:<9} {text}");
        for Finding { what, fix } in &self.problems {
            lines.push(ill("problem", visible(what).to_string()));
            lines.extend(
                fix.as_ref()
                    .map(|fix| visible_lines(fix, "    ").to_string()),
            );
        }
        if !self.tools.is_empty() {
            let names: Vec<_> = self.tools.iter().map(ToolName::as_str).collect();
            lines.push(well("schema", names.join(", ")));
            let count = match self.rights.len() {
                0 => "none is needed, as far as the code tells".to_owned(),
                count => format!(
                    "{} used, asked for or granted",
                    measure::plural(count as u64, "right")
                ),
            };
            lines.push(well("rights", count));
            lines.extend(self.rights.iter().cloned());
        }
        if let Some(bytes) = self.code_bytes {
            lines.push(well("size", measure::bytes(bytes)));
        }
        if let Some(Timing { cold_us, warm_us }) = &self.timing {
            let time = |us: &u64| measure::duration(Duration::from_micros(*us));
            lines.push(well(
                "time",
                format!("{} cold, {} warm", time(cold_us), time(warm_us)),
            ));
        }
        let failed = self
            .examples
            .iter()
            .filter(|checked| !checked.tried.passed)
            .count();
        if !self.examples.is_empty() {
            let count = test::summary(self.examples.len(), failed);
            lines.push(if failed == 0 {
                well("examples", count)
            } else {
                ill("examples", count)
            });
        }
        for Checked { tried, .. } in self.examples.iter().filter(|checked| !checked.tried.passed) {
            lines.push(format!("  {}", test::line(tried)));
        }
        lines.extend(self.replays(well, ill));
        lines.extend(self.results());
        for Finding { what, fix } in &self.notes {
            lines.push(format!("{YELLOW}note{YELLOW:#}: {}", visible(what)));
            lines.extend(
                fix.as_ref()
                    .map(|fix| visible_lines(fix, "    ").to_string()),
            );
        }
        lines.join("\n")
    }

    fn replays(
        &self,
        well: impl Fn(&str, String) -> String,
        ill: impl Fn(&str, String) -> String,
    ) -> Vec<String> {
        let ran = || {
            self.examples
                .iter()
                .filter_map(|checked| Some((&checked.tried, checked.determinism.as_ref()?)))
        };
        let (all, confirmed) = ran().fold((0, 0), |(all, confirmed), (_, of)| {
            (all + TIMES, confirmed + of.confirmed)
        });
        let count = format!("{confirmed} of {all} confirmed");
        match all {
            0 => return Vec::new(),
            all if all == confirmed => return vec![well("replays", count)],
            _ => {}
        }
        let mut lines = vec![ill("replays", count)];
        for (tried, of) in ran() {
            if let Some(why) = &of.not_confirmed {
                lines.push(format!(
                    "  {}\n{}",
                    test::called(tried),
                    visible_lines(why, "    ")
                ));
            }
        }
        lines
    }

    /// What results depend on: told of each example where it is anything.
    fn results(&self) -> Vec<String> {
        let mut lines = Vec::new();
        for Checked { tried, determinism } in &self.examples {
            let Some(of) = determinism else { continue };
            let called = test::called(tried);
            if let Some(Difference {
                event,
                one,
                another,
            }) = &of.differs
            {
                let place =
                    event.map_or_else(|| "the output".to_owned(), |event| format!("event {event}"));
                lines.push(format!(
                    "  {DIM}differs from run to run, at {place}{DIM:#}: {called}\n    {}\n    {}",
                    visible(one),
                    visible(another)
                ));
            }
            let on = of.depends_on.iter().map(|source| match source {
                Source::Randomness => "randomness",
                Source::Clock => "the clock",
            });
            let on: Vec<_> = on.collect();
            if !on.is_empty() {
                lines.push(format!(
                    "  {DIM}depends on {}{DIM:#}: {called}",
                    on.join(" and ")
                ));
            }
        }
        lines
    }
}
