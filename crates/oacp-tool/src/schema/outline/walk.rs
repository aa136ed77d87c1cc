//! Adding up what judging a value costs.

use serde_json::{Map, Value};

use super::{Node, nodes_of};
use crate::limits::{VALIDATION_DEPTH_MAX, VALIDATION_STEPS_MAX};

/// Adds up what judging a value costs.
pub(super) struct Walk<'a> {
    pub(super) nodes: &'a [Node],
    pub(super) explaining: bool,
    pub(super) steps: u64,
}

impl Walk<'_> {
    fn spend(&mut self, steps: u64) -> Option<()> {
        self.steps = self.steps.saturating_add(steps);
        (self.steps <= VALIDATION_STEPS_MAX).then_some(())
    }

    /// Counts what the node costs at the value, `times` over. `None`: too much.
    pub(super) fn visit(
        &mut self,
        at: usize,
        value: &Value,
        depth: usize,
        times: u64,
    ) -> Option<()> {
        let node = self.nodes.get(at)?;
        if depth > VALIDATION_DEPTH_MAX {
            return None;
        }
        self.spend(times.saturating_mul(node.weight))?;
        if node.whole {
            self.spend(times.saturating_mul(nodes_of(value)))?;
        }
        if self.explaining && node.branches > 0 {
            // Each branch's explanation holds a copy of the value.
            self.spend(nodes_of(value).saturating_mul(node.branches))?;
        }
        let here = times.saturating_mul(node.times);
        for next in &node.here {
            self.visit(*next, value, depth + 1, here)?;
        }
        match value {
            Value::String(text) => {
                let bytes = (text.len() as u64).saturating_mul(node.byte_weight);
                self.spend(times.saturating_mul(text.len() as u64 / 64 + bytes))
            }
            Value::Object(map) => self.members(node, map, depth + 1, times),
            Value::Array(items) => self.items(node, items, depth + 1, times),
            _ => Some(()),
        }
    }

    fn members(
        &mut self,
        node: &Node,
        map: &Map<String, Value>,
        depth: usize,
        times: u64,
    ) -> Option<()> {
        self.spend(times.saturating_mul(map.len() as u64))?;
        for (name, value) in map {
            let names = node.names.and_then(|at| self.nodes.get(at));
            let of_name = names.map_or(0, |names| names.width.saturating_mul(64));
            let bytes =
                (name.len() as u64).saturating_mul(node.byte_weight.saturating_add(of_name));
            if bytes > 0 {
                self.spend(times.saturating_mul(bytes))?;
            }
            match node.properties.get(name.as_str()) {
                Some(property) => self.visit(*property, value, depth, times)?,
                None => {
                    if let Some(additional) = node.additional {
                        self.visit(additional, value, depth, times)?;
                    }
                }
            }
            for next in node.patterns.iter().chain(&node.once_more) {
                self.visit(*next, value, depth, times)?;
            }
        }
        Some(())
    }

    fn items(&mut self, node: &Node, items: &[Value], depth: usize, times: u64) -> Option<()> {
        self.spend(times.saturating_mul(items.len() as u64))?;
        for (index, value) in items.iter().enumerate() {
            if let Some(next) = node.prefix.get(index).copied().or(node.items) {
                self.visit(next, value, depth, times)?;
            }
            for next in &node.once_more {
                self.visit(*next, value, depth, times)?;
            }
        }
        Some(())
    }
}
