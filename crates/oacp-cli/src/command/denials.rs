//! What was denied, on one screen: each once, with how often, the rule, and how to mend it.

use oacp::capability::Denial;

use crate::console::{DIM, YELLOW};

/// Denials that are shown. `oacp explain RUN` shows all.
const SHOWN_MAX: usize = 5;

/// Each denial once, in the order in which they came, with how often it came.
pub(crate) fn counted(denials: &[Denial]) -> Vec<(&Denial, usize)> {
    let mut counted: Vec<(&Denial, usize)> = Vec::new();
    let mut places = std::collections::HashMap::new();
    for denial in denials {
        let key = (&denial.code, &denial.capability, &denial.asked);
        let place = *places.entry(key).or_insert_with(|| {
            counted.push((denial, 0));
            counted.len() - 1
        });
        if let Some((_, count)) = counted.get_mut(place) {
            *count += 1;
        }
    }
    counted
}

/// At most one screen of them.
pub(crate) fn text(denials: &[Denial]) -> String {
    let counted = counted(denials);
    let mut text = lines(counted.iter().take(SHOWN_MAX));
    if counted.len() > SHOWN_MAX {
        text.push_str(&format!(
            "{YELLOW}denied{YELLOW:#}: {DIM}… and {} more; oacp explain BUNDLE shows all{DIM:#}\n",
            counted.len() - SHOWN_MAX
        ));
    }
    text
}

/// All of those.
pub(crate) fn lines<'a>(counted: impl Iterator<Item = &'a (&'a Denial, usize)>) -> String {
    counted
        .map(|(denial, count)| {
            // Its own text escapes what a guest chose.
            let whole = denial.to_string();
            let (first, rest) = whole.split_once('\n').unwrap_or((&whole, ""));
            let times = match count {
                1 => String::new(),
                count => format!("  {DIM}({count}x){DIM:#}"),
            };
            format!("{YELLOW}denied{YELLOW:#}: {first}{times}\n{rest}\n")
        })
        .collect()
}
