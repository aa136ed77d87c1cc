//! `wasi:filesystem` over [`Files`](super::Files), for guests whose standard library speaks it.
//!
//! There is one directory, `/`. Wasmtime's generated traits are implemented over resources of our own: a descriptor's index in the table is
//! that of an [`Open`].

use bytes::Bytes;
use wasmtime::component::{HasSelf, Linker, Resource};
use wasmtime_wasi::async_trait;
use wasmtime_wasi::p2::bindings::clocks::wall_clock::Datetime;
use wasmtime_wasi::p2::bindings::filesystem::{preopens, types};
use wasmtime_wasi::p2::{
    DynInputStream, DynOutputStream, FsError, FsResult, InputStream, OutputStream, Pollable,
    StreamError, StreamResult,
};

use oacp::capability::GuestPath;

use super::contents::{Room, Shared, Times};
use super::{FileError, Kind, Object, Open, OpenFlags, Status};
use crate::limits;
use crate::state::State;

use types::{Descriptor, DirectoryEntryStream, ErrorCode};

/// What is left of a listing.
struct Entries {
    left: std::vec::IntoIter<types::DirectoryEntry>,
    _room: Room,
}

pub(crate) fn link(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    types::add_to_linker::<State, HasSelf<State>>(linker, |s| s)?;
    preopens::add_to_linker::<State, HasSelf<State>>(linker, |s| s)
}

fn own(descriptor: &Resource<Descriptor>) -> Resource<Open> {
    Resource::new_borrow(descriptor.rep())
}

fn code(error: FileError) -> FsError {
    match error {
        FileError::Denied(_) => ErrorCode::Access,
        FileError::NotFound => ErrorCode::NoEntry,
        FileError::Exists => ErrorCode::Exist,
        FileError::IsDirectory => ErrorCode::IsDirectory,
        FileError::NotDirectory => ErrorCode::NotDirectory,
        FileError::NotEmpty => ErrorCode::NotEmpty,
        FileError::BadPath => ErrorCode::Invalid,
        FileError::Io => ErrorCode::Io,
        FileError::TooLarge => ErrorCode::FileTooLarge,
        FileError::Full => ErrorCode::InsufficientSpace,
        FileError::Unsupported => ErrorCode::Unsupported,
    }
    .into()
}

fn answer<T>(result: wasmtime::Result<Result<T, FileError>>) -> FsResult<T> {
    result.map_err(FsError::trap)?.map_err(code)
}

impl State {
    /// The path that a descriptor and a name say together. A name that ends with `/` is a directory's.
    fn at(&self, base: &Resource<Descriptor>, path: &str) -> FsResult<GuestPath> {
        let open = self.table.get(&own(base))?;
        if !matches!(open.object, Object::Directory) {
            return Err(ErrorCode::NotDirectory.into());
        }
        if path.is_empty() {
            return Err(ErrorCode::NoEntry.into());
        }
        self.resolve(&open.path, path).map_err(code)
    }

    fn contents(&self, descriptor: &Resource<Descriptor>, access: Mode) -> FsResult<Shared> {
        match &self.table.get(&own(descriptor))?.object {
            Object::Directory => Err(ErrorCode::IsDirectory.into()),
            Object::File {
                contents,
                readable,
                writable,
            } => match access {
                _ if contents.is_ended() => Err(ErrorCode::BadDescriptor.into()),
                Mode::Read if !readable => Err(ErrorCode::BadDescriptor.into()),
                // RUSTSEC-2026-0149: changing the size is writing.
                Mode::Write if !writable => Err(ErrorCode::BadDescriptor.into()),
                _ => Ok(contents.clone()),
            },
        }
    }

