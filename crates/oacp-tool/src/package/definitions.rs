//! Definitions of what a package offers.

use std::collections::BTreeSet;

use oacp::digest::Digest;
use oacp::id::ToolName;
use oacp::json::canonicalize;
use oacp::limits::{TOOL_DEFINITION_BYTES_MAX, TOOL_DESCRIPTION_BYTES_MAX, TOOL_NAME_BYTES_MAX};
use oacp::source::{Source, SourceError, SourcePath};
use oacp::tool::{Code, Definition, ExportName};
use serde_json::Value;

use super::{Described, Offer, PackageName};
use crate::limits::TOOLS_MAX;
use crate::schema::{Schema, SchemaError};

/// A function of a component that can be a tool.
#[derive(Clone, Debug, PartialEq)]
pub struct Export {
    /// Its name in the component.
    pub export: ExportName,
    /// For whoever chooses a tool. May be empty.
    pub description: String,
    /// What it takes: a JSON schema of an object.
    pub input_schema: Value,
    /// What it gives. `None`: it does not say.
    pub output_schema: Option<Value>,
}

impl Export {
    /// The function's own name: what follows the interface.
    pub fn function(&self) -> &str {
        let text = self.export.as_str();
        let function = text.strip_prefix("tool:").unwrap_or(text);
        function.rsplit_once('#').map_or(function, |(_, name)| name)
    }

    /// The function's name with its interface's before it: `api.forecast` of `acme:weather/api@1.0.0#forecast`.
    fn qualified(&self) -> String {
        let function = self.function();
        let interface = self
            .export
            .as_str()
            .rsplit_once('#')
            .map_or("", |(of, _)| of);
        let interface = interface
            .rsplit_once('/')
            .map_or(interface, |(_, name)| name);
        match interface
            .split_once('@')
            .map_or(interface, |(name, _)| name)
        {
            "" => function.to_owned(),
            interface => format!("{interface}.{function}"),
        }
    }
}

/// The definitions of a described package's tools, by name: called as the package where it has one, `PACKAGE.FUNCTION` where it has several.
///
/// # Errors
/// What cannot be a tool; nothing is left out.
pub fn definitions(
    package: &PackageName,
    described: &Described,
) -> Result<Vec<Definition>, PackageError> {
    let count = described.offers.len();
    let define = |offer: &Offer| {
        let source = started_at(&described.source, &offer.entry)?;
        Ok(Definition {
            name: package.tool(&offer.function, count)?,
            description: offer.description.clone(),
            input_schema: offer.input_schema.clone(),
            output_schema: offer.output_schema.clone(),
            code: Code::Source {
                sha256: source.hash(),
                entry: offer.entry.clone(),
            },
        })
    };
    checked(described.offers.iter().map(define))
}

/// The definitions of a component's tools, as [`definitions`] names them. Functions that have one name in several interfaces are called
/// `PACKAGE.INTERFACE.FUNCTION`.
///
/// # Errors
/// As there.
pub fn definitions_of_component(
    package: &PackageName,
    sha256: Digest,
    exports: &[Export],
) -> Result<Vec<Definition>, PackageError> {
    let define = |export: &Export| {
        let namesakes = exports
            .iter()
            .filter(|other| other.function() == export.function());
        let name = match namesakes.count() {
            1 => package.tool(export.function(), exports.len())?,
            _ => package.tool(&export.qualified(), exports.len())?,
        };
        Ok(Definition {
            name,
            description: export.description.clone(),
            input_schema: export.input_schema.clone(),
            output_schema: export.output_schema.clone(),
            code: Code::Component {
                sha256,
                export: export.export.clone(),
            },
        })
    };
    if exports.len() > TOOLS_MAX {
        return Err(PackageError::TooMany);
    }
    checked(exports.iter().map(define))
}

/// The same files, started elsewhere.
pub(crate) fn started_at(source: &Source, entry: &SourcePath) -> Result<Source, SourceError> {
    let files = source
        .files()
        .map(|(path, content)| (path.clone(), content.to_vec()));
    Source::new(files, entry.clone())
}

/// Definitions that are each within the limits, and all of different names; sorted by them.
fn checked(
    definitions: impl Iterator<Item = Result<Definition, PackageError>>,
) -> Result<Vec<Definition>, PackageError> {
    let mut list = Vec::new();
    let mut names = BTreeSet::new();
    for definition in definitions {
        if list.len() == TOOLS_MAX {
            return Err(PackageError::TooMany);
        }
        let definition = definition?;
        check(&definition)?;
        if !names.insert(definition.name.clone()) {
            return Err(PackageError::Twice {
                name: definition.name,
            });
        }
        list.push(definition);
    }
    if list.is_empty() {
        return Err(PackageError::Empty);
    }
    list.sort_by(|a: &Definition, b| a.name.cmp(&b.name));
    Ok(list)
}

/// Whether a definition can be read back, and its schemas are admitted.
fn check(definition: &Definition) -> Result<(), PackageError> {
    let name = || definition.name.clone();
    if definition.description.len() > TOOL_DESCRIPTION_BYTES_MAX {
        return Err(PackageError::Description { name: name() });
    }
    let refused = |schema: &'static str| {
        move |source| PackageError::Schema {
            name: name(),
            schema,
            source,
        }
    };
    Schema::admit_input(&definition.input_schema).map_err(refused("input_schema"))?;
    if let Some(schema) = &definition.output_schema {
        Schema::admit(schema).map_err(refused("output_schema"))?;
    }
    let bytes = canonicalize(definition).map_err(|_| PackageError::Number { name: name() })?;
    if bytes.len() > TOOL_DEFINITION_BYTES_MAX {
        return Err(PackageError::TooLarge { name: name() });
    }
    Ok(())
}

