//! `secrets:`: where a secret's value is taken from, and the one host that it is sent to. Never the value.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use oacp::capability::{SecretGrant, SecretName};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;
use serde_saphyr::Spanned;

use crate::failure::Failure;
use crate::nearest::nearest;
use crate::yaml;

/// A secret: it is put into requests outside the sandbox, and no guest sees it.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Secret")]
pub(crate) struct Block {
    /// Where its value is taken from.
    from: From,
    /// The one host that it is sent to: `host` or `host:port`; no port means 443. Over HTTPS only.
    host: String,
    /// The request header that holds it. Either this or `query`.
    header: Option<String>,
    /// What stands before it in the header, as `Bearer ` with the blank.
    prefix: Option<String>,
    /// The parameter of the URL's query that holds it.
    query: Option<String>,
}

/// Where a value is taken from, when a run begins that is granted it.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum From {
    /// An environment variable. No run is shown that variable.
    Env(String),
    /// A file that its owner alone can read. One line feed at its end is cut off.
    File(PathBuf),
    /// What a program prints: its name and arguments; no shell. One line feed at its end is cut off.
    Command(Vec<String>),
}

/// A secret as it is defined: what it would grant, and where its value is.
#[derive(Clone, Debug)]
pub(crate) struct Definition {
    pub(crate) grant: SecretGrant,
    pub(crate) source: Source,
}

/// Where a value is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    Env(String),
    File(PathBuf),
    /// The program, its arguments, and the directory where it runs.
    Command(Vec<String>, PathBuf),
}

/// The secrets of a configuration, by name.
#[derive(Clone, Debug, Default)]
pub(crate) struct Definitions(BTreeMap<SecretName, Definition>);

impl Definitions {
    /// Reads the blocks of a file that lies in `dir`.
    pub(super) fn read(
        blocks: &BTreeMap<String, Spanned<Block>>,
        name: &str,
        dir: &Path,
    ) -> Result<Self, Failure> {
        let define = |(key, block): (&String, &Spanned<Block>)| {
            let refused = |why: String| {
                let place = yaml::place(name, block.referenced);
                Failure::usage(format!("{place}: {why}"))
            };
            let definition = block.value.define(key, dir).map_err(refused)?;
            Ok((definition.grant.name.clone(), definition))
        };
        blocks
            .iter()
            .map(define)
            .collect::<Result<_, _>>()
            .map(Self)
    }

    /// The secret of this name.
    ///
    /// # Errors
    ///
    /// Usage: there is none; says what to write.
    pub(crate) fn find(&self, name: &SecretName) -> Result<&Definition, Failure> {
        self.0.get(name).ok_or_else(|| {
            let known: Vec<String> = self.0.keys().map(ToString::to_string).collect();
            let near = nearest(name.as_ref(), known.iter().map(String::as_str))
                .map(|near| format!("; did you mean `{near}`?"))
                .unwrap_or_default();
            Failure::usage(format!("no secret `{name}` is defined{near}")).hint(format!(
                "write it into the configuration: secrets: {{ {name}: {{ from: {{ env: {name} }}, host: \"api.example.com\", header: \"Authorization\", prefix: \"Bearer \" }} }}"
            ))
        })
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Definition> {
        self.0.values()
    }
}

impl Block {
    fn define(&self, name: &str, dir: &Path) -> Result<Definition, String> {
        let Self {
            from,
            host,
            header,
            prefix,
            query,
        } = self;
        let named: SecretName = name.parse().map_err(|e| format!("`{name}`: {e}"))?;
        let grant = json!({
            "name": named,
            "host": host,
            "header": header,
            "prefix": prefix.as_deref().unwrap_or_default(),
            "query": query,
        });
        // Read as a grant in a statement is read: what a verifier would refuse is refused here.
        let grant = serde_json::from_value(grant).map_err(|e| e.to_string())?;
        let source = match from {
            From::Env(variable) => Source::Env(variable.clone()),
            From::File(file) => Source::File(dir.join(file)),
            From::Command(words) => {
                let mut words = words.clone();
                match words.first_mut() {
                    None => return Err(format!("secret `{name}`: `from.command` is empty")),
                    // A path is meant from the file's directory; a bare name is looked up on the PATH.
                    Some(program) if program.contains('/') => {
                        *program = dir.join(&*program).to_string_lossy().into_owned();
                    }
                    Some(_) => {}
                }
                Source::Command(words, dir.to_path_buf())
            }
        };
        Ok(Definition { grant, source })
    }
}