    fn described(&self, status: &Status) -> types::DescriptorStat {
        // Of the host's times the guest learns none but when its run began: they tell of others' doings.
        let start = self.clock.start_ms().saturating_mul(1_000_000);
        let time = |ns: Option<u64>| {
            let ns = ns.unwrap_or(start);
            Some(Datetime {
                seconds: ns / 1_000_000_000,
                nanoseconds: u32::try_from(ns % 1_000_000_000).unwrap_or(0),
            })
        };
        types::DescriptorStat {
            type_: descriptor_type(status.kind),
            link_count: 1,
            size: status.size,
            data_access_timestamp: time(status.times.accessed),
            data_modification_timestamp: time(status.times.modified),
            status_change_timestamp: time(None),
        }
    }

    fn times(&self, accessed: types::NewTimestamp, modified: types::NewTimestamp) -> Times {
        let time = |new| match new {
            types::NewTimestamp::NoChange => None,
            types::NewTimestamp::Now => {
                Some(u64::try_from(self.clock.wall().as_nanos()).unwrap_or(u64::MAX))
            }
            types::NewTimestamp::Timestamp(time) => Some(
                time.seconds
                    .saturating_mul(1_000_000_000)
                    .saturating_add(u64::from(time.nanoseconds)),
            ),
        };
        Times {
            accessed: time(accessed),
            modified: time(modified),
        }
    }

    async fn status_at(&mut self, base: &Resource<Descriptor>, path: &str) -> FsResult<Status> {
        let full = self.at(base, path)?;
        let status = answer(self.file_status(&full).await)?.ok_or(ErrorCode::NoEntry)?;
        if path.ends_with('/') && status.kind == Kind::File {
            return Err(ErrorCode::NotDirectory.into());
        }
        Ok(status)
    }

    fn status_of(&self, descriptor: &Resource<Descriptor>) -> FsResult<Status> {
        let open = self.table.get(&own(descriptor))?;
        let (kind, size, times) = match &open.object {
            Object::Directory => (Kind::Directory, 0, Times::default()),
            Object::File { contents, .. } => (Kind::File, contents.len(), contents.times()),
        };
        Ok(Status {
            kind,
            size,
            inode: open.inode,
            times,
        })
    }

    /// A name that must not be written as a directory's, if it is a file's.
    fn plain_at(&self, base: &Resource<Descriptor>, path: &str) -> FsResult<GuestPath> {
        let full = self.at(base, path)?;
        if path.ends_with('/') {
            return Err(ErrorCode::NotDirectory.into());
        }
        Ok(full)
    }
}

enum Mode {
    Read,
    Write,
    Any,
}

fn descriptor_type(kind: Kind) -> types::DescriptorType {
    match kind {
        Kind::File => types::DescriptorType::RegularFile,
        Kind::Directory => types::DescriptorType::Directory,
    }
}

fn hash(inode: u64) -> types::MetadataHashValue {
    types::MetadataHashValue {
        lower: inode,
        upper: 0,
    }
}

impl preopens::Host for State {
    fn get_directories(&mut self) -> wasmtime::Result<Vec<(Resource<Descriptor>, String)>> {
        let root = self.table.push(Open {
            path: GuestPath::root(),
            inode: 1,
            object: Object::Directory,
        })?;
        self.count_open();
        Ok(vec![(Resource::new_own(root.rep()), "/".to_owned())])
    }
}

impl types::Host for State {
    fn convert_error_code(&mut self, error: FsError) -> wasmtime::Result<ErrorCode> {
        error.downcast()
    }

    fn filesystem_error_code(
        &mut self,
        error: Resource<wasmtime::Error>,
    ) -> wasmtime::Result<Option<ErrorCode>> {
        let error = self.table.get(&error)?;
        Ok(error.is::<NoRoom>().then_some(ErrorCode::InsufficientSpace))
    }
}

impl types::HostDirectoryEntryStream for State {
    async fn read_directory_entry(
        &mut self,
        stream: Resource<DirectoryEntryStream>,
    ) -> FsResult<Option<types::DirectoryEntry>> {
        let entries = self
            .table
            .get_mut(&Resource::<Entries>::new_borrow(stream.rep()))?;
        Ok(entries.left.next())
    }

