//! Secrets' values: read when a run begins that is granted them, handed to the egress, and never shown.
//!
//! The attacks: a file that others on the machine can read; a helper that never ends, or floods; a value that shows in an error, a
//! log, a bundle or the guest's environment. No message here holds a byte of one.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use oacp::capability::{Capabilities, SecretName};
use oacp_egress::SecretValue;
use oacp_gateway::Token;
use zeroize::Zeroizing;

use crate::config::{Definitions, Source};
use crate::failure::{Failure, Judge};
use crate::home::shown;

/// Bytes of a secret's file, and of what a program prints.
const BYTES_MAX: usize = 64 << 10;

/// How long a program may take.
const COMMAND_TIME: Duration = Duration::from_secs(10);

/// The values of the secrets that are granted.
pub(crate) fn values(
    granted: &Capabilities,
    definitions: &Definitions,
) -> Result<BTreeMap<SecretName, SecretValue>, Failure> {
    granted
        .secrets
        .iter()
        .map(|grant| {
            let source = &definitions.find(&grant.name)?.source;
            let mut bytes = read(source)
                .or_context(|| format!("the secret `{}` cannot be had", grant.name))
                .or_usage()?;
            let value = SecretValue::new(std::mem::take(&mut *bytes))
                .or_context(|| format!("the secret `{}` is refused", grant.name))
                .or_usage()?;
            Ok((grant.name.clone(), value))
        })
        .collect()
}

/// The variables that secrets are taken from: no guest is shown them.
pub(crate) fn variables(definitions: &Definitions) -> BTreeSet<String> {
    definitions
        .iter()
        .filter_map(|definition| match &definition.source {
            Source::Env(variable) => Some(variable.clone()),
            Source::File(_) | Source::Command(..) => None,
        })
        .collect()
}

/// The files that secrets are taken from: no guest sees them either.
pub(crate) fn files(definitions: &Definitions) -> impl Iterator<Item = PathBuf> {
    definitions
        .iter()
        .filter_map(|definition| match &definition.source {
            Source::File(file) => Some(file.clone()),
            Source::Env(_) | Source::Command(..) => None,
        })
}

/// A token of a registry: what a file holds, but for the line's end.
///
/// # Errors
///
/// Usage: a file that others can read, or that holds no token.
pub(crate) fn token(file: &Path) -> Result<Token, Failure> {
    let mut bytes = read_file(file).map(without_line_end).or_usage()?;
    Token::new(std::mem::take(&mut *bytes))
        .or_context(|| format!("`{}` holds no token", file.display()))
        .or_usage()
}

fn read(source: &Source) -> Result<Zeroizing<Vec<u8>>, Failure> {
    match source {
        Source::Env(variable) => match std::env::var_os(variable) {
            Some(value) => Ok(Zeroizing::new(value.into_encoded_bytes())),
            None => Err(Failure::usage(format!(
                "the environment variable `{variable}` is not set"
            ))),
        },
        Source::File(path) => read_file(path).map(without_line_end),
        Source::Command(words, dir) => run(words, dir).map(without_line_end),
    }
}

fn read_file(path: &Path) -> Result<Zeroizing<Vec<u8>>, Failure> {
    let context = || format!("cannot read `{}`", path.display());
    // Judged before it is opened, because opening a pipe waits; judged again as opened, because a name can change hands.
    if !fs::metadata(path).or_context(context)?.is_file() {
        return Err(Failure::usage(format!(
            "`{}` is not a plain file",
            path.display()
        )));
    }
    let file = File::open(path).or_context(context)?;
    refuse_if_shared(path, &file.metadata().or_context(context)?)?;
    read_bounded(file).or_context(context)
}

/// Reads into memory that was set aside before, so that no copy is left behind by growing.
fn read_bounded(from: impl Read) -> Result<Zeroizing<Vec<u8>>, Failure> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(BYTES_MAX + 1));
    from.take(BYTES_MAX as u64 + 1).read_to_end(&mut bytes)?;
    if bytes.len() > BYTES_MAX {
        return Err(Failure::usage(format!(
            "it has more than {BYTES_MAX} bytes"
        )));
    }
    Ok(bytes)
}

