//! A shell session: files in a directory of its own, an OACP_HOME of its own, and what the program printed.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::OnceLock;

use expect_test::Expect;
use regex_lite::Regex;

pub struct Session {
    dir: PathBuf,
}

/// A program in the background. Ended when dropped.
pub struct Server {
    child: Child,
    said: serde_json::Value,
}

impl Server {
    pub fn url(&self) -> &str {
        self.said["listening"].as_str().unwrap()
    }

    /// A field of its first line.
    pub fn said(&self, field: &str) -> &serde_json::Value {
        &self.said[field]
    }

    /// Asks it to end, as `kill` does, and waits until it has.
    #[cfg(unix)]
    pub fn end(mut self) -> std::process::ExitStatus {
        let id = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(id, rustix::process::Signal::TERM).unwrap();
        self.child.wait().unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Ended already, perhaps.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Session {
    /// An empty directory. `name` is the test's.
    pub fn new(name: &str) -> Self {
        let dir = Path::new(env!("CARGO_TARGET_TMPDIR"))
            .join("sessions")
            .join(name);
        let _ = fs::remove_dir_all(&dir);
        fs::create_dir_all(&dir).unwrap();
        Self { dir }
    }

    /// A directory in which agents can be run at once: both language runtimes are compiled.
    pub fn with_runtimes(name: &str) -> Self {
        static COMPILED: OnceLock<()> = OnceLock::new();
        COMPILED.get_or_init(|| {
            let session = Self::new(&format!("compile-{}", std::process::id()));
            for (file, agent) in [("a.py", "print(1)"), ("a.js", "console.log(1)")] {
                session.write(file, agent);
                let output = session.oacp(&["run", file]);
                assert!(
                    output.status.success(),
                    "{}",
                    String::from_utf8_lossy(&output.stderr)
                );
            }
            fs::remove_dir_all(&session.dir).unwrap();
        });
        let session = Self::new(name);
        assert!(session.oacp(&["key", "new"]).status.success());
        assert!(session.oacp(&["log", "init"]).status.success());
        session
    }

    pub fn path(&self, path: &str) -> PathBuf {
        self.dir.join(path)
    }

    pub fn write(&self, path: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let file = self.path(path);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(&file, content).unwrap();
        file
    }

    pub fn read(&self, path: &str) -> Vec<u8> {
        fs::read(self.path(path)).unwrap()
    }

    pub fn json(&self, path: &str) -> serde_json::Value {
        serde_json::from_slice(&self.read(path)).unwrap()
    }

    /// The program, about to be run in this directory.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_oacp"));
        let cache = Path::new(env!("CARGO_TARGET_TMPDIR")).join("cache");
        command
            .args(arguments)
            .arg("--cache-dir")
            .arg(cache)
            .current_dir(&self.dir);
        command
            .env_clear()
            .env("HOME", &self.dir)
            .env("OACP_HOME", self.dir.join("oacp"));
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    pub fn oacp(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    pub fn oacp_with_input(&self, arguments: &[&str], input: &[u8]) -> Output {
        let mut child = self
            .command(arguments)
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(input).unwrap();
        child.wait_with_output().unwrap()
    }

    /// The program, left running in the background, and what it said on its first line.
    pub fn server(&self, arguments: &[&str]) -> Server {
        self.server_at(arguments, "127.0.0.1:0")
    }

    /// The same, where it was before.
    pub fn server_at(&self, arguments: &[&str], address: &str) -> Server {
        let mut child = self
            .command(&[arguments, &["--listen", address, "--json"]].concat())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        stdout.read_line(&mut line).unwrap();
        let said = serde_json::from_str(&line).unwrap_or_default();
        let server = Server { child, said };
        assert!(
            server.said("listening").is_string(),
            "{arguments:?}: {line}"
        );
        server
    }

    /// Standard output of a command that succeeds.
    pub fn stdout(&self, arguments: &[&str]) -> String {
        let output = self.oacp(arguments);
        assert!(
            output.status.success(),
            "{arguments:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8(output.stdout).unwrap()
    }

    /// Compares the whole of what the program prints, and its exit code.
    pub fn check(&self, arguments: &[&str], expected: Expect) {
        expected.assert_eq(&self.transcript(arguments, &self.oacp(arguments)));
    }

    pub fn check_with_input(&self, arguments: &[&str], input: &[u8], expected: Expect) {
        expected.assert_eq(&self.transcript(arguments, &self.oacp_with_input(arguments, input)));
    }

    fn transcript(&self, arguments: &[&str], output: &Output) -> String {
        let mut text = format!("$ oacp {}\n", arguments.join(" "));
        for (mark, stream) in [("", &output.stdout), ("! ", &output.stderr)] {
            for line in String::from_utf8_lossy(stream).lines() {
                text.push_str(format!("{mark}{line}").trim_end());
                text.push('\n');
            }
        }
        match output.status.code() {
            Some(0) => {}
            Some(code) => text.push_str(&format!("exit {code}\n")),
            None => text.push_str(&format!("{}\n", output.status)),
        }
        self.without_chance(&text)
    }

    /// What differs from run to run is given a name.
    fn without_chance(&self, text: &str) -> String {
        let text = text.replace(self.dir.to_str().unwrap(), "[dir]");
        let text = text.replace(env!("CARGO_BIN_EXE_oacp"), "oacp");
        let rules = [
            (
                r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}",
                "[id]",
            ),
            (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", "[time]"),
            // Told once for each component, whichever session meets it first.
            (r"(?m)^! compiling the component .*\n", ""),
            (r"[\d.]+ [kMG] fuel", "[fuel]"),
            (r"[\d.]+ [kMG]?B\b", "[size]"),
            (r"([ +])(\d+ min )?[\d.]+ m?s\b", "$1[took]"),
            (r"seed [0-9a-f]{12}", "seed [seed]"),
            (r"runtime    [0-9a-f]{12}", "runtime    [runtime]"),
            (r"uid \d+", "uid [uid]"),
            (r"\bkey [0-9a-f]{64}", "key [keyid]"),
            (r"\b(oacp|witness)\.local/[0-9a-f]{16}", "$1.local/[key]"),
            (r"\+[0-9a-f]{8}\+[A-Za-z0-9+/=]+", "+[vkey]"),
            (r"127\.0\.0\.1([:_])\d{4,5}", "127.0.0.1$1[port]"),
            (
                r"(entry \d+  \w+  |/proof/)sha256:[0-9a-f]{64}",
                "$1[commitment]",
            ),
        ];
        rules.iter().fold(text, |text, (pattern, name)| {
            Regex::new(pattern)
                .unwrap()
                .replace_all(&text, *name)
                .into_owned()
        })
    }
}
