//! What is written of a tool: `tool.yaml`, which travels with it and asks, and its block under `tools:` in `oacp.yaml`, which grants.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use oacp::capability::{Capabilities, GuestPath};
use oacp::digest::Digest;
use oacp::source::SourcePath;
use oacp_tool::manifest::{Instance, Limits, Place, SourceText, ToolBlock, ToolFile, Tools};
use oacp_tool::package::PackageName;
use oacp_tool::source::Reference;

use crate::config::{Definitions, Text, capabilities, guest_path};
use crate::failure::Failure;
use crate::yaml::{self, Spot};

/// Its name, beside a tool's files.
pub(crate) const TOOL_FILE: &str = "tool.yaml";

/// What is written of a tool, read.
#[derive(Clone, Debug)]
pub(crate) struct Manifest {
    pub(crate) name: PackageName,
    pub(crate) version: Option<String>,
    pub(crate) description: Option<String>,
    /// The file or directory that its code is, or the reference of one that is elsewhere.
    pub(crate) path: PathBuf,
    /// What that has to hash to.
    pub(crate) sha256: Option<Digest>,
    pub(crate) entry: Option<SourcePath>,
    /// What it asks for, in `tool.yaml`; what it is granted, in `oacp.yaml`.
    pub(crate) capabilities: Capabilities,
    pub(crate) limits: Limits,
    pub(crate) instance: Instance,
    /// Where its relative paths start: where it is written.
    pub(crate) directory: GuestPath,
}

/// The `tool.yaml` that a path names: itself, or that at the top of a directory. What is named as elsewhere has none, whatever lies here under
/// a name that looks like it.
pub(crate) fn manifest_of(path: &Path) -> Result<Option<Text>, Failure> {
    if is_reference(path) {
        return Ok(None);
    }
    let beside = path.join(TOOL_FILE);
    if path.file_name().is_some_and(|name| name == TOOL_FILE) {
        Text::read(path).map(Some)
    } else if beside.is_file() {
        Text::read(&beside).map(Some)
    } else {
        Ok(None)
    }
}

impl Manifest {
    /// Reads a `tool.yaml`. Without a source its code is its own directory; what lies elsewhere on this machine is not its to name, for
    /// a tool can read its own code.
    ///
    /// # Errors
    ///
    /// Usage, with line and column; a secret that is not among `definitions`.
    pub(crate) fn of_file(text: &Text, definitions: &Definitions) -> Result<Self, Failure> {
        let file: ToolFile = yaml::from_str(&text.text, &text.name)?;
        let top = text.top();
        let beside = || SourceText {
            path: Some(".".to_owned()),
            ..SourceText::default()
        };
        let block = ToolBlock {
            version: file.version,
            description: file.description,
            source: file.source.unwrap_or_else(beside),
            entry: file.entry,
            capabilities: file.capabilities,
            limits: file.limits,
            instance: file.instance,
        };
        let name = file.name.parse().map_err(|e| top.key("name").refuse(e))?;
        let manifest = Self::of_block(name, &block, &top, text, definitions)?;
        let resolved = manifest.path.canonicalize();
        if resolved.is_ok_and(|path| !path.starts_with(&text.dir)) {
            let why = format!("the source does not lie within the directory of {TOOL_FILE}");
            return Err(top.key("source").refuse(why));
        }
        Ok(manifest)
    }

    /// Reads `tools:` of an `oacp.yaml`.
    ///
    /// # Errors
    ///
    /// As above.
    pub(crate) fn all(
        tools: &Tools,
        text: &Text,
        definitions: &Definitions,
    ) -> Result<BTreeMap<PackageName, Self>, Failure> {
        let top = text.top().key("tools");
        let read = |(key, block): (&String, &ToolBlock)| {
            let spot = top.key(key);
            let name: PackageName = key
                .parse()
                .map_err(|e| spot.refuse(format!("`{key}`: {e}")))?;
            let manifest = Self::of_block(name.clone(), block, &spot, text, definitions)?;
            Ok((name, manifest))
        };
        tools.iter().map(read).collect()
    }

    fn of_block(
        name: PackageName,
        block: &ToolBlock,
        spot: &Spot<'_>,
        text: &Text,
        definitions: &Definitions,
    ) -> Result<Self, Failure> {
        let limits = spot.key("limits");
        block
            .limits
            .check()
            .map_err(|e| limits.key(e.key).refuse(&e))?;
        let entry = block.entry.as_ref().map(|entry| entry.parse());
        let entry = entry.transpose().map_err(|e| spot.key("entry").refuse(e))?;
        let source = spot.key("source");
        let sha256 = block.source.sha256.as_ref().map(|digest| digest.parse());
        let sha256 = sha256
            .transpose()
            .map_err(|e| source.key("sha256").refuse(e))?;
        let directory = guest_path(&text.dir)?;
        Ok(Self {
            name,
            version: block.version.clone(),
            description: block.description.clone(),
            path: place(&block.source, &source, &text.dir)?,
            sha256,
            entry,
            capabilities: capabilities::read(
                &block.capabilities,
                &spot.key("capabilities"),
                &directory,
                definitions,
            )?,
            limits: block.limits,
            instance: block.instance,
            directory,
        })
    }
}

/// Whether it names something elsewhere, or tries to.
pub(crate) fn is_reference(path: &Path) -> bool {
    path.to_str().is_none_or(|text| text.contains("://"))
}

/// Where a source is, as the command line names it: a path of this machine, in full, or a reference.
fn place(source: &SourceText, spot: &Spot<'_>, dir: &Path) -> Result<PathBuf, Failure> {
    let reference = match source.place().map_err(|e| spot.refuse(e))? {
        Place::Path(path) => return Ok(std::path::absolute(dir.join(path))?),
        Place::Reference(text) if !text.contains("://") => {
            return Ok(std::path::absolute(dir.join(text))?);
        }
        Place::Reference(text) => text.to_owned(),
        Place::Url(url) => match &source.sha256 {
            Some(sha256) => format!("{url}#{sha256}"),
            None => url.to_owned(),
        },
        Place::Oci(image) => format!("oci://{image}"),
    };
    let reference = Reference::parse(&reference).map_err(|e| spot.refuse(e))?;
    Ok(reference.to_string().into())
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_schema_that_is_checked_in_is_current() {
        let file =
            std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/tool.schema.json");
        let current = format!("{:#}\n", oacp_tool::manifest::tool_file_schema());
        if std::env::var_os("UPDATE_EXPECT").is_some() {
            std::fs::write(&file, &current).unwrap();
        }
        assert!(
            std::fs::read_to_string(&file).unwrap() == current,
            "run the test with UPDATE_EXPECT=1 and check docs/tool.schema.json in"
        );
    }
}
