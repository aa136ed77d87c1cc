//! Whole processes: their time from start to exit, and their peak memory.

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// A home for `oacp`, with its own key and runs, gone at the end.
pub struct Home(PathBuf);

impl Home {
    pub fn new() -> Self {
        Self::named("home")
    }

    pub fn named(name: &str) -> Self {
        let dir = std::env::temp_dir().join(format!("oacp-bench-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&dir).expect("a directory");
        Self(dir)
    }

    pub fn agent(&self, name: &str, text: &str) -> String {
        let path = self.0.join(name);
        std::fs::write(&path, text).expect("a file");
        path.display().to_string()
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// The program, built beside this one.
pub fn oacp() -> String {
    let exe = std::env::current_exe().expect("a path");
    let oacp = exe.with_file_name("oacp");
    assert!(
        oacp.exists(),
        "build the program first: cargo build --release"
    );
    oacp.display().to_string()
}

/// The Python interpreter itself, past whatever shim stands in front of it.
pub fn python() -> String {
    let found = Command::new("python3")
        .args(["-c", "import sys; print(sys.executable)"])
        .output();
    found.map_or_else(
        |_| "python3".to_owned(),
        |output| String::from_utf8_lossy(&output.stdout).trim().to_owned(),
    )
}

pub struct Ended {
    pub time: Duration,
    pub peak_bytes: u64,
}

/// Runs a command to its end. `None`: there is no such program.
pub fn run(command: &[String], home: &Home) -> Option<Ended> {
    let (program, arguments) = command.split_first()?;
    let begun = Instant::now();
    let child = Command::new(program)
        .args(arguments)
        .env("OACP_HOME", &home.0)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .ok()?;
    let mut status = 0;
    // SAFETY: an all-zero `rusage` is a valid value of that plain C struct.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    // SAFETY: the child is ours and is waited for once, here; both pointers are to live locals.
    let pid = unsafe { libc::wait4(child.id() as libc::pid_t, &mut status, 0, &mut usage) };
    let time = begun.elapsed();
    assert!(
        pid > 0 && libc::WIFEXITED(status) && libc::WEXITSTATUS(status) == 0,
        "{command:?} failed: {status}"
    );
    // Linux counts it in KiB.
    Some(Ended {
        time,
        peak_bytes: usage.ru_maxrss as u64 * 1024,
    })
}
