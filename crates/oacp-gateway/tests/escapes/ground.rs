//! A directory tree of a test's own, with something to steal in it, and guests that try to.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{FileTypeExt, symlink};
use std::path::Path;

use oacp::outcome::Outcome;
use oacp_gateway::Call;
use oacp_sandbox::{Tools, Write};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::fixture::{Seen, agent, call, grant, see_granted, tools};

/// What no guest may see.
pub const SECRET: &str = "TOP-SECRET-CONTENT";

/// `in/` may be read and nothing else.
pub const READ: &str = r#"{"file_read": ["@/in/"]}"#;
/// `out/` may be written and not read.
pub const WRITE: &str = r#"{"file_write": ["@/out/"]}"#;
/// `in/` may be read, `out/` written, `both/` both.
pub const ALL: &str = r#"{"file_read": ["@/in/", "@/both/"], "file_write": ["@/out/", "@/both/"]}"#;
/// Nothing.
pub const NONE: &str = "{}";

/// What every Python guest begins with. `t` tries something and says what came of it; `fetch` is one request, past every library.
const PRELUDE: &str = r#"
import errno, json, os
import oacp
from oacp import tools

def t(do, *arguments, **options):
    try:
        return do(*arguments, **options)
    except oacp.CapabilityDenied as e:
        return e.code
    except OSError as e:
        return errno.errorcode.get(e.errno) or type(e).__name__
    except Exception as e:
        return type(e).__name__

def read(path):
    with open(path) as file:
        return file.read()

def write(path, text, mode='w'):
    with open(path, mode) as file:
        file.write(text)

def fetch(url, method='GET', headers=(), body=b''):
    from componentize_py_types import Err
    from wit_world.imports import http, port
    outcome = port.wait([http.start(http.Request(method, url, list(headers), body))], None).outcome
    if isinstance(outcome, Err):
        failure = outcome.value
        return json.loads(failure.detail)['code'] if failure.code == 'denied' else failure.code
    head, _, body = getattr(outcome, 'value', outcome).partition(b'\n')
    head = json.loads(head)
    return [head['status'], body.decode('latin-1')]

"#;

/// `in/` with files to read, `out/` with one to write, `both/`, and `outside/`, which nobody is granted.
pub struct Ground {
    _directory: TempDir,
    root: String,
}

impl Ground {
    pub fn new() -> Self {
        // Not in `/tmp`, which is private to a run.
        let directory = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let root = directory.path().canonicalize().unwrap();
        let ground = Self {
            _directory: directory,
            root: root.to_str().unwrap().to_owned(),
        };
        for (name, content) in [
            ("in/a.txt", "granted"),
            ("in/sub/b.txt", "granted too"),
            ("out/old.txt", "what was there"),
            ("both/c.txt", "old"),
            ("outside/secret.txt", SECRET),
            ("outside/sub/b.txt", SECRET),
        ] {
            ground.put(name, content);
        }
        ground
    }

    /// An absolute path.
    pub fn at(&self, name: &str) -> String {
        format!("{}/{name}", self.root)
    }

    /// The text, with `@` for the tree's root.
    pub fn text(&self, text: &str) -> String {
        text.replace("@/", &self.at(""))
    }

