//! What OACP costs, and beside it, in the same run, what it is compared with.
//!
//! Prints Markdown: the table in `docs/benchmarks.md` is what this printed. Times are medians of wall time; nothing here is a test, and nothing
//! fails for being slow.

/// As in the program that is measured.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

mod bare;
mod log;
mod memory;
mod node;
mod process;
mod rights;
mod table;
mod tools;

use std::time::{Duration, Instant};

use oacp_sandbox::{Language, Meter};
use serde_json::json;
use table::{Table, median, ms, us};

const TRIVIAL: [(&str, &str); 2] = [
    ("agent.py", "def run(input):\n    return input\n"),
    ("agent.js", "export function run(input) { return input; }\n"),
];

/// The arguments by which only one part is measured.
const LOG: &str = "log";
const TOOLS: &str = "tools";

fn main() {
    match std::env::args().nth(1).as_deref() {
        // In a process of its own, whose memory is the log's.
        Some(LOG) => return log::measure(),
        Some(TOOLS) => return tools::measure(),
        _ => {}
    }
    println!("{}", table::machine());
    // First, while this process is small: Linux counts a parent's memory at the fork as the child's.
    processes();
    attested();
    rights::measure();
    tools::measure();
    meters();
    memory::live_instances();
    verify_and_replay();
    let log = std::process::Command::new(std::env::current_exe().expect("this program"))
        .arg(LOG)
        .status()
        .expect("started");
    assert!(log.success());
}

/// A trivial agent, warm, attested, in turn with the same component on bare Wasmtime.
fn attested() {
    let mut table = Table::new(
        "A trivial agent, warm process",
        &[
            "agent",
            "attested",
            "bare Wasmtime",
            "OACP's own share",
            "goal",
        ],
    );
    let node = node::node(Meter::Fuel);
    for ((name, text), goal) in TRIVIAL
        .into_iter()
        .zip(["≤ 3 ms, share ≤ 250 µs", "≤ 0.8 ms"])
    {
        let bare = bare::Bare::new(node::language(name), name, text);
        let sandbox = node.spawn(None).expect("a sandbox");
        let (mut with, mut without) = (Vec::new(), Vec::new());
        for round in 0..330 {
            let call = node::call(&node, name, text, json!(1));
            let begun = Instant::now();
            let execution =
                node::block_on(oacp_gateway::execute(&node, &sandbox, call)).expect("an execution");
            let attested = begun.elapsed();
            assert_eq!(execution.output, b"1");
            drop(execution);
            let begun = Instant::now();
            node::block_on(bare.run("1"));
            let plain = begun.elapsed();
            // The first rounds warm the caches.
            if round >= 30 {
                with.push(attested);
                without.push(plain);
            }
        }
        let (with, without) = (median(with), median(without));
        table.row([
            name.to_owned(),
            ms(with),
            ms(without),
            us(with.saturating_sub(without)),
            goal.to_owned(),
        ]);
    }
    table.print();
}

/// Whole processes, from start to exit.
fn processes() {
    let mut table = Table::new(
        "Whole processes, warm cache",
        &["process", "time", "peak memory", "goal"],
    );
    let oacp = process::oacp();
    let home = process::Home::new();
    let hello = home.agent("hello.py", "def run(input):\n    return 'hello'\n");
    let hello_js = home.agent("hello.js", "export function run() { return 'hello'; }\n");
    let run = |agent: &str| vec![oacp.clone(), "run".into(), "--quiet".into(), agent.into()];
    let rows: [(&str, Vec<String>, &str); 5] = [
        ("`oacp run hello.py`", run(&hello), "≤ 60 ms, ≤ 120 MiB"),
        ("`oacp run hello.js`", run(&hello_js), ""),
        (
            "`oacp --version`",
            vec![oacp.clone(), "--version".into()],
            "≤ 20 ms",
        ),
        (
            "`python3 -I -S -c pass`",
            vec![
                process::python(),
                "-I".into(),
                "-S".into(),
                "-c".into(),
                "pass".into(),
            ],
            "",
        ),
        (
            "`node -e 0`",
            ["node", "-e", "0"].map(str::to_owned).to_vec(),
            "",
        ),
    ];
    // In turn, so that what else the machine does falls on all alike.
    let mut times: Vec<Vec<Duration>> = vec![Vec::new(); rows.len()];
    let mut peaks = vec![0; rows.len()];
    for round in 0..22 {
        for (index, (_, command, _)) in rows.iter().enumerate() {
            let Some(ended) = process::run(command, &home) else {
                continue;
            };
            if round >= 2 {
                times[index].push(ended.time);
                peaks[index] = peaks[index].max(ended.peak_bytes);
            }
        }
    }
    for (index, (name, _, goal)) in rows.iter().enumerate() {
        if times[index].is_empty() {
            table.row([
                (*name).to_owned(),
                "not on this machine".to_owned(),
                String::new(),
                String::new(),
            ]);
            continue;
        }
        let peak = format!("{:.0} MiB", peaks[index] as f64 / f64::from(1 << 20));
        table.row([
            (*name).to_owned(),
            ms(median(times[index].clone())),
            peak,
            (*goal).to_owned(),
        ]);
    }
    table.print();
}

