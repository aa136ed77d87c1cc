//! A recorded run under another grant, as far as it says something of the run.

use oacp::Verified;
use oacp::capability::{Grant, GuestPath};
use oacp::event::Event;
use oacp::policy::{Asked, judge, judge_variables};

/// What the run asked for, judged under the grant. `None`: its events are not in the bundle.
///
/// Looking at a file before opening it, and at the directories that lead to it, is not listed beside the opening: whoever may open it may
/// look. Nor is looking at the working directory, which every run may.
pub(super) fn judged(verified: &Verified, grant: &Grant) -> Option<Vec<Asked>> {
    let events = verified.events()?;
    let opened: Vec<&GuestPath> = events
        .iter()
        .filter_map(|event| match event {
            Event::FileOpened { path, .. } | Event::DirectoryListed { path, .. } => Some(path),
            Event::Start {
                working_directory, ..
            } => Some(working_directory),
            _ => None,
        })
        .collect();
    let is_implied = |asked: &Asked| {
        let index = usize::try_from(asked.event).unwrap_or(usize::MAX);
        match events.get(index) {
            Some(Event::FileStatus { path, .. }) => {
                opened.iter().any(|opened| opened.starts_with(path))
            }
            _ => false,
        }
    };
    let mut all: Vec<Asked> = judge(events, grant)
        .into_iter()
        .filter(|asked| !is_implied(asked))
        .collect();
    for (index, event) in (0..).zip(events) {
        if let Event::Environment { variables } = event {
            let variables = verified.blob(&variables.sha256).unwrap_or_default();
            all.extend(judge_variables(index, variables, grant));
        }
    }
    Some(all)
}