fn without_line_end(mut bytes: Zeroizing<Vec<u8>>) -> Zeroizing<Vec<u8>> {
    if bytes.last() == Some(&b'\n') {
        bytes.pop();
        if bytes.last() == Some(&b'\r') {
            bytes.pop();
        }
    }
    bytes
}

/// What a program prints. Its errors go to the terminal, its input is empty.
fn run(words: &[String], dir: &Path) -> Result<Zeroizing<Vec<u8>>, Failure> {
    let (program, arguments) = words
        .split_first()
        .ok_or_else(|| Failure::usage("the command is empty"))?;
    let failed = |why: String| Failure::usage(format!("`{program}` {why}"));
    let mut child = Command::new(program)
        .args(arguments)
        .current_dir(dir)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .or_context(|| format!("`{program}` cannot be started"))?;
    let ends = Instant::now() + COMMAND_TIME;
    let Some(stdout) = child.stdout.take() else {
        return Err(failed("has no output".to_owned()));
    };
    // On a thread of its own: a grandchild may hold the pipe open for ever.
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || sender.send(read_bounded(stdout).map_err(|e| e.message())));
    let left = || ends.saturating_duration_since(Instant::now());
    let printed = match receiver.recv_timeout(left()) {
        Ok(printed) => printed.map_err(|why| failed(format!("printed what is refused: {why}"))),
        Err(_) => Err(failed(format!(
            "printed for more than {} s",
            COMMAND_TIME.as_secs()
        ))),
    };
    let status = wait(&mut child, ends);
    let bytes = printed?;
    match status {
        Some(status) if status.success() => Ok(bytes),
        Some(status) => Err(failed(format!("ended with {status}"))),
        None => Err(failed(format!(
            "took longer than {} s",
            COMMAND_TIME.as_secs()
        ))),
    }
}

/// Waits until then, and no longer: what is left is killed.
fn wait(child: &mut Child, ends: Instant) -> Option<std::process::ExitStatus> {
    loop {
        if let Ok(Some(status)) = child.try_wait() {
            return Some(status);
        }
        if Instant::now() >= ends {
            // It may have ended this moment; either way nobody waits for it any more.
            let _ = child.kill();
            let _ = child.wait();
            return None;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[cfg(unix)]
fn refuse_if_shared(path: &Path, metadata: &fs::Metadata) -> Result<(), Failure> {
    let mode = std::os::unix::fs::PermissionsExt::mode(&metadata.permissions()) & 0o777;
    if mode & 0o077 == 0 {
        return Ok(());
    }
    Err(Failure::usage(format!(
        "`{}` can be read by others (mode {mode:o})",
        path.display()
    ))
    .hint(format!("chmod 600 {}", shown(path))))
}

#[cfg(not(unix))]
fn refuse_if_shared(_path: &Path, _metadata: &fs::Metadata) -> Result<(), Failure> {
    Ok(())
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    fn printed(script: &str) -> Result<Vec<u8>, String> {
        let words = ["sh", "-c", script].map(str::to_owned);
        run(&words, Path::new("/"))
            .map(|bytes| without_line_end(bytes).to_vec())
            .map_err(|failure| failure.message())
    }

    #[test]
    fn a_program_prints_a_secret_and_its_line_end_is_cut() {
        assert_eq!(printed("printf 'a b\\n\\n'").unwrap(), b"a b\n");
        assert!(
            printed("printf hunter2; exit 3")
                .unwrap_err()
                .contains("exit status: 3")
        );
        let flood = printed("yes").unwrap_err();
        assert!(flood.contains("more than 65536 bytes"), "{flood}");
    }

    #[test]
    fn a_file_that_others_can_read_is_refused() {
        use std::os::unix::fs::PermissionsExt;
        let path = std::env::temp_dir().join(format!("oacp-secret-{}", std::process::id()));
        fs::write(&path, "hunter2-hunter2\n").unwrap();
        let mode = |mode| fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        mode(0o640);
        let refused = read(&Source::File(path.clone())).unwrap_err().message();
        assert!(
            refused.contains("mode 640") && !refused.contains("hunter2"),
            "{refused}"
        );
        mode(0o600);
        let value = read(&Source::File(path.clone())).map_err(|_| ()).unwrap();
        assert_eq!(&**value, b"hunter2-hunter2");
        fs::remove_file(path).unwrap();
    }
}
