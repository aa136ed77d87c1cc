//! Symbolic links lead only where the grant does. A guest makes none; these were there.

use serde_json::{Value, json};

use crate::ground::{ALL, Ground, READ, SECRET, codes, says, writes};

const OUTSIDE: &str = "file_outside";

#[track_caller]
fn through(links: &[(&str, &str)], granted: &str, body: &str, said: Value, denied: &[&str]) {
    let ground = Ground::new();
    for (name, target) in links {
        ground.link(name, target);
    }
    let seen = ground.tries(granted, body);
    says(&seen, &said, denied);
    // Where a link leads is not told either, but to the operator.
    let output = String::from_utf8_lossy(&seen.execution.output);
    assert!(!output.replace(OUTSIDE, "").contains("outside"), "{output}");
}

macro_rules! links {
    ($($name:ident: [$(($link:expr, $target:expr)),*], $grant:expr, $body:expr => $said:tt, [$($code:expr),*];)*) => {$(
        #[test]
        fn $name() {
            through(&[$(($link, $target)),*], $grant, $body, json!($said), &[$($code),*]);
        }
    )*};
}

links! {
    a_relative_link_does_not_lead_outside: [("in/l", "../outside/secret.txt")], READ, "return t(read, '@/in/l')" => "EACCES", [OUTSIDE];
    an_absolute_link_does_not_lead_outside: [("in/l", "@/outside/secret.txt")], READ, "return t(read, '@/in/l')" => "EACCES", [OUTSIDE];
    a_link_to_a_directory_does_not_lead_outside: [("in/l", "../outside")], READ,
        "return [t(read, '@/in/l/secret.txt'), t(os.listdir, '@/in/l'), t(read, '@/in/l/sub/b.txt')]" => ["EACCES", "EACCES", "EACCES"], [OUTSIDE, OUTSIDE, OUTSIDE];
    a_chain_of_links_does_not_lead_outside: [("in/l1", "l2"), ("in/l2", "sub/l3"), ("in/sub/l3", "../../outside/secret.txt")], READ,
        "return [t(read, '@/in/l1'), t(read, '@/in/l2'), t(read, '@/in/sub/l3')]" => ["EACCES", "EACCES", "EACCES"], [OUTSIDE, OUTSIDE, OUTSIDE];
    links_in_a_circle_are_refused: [("in/l1", "l2"), ("in/l2", "l1"), ("in/self", "self")], READ,
        "return [t(read, '@/in/l1'), t(read, '@/in/self'), t(os.stat, '@/in/l2')]" => ["EACCES", "EACCES", "EACCES"], [OUTSIDE, OUTSIDE, OUTSIDE];
    a_link_to_the_root_leads_back_only_to_what_is_granted: [("in/up", "@/")], READ,
        "return [t(read, '@/in/up/in/a.txt'), t(read, '@/in/up/outsid' + 'e/secret.txt')]" => ["granted", "EACCES"], [OUTSIDE];
    a_link_to_the_hosts_environment_is_refused: [("in/l", "/proc/self/environ"), ("in/m", "/proc/self/root/etc/passwd"), ("in/d", "/dev/zero")], READ,
        "return [t(read, '@/in/' + n) for n in 'lmd']" => ["EACCES", "EACCES", "EACCES"], [OUTSIDE, OUTSIDE, OUTSIDE];
    a_link_that_is_granted_with_the_whole_of_proc_is_special: [("in/l", "/proc/self/environ")], r#"{"file_read": ["@/in/", "/proc/"]}"#,
        "return t(read, '@/in/l')" => "EACCES", ["file_special"];
    a_listing_leaves_out_what_leads_outside: [("in/l", "../outside/secret.txt"), ("in/d", "../outside"), ("in/ok", "a.txt"), ("in/none", "nothing")], READ,
        "return [sorted(os.listdir('@/in')), sorted(e.name for e in os.scandir('@/in'))]" => [["a.txt", "ok", "sub"], ["a.txt", "ok", "sub"]], [];
    a_link_whose_name_is_not_granted_is_not_listed: [("in/l", "a.txt")], r#"{"file_read": ["@/in/a.txt"]}"#,
        "return [os.listdir('@/in'), t(read, '@/in/l')]" => [["a.txt"], "EACCES"], ["file_read_not_granted"];
    a_link_is_not_read_for_where_it_leads: [("in/l", "../outside/secret.txt"), ("in/ok", "a.txt")], READ,
        "return [t(os.readlink, '@/in/l'), t(os.readlink, '@/in/ok'), t(lambda: os.lstat('@/in/l').st_size)]" => ["EACCES", "EINVAL", "EACCES"], [OUTSIDE, OUTSIDE];
    a_denial_does_not_tell_where_a_link_leads: [("in/l", "../outside/secret.txt")], READ,
        "try:\n    open('@/in/l')\nexcept PermissionError as e:\n    d = oacp.denial(e)\n    return [d.code, 'secret' in json.dumps([d.asked, d.nearest, d.rule, d.fix])]" => ["file_outside", false], [OUTSIDE];
    a_link_does_not_make_a_file_that_may_be_read_writable: [("both/l", "../in/a.txt")], ALL,
        "return [t(write, '@/both/l', 'x'), t(write, '@/both/l', 'x', 'a'), t(os.truncate, '@/both/l', 0)]" => ["EACCES", "EACCES", "EACCES"], [OUTSIDE, OUTSIDE, OUTSIDE];
    a_link_does_not_make_a_file_that_may_be_written_readable: [("both/l", "../out/old.txt")], ALL,
        "return t(read, '@/both/l')" => "EACCES", [OUTSIDE];
    a_link_that_is_opened_for_both_does_not_make_a_file_readable: [("both/l", "../out/old.txt")], ALL,
        "return t(lambda: open('@/both/l', 'r+').read())" => "EACCES", [OUTSIDE];
    a_link_that_was_added_to_does_not_make_a_file_readable: [("both/l", "../out/old.txt")], ALL,
        "fd = os.open('@/both/l', os.O_WRONLY | os.O_APPEND)\nos.close(fd)\nreturn t(read, '@/both/l')" => "EACCES", [OUTSIDE];
    a_link_is_not_renamed_to_make_a_file_readable: [("both/l", "../out/old.txt")], ALL,
        "return [t(os.rename, '@/both/l', '/tmp/x'), t(read, '/tmp/x')]" => ["EACCES", "ENOENT"], [OUTSIDE];
    what_a_link_leads_to_outside_is_not_removed: [("both/l", "../outside/secret.txt"), ("both/d", "../outside")], ALL,
        "return [t(os.unlink, '@/both/l'), t(os.unlink, '@/both/d/secret.txt'), t(os.rmdir, '@/both/d/sub'), t(os.rename, '@/both/l', '@/both/m')]"
        => ["EACCES", "EACCES", "EACCES", "EACCES"], [OUTSIDE, OUTSIDE, OUTSIDE, OUTSIDE];
    nothing_is_made_through_a_link_that_leads_outside: [("both/d", "../outside")], ALL,
        "return [t(os.mkdir, '@/both/d/new'), t(write, '@/both/d/new.txt', 'x'), t(os.rename, '@/both/c.txt', '@/both/d/c.txt')]" => ["EACCES", "EACCES", "EACCES"], [OUTSIDE, OUTSIDE, OUTSIDE];
    through_a_link_it_is_not_told_whether_a_file_outside_is_there: [("in/l", "../outside")], READ,
        "return [t(os.stat, '@/in/l/' + n) for n in ('secret.txt', 'none.txt', 'sub/none')]" => ["EACCES", "EACCES", "EACCES"], [OUTSIDE, OUTSIDE, OUTSIDE];
    javascript_follows_no_link_outside_either: [("in/l", "../outside/secret.txt"), ("in/d", "../outside")], READ,
        "from wit_world.imports import files\nfrom componentize_py_types import Err
def code(f, *a):
    try:\n        return f(*a)\n    except Err as e:\n        return json.loads(e.value.detail or '{}').get('code') or e.value.code
return [code(files.read, '@/in/l'), code(files.list, '@/in/d'), code(files.read, '@/in/d/secret.txt')]" => [OUTSIDE, OUTSIDE, OUTSIDE], [OUTSIDE, OUTSIDE, OUTSIDE];
}

