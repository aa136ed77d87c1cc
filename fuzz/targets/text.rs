//! Everything that has one spelling: what parses is printed as it was given.
#![no_main]

use std::fmt::Display;
use std::str::FromStr;

use libfuzzer_sys::fuzz_target;
use oacp::event::Seed;
use oacp::{
    Audience, Digest, ExecutionId, KeyId, LogOrigin, Nonce, Principal, SandboxId, SandboxName,
    Source, SourcePath, Timestamp, ToolName,
};

fn one_spelling<T: FromStr + Display>(text: &str) {
    if let Ok(value) = text.parse::<T>() {
        assert_eq!(value.to_string(), text);
    }
}

fuzz_target!(|text: &str| {
    one_spelling::<Audience>(text);
    one_spelling::<Digest>(text);
    one_spelling::<ExecutionId>(text);
    one_spelling::<KeyId>(text);
    one_spelling::<LogOrigin>(text);
    one_spelling::<Nonce>(text);
    one_spelling::<Principal>(text);
    one_spelling::<SandboxId>(text);
    one_spelling::<SandboxName>(text);
    one_spelling::<Seed>(text);
    one_spelling::<SourcePath>(text);
    one_spelling::<Timestamp>(text);
    one_spelling::<ToolName>(text);

    // The lines as the paths of one source. No path of a source may lead out of where it is unpacked.
    let paths: Vec<SourcePath> = text.lines().filter_map(|line| line.parse().ok()).collect();
    let Some(entry) = paths.first().cloned() else {
        return;
    };
    for path in &paths {
        assert!(!path.as_str().starts_with('/'));
        assert!(
            path.as_str()
                .split('/')
                .all(|segment| !matches!(segment, "" | "." | ".."))
        );
    }
    if let Ok(source) = Source::new(paths.into_iter().map(|path| (path, Vec::new())), entry) {
        let again = source
            .files()
            .map(|(path, content)| (path.clone(), content.to_vec()));
        let again =
            Source::new(again, source.entry().clone()).expect("the files of a source are a source");
        assert_eq!(again.hash(), source.hash());
    }
});
