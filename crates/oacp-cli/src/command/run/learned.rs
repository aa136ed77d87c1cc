//! The file that `--learn` writes: a configuration, with how often each right was asked for and in which runs, in comments.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use oacp::capability::{Capabilities, GuestPath, HostRule, NamePattern, PathPattern};
use oacp::id::ToolName;
use serde::Serialize;

use crate::config::Text;
use crate::failure::{Failure, Judge};
use crate::home::shown;

/// By this line the file is known.
const MARK: &str = "# Learned by `oacp run --learn`";

/// Runs that are named; the latest.
const RUNS_MAX: usize = 20;

/// What was learnt in one or several runs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Learned {
    capabilities: Capabilities,
    /// How often, by section and entry as they are written.
    counts: BTreeMap<String, u64>,
    /// Names that look like secrets, and how often each was asked for.
    secrets: BTreeMap<String, u64>,
    runs: Vec<String>,
}

impl Learned {
    /// Reads a file that an earlier run wrote.
    ///
    /// # Errors
    ///
    /// Usage: it is another file, or somebody has edited it.
    pub(super) fn read(path: &Path) -> Result<Self, Failure> {
        if !std::fs::metadata(path).is_ok_and(|metadata| metadata.is_file()) {
            return Err(Failure::usage(format!(
                "`{}` is not a plain file",
                path.display()
            )));
        }
        let text = Text::read(path)?;
        let refused = |what: &str| {
            Err(Failure::usage(format!("`{}` {what}", shown(path))).hint(
                "what is there is not written over: name another file with --learn-file FILE, or move it away",
            ))
        };
        if !text.text.starts_with(MARK) {
            return refused("was not written by --learn");
        }
        let capabilities = text
            .for_run()
            .or_context(|| format!("`{}` was edited", shown(path)))?
            .capabilities;
        let learned = Self::with_comments(capabilities, &text.text);
        if learned.to_text() != text.text {
            return refused("was edited since --learn wrote it");
        }
        Ok(learned)
    }

    /// The counts, secrets and runs that a text has in its comments.
    fn with_comments(capabilities: Capabilities, text: &str) -> Self {
        let mut learned = Self {
            capabilities,
            ..Self::default()
        };
        let mut section = "";
        for line in text.lines() {
            let counted = line
                .rsplit_once(" # ")
                .and_then(|(rest, count)| Some((rest, count.strip_suffix('x')?.parse().ok()?)));
            if let Some(run) = line.strip_prefix("# run ") {
                learned.runs.push(run.to_owned());
            } else if let Some((rest, count)) = counted {
                if let Some(entry) = rest.trim_start().strip_prefix("- ") {
                    learned.counts.insert(format!("{section} {entry}"), count);
                } else if let Some(name) = rest.strip_prefix("#   ") {
                    learned
                        .secrets
                        .insert(name.trim_end_matches(':').to_owned(), count);
                }
            } else if let Some(name) = line.trim().strip_suffix(':') {
                section = name;
            }
        }
        learned
    }

    /// Adds what one more run asked for.
    pub(super) fn add(&mut self, learned: &oacp::policy::Learned, run: &str) {
        let new = &learned.capabilities;
        let mut all = self.capabilities.union(new);
        all.file_read = broadest(&all.file_read, PathPattern::covers);
        all.file_write = broadest(&all.file_write, PathPattern::covers);
        all.network.allowlist = broadest(&all.network.allowlist, HostRule::covers);
        let counts = Counts {
            old: &std::mem::take(&mut self.counts),
            new: &learned.counts,
        };
        let old = &self.capabilities;
        self.counts = [
            counts.of(&FILE_READ, &old.file_read, &all.file_read),
            counts.of(&FILE_WRITE, &old.file_write, &all.file_write),
            counts.of(&HOST, &old.network.allowlist, &all.network.allowlist),
            counts.of(&ENV, &old.env, &all.env),
            counts.of(&TOOL, &old.tools, &all.tools),
        ]
        .into_iter()
        .flatten()
        .collect();
        self.capabilities = all;
        for name in &learned.secrets {
            let count = learned.counts.get(&format!("env {name}")).copied();
            *self.secrets.entry(name.clone()).or_default() += count.unwrap_or(1);
        }
        self.runs.push(run.to_owned());
        let surplus = self.runs.len().saturating_sub(RUNS_MAX);
        self.runs.drain(..surplus);
    }

    /// The file's text. Reading it gives the same again.
    pub(super) fn to_text(&self) -> String {
        let mut text = format!(
            "{MARK}: the smallest grant for what was denied. An agent chose what it asked for, so\n\
             # read it before you use it:  oacp run AGENT --config THIS-FILE\n\
             # Further runs with --learn add to it, as long as nobody edits it.\n"
        );
        text.extend(self.runs.iter().map(|run| format!("# run {run}\n")));
        let rights = &self.capabilities;
        if rights.is_empty() {
            text.push_str("sandbox: {}\n");
        } else {
            text.push_str("sandbox:\n  capabilities:\n");
        }
        text.push_str(&self.section(FILE_READ.section, "    ", &rights.file_read));
        text.push_str(&self.section(FILE_WRITE.section, "    ", &rights.file_write));
        if !rights.network.allowlist.is_empty() {
            text.push_str("    network:\n");
        }
        text.push_str(&self.section(HOST.section, "      ", &rights.network.allowlist));
        text.push_str(&self.section(ENV.section, "    ", &rights.env));
        text.push_str(&self.section(TOOL.section, "    ", &rights.tools));
        self.secrets_skeleton(&mut text);
        text
    }

