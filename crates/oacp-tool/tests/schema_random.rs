//! Schemas and values by chance, and by malice: none makes the validator panic, and none takes long.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

use std::time::{Duration, Instant};

use oacp_tool::schema::Schema;
use serde_json::{Map, Value, json};

/// xorshift64*: the same in every run.
struct Chance(u64);

impl Chance {
    fn next(&mut self, below: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) as usize % below
    }

    fn one<T: Clone>(&mut self, of: &[T]) -> T {
        of[self.next(of.len())].clone()
    }

    fn value(&mut self, depth: usize) -> Value {
        match self.next(if depth == 0 { 6 } else { 9 }) {
            0 => json!(null),
            1 => json!(true),
            2 => json!(self.next(5)),
            3 => json!(0.5),
            4 => self.one(&[json!("a"), json!("abc"), json!("2026-01-31"), json!("")]),
            5 => json!(-3),
            6 | 7 => {
                let count = self.next(4);
                let names = ["a", "b", "c", "d~/"];
                let pairs =
                    (0..count).map(|_| (self.one(&names).to_owned(), self.value(depth - 1)));
                Value::Object(pairs.collect())
            }
            _ => {
                let count = self.next(4);
                (0..count).map(|_| self.value(depth - 1)).collect()
            }
        }
    }

    fn schema(&mut self, depth: usize) -> Value {
        if depth == 0 || self.next(8) == 0 {
            return self.one(&[
                json!(true),
                json!(false),
                json!({}),
                json!({"type": "string"}),
                json!({"$ref": "#/$defs/x"}),
                json!({"$ref": "#"}),
                json!({"$ref": "#/$defs/y"}),
            ]);
        }
        let mut map = Map::new();
        for _ in 0..=self.next(4) {
            let (key, held) = match self.next(26) {
                0 => (
                    "type",
                    self.one(&[
                        json!("object"),
                        json!("array"),
                        json!(["string", "null"]),
                        json!("integer"),
                        json!("number"),
                    ]),
                ),
                1 | 2 => ("properties", self.map(depth)),
                3 => (
                    "patternProperties",
                    json!({"^[ab]$": self.schema(depth - 1)}),
                ),
                4 => ("additionalProperties", self.schema(depth - 1)),
                5 => ("items", self.schema(depth - 1)),
                6 => ("prefixItems", json!([self.schema(depth - 1)])),
                7 => ("contains", self.schema(depth - 1)),
                8 => ("allOf", self.list(depth)),
                9 | 10 => ("anyOf", self.list(depth)),
                11 | 12 => ("oneOf", self.list(depth)),
                13 => ("not", self.schema(depth - 1)),
                14 => ("if", self.schema(depth - 1)),
                15 => ("then", self.schema(depth - 1)),
                16 => ("else", self.schema(depth - 1)),
                17 => ("unevaluatedProperties", self.schema(depth - 1)),
                18 => ("unevaluatedItems", self.schema(depth - 1)),
                19 => (
                    "propertyNames",
                    json!({"maxLength": 2, "pattern": "^[a-c]*$"}),
                ),
                20 => ("dependentSchemas", self.map(depth)),
                21 => ("enum", json!([self.value(2), self.value(1), 1])),
                22 => ("const", self.value(1)),
                23 => ("required", json!(["a"])),
                24 => (
                    "$ref",
                    self.one(&[json!("#/$defs/x"), json!("#/$defs/y"), json!("#")]),
                ),
                _ => self.one(&[
                    ("uniqueItems", json!(true)),
                    ("minItems", json!(1)),
                    ("maxProperties", json!(2)),
                    ("minimum", json!(1)),
                    ("multipleOf", json!(0.1)),
                    ("format", json!("date")),
                    ("pattern", json!("^a")),
                    ("minContains", json!(2)),
                    ("dependentRequired", json!({"a": ["b"]})),
                ]),
            };
            map.insert(key.to_owned(), held);
        }
        Value::Object(map)
    }

    fn map(&mut self, depth: usize) -> Value {
        let names = ["a", "b", "c", "d~/"];
        let count = self.next(3);
        let pairs = (0..=count).map(|_| (self.one(&names).to_owned(), self.schema(depth - 1)));
        Value::Object(pairs.collect())
    }

    fn list(&mut self, depth: usize) -> Value {
        let count = self.next(3);
        (0..=count).map(|_| self.schema(depth - 1)).collect()
    }
}

