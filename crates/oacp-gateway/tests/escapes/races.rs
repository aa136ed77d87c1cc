//! What is swapped between two steps of a guest. A tool of the test's swaps it while the guest waits for the answer.

use std::fs;
use std::os::unix::fs::symlink;
use std::process::Command;

use serde_json::{Value, json};

use crate::fixture::Seen;
use crate::ground::{Ground, READ, SECRET, codes, says, with_tool};

const OUTSIDE: &str = "file_outside";

/// Runs `body` under `granted`, with a tool `swap` that gets the ground's root and the call's arguments.
fn swapping(
    ground: &Ground,
    granted: &str,
    body: &str,
    swap: impl Fn(&str, Value) + Send + Sync + 'static,
) -> Seen {
    let mut call = ground.call(granted, body);
    let root = ground.at("").trim_end_matches('/').to_owned();
    with_tool(&mut call, "swap", move |arguments| swap(&root, arguments));
    ground.changes(call)
}

/// Puts a link to `target` where something else was.
fn relink(path: &str, target: &str) {
    let _ = fs::remove_file(path).or_else(|_| fs::remove_dir_all(path));
    symlink(target, path).unwrap();
}

#[test]
fn the_granted_directory_swapped_for_a_link_leads_nowhere() {
    let ground = Ground::new();
    let body = "first = read('@/in/a.txt')\ntools.call('swap')\nreturn [first, t(read, '@/in/secret.txt'), t(read, '@/in/sub/b.txt'), t(os.listdir, '@/in')]";
    let seen = swapping(&ground, READ, body, |root, _| {
        relink(&format!("{root}/in"), &format!("{root}/outside"));
    });
    let said = seen.output();
    assert_eq!(
        (&said[0], &said[1], &said[2]),
        (&json!("granted"), &json!("EACCES"), &json!("EACCES"))
    );
    assert!(!said[3].to_string().contains("secret"), "{said}");
    assert_eq!(codes(&seen)[..2], [OUTSIDE, OUTSIDE]);
}

#[test]
fn the_link_that_was_granted_swapped_to_another_place_leads_nowhere() {
    let ground = Ground::new();
    ground.link("door", "in");
    let body = "first = read('@/door/a.txt')\ntools.call('swap')\nreturn [first, t(read, '@/door/secret.txt'), t(read, '@/door/sub/b.txt')]";
    let seen = swapping(&ground, r#"{"file_read": ["@/door/"]}"#, body, |root, _| {
        relink(&format!("{root}/door"), "outside")
    });
    says(
        &seen,
        &json!(["granted", "EACCES", "EACCES"]),
        &[OUTSIDE, OUTSIDE],
    );
}

#[test]
fn a_file_swapped_for_a_link_between_stat_and_open_is_not_followed() {
    let ground = Ground::new();
    let body = "size = os.stat('@/in/a.txt').st_size\ntools.call('swap')\nreturn [size, t(read, '@/in/a.txt')]";
    let seen = swapping(&ground, READ, body, |root, _| {
        relink(
            &format!("{root}/in/a.txt"),
            &format!("{root}/outside/secret.txt"),
        );
    });
    says(&seen, &json!([7, "EACCES"]), &[OUTSIDE]);
}

#[test]
fn a_directory_swapped_for_a_link_between_stat_and_open_is_not_followed() {
    let ground = Ground::new();
    let body = "size = os.stat('@/in/sub/b.txt').st_size\ntools.call('swap')\nreturn [size, t(read, '@/in/sub/b.txt')]";
    let seen = swapping(&ground, READ, body, |root, _| {
        relink(&format!("{root}/in/sub"), &format!("{root}/outside/sub"));
    });
    says(&seen, &json!([11, "EACCES"]), &[OUTSIDE]);
}

#[test]
fn a_name_swapped_after_it_was_listed_is_not_followed() {
    let ground = Ground::new();
    let body = "names = sorted(os.listdir('@/in'))\ntools.call('swap')\nreturn [names, t(read, '@/in/a.txt'), t(os.listdir, '@/in/sub')]";
    let seen = swapping(&ground, READ, body, |root, _| {
        relink(
            &format!("{root}/in/a.txt"),
            &format!("{root}/outside/secret.txt"),
        );
        relink(&format!("{root}/in/sub"), &format!("{root}/outside"));
    });
    says(&seen, &json!([["a.txt", "sub"], "EACCES", []]), &[OUTSIDE]);
}

#[test]
fn a_directory_swapped_while_it_is_open_is_not_listed() {
    let ground = Ground::new();
    let body = "fd = os.open('@/in/sub', os.O_RDONLY | os.O_DIRECTORY)\ntools.call('swap')\nreturn [t(os.listdir, '@/in/sub'), t(os.open, 'secret.txt', os.O_RDONLY, dir_fd=fd)]";
    let seen = swapping(&ground, READ, body, |root, _| {
        relink(&format!("{root}/in/sub"), &format!("{root}/outside"));
    });
    says(&seen, &json!([[], "EACCES"]), &[OUTSIDE]);
}

#[test]
fn a_file_swapped_for_a_fifo_is_not_waited_for() {
    let ground = Ground::new();
    let body = "size = os.stat('@/in/a.txt').st_size\ntools.call('swap')\nreturn [size, t(read, '@/in/a.txt')]";
    let seen = swapping(&ground, READ, body, |root, _| {
        let path = format!("{root}/in/a.txt");
        fs::remove_file(&path).unwrap();
        assert!(Command::new("mkfifo").arg(path).status().unwrap().success());
    });
    says(&seen, &json!([7, "EACCES"]), &["file_special"]);
}

