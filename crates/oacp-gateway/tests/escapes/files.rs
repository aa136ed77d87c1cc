//! What may be read is not written, what may be written is not read, and what is neither does not even seem to be there.

use std::fs;

use serde_json::json;

use crate::fixture::see_granted;
use crate::ground::{ALL, Ground, NONE, READ, SECRET, WRITE, codes, escapes, says, writes};

const NO_READ: &str = "file_read_not_granted";
const NO_WRITE: &str = "file_write_not_granted";

escapes! {
    a_file_outside_is_not_read: READ, "return t(read, '@/outside/secret.txt')" => "EACCES", [NO_READ];
    without_a_grant_nothing_is_read: NONE, "return t(read, '@/in/a.txt')" => "EACCES", [NO_READ];
    the_systems_own_files_are_not_read: READ,
        "return [t(read, p) for p in ('/etc/passwd', '/etc/shadow', '/proc/self/environ')]"
        => ["EACCES", "EACCES", "EACCES"], [NO_READ, NO_READ, NO_READ];
    a_file_outside_is_not_opened_by_its_number: READ,
        "return [t(os.read, fd, 100) for fd in range(4, 40)] == ['EBADF'] * 36" => true, [];
    standard_input_is_empty: READ, "return [t(os.read, 0, 100).decode(), t(read, '/dev/stdin')]" => ["", "EACCES"], [NO_READ];

    // Reading alone: every way to write.
    a_file_that_may_be_read_is_not_written: READ, "return t(write, '@/in/a.txt', 'x')" => "EACCES", [NO_WRITE];
    a_file_that_may_be_read_is_not_added_to: READ, "return t(write, '@/in/a.txt', 'x', 'a')" => "EACCES", [NO_WRITE];
    a_file_that_may_be_read_is_not_opened_for_both: READ, "return t(open, '@/in/a.txt', 'r+')" => "EACCES", [NO_WRITE];
    /// RUSTSEC-2026-0149.
    opening_to_read_does_not_truncate: READ,
        "return [t(os.open, '@/in/a.txt', os.O_RDONLY | os.O_TRUNC), read('@/in/a.txt')]" => ["EACCES", "granted"], [NO_WRITE];
    /// RUSTSEC-2026-0149.
    a_descriptor_to_read_does_not_change_the_size: READ,
        "fd = os.open('@/in/a.txt', os.O_RDONLY)\nreturn [t(os.ftruncate, fd, n) in ('EBADF', 'EINVAL') for n in (0, 3, 999)] + [os.read(fd, 99).decode()]"
        => [true, true, true, "granted"], [];
    /// RUSTSEC-2026-0149.
    a_file_that_may_be_read_is_not_truncated_by_name: READ,
        "return [t(os.truncate, '@/in/a.txt', 0), read('@/in/a.txt')]" => ["EACCES", "granted"], [NO_WRITE];
    a_descriptor_to_read_does_not_write: READ,
        "fd = os.open('@/in/a.txt', os.O_RDONLY)\nreturn [t(os.write, fd, b'x'), t(os.pwrite, fd, b'x', 0), os.read(fd, 99).decode()]"
        => ["EBADF", "EBADF", "granted"], [];
    a_file_that_may_be_read_is_not_replaced_by_renaming: READ,
        "write('/tmp/x', 'mine')\nreturn [t(os.rename, '/tmp/x', '@/in/a.txt'), t(os.replace, '/tmp/x', '@/in/a.txt'), read('@/in/a.txt')]"
        => ["EACCES", "EACCES", "granted"], [NO_WRITE, NO_WRITE];
    a_file_that_may_be_read_is_not_renamed_away: READ, "return t(os.rename, '@/in/a.txt', '/tmp/x')" => "EACCES", [NO_WRITE];
    a_file_that_may_be_read_is_not_renamed_within: READ, "return t(os.rename, '@/in/a.txt', '@/in/z.txt')" => "EACCES", [NO_WRITE];
    a_directory_that_may_be_read_is_not_renamed: READ, "return t(os.rename, '@/in/sub', '@/in/other')" => "EACCES", [NO_WRITE];
    a_file_that_may_be_read_is_not_removed: READ, "return t(os.unlink, '@/in/a.txt')" => "EACCES", [NO_WRITE];
    a_directory_that_may_be_read_is_not_removed: READ, "return t(os.rmdir, '@/in/sub')" => "EACCES", [NO_WRITE];
    nothing_is_made_where_only_reading_is_granted: READ,
        "return [t(os.mkdir, '@/in/new'), t(write, '@/in/new.txt', ''), t(open, '@/in/new.txt', 'x')]"
        => ["EACCES", "EACCES", "EACCES"], [NO_WRITE, NO_WRITE, NO_WRITE];
    a_tree_that_may_be_read_is_not_removed: READ,
        "import shutil\nreturn [t(shutil.rmtree, '@/in'), read('@/in/sub/b.txt')]" => ["EACCES", "granted too"], [NO_WRITE];
    a_tree_that_may_be_read_is_not_moved: READ,
        "import shutil\nreturn [t(shutil.move, '@/in/a.txt', '/tmp/a.txt'), read('@/in/a.txt')]" => ["EACCES", "granted"], [NO_WRITE, NO_WRITE];
    a_database_that_may_be_read_is_not_written: READ,
        "import sqlite3\nreturn t(lambda: sqlite3.connect('@/in/new.db').execute('create table x (y)'))" => "OperationalError", [NO_WRITE];
    a_file_has_no_second_name: ALL,
        "return [t(os.link, '@/in/a.txt', p) for p in ('@/out/b', '@/both/b', '/tmp/b')]" => ["EPERM", "EPERM", "EPERM"], [];
    a_guest_makes_no_symbolic_links: ALL,
        "return [t(os.symlink, '@/outside/secret.txt', p) for p in ('@/out/b', '@/both/b', '/tmp/b')]" => ["EPERM", "EPERM", "EPERM"], [];

    // Writing alone: every way to read.
    a_file_that_may_be_written_is_not_read: WRITE, "return t(read, '@/out/old.txt')" => "EACCES", [NO_READ];
    a_file_that_may_be_written_is_not_opened_for_both: WRITE, "return t(open, '@/out/old.txt', 'r+')" => "EACCES", [NO_READ];
    a_file_that_is_added_to_is_not_read: WRITE, "return t(open, '@/out/old.txt', 'a+')" => "EACCES", [NO_READ];
    a_descriptor_to_write_does_not_read: WRITE,
        "fd = os.open('@/out/old.txt', os.O_WRONLY)\nreturn [t(os.read, fd, 99), t(os.pread, fd, 99, 0)]" => ["EBADF", "EBADF"], [];
    what_was_there_is_not_read_while_it_is_open_to_write: WRITE,
        "fd = os.open('@/out/old.txt', os.O_WRONLY)\nreturn t(read, '@/out/old.txt')" => "EACCES", [NO_READ];
    what_was_there_is_not_read_under_a_new_name: ALL,
        "return [t(os.rename, '@/out/old.txt', '@/both/new.txt'), t(read, '@/both/new.txt')]" => ["EACCES", "ENOENT"], [NO_READ];
    what_was_there_is_not_renamed_without_reading: WRITE, "return t(os.rename, '@/out/old.txt', '@/out/new.txt')" => "EACCES", [NO_READ];
    what_was_there_is_not_moved_into_tmp: WRITE, "return [t(os.rename, '@/out/old.txt', '/tmp/x'), t(read, '/tmp/x')]" => ["EACCES", "ENOENT"], [NO_READ];
    what_was_there_is_not_copied: ALL,
        "import shutil\nreturn [t(shutil.copy, '@/out/old.txt', '@/both/x'), os.path.exists('@/both/x')]" => ["EACCES", false], [NO_READ];
    a_directory_that_may_be_written_shows_no_more_than_names: WRITE,
        "return [sorted(os.listdir('@/out')), t(read, '@/out/old.txt')]" => [["old.txt"], "EACCES"], [NO_READ];

    // Past the destination's grant. RUSTSEC-2026-0188.
    what_a_guest_made_is_not_renamed_to_where_it_may_not_write: ALL,
        "write('/tmp/x', 'mine')\nreturn [t(os.rename, '/tmp/x', p) for p in ('@/outside/secret.txt', '@/outside/new', '@/in/a.txt', '/etc/passwd')]"
        => ["EACCES", "EACCES", "EACCES", "EACCES"], [NO_WRITE, NO_WRITE, NO_WRITE, NO_WRITE];
    a_directory_that_a_guest_made_is_not_renamed_to_where_it_may_not_write: ALL,
        "os.mkdir('/tmp/d')\nwrite('/tmp/d/x', 'mine')\nreturn [t(os.rename, '/tmp/d', p) for p in ('@/outside/d', '@/in/d', '/etc/d')]"
        => ["EACCES", "EACCES", "EACCES"], [NO_WRITE, NO_WRITE, NO_WRITE];
    a_file_is_not_renamed_from_where_it_may_not_be_written: ALL,
        "return [t(os.rename, '@/outside/secret.txt', '@/both/x'), t(os.rename, '@/in/a.txt', '@/both/x')]" => ["EACCES", "EACCES"], [NO_WRITE, NO_WRITE];
    a_directory_of_the_hosts_is_not_moved: r#"{"file_read": ["@/"], "file_write": ["@/both/", "@/out/"]}"#,
        "return t(os.rename, '@/both', '@/out/both')" => "ENOTSUP", [];
    a_directory_is_not_moved_into_itself: ALL, "os.mkdir('/tmp/d')\nreturn t(os.rename, '/tmp/d', '/tmp/d/e')" => "EINVAL", [];

    // Whether it is there.
    a_directory_outside_is_not_listed: READ, "return [t(os.listdir, p) for p in ('@/outside', '@/', '/etc')][::2]" => ["EACCES", "EACCES"], [NO_READ, NO_READ];
    what_leads_to_the_grant_shows_nothing_beside_it: READ, "return [os.listdir('@/'), [n for _, _, n in os.walk('@/')]]"
        => [["in"], [[], ["a.txt"], ["b.txt"]]], [];
    no_question_tells_whether_a_file_outside_is_there: READ,
        "ask = [os.stat, os.lstat, os.path.getsize, os.readlink, os.listdir, read, os.unlink, os.rmdir, lambda p: os.rename(p, '/tmp/x'), lambda p: write(p, '')]
missing = [t(one, '@/outside/none.txt') for one in ask]
return [[t(one, '@/outside/secret.txt') for one in ask] == missing, set(missing) == {'EACCES'}]" => [true, true],
        [NO_READ, NO_READ, NO_READ, NO_READ, NO_READ, NO_READ, NO_WRITE, NO_WRITE, NO_WRITE, NO_WRITE,
         NO_READ, NO_READ, NO_READ, NO_READ, NO_READ, NO_READ, NO_WRITE, NO_WRITE, NO_WRITE, NO_WRITE];
    what_lies_below_a_file_outside_is_refused_as_what_lies_below_nothing: READ,
        "return [t(os.stat, p) for p in ('@/outside/secret.txt/x', '@/outside/none/x', '@/outside/sub/x')]" => ["EACCES", "EACCES", "EACCES"], [NO_READ, NO_READ, NO_READ];
    making_a_directory_does_not_tell_whether_it_is_there: ALL,
        "return [t(os.mkdir, p) for p in ('@/outside/sub', '@/outside/none', '@/outside/secret.txt')]" => ["EACCES", "EACCES", "EACCES"], [NO_WRITE, NO_WRITE, NO_WRITE];
    an_exact_grant_shows_no_sibling: r#"{"file_read": ["@/in/a.txt"]}"#,
        "return [os.listdir('@/in'), t(os.stat, '@/in/sub'), t(os.stat, '@/in/none')]" => [["a.txt"], "EACCES", "EACCES"], [NO_READ, NO_READ];
    a_pattern_shows_only_what_it_means: r#"{"file_read": ["@/in/*.csv"]}"#,
        "return [os.listdir('@/in'), t(read, '@/in/a.txt'), t(read, '@/in/a.txt.csv')]" => [[], "EACCES", "ENOENT"], [NO_READ];
    one_star_does_not_reach_below: r#"{"file_read": ["@/in/*"]}"#,
        "return [t(read, '@/in/a.txt'), t(read, '@/in/sub/b.txt'), t(os.listdir, '@/in/sub')]" => ["granted", "EACCES", "EACCES"], [NO_READ, NO_READ];

    // Other ways in.
    a_directory_descriptor_leads_no_further_than_its_name: READ,
        "fd = os.open('@/in', os.O_RDONLY | os.O_DIRECTORY)\nreturn [t(os.open, '../outside/secret.txt', os.O_RDONLY, dir_fd=fd), t(os.stat, '../outside', dir_fd=fd), t(os.open, '../../../../../../../../../../../../etc/passwd', os.O_RDONLY, dir_fd=fd)]"
        => ["EACCES", "EACCES", "EINVAL"], [NO_READ, NO_READ];
    the_root_as_a_directory_opens_nothing_else: READ,
        "fd = os.open('/', os.O_RDONLY | os.O_DIRECTORY)\nreturn [t(os.open, p, os.O_RDONLY, dir_fd=fd) for p in ('etc/passwd', '@/outside/secret.txt')]" => ["EACCES", "EACCES"], [NO_READ, NO_READ];
    changing_the_directory_grants_nothing: READ,
        "t(os.chdir, '@/outside')\nreturn [t(read, 'secret.txt') in ('EACCES', 'ENOENT'), t(read, '@/outside/secret.txt')]" => [true, "EACCES"], [NO_READ, NO_READ];
    a_url_of_a_file_is_a_file: READ,
        "import urllib.request\nreturn [t(lambda: urllib.request.urlopen('file://@/outside/secret.txt').read().decode())[:3] in ('EAC', 'URL', 'Per'), t(read, '@/outside/secret.txt')]" => [true, "EACCES"], [NO_READ, NO_READ];
}

