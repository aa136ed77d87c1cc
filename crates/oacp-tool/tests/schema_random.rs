//! Schemas and values by chance, and by malice: none makes the validator panic, and none is judged that is counted as too much.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

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
        (
            "allOf, doubled",
            doubled(10, |next| json!({"allOf": [next, next]})),
        ),
        (
            "anyOf, doubled",
            doubled(10, |next| json!({"anyOf": [next, next]})),
        ),
        (
            "oneOf, doubled",
            doubled(10, |next| json!({"oneOf": [next, next], "not": false})),
        ),
        ("a chain", doubled(60, |next| next)),
        ("oneOf, 1,300", json!({"oneOf": tagged})),
        ("anyOf, 1,300", json!({"anyOf": tagged})),
        ("unevaluatedProperties", unevaluated),
        ("unevaluatedItems", unevaluated_items),
        ("links", json!({"$ref": "#/$defs/l0", "$defs": links})),
        ("enum", json!({"enum": names})),
        ("required", json!({"required": names})),
        ("patterns", json!({"allOf": patterns})),
        ("multipleOf", json!({"items": {"multipleOf": 1e-300}})),
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
    let values = values.iter().flat_map(|value| {
        [
            value.clone(),
            json!([value]),
            json!({"a": value, "n": value}),
        ]
    });
    let values: Vec<_> = values.collect();
    let outcomes = schemas.map(|(name, schema)| {
        let schema = Schema::admit(&schema).ok()?;
        let mut counts = [0; 4];
        for value in &values {
            let outcome = match schema.validate_value(value) {
                Ok(()) => 0,
                Err(violations) => match violations.list[0].found.as_str() {
                    "one that is too large or too deep" => 3,
                    "one that is not, and too large to say where" => 2,
                    _ => 1,
                },
            };
            counts[outcome] += 1;
        }
        Some((name, counts))
    });
    // None: the schema is refused. Else how many values conform, do not and are told why, do not and are not told, and are not judged.
    assert_eq!(
        outcomes,
        [
            Some(("allOf, doubled", [1, 16, 3, 1])),
            Some(("anyOf, doubled", [1, 7, 12, 1])),
            None,
            Some(("a chain", [1, 20, 0, 0])),
            Some(("oneOf, 1,300", [0, 8, 13, 0])),
            Some(("anyOf, 1,300", [12, 4, 5, 0])),
            Some(("unevaluatedProperties", [12, 7, 2, 0])),
            Some(("unevaluatedItems", [19, 1, 1, 0])),
            None,
            Some(("enum", [0, 21, 0, 0])),
            Some(("required", [12, 9, 0, 0])),
            Some(("patterns", [20, 0, 0, 1])),
            Some(("multipleOf", [21, 0, 0, 0])),
        ]
    );
}