/// Why a package cannot be tools.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PackageError {
    /// It has no function.
    #[error("it offers no tool")]
    Empty,
    /// More than [`TOOLS_MAX`] tools.
    #[error("it offers more than {TOOLS_MAX} tools; split it into several packages")]
    TooMany,
    /// A tool's name breaks MCP's rule.
    #[error(
        "`{}` is no name for a tool: expected 1 to {TOOL_NAME_BYTES_MAX} of the characters `A-Z a-z 0-9 _ . -`", name.escape_debug()
    )]
    Name {
        /// The name that it would have.
        name: String,
    },
    /// Two tools of one name.
    #[error("two of its functions would be called `{name}`")]
    Twice {
        /// The name.
        name: ToolName,
    },
    /// A description over [`TOOL_DESCRIPTION_BYTES_MAX`].
    #[error("the description of `{name}` has more than {TOOL_DESCRIPTION_BYTES_MAX} bytes")]
    Description {
        /// Whose.
        name: ToolName,
    },
    /// A schema that is not admitted.
    #[error("`{schema}` of `{name}` is not admitted")]
    Schema {
        /// Whose.
        name: ToolName,
        /// Which of the two.
        schema: &'static str,
        /// Why not.
        #[source]
        source: SchemaError,
    },
    /// A number in a schema that not every reader of JSON understands alike.
    #[error(
        "a schema of `{name}` holds a number beyond ±(2^53 − 1), or one that no double can hold"
    )]
    Number {
        /// Whose.
        name: ToolName,
    },
    /// A definition over [`TOOL_DEFINITION_BYTES_MAX`].
    #[error("the definition of `{name}` has more than {TOOL_DEFINITION_BYTES_MAX} bytes")]
    TooLarge {
        /// Whose.
        name: ToolName,
    },
    /// Its files are no source: an offer's stub is not among them.
    #[error("its files cannot be started")]
    Source(#[from] SourceError),
}
#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn offer(function: &str) -> Offer {
        Offer {
            function: function.to_owned(),
            description: String::new(),
            input_schema: json!({"type": "object"}),
            output_schema: None,
            entry: "main.py".parse().unwrap(),
        }
    }

    fn defined(package: &str, offers: Vec<Offer>) -> Result<Vec<Definition>, PackageError> {
        let source = Source::single("main.py".parse().unwrap(), vec![]).unwrap();
        let described = Described {
            offers,
            source,
            warnings: vec![],
        };
        definitions(&package.parse().unwrap(), &described)
    }

    #[test]
    fn a_package_is_told_by_its_tools_name() {
        for (tool, expected) in [
            ("weather", Some("weather")),
            ("weather.forecast", Some("weather")),
            ("weather.api.get", Some("weather")),
            (".x", None),
            ("-a", None),
            ("a.", Some("a")),
        ] {
            let package = PackageName::of_tool(&tool.parse().unwrap());
            assert_eq!(package.as_ref().map(PackageName::as_str), expected);
        }
        for text in ["", "-a", "a.b", "é", "a b", &"x".repeat(65), "a/b"] {
            assert!(text.parse::<PackageName>().is_err(), "{text}");
        }
        let usual = |functions: &[&str], stem| {
            let name = PackageName::usual(functions.iter().copied(), stem);
            name.map(|name| name.to_string())
        };
        assert_eq!(usual(&["forecast"], "weather").unwrap(), "forecast");
        assert_eq!(
            usual(&["a", "b"], "my weather.v2").unwrap(),
            "my_weather_v2"
        );
        assert!(usual(&[], "").is_err());
    }

    #[test]
    fn what_cannot_be_a_tool_is_refused_with_its_name() {
        assert_eq!(defined("w", vec![]), Err(PackageError::Empty));
        let twice = defined("w", vec![offer("f"), offer("f")]).unwrap_err();
        assert_eq!(
            twice.to_string(),
            "two of its functions would be called `w.f`"
        );
        let long = defined(&"w".repeat(64), vec![offer(&"f".repeat(64)), offer("g")]);
        assert!(matches!(long, Err(PackageError::Name { .. })));
        assert!(defined(&"w".repeat(64), vec![offer(&"f".repeat(63)), offer("g")]).is_ok());
        let many = (0..=TOOLS_MAX).map(|n| offer(&format!("f{n}"))).collect();
        assert_eq!(defined("w", many), Err(PackageError::TooMany));
        let mut wordy = offer("f");
        wordy.description = "x".repeat(TOOL_DESCRIPTION_BYTES_MAX + 1);
        assert!(matches!(
            defined("w", vec![wordy]),
            Err(PackageError::Description { .. })
        ));
        let mut no_schema = offer("f");
        no_schema.output_schema = Some(json!({"type": "text"}));
        let error = defined("w", vec![no_schema]).unwrap_err();
        assert_eq!(error.to_string(), "`output_schema` of `w` is not admitted");
        let mut number = offer("f");
        number.input_schema = json!({"type": "object", "maxProperties": u64::MAX});
        assert!(matches!(
            defined("w", vec![number]),
            Err(PackageError::Number { .. })
        ));
        let mut lost = offer("f");
        lost.entry = "none.py".parse().unwrap();
        assert!(matches!(
            defined("w", vec![lost]),
            Err(PackageError::Source(_))
        ));
    }
}
