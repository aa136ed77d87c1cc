#[path = "../tests/fixture/mod.rs"]
mod fixture;
use oacp::*;
use std::time::Instant;
fn time(name: &str, n: u32, mut f: impl FnMut()) {
    f();
    let mut best = f64::MAX;
    for _ in 0..5 {
        let t = Instant::now();
        for _ in 0..n {
            f();
        }
        best = best.min(t.elapsed().as_secs_f64() / f64::from(n) * 1e6);
    }
    println!("{name}: {best:.1} µs");
}
fn main() {
    let mut trivial = fixture::Case::new();
    trivial.events.truncate(1);
    trivial.contents.clear();
    trivial.statement.tool_calls.clear();
    trivial.settle();
    let delegation = trivial.delegation.sign(&trivial.node);
    let sandbox = fixture::key(2);
    let start = Event::Start {
        seed: Seed::from_bytes([4; 32]),
        clock_start_ms: 1,
    };
    time("trivial: recording+statement+envelope", 2000, || {
        let mut r = Recording::new(fixture::salt_key());
        r.push(&start);
        let mut s = trivial.statement.clone();
        s.recording = Some(r.summary());
        std::hint::black_box(Envelope::sign(PAYLOAD_TYPE, s.to_payload(), &sandbox));
    });
    time("sign only", 2000, || {
        std::hint::black_box(sandbox.sign(b"x"));
    });
    let e = trivial.envelope();
    time("bundle to_bytes", 2000, || {
        std::hint::black_box(
            Bundle::new(e.clone(), delegation.clone())
                .with_source(trivial.source.clone())
                .with_input(*b"{}")
                .to_bytes(),
        );
    });
    let mut case = fixture::Case::new();
    for n in 0..47u64 {
        let c = case.contents.len();
        case.contents.push(format!("{{\"n\":{n}}}").into_bytes());
        case.contents
            .push(format!("{{\"result\":{n}}}").into_bytes());
        let i = case.events.len() as u64;
        case.events.push(
            Event::ToolCall {
                call: 10 + n,
                tool: "get_weather".into(),
                arguments: Content::of(&case.contents[c]),
            }
            .to_bytes(),
        );
        case.events.push(
            Event::Completion {
                call: 10 + n,
                outcome: CallOutcome::Ok,
                result: Content::of(&case.contents[c + 1]),
                clock_advance_ns: 5,
            }
            .to_bytes(),
        );
        case.statement.tool_calls.push(ToolCall {
            tool: "get_weather".into(),
            tool_hash: None,
            outcome: Some(CallOutcome::Ok),
            event: i,
            child: None,
        });
    }
    case.settle();
    let bytes = case.bundle().to_bytes();
    println!("{} events, {} bytes", case.events.len(), bytes.len());
    let (trust, x) = (fixture::trust(), Expectation::default());
    time("parse", 50, || {
        Bundle::parse(&bytes).unwrap();
    });
    time("parse+verify", 50, || {
        Bundle::parse(&bytes)
            .unwrap()
            .verify(&trust, &x, fixture::now())
            .unwrap();
    });
    let ev = &case.events[20];
    time("event parse", 5000, || {
        Event::parse(ev).unwrap();
    });
    let ev = Event::parse(ev).unwrap();
    time("event to_bytes", 5000, || {
        std::hint::black_box(ev.to_bytes());
    });
}
