//! What a guest does with files: opening, listing, making, removing, renaming. All of it in memory.

use std::collections::{BTreeMap, BTreeSet};

use oacp::capability::{Denial, GuestPath};

use super::contents::{Contents, Shared, Times};
use super::{
    Access, Answer, Entry, FileError, Files, Kind, Node, Object, Open, OpenFlags, Original, Status,
    attempt,
};
use crate::limits;
use crate::state::State;

impl State {
    /// Opens a file or a directory.
    pub(crate) async fn open_file(&mut self, path: GuestPath, flags: OpenFlags) -> Answer<Open> {
        if self.files.open >= limits::FILES_OPEN_MAX {
            return Ok(Err(FileError::Full));
        }
        let writes = flags.write || flags.truncate || flags.create;
        let access = match (flags.write || flags.truncate, flags.read) {
            (true, true) if !flags.truncate => Access::Both,
            (true, _) => Access::Write,
            (false, true) => Access::Read,
            (false, false) => Access::Look,
        };
        // A directory is opened to be listed.
        if flags.directory && !writes {
            attempt!(self.judge_listing(&path).await?);
        }
        // A directory may be opened wherever it may be looked at; what is in it is judged name by name.
        if self.grant.shows(&path) || self.files.is_private(&path) || self.is_anchor(&path) {
            attempt!(self.look(&path).await?);
        }
        match self.files.entries.get(&path) {
            Some(Entry {
                now: Node::Directory,
                inode,
                ..
            }) => {
                let inode = *inode;
                if flags.write || flags.create && flags.exclusive {
                    return Ok(Err(if flags.create && flags.exclusive {
                        FileError::Exists
                    } else {
                        FileError::IsDirectory
                    }));
                }
                self.files.open += 1;
                return Ok(Ok(Open {
                    path,
                    inode,
                    object: Object::Directory,
                }));
            }
            Some(Entry {
                now: Node::Refused(refusal),
                ..
            }) => {
                let refusal = *refusal;
                return self.refused_file(&path, refusal, access).await;
            }
            _ => {}
        }
        // What the guest itself has made may be read back under the right to write it.
        let own = matches!(
            self.files.entries.get(&path),
            Some(Entry {
                now: Node::File(contents),
                ..
            }) if contents.is_own()
        );
        let is_there = matches!(
            self.files.entries.get(&path),
            Some(Entry {
                now: Node::File(_) | Node::Closed(_),
                ..
            })
        );
        if writes && (flags.write || flags.truncate || !is_there) {
            attempt!(self.judge_file(&path, Access::Write).await?);
        }
        let reads_what_was = flags.read && is_there && !own && !flags.truncate;
        if reads_what_was || (!writes && !own) {
            attempt!(self.judge_file(&path, Access::Read).await?);
        }
        if !self.files.entries.contains_key(&path) {
            attempt!(self.look(&path).await?);
        }
        if flags.directory {
            return Ok(Err(match is_there {
                true => FileError::NotDirectory,
                false => FileError::NotFound,
            }));
        }
        let contents = match self.files.entries.get(&path).map(|entry| entry.now.clone()) {
            Some(Node::File(contents)) => {
                if flags.create && flags.exclusive {
                    return Ok(Err(FileError::Exists));
                }
                contents
            }
            Some(Node::Closed(_)) => {
                if flags.create && flags.exclusive {
                    return Ok(Err(FileError::Exists));
                }
                attempt!(self.load(&path, access).await?)
            }
            Some(Node::Refused(refusal)) => {
                return self.refused_file(&path, refusal, access).await;
            }
            _ if flags.create => attempt!(self.create(&path).await?),
            _ => return Ok(Err(FileError::NotFound)),
        };
        if reads_what_was {
            attempt!(self.confirm_readable(&path, &contents).await?);
        }
        if contents.is_wal_database() && !contents.is_own() && !flags.truncate {
            let denial = Denial::wal_database(&path);
            let call = self.next_call()?;
            self.deny(call, &denial)?;
            return Ok(Err(FileError::Denied(Box::new(denial))));
        }
        if flags.truncate {
            contents.truncate();
        }
        self.files.open += 1;
        let inode = self.files.entries.get(&path).map_or(0, |entry| entry.inode);
        Ok(Ok(Open {
            path,
            inode,
            object: Object::File {
                contents,
                readable: flags.read,
                writable: flags.write,
            },
        }))
    }

    /// A new, empty file. The right to write was judged.
    async fn create(&mut self, path: &GuestPath) -> Answer<Shared> {
        attempt!(self.parent_is_there(path).await?);
        attempt!(self.kind_is_kept(path, Kind::File));
        let contents = Contents::empty(&self.files.bytes);
        self.files.set(path, Node::File(contents.clone()));
        Ok(Ok(contents))
    }

