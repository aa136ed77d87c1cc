//! One file has many spellings. Whichever a guest chooses, what is judged is what would be opened.

use std::fs;
use std::os::unix::fs::symlink;

use serde_json::{Value, json};

use crate::fixture::repository;
use crate::ground::{Ground, READ, SECRET, codes, says};

/// The published list: spellings of a path up to eight directories up, one a line, with `{FILE}` for what is wanted there.
fn published() -> Vec<String> {
    let file = repository().join("vectors/traversal/traversals-8-deep-exotic-encoding.txt");
    let lines: Vec<_> = fs::read_to_string(file)
        .unwrap()
        .lines()
        .map(str::to_owned)
        .collect();
    assert_eq!(lines.len(), 887);
    lines
}

/// `%2e`, once.
fn percent_decoded(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut plain = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        let digits = text.get(at + 1..at + 3).filter(|_| bytes[at] == b'%');
        match digits.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(byte) => {
                plain.push(byte);
                at += 3;
            }
            None => {
                plain.push(bytes[at]);
                at += 1;
            }
        }
    }
    lax_utf8(&plain)
}

/// As decoders did that take overlong forms: `c0 ae` is a dot.
fn lax_utf8(bytes: &[u8]) -> String {
    let mut text = String::new();
    let mut at = 0;
    while at < bytes.len() {
        match (bytes[at], bytes.get(at + 1)) {
            (lead @ 0xc0..=0xdf, Some(next)) => {
                let code = u32::from(lead & 0x1f) << 6 | u32::from(next & 0x3f);
                text.push(char::from_u32(code).unwrap_or('?'));
                at += 2;
            }
            (byte, _) => {
                text.push(char::from(byte));
                at += 1;
            }
        }
    }
    text
}

/// `%u002e`, `0x2e`, and forms that look like dots and slashes, as programs made dots and slashes of them.
fn folded(text: &str) -> String {
    let mut text = text.to_owned();
    for (from, to) in [
        ("%uff0e", "."),
        ("%u2215", "/"),
        ("%u2216", "\\"),
        ("%uEFC8", "/"),
        ("%uF025", "/"),
        ("0x2e", "."),
        ("0x2f", "/"),
        ("0x5c", "\\"),
        ("\\", "/"),
    ] {
        text = text.replace(from, to);
    }
    text
}

/// A granted directory eight below the ground's root, with the file that is wanted in each directory above.
fn deep() -> (Ground, String) {
    let ground = Ground::new();
    let mut directory = String::new();
    for n in 1..=8 {
        directory += &format!("{n}/");
        ground.put(&format!("{directory}secret.txt"), SECRET);
    }
    ground.put("secret.txt", SECRET);
    ground.put(&format!("{directory}in/a.txt"), "granted");
    (ground, format!("@/{directory}in"))
}

