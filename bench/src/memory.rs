//! A thousand live instances in one process.

use std::sync::Arc;

use oacp_sandbox::{Meter, Tools};
use serde_json::json;
use tokio::sync::Semaphore;

use crate::node;
use crate::table::Table;

const INSTANCES: usize = 1000;

/// Bytes of this process that no other shares: anonymous memory, and pages of mapped files that were written to.
fn private_bytes() -> u64 {
    let text = std::fs::read_to_string("/proc/self/smaps_rollup").unwrap_or_default();
    let kib = text.lines().find_map(|line| {
        line.strip_prefix("Private_Dirty:")?
            .trim()
            .strip_suffix(" kB")
    });
    kib.and_then(|kib| kib.trim().parse::<u64>().ok())
        .unwrap_or(0)
        * 1024
}

/// Begins to look anew for the largest amount of memory that this process has in use.
pub fn forget_peak() {
    std::fs::write("/proc/self/clear_refs", "5").expect("Linux");
}

/// The largest amount since.
pub fn peak() -> String {
    let text = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let kib = text.lines().find_map(|line| {
        line.strip_prefix("VmHWM:")?
            .trim()
            .strip_suffix(" kB")?
            .parse::<u64>()
            .ok()
    });
    format!("{:.0} MiB", kib.unwrap_or(0) as f64 / 1024.0)
}

/// Every instance has run into a tool call that does not answer until all are there.
pub fn live_instances() {
    let mut table = Table::new(
        "Live instances in one process",
        &["agent", "instances", "private memory each", "goal"],
    );
    let agents = [
        (
            "agent.py",
            "import oacp\ndef run(input):\n    return oacp.tools.call('hold')\n",
            "≤ 3 MiB",
        ),
        (
            "agent.js",
            "import { tools } from 'oacp';\nexport async function run() { return await tools.call('hold', {}); }\n",
            "",
        ),
    ];
    for (name, text, goal) in agents {
        let node = Arc::new(node::node(Meter::Fuel));
        let (arrived, release) = (Arc::new(Semaphore::new(0)), Arc::new(Semaphore::new(0)));
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()
            .expect("a runtime");
        let (mut before, mut after) = (0, 0);
        runtime.block_on(async {
            let start = |_| {
                let (node, arrived, release) = (node.clone(), arrived.clone(), release.clone());
                let mut call = node::call(&node, name, text, json!(null));
                call.tools = Tools::none().with("hold".parse().expect("a name"), move |_| {
                    let (arrived, release) = (arrived.clone(), release.clone());
                    async move {
                        arrived.add_permits(1);
                        release.acquire().await.expect("open").forget();
                        Ok(json!(null))
                    }
                });
                tokio::spawn(async move {
                    let sandbox = node.spawn(None).expect("a sandbox");
                    let execution = oacp_gateway::execute(&node, &sandbox, call)
                        .await
                        .expect("an execution");
                    assert!(execution.failure.is_none(), "{:?}", execution.failure);
                })
            };
            let mut running = vec![start(0)];
            arrived.acquire().await.expect("open").forget();
            before = private_bytes();
            running.extend((1..INSTANCES).map(start));
            arrived
                .acquire_many(INSTANCES as u32 - 1)
                .await
                .expect("open")
                .forget();
            after = private_bytes();
            release.add_permits(INSTANCES);
            for run in running {
                run.await.expect("a run");
            }
        });
        let each =
            after.saturating_sub(before) as f64 / (INSTANCES - 1) as f64 / f64::from(1 << 20);
        table.row([
            name.to_owned(),
            INSTANCES.to_string(),
            format!("{each:.2} MiB"),
            goal.to_owned(),
        ]);
    }
    table.print();
}