    /// What was a directory on the host becomes no file in one run, nor a file a directory: such a change cannot be written back.
    fn kind_is_kept(&self, path: &GuestPath, kind: Kind) -> Result<(), FileError> {
        match (
            self.files.entries.get(path).map(|entry| &entry.original),
            kind,
        ) {
            (Some(Original::Directory), Kind::File)
            | (Some(Original::File(_)), Kind::Directory) => Err(FileError::Unsupported),
            _ => Ok(()),
        }
    }

    async fn parent_is_there(&mut self, path: &GuestPath) -> Answer<()> {
        let Some(parent) = path.parent() else {
            return Ok(Err(FileError::IsDirectory));
        };
        // What lies in an ungranted directory can be granted by name: that its directory is there is no secret then.
        if !self.grant.shows(&parent) && !self.files.is_private(&parent) && !self.is_anchor(&parent)
        {
            return Ok(Ok(()));
        }
        Ok(match attempt!(self.file_status(&parent).await?) {
            Some(Status {
                kind: Kind::Directory,
                ..
            }) => Ok(()),
            Some(_) => Err(FileError::NotDirectory),
            None => Err(FileError::NotFound),
        })
    }

    /// The names in a directory that may be seen, sorted.
    pub(crate) async fn list_directory(&mut self, path: &GuestPath) -> Answer<Vec<(String, Kind)>> {
        let shown = self.grant.shows(path);
        attempt!(self.judge_listing(path).await?);
        match attempt!(self.file_status(path).await?) {
            Some(Status {
                kind: Kind::Directory,
                ..
            }) => {}
            Some(_) => return Ok(Err(FileError::NotDirectory)),
            None => return Ok(Err(FileError::NotFound)),
        }
        let mut names: BTreeMap<String, Kind> = BTreeMap::new();
        let on_host = matches!(
            self.files.entries.get(path),
            Some(Entry {
                original: Original::Directory,
                ..
            })
        );
        if on_host && shown {
            if !self.files.listings.contains_key(path) {
                let listing = self.listing(path)?;
                self.files.listings.insert(path.clone(), listing);
            }
            names.extend(self.files.listings.get(path).into_iter().flatten().cloned());
        }
        for (child, entry) in self.files.entries.range(path.clone()..) {
            // Sorted as texts: `/a.bak` stands between `/a` and `/a/x`.
            if !child.as_str().starts_with(path.as_str()) {
                break;
            }
            if child.parent().as_ref() != Some(path) {
                continue;
            }
            match &entry.now {
                Node::Absent | Node::Refused(_) => names.remove(child.name()),
                Node::Directory => names.insert(child.name().to_owned(), Kind::Directory),
                Node::Closed(_) | Node::File(_) => {
                    names.insert(child.name().to_owned(), Kind::File)
                }
            };
        }
        Ok(Ok(names.into_iter().collect()))
    }

    pub(crate) async fn make_directory(&mut self, path: &GuestPath) -> Answer<()> {
        if self.is_anchor(path) {
            return Ok(Err(FileError::Exists));
        }
        // `out/*` may be written where `out` is not there yet.
        let leads = self.grant.shows(path)
            && self
                .grant
                .capabilities()
                .file_write
                .iter()
                .any(|pattern| pattern.reaches_below(path));
        if !leads {
            attempt!(self.judge_file(path, Access::Write).await?);
        }
        if attempt!(self.file_status(path).await?).is_some() {
            return Ok(Err(FileError::Exists));
        }
        attempt!(self.parent_is_there(path).await?);
        attempt!(self.kind_is_kept(path, Kind::Directory));
        self.files.set(path, Node::Directory);
        Ok(Ok(()))
    }

    pub(crate) async fn remove_file(&mut self, path: &GuestPath) -> Answer<()> {
        attempt!(self.judge_file(path, Access::Write).await?);
        let status = attempt!(self.file_status(path).await?);
        match status.map(|status| status.kind) {
            Some(Kind::File) => {}
            Some(Kind::Directory) => return Ok(Err(FileError::IsDirectory)),
            None => return Ok(Err(FileError::NotFound)),
        }
        attempt!(self.known_digest(path).await?);
        self.files.set(path, Node::Absent);
        Ok(Ok(()))
    }

    /// What will be replaced or removed is read first, so that it is known what was lost, and that nobody changed it since.
    async fn known_digest(&mut self, path: &GuestPath) -> Answer<()> {
        let closed = matches!(
            self.files.entries.get(path),
            Some(Entry {
                now: Node::Closed(_),
                ..
            })
        );
        if closed {
            attempt!(self.load(path, Access::Write).await?);
        }
        Ok(Ok(()))
    }

