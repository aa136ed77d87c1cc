//! The cases in `cases/`.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use oacp::source::Source;
use serde_json::{Value, json};

use super::shown;

#[test]
fn every_case_says_what_is_expected_of_it() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/javascript/cases");
    let mut cases: Vec<_> = fs::read_dir(&directory)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_none_or(|ending| ending != "json"))
        .collect();
    cases.sort();
    assert!(cases.len() >= 20);
    let mut wrong = Vec::new();
    for case in cases {
        let source = read(&case);
        let found = outcome(&source);
        assert_eq!(
            found,
            outcome(&source),
            "{}: not twice the same",
            case.display()
        );
        let expected = PathBuf::from(format!("{}.json", case.display()));
        let text = serde_json::to_string_pretty(&found).unwrap() + "\n";
        if std::env::var_os("UPDATE_EXPECT").is_some() {
            fs::write(&expected, text).unwrap();
        } else if fs::read_to_string(&expected).unwrap_or_default() != text {
            wrong.push(format!("{}:\n{text}", case.display()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn read(case: &Path) -> Source {
    let mut files = Vec::new();
    let mut entry = None;
    if case.is_dir() {
        collect(case, "", &mut files);
        for (path, _) in &files {
            if path.rsplit_once('.').unwrap().0 == "main" {
                entry = Some(path.clone());
            }
        }
    } else {
        let name = case.file_name().unwrap().to_str().unwrap().to_owned();
        entry = Some(name.clone());
        files.push((name, fs::read(case).unwrap()));
    }
    let files = files
        .into_iter()
        .map(|(path, content)| (path.parse().unwrap(), content));
    Source::new(files, entry.unwrap().parse().unwrap()).unwrap()
}

fn collect(directory: &Path, prefix: &str, files: &mut Vec<(String, Vec<u8>)>) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        let name = format!("{prefix}{}", path.file_name().unwrap().to_str().unwrap());
        if path.is_dir() {
            collect(&path, &format!("{name}/"), files);
        } else {
            files.push((name, fs::read(&path).unwrap()));
        }
    }
}

/// What is said of a source; of its files, those that are not as they were handed in.
fn outcome(source: &Source) -> Value {
    let described = match oacp_tool::javascript::describe(source) {
        Ok(described) => described,
        Err(refused) => {
            let refused: Vec<_> = refused.remarks.iter().map(shown).collect();
            return json!({ "refused": refused });
        }
    };
    let before: BTreeMap<_, _> = source.files().collect();
    let after: BTreeMap<_, _> = described.source.files().collect();
    let changed: BTreeMap<_, _> = after
        .iter()
        .filter(|(path, content)| before.get(*path) != Some(content))
        .map(|(path, content)| {
            (
                path.as_str(),
                std::str::from_utf8(content)
                    .unwrap()
                    .lines()
                    .collect::<Vec<_>>(),
            )
        })
        .collect();
    let gone: Vec<_> = before
        .keys()
        .filter(|path| !after.contains_key(*path))
        .map(|path| path.as_str())
        .collect();
    let offers: BTreeMap<_, _> = described
        .offers
        .iter()
        .map(|offer| {
            let said = json!({
                "description": offer.description,
                "input": offer.input_schema,
                "output": offer.output_schema,
                "entry": offer.entry.as_str(),
            });
            (offer.function.as_str(), said)
        })
        .collect();
    let warnings: Vec<_> = described.warnings.iter().map(shown).collect();
    json!({ "offers": offers, "files": changed, "gone": gone, "warnings": warnings })
}