    fn drop(&mut self, stream: Resource<DirectoryEntryStream>) -> wasmtime::Result<()> {
        self.table
            .delete(Resource::<Entries>::new_own(stream.rep()))?;
        Ok(())
    }
}

impl types::HostDescriptor for State {
    async fn open_at(
        &mut self,
        base: Resource<Descriptor>,
        _: types::PathFlags,
        path: String,
        open: types::OpenFlags,
        flags: types::DescriptorFlags,
    ) -> FsResult<Resource<Descriptor>> {
        let full = self.at(&base, &path)?;
        let flags = OpenFlags {
            read: flags.contains(types::DescriptorFlags::READ),
            write: flags.contains(types::DescriptorFlags::WRITE),
            create: open.contains(types::OpenFlags::CREATE),
            exclusive: open.contains(types::OpenFlags::EXCLUSIVE),
            truncate: open.contains(types::OpenFlags::TRUNCATE),
            directory: open.contains(types::OpenFlags::DIRECTORY) || path.ends_with('/'),
        };
        let open = answer(self.open_file(full, flags).await)?;
        let index = self.table.push(open)?.rep();
        Ok(Resource::new_own(index))
    }

    fn drop(&mut self, descriptor: Resource<Descriptor>) -> wasmtime::Result<()> {
        self.table
            .delete(Resource::<Open>::new_own(descriptor.rep()))?;
        self.close_file();
        Ok(())
    }

    fn read_via_stream(
        &mut self,
        descriptor: Resource<Descriptor>,
        offset: u64,
    ) -> FsResult<Resource<DynInputStream>> {
        let contents = self.contents(&descriptor, Mode::Read)?;
        let stream: DynInputStream = Box::new(Input { contents, offset });
        Ok(self.table.push(stream)?)
    }

    fn write_via_stream(
        &mut self,
        descriptor: Resource<Descriptor>,
        offset: u64,
    ) -> FsResult<Resource<DynOutputStream>> {
        let contents = self.contents(&descriptor, Mode::Write)?;
        let stream: DynOutputStream = Box::new(Output {
            contents,
            offset: Some(offset),
        });
        Ok(self.table.push(stream)?)
    }

    fn append_via_stream(
        &mut self,
        descriptor: Resource<Descriptor>,
    ) -> FsResult<Resource<DynOutputStream>> {
        let contents = self.contents(&descriptor, Mode::Write)?;
        let stream: DynOutputStream = Box::new(Output {
            contents,
            offset: None,
        });
        Ok(self.table.push(stream)?)
    }

    async fn advise(
        &mut self,
        descriptor: Resource<Descriptor>,
        _: u64,
        _: u64,
        _: types::Advice,
    ) -> FsResult<()> {
        self.contents(&descriptor, Mode::Any).map(|_| ())
    }

    async fn sync_data(&mut self, descriptor: Resource<Descriptor>) -> FsResult<()> {
        self.status_of(&descriptor).map(|_| ())
    }

    async fn sync(&mut self, descriptor: Resource<Descriptor>) -> FsResult<()> {
        self.status_of(&descriptor).map(|_| ())
    }

    async fn get_flags(
        &mut self,
        descriptor: Resource<Descriptor>,
    ) -> FsResult<types::DescriptorFlags> {
        let mut flags = types::DescriptorFlags::empty();
        match &self.table.get(&own(&descriptor))?.object {
            Object::Directory => {
                flags |= types::DescriptorFlags::READ | types::DescriptorFlags::MUTATE_DIRECTORY;
            }
            Object::File {
                readable, writable, ..
            } => {
                if *readable {
                    flags |= types::DescriptorFlags::READ;
                }
                if *writable {
                    flags |= types::DescriptorFlags::WRITE;
                }
            }
        }
        Ok(flags)
    }

    async fn get_type(
        &mut self,
        descriptor: Resource<Descriptor>,
    ) -> FsResult<types::DescriptorType> {
        Ok(descriptor_type(self.status_of(&descriptor)?.kind))
    }

