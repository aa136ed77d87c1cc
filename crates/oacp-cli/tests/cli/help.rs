use expect_test::expect;

use crate::session::Session;

#[test]
fn help_says_what_there_is() {
    let session = Session::new("help");
    session.check(&["--help"], expect![[r#"
        $ oacp --help
        Verifiable, sandboxed agent compute.

        Runs an agent that nobody has reason to trust, and writes a bundle from which a stranger, offline,
        can check who ran what, with which rights, on which input, what it called and what came out, and run
        it again.

        Usage: oacp [OPTIONS] <COMMAND>

        Commands:
          run          Run an agent in a sandbox, print its result and write its bundle
          verify       Check a bundle, and run it again to see the same output follow
          replay       Run a bundle again: confirmed, diverged at an event, or unverifiable
          show         Show what ran, with which rights, and what happened, in order
          demo         See it all at work: a run, a denial, a verification, two forgeries that are refused
          init         Write an agent and a configuration to start from
          policy       What configurations grant, and what would come of a request
          runs         The bundles of this machine's runs
          key          This node's key, and the trust file that names it
          log          The transparency log that attestations go to
          witness      Witnesses: this machine as one for others, and those of its own log
          agent        Agents that are held to a definition: what they take and give, their tools, their
                       checks
          tool         Tools that agents may call: registered, pinned, each with its own rights
          runtime      Language runtimes
          explain      Explain an outcome, a denial, or what a run was denied
          completions  Print a shell's completion script

        Options:
              --json
                  Print JSON on one line, with a stable schema, instead of text

          -q, --quiet
                  Print no progress, no notes and no summary

          -h, --help
                  Print help (see a summary with '-h')

          -V, --version
                  Print version

        Exit codes: 0 yes, 1 no (the agent failed, the bundle is refused), 2 it could not be done or
        checked, 3 usage.
        Everything is kept under ~/.oacp, or under $OACP_HOME.
    "#]]);
}

#[test]
fn run_s_help_names_every_option() {
    let session = Session::new("help-run");
    session.check(&["run", "--help"], expect![[r#"
        $ oacp run --help
        Run an agent in a sandbox, print its result and write its bundle

        Usage: oacp run [OPTIONS] <FILE>

        Arguments:
          <FILE>
                  The agent: a .py, .js, .mjs or .wasm (component) file, a directory, or a .zip of one; or a
                  registered agent's name

        Options:
          -i, --input <JSON|@FILE|->
                  The input: JSON, @FILE, or - for standard input

                  [default: null]

              --entry <PATH>
                  Where an agent of several files starts [default: agent.py, main.py, agent.js, … at its
                  top]

          -b, --bundle <OUT>
                  Write the bundle there [default: ~/.oacp/runs/<execution id>.json]

              --force
                  Replace the bundle file if it is there already

              --with-runtime
                  Put the language runtime into the bundle, so that it can be run again where that is not at
                  hand

              --config <FILE>
                  Take rights, limits and level from this configuration [default: oacp.yaml, if it was
                  accepted]

              --fuel <N>
                  Computing allowed, in fuel: 1,000,000 are a millisecond of a reference machine [default:
                  10,000 ms]

              --timeout <MS>
                  Wall time allowed, in milliseconds [default: 30,000; with --ask 600,000]

              --memory-mb <N>
                  Memory allowed, in MiB [default: 512]

              --level <LEVEL>
                  What the bundle is to show [default: execution]

                  Possible values:
                  - basic:     Hashes, signed
                  - execution: And a recording, by which the run can be repeated
                  - full:      And a proof of logging
                  - hardware:  And evidence of the hardware

              --sandbox <NAME>
                  Run within the sandbox of this name, which keeps its identity from run to run

              --nonce <TEXT>
                  A text that the verifier expects, so that an old bundle is no answer

              --audience <TEXT>
                  For whom the bundle is made

              --seed <HEX>
                  The seed of the agent's randomness, 64 hex digits [default: fresh]

              --json
                  Print JSON on one line, with a stable schema, instead of text

          -q, --quiet
                  Print no progress, no notes and no summary

          -h, --help
                  Print help (see a summary with '-h')

        Rights (nothing is granted by default; patterns can be given several times):
              --allow-read <PATTERN>
                  Files that may be read: a path, `*` within a name, `**` across, `dir/` for all below

              --allow-write <PATTERN>
                  Files that may be written, and are when the run has ended well

              --allow-net <HOST[:PORT]>
                  Hosts that may be reached: `api.example.com`, `*.example.com:8443`. Without a port: 443

              --deny-net <HOST|CIDR>
                  Hosts and networks that are refused, whatever is allowed

              --allow-env <NAME>
                  Environment variables that may be read, by name; `*` for any characters

              --allow-tool <NAME>
                  Registered tools that may be called, by name; each has its own rights

              --secret <NAME>
                  A secret of the configuration, put into requests outside the sandbox

              --ask
                  Ask on the terminal, once for each right that is not granted. Without a terminal nothing
                  more is granted

              --learn[=<HOW>]
                  Write the smallest grant for what was denied into a configuration. `allow-reads` lets the
                  agent read below the current directory

                  Possible values:
                  - strict:      Nothing more than what is granted: each denial may hide others, until the
                    next run
                  - allow-reads: Read below the current directory, so that one run shows more

              --learn-file <FILE>
                  Where that is written [default: oacp.learned.yaml]

        Log:
              --registry <DIR|URL|none>
                  The log: a directory, a URL, or `none` [default: this machine's own, ~/.oacp/log]

              --log-policy <FILE>
                  Which log is behind the URL, and whose cosignatures it needs: a C2SP tlog-policy

              --registry-token <FILE>
                  The token for appending to the registry at the URL
    "#]]);
}

#[test]
fn verify_s_help_names_every_option() {
    let session = Session::new("help-verify");
    session.check(&["verify", "--help"], expect![[r#"
        $ oacp verify --help
        Check a bundle, and run it again to see the same output follow

        Usage: oacp verify [OPTIONS] <BUNDLE|EXPORT|ID>

        Arguments:
          <BUNDLE|EXPORT|ID>  The bundle, an export of a log, or - for standard input; or an execution's id,
                              which is looked up

        Options:
              --trust <FILE>                   Whom to trust [default: this machine's own node]
              --expect-nonce <TEXT>            Refuse a bundle that does not carry this nonce
              --expect-audience <TEXT>         Refuse a bundle that is made for somebody else
              --expect-agent <sha256:…>        Refuse a bundle of another agent
              --expect-input <sha256:…|@FILE>  Refuse a bundle of another input
              --no-replay                      Do not run it again
              --registry <DIR|URL>             Look the execution up there: in a directory, or behind a URL
                                               [default: the runs and the log of this machine]
              --read-token <FILE>              The token for reading the registry at the URL
              --json                           Print JSON on one line, with a stable schema, instead of text
          -q, --quiet                          Print no progress, no notes and no summary
          -h, --help                           Print help
    "#]]);
}

#[test]
fn the_log_s_help_says_what_there_is() {
    let session = Session::new("help-log");
    session.check(
        &["log", "--help"],
        expect![[r#"
        $ oacp log --help
        The transparency log that attestations go to

        Usage: oacp log [OPTIONS] <COMMAND>

        Commands:
          status   How the log is: its entries, its witnesses, and what waits for it
          find     Find entries by agent, tool, outcome, principal, sandbox or time
          entry    Show an entry
          prove    Add the proofs that the log has by now to a bundle; those that it has stay
          sync     Send what waits for registries that could not be reached
          serve    Serve this machine's log over HTTP
          init     Begin this machine's log, under a name of your own
          policy   Print the log's policy: by it others trust the log
          add      Make a registry elsewhere known, so that its URL is enough
          prune    Remove payloads whose time is over. Entries and proofs stay
          hold     Keep payloads beyond their time
          export   Write the log, or a part of it, into a file that shows that it is complete
          fsck     Read the whole log again, and check every byte of it
          reindex  Make the index anew from what is logged
          monitor  Watch a log elsewhere: that it only grows, and what comes into it
          mirror   Copy a log from elsewhere, verifying every entry

        Options:
              --json   Print JSON on one line, with a stable schema, instead of text
          -q, --quiet  Print no progress, no notes and no summary
          -h, --help   Print help
    "#]],
    );
    session.check(&["log", "serve", "--help"], expect![[r#"
        $ oacp log serve --help
        Serve this machine's log over HTTP

        Usage: oacp log serve [OPTIONS]

        Options:
              --listen <ADDRESS:PORT>  Where to listen. TLS is not spoken: on the open network a proxy that
                                       does stands in front [default: 127.0.0.1:[port]]
              --append-token <FILE>    Who has this token may append. Without it nobody may, over HTTP
              --read-token <FILE>      Who has this token may read what is private: payloads and the index.
                                       Without it nobody may, over HTTP
              --nodes <TRUST-FILE>     The nodes whose attestations are taken: those of a trust file
                                       [default: this machine's own]
              --retention-days <N>     Remove payloads that are older, once an hour [default: none]
              --config <FILE>          The way to the witnesses from this configuration
              --mirror <DIR>           Serve a copy that `oacp log mirror` makes instead: its checkpoint and
                                       tiles, to everybody
              --registry <DIR>         The log's directory [default: this machine's own, ~/.oacp/log]
              --json                   Print JSON on one line, with a stable schema, instead of text
          -q, --quiet                  Print no progress, no notes and no summary
          -h, --help                   Print help
    "#]]);
    session.check(&["log", "find", "--help"], expect![[r#"
        $ oacp log find --help
        Find entries by agent, tool, outcome, principal, sandbox or time

        Usage: oacp log find [OPTIONS]

        Options:
              --agent <sha256:…>   Of this agent
              --tool <NAME>        Executions that called a tool of this name
              --outcome <OUTCOME>  Executions that ended so: ok, denied, …
              --principal <TEXT>   Executions that this principal asked for
              --sandbox <ID>       Of this sandbox
              --execution <ID>     Of this execution: its statement and its begin
              --since <TIME>       Signed then or later: a day, or a time as [time]
              --until <TIME>       Signed then or before
              --kind <KIND>        Of this kind: execution, delegation, begin, close or tool
              --after <N>          Entries behind this index: the next page
          -n, --limit <N>          At most so many [default: 100]
              --config <FILE>      Registry, policy, token and way to the network from this configuration
              --json               Print JSON on one line, with a stable schema, instead of text
          -q, --quiet              Print no progress, no notes and no summary
          -h, --help               Print help

        Log:
              --registry <DIR|URL|none>  The log: a directory, a URL, or `none` [default: this machine's
                                         own, ~/.oacp/log]
              --log-policy <FILE>        Which log is behind the URL, and whose cosignatures it needs: a
                                         C2SP tlog-policy
              --registry-token <FILE>    The token for appending to the registry at the URL
              --read-token <FILE>        The token for reading the registry at the URL
    "#]]);
    session.check(&["log", "export", "--help"], expect![[r#"
        $ oacp log export --help
        Write the log, or a part of it, into a file that shows that it is complete

        Usage: oacp log export [OPTIONS] <OUT>

        Arguments:
          <OUT>  Where to, or - for standard output

        Options:
              --since <TIME>        From the first entry that was signed then or later: a day, or a time
              --from <N>            From this index on
              --after <CHECKPOINT>  From where a checkpoint ends that you kept: the export shows that the
                                    log continues it
              --to <N>              Up to this index, which is left out. Witnesses have cosigned the newest
                                    checkpoint, and not the one that is then made
              --redact              Leave the payloads out: leaves and proofs alone
              --force               Replace OUT if it is there already
              --registry <DIR>      The log's directory [default: this machine's own, ~/.oacp/log]
              --json                Print JSON on one line, with a stable schema, instead of text
          -q, --quiet               Print no progress, no notes and no summary
          -h, --help                Print help
    "#]]);
    session.check(
        &["witness", "--help"],
        expect![[r#"
        $ oacp witness --help
        Witnesses: this machine as one for others, and those of its own log

        Usage: oacp witness [OPTIONS] <COMMAND>

        Commands:
          serve   Cosign the checkpoints of logs, each only if it continues the one before
          key     This witness's name and keys: what a log's operator gives to `oacp witness add`
          add     Let a witness cosign this machine's log
          remove  Let it no more

        Options:
              --json   Print JSON on one line, with a stable schema, instead of text
          -q, --quiet  Print no progress, no notes and no summary
          -h, --help   Print help
    "#]],
    );
    session.check(&["witness", "serve", "--help"], expect![[r#"
        $ oacp witness serve --help
        Cosign the checkpoints of logs, each only if it continues the one before

        Usage: oacp witness serve [OPTIONS] <--log <VKEY>|--policy <FILE>>

        Options:
              --listen <ADDRESS:PORT>  Where to listen. TLS is not spoken: on the open network a proxy that
                                       does stands in front [default: 127.0.0.1:[port]]
              --log <VKEY>             A log to watch, by its key: `oacp log status` and `oacp log init`
                                       print it. Can be given several times
              --policy <FILE>          The logs of a policy to watch
              --name <NAME>            What the witness is called, for ever: a URL without its scheme
                                       [default: witness.local/ and a part of its key's id]
              --dir <DIR>              What the witness remembers; its keys lie beside it [default:
                                       ~/.oacp/witness]
              --json                   Print JSON on one line, with a stable schema, instead of text
          -q, --quiet                  Print no progress, no notes and no summary
          -h, --help                   Print help
    "#]]);
}

#[test]
fn usage_errors_end_with_3_and_a_suggestion() {
    let session = Session::new("usage");
    session.check(
        &["rum", "agent.py"],
        expect![[r#"
        $ oacp rum agent.py
        ! error: unrecognized subcommand 'rum'
        !
        !   tip: some similar subcommands exist: 'runs', 'run'
        !
        ! Usage: oacp [OPTIONS] <COMMAND>
        !
        ! For more information, try '--help'.
        exit 3
    "#]],
    );
    session.check(
        &["run", "agent.py", "--feul", "3"],
        expect![[r#"
        $ oacp run agent.py --feul 3
        ! error: unexpected argument '--feul' found
        !
        !   tip: a similar argument exists: '--fuel'
        !
        ! Usage: oacp run --fuel <N> <FILE>
        !
        ! For more information, try '--help'.
        exit 3
    "#]],
    );
    session.check(
        &["run", "agent.py", "--memory-mb", "0"],
        expect![[r#"
        $ oacp run agent.py --memory-mb 0
        ! error: invalid value '0' for '--memory-mb <N>': 0 is not in 1..=4096
        !
        ! For more information, try '--help'.
        exit 3
    "#]],
    );
    session.check(&["run", "agent.py", "--seed", "abc"], expect![[r#"
        $ oacp run agent.py --seed abc
        ! error: invalid value 'abc' for '--seed <HEX>': not a seed: expected 64 lower-case hex digits
        !
        ! For more information, try '--help'.
        exit 3
    "#]]);
    session.check(&["explain", "out_of_petrol"], expect![[r#"
        $ oacp explain out_of_petrol
        ! error: `out_of_petrol` is no outcome, no code of a denial and no run; did you mean `out_of_memory`?
        !   hint: known here: ok, guest_error, denied, out_of_fuel, out_of_memory, timed_out, stack_overflow, crashed, cancelled, interrupted, check_failed, refused, awaiting_approval, tool_not_granted, file_read_not_granted, file_write_not_granted, file_special, file_withheld, file_outside, file_wal_database, network_not_granted, network_denied, address_not_granted, address_denied, url_refused, header_refused, secret_reflected, env_not_granted
        exit 3
    "#]]);
}

#[test]
fn nothing_is_kept_before_something_is_run() {
    let session = Session::new("nothing-kept");
    session.check(
        &["--version"],
        expect![[r#"
        $ oacp --version
        oacp 0.1.0
    "#]],
    );
    session.check(
        &["runs", "list"],
        expect![[r#"
            $ oacp runs list
            ! no runs in ~/oacp/runs; the bundle of a run with --bundle is where that said, and not listed
        "#]],
    );
    session.check(
        &["key", "show"],
        expect![[r#"
        $ oacp key show
        ! error: this node has no key yet
        !   hint: the first `oacp run` makes one, and so does `oacp key new`
        exit 2
    "#]],
    );
    assert!(!session.path("oacp").exists());
}

#[test]
fn every_outcome_is_explained() {
    let session = Session::new("explain");
    session.check(&["explain", "out_of_fuel"], expect![[r#"
        $ oacp explain out_of_fuel
        out_of_fuel: the guest used up its quota of computing.
        Whoever has the bundle can run it again and see the same end.
        Allow more with --fuel N, 1,000,000 a millisecond, or sandbox.wasm.cpu_quota_ms in a configuration.
    "#]]);
    session.check(&["explain", "cancelled", "--json"], expect![[r#"
        $ oacp explain cancelled --json
        {"fix":"Somebody interrupted it. What had happened by then is in the bundle.","outcome":"cancelled","reexecutable":false,"text":"the run was cancelled by whoever asked for it"}
    "#]]);
}

#[test]
fn completions_are_printed_for_each_shell() {
    let session = Session::new("completions");
    for shell in ["bash", "zsh", "fish"] {
        assert!(
            session.stdout(&["completions", shell]).contains("oacp"),
            "{shell}"
        );
    }
}

#[test]
fn init_writes_an_agent_that_runs_and_overwrites_nothing() {
    let session = Session::with_runtimes("init");
    session.check(
        &["init", "py"],
        expect![[r#"
        $ oacp init py
        wrote py/agent.py and py/oacp.yaml

        next: oacp run py/agent.py --input '{"name": "Ada"}' --config py/oacp.yaml
    "#]],
    );
    session.check(
        &[
            "run",
            "py/agent.py",
            "-i",
            r#"{"name": "Ada"}"#,
            "--config",
            "py/oacp.yaml",
        ],
        expect![[r#"
            $ oacp run py/agent.py -i {"name": "Ada"} --config py/oacp.yaml
            {"greeting":"Hello, Ada!"}
            !    info | greeting Ada
            ! logged as entry 1 of oacp.local/[key] (2 entries)
            ! ok · [took] · [fuel] · oacp verify ~/oacp/runs/[id].json
        "#]],
    );
    session.check(
        &["init", "py", "--lang", "js"],
        expect![[r#"
        $ oacp init py --lang js
        ! error: `py/oacp.yaml` is there already
        !   hint: name another directory
        exit 3
    "#]],
    );
    session.check(
        &["init", "js", "--lang", "js"],
        expect![[r#"
        $ oacp init js --lang js
        wrote js/agent.js and js/oacp.yaml

        next: oacp run js/agent.js --input '{"name": "Ada"}' --config js/oacp.yaml
    "#]],
    );
    session.check(
        &["run", "js", "--quiet"],
        expect![[r#"
        $ oacp run js --quiet
        {"greeting":"Hello, world!"}
        !    info | greeting world
    "#]],
    );
}
