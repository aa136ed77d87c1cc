//! Writing what a run wrote, after it has ended well and before its statement is signed.
//!
//! All or nothing, as far as a file system can: first every file is compared with what the guest read, then every new content is written
//! beside its place and made durable, then the names are changed. A file that somebody changed meanwhile keeps that change, and
//! then nothing at all is written.

use std::io;

use oacp::capability::GuestPath;
use oacp::digest::Digest;
use oacp::event::{Change, Event, Written};

use super::host::{Held, Host, Place, Staged};
use super::{Node, Original};
use crate::limits;
use crate::state::State;
use crate::tape::{Halt, Side};

/// One change that a run made, and whether it was carried out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Write {
    /// Where.
    pub path: GuestPath,
    /// What.
    pub change: Change,
    /// Whether it was carried out.
    pub result: Written,
}

/// What is to be done at one path.
struct Planned {
    path: GuestPath,
    change: Change,
    content: Option<Vec<u8>>,
    before: Option<Digest>,
}

impl State {
    /// Carries out what the run changed, and records each change with its result; in a replay only compares.
    pub(crate) fn write_back(&mut self) -> Result<Vec<Write>, Halt> {
        let plan = self.plan();
        let bytes = plan.iter().flat_map(|one| &one.content).map(Vec::len).sum();
        if !self.tape.fits(bytes) || !self.tape.has_room_for(plan.len()) {
            return Err(Halt::Limit(format!(
                "what the run wrote is beyond the limit of {} recorded bytes",
                limits::RECORDING_BYTES_MAX
            )));
        }
        let results = match (&self.tape.side, &self.files.host) {
            (Side::Record(_), Some(host)) => carry_out(host, &plan),
            // Nothing was granted, so that there is nothing.
            (Side::Record(_), None) => vec![Written::Failed; plan.len()],
            (Side::Replay(_), _) => Vec::new(),
        };
        let mut results = results.into_iter();
        let mut writes = Vec::with_capacity(plan.len());
        for Planned {
            path,
            change,
            content,
            before,
        } in plan
        {
            let recorded = match results.next() {
                Some(result) => result,
                None => self.recorded_result(&path, change)?,
            };
            let content = match content {
                Some(content) => Some(self.tape.content(&content)?),
                None => None,
            };
            let event = Event::WriteBack {
                path: path.clone(),
                change,
                content,
                before,
                result: recorded,
            };
            self.tape.event(&event)?;
            writes.push(Write {
                path,
                change,
                result: recorded,
            });
        }
        Ok(writes)
    }

    /// The one part of a write that comes from outside. The rest is compared as the event is.
    fn recorded_result(&self, path: &GuestPath, change: Change) -> Result<Written, Halt> {
        match self.tape.peek() {
            Some(Event::WriteBack { result, .. }) => Ok(result),
            other => Err(self
                .tape
                .diverged_at(other.as_ref(), format!("the guest {change:?} {path:?}"))),
        }
    }

    fn plan(&self) -> Vec<Planned> {
        let mut plan = Vec::new();
        let planned = |path: &GuestPath, change, content, before| Planned {
            path: path.clone(),
            change,
            content,
            before,
        };
        for (path, entry) in &self.files.entries {
            match (&entry.original, &entry.now) {
                (Original::Absent, Node::File(contents)) => {
                    plan.push(planned(path, Change::Created, Some(contents.bytes()), None));
                }
                (Original::Absent, Node::Directory) if self.is_wanted(path) => {
                    plan.push(planned(path, Change::DirectoryCreated, None, None));
                }
                (Original::File(before), Node::File(contents))
                    if *before != Some(contents.digest()) =>
                {
                    let content = Some(contents.bytes());
                    plan.push(planned(path, Change::Replaced, content, *before));
                }
                (Original::File(before), Node::Absent) => {
                    plan.push(planned(path, Change::Removed, None, *before));
                }
                (Original::Directory, Node::Absent) => {
                    plan.push(planned(path, Change::DirectoryRemoved, None, None));
                }
                _ => {}
            }
        }
        // A directory can go once what was in it has gone.
        let (mut removed, others): (Vec<_>, Vec<_>) = plan
            .into_iter()
            .partition(|one| one.change == Change::DirectoryRemoved);
        removed.reverse();
        others.into_iter().chain(removed).collect()
    }

    /// A directory that only leads to what may be written is made for what is in it.
    fn is_wanted(&self, path: &GuestPath) -> bool {
        self.grant.allows_write(path).is_ok()
            || self
                .files
                .entries
                .range(path.clone()..)
                .take_while(|(other, _)| other.as_str().starts_with(path.as_str()))
                .any(|(other, entry)| {
                    other.starts_with(path)
                        && matches!(entry.now, Node::File(_))
                        && matches!(entry.original, Original::Absent)
                })
    }
}

