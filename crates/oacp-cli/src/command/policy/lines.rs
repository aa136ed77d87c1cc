//! The difference between two texts, line by line.

use std::collections::BTreeSet;

/// A line of a difference.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Line<'a> {
    Same(&'a str),
    Removed(&'a str),
    Added(&'a str),
}

/// Cells of the table below; beyond it, all that differs is shown as removed and added. 64 MiB.
const CELLS_MAX: usize = 16 << 20;

/// The shortest difference, by the longest common subsequence of lines.
pub(super) fn difference<'a>(old: &'a str, new: &'a str) -> Vec<Line<'a>> {
    let (old, new): (Vec<&str>, Vec<&str>) = (old.lines().collect(), new.lines().collect());
    let begin = common(old.iter().zip(&new));
    let (old_rest, new_rest) = (tail(&old, begin), tail(&new, begin));
    let end = common(old_rest.iter().rev().zip(new_rest.iter().rev()));
    let a = head(old_rest, old_rest.len() - end);
    let b = head(new_rest, new_rest.len() - end);
    let mut lines: Vec<Line<'a>> = head(&old, begin)
        .iter()
        .map(|line| Line::Same(line))
        .collect();
    lines.extend(middle(a, b));
    lines.extend(tail(old_rest, a.len()).iter().map(|line| Line::Same(line)));
    lines
}

fn common<'a>(pairs: impl Iterator<Item = (&'a &'a str, &'a &'a str)>) -> usize {
    pairs.take_while(|(a, b)| a == b).count()
}

fn head<'a, 'b>(lines: &'b [&'a str], count: usize) -> &'b [&'a str] {
    lines.get(..count).unwrap_or_default()
}

fn tail<'a, 'b>(lines: &'b [&'a str], from: usize) -> &'b [&'a str] {
    lines.get(from..).unwrap_or_default()
}

fn middle<'a>(a: &[&'a str], b: &[&'a str]) -> Vec<Line<'a>> {
    let replaced = || {
        let removed = a.iter().map(|line| Line::Removed(line));
        removed
            .chain(b.iter().map(|line| Line::Added(line)))
            .collect()
    };
    let width = b.len() + 1;
    if (a.len() + 1).saturating_mul(width) > CELLS_MAX {
        return replaced();
    }
    // The length of the longest common subsequence of what begins there.
    let mut table = vec![0_u32; (a.len() + 1) * width];
    let cell = |table: &[u32], i: usize, j: usize| table.get(i * width + j).copied().unwrap_or(0);
    for (i, line) in a.iter().enumerate().rev() {
        for (j, other) in b.iter().enumerate().rev() {
            let length = if line == other {
                cell(&table, i + 1, j + 1) + 1
            } else {
                cell(&table, i + 1, j).max(cell(&table, i, j + 1))
            };
            if let Some(here) = table.get_mut(i * width + j) {
                *here = length;
            }
        }
    }
    let mut lines = Vec::new();
    let (mut i, mut j) = (0, 0);
    loop {
        match (a.get(i), b.get(j)) {
            (Some(line), Some(other)) if line == other => {
                lines.push(Line::Same(line));
                (i, j) = (i + 1, j + 1);
            }
            (Some(line), other)
                if other.is_none() || cell(&table, i + 1, j) >= cell(&table, i, j + 1) =>
            {
                lines.push(Line::Removed(line));
                i += 1;
            }
            (_, Some(line)) => {
                lines.push(Line::Added(line));
                j += 1;
            }
            _ => return lines,
        }
    }
}

/// What of two lists is in one alone: removed, and added.
pub(super) fn changed<'a>(old: &'a [String], new: &'a [String]) -> (Vec<&'a str>, Vec<&'a str>) {
    let (old_set, new_set): (BTreeSet<&String>, BTreeSet<&String>) =
        (old.iter().collect(), new.iter().collect());
    let removed = old.iter().filter(|line| !new_set.contains(line));
    let added = new.iter().filter(|line| !old_set.contains(line));
    (
        removed.map(String::as_str).collect(),
        added.map(String::as_str).collect(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(old: &str, new: &str) -> String {
        difference(old, new)
            .into_iter()
            .map(|line| match line {
                Line::Same(line) => format!(" {line}\n"),
                Line::Removed(line) => format!("-{line}\n"),
                Line::Added(line) => format!("+{line}\n"),
            })
            .collect()
    }

    #[test]
    fn a_difference_is_the_shortest() {
        assert_eq!(shown("a\nb\nc\n", "a\nx\nc\n"), " a\n-b\n+x\n c\n");
        assert_eq!(shown("", "a\n"), "+a\n");
        assert_eq!(shown("a\n", ""), "-a\n");
        assert_eq!(shown("a\na\na\n", "a\na\n"), " a\n a\n-a\n");
        assert_eq!(
            shown("a\nb\nc\nd\n", "b\nc\nd\ne\n"),
            "-a\n b\n c\n d\n+e\n"
        );
        let long = "x\n".repeat(5000);
        assert!(
            difference(&long, &"y\n".repeat(5000)).len() == 10_000,
            "bounded"
        );
    }
}
