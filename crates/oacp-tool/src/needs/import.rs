//! What a component's imports say.

use super::{Needs, Place, Wanted, bounded};

/// Interfaces that need no right: they are served to every guest.
const SERVED: [&str; 11] = [
    "wasi:cli",
    "wasi:clocks",
    "wasi:io",
    "wasi:logging",
    "wasi:random",
    "oacp:agent/port",
    "oacp:agent/types",
    "oacp:agent/log",
    "oacp:agent/denials",
    "oacp:agent/definitions",
    "oacp:agent/ending",
];

pub(super) fn scan(import: &str, needs: &mut Needs) {
    let name = import.split_once('@').map_or(import, |(name, _)| name);
    let within = |prefix: &str| {
        name.strip_prefix(prefix)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    let place = || Place::Import {
        import: bounded(import),
    };
    // A command imports what its language's library could use, so of most it is not said that they are used.
    if within("wasi:http/outgoing-handler") || within("oacp:agent/http") {
        needs.wants("HTTP requests", place(), Wanted::Network(None));
    } else if within("wasi:filesystem/preopens") || within("oacp:agent/files") {
        needs.wants("files", place(), Wanted::FileRead(None));
        needs.wants("files", place(), Wanted::FileWrite(None));
    } else if within("wasi:cli/environment") || within("oacp:agent/environment") {
        needs.wants("environment variables", place(), Wanted::Env(None));
    } else if within("oacp:agent/tools") {
        needs.wants("tools", place(), Wanted::Tool(None));
    } else if within("wasi:sockets") {
        let instead = "use `wasi:http`: opening a socket is denied";
        needs.cannot("sockets", place(), instead);
    } else if !SERVED.iter().any(|served| within(served))
        && !within("wasi:http")
        && !within("wasi:filesystem")
    {
        let instead = "compose the component with one that exports it: nothing here serves it";
        needs.cannot(&bounded(import), place(), instead);
    }
}