#[test]
fn libraries_that_open_files_are_no_way_around() {
    let body = "import runpy, sqlite3, zipfile, linecache, pathlib, io, configparser, tarfile
p = '@/outside/secret.txt'
found = [t(lambda: runpy.run_path(p)), t(lambda: zipfile.ZipFile(p)), t(lambda: tarfile.open(p)), t(lambda: io.open_code(p).read().decode()), t(lambda: pathlib.Path(p).read_text()), t(lambda: sqlite3.connect(p).execute('select 1 from x'))]
found += [t(linecache.getlines, p), t(lambda: configparser.ConfigParser().read(p))]
return [one if isinstance(one, str) else len(one) for one in found]";
    let seen = Ground::new().tries(READ, body);
    let (denied, broken) = ("EACCES", "OperationalError");
    let said = json!([denied, denied, denied, denied, denied, broken, 0, 0]);
    assert_eq!(seen.output(), said);
    assert!(codes(&seen).len() >= 8);
    assert!(codes(&seen).iter().all(|code| *code == NO_READ));
}

#[test]
fn javascript_is_judged_alike() {
    let ground = Ground::new();
    let source = "
import { files } from 'oacp';
const t = (f) => { try { return f(); } catch (e) { return e.code; } };
export function run() {
  return [
    t(() => files.readText('@/outside/secret.txt')), t(() => files.list('@/outside')), t(() => files.status('@/outside/secret.txt')),
    t(() => files.status('@/outside/none')), t(() => files.write('@/in/a.txt', 'x')), t(() => files.append('@/in/a.txt', 'x')),
    t(() => files.remove('@/in/a.txt')), t(() => files.rename('@/in/a.txt', '@/both/a.txt')), t(() => files.readText('@/out/old.txt')),
    t(() => files.rename('@/out/old.txt', '@/both/x')), t(() => files.makeDirectory('@/in/x')), t(() => files.create('@/outside/x')),
    t(() => files.readText('../outside/secret.txt')), t(() => files.readText('@/both/c.txt')),
  ];
}";
    let seen = ground.tries_of(ground.call_of("agent.js", source, ALL));
    let (r, w) = (NO_READ, NO_WRITE);
    let denied = [r, r, r, r, w, w, w, w, r, r, w, w, r];
    let mut said = denied.to_vec();
    said.push("old");
    says(&seen, &json!(said), &denied);
}

