//! The syntax of policies: lines of items, read as octets.

use std::collections::{BTreeMap, BTreeSet};

use super::{Group, Member, Policy, PolicyLog, PolicyWitness};
use crate::encoding::from_decimal;
use crate::key::{KeyKind, ParseVerifierKeyError, VerifierKey};
use crate::limits::{POLICY_BYTES_MAX, POLICY_GROUPS_MAX, POLICY_LOGS_MAX, POLICY_WITNESSES_MAX};

/// How much of an item an error repeats.
const QUOTED_BYTES_MAX: usize = 64;

/// The predefined name.
const NONE: &[u8] = b"none";

/// Why bytes are not a policy.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {problem}")]
pub struct ParsePolicyError {
    /// From 1. For what is missing altogether, the last one.
    pub line: usize,
    /// What is wrong there.
    #[source]
    pub problem: PolicyProblem,
}

/// What is wrong with a line of a policy.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PolicyProblem {
    /// Larger than [`POLICY_BYTES_MAX`].
    #[error("policy is larger than {POLICY_BYTES_MAX} bytes")]
    TooLarge,
    /// A control character other than tab and line feed.
    #[error("control character 0x{0:02x}: only tab and line feed are allowed")]
    Control(u8),
    /// The first item is none of the four.
    #[error("`{0}` is none of `log`, `witness`, `group` and `quorum`")]
    Keyword(String),
    /// Too few items.
    #[error("expected `{0}`")]
    Missing(&'static str),
    /// Too many items.
    #[error("`{unexpected}` is one item too many: expected `{form}`")]
    Unexpected {
        /// The first item that has no place.
        unexpected: String,
        /// What the line should look like.
        form: &'static str,
    },
    /// Not a verifier key.
    #[error("`{key}`: {source}")]
    Key {
        /// As written; the beginning of it.
        key: String,
        /// Why.
        source: ParseVerifierKeyError,
    },
    /// A key of a kind that this crate does not verify.
    #[error("key of `{name}` has the unknown signature type 0x{type_byte:02x}")]
    UnknownKind {
        /// The key's name.
        name: String,
        /// The type.
        type_byte: u8,
    },
    /// A witness whose key makes no cosignatures.
    #[error("key of witness `{0}` makes no cosignatures: expected signature type 0x04 or 0x06")]
    NotACosigner(String),
    /// The same public key as another log, or another witness.
    #[error("the same key as in line {0}, whatever it is called there")]
    DuplicateKey(usize),
    /// A name that is taken, by a witness or a group.
    #[error("`{name}` is defined in line {line} already")]
    DuplicateName {
        /// The name.
        name: String,
        /// Where it is defined.
        line: usize,
    },
    /// `none` as the name of a witness or group, or as a member.
    #[error("`none` has its own meaning, for `quorum` only")]
    None,
    /// A name that no line before defines.
    #[error("`{0}` is not defined in a line before")]
    Undefined(String),
    /// A name that is already a member, of this group or another.
    #[error("`{name}` is a member of the group in line {line} already")]
    MemberTwice {
        /// The name.
        name: String,
        /// Of which group.
        line: usize,
    },
    /// Not `all`, `any`, or a number from 1 to that of members.
    #[error("threshold `{given}` is not `all`, `any` or 1 to {members}")]
    Threshold {
        /// As written.
        given: String,
        /// How many members the group has.
        members: usize,
    },
    /// A second quorum.
    #[error("quorum is defined in line {0} already")]
    SecondQuorum(usize),
    /// No quorum at all.
    #[error("quorum is missing: expected a line `quorum <name>`")]
    NoQuorum,
    /// More than this crate takes.
    #[error("more than {max} {what}")]
    TooMany {
        /// Of what.
        what: &'static str,
        /// How many are taken.
        max: usize,
    },
}

const LOG: &str = "log <vkey> [<url>]";
const WITNESS: &str = "witness <name> <vkey> [<url>]";
const GROUP: &str = "group <name> all|any|<k> <name>...";
const QUORUM: &str = "quorum <name>";