/// CPU-bound agents under each meter.
fn meters() {
    let mut table = Table::new(
        "What the meter costs",
        &["agent", "no meter", "fuel", "ratio"],
    );
    let agents = [
        ("fib.py", include_str!("agents/fib.py")),
        ("nbody.py", include_str!("agents/nbody.py")),
        ("jsons.py", include_str!("agents/jsons.py")),
        ("regex.py", include_str!("agents/regex.py")),
        ("fib.js", include_str!("agents/fib.js")),
        ("nbody.js", include_str!("agents/nbody.js")),
        ("jsons.js", include_str!("agents/jsons.js")),
        ("regex.js", include_str!("agents/regex.js")),
    ];
    let nodes = [node::node(Meter::None), node::node(Meter::Fuel)];
    for (name, text) in agents {
        let mut times = [Vec::new(), Vec::new()];
        for _ in 0..7 {
            for (node, times) in nodes.iter().zip(&mut times) {
                let sandbox = node.spawn(None).expect("a sandbox");
                let call = node::call(node, name, text, json!(null));
                let execution = node::block_on(oacp_gateway::execute(node, &sandbox, call))
                    .expect("an execution");
                assert!(
                    execution.failure.is_none(),
                    "{name}: {:?}",
                    execution.failure
                );
                times.push(execution.usage.computing);
            }
        }
        let [none, fuel] = times.map(median);
        let ratio = fuel.as_secs_f64() / none.as_secs_f64();
        table.row([name.to_owned(), ms(none), ms(fuel), format!("{ratio:.2}")]);
    }
    table.print();
}

fn verify_and_replay() {
    let mut table = Table::new(
        "Verifying and replaying",
        &["what", "time", "beside", "ratio", "goal"],
    );
    let node = node::node(Meter::Fuel);
    let sandbox = node.spawn(None).expect("a sandbox");
    let hundred =
        "def run(input):\n    for n in range(99):\n        print('line', n)\n    return input\n";
    let call = node::call(&node, "agent.py", hundred, json!(1));
    let bytes = node::block_on(oacp_gateway::execute(&node, &sandbox, call))
        .expect("an execution")
        .bundle
        .to_bytes();
    let times = (0..100).map(|_| {
        let begun = Instant::now();
        let verified = node::verify(&node, &bytes);
        assert_eq!(verified.statement().recording.map(|r| r.events), Some(100));
        begun.elapsed()
    });
    table.row([
        "verify a bundle of 100 events".into(),
        ms(median(times.collect())),
        String::new(),
        String::new(),
        "≤ 5 ms".into(),
    ]);
    for (name, text) in [
        ("fib.py", include_str!("agents/fib.py")),
        ("fib.js", include_str!("agents/fib.js")),
    ] {
        let (mut runs, mut replays) = (Vec::new(), Vec::new());
        for _ in 0..7 {
            let call = node::call(&node, name, text, json!(null));
            let begun = Instant::now();
            let execution =
                node::block_on(oacp_gateway::execute(&node, &sandbox, call)).expect("an execution");
            runs.push(begun.elapsed());
            let verified = node::verify(&node, &execution.bundle.to_bytes());
            // In an engine of its own, the loading of the runtime included.
            let begun = Instant::now();
            let engine = node::engine(Meter::Fuel);
            let verdict = node::replay(&verified, &engine);
            replays.push(begun.elapsed());
            assert!(
                matches!(verdict, oacp::ReplayVerdict::Confirmed { .. }),
                "{verdict:?}"
            );
        }
        let (run, replay) = (median(runs), median(replays));
        let ratio = format!("{:.2}", replay.as_secs_f64() / run.as_secs_f64());
        table.row([
            format!("replay of {name}, fresh engine"),
            ms(replay),
            format!("run {}", ms(run)),
            ratio,
            "≤ 1.1".into(),
        ]);
    }
    table.print();
}

/// The language of an agent's file.
fn language_of(name: &str) -> Language {
    Language::of_extension(name.rsplit('.').next().unwrap_or_default())
        .expect("an agent's extension")
}
