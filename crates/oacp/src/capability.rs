//! Capabilities, and the grant: what was asked for, cut down to what is allowed.
//!
//! The attack is a right that appears from nowhere. A [`Grant`] has one constructor, attenuation,
//! so that it never exceeds what was allowed, whichever policy engine decides.

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::digest::Digest;
use crate::id::ToolName;
use crate::json::canonicalize;
use crate::limits::{DENIAL_FIX_MAX, DENIAL_TEXT_BYTES_MAX};

/// Rights that a guest can hold. Nothing is granted by default, and a kind of right that this
/// version does not know is refused in parsing: it must not be hidden from whoever reads the claim.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Capabilities {
    /// Tools that may be called, by name.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub tools: BTreeSet<ToolName>,
}

impl Capabilities {
    /// SHA-256 of the canonical JSON (RFC 8785).
    #[expect(
        clippy::expect_used,
        reason = "sets of short strings always have a canonical form"
    )]
    pub fn digest(&self) -> Digest {
        Digest::of(&canonicalize(self).expect("capabilities are strings"))
    }
}

/// The capabilities of one call, after attenuation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant(Capabilities);

impl Grant {
    /// What is both asked for and allowed.
    pub fn attenuate(asked: &Capabilities, allowed: &Capabilities) -> Self {
        Self(Capabilities {
            tools: asked.tools.intersection(&allowed.tools).cloned().collect(),
        })
    }

    /// No rights at all.
    pub fn none() -> Self {
        Self(Capabilities::default())
    }

    /// What is granted.
    pub fn capabilities(&self) -> &Capabilities {
        &self.0
    }

    /// [`Capabilities::digest`] of what is granted.
    pub fn digest(&self) -> Digest {
        self.0.digest()
    }

    /// Whether the tool may be called.
    ///
    /// # Errors
    /// The denial, ready to be recorded and shown.
    #[expect(
        clippy::result_large_err,
        reason = "the denial is the answer, and handed on whole"
    )]
    pub fn allows_tool(&self, tool: &ToolName) -> Result<(), Denial> {
        if self.0.tools.contains(tool) {
            Ok(())
        } else {
            Err(self.deny_tool(tool.as_str()))
        }
    }

    /// The denial of a tool by whatever name a guest said, also one that is no tool name at all.
    pub fn deny_tool(&self, asked: &str) -> Denial {
        let nearest = nearest(asked, self.0.tools.iter().map(ToolName::as_str));
        let mut fix = vec![format!("add `{asked}` to the `tools` that are granted")];
        if let Some(nearest) = &nearest {
            fix.insert(0, format!("call `{nearest}`, which is granted"));
        }
        Denial {
            code: "tool_not_granted".to_owned(),
            capability: "tool".to_owned(),
            asked: asked.to_owned(),
            nearest,
            rule: "default deny".to_owned(),
            fix,
        }
    }
}

/// A right that was asked for and not granted: one object, the same in the guest's exception, the
/// recording and the report.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(deny_unknown_fields)]
pub struct Denial {
    /// A stable word for programs, as `tool_not_granted`.
    pub code: String,
    /// The kind of right, as `tool`.
    pub capability: String,
    /// What was asked for, in the guest's words.
    pub asked: String,
    /// What is granted and resembles it; `None` when nothing does.
    pub nearest: Option<String>,
    /// The rule that decided, as `default deny`.
    pub rule: String,
    /// Ways to mend it, the likeliest first, one line each.
    pub fix: Vec<String>,
}

impl Denial {
    /// Whether every text keeps to its limit.
    pub(crate) fn is_bounded(&self) -> bool {
        let texts = [&self.code, &self.capability, &self.asked, &self.rule];
        self.fix.len() <= DENIAL_FIX_MAX
            && texts
                .into_iter()
                .chain(&self.nearest)
                .chain(&self.fix)
                .all(|text| text.len() <= DENIAL_TEXT_BYTES_MAX)
    }
}

