//! `oacp:agent/files`, for guests that do not speak `wasi:filesystem`.

use std::pin::Pin;

use wasmtime::StoreContextMut;
use wasmtime::component::{ComponentNamedList, ComponentType, Lift, Linker, LinkerInstance, Lower};

use super::{Answer, FileError, Kind, Object, OpenFlags, attempt};
use crate::port::{denied, failure};
use crate::program::agent::oacp::agent as wit;
use crate::state::{State, charge};

use wit::files::{Entry, Mode};
use wit::types::Failure;

impl State {
    async fn read_whole(&mut self, path: &str) -> Answer<Vec<u8>> {
        let path = attempt!(self.resolve(self.files.working_directory(), path));
        let flags = OpenFlags {
            read: true,
            ..OpenFlags::default()
        };
        let open = attempt!(self.open_file(path, flags).await?);
        self.close_file();
        Ok(match open.object {
            Object::File { contents, .. } => Ok(contents.bytes()),
            Object::Directory => Err(FileError::IsDirectory),
        })
    }

    async fn write_whole(&mut self, path: &str, content: &[u8], mode: Mode) -> Answer<()> {
        let path = attempt!(self.resolve(self.files.working_directory(), path));
        let flags = OpenFlags {
            write: true,
            create: true,
            exclusive: mode == Mode::Create,
            truncate: mode == Mode::Replace,
            ..OpenFlags::default()
        };
        let open = attempt!(self.open_file(path, flags).await?);
        self.close_file();
        Ok(match open.object {
            Object::File { contents, .. } => contents
                .write(None, content)
                .map(|_| ())
                .map_err(|_| FileError::Full),
            Object::Directory => Err(FileError::IsDirectory),
        })
    }

    async fn list_path(&mut self, path: &str) -> Answer<Vec<Entry>> {
        let path = attempt!(self.resolve(self.files.working_directory(), path));
        let entries = attempt!(self.list_directory(&path).await?);
        let entry = |(name, kind)| Entry {
            name,
            kind: kind_of(kind),
        };
        Ok(Ok(entries.into_iter().map(entry).collect()))
    }

    async fn status_path(&mut self, path: &str) -> Answer<Option<wit::files::Attributes>> {
        let path = attempt!(self.resolve(self.files.working_directory(), path));
        let status = attempt!(self.file_status(&path).await?);
        Ok(Ok(status.map(|status| wit::files::Attributes {
            kind: kind_of(status.kind),
            size: status.size,
        })))
    }

    async fn make_directory_path(&mut self, path: &str) -> Answer<()> {
        let path = attempt!(self.resolve(self.files.working_directory(), path));
        self.make_directory(&path).await
    }

    async fn remove_path(&mut self, path: &str) -> Answer<()> {
        let path = attempt!(self.resolve(self.files.working_directory(), path));
        match self.remove_file(&path).await? {
            Err(FileError::IsDirectory) => self.remove_directory(&path).await,
            other => Ok(other),
        }
    }

    async fn rename_path(&mut self, old: &str, new: &str) -> Answer<()> {
        let old = attempt!(self.resolve(self.files.working_directory(), old));
        let new = attempt!(self.resolve(self.files.working_directory(), new));
        self.rename_file(&old, &new).await
    }
}

fn kind_of(kind: Kind) -> wit::files::Kind {
    match kind {
        Kind::File => wit::files::Kind::File,
        Kind::Directory => wit::files::Kind::Directory,
    }
}

impl FileError {
    fn into_failure(self, path: &str) -> Failure {
        let (code, what) = match self {
            Self::Denied(denial) => return denied(&denial),
            Self::NotFound => ("not_found", "there is no file or directory"),
            Self::Exists => ("exists", "there is a file or directory already:"),
            Self::IsDirectory => ("is_directory", "it is a directory:"),
            Self::NotDirectory => ("not_directory", "it is no directory:"),
            Self::NotEmpty => ("not_empty", "the directory is not empty:"),
            Self::BadPath => ("bad_path", "it is no path that can be used:"),
            Self::Io => ("io", "the host cannot read"),
            Self::TooLarge => ("limit", "the file is too large:"),
            Self::Full => ("limit", "no room is left to write"),
            Self::Unsupported => ("io", "this directory cannot be moved:"),
        };
        failure(code, format!("{what} `{}`", path.escape_debug()))
    }
}

/// What a function of the interface does with its parameters.
type Function<P, R> =
    for<'a> fn(&'a mut State, P) -> Pin<Box<dyn Future<Output = Answered<R>> + Send + 'a>>;

/// A result in the guest's words.
type Answered<R> = wasmtime::Result<Result<R, Failure>>;

/// Links one function: its price, by the bytes that it takes and gives, and what it does.
fn function<P, R>(
    files: &mut LinkerInstance<'_, State>,
    name: &str,
    taken: fn(&P) -> usize,
    given: fn(&R) -> usize,
    function: Function<P, R>,
) -> wasmtime::Result<()>
where
    P: ComponentNamedList + Lift + Send + Sync + 'static,
    R: ComponentType + Lower + Send + Sync + 'static,
{
    files.func_wrap_async(
        name,
        move |mut store: StoreContextMut<'_, State>, parameters: P| {
            Box::new(async move {
                charge(&mut store, taken(&parameters)).await?;
                let result = function(store.data_mut(), parameters).await?;
                charge(&mut store, result.as_ref().map_or(0, given)).await?;
                Ok((result,))
            })
        },
    )
}

fn told<R>(result: Answer<R>, path: &str) -> Answered<R> {
    result.map(|result| result.map_err(|error| error.into_failure(path)))
}

pub(crate) fn link(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    let mut files = linker.instance("oacp:agent/files@0.1.0")?;
    files.func_wrap_async(
        "working-directory",
        |mut store: StoreContextMut<'_, State>, (): ()| {
            Box::new(async move {
                let directory = store.data().files.working_directory().to_string();
                charge(&mut store, directory.len()).await?;
                Ok((directory,))
            })
        },
    )?;
    let files = &mut files;
    let one: fn(&(String,)) -> usize = |(path,)| path.len();
    let nothing: fn(&()) -> usize = |()| 0;
    function(files, "read", one, Vec::len, |state, (path,)| {
        Box::pin(async move { told(state.read_whole(&path).await, &path) })
    })?;
    let write: fn(&(String, Vec<u8>, Mode)) -> usize =
        |(path, content, _)| path.len() + content.len();
    function(
        files,
        "write",
        write,
        nothing,
        |state, (path, content, mode)| {
            Box::pin(async move { told(state.write_whole(&path, &content, mode).await, &path) })
        },
    )?;
    let names: fn(&Vec<Entry>) -> usize =
        |entries| entries.iter().map(|entry| entry.name.len() + 8).sum();
    function(files, "list", one, names, |state, (path,)| {
        Box::pin(async move { told(state.list_path(&path).await, &path) })
    })?;
    function(
        files,
        "status",
        one,
        |_| 0,
        |state, (path,)| Box::pin(async move { told(state.status_path(&path).await, &path) }),
    )?;
    function(files, "make-directory", one, nothing, |state, (path,)| {
        Box::pin(async move { told(state.make_directory_path(&path).await, &path) })
    })?;
    function(files, "remove", one, nothing, |state, (path,)| {
        Box::pin(async move { told(state.remove_path(&path).await, &path) })
    })?;
    let two: fn(&(String, String)) -> usize = |(old, new)| old.len() + new.len();
    function(files, "rename", two, nothing, |state, (old, new)| {
        Box::pin(async move { told(state.rename_path(&old, &new).await, &old) })
    })
}
