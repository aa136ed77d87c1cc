//! What may be looked at, and what is there: judged, asked of the host once, recorded; or read back from a recording.

use std::sync::Arc;

use oacp::capability::{Denial, GuestPath};
use oacp::digest::Digest;
use oacp::event::{Event, Found};

use super::contents::{Contents, Shared, Times};
use super::host::{Fact, Host};
use super::{
    Access, Answer, Entry, FileError, Kind, Node, Original, Refusal, Region, Status, attempt,
};
use crate::limits;
use crate::state::State;
use crate::tape::{Halt, Side};

impl State {
    /// Where the path lies, or the denial, recorded.
    pub(super) async fn judge_file(&mut self, path: &GuestPath, access: Access) -> Answer<Region> {
        let judged = match access {
            Access::Read => self.grant.allows_read(path),
            Access::Write => self.grant.allows_write(path),
            Access::Both => self
                .grant
                .allows_read(path)
                .and(self.grant.allows_write(path)),
            Access::Look if self.grant.shows(path) => Ok(()),
            Access::Look => self.grant.allows_read(path),
        };
        let denial = match judged {
            Ok(()) => return Ok(Ok(Region::Granted)),
            Err(denial) => denial,
        };
        if !self.grant.shows(path) {
            if self.files.is_private(path) {
                return Ok(Ok(Region::Private));
            }
            if access == Access::Look && self.files.working_directory.starts_with(path) {
                return Ok(Ok(Region::Anchor));
            }
        }
        // A file's denial has a number of its own: it is of no call that the guest began.
        let call = self.next_call()?;
        let capability = denial.capability.clone();
        if let Some(denial) = self.refuse(call, denial).await? {
            return Ok(Err(FileError::Denied(Box::new(denial))));
        }
        if let Side::Record(_) = self.tape.side {
            let (grant, withheld) = (&self.grant, &self.files.withheld);
            let host = self
                .files
                .host
                .get_or_insert_with(|| Host::new(grant, withheld));
            host.add(path, &capability);
        }
        Ok(Ok(Region::Granted))
    }

    /// Whether the directory may be listed, or the denial, recorded. What is in it is judged name by name.
    pub(super) async fn judge_listing(&mut self, path: &GuestPath) -> Answer<()> {
        let Err(denial) = self.grant.allows_listing(path) else {
            return Ok(Ok(()));
        };
        if self.files.is_private(path) && !self.grant.shows(path) {
            return Ok(Ok(()));
        }
        // What the run itself has made is its own to list.
        let is_own = matches!(
            self.files.entries.get(path),
            Some(Entry {
                original: Original::Private | Original::Absent,
                now: Node::Directory,
                ..
            })
        );
        if is_own {
            return Ok(Ok(()));
        }
        let call = self.next_call()?;
        Ok(match self.refuse(call, denial).await? {
            Some(denial) => Err(FileError::Denied(Box::new(denial))),
            None => Ok(()),
        })
    }

    /// What is at `path`, asked of the host at most once.
    pub(super) async fn look(&mut self, path: &GuestPath) -> Answer<()> {
        let region = attempt!(self.judge_file(path, Access::Look).await?);
        if self.files.entries.contains_key(path) {
            return Ok(Ok(()));
        }
        if self.files.entries.len() >= limits::FILES_KNOWN_MAX {
            self.halted(Err(Halt::Limit(format!(
                "the limit of {} files is reached",
                limits::FILES_KNOWN_MAX
            ))))?;
        }
        match region {
            Region::Anchor => {
                self.files
                    .insert(path.clone(), Original::Directory, Node::Directory);
            }
            Region::Private => {
                let now = if path.as_str() == "/tmp" {
                    Node::Directory
                } else {
                    Node::Absent
                };
                self.files.insert(path.clone(), Original::Private, now);
            }
            Region::Granted => self.ask_host(path, Access::Look)?,
        }
        Ok(Ok(()))
    }