    /// Times are the run's own: they are shown again, and not written to the host.
    pub(super) async fn set_file_times(&mut self, path: &GuestPath, times: Times) -> Answer<()> {
        attempt!(self.judge_file(path, Access::Write).await?);
        if attempt!(self.file_status(path).await?).is_none() {
            return Ok(Err(FileError::NotFound));
        }
        attempt!(self.known_digest(path).await?);
        if let Some(Entry {
            now: Node::File(contents),
            ..
        }) = self.files.entries.get(path)
        {
            contents.set_times(times);
        }
        Ok(Ok(()))
    }

    pub(crate) async fn remove_directory(&mut self, path: &GuestPath) -> Answer<()> {
        attempt!(self.judge_file(path, Access::Write).await?);
        if !attempt!(self.list_directory(path).await?).is_empty() {
            return Ok(Err(FileError::NotEmpty));
        }
        self.files.set(path, Node::Absent);
        Ok(Ok(()))
    }

    pub(crate) async fn rename_file(&mut self, old: &GuestPath, new: &GuestPath) -> Answer<()> {
        attempt!(self.judge_file(old, Access::Write).await?);
        attempt!(self.judge_file(new, Access::Write).await?);
        let Some(moved) = attempt!(self.file_status(old).await?) else {
            return Ok(Err(FileError::NotFound));
        };
        if old == new {
            return Ok(Ok(()));
        }
        attempt!(self.parent_is_there(new).await?);
        let replaced = attempt!(self.file_status(new).await?).map(|status| status.kind);
        match (moved.kind, replaced) {
            (Kind::File, Some(Kind::Directory)) => return Ok(Err(FileError::IsDirectory)),
            (Kind::Directory, Some(Kind::File)) => return Ok(Err(FileError::NotDirectory)),
            (Kind::Directory, _) => return self.rename_directory(old, new).await,
            (Kind::File, _) => {}
        }
        attempt!(self.kind_is_kept(new, Kind::File));
        attempt!(self.known_digest(new).await?);
        attempt!(self.known_digest(old).await?);
        // Moving gives what was there another name, under which it could be read.
        let Some(Node::File(contents)) = self.files.entries.get(old).map(|entry| entry.now.clone())
        else {
            return Ok(Err(FileError::NotFound));
        };
        if !contents.is_own() {
            attempt!(self.judge_file(old, Access::Read).await?);
            attempt!(self.confirm_readable(old, &contents).await?);
        }
        let inode = moved.inode;
        self.files.set(new, Node::File(contents));
        self.files.set(old, Node::Absent);
        if let Some(entry) = self.files.entries.get_mut(new) {
            entry.inode = inode;
        }
        Ok(Ok(()))
    }

    /// Only directories that this run made can be moved: of the others not all that is in them is known.
    async fn rename_directory(&mut self, old: &GuestPath, new: &GuestPath) -> Answer<()> {
        let made_here = |path: &GuestPath, files: &Files| {
            matches!(
                files.entries.get(path),
                Some(Entry {
                    original: Original::Private | Original::Absent,
                    now: Node::Directory,
                    ..
                })
            )
        };
        if new.starts_with(old) {
            return Ok(Err(FileError::BadPath));
        }
        if !made_here(old, &self.files) {
            return Ok(Err(FileError::Unsupported));
        }
        if attempt!(self.file_status(new).await?).is_some()
            && !attempt!(self.list_directory(new).await?).is_empty()
        {
            return Ok(Err(FileError::NotEmpty));
        }
        let moved: BTreeSet<GuestPath> = self
            .files
            .entries
            .range(old.clone()..)
            .take_while(|(path, _)| path.as_str().starts_with(old.as_str()))
            .filter(|(path, entry)| {
                path.starts_with(old) && !matches!(entry.now, Node::Absent | Node::Refused(_))
            })
            .map(|(path, _)| path.clone())
            .collect();
        for path in moved {
            let tail = path.as_str().strip_prefix(old.as_str()).unwrap_or_default();
            let target = attempt!(
                format!("{new}{tail}")
                    .parse::<GuestPath>()
                    .map_err(|_| FileError::BadPath)
            );
            attempt!(self.judge_file(&target, Access::Write).await?);
            // Told as it is: what the host refuses there is not moved onto.
            attempt!(self.file_status(&target).await?);
            let is_directory = matches!(
                self.files.entries.get(&path),
                Some(Entry {
                    now: Node::Directory,
                    ..
                })
            );
            let kind = if is_directory {
                Kind::Directory
            } else {
                Kind::File
            };
            attempt!(self.kind_is_kept(&target, kind));
            if let Some(now) = self.files.entries.get(&path).map(|entry| entry.now.clone()) {
                self.files.set(&target, now);
                self.files.set(&path, Node::Absent);
            }
        }
        Ok(Ok(()))
    }
}
