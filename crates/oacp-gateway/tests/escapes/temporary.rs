//! `/tmp` is a run's own, in memory: nothing of the host's is seen there, nothing is left there.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use serde_json::json;

use crate::fixture::{agent, call, grant, see_granted};
use crate::ground::{Ground, NONE, READ, SECRET, escapes, says};

const NO_READ: &str = "file_read_not_granted";
const NO_WRITE: &str = "file_write_not_granted";

escapes! {
    tmp_is_empty_at_the_start: NONE, "return os.listdir('/tmp')" => [], [];
    what_is_written_to_tmp_is_read_back: NONE, "write('/tmp/x', 'mine')\nreturn [read('/tmp/x'), os.listdir('/tmp')]" => ["mine", ["x"]], [];
    tmp_does_not_lead_elsewhere: NONE,
        "return [t(read, '/tmp/..@/outside/secret.txt'), t(read, '/tmp/../etc/passwd'), t(write, '/tmp/../tmpx', ''), t(os.listdir, '/tmp/..')]"
        => ["EACCES", "EACCES", "EACCES", "EACCES"], [NO_READ, NO_READ, NO_WRITE, NO_READ];
    other_places_for_temporary_files_are_not_private: NONE,
        "return [t(write, p, '') for p in ('/var/tmp/x', '/dev/shm/x', '/run/x', '/tmpx', '/temp/x', '/TMP/x')] == ['EACCES'] * 6" => true,
        [NO_WRITE, NO_WRITE, NO_WRITE, NO_WRITE, NO_WRITE, NO_WRITE];
    a_temporary_file_is_not_renamed_out: READ, "write('/tmp/x', 'mine')\nreturn [t(os.rename, '/tmp/x', '@/in/x'), read('/tmp/x')]" => ["EACCES", "mine"], [NO_WRITE];
    the_library_for_temporary_files_stays_in_tmp: NONE,
        "import tempfile\nwith tempfile.NamedTemporaryFile() as f:\n    f.write(b'x')\n    return [f.name.startswith('/tmp/'), t(tempfile.mkstemp, dir='@/outside')]" => [true, "EACCES"], [NO_WRITE];
    a_journal_of_a_file_that_is_not_granted_is_not_private: READ,
        "return [t(write, '@/outside/secret.txt-journal', ''), t(write, '@/in/none-wal', ''), t(write, '@/in/a.txt-other', '')]" => ["EACCES", "EACCES", "EACCES"], [NO_WRITE, NO_WRITE, NO_WRITE];
}

#[test]
fn nothing_of_the_hosts_tmp_is_seen() {
    let file = tempfile::NamedTempFile::new_in("/tmp").unwrap();
    fs::write(&file, SECRET).unwrap();
    let path = file.path().to_str().unwrap();
    let body = format!(
        "return [t(read, '{path}'), t(os.stat, '{path}'), os.listdir('/tmp'), t(os.unlink, '{path}')]"
    );
    let seen = Ground::new().tries(NONE, &body);
    says(&seen, &json!(["ENOENT", "ENOENT", [], "ENOENT"]), &[]);
    assert_eq!(fs::read_to_string(&file).unwrap(), SECRET);
}

#[test]
fn a_link_in_the_hosts_tmp_is_not_followed() {
    let ground = Ground::new();
    let directory = tempfile::tempdir_in("/tmp").unwrap();
    symlink(ground.at("outside"), directory.path().join("l")).unwrap();
    let path = directory.path().join("l").display().to_string();
    let body = format!(
        "return [t(read, '{path}/secret.txt'), t(os.listdir, '{path}'), t(write, '{path}/new', 'x')]"
    );
    let seen = ground.tries(NONE, &body);
    says(&seen, &json!(["ENOENT", "ENOENT", "ENOENT"]), &[]);
}

#[test]
fn nothing_is_left_in_the_hosts_tmp() {
    let name = format!("/tmp/oacp-escape-{}", std::process::id());
    let body =
        format!("write('{name}', 'x')\nos.mkdir('{name}.d')\nreturn len(os.listdir('/tmp'))");
    let seen = Ground::new().tries(NONE, &body);
    says(&seen, &json!(2), &[]);
    assert!(!Path::new(&name).exists() && !Path::new(&format!("{name}.d")).exists());
    assert_eq!(seen.execution.writes, []);
}

#[test]
fn one_run_does_not_see_the_others_tmp() {
    let ground = Ground::new();
    says(
        &ground.tries(NONE, "write('/tmp/x', 'mine')\nreturn os.listdir('/tmp')"),
        &json!(["x"]),
        &[],
    );
    says(
        &ground.tries(NONE, "return [os.listdir('/tmp'), t(read, '/tmp/x')]"),
        &json!([[], "ENOENT"]),
        &[],
    );
}

#[test]
fn what_is_granted_in_tmp_opens_nothing_beside_it() {
    let directory = tempfile::tempdir_in("/tmp").unwrap();
    let path = directory.path().canonicalize().unwrap();
    fs::write(path.join("a.txt"), "granted").unwrap();
    fs::write(path.join("b.txt"), SECRET).unwrap();
    let root = path.display();
    let granted = format!(r#"{{"file_read": ["{root}/a.txt"]}}"#);
    let body = format!(
        "return [t(read, '{root}/a.txt'), t(read, '{root}/b.txt'), os.listdir('{root}'), len(os.listdir('/tmp'))]"
    );
    let seen = Ground::new().tries(&granted, &body);
    says(&seen, &json!(["granted", "ENOENT", ["a.txt"], 1]), &[]);
}

#[test]
fn a_project_below_tmp_is_no_scratch_space() {
    let directory = tempfile::tempdir_in("/tmp").unwrap();
    let root = directory.path().canonicalize().unwrap();
    fs::write(root.join("secret.txt"), SECRET).unwrap();
    let text = format!(
        "def t(f, *a):\n    try:\n        return f(*a)\n    except OSError as e:\n        return type(e).__name__\ndef run(input):\n    return [t(open, '{0}/secret.txt'), t(open, 'new.txt', 'w'), t(open, '/tmp/x', 'w') is not None]\n",
        root.display()
    );
    let mut call = call(agent("agent.py", &text), json!(null));
    call.asked = grant(json!({}));
    call.working_directory = root.to_str().unwrap().parse().unwrap();
    let seen = see_granted(call).confirmed();
    says(
        &seen,
        &json!(["PermissionError", "PermissionError", true]),
        &[NO_READ, NO_WRITE],
    );
    assert_eq!(fs::read_dir(&root).unwrap().count(), 1);
}