    /// Asks the host, or the recording, and keeps the answer. With [`Access::Look`] a file stays closed.
    fn ask_host(&mut self, path: &GuestPath, access: Access) -> wasmtime::Result<()> {
        let (original, now) = match self.fact(path, access)? {
            Known::Opened(digest, contents) => {
                let contents = Contents::of(&contents, digest, &self.files.bytes);
                if matches!(access, Access::Read | Access::Both) {
                    contents.set_readable();
                }
                (Original::File(Some(digest)), Node::File(contents))
            }
            Known::Status(found, size) => match found {
                Found::File => (Original::File(None), Node::Closed(size)),
                Found::Directory => (Original::Directory, Node::Directory),
                Found::Absent => (Original::Absent, Node::Absent),
                Found::Special => (Original::Private, Node::Refused(Refusal::Special)),
                Found::Outside => (Original::Private, Node::Refused(Refusal::Outside)),
                Found::Withheld => (Original::Private, Node::Refused(Refusal::Withheld)),
                Found::Unreadable => (Original::Private, Node::Refused(Refusal::Unreadable)),
            },
        };
        match self.files.entries.get_mut(path) {
            // It was looked at before: the inode stays.
            Some(entry) => {
                entry.original = original;
                entry.now = now;
            }
            None => {
                self.files.insert(path.clone(), original, now);
            }
        }
        Ok(())
    }

    fn fact(&mut self, path: &GuestPath, access: Access) -> wasmtime::Result<Known> {
        if let Side::Replay(_) = self.tape.side {
            let looking = format!("the guest looks at the file {path:?}");
            let read = self.tape.read(&looking, |event| {
                matches!(event, Event::FileOpened { path: p, .. } if p == path && access != Access::Look)
                    || matches!(event, Event::FileStatus { path: p, .. } if p == path)
            });
            let (event, contents) = self.halted(read)?;
            // A run reads no such file.
            if contents.len() > limits::FILE_BYTES_MAX {
                let diverged = self.tape.diverged_before(&event, looking);
                return self.halted(Err(diverged));
            }
            return Ok(match (event, contents) {
                (Event::FileStatus { found, size, .. }, _) => Known::Status(found, size),
                (Event::FileOpened { content, .. }, contents) => {
                    Known::Opened(content.sha256, contents)
                }
                _ => unreachable!("no other event is accepted above"),
            });
        }
        let fits = |bytes: u64| {
            bytes <= limits::FILE_BYTES_MAX as u64
                && usize::try_from(bytes).is_ok_and(|bytes| self.tape.fits(bytes))
        };
        let fact = match &self.files.host {
            Some(host) => host.look(path, access, fits),
            // Granted by somebody who was asked: nothing is open to such a run beside what it was begun with.
            None => Fact::Status(Found::Absent, 0),
        };
        match fact {
            Fact::Opened(contents) => {
                let contents: Arc<[u8]> = contents.into();
                let path = path.clone();
                let written = self
                    .tape
                    .write(&contents, |content| Event::FileOpened { path, content });
                let content = self.halted(written)?;
                Ok(Known::Opened(content.sha256, contents))
            }
            Fact::Status(found, size) => {
                let path = path.clone();
                // As an event can say it, so that a replay sees no other.
                let size = size.min(oacp::limits::JSON_INTEGER_MAX);
                self.event(&Event::FileStatus { path, found, size })?;
                Ok(Known::Status(found, size))
            }
        }
    }

    /// What is at `path`, as far as it may be seen.
    pub(crate) async fn file_status(&mut self, path: &GuestPath) -> Answer<Option<Status>> {
        attempt!(self.look(path).await?);
        let Some(entry) = self.files.entries.get(path) else {
            return Ok(Ok(None));
        };
        let inode = entry.inode;
        let status = |kind, size| {
            Some(Status {
                kind,
                size,
                inode,
                times: Times::default(),
            })
        };
        Ok(match &entry.now {
            Node::Absent => Ok(None),
            Node::Directory => Ok(status(Kind::Directory, 0)),
            Node::Closed(size) => Ok(status(Kind::File, *size)),
            Node::File(contents) => Ok(Some(Status {
                kind: Kind::File,
                size: contents.len(),
                inode,
                times: contents.times(),
            })),
            Node::Refused(refusal) => {
                let refusal = *refusal;
                return self.refused_file(path, refusal, Access::Look).await;
            }
        })
    }

    /// The error for what the host has and the guest cannot have.
    pub(super) async fn refused_file<T>(
        &mut self,
        path: &GuestPath,
        refusal: Refusal,
        access: Access,
    ) -> Answer<T> {
        let denial = match refusal {
            Refusal::Special => Denial::file_special(access.capability(), path),
            Refusal::Outside => Denial::file_outside(access.capability(), path),
            Refusal::Withheld => Denial::file_withheld(access.capability(), path),
            Refusal::Unreadable => return Ok(Err(FileError::Io)),
        };
        let call = self.next_call()?;
        self.deny(call, &denial)?;
        Ok(Err(FileError::Denied(Box::new(denial))))
    }