impl fmt::Display for Denial {
    /// One line that stands alone, then the details. A guest chose the words: they are escaped.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} `{}` is not granted",
            self.capability.escape_debug(),
            self.asked.escape_debug()
        )?;
        write!(
            f,
            "\n  rule:    {} ({})",
            self.rule.escape_debug(),
            self.code.escape_debug()
        )?;
        if let Some(nearest) = &self.nearest {
            write!(f, "\n  nearest: {}", nearest.escape_debug())?;
        }
        for fix in &self.fix {
            write!(f, "\n  fix:     {}", fix.escape_debug())?;
        }
        Ok(())
    }
}

/// The name that could have been meant: the closest, when at most a third of it differs.
fn nearest<'a>(asked: &str, names: impl Iterator<Item = &'a str>) -> Option<String> {
    names
        .map(|name| (edits(asked, name), name))
        .min()
        .filter(|(edits, name)| *edits <= (name.len() / 3).max(2) && *edits < name.len())
        .map(|(_, name)| name.to_owned())
}

/// Insertions, removals and replacements of bytes between two short texts (Levenshtein).
fn edits(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.bytes().enumerate() {
        let (mut diagonal, mut left) = (i, i + 1);
        for (cell, y) in row.iter_mut().skip(1).zip(b.bytes()) {
            let best = (diagonal + usize::from(x != y))
                .min(*cell + 1)
                .min(left + 1);
            (diagonal, left) = (*cell, best);
            *cell = best;
        }
        if let Some(first) = row.first_mut() {
            *first = i + 1;
        }
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn capabilities(tools: &[&str]) -> Capabilities {
        Capabilities {
            tools: tools.iter().map(|tool| tool.parse().unwrap()).collect(),
        }
    }

    #[test]
    fn a_denial_names_the_nearest_and_the_fix() {
        let all = capabilities(&["get_weather", "send_mail"]);
        let grant = Grant::attenuate(&all, &all);
        assert_eq!(grant.allows_tool(&"send_mail".parse().unwrap()), Ok(()));
        let denial = grant
            .allows_tool(&"get_wether".parse().unwrap())
            .unwrap_err();
        assert_eq!(denial.nearest.as_deref(), Some("get_weather"));
        assert_eq!(
            denial.to_string(),
            "tool `get_wether` is not granted\n  rule:    default deny (tool_not_granted)\n  nearest: get_weather\n  fix:     \
             call `get_weather`, which is granted\n  fix:     add `get_wether` to the `tools` that are granted"
        );
        assert_eq!(grant.deny_tool("rm -rf /").nearest, None);
        assert_eq!(Grant::none().deny_tool("x").nearest, None);
    }

    #[test]
    fn the_digest_is_over_the_canonical_form() {
        assert_eq!(Grant::none().digest(), Digest::of(b"{}"));
        assert_eq!(
            capabilities(&["b", "a"]).digest(),
            Digest::of(br#"{"tools":["a","b"]}"#)
        );
    }

    #[test]
    fn an_unknown_kind_of_right_is_refused() {
        assert!(serde_json::from_str::<Capabilities>(r#"{"tools":["a"]}"#).is_ok());
        assert!(
            serde_json::from_str::<Capabilities>(r#"{"tools":["a"],"everything":true}"#).is_err()
        );
    }

    #[test]
    fn edits_are_counted() {
        for (a, b, count) in [
            ("", "", 0),
            ("", "abc", 3),
            ("abc", "", 3),
            ("kitten", "sitting", 3),
            ("abc", "abc", 0),
        ] {
            assert_eq!(edits(a, b), count, "{a} {b}");
        }
    }

    proptest! {
        #[test]
        fn a_grant_never_exceeds_what_was_asked_nor_what_is_allowed(
            asked in prop::collection::btree_set("[a-d]", 0..4),
            allowed in prop::collection::btree_set("[a-d]", 0..4),
        ) {
            let of = |names: &BTreeSet<String>| Capabilities { tools: names.iter().map(|name| name.parse().unwrap()).collect() };
            let (asked, allowed) = (of(&asked), of(&allowed));
            let grant = Grant::attenuate(&asked, &allowed);
            for name in ["a", "b", "c", "d"] {
                let tool = name.parse().unwrap();
                let both = asked.tools.contains(&tool) && allowed.tools.contains(&tool);
                prop_assert_eq!(grant.allows_tool(&tool).is_ok(), both);
            }
        }
    }
}