/// Every spelling, below the granted directory, is opened, looked at, listed and written. None is the file, and nothing is written.
#[track_caller]
fn none_is_the_file(spell: impl Fn(&str) -> String, relative: bool) {
    let (ground, directory) = deep();
    let spellings: Vec<String> = published()
        .iter()
        .map(|line| spell(&line.replace("{FILE}", "secret.txt")))
        .collect();
    let body = format!(
        "found = []
for spelling in input:
    path = spelling.lstrip('/') if {relative} else '{directory}' + spelling
    said = [t(read, path), t(os.stat, path), t(os.listdir, path), t(write, path, 'x')]
    found.append([one if isinstance(one, str) else 'something' for one in said])
return found",
        relative = if relative { "True" } else { "False" },
    );
    let granted = format!(r#"{{"file_read": ["{directory}/**"]}}"#);
    let mut call = ground.call(&granted, &body);
    call.input = json!(spellings).to_string();
    call.working_directory = ground.text(&directory).parse().unwrap();
    let seen = ground.tries_of(call);
    let said = seen.output();
    let mut denied = 0;
    for (spelling, said) in spellings.iter().zip(said.as_array().unwrap()) {
        for one in said.as_array().unwrap() {
            let one = one.as_str().unwrap();
            let is_error = [
                "EACCES",
                "ENOENT",
                "EINVAL",
                "ENOTDIR",
                "EISDIR",
                "ValueError",
            ]
            .contains(&one);
            assert!(is_error, "{spelling:?}: {said}");
            denied += usize::from(one == "EACCES");
        }
    }
    assert_eq!(codes(&seen).len(), denied);
}

#[test]
fn no_published_spelling_leads_out_as_it_stands() {
    none_is_the_file(str::to_owned, false);
}

#[test]
fn no_published_spelling_leads_out_once_it_is_decoded() {
    none_is_the_file(percent_decoded, false);
}

#[test]
fn no_published_spelling_leads_out_once_it_is_decoded_twice() {
    none_is_the_file(|text| percent_decoded(&percent_decoded(text)), false);
}

#[test]
fn no_published_spelling_leads_out_once_it_is_folded() {
    none_is_the_file(
        |text| folded(&percent_decoded(&percent_decoded(text))),
        false,
    );
}

#[test]
fn no_published_spelling_leads_out_of_the_working_directory() {
    none_is_the_file(|text| folded(&percent_decoded(text)), true);
}

/// The paths, each with what reading it says. Nothing else than these is ever said.
#[track_caller]
fn spelled(prepare: impl Fn(&Ground), paths: &[(&str, &str)]) {
    let ground = Ground::new();
    prepare(&ground);
    let spelled: Vec<Value> = paths
        .iter()
        .map(|(path, _)| json!(ground.text(path)))
        .collect();
    let mut call = ground.call(READ, "return [t(read, path) for path in input]");
    call.input = Value::from(spelled).to_string();
    let seen = ground.tries_of(call);
    for ((path, expected), said) in paths.iter().zip(seen.output().as_array().unwrap()) {
        assert_eq!(said, expected, "{path:?}");
    }
    let denied = paths.iter().filter(|(_, said)| *said == "EACCES").count();
    assert_eq!(codes(&seen), vec!["file_read_not_granted"; denied]);
}

fn nothing(_: &Ground) {}

#[test]
fn slashes_and_dots_are_gone_before_a_path_is_judged() {
    spelled(
        nothing,
        &[
            ("@/in/a.txt", "granted"),
            ("@//in//a.txt", "granted"),
            ("@/./in/./a.txt", "granted"),
            ("@/outside/../in/a.txt", "granted"),
            ("@/none/../in/a.txt", "granted"),
            ("//..", "EINVAL"),
            ("a.txt", "granted"),
            ("./a.txt", "granted"),
            ("sub/../a.txt", "granted"),
            ("@/in/../outside/secret.txt", "EACCES"),
            ("@/in/./../outside/./secret.txt", "EACCES"),
            ("@/in/sub/../../outside/secret.txt", "EACCES"),
            ("@/in/none/../../outside/secret.txt", "EACCES"),
            ("@/in//..//outside//secret.txt", "EACCES"),
            ("../outside/secret.txt", "EACCES"),
            ("sub/../../outside/secret.txt", "EACCES"),
            ("@/in/a.txt/../../outside/secret.txt", "EACCES"),
            ("@/in/..", "EISDIR"),
            ("@/in/../outside", "EACCES"),
        ],
    );
}

#[test]
fn a_path_does_not_lead_above_the_root() {
    spelled(
        nothing,
        &[
            ("/../etc/passwd", "EINVAL"),
            (
                "/../../../../../../../../../../../../../etc/passwd",
                "EINVAL",
            ),
            (
                "@/in/../../../../../../../../../../../../../../../../../../etc/passwd",
                "EINVAL",
            ),
            ("/etc/../../etc/passwd", "EINVAL"),
            ("/etc/../etc/passwd", "EACCES"),
            ("/..", "EINVAL"),
            ("/../", "EINVAL"),
            ("/./..", "EINVAL"),
        ],
    );
}

#[test]
fn what_stands_behind_a_name_makes_another_name() {
    spelled(
        nothing,
        &[
            ("@/in/a.txt.", "ENOENT"),
            ("@/in/a.txt ", "ENOENT"),
            ("@/in/ a.txt", "ENOENT"),
            ("@/in/a.txt...", "ENOENT"),
            ("@/in/a.txt::$DATA", "ENOENT"),
            ("@/in/a.txt\n", "ENOENT"),
            ("@/in/a.txt;.csv", "ENOENT"),
            ("@/in/a.txt?", "ENOENT"),
            ("@/in/a.txt#", "ENOENT"),
            ("@/in/a.txt%00", "ENOENT"),
            ("@/in/a.txt/", "ENOTDIR"),
            ("@/in/a.txt/.", "granted"),
            ("@/outside/secret.txt/", "EACCES"),
            ("@/outside/secret.txt.", "EACCES"),
            ("@/outside./secret.txt", "EACCES"),
            ("@/in ../outside/secret.txt", "EACCES"),
            ("@/in/.../outside/secret.txt", "ENOENT"),
            ("@/in/....//outside/secret.txt", "ENOENT"),
            ("@/in/.. /outside/secret.txt", "ENOENT"),
            ("@/in/ ../outside/secret.txt", "ENOENT"),
            ("@/in/..\t/outside/secret.txt", "ENOENT"),
            ("@/in/\u{200b}../outside/secret.txt", "ENOENT"),
        ],
    );
}

#[test]
fn a_backslash_is_a_character_of_a_name() {
    spelled(
        nothing,
        &[
            ("@/in\\a.txt", "EACCES"),
            ("@/in\\..\\outside\\secret.txt", "EACCES"),
            ("@/in/..\\outside\\secret.txt", "ENOENT"),
            ("@/in/..\\..\\outside\\secret.txt", "ENOENT"),
            ("@/in/sub\\..\\..\\outside/secret.txt", "ENOENT"),
            ("\\etc\\passwd", "ENOENT"),
            ("C:\\secret.txt", "ENOENT"),
            ("\\\\?\\C:\\secret.txt", "ENOENT"),
            ("@/in\\/../outside/secret.txt", "EACCES"),
        ],
    );
}

#[test]
fn what_looks_like_a_dot_or_a_slash_is_none() {
    let mut paths = Vec::new();
    for dot in ["．", "․", "。", "｡", "\u{2025}", "\u{fe52}", "\u{2e33}"] {
        paths.push(format!("@/in/{dot}{dot}/outside/secret.txt"));
    }
    for slash in [
        "／", "∕", "⁄", "⧸", "\u{29f5}", "\u{ff3c}", "\u{2571}", "%2f", "&#47;",
    ] {
        paths.push(format!("@/in/..{slash}outside{slash}secret.txt"));
        paths.push(format!("@/in/{slash}..{slash}outside{slash}secret.txt"));
    }
    let paths: Vec<_> = paths.iter().map(|path| (path.as_str(), "ENOENT")).collect();
    spelled(nothing, &paths);
}

#[test]
fn a_name_composed_otherwise_is_another_name() {
    let ground = Ground::new();
    ground.put("in/caf\u{e9}.txt", "granted");
    ground.put("in/cafe\u{301}.txt", SECRET);
    // The grant means the composed name alone; the file that is stored decomposed is another one.
    let granted = "{\"file_read\": [\"@/in/caf\u{e9}.txt\"]}";
    let body = "return [t(read, '@/in/caf\\u00e9.txt'), t(read, '@/in/cafe\\u0301.txt'), t(read, '@/in/CAF\\u00c9.txt'), t(read, '@/in/caf\\uff45\\u0301.txt'), [n.encode('unicode_escape').decode() for n in os.listdir('@/in')]]";
    let seen = ground.tries(granted, body);
    says(
        &seen,
        &json!(["granted", "EACCES", "EACCES", "EACCES", ["caf\\xe9.txt"]]),
        &["file_read_not_granted"; 3],
    );
}

#[test]
fn a_name_in_other_letters_is_another_name() {
    spelled(
        |ground| {
            ground.put("In/a.txt", SECRET);
            ground.put("IN/a.txt", SECRET);
            ground.put("in/A.TXT", "granted in capitals");
        },
        &[
            ("@/In/a.txt", "EACCES"),
            ("@/IN/a.txt", "EACCES"),
            ("@/iN/a.txt", "EACCES"),
            ("@/in/A.TXT", "granted in capitals"),
            ("@/in/A.txt", "ENOENT"),
            ("@/ın/a.txt", "EACCES"),
            ("@/ｉｎ/a.txt", "EACCES"),
        ],
    );
}

#[test]
fn a_nul_ends_no_path() {
    let ground = Ground::new();
    let body = "from wit_world.imports import files
from componentize_py_types import Err
def ask(path):
    try:
        return bytes(files.read(path)).decode()
    except Err as e:
        return json.loads(e.value.detail)['code'] if e.value.detail else e.value.code
return [t(read, p) for p in input] + [ask(p) for p in input]";
    let mut call = ground.call(READ, body);
    let paths = [
        "@/in/a.txt\0",
        "@/in/a.txt\0.csv",
        "@/outside/secret.txt\0/../../in/a.txt",
        "\0@/in/a.txt",
        "@/in\0/../outside/secret.txt",
    ];
    let paths = paths.map(|path| ground.text(path));
    call.input = json!(paths).to_string();
    let seen = ground.tries_of(call);
    for one in seen.output().as_array().unwrap() {
        assert!(
            one == "ValueError" || one == "bad_path",
            "{}",
            seen.output()
        );
    }
    assert_eq!(codes(&seen), [""; 0]);
}

#[test]
fn a_name_that_is_too_long_is_cut_for_nobody() {
    let ground = Ground::new();
    let name = "n".repeat(255);
    ground.put(&format!("outside/{name}"), SECRET);
    symlink(
        ground.at(&format!("outside/{name}")),
        ground.at(&format!("in/{name}")),
    )
    .unwrap();
    let body = format!(
        "n = '{name}'\nreturn [t(read, '@/in/' + n), t(read, '@/in/' + n + 'x'), t(read, '@/outside/' + n), t(read, '@/outside/' + n + 'x'), t(read, '@/in/' + 'x/' * 3000 + '../' * 3000 + '../outside/secret.txt'), t(read, '@/in/' + './' * 5000 + '../outside/secret.txt')]"
    );
    let seen = ground.tries(READ, &body);
    let denied = "file_read_not_granted";
    says(
        &seen,
        &json!(["EACCES", "EINVAL", "EACCES", "EINVAL", "EINVAL", "EACCES"]),
        &["file_outside", denied, denied],
    );
}

#[test]
fn a_star_in_a_name_is_a_star() {
    let ground = Ground::new();
    ground.put("in/*", "a star");
    let body = "return [t(read, '@/in/*'), t(read, '@/*/secret.txt'), t(read, '@/in/?.txt'), t(read, '@/in/[a].txt'), t(read, '@/**'), t(read, '@/{in,outside}/secret.txt'), t(read, '@/in/a.{txt,csv}')]";
    let seen = ground.tries(READ, body);
    let denied = "file_read_not_granted";
    says(
        &seen,
        &json!([
            "a star", "EACCES", "ENOENT", "ENOENT", "EACCES", "EACCES", "ENOENT"
        ]),
        &[denied; 3],
    );
}

#[test]
fn nothing_is_expanded_in_a_path() {
    spelled(
        nothing,
        &[
            ("~/.ssh/id_rsa", "ENOENT"),
            ("~root/.bashrc", "ENOENT"),
            ("$HOME/.bashrc", "ENOENT"),
            ("${HOME}/.bashrc", "ENOENT"),
            ("$(cat /etc/passwd)", "ENOENT"),
            ("`id`", "ENOENT"),
            ("-", "ENOENT"),
            ("|id", "ENOENT"),
            ("file://@/outside/secret.txt", "ENOENT"),
            ("file:@/outside/secret.txt", "ENOENT"),
            ("http://127.0.0.1/", "ENOENT"),
            ("%HOMEPATH%", "ENOENT"),
        ],
    );
}

#[test]
fn every_way_to_change_a_file_is_judged_by_its_one_spelling() {
    let ground = Ground::new();
    let body = "found = []
for path in input:
    write('/tmp/x', 'mine')
    found += [t(write, path, 'x'), t(write, path, 'x', 'a'), t(os.mkdir, path + '.d'), t(os.unlink, path), t(os.rename, '/tmp/x', path), t(os.rename, path, '/tmp/y'), t(os.truncate, path, 0), t(os.rmdir, path)]
return sorted(set(found))";
    let granted = r#"{"file_read": ["@/in/"], "file_write": ["@/out/"]}"#;
    let mut call = ground.call(granted, body);
    let paths = [
        "@/out/../outside/secret.txt",
        "@/out//../outside/secret.txt",
        "@/out/./../outside/./secret.txt",
        "@/out/none/../../outside/secret.txt",
        "@/out/old.txt/../../outside/secret.txt",
        "../outside/secret.txt",
        "../out/../outside/secret.txt",
        "@//outside/secret.txt",
        "@/out/../in/a.txt",
        "../in/a.txt",
        "@/out/../../../../../../../../etc/passwd",
    ];
    call.input = json!(paths.map(|path| ground.text(path))).to_string();
    let seen = ground.tries_of(call);
    let said = seen.output();
    assert!(
        said == json!(["EACCES"]) || said == json!(["EACCES", "EINVAL"]),
        "{said}"
    );
    assert!(
        codes(&seen)
            .iter()
            .all(|code| *code == "file_write_not_granted")
    );
    assert!(codes(&seen).len() >= 8 * (paths.len() - 1));
}

#[test]
fn javascript_finds_no_spelling_either() {
    let (ground, directory) = deep();
    let spellings: Vec<String> = published()
        .iter()
        .map(|line| line.replace("{FILE}", "secret.txt"))
        .flat_map(|line| {
            [
                percent_decoded(&line),
                folded(&percent_decoded(&percent_decoded(&line))),
            ]
        })
        .collect();
    let source = format!(
        "import {{ files }} from 'oacp';
export function run(spellings) {{
  const found = new Set();
  for (const s of spellings) {{ try {{ found.add(files.readText('{directory}' + s)); }} catch (e) {{ found.add(e.code); }} }}
  return [...found].sort();
}}"
    );
    let granted = format!(r#"{{"file_read": ["{directory}/**"]}}"#);
    let mut call = ground.call_of("agent.js", &source, &granted);
    call.input = json!(spellings).to_string();
    let seen = ground.tries_of(call);
    assert_eq!(
        seen.output(),
        json!(["bad_path", "file_read_not_granted", "not_found"]),
        "{}",
        seen.output()
    );
}

#[test]
fn a_path_that_is_no_text_opens_nothing() {
    let ground = Ground::new();
    let before = ground.everything();
    // Bytes that are no UTF-8 have no meaning at the boundary: that is the guest's end, or an error in it.
    let call = ground.call(
        READ,
        "return t(read, b'@/in/\\xff/../../outside/secret.txt')",
    );
    let seen = crate::fixture::see_granted(call);
    crate::ground::holds_no_secret(&seen);
    assert_eq!(ground.everything(), before);
}
