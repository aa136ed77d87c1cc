//! What calls of Python do to files.

use crate::needs::chain::Chain;
use crate::needs::token::Literal;
use crate::needs::walk::named;
use crate::needs::{Needs, Place, Wanted};

/// Functions whose first argument is a path that is read.
const READING: [&str; 18] = [
    "os.listdir",
    "os.scandir",
    "os.walk",
    "os.stat",
    "os.path.exists",
    "os.path.isfile",
    "os.path.isdir",
    "os.path.getsize",
    "glob.glob",
    "glob.iglob",
    "sqlite3.connect",
    "shelve.open",
    "dbm.open",
    "shutil.copy",
    "shutil.copyfile",
    "shutil.copytree",
    "shutil.move",
    "os.rename",
];

/// Functions that write at the argument of this place.
const WRITING: [(&str, usize); 18] = [
    ("sqlite3.connect", 0),
    ("shelve.open", 0),
    ("dbm.open", 0),
    ("shutil.copy", 1),
    ("shutil.copyfile", 1),
    ("shutil.copytree", 1),
    ("shutil.move", 0),
    ("shutil.move", 1),
    ("shutil.rmtree", 0),
    ("os.rename", 0),
    ("os.rename", 1),
    ("os.replace", 1),
    ("os.remove", 0),
    ("os.unlink", 0),
    ("os.rmdir", 0),
    ("os.mkdir", 0),
    ("os.makedirs", 0),
    ("os.truncate", 0),
];

/// Functions that take a path and a mode.
const OPENING: [&str; 7] = [
    "open",
    "io.open",
    "codecs.open",
    "gzip.open",
    "tarfile.open",
    "zipfile.ZipFile",
    "wave.open",
];

/// Methods of a path that write.
const PATH_WRITING: [&str; 9] = [
    "write_text",
    "write_bytes",
    "touch",
    "mkdir",
    "unlink",
    "rmdir",
    "rename",
    "replace",
    "symlink_to",
];

/// Methods of a path that read.
const PATH_READING: [&str; 9] = [
    "read_text",
    "read_bytes",
    "iterdir",
    "glob",
    "rglob",
    "exists",
    "is_file",
    "is_dir",
    "stat",
];

/// What a call does to files.
pub(super) fn call(path: &str, chain: &Chain<'_>, place: &Place, needs: &mut Needs) {
    let at = |argument: usize, keyword: &str| {
        let literal = chain.argument(argument, keyword);
        literal.and_then(Literal::whole).map(str::to_owned)
    };
    if OPENING.contains(&path) {
        let mode = chain.argument(1, "mode").and_then(Literal::whole);
        return opened(path, at(0, "file"), mode, place, needs);
    }
    if READING.contains(&path) {
        files(path, at(0, "file"), place, Wanted::FileRead, needs);
    }
    for (_, argument) in WRITING.iter().filter(|(name, _)| *name == path) {
        files(path, at(*argument, ""), place, Wanted::FileWrite, needs);
    }
}

/// A method that may be of a path, as of every value in a file that uses `pathlib`; and surely is if it is called on what was just
/// `made`.
pub(super) fn method(
    chain: &Chain<'_>,
    made: Option<&Option<String>>,
    place: &Place,
    needs: &mut Needs,
) {
    let [_, .., method] = chain.names.as_slice() else {
        return;
    };
    // Texts have a `replace`, too.
    if made.is_none() && *method == "replace" {
        return;
    }
    // `Path("a").parent` is another path.
    let path = match chain.names.len() {
        2 => made.cloned().flatten(),
        _ => None,
    };
    let function = "pathlib.Path";
    if *method == "open" {
        let mode = chain.argument(0, "mode").and_then(Literal::whole);
        opened(function, path, mode, place, needs);
    } else if PATH_READING.contains(method) {
        files(function, path, place, Wanted::FileRead, needs);
    } else if PATH_WRITING.contains(method) {
        files(function, path, place, Wanted::FileWrite, needs);
    }
}

/// Notes that a file is opened; without a mode to be read.
fn opened(
    function: &str,
    path: Option<String>,
    mode: Option<&str>,
    place: &Place,
    needs: &mut Needs,
) {
    let mode = mode.unwrap_or_default();
    let writes = mode.contains(['w', 'a', 'x', '+']);
    if !writes || mode.contains('+') {
        files(function, path.clone(), place, Wanted::FileRead, needs);
    }
    if writes {
        files(function, path, place, Wanted::FileWrite, needs);
    }
}

/// Notes the use of a path, unless it lies where every run has files of its own.
fn files(
    function: &str,
    path: Option<String>,
    place: &Place,
    wanted: fn(Option<String>) -> Wanted,
    needs: &mut Needs,
) {
    let is_own = |path: &String| path.starts_with("/tmp/") || path == ":memory:";
    if !path.as_ref().is_some_and(is_own) {
        let what = named(function, path.as_deref());
        needs.wants(&what, place.clone(), wanted(path));
    }
}