    async fn set_size(&mut self, descriptor: Resource<Descriptor>, size: u64) -> FsResult<()> {
        let contents = self.contents(&descriptor, Mode::Write)?;
        contents
            .resize(size)
            .map_err(|_| ErrorCode::InsufficientSpace.into())
    }

    async fn set_times(
        &mut self,
        descriptor: Resource<Descriptor>,
        accessed: types::NewTimestamp,
        modified: types::NewTimestamp,
    ) -> FsResult<()> {
        let times = self.times(accessed, modified);
        self.contents(&descriptor, Mode::Write)?.set_times(times);
        Ok(())
    }

    async fn set_times_at(
        &mut self,
        base: Resource<Descriptor>,
        _: types::PathFlags,
        path: String,
        accessed: types::NewTimestamp,
        modified: types::NewTimestamp,
    ) -> FsResult<()> {
        let times = self.times(accessed, modified);
        let full = self.at(&base, &path)?;
        answer(self.set_file_times(&full, times).await)
    }

    async fn read(
        &mut self,
        descriptor: Resource<Descriptor>,
        length: u64,
        offset: u64,
    ) -> FsResult<(Vec<u8>, bool)> {
        let contents = self.contents(&descriptor, Mode::Read)?;
        let bytes = contents.read(offset, chunk(length));
        let is_end = offset.saturating_add(bytes.len() as u64) >= contents.len();
        Ok((bytes, is_end))
    }

    async fn write(
        &mut self,
        descriptor: Resource<Descriptor>,
        bytes: Vec<u8>,
        offset: u64,
    ) -> FsResult<u64> {
        let contents = self.contents(&descriptor, Mode::Write)?;
        contents
            .write(Some(offset), &bytes)
            .map_err(|_| ErrorCode::InsufficientSpace)?;
        Ok(bytes.len() as u64)
    }

    async fn read_directory(
        &mut self,
        descriptor: Resource<Descriptor>,
    ) -> FsResult<Resource<DirectoryEntryStream>> {
        let open = self.table.get(&own(&descriptor))?;
        if !matches!(open.object, Object::Directory) {
            return Err(ErrorCode::NotDirectory.into());
        }
        let path = open.path.clone();
        let names = answer(self.list_directory(&path).await)?;
        let room = self.room_for(&names).map_err(code)?;
        let entries: Vec<_> = names
            .into_iter()
            .map(|(name, kind)| types::DirectoryEntry {
                name,
                type_: descriptor_type(kind),
            })
            .collect();
        let entries = Entries {
            left: entries.into_iter(),
            _room: room,
        };
        let index = self.table.push(entries)?.rep();
        Ok(Resource::new_own(index))
    }

    async fn create_directory_at(
        &mut self,
        base: Resource<Descriptor>,
        path: String,
    ) -> FsResult<()> {
        let full = self.at(&base, &path)?;
        answer(self.make_directory(&full).await)
    }

    async fn stat(&mut self, descriptor: Resource<Descriptor>) -> FsResult<types::DescriptorStat> {
        let status = self.status_of(&descriptor)?;
        Ok(self.described(&status))
    }

    async fn stat_at(
        &mut self,
        base: Resource<Descriptor>,
        _: types::PathFlags,
        path: String,
    ) -> FsResult<types::DescriptorStat> {
        let status = self.status_at(&base, &path).await?;
        Ok(self.described(&status))
    }

    /// RUSTSEC-2026-0188: a second name could lie where the file itself may not be written. There are no links here.
    async fn link_at(
        &mut self,
        _: Resource<Descriptor>,
        _: types::PathFlags,
        _: String,
        _: Resource<Descriptor>,
        _: String,
    ) -> FsResult<()> {
        Err(ErrorCode::NotPermitted.into())
    }

    async fn symlink_at(&mut self, _: Resource<Descriptor>, _: String, _: String) -> FsResult<()> {
        Err(ErrorCode::NotPermitted.into())
    }

