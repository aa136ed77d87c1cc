//! What a component asks of its host; and what of that OACP does not have, with what to do instead.

use wasmtime::component::Component;
use wasmtime::component::types::ComponentItem;

use crate::program::ProgramError;

/// What is said of an interface, by the beginning of its name.
const INSTEAD: &[(&str, &str)] = &[
    (
        "wasi:keyvalue/",
        "keep what has to stay in a file of a granted directory (wasi:filesystem)",
    ),
    (
        "wasi:blobstore/",
        "keep what has to stay in a file of a granted directory (wasi:filesystem)",
    ),
    (
        "wasi:config/",
        "read an environment variable that is granted (wasi:cli/environment)",
    ),
    (
        "wasi:messaging/",
        "call a service over HTTP (wasi:http/outgoing-handler)",
    ),
    (
        "wasi:sql/",
        "call a service over HTTP (wasi:http/outgoing-handler)",
    ),
    (
        "wasi:nn/",
        "call a model's service over HTTP (wasi:http/outgoing-handler)",
    ),
    (
        "wasi:http/incoming-handler",
        "send requests by wasi:http/outgoing-handler",
    ),
    (
        "wasi:clocks/timezone",
        "reckon with UTC (wasi:clocks/wall-clock)",
    ),
    (
        "wasi:threads/",
        "do without threads: a component runs on one",
    ),
];

/// The packages of WASI 0.2.
const WASI: [&str; 7] = [
    "wasi:cli",
    "wasi:clocks",
    "wasi:filesystem",
    "wasi:http",
    "wasi:io",
    "wasi:random",
    "wasi:sockets",
];

/// The names of what a component imports and can call. An interface of types alone asks nothing of a host.
pub(crate) fn functions_imported(component: &Component) -> Vec<String> {
    let engine = component.engine();
    let is_called = |item: &ComponentItem| match item {
        ComponentItem::ComponentFunc(_) => true,
        ComponentItem::ComponentInstance(interface) => interface
            .exports(engine)
            .any(|(_, export)| matches!(export.ty, ComponentItem::ComponentFunc(_))),
        _ => false,
    };
    component
        .component_type()
        .imports(engine)
        .filter(|(_, import)| is_called(&import.ty))
        .map(|(name, _)| name.to_owned())
        .collect()
}

/// Why a component that cannot be linked is refused. Wasmtime names what is missing, among other words.
pub(crate) fn refusal(component: &Component, error: &wasmtime::Error) -> ProgramError {
    let said = error.to_string();
    let ty = component.component_type();
    let missing = ty
        .imports(component.engine())
        .map(|(name, _)| name.to_owned())
        .find(|name| said.contains(&format!("`{name}`")));
    match missing {
        Some(name) => {
            let instead = instead(&name, &legible(&error.root_cause().to_string()));
            let name = legible(&name);
            ProgramError::Import { name, instead }
        }
        None => ProgramError::World {
            found: legible(&format!("{error:#}")),
        },
    }
}

/// A component's own words, as far as a person reads them, without control characters.
pub(super) fn legible(text: &str) -> String {
    const SHOWN_MAX: usize = 512;
    let shown = text.chars().take(SHOWN_MAX);
    let shown = shown.map(|c| if c.is_control() { '\u{fffd}' } else { c });
    shown.collect()
}

/// What to do instead of importing `name`.
fn instead(name: &str, cause: &str) -> String {
    let version = name.split_once('@').map(|(_, version)| version);
    if let Some((_, instead)) = INSTEAD.iter().find(|(start, _)| name.starts_with(start)) {
        return (*instead).to_owned();
    }
    let package = name.split_once('/').map(|(package, _)| package);
    if package.is_some_and(|package| WASI.contains(&package)) {
        return match version {
            Some(version) if !version.starts_with("0.2.") || version.contains('-') => {
                format!("build it for a release of WASI 0.2, not {version}")
            }
            _ => format!("build it for WASI 0.2.0 to 0.2.12 ({cause})"),
        };
    }
    if name.starts_with("oacp:") {
        return format!("build it against the wit/ of this version of OACP ({cause})");
    }
    "join it with a component that exports this (`wac plug`): OACP supplies only WASI 0.2 and its own interfaces".to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_of_import_has_its_advice() {
        for (name, says) in [
            ("wasi:keyvalue/store@0.2.0-draft", "file"),
            ("wasi:config/store@0.2.0-rc.1", "environment variable"),
            ("wasi:io/poll@0.3.0", "not 0.3.0"),
            (
                "wasi:io/poll@0.2.0-rc-2023-11-10",
                "not 0.2.0-rc-2023-11-10",
            ),
            ("wasi:io/poll@0.2.99", "(missing)"),
            ("oacp:agent/port@0.9.0", "wit/"),
            ("wasi:null/io@0.2.6", "wac plug"),
            ("acme:db/query@1.0.0", "wac plug"),
            ("fetch", "wac plug"),
        ] {
            assert!(instead(name, "missing").contains(says), "{name}");
        }
    }
}
