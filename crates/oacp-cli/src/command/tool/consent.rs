//! Whether a tool gets what its `tool.yaml` asks for.
//!
//! The attack: a tool from somewhere that gives itself the network and the home directory, because its manifest says so. A manifest that
//! came with a tool is a stranger's word: it grants nothing until whoever adds the tool agrees, having seen it.

use std::path::Path;

use oacp::capability::Capabilities;
use oacp_tool::manifest::Limits;
use oacp_tool::package::PackageName;

use crate::console::{Console, YELLOW};
use crate::escape::visible;
use crate::failure::Failure;
use crate::home::shown;
use crate::tool::{Manifest, usual_limits};
use crate::{question, rights};

/// What a manifest asks for, of which nobody has said anything yet. By default nothing.
#[derive(Default)]
pub(super) struct Asked<'a> {
    of: Option<&'a PackageName>,
    /// Its rights, unless the command line says which are granted.
    rights: Option<&'a Capabilities>,
    /// Its limits above the usual, but for those that the command line has: which, how much, and what is usual.
    limits: Vec<(&'static str, u64, u64)>,
}

/// What a person said.
pub(super) enum Agreed {
    /// Grant it; or nothing was asked.
    Yes,
    /// Do not register it.
    No,
}

impl<'a> Asked<'a> {
    /// `said`: the limits of the command line; `rights_are_given`: whether it grants rights.
    pub(super) fn of(manifest: &'a Manifest, said: &Limits, rights_are_given: bool) -> Self {
        let usual = usual_limits();
        let limits = manifest.limits.said().filter_map(|(key, number)| {
            let is_said = said.said().any(|(said, _)| said == key);
            let (_, usual) = usual.said().find(|(usual, _)| *usual == key)?;
            (!is_said && number > usual).then_some((key, number, usual))
        });
        Self {
            of: Some(&manifest.name),
            rights: Some(&manifest.capabilities)
                .filter(|rights| !rights_are_given && !rights.is_empty()),
            limits: limits.collect(),
        }
    }

    /// The rights of somebody who agrees.
    pub(super) fn added_to(&self, granted: Capabilities) -> Capabilities {
        match self.rights {
            Some(rights) => granted.union(rights),
            None => granted,
        }
    }

    /// Asks on the terminal. Where nothing was asked for, nobody is asked.
    ///
    /// # Errors
    ///
    /// Usage: there is no terminal.
    pub(super) fn agreement(&self, path: &Path, console: &Console) -> Result<Agreed, Failure> {
        let mut lines = self.rights.map(rights::lines).unwrap_or_default();
        let limits = self.limits.iter();
        lines.extend(limits.map(|(key, number, usual)| format!("{key} {number} (usual: {usual})")));
        let Some(name) = self.of.filter(|_| !lines.is_empty()) else {
            return Ok(Agreed::Yes);
        };
        console.say(&format!("{YELLOW}`{name}` asks for{YELLOW:#}"));
        for line in &lines {
            console.say(&format!("  {}", visible(line)));
        }
        if !question::is_possible() {
            return Err(Failure::usage(
                "what it asks for is not granted, and nobody can be asked, because there is no terminal",
            )
            .hint(format!(
                "`{} tool add {} --yes` grants it; --allow-… grants what you say in its place",
                crate::started::name(),
                shown(path)
            )));
        }
        Ok(if question::is_agreed("grant it?", console) {
            Agreed::Yes
        } else {
            Agreed::No
        })
    }
}