pub(super) fn parse(bytes: &[u8]) -> Result<Policy, ParsePolicyError> {
    let at = |line: usize| move |problem| ParsePolicyError { line, problem };
    if bytes.len() > POLICY_BYTES_MAX {
        return Err(at(1)(PolicyProblem::TooLarge));
    }
    let mut reader = Reader::default();
    // A last line may lack its line feed: the file is an operator's.
    let lines = bytes.strip_suffix(b"\n").unwrap_or(bytes);
    let mut line = 0;
    for (index, content) in lines.split(|byte| *byte == b'\n').enumerate() {
        line = index + 1;
        reader.line = line;
        reader.read(content).map_err(at(line))?;
    }
    let quorum = reader.quorum.ok_or(PolicyProblem::NoQuorum);
    let (_, quorum) = quorum.map_err(at(line))?;
    Ok(Policy {
        text: bytes.to_vec(),
        logs: reader.logs,
        witnesses: reader.witnesses,
        groups: reader.groups,
        quorum,
    })
}

/// What the lines so far have defined.
#[derive(Default)]
struct Reader {
    /// The present line, from 1.
    line: usize,
    logs: Vec<PolicyLog>,
    witnesses: Vec<PolicyWitness>,
    groups: Vec<Group>,
    quorum: Option<(usize, Option<Member>)>,
    /// By name, as octets: what it is, and where it is defined.
    names: BTreeMap<Vec<u8>, (Member, usize)>,
    /// Names that are a member, and of the group in which line.
    members: BTreeMap<Vec<u8>, usize>,
    /// By public key: where.
    log_keys: BTreeMap<Vec<u8>, usize>,
    witness_keys: BTreeMap<Vec<u8>, usize>,
}

impl Reader {
    fn read(&mut self, line: &[u8]) -> Result<(), PolicyProblem> {
        let is_control = |byte: &u8| (*byte < 0x20 && *byte != b'\t') || *byte == 0x7f;
        if let Some(byte) = line.iter().copied().find(|byte| is_control(byte)) {
            return Err(PolicyProblem::Control(byte));
        }
        let mut items = line
            .split(|byte| matches!(byte, b' ' | b'\t'))
            .filter(|item| !item.is_empty());
        match items.next() {
            None => Ok(()),
            Some(comment) if comment.starts_with(b"#") => Ok(()),
            Some(b"log") => self.log(&mut items),
            Some(b"witness") => self.witness(&mut items),
            Some(b"group") => self.group(&mut items),
            Some(b"quorum") => self.quorum(&mut items),
            Some(other) => Err(PolicyProblem::Keyword(quoted(other))),
        }
    }

    fn log<'a>(&mut self, items: &mut impl Iterator<Item = &'a [u8]>) -> Result<(), PolicyProblem> {
        let key = key(items.next().ok_or(PolicyProblem::Missing(LOG))?)?;
        let url = items.next().map(url);
        end(items, LOG)?;
        limit(self.logs.len(), POLICY_LOGS_MAX, "logs")?;
        once(&mut self.log_keys, &key, self.line)?;
        self.logs.push(PolicyLog { key, url });
        Ok(())
    }

    fn witness<'a>(
        &mut self,
        items: &mut impl Iterator<Item = &'a [u8]>,
    ) -> Result<(), PolicyProblem> {
        let name = items.next().ok_or(PolicyProblem::Missing(WITNESS))?;
        let key = key(items.next().ok_or(PolicyProblem::Missing(WITNESS))?)?;
        let url = items.next().map(url);
        end(items, WITNESS)?;
        if !key.kind().is_cosignature() {
            return Err(PolicyProblem::NotACosigner(quoted(name)));
        }
        limit(self.witnesses.len(), POLICY_WITNESSES_MAX, "witnesses")?;
        once(&mut self.witness_keys, &key, self.line)?;
        self.define(name, Member::Witness(self.witnesses.len()))?;
        let name = shown(name);
        self.witnesses.push(PolicyWitness { name, key, url });
        Ok(())
    }

    fn group<'a>(
        &mut self,
        items: &mut impl Iterator<Item = &'a [u8]>,
    ) -> Result<(), PolicyProblem> {
        let name = items.next().ok_or(PolicyProblem::Missing(GROUP))?;
        let given = items.next().ok_or(PolicyProblem::Missing(GROUP))?;
        let mut members = Vec::new();
        let mut names = BTreeSet::new();
        for member in items {
            members.push(self.named(member)?);
            let twice = self.members.get(member).copied();
            let twice = twice.or((!names.insert(member)).then_some(self.line));
            if let Some(line) = twice {
                let name = quoted(member);
                return Err(PolicyProblem::MemberTwice { name, line });
            }
        }
        if members.is_empty() {
            return Err(PolicyProblem::Missing(GROUP));
        }
        let threshold = match given {
            b"all" => Some(members.len()),
            b"any" => Some(1),
            number => std::str::from_utf8(number)
                .ok()
                .and_then(from_decimal)
                .and_then(|number| usize::try_from(number).ok())
                .filter(|number| (1..=members.len()).contains(number)),
        };
        let threshold = threshold.ok_or_else(|| PolicyProblem::Threshold {
            given: quoted(given),
            members: members.len(),
        })?;
        limit(self.groups.len(), POLICY_GROUPS_MAX, "groups")?;
        self.define(name, Member::Group(self.groups.len()))?;
        for member in names {
            self.members.insert(member.to_vec(), self.line);
        }
        self.groups.push(Group { threshold, members });
        Ok(())
    }

    fn quorum<'a>(
        &mut self,
        items: &mut impl Iterator<Item = &'a [u8]>,
    ) -> Result<(), PolicyProblem> {
        let name = items.next().ok_or(PolicyProblem::Missing(QUORUM))?;
        end(items, QUORUM)?;
        if let Some((line, _)) = self.quorum {
            return Err(PolicyProblem::SecondQuorum(line));
        }
        let member = if name == NONE {
            None
        } else {
            Some(self.named(name)?)
        };
        self.quorum = Some((self.line, member));
        Ok(())
    }

    fn define(&mut self, name: &[u8], member: Member) -> Result<(), PolicyProblem> {
        if name == NONE {
            return Err(PolicyProblem::None);
        }
        if let Some((_, line)) = self.names.get(name) {
            let (name, line) = (quoted(name), *line);
            return Err(PolicyProblem::DuplicateName { name, line });
        }
        self.names.insert(name.to_vec(), (member, self.line));
        Ok(())
    }

    fn named(&self, name: &[u8]) -> Result<Member, PolicyProblem> {
        if name == NONE {
            return Err(PolicyProblem::None);
        }
        let found = self.names.get(name).map(|(member, _)| *member);
        found.ok_or_else(|| PolicyProblem::Undefined(quoted(name)))
    }
}