    /// Makes a file, and the directories before it.
    pub fn put(&self, name: &str, content: impl AsRef<[u8]>) {
        let path = self.at(name);
        fs::create_dir_all(Path::new(&path).parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    pub fn link(&self, name: &str, target: &str) {
        symlink(self.text(target), self.at(name)).unwrap();
    }

    pub fn read(&self, name: &str) -> String {
        fs::read_to_string(self.at(name)).unwrap()
    }

    /// Whatever is in the tree: what each name is, what a file holds and where a link leads.
    pub fn everything(&self) -> BTreeMap<String, String> {
        Self::tree(&self.root)
    }

    pub fn tree(root: &str) -> BTreeMap<String, String> {
        let mut found = BTreeMap::new();
        collect(Path::new(root), &mut found);
        found
    }

    /// A call of a Python agent; `body` is that of `run(input)`.
    pub fn call(&self, granted: &str, body: &str) -> Call {
        let body = self.text(body);
        let body: String = body.lines().map(|line| format!("    {line}\n")).collect();
        let source = format!("{PRELUDE}def run(input):\n{body}");
        self.call_of("agent.py", &source, granted)
    }

    /// A call of an agent that is written down whole.
    pub fn call_of(&self, name: &str, source: &str, granted: &str) -> Call {
        let mut call = call(agent(name, &self.text(source)), json!(null));
        call.asked = grant(serde_json::from_str(&self.text(granted)).unwrap());
        call.working_directory = self.at("in").parse().unwrap();
        call
    }

    /// Runs it to a good end; nothing on the disk has changed, and re-execution confirms.
    pub fn tries(&self, granted: &str, body: &str) -> Seen {
        self.tries_of(self.call(granted, body))
    }

    pub fn tries_of(&self, call: Call) -> Seen {
        let before = self.everything();
        let seen = see_granted(call).confirmed();
        assert_eq!(
            seen.execution.outcome,
            Outcome::Ok,
            "{:?}",
            seen.execution.failure
        );
        assert_eq!(self.everything(), before, "the disk has changed");
        holds_no_secret(&seen);
        seen
    }

    /// The same, where the disk may change.
    pub fn changes(&self, call: Call) -> Seen {
        let seen = see_granted(call).confirmed();
        holds_no_secret(&seen);
        seen
    }
}

/// Neither the output nor anything in the bundle.
pub fn holds_no_secret(seen: &Seen) {
    let output = String::from_utf8_lossy(&seen.execution.output);
    assert!(!output.contains(SECRET), "{output}");
    assert!(
        !crate::secrets::holds(&seen.execution.bundle.to_bytes(), SECRET.as_bytes()),
        "the bundle holds what is outside"
    );
}

fn collect(directory: &Path, found: &mut BTreeMap<String, String>) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        let kind = fs::symlink_metadata(&path).unwrap().file_type();
        let is = if kind.is_symlink() {
            format!("link to {}", fs::read_link(&path).unwrap().display())
        } else if kind.is_dir() {
            collect(&path, found);
            "directory".to_owned()
        } else if kind.is_file() {
            let bytes = fs::read(&path).unwrap();
            match bytes.len() < 4096 {
                true => format!("file {}", String::from_utf8_lossy(&bytes)),
                false => format!("file of {} bytes", bytes.len()),
            }
        } else {
            format!("fifo {} socket {}", kind.is_fifo(), kind.is_socket())
        };
        found.insert(path.display().to_string(), is);
    }
}

/// A tool of the test's own, that does something outside while the guest waits: deterministic, between two steps of the guest.
pub fn with_tool(call: &mut Call, name: &str, act: impl Fn(Value) + Send + Sync + 'static) {
    call.asked.tools.insert(name.parse().unwrap());
    let act = std::sync::Arc::new(act);
    let tools: Tools = tools();
    call.tools = tools.with(name.parse().unwrap(), move |arguments| {
        act(arguments);
        async { Ok(Value::Null) }
    });
}

/// The codes of what was denied, in order.
pub fn codes(seen: &Seen) -> Vec<&str> {
    let denials = seen.execution.denials.iter();
    denials.map(|denial| denial.code.as_str()).collect()
}

/// What was written back, by the last segment.
pub fn writes(seen: &Seen) -> Vec<String> {
    let write = |write: &Write| {
        format!(
            "{} {:?} {:?}",
            write.path.name(),
            write.change,
            write.result
        )
    };
    seen.execution.writes.iter().map(write).collect()
}

/// Asserts what the guest says and what was denied.
#[track_caller]
pub fn says(seen: &Seen, output: &Value, denied: &[&str]) {
    assert_eq!(
        seen.output(),
        *output,
        "denials: {:?}",
        seen.execution.denials
    );
    assert_eq!(codes(seen), denied, "{:?}", seen.execution.denials);
}

/// Cases that differ in what is granted, tried, seen and denied. Nothing of the ground changes in any.
macro_rules! escapes {
    ($($(#[$meta:meta])* $name:ident: $grant:expr, $body:expr => $output:tt, [$($code:expr),*];)*) => {$(
        $(#[$meta])*
        #[test]
        fn $name() {
            let seen = $crate::ground::Ground::new().tries($grant, $body);
            $crate::ground::says(&seen, &serde_json::json!($output), &[$($code),*]);
        }
    )*};
}
pub(crate) use escapes;