#[test]
fn a_link_to_what_may_be_written_is_written_through_and_stays_a_link() {
    let ground = Ground::new();
    ground.link("both/l", "../out/old.txt");
    let seen = ground.changes(ground.call(ALL, "write('@/both/l', 'mine')"));
    assert_eq!(writes(&seen), ["l Replaced Done"]);
    assert_eq!(ground.read("out/old.txt"), "mine");
    let everything = ground.everything();
    assert_eq!(everything[&ground.at("both/l")], "link to ../out/old.txt");
}

#[test]
fn nothing_is_made_where_a_dangling_link_leads() {
    let ground = Ground::new();
    ground.link("both/l", "../outside/new.txt");
    let before = ground.everything();
    let seen = ground.changes(ground.call(
        ALL,
        "return [t(read, '@/both/l'), t(write, '@/both/l', 'mine')]",
    ));
    // Nor is it told that nothing is there.
    assert_eq!(seen.output()[0], "EACCES");
    assert!(
        codes(&seen) == [OUTSIDE, OUTSIDE] && writes(&seen) == [""; 0],
        "{:?}",
        writes(&seen)
    );
    assert_eq!(ground.everything(), before);
}

#[test]
fn what_was_read_through_a_link_is_not_written_where_it_leads() {
    let ground = Ground::new();
    ground.link("both/l", "../in/a.txt");
    let before = ground.everything();
    // Once read, its bytes are in memory: the right to write is judged again where it is written.
    let seen =
        ground.changes(ground.call(ALL, "read('@/both/l')\nreturn t(write, '@/both/l', 'mine')"));
    assert!(
        codes(&seen) == [OUTSIDE] || writes(&seen) == ["l Replaced Conflict"],
        "{:?}",
        writes(&seen)
    );
    assert_eq!(ground.everything(), before);
}

#[test]
fn a_granted_directory_that_is_itself_a_link_grants_what_it_led_to_at_the_start() {
    let ground = Ground::new();
    ground.link("door", "in");
    let seen = ground.tries(
        r#"{"file_read": ["@/door/"]}"#,
        "return [t(read, '@/door/a.txt'), t(read, '@/door/../outside/secret.txt'), t(read, '@/in/a.txt')]",
    );
    let denied = "file_read_not_granted";
    says(
        &seen,
        &json!(["granted", "EACCES", "EACCES"]),
        &[denied, denied],
    );
    assert_ne!(ground.read("in/a.txt"), SECRET);
}