#[test]
fn by_chance() {
    let mut chance = Chance(0x9E37_79B9_7F4A_7C15);
    let (mut admitted, mut valid) = (0, 0);
    for _ in 0..3000 {
        let mut root = chance.schema(4);
        if let Value::Object(root) = &mut root {
            root.insert(
                "$defs".to_owned(),
                json!({"x": chance.schema(3), "y": chance.schema(3)}),
            );
        }
        let Ok(schema) = Schema::admit(&root) else {
            continue;
        };
        admitted += 1;
        for _ in 0..8 {
            let value = chance.value(4);
            match schema.validate_value(&value) {
                Ok(()) => valid += 1,
                Err(violations) => assert!(!violations.list.is_empty(), "{root} {value}"),
            }
        }
    }
    assert!(admitted > 500 && valid > 500, "{admitted} {valid}");
}

#[test]
fn by_malice() {
    let doubled = |levels: usize, with: fn(Value) -> Value| {
        let mut defs = Map::new();
        for level in 0..levels {
            let next = json!({"$ref": format!("#/$defs/d{}", level + 1)});
            defs.insert(format!("d{level}"), with(next));
        }
        defs.insert(format!("d{levels}"), json!({"type": "integer"}));
        json!({"$ref": "#/$defs/d0", "$defs": defs})
    };
    let tagged: Vec<_> = (0..1300)
        .map(|n| json!({"properties": {"kind": {"const": format!("k{n}")}, "x": {"type": "integer"}}, "required": ["kind"]}))
        .collect();
    let unevaluated = (0..4).fold(json!({"properties": {"a": {}}}), |inner, _| {
        json!({"allOf": [inner, {"properties": {"b": {"allOf": vec![json!({"type": "integer"}); 3]}}}], "unevaluatedProperties": {"type": "null"}})
    });
    let unevaluated_items = (0..4).fold(json!({"prefixItems": [{}]}), |inner, _| {
        json!({"anyOf": [inner, {"contains": {"type": "string"}}], "unevaluatedItems": {"type": "null"}})
    });
    let links: Map<_, _> = (0..3000)
        .map(|n| {
            (
                format!("l{n}"),
                json!({"properties": {"n": {"$ref": format!("#/$defs/l{}", (n + 1) % 3000)}}}),
            )
        })
        .collect();
    let names: Vec<_> = (0..20_000).map(|n| format!("n{n}")).collect();
    let patterns: Vec<_> = (0..60)
        .map(|n| json!({"pattern": format!("^([a-z]{{1,{}}}x){{1,20}}$", n + 20)}))
        .collect();
    let schemas = [
        doubled(10, |next| json!({"allOf": [next, next]})),
        doubled(10, |next| json!({"anyOf": [next, next]})),
        doubled(10, |next| json!({"oneOf": [next, next], "not": false})),
        doubled(60, |next| next),
        json!({"oneOf": tagged}),
        json!({"anyOf": tagged}),
        unevaluated,
        unevaluated_items,
        json!({"$ref": "#/$defs/l0", "$defs": links}),
        json!({"enum": names}),
        json!({"required": names}),
        json!({"allOf": patterns}),
        json!({"items": {"multipleOf": 1e-300}}),
    ];
    let deep = (0..60).fold(json!(1), |inner, _| json!({"n": inner, "a": 1, "b": 2}));
    let values = [
        json!(1),
        json!("x".repeat(1 << 16)),
        json!(vec![json!({"kind": "k1299", "x": "1"}); 200]),
        json!({"kind": "k1299", "x": "1", "a": "1", "b": 1}),
        json!((0..5000).map(|n| f64::from(n) * 1e300).collect::<Vec<_>>()),
        json!(vec!["abcdefghijklmnopqrstuvwx".repeat(40); 500]),
        deep,
    ];
    for schema in schemas {
        let text = schema.to_string();
        let shown: String = text.chars().take(120).collect();
        let started = Instant::now();
        let admitted = Schema::admit(&schema);
        let compiled = started.elapsed();
        let Ok(admitted) = admitted else {
            println!("{shown}: {}", admitted.unwrap_err());
            continue;
        };
        let mut longest = Duration::ZERO;
        for value in &values {
            for value in [
                value.clone(),
                json!([value]),
                json!({"a": value, "n": value}),
            ] {
                let started = Instant::now();
                let _ = admitted.validate_value(&value);
                longest = longest.max(started.elapsed());
            }
        }
        println!(
            "{shown}: {} bytes compiled in {compiled:?}, at most {longest:?} a value",
            text.len()
        );
        assert!(compiled + longest < Duration::from_secs(60), "{shown}");
    }
}
