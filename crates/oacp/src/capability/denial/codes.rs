//! What each code of a denial means.

/// Every code of a denial, with what it means and what to do, for whoever meets it first.
pub const DENIAL_CODES: &[(&str, &str)] = &[
    (
        "tool_not_granted",
        "The agent called a tool that this run may not call, or that does not exist under this name. Tools are granted by \
         name, and nothing is granted by default. If the agent is right, add the name to the tools that are granted; if \
         `nearest` names what was meant, correct the agent.",
    ),
    (
        "file_read_not_granted",
        "The agent asked to read a file, or to list a directory, that no pattern of `file_read` means. Nothing is granted by \
         default, and a right to write is not a right to read. In a pattern `*` stands for anything within one name and `**` \
         for any number of directories; `dir/` means everything in `dir`. Grant exactly what the agent needs, with the \
         flag or the line that the denial proposes.",
    ),
    (
        "file_write_not_granted",
        "The agent asked to make, change or remove a file or a directory that no pattern of `file_write` means. A right to \
         read is not a right to write. What an agent writes is kept in memory, and reaches the disk only when its run has \
         ended well.",
    ),
    (
        "file_special",
        "The path is granted, and what is there is a device, a socket, a named pipe or the like. Those are never given to a \
         guest: reading one can block, or do something. Copy its content into a regular file.",
    ),
    (
        "file_withheld",
        "The path lies where OACP keeps its own keys and runs, or is the file that a secret is taken from. No guest is shown \
         these, whatever is granted: who has the node's key can sign in its name. Grant the directories that the agent needs, one by \
         one.",
    ),
    (
        "file_outside",
        "The path is granted, and a symbolic link on the way leads to a place that is not. What is judged is where a path \
         leads, so that a link is no way around a grant. If the place should be reachable, grant it too.",
    ),
    (
        "file_wal_database",
        "The file is a SQLite database in WAL mode. That mode needs memory which several processes share, and a sandbox has \
         none. Switch the database to another mode: sqlite3 FILE 'PRAGMA journal_mode=DELETE'.",
    ),
    (
        "network_not_granted",
        "The agent asked for a host and port that no rule of `network.allowlist` means. It was judged by name, before any \
         DNS query. Nothing is granted by default; a rule without a port means 443; `*.example.com` means the names below \
         `example.com` and not itself. Every redirect is a request of its own, and judged again.",
    ),
    (
        "network_denied",
        "A rule of `network.denylist` means this host or address. Deny-lists win over everything that is allowed. Remove the \
         rule if it is not meant.",
    ),
    (
        "address_not_granted",
        "The host may be reached, but its address is not on the public Internet: it is this machine itself, a private \
         network, a cloud's metadata service or another special range. Nobody reaches those by a name or a wildcard alone, for \
         whoever controls a name also chooses its address. If it is meant, grant the exact host and port with `private: \
         true`; on the command line an exact address says so already.",
    ),
    (
        "address_denied",
        "The host may be reached by its name, and the address that the name resolved to is in a network of \
         `network.denylist`. Deny-lists win over everything that is allowed.",
    ),
    (
        "url_refused",
        "The URL cannot be read, or different programs would read it differently: what is judged has to be what is \
         reached. URLs are `http` or `https`, without user information, white space, backslashes, or a dot after the host.",
    ),
    (
        "header_refused",
        "The request sets a header that says how the connection works, or where the request came from: framing, proxies, \
         upgrades, forwarding. Those are OACP's to set. Leave the header out.",
    ),
    (
        "secret_reflected",
        "The response holds the value of a secret that was sent with the request, plainly or encoded. It was not handed to \
         the agent: an agent must never see a secret's value. Ask the service for something that does not repeat it.",
    ),
    (
        "env_not_granted",
        "The agent asked for an environment variable that no entry of `env` means. Nothing is granted by default. If the \
         variable holds a secret, do not grant it here: an agent can send on what it can read. Grant it under `secrets` for one \
         host, and the agent never sees it. A setting of OACP's own, as `OACP_HOME`, is never granted.",
    ),
];
