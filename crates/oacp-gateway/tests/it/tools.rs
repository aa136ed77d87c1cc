//! Calls of tools: granted, denied, failing, overlapping.

use oacp::event::Event;
use oacp::outcome::Outcome;
use serde_json::json;

use crate::fixture::{agent, call, see, see_agent};

fn events(seen: &crate::fixture::Seen) -> Vec<Event> {
    seen.verified.events().unwrap().to_vec()
}

#[test]
fn a_granted_tool_answers_in_both_languages() {
    let python = "import oacp\ndef run(input):\n    return oacp.tools.call('add', **input)\n";
    let javascript = "import { tools } from 'oacp';\nexport async function run(input) { return await tools.call('add', input); }\n";
    for (name, text) in [("agent.py", python), ("agent.js", javascript)] {
        let seen = see_agent(name, text, json!({"a": 2, "b": 40})).confirmed();
        assert_eq!(seen.output(), json!(42));
        assert_eq!(seen.execution.tool_calls, 1);
    }
}

#[test]
fn a_denial_that_is_caught_is_counted_and_the_run_is_ok() {
    let python = "import oacp\ndef run(input):\n    try:\n        oacp.tools.call('secret')\n    except PermissionError as e:\n        return [type(e).__name__, e.code, e.asked]\n";
    let javascript = "import { tools } from 'oacp';\nexport async function run() {\n  try { await tools.call('secret', {}); } catch (e) { return [e.name, e.code, e.asked]; }\n}\n";
    for (name, text) in [("agent.py", python), ("agent.js", javascript)] {
        let seen = see_agent(name, text, json!(null)).confirmed();
        assert_eq!(seen.execution.outcome, Outcome::Ok);
        assert_eq!(
            seen.output(),
            json!(["CapabilityDenied", "tool_not_granted", "secret"])
        );
        assert_eq!(seen.execution.denials.len(), 1);
        assert!(
            events(&seen)
                .iter()
                .any(|e| matches!(e, Event::Denial { .. }))
        );
    }
}

#[test]
fn a_denial_that_is_not_caught_ends_the_run_as_denied() {
    let python = "import oacp\ndef run(input):\n    return oacp.tools.call('secret')\n";
    let javascript = "import { tools } from 'oacp';\nexport async function run() {\n  return await tools.call('secret', {});\n}\n";
    for (name, text) in [("agent.py", python), ("agent.js", javascript)] {
        let seen = see_agent(name, text, json!(null)).confirmed();
        assert_eq!(
            seen.execution.outcome,
            Outcome::Denied,
            "{:?}",
            seen.failure()
        );
        assert!(
            seen.failure().message.contains("secret"),
            "{:?}",
            seen.failure()
        );
    }
}

#[test]
fn a_tool_that_fails_panics_or_does_not_exist_is_an_error_that_the_agent_can_catch() {
    let python = "import oacp\ndef run(input):\n    codes = []\n    for name in input:\n        try:\n            oacp.tools.call(name)\n        except Exception as e:\n            codes.append([e.code, str(e)])\n    return codes\n";
    let mut call = call(agent("agent.py", python), json!(["broken", "panics"]));
    call.asked.tools.insert("secret".parse().unwrap());
    let seen = see(call).confirmed();
    let codes = seen.output();
    assert_eq!(codes[0][0], "tool_error");
    assert!(
        codes[0][1]
            .as_str()
            .unwrap()
            .contains("the service is down"),
        "{codes}"
    );
    assert_eq!(codes[1][0], "tool_error");
    assert!(
        codes[1][1].as_str().unwrap().contains("panicked"),
        "{codes}"
    );
}

#[test]
fn overlapping_calls_overlap_and_replay_in_the_order_of_their_completion() {
    let python = "import asyncio, oacp\nasync def run(delays):\n    order = []\n    async def one(ms):\n        order.append(await oacp.tools.call_async('slow', ms=ms, answer=ms))\n    await asyncio.gather(*[one(ms) for ms in delays])\n    return order\n";
    let javascript = "import { tools } from 'oacp';\nexport async function run(delays) {\n  const order = [];\n  await Promise.all(delays.map(async ms => order.push(await tools.call('slow', { ms, answer: ms }))));\n  return order;\n}\n";
    for (name, text) in [("agent.py", python), ("agent.js", javascript)] {
        // A second apart, so that no load on the machine changes the order; overlapping, the whole takes as long as the longest.
        let seen = see_agent(name, text, json!([2000, 1000, 0])).confirmed();
        assert_eq!(seen.output(), json!([0, 1000, 2000]));
        let started: Vec<_> = events(&seen)
            .iter()
            .take_while(|e| !matches!(e, Event::Completion { .. }))
            .filter(|e| matches!(e, Event::ToolCall { .. }))
            .cloned()
            .collect();
        assert_eq!(
            started.len(),
            3,
            "all calls start before the first completes"
        );
    }
}

#[test]
fn results_beyond_what_a_recording_may_have_are_refused_and_the_run_goes_on() {
    let python = "import oacp\ndef run(input):\n    codes = []\n    for _ in range(6):\n        try:\n            codes.append(len(oacp.tools.call('big', bytes=15 << 20)))\n        except oacp.ToolError as e:\n            codes.append(e.code)\n    return codes\n";
    let seen = see_agent("agent.py", python, json!(null)).confirmed();
    let full = 15 << 20;
    assert_eq!(
        seen.output(),
        json!([full, full, full, full, "limit", "limit"])
    );
}

#[test]
fn a_timeout_around_a_call_is_recorded_and_replays() {
    let python = "import asyncio, oacp\nasync def run(input):\n    try:\n        async with asyncio.timeout(0.05):\n            await oacp.tools.call_async('slow', ms=60_000, answer=1)\n    except TimeoutError:\n        return 'gave up'\n";
    let seen = see_agent("agent.py", python, json!(null)).confirmed();
    assert_eq!(seen.output(), json!("gave up"));
    assert!(
        events(&seen)
            .iter()
            .any(|e| matches!(e, Event::Deadline { .. }))
    );
}

#[test]
fn arguments_and_results_over_the_limit_are_refused_with_the_size() {
    let python = "import oacp\ndef run(input):\n    seen = []\n    for name, args in [('echo', {'x': 'x' * 5_000_000}), ('big', {'bytes': 17 << 20})]:\n        try:\n            oacp.tools.call(name, **args)\n        except Exception as e:\n            seen.append([e.code, str(e)])\n    return seen\n";
    let seen = see_agent("agent.py", python, json!(null)).confirmed();
    let output = seen.output();
    assert_eq!(
        (&output[0][0], &output[1][0]),
        (&json!("limit"), &json!("limit")),
        "{output}"
    );
    assert!(
        output[1][1].as_str().unwrap().contains("17825794"),
        "{output}"
    );
}
