//! What a call of a registered tool costs, beside the agent that makes it; and what having many costs.

use std::sync::Arc;
use std::time::{Duration, Instant};

use oacp::blob::Blob;
use oacp::capability::Capabilities;
use oacp::digest::Digest;
use oacp::source::Source;
use oacp::tool::{Code, Definition};
use oacp_gateway::{Agent, Bound, BoundTool, Node, ToolOptions};
use oacp_sandbox::{Limits, Meter, Tools};
use oacp_tool::limits::VALUE;
use oacp_tool::manifest::Instance;
use oacp_tool::schema::Schema;
use serde_json::{Value, json};

use crate::node;
use crate::process;
use crate::table::{Table, median, ms, us};

/// Calls of a tool in one run. Their cost is the run's, less that of one without calls, divided by them.
const CALLS: u32 = 100;

const AGENT: &str = "\
from oacp import tools
def run(input):
    for _ in range(input['calls']):
        answer = tools.call(input['tool'], **input['arguments'])
    return input['calls']
";

/// A component of C: `examples/components/every-type`.
const COMPONENT: &[u8] = include_bytes!("../../examples/components/every-type/every-type.wasm");

pub fn measure() {
    calls();
    start_up();
    validation();
}

fn calls() {
    let mut table = Table::new(
        &format!(
            "A call of a tool, attested: {CALLS} calls in a run of a Python agent, less the run without"
        ),
        &["tool", "a call", "over the agent's own", "goal for that"],
    );
    let names = ["shout", "answer", "next", "reverse", "own"];
    let allowed = Capabilities {
        tools: names
            .iter()
            .map(|name| name.parse().expect("a name"))
            .collect(),
        ..Capabilities::default()
    };
    let node = node::node_allowing(Meter::Fuel, allowed.clone());
    let python = "def run(a):\n    return a['text']\n";
    let js = "export function run(a) { return a.text; }\n";
    let per_call = Instance::PerCall;
    let registered = [
        ("a component of C, WIT types", component(&node), "≤ 120 µs"),
        (
            "a JavaScript function",
            source(&node, "reverse", "oacp_tool_reverse.js", js, per_call),
            "",
        ),
        (
            "a Python function",
            source(&node, "answer", "oacp_tool_answer.py", python, per_call),
            "≤ 3 ms",
        ),
        (
            "a Python function, `per_run`",
            source(&node, "next", "oacp_tool_next.py", python, Instance::PerRun),
            "",
        ),
    ];
    // What a call costs the agent itself: its own computing, and what its own recording has of the call.
    let own = Tools::none().with_text("own".parse().expect("a name"), async |arguments| {
        Ok(arguments.text.into_bytes())
    });
    let own = (
        "the agent's own cost: a function that does nothing",
        "own".to_owned(),
        own,
        Bound::none(),
        "",
    );
    let registered = registered.into_iter().map(|(what, tool, goal)| {
        let name = tool.definition().name.to_string();
        (what, name, Tools::none(), Bound::none().with(tool), goal)
    });
    let rows: Vec<_> = [own].into_iter().chain(registered).collect();
    let sandbox = node.spawn(None).expect("a sandbox");
    let run = |name: &str, tools: &Tools, bound: &Bound, calls: u32| {
        let input = json!({"calls": calls, "tool": name, "arguments": {"text": "grüezi"}});
        let mut call = node::call(&node, "agent.py", AGENT, input);
        call.asked = allowed.clone();
        call.tools = tools.clone();
        call.bound = bound.clone();
        let begun = Instant::now();
        let execution = node::block_on(oacp_gateway::execute(&node, &sandbox, call));
        let execution = execution.expect("an execution");
        let took = begun.elapsed();
        assert_eq!(execution.output, calls.to_string().into_bytes(), "{name}");
        took
    };
    // All rows in each round, so that what the machine does besides is in all of them.
    let mut times = vec![(Vec::new(), Vec::new()); rows.len()];
    for round in 0..44 {
        for ((_, name, tools, bound, _), (with, without)) in rows.iter().zip(&mut times) {
            let (calling, alone) = (run(name, tools, bound, CALLS), run(name, tools, bound, 0));
            if round >= 4 {
                with.push(calling);
                without.push(alone);
            }
        }
    }
    let of_calls: Vec<Duration> = times
        .into_iter()
        .map(|(with, without)| median(with).saturating_sub(median(without)) / CALLS)
        .collect();
    for ((what, .., goal), a_call) in rows.iter().zip(&of_calls) {
        let over = us(a_call.saturating_sub(of_calls[0]));
        table.row([(*what).to_owned(), us(*a_call), over, (*goal).to_owned()]);
    }
    table.print();
}

fn component(node: &Node) -> BoundTool {
    let digest = Digest::of(COMPONENT);
    let program = node
        .engine()
        .load(digest, || Ok(COMPONENT.to_vec()), &|_| {})
        .expect("a program");
    let export = "#shout".parse().expect("an export");
    let agent = Agent::Component {
        program,
        wasm: Blob::of(COMPONENT),
        export: Some(export),
    };
    let code = Code::Component {
        sha256: digest,
        export: "#shout".parse().expect("an export"),
    };
    bound("shout", code, agent, Instance::PerCall)
}

fn source(node: &Node, name: &str, path: &str, text: &str, instance: Instance) -> BoundTool {
    let source =
        Source::single(path.parse().expect("a path"), text.as_bytes().to_vec()).expect("a source");
    let code = Code::Source {
        sha256: source.hash(),
        entry: source.entry().clone(),
    };
    let agent = Agent::Source {
        program: node::program(node, path),
        source: Arc::new(source),
    };
    bound(name, code, agent, instance)
}

