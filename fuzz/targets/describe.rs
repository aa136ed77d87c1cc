//! What a Python file says of itself when it runs, and what a JavaScript or TypeScript file says to who reads it: each offer's stub is in the
//! source, each schema is admitted, no file of the package is replaced. What they need is read off without failing.
#![no_main]

use libfuzzer_sys::fuzz_target;
use oacp::source::Source;
use oacp_tool::needs::Needs;
use oacp_tool::package::Described;
use oacp_tool::schema::Schema;

fuzz_target!(|data: &[u8]| {
    let Some((kind, text)) = data.split_first() else {
        return;
    };
    let name = match kind {
        b'a' | b'p' => "tool.py",
        b't' => "tool.ts",
        b'j' => "tool.js",
        _ => "tool.mjs",
    };
    let path = name.parse().expect("a path");
    let own = if *kind == b'a' { b"def f(): pass\n" } else { text };
    let Ok(source) = Source::single(path, own.to_vec()) else {
        return;
    };
    let needs = Needs::of_source(&source);
    assert!(needs.list.iter().all(|need| !need.why().is_empty()));
    let described = match kind {
        b'a' => oacp_tool::python::answer(&source, text),
        b'p' => return,
        _ => oacp_tool::javascript::describe(&source),
    };
    let Ok(Described { offers, source: made, warnings }) = described else {
        return;
    };
    assert!(!offers.is_empty());
    for offer in &offers {
        assert!(Schema::admit_input(&offer.input_schema).is_ok());
        assert!(made.files().any(|(path, _)| *path == offer.entry));
        assert!(source.files().all(|(path, _)| *path != offer.entry), "a stub is a file of its own");
    }
    if *kind == b'a' {
        for (path, content) in source.files() {
            assert!(made.files().any(|(kept, same)| kept == path && same == content));
        }
    }
    drop(warnings);
});