#[test]
fn what_a_guest_replaces_it_may_read_and_what_was_there_is_gone() {
    let ground = Ground::new();
    let call = ground.call(
        WRITE,
        "with open('@/out/old.txt', 'w+') as f:\n    f.write('mine')\n    f.seek(0)\n    return f.read()",
    );
    let seen = ground.changes(call);
    says(&seen, &json!("mine"), &[]);
    assert_eq!(writes(&seen), ["old.txt Replaced Done"]);
    assert_eq!(ground.read("out/old.txt"), "mine");
}

#[test]
fn a_file_that_was_cut_short_is_still_what_was_there() {
    let ground = Ground::new();
    let body = "fd = os.open('@/out/old.txt', os.O_WRONLY)\nos.ftruncate(fd, 4)\nos.close(fd)\nreturn [t(read, '@/out/old.txt'), t(os.rename, '@/out/old.txt', '/tmp/x')]";
    let seen = ground.changes(ground.call(WRITE, body));
    says(&seen, &json!(["EACCES", "EACCES"]), &[NO_READ, NO_READ]);
    assert_eq!(ground.read("out/old.txt"), "what");
}

#[test]
fn times_and_modes_of_the_hosts_files_are_neither_told_nor_set() {
    let ground = Ground::new();
    let before = fs::metadata(ground.at("in/a.txt")).unwrap();
    let body = "s = os.stat('@/in/a.txt')
t(os.utime, '@/in/a.txt', (1, 1))
t(lambda: os.chmod('@/in/a.txt', 0o777))
t(lambda: os.chown('@/in/a.txt', 1, 1))
return [s.st_mtime, s.st_atime, s.st_ctime, s.st_uid, s.st_gid, s.st_nlink, s.st_ino < 1000]";
    fs::hard_link(ground.at("in/a.txt"), ground.at("outside/other")).unwrap();
    let seen = ground.tries(READ, body);
    let start = 1_700_000_000.0;
    says(
        &seen,
        &json!([start, start, start, 0, 0, 1, true]),
        &[NO_WRITE],
    );
    let after = fs::metadata(ground.at("in/a.txt")).unwrap();
    assert_eq!(after.modified().unwrap(), before.modified().unwrap());
    assert_eq!(after.permissions(), before.permissions());
}