    /// What a link leads to is what the guest sees in its place.
    async fn readlink_at(&mut self, base: Resource<Descriptor>, path: String) -> FsResult<String> {
        self.status_at(&base, &path).await?;
        Err(ErrorCode::Invalid.into())
    }

    async fn remove_directory_at(
        &mut self,
        base: Resource<Descriptor>,
        path: String,
    ) -> FsResult<()> {
        let full = self.at(&base, &path)?;
        answer(self.remove_directory(&full).await)
    }

    async fn rename_at(
        &mut self,
        base: Resource<Descriptor>,
        old: String,
        new_base: Resource<Descriptor>,
        new: String,
    ) -> FsResult<()> {
        let (old_full, new_full) = (self.at(&base, &old)?, self.at(&new_base, &new)?);
        if old.ends_with('/') || new.ends_with('/') {
            let status = self.status_at(&base, &old).await?;
            if status.kind == Kind::File {
                return Err(ErrorCode::NotDirectory.into());
            }
        }
        answer(self.rename_file(&old_full, &new_full).await)
    }

    async fn unlink_file_at(&mut self, base: Resource<Descriptor>, path: String) -> FsResult<()> {
        let full = self.plain_at(&base, &path)?;
        answer(self.remove_file(&full).await)
    }

    async fn is_same_object(
        &mut self,
        a: Resource<Descriptor>,
        b: Resource<Descriptor>,
    ) -> wasmtime::Result<bool> {
        Ok(self.table.get(&own(&a))?.inode == self.table.get(&own(&b))?.inode)
    }

    async fn metadata_hash(
        &mut self,
        descriptor: Resource<Descriptor>,
    ) -> FsResult<types::MetadataHashValue> {
        Ok(hash(self.status_of(&descriptor)?.inode))
    }

    async fn metadata_hash_at(
        &mut self,
        base: Resource<Descriptor>,
        _: types::PathFlags,
        path: String,
    ) -> FsResult<types::MetadataHashValue> {
        Ok(hash(self.status_at(&base, &path).await?.inode))
    }
}

/// How much is handed over at a time, so that no length that a guest says makes the host reserve memory.
fn chunk(length: u64) -> usize {
    usize::try_from(length)
        .unwrap_or(usize::MAX)
        .min(limits::STREAM_CHUNK_BYTES_MAX)
}

struct Input {
    contents: Shared,
    offset: u64,
}

#[async_trait]
impl Pollable for Input {
    async fn ready(&mut self) {}
}

impl InputStream for Input {
    fn read(&mut self, size: usize) -> StreamResult<Bytes> {
        if self.contents.is_ended() {
            return Err(StreamError::LastOperationFailed(Ended.into()));
        }
        let bytes = self.contents.read(self.offset, chunk(size as u64));
        if bytes.is_empty() && size > 0 {
            return Err(StreamError::Closed);
        }
        self.offset += bytes.len() as u64;
        Ok(bytes.into())
    }
}

struct Output {
    contents: Shared,
    /// `None`: at the end, wherever that is then.
    offset: Option<u64>,
}

/// A limit on bytes is reached.
#[derive(Debug, thiserror::Error)]
#[error("no room is left for files")]
struct NoRoom;

/// A file of the host's does not stay open from one call of an instance to the next.
#[derive(Debug, thiserror::Error)]
#[error("the file was opened in an earlier call")]
struct Ended;

#[async_trait]
impl Pollable for Output {
    async fn ready(&mut self) {}
}

impl OutputStream for Output {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        if self.contents.is_ended() {
            return Err(StreamError::LastOperationFailed(Ended.into()));
        }
        let written = self
            .contents
            .write(self.offset, &bytes)
            .map_err(|_| StreamError::LastOperationFailed(NoRoom.into()))?;
        if let Some(offset) = &mut self.offset {
            *offset = written;
        }
        Ok(())
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(limits::STREAM_CHUNK_BYTES_MAX)
    }
}