    fn section<T: Serialize>(&self, section: &str, indent: &str, entries: &BTreeSet<T>) -> String {
        if entries.is_empty() {
            return String::new();
        }
        let mut text = format!("{indent}{section}:\n");
        for entry in entries.iter().map(yaml) {
            let count = self.counts.get(&key(section, &entry)).unwrap_or(&0);
            text.push_str(&format!("{indent}  - {entry} # {count}x\n"));
        }
        text
    }

    /// What a person has to fill in: a denial does not know for which host a secret is.
    fn secrets_skeleton(&self, text: &mut String) {
        if self.secrets.is_empty() {
            return;
        }
        text.push_str(
            "\n# These look like secrets, so no agent is given them as variables. Say where each goes: it is put into\n\
             # requests outside the sandbox. Then list their names under sandbox.capabilities.secrets.\n\
             # secrets:\n",
        );
        for (name, count) in &self.secrets {
            text.push_str(&format!(
                "#   {name}: # {count}x\n\
                 #     from: {{ env: {name} }}\n\
                 #     host: \"HOST\"\n\
                 #     header: \"Authorization\"\n\
                 #     prefix: \"Bearer \"\n"
            ));
        }
    }
}

/// A kind of right, as it is called in the file and in denials, and what its patterns mean.
struct Kind<T> {
    section: &'static str,
    capability: &'static str,
    covers: fn(&T, &T) -> bool,
    means: fn(&T, &str) -> bool,
}

const FILE_READ: Kind<PathPattern> = Kind {
    section: "file_read",
    capability: "file_read",
    covers: PathPattern::covers,
    means: means_path,
};
const FILE_WRITE: Kind<PathPattern> = Kind {
    section: "file_write",
    capability: "file_write",
    ..FILE_READ
};
const HOST: Kind<HostRule> = Kind {
    section: "allowlist",
    capability: "network",
    covers: HostRule::covers,
    means: means_host,
};
const ENV: Kind<NamePattern> = Kind {
    section: "env",
    capability: "env",
    covers: NamePattern::covers,
    means: NamePattern::matches,
};

const TOOL: Kind<ToolName> = Kind {
    section: "tools",
    capability: "tool",
    covers: ToolName::eq,
    means: |name, asked| name.as_str() == asked,
};

fn means_path(pattern: &PathPattern, asked: &str) -> bool {
    asked
        .parse::<GuestPath>()
        .is_ok_and(|path| pattern.matches(&path))
}

fn means_host(rule: &HostRule, asked: &str) -> bool {
    asked
        .parse::<HostRule>()
        .is_ok_and(|asked| rule.covers(&asked))
}

/// How often things were asked for: by entry in earlier runs, by what was asked in this one.
struct Counts<'a> {
    old: &'a BTreeMap<String, u64>,
    new: &'a BTreeMap<String, u64>,
}

impl Counts<'_> {
    /// The counts of the entries that there are now, with those of the entries that they stand for.
    fn of<T: Serialize>(
        &self,
        kind: &Kind<T>,
        before: &BTreeSet<T>,
        now: &BTreeSet<T>,
    ) -> Vec<(String, u64)> {
        let count = |entry: &T| {
            let old = before
                .iter()
                .filter(|old| (kind.covers)(entry, old))
                .filter_map(|old| self.old.get(&key(kind.section, &yaml(old))));
            let new = self.new.iter().filter_map(|(asked, count)| {
                let (capability, asked) = asked.split_once(' ')?;
                (capability == kind.capability && (kind.means)(entry, asked)).then_some(count)
            });
            old.chain(new).sum()
        };
        now.iter()
            .map(|entry| (key(kind.section, &yaml(entry)), count(entry)))
            .collect()
    }
}

/// An entry as it stands in the file. JSON is YAML.
fn yaml(entry: &impl Serialize) -> String {
    serde_json::to_string(entry).unwrap_or_default()
}

fn key(section: &str, entry: &str) -> String {
    format!("{section} {entry}")
}

/// Those that no other one covers.
fn broadest<T: Ord + Clone>(entries: &BTreeSet<T>, covers: fn(&T, &T) -> bool) -> BTreeSet<T> {
    let is_covered = |entry: &&T| {
        entries
            .iter()
            .any(|other| other != *entry && covers(other, entry))
    };
    entries
        .iter()
        .filter(|entry| !is_covered(entry))
        .cloned()
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use oacp::capability::Grant;

    fn learned(paths: &[&str], names: &[&str]) -> oacp::policy::Learned {
        let none = Grant::none();
        let mut denials: Vec<_> = paths
            .iter()
            .map(|path| none.allows_read(&path.parse().unwrap()).unwrap_err())
            .collect();
        denials.extend(names.iter().map(|name| none.allows_env(name).unwrap_err()));
        let target = oacp::capability::Target::parse("https://api.example.com/x").unwrap();
        denials.push(none.allows_target(&target).unwrap_err());
        oacp::policy::learn(&denials)
    }

    #[test]
    fn a_text_is_read_as_it_was_written_and_added_to() {
        let mut first = Learned::default();
        first.add(
            &learned(&["/d/a.csv", "/d/a.csv"], &["LANG", "API_TOKEN"]),
            "one",
        );
        first.add(&learned(&["/d/a.csv", "/d/b.csv", "/d/c.csv"], &[]), "two");
        let text = first.to_text();
        assert!(text.contains("- \"/d/*.csv\" # 5x\n"), "{text}");
        assert!(text.contains("- \"api.example.com:443\" # 2x\n"), "{text}");
        assert!(text.contains("#   API_TOKEN: # 1x\n"), "{text}");
        let read = Text {
            name: "learned".to_owned(),
            text: text.clone(),
            dir: "/".into(),
        };
        let rights = read
            .for_run()
            .map_err(|e| e.message())
            .unwrap()
            .capabilities;
        assert_eq!(Learned::with_comments(rights, &text), first);
    }
}