fn key(item: &[u8]) -> Result<VerifierKey, PolicyProblem> {
    let parsed = std::str::from_utf8(item).map_err(|_| ParseVerifierKeyError::NotAVerifierKey);
    let key: Result<VerifierKey, _> = parsed.and_then(str::parse);
    let key = key.map_err(|source| PolicyProblem::Key {
        key: quoted(item),
        source,
    })?;
    match key.kind() {
        KeyKind::Unknown(type_byte) => Err(PolicyProblem::UnknownKind {
            name: key.name().to_string(),
            type_byte,
        }),
        _ => Ok(key),
    }
}

/// Notes where a public key stands, and refuses its second appearance. Type byte and name do not
/// count: they are not the key.
fn once(
    keys: &mut BTreeMap<Vec<u8>, usize>,
    key: &VerifierKey,
    line: usize,
) -> Result<(), PolicyProblem> {
    match keys.insert(key.public_bytes().to_vec(), line) {
        Some(before) => Err(PolicyProblem::DuplicateKey(before)),
        None => Ok(()),
    }
}

fn limit(count: usize, max: usize, what: &'static str) -> Result<(), PolicyProblem> {
    if count < max {
        Ok(())
    } else {
        Err(PolicyProblem::TooMany { what, max })
    }
}

fn end<'a>(
    items: &mut impl Iterator<Item = &'a [u8]>,
    form: &'static str,
) -> Result<(), PolicyProblem> {
    match items.next() {
        None => Ok(()),
        Some(item) => Err(PolicyProblem::Unexpected {
            unexpected: quoted(item),
            form,
        }),
    }
}

/// Octets for people, other octets as another text: what is not UTF-8 as `\xNN`, and `\` as `\\`.
fn shown(octets: &[u8]) -> String {
    let mut text = String::new();
    for chunk in octets.utf8_chunks() {
        text.push_str(&chunk.valid().replace('\\', "\\\\"));
        for byte in chunk.invalid() {
            text.push_str(&format!("\\x{byte:02x}"));
        }
    }
    text
}

/// Octets of an error: the beginning will do.
fn quoted(octets: &[u8]) -> String {
    match octets.split_at_checked(QUOTED_BYTES_MAX) {
        Some((beginning, rest)) if !rest.is_empty() => shown(beginning) + "…",
        _ => shown(octets),
    }
}

/// A URL, which is text. One that is not will be of no use, but its octets are allowed.
fn url(octets: &[u8]) -> String {
    std::str::from_utf8(octets).map_or_else(|_| shown(octets), str::to_owned)
}
