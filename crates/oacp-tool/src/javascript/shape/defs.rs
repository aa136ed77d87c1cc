//! `$defs`: types that are used more than once, or within themselves.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use oacp::source::SourcePath;
use serde_json::{Map, Value};

use super::Schema;
use crate::javascript::limits::INLINE_DEPTH_MAX;
use crate::javascript::module::Module;

const PREFIX: &str = "#/$defs/";

/// The types that are referred to. Each is made once, however often it is used.
#[derive(Default)]
pub(super) struct Defs {
    /// The name in the document, by file and name.
    ids: BTreeMap<(SourcePath, String), String>,
    taken: BTreeSet<String>,
    pending: Vec<(String, Rc<Module>, String)>,
    schemas: BTreeMap<String, Schema>,
}

impl Defs {
    /// A reference to a type.
    pub(super) fn reference(&mut self, module: &Rc<Module>, name: &str) -> Schema {
        let key = (module.file.clone(), name.to_owned());
        let id = match self.ids.get(&key) {
            Some(id) => id.clone(),
            None => {
                let mut id = name.to_owned();
                let mut count = 1u32;
                while !self.taken.insert(id.clone()) {
                    count += 1;
                    id = format!("{name}{count}");
                }
                self.ids.insert(key, id.clone());
                self.pending
                    .push((id.clone(), Rc::clone(module), name.to_owned()));
                id
            }
        };
        let pointer = format!("{PREFIX}{}", escape(&id));
        Schema::from_iter([("$ref".to_owned(), Value::String(pointer))])
    }

    /// How many types there are.
    pub(super) fn len(&self) -> usize {
        self.ids.len()
    }

    /// A type that is yet to be made: its name in the document, its module, its name there.
    pub(super) fn next(&mut self) -> Option<(String, Rc<Module>, String)> {
        self.pending.pop()
    }

    pub(super) fn define(&mut self, id: String, schema: Schema) {
        self.schemas.insert(id, schema);
    }

    /// The document. What is used once stands where it is used, unless that nests too deeply.
    pub(super) fn document(self, root: Schema) -> Value {
        let uses = self.uses(&root);
        let once: BTreeSet<&str> = self
            .schemas
            .keys()
            .map(String::as_str)
            .filter(|id| uses.get(*id).is_some_and(|count| *count == 1) && !self.is_recursive(id))
            .collect();
        let inlined = self.with_defs(self.expand(&Value::Object(root.clone()), &once), &once);
        if depth(&inlined) <= INLINE_DEPTH_MAX {
            return inlined;
        }
        self.with_defs(Value::Object(root), &BTreeSet::new())
    }

    fn with_defs(&self, mut root: Value, inlined: &BTreeSet<&str>) -> Value {
        let mut defs = Map::new();
        for (id, schema) in &self.schemas {
            if !inlined.contains(id.as_str()) {
                defs.insert(
                    id.clone(),
                    self.expand(&Value::Object(schema.clone()), inlined),
                );
            }
        }
        if let Some(root) = root.as_object_mut().filter(|_| !defs.is_empty()) {
            root.insert("$defs".to_owned(), Value::Object(defs));
        }
        root
    }

    fn uses(&self, root: &Schema) -> BTreeMap<String, usize> {
        let mut uses = BTreeMap::new();
        let mut count = |id: &str| *uses.entry(id.to_owned()).or_default() += 1;
        references(root, &mut count);
        for schema in self.schemas.values() {
            references(schema, &mut count);
        }
        uses
    }

    /// Whether a type is reached from itself.
    fn is_recursive(&self, id: &str) -> bool {
        let mut seen = BTreeSet::new();
        let mut next = vec![id.to_owned()];
        while let Some(at) = next.pop() {
            let Some(schema) = self.schemas.get(&at) else {
                continue;
            };
            let mut found = Vec::new();
            references(schema, &mut |id| found.push(id.to_owned()));
            for other in found {
                if other == id {
                    return true;
                }
                if seen.insert(other.clone()) {
                    next.push(other);
                }
            }
        }
        false
    }

    /// A schema with what is inlined in its place.
    fn expand(&self, schema: &Value, inlined: &BTreeSet<&str>) -> Value {
        let Value::Object(members) = schema else {
            return schema.clone();
        };
        let mut members = members.clone();
        if let Some(id) = target(&members).filter(|id| inlined.contains(id.as_str()))
            && let Some(definition) = self.schemas.get(&id)
        {
            members.remove("$ref");
            let mut whole = definition.clone();
            // What is said in this place goes before what is said of the type.
            whole.append(&mut members);
            return self.expand(&Value::Object(whole), inlined);
        }
        for inner in subschemas_mut(&mut members) {
            *inner = self.expand(inner, inlined);
        }
        Value::Object(members)
    }
}

fn target(schema: &Schema) -> Option<String> {
    let pointer = schema.get("$ref")?.as_str()?.strip_prefix(PREFIX)?;
    Some(pointer.replace("~1", "/").replace("~0", "~"))
}

fn escape(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

fn references(schema: &Schema, found: &mut dyn FnMut(&str)) {
    if let Some(id) = target(schema) {
        found(&id);
    }
    for inner in subschemas(schema) {
        if let Value::Object(inner) = inner {
            references(inner, found);
        }
    }
}

/// The schemas right within one that this module made; a default or a constant is no schema, whatever it holds.
fn subschemas_mut(schema: &mut Schema) -> Vec<&mut Value> {
    let mut list = Vec::new();
    for (key, value) in schema.iter_mut() {
        match (key.as_str(), value) {
            ("properties", Value::Object(members)) => list.extend(members.values_mut()),
            ("items" | "additionalProperties", value) => list.push(value),
            ("anyOf" | "prefixItems", Value::Array(items)) => list.extend(items.iter_mut()),
            _ => {}
        }
    }
    list
}

fn subschemas(schema: &Schema) -> Vec<&Value> {
    let mut list = Vec::new();
    for (key, value) in schema {
        match (key.as_str(), value) {
            ("properties", Value::Object(members)) => list.extend(members.values()),
            ("items" | "additionalProperties", value) => list.push(value),
            ("anyOf" | "prefixItems", Value::Array(items)) => list.extend(items),
            _ => {}
        }
    }
    list
}

fn depth(value: &Value) -> usize {
    match value {
        Value::Object(members) => 1 + members.values().map(depth).max().unwrap_or_default(),
        Value::Array(items) => 1 + items.iter().map(depth).max().unwrap_or_default(),
        _ => 0,
    }
}