    /// What was loaded to be written is judged by the host once more before it is read: through a link it may lie where only writing
    /// is granted.
    pub(super) async fn confirm_readable(
        &mut self,
        path: &GuestPath,
        contents: &Shared,
    ) -> Answer<()> {
        if contents.is_readable() {
            return Ok(Ok(()));
        }
        let loaded = self.files.entries.get(path).map(|entry| &entry.original);
        let loaded = match loaded {
            Some(Original::File(digest)) => *digest,
            _ => None,
        };
        match self.fact(path, Access::Read)? {
            // Another file than the one in memory says nothing about that one.
            Known::Opened(digest, _) if Some(digest) == loaded => {
                contents.set_readable();
                Ok(Ok(()))
            }
            Known::Status(Found::Outside, _) => {
                self.refused_file(path, Refusal::Outside, Access::Read)
                    .await
            }
            Known::Opened(..) | Known::Status(..) => Ok(Err(FileError::Io)),
        }
    }

    /// The contents of a file that was only looked at until now.
    pub(super) async fn load(&mut self, path: &GuestPath, access: Access) -> Answer<Shared> {
        let access = match access {
            Access::Look => Access::Read,
            other => other,
        };
        self.ask_host(path, access)?;
        let now = self.files.entries.get(path).map(|entry| entry.now.clone());
        match now {
            Some(Node::File(contents)) => Ok(Ok(contents)),
            Some(Node::Closed(_)) => Ok(Err(FileError::TooLarge)),
            Some(Node::Directory) => Ok(Err(FileError::IsDirectory)),
            Some(Node::Refused(refusal)) => self.refused_file(path, refusal, access).await,
            Some(Node::Absent) | None => Ok(Err(FileError::NotFound)),
        }
    }

    /// What the host lists, or the recording says that it listed.
    pub(super) fn listing(&mut self, path: &GuestPath) -> wasmtime::Result<Vec<(String, Kind)>> {
        let bytes: Arc<[u8]> = match self.tape.side {
            Side::Replay(_) => {
                let looking = format!("the guest lists the directory {path:?}");
                let read = self.tape.read(
                    &looking,
                    |event| matches!(event, Event::DirectoryListed { path: p, .. } if p == path),
                );
                let (event, bytes) = self.halted(read)?;
                // Judged again: a recording shows no more than its grant.
                let is_granted = |name: &str| {
                    path.child(name)
                        .is_ok_and(|child| self.grant.shows(&child) || self.granted_file(&child))
                };
                let names: Option<Vec<(String, String)>> = serde_json::from_slice(&bytes).ok();
                let is_possible = names.is_some_and(|names| {
                    names.len() <= limits::DIRECTORY_ENTRIES_MAX
                        && names.iter().all(|(name, _)| is_granted(name))
                });
                if !is_possible {
                    let diverged = self.tape.diverged_before(&event, looking);
                    return self.halted(Err(diverged));
                }
                bytes
            }
            Side::Record(_) => {
                let names = match &self.files.host {
                    Some(host) => host.list(path, |child| self.grant.shows(child)),
                    None => Vec::new(),
                };
                let names: Vec<_> = names
                    .iter()
                    .map(|(name, kind)| (name, kind.as_str()))
                    .collect();
                let bytes = oacp::json::canonicalize(&names).unwrap_or_default();
                let path = path.clone();
                let written = self
                    .tape
                    .write(&bytes, |entries| Event::DirectoryListed { path, entries });
                self.halted(written)?;
                bytes.into()
            }
        };
        let names: Vec<(String, String)> = serde_json::from_slice(&bytes).unwrap_or_default();
        Ok(names
            .into_iter()
            .map(|(name, kind)| {
                let kind = if kind == Kind::Directory.as_str() {
                    Kind::Directory
                } else {
                    Kind::File
                };
                (name, kind)
            })
            .collect())
    }

    /// Whether somebody who was asked has allowed it.
    fn granted_file(&self, path: &GuestPath) -> bool {
        ["file_read", "file_write"].iter().any(|capability| {
            self.granted
                .contains(&((*capability).to_owned(), path.to_string()))
        })
    }
}

/// A fact about the host's file, from the host or from the recording.
enum Known {
    Opened(Digest, Arc<[u8]>),
    Status(Found, u64),
}