#[test]
fn a_denial_tells_nothing_of_what_is_there() {
    let body = "return [t(read, '@/outside/secret.txt'), t(read, '@/outside/secret.tx_')]";
    let seen = Ground::new().tries(READ, body);
    assert_eq!(codes(&seen), [NO_READ, NO_READ]);
    let mut denials = seen.execution.denials.iter().map(|denial| {
        let text = denial.to_string().replace("secret.tx_", "secret.txt");
        assert!(!text.contains(SECRET), "{text}");
        text
    });
    assert_eq!(denials.next(), denials.next());
}

#[test]
fn a_hard_link_is_replaced_and_its_other_name_keeps_what_it_had() {
    let ground = Ground::new();
    // What a hard link in a granted directory holds is granted: a file has no other place than its names.
    fs::hard_link(ground.at("outside/secret.txt"), ground.at("both/hard")).unwrap();
    let seen = see_granted(ground.call(ALL, "write('@/both/hard', 'mine')")).confirmed();
    assert_eq!(writes(&seen), ["hard Replaced Done"]);
    assert_eq!(ground.read("both/hard"), "mine");
    assert_eq!(ground.read("outside/secret.txt"), SECRET);
}

#[test]
fn a_ceiling_holds_whatever_is_asked_for() {
    let ground = Ground::new();
    let mut call = ground.call(
        r#"{"file_read": ["/**"], "file_write": ["/**"]}"#,
        "return [t(read, '@/outside/secret.txt'), t(write, '@/outside/new', 'x'), t(os.listdir, '@/outside'), t(read, '@/in/a.txt')]",
    );
    call.nonce = None;
    let before = ground.everything();
    let ceiling = crate::fixture::grant(serde_json::from_str(&ground.text(READ)).unwrap());
    let node = crate::fixture::node_with(ceiling, oacp_egress::Options::default());
    let seen = crate::fixture::see_on(&node, call).confirmed();
    says(
        &seen,
        &json!(["EACCES", "EACCES", "EACCES", "granted"]),
        &[NO_READ, NO_WRITE, NO_READ],
    );
    assert_eq!(ground.everything(), before);
}

#[test]
fn the_first_denial_ends_a_run_that_is_to_end_so() {
    let ground = Ground::new();
    let before = ground.everything();
    let granted = r#"{"file_write": ["@/out/"], "denials": "fatal"}"#;
    let call = ground.call(
        granted,
        "write('@/out/new', 'x')\nt(read, '@/outside/secret.txt')\nreturn 'went on'",
    );
    let seen = see_granted(call).confirmed();
    assert_eq!(seen.execution.outcome, oacp::outcome::Outcome::Denied);
    assert_eq!(codes(&seen), [NO_READ]);
    assert_eq!(seen.execution.writes, []);
    assert_eq!(ground.everything(), before);
}