/// The result of each change, in the plan's order.
fn carry_out(host: &Host, plan: &[Planned]) -> Vec<Written> {
    let mut results = vec![Written::NotDone; plan.len()];
    let mut held = Held::default();
    let conflicts: Vec<usize> = (0..)
        .zip(plan)
        .filter(|(_, one)| !is_unchanged(host, one, plan, &mut held).unwrap_or(false))
        .map(|(index, _)| index)
        .collect();
    if !conflicts.is_empty() {
        for index in conflicts {
            if let Some(result) = results.get_mut(index) {
                *result = Written::Conflict;
            }
        }
        return results;
    }
    let mut made = Vec::new();
    let mut ready = Vec::new();
    for (result, one) in results.iter_mut().zip(plan) {
        match prepare(host, one, &mut held) {
            Ok(Prepared::Directory(place)) => {
                made.push(place);
                ready.push(None);
                *result = Written::Done;
            }
            Ok(other) => ready.push(Some(other)),
            Err(_) => {
                *result = Written::Failed;
                // What was made for this run alone goes again; what is staged is removed as it is dropped.
                made.iter().rev().for_each(|place| {
                    let _ = place.remove_directory();
                });
                return results
                    .into_iter()
                    .map(|result| match result {
                        Written::Done => Written::NotDone,
                        other => other,
                    })
                    .collect();
            }
        }
    }
    for (result, prepared) in results.iter_mut().zip(ready) {
        let done = match prepared {
            None => continue,
            Some(Prepared::Directory(_)) => Ok(()),
            Some(Prepared::Staged(staged)) => staged.commit(),
            Some(Prepared::Removal(place)) => place.remove(),
            Some(Prepared::DirectoryRemoval(place)) => place.remove_directory(),
        };
        *result = if done.is_ok() {
            Written::Done
        } else {
            Written::Failed
        };
    }
    results
}

/// Whether the host has there what the guest was shown.
fn is_unchanged(host: &Host, one: &Planned, plan: &[Planned], held: &mut Held) -> io::Result<bool> {
    let place = match place(host, one, held) {
        Ok(place) => place,
        // Its directory is not there: so was it when the guest looked, or it is made in this same plan.
        Err(e) if e.kind() == io::ErrorKind::NotFound => {
            return Ok(matches!(
                one.change,
                Change::Created | Change::DirectoryCreated
            ));
        }
        Err(e) => return Err(e),
    };
    match one.change {
        Change::Created => Ok(place.digest()?.is_none()),
        Change::Replaced | Change::Removed => Ok(place.digest()? == one.before),
        Change::DirectoryCreated => Ok(!place.is_directory()? && place.digest()?.is_none()),
        // What somebody put into it meanwhile stays.
        Change::DirectoryRemoved => Ok(place.is_directory()?
            && place.names()?.into_iter().all(|name| {
                let child = name.and_then(|name| one.path.child(&name).ok());
                plan.iter().any(|other| {
                    matches!(other.change, Change::Removed | Change::DirectoryRemoved)
                        && Some(&other.path) == child.as_ref()
                })
            })),
    }
}

/// Where it is done. A name that is removed, or made, is that name and not where it leads.
fn place(host: &Host, one: &Planned, held: &mut Held) -> io::Result<Place> {
    match one.change {
        Change::Created | Change::Replaced => host.place(&one.path, held),
        Change::Removed | Change::DirectoryCreated | Change::DirectoryRemoved => {
            host.own_place(&one.path, held)
        }
    }
}

enum Prepared {
    Directory(Place),
    Staged(Staged),
    Removal(Place),
    DirectoryRemoval(Place),
}

fn prepare(host: &Host, one: &Planned, held: &mut Held) -> io::Result<Prepared> {
    let place = place(host, one, held)?;
    Ok(match (one.change, &one.content) {
        (Change::Created | Change::Replaced, Some(content)) => {
            Prepared::Staged(place.stage(content)?)
        }
        (Change::DirectoryCreated, _) => {
            place.make_directory()?;
            Prepared::Directory(place)
        }
        (Change::DirectoryRemoved, _) => Prepared::DirectoryRemoval(place),
        (Change::Removed, _) => Prepared::Removal(place),
        (Change::Created | Change::Replaced, None) => {
            return Err(io::ErrorKind::InvalidInput.into());
        }
    })
}