fn bound(name: &str, code: Code, agent: Agent, instance: Instance) -> BoundTool {
    let definition = Definition {
        name: name.parse().expect("a name"),
        description: "Measured.".to_owned(),
        input_schema: json!({"type": "object", "properties": {"text": {"type": "string"}}, "required": ["text"], "additionalProperties": false}),
        output_schema: Some(json!({"type": "string"})),
        code,
    };
    let options = ToolOptions {
        capabilities: Capabilities::default(),
        limits: Limits::default(),
        result_bytes_max: 1 << 20,
        concurrency: 16,
        instance,
        package: Digest::of(name.as_bytes()),
        working_directory: "/".parse().expect("a path"),
        environment: [].into(),
        secrets: [].into(),
    };
    BoundTool::new(definition, options, move || Ok(agent.clone()))
}

/// Whole processes: a run that calls no tool, with one registered and granted, and with a hundred.
fn start_up() {
    let mut table = Table::new(
        "`oacp run` with registered tools, warm cache",
        &["registered", "granted", "time", "goal"],
    );
    let oacp = process::oacp();
    let hello = "def run(input):\n    return 'hello'\n";
    let homes: Vec<_> = [1, 100]
        .into_iter()
        .map(|count| {
            let home = process::Home::named(&format!("tools-{count}"));
            let agent = home.agent("hello.py", hello);
            for number in 0..count {
                let file = home.agent(
                    &format!("tool_{number}.py"),
                    &format!("def tool_{number}(text: str) -> str:\n    \"\"\"Gives back text number {number}.\"\"\"\n    return text\n"),
                );
                let add = ["tool", "add", &file, "--quiet"].map(str::to_owned);
                let command: Vec<_> = std::iter::once(oacp.clone()).chain(add).collect();
                process::run(&command, &home).expect("the program");
            }
            (count, home, agent)
        })
        .collect();
    let rows: Vec<_> = homes
        .iter()
        .flat_map(|(count, home, agent)| {
            let grants = if *count == 1 { vec![1] } else { vec![1, 100] };
            grants
                .into_iter()
                .map(move |granted| (*count, granted, home, agent))
        })
        .map(|(count, granted, home, agent)| {
            let mut command = vec![oacp.clone(), "run".into(), "--quiet".into(), agent.clone()];
            for number in 0..granted {
                command.extend(["--allow-tool".into(), format!("tool_{number}")]);
            }
            (count, granted, home, command)
        })
        .collect();
    let mut times: Vec<Vec<Duration>> = vec![Vec::new(); rows.len()];
    for round in 0..22 {
        for (index, (.., home, command)) in rows.iter().enumerate() {
            let ended = process::run(command, home).expect("the program");
            if round >= 2 {
                times[index].push(ended.time);
            }
        }
    }
    for (index, (count, granted, ..)) in rows.iter().enumerate() {
        table.row([
            count.to_string(),
            granted.to_string(),
            ms(median(times[index].clone())),
            match (count, granted) {
                (100, 1) => "as with one",
                _ => "",
            }
            .to_owned(),
        ]);
    }
    table.print();
}

/// Arguments of 10 KiB against their schema.
fn validation() {
    let mut table = Table::new(
        "Judging 10 KiB of arguments by a schema",
        &["arguments", "read strictly", "judged", "both", "goal"],
    );
    let person = json!({"type": "object", "properties": {"name": {"type": "string", "maxLength": 64}, "age": {"type": "integer", "minimum": 0}, "tags": {"type": "array", "items": {"type": "string"}}}, "required": ["name", "age"], "additionalProperties": false});
    let cases = [
        (
            "one text",
            json!({"type": "object", "properties": {"text": {"type": "string", "maxLength": 20000}}, "required": ["text"]}),
            json!({"text": "x".repeat(10_200)}),
        ),
        (
            "187 records",
            json!({"type": "object", "properties": {"people": {"type": "array", "items": person}}, "required": ["people"]}),
            json!({"people": (0..187).map(|n| json!({"name": format!("person number {n}"), "age": n, "tags": ["a", "b"]})).collect::<Vec<Value>>()}),
        ),
        (
            "1,700 numbers",
            json!({"type": "object", "properties": {"list": {"type": "array", "items": {"type": "integer", "maximum": 1_000_000}}}}),
            json!({"list": (0..1700).map(|n| n + 10_000).collect::<Vec<u32>>()}),
        ),
    ];
    for (what, schema, arguments) in cases {
        let schema = Schema::admit_input(&schema).expect("a schema");
        let text = arguments.to_string();
        let (mut reading, mut judging, mut both) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..500 {
            let begun = Instant::now();
            let value = oacp::json::admit(text.as_bytes(), VALUE).expect("JSON");
            reading.push(begun.elapsed());
            let begun = Instant::now();
            assert!(schema.validate_value(&value).is_ok());
            judging.push(begun.elapsed());
            drop(value);
            let begun = Instant::now();
            assert!(schema.validate(text.as_bytes()).is_ok());
            both.push(begun.elapsed());
        }
        table.row([
            format!("{what} ({} bytes)", text.len()),
            us(median(reading)),
            us(median(judging)),
            us(median(both)),
            "≤ 100 µs".to_owned(),
        ]);
    }
    table.print();
}