#[test]
fn a_file_that_has_grown_too_large_since_is_refused() {
    let ground = Ground::new();
    let body = "size = os.stat('@/in/a.txt').st_size\ntools.call('swap')\nreturn [size, t(read, '@/in/a.txt')]";
    let seen = swapping(&ground, READ, body, |root, _| {
        let file = fs::File::create(format!("{root}/in/a.txt")).unwrap();
        file.set_len(33 << 20).unwrap();
    });
    says(&seen, &json!([7, "EFBIG"]), &[]);
}

#[test]
fn a_file_that_is_gone_since_is_not_found() {
    let ground = Ground::new();
    let body = "size = os.stat('@/in/a.txt').st_size\ntools.call('swap')\nreturn [size, t(read, '@/in/a.txt')]";
    let seen = swapping(&ground, READ, body, |root, _| {
        fs::remove_file(format!("{root}/in/a.txt")).unwrap();
    });
    says(&seen, &json!([7, "ENOENT"]), &[]);
}

#[test]
fn what_was_read_once_is_the_same_for_the_whole_run() {
    let ground = Ground::new();
    let body = "first = read('@/in/a.txt')\ntools.call('swap')\nreturn [first, read('@/in/a.txt'), read('@/in/a.txt')]";
    let seen = swapping(&ground, READ, body, |root, _| {
        fs::write(format!("{root}/in/a.txt"), SECRET).unwrap();
    });
    says(&seen, &json!(["granted", "granted", "granted"]), &[]);
}

#[test]
fn what_was_opened_to_be_written_is_not_read_since_its_link_leads_to_what_may_be() {
    let ground = Ground::new();
    ground.link("both/l", "../out/old.txt");
    let body = "os.close(os.open('@/both/l', os.O_WRONLY | os.O_APPEND))\ntools.call('swap')\nreturn t(read, '@/both/l')";
    let seen = swapping(&ground, crate::ground::ALL, body, |root, _| {
        relink(&format!("{root}/both/l"), "../in/a.txt");
    });
    // The one that was opened may not be read; the other was not there.
    assert_ne!(seen.output(), json!("what was there"));
}

#[test]
fn of_a_hundred_swaps_to_and_fro_none_is_followed() {
    let ground = Ground::new();
    for n in 0..100 {
        ground.put(&format!("in/n{n}"), "granted");
    }
    // Each name leads outside when it is opened, or has done so before; looking at it first makes no difference.
    let body = "found = set()
for n in range(100):
    path = f'@/in/n{n}'
    if n % 2:
        os.stat(path)
    tools.call('swap', path=path, back=False)
    if n % 3 == 0:
        tools.call('swap', path=path, back=True)
    found.add(t(read, path))
return sorted(found)";
    let seen = swapping(&ground, READ, body, |root, arguments| {
        let path = arguments["path"].as_str().unwrap();
        match arguments["back"] == true {
            true => {
                fs::remove_file(path).unwrap();
                fs::write(path, "granted").unwrap();
            }
            false => relink(path, &format!("{root}/outside/secret.txt")),
        }
    });
    assert_eq!(seen.output(), json!(["EACCES", "granted"]));
    assert_eq!(codes(&seen), vec![OUTSIDE; 66]);
}

#[test]
fn names_that_are_swapped_by_another_thread_without_pause_are_not_followed() {
    use std::sync::atomic::{AtomicBool, Ordering};
    let ground = Ground::new();
    for n in 0..400 {
        ground.put(&format!("in/n{n}"), "granted");
    }
    let root = ground.at("");
    let done = AtomicBool::new(false);
    // Whether a swap meets the moment between check and use is chance; that none is followed is not.
    let seen = std::thread::scope(|scope| {
        scope.spawn(|| {
            let (link, file) = (format!("{root}link"), format!("{root}file"));
            let mut round = 0;
            while !done.load(Ordering::Relaxed) {
                let name = format!("{root}in/n{}", round % 400);
                symlink(format!("{root}outside/secret.txt"), &link).unwrap();
                fs::rename(&link, &name).unwrap();
                fs::write(&file, "granted").unwrap();
                fs::rename(&file, &name).unwrap();
                round += 1;
            }
        });
        let call = ground.call(
            READ,
            "return sorted({t(read, f'@/in/n{n}') for n in range(400)} - {'EACCES'})",
        );
        let seen = crate::fixture::see_granted(call);
        done.store(true, Ordering::Relaxed);
        seen
    })
    .confirmed();
    crate::ground::holds_no_secret(&seen);
    assert!(
        seen.output() == json!(["granted"]) || seen.output() == json!([]),
        "{}",
        seen.output()
    );
}

#[test]
fn a_replay_looks_at_no_file() {
    let ground = Ground::new();
    let call = ground.call(
        READ,
        "return [read('@/in/a.txt'), os.listdir('@/in'), t(read, '@/in/none')]",
    );
    let execution = crate::fixture::attest_on(
        &crate::fixture::node_with(call.asked.clone(), oacp_egress::Options::default()),
        call,
    );
    fs::remove_dir_all(ground.at("in")).unwrap();
    symlink(ground.at("outside"), ground.at("in")).unwrap();
    let verdict = crate::fixture::replay(&crate::fixture::verify(&execution.bundle.to_bytes()));
    assert!(
        matches!(verdict, oacp::replay::ReplayVerdict::Confirmed { .. }),
        "{verdict:?}"
    );
}
