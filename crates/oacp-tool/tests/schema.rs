//! Schemas that are admitted and refused, and what a value is told.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

use oacp_tool::limits::{SCHEMA_PATTERNS_MAX, VIOLATIONS_MAX};
use oacp_tool::schema::{Schema, SchemaProblem, Violations};
use serde_json::{Value, json};

fn refused(schema: Value) -> String {
    Schema::admit(&schema).unwrap_err().to_string()
}

fn violations(schema: Value, value: Value) -> Violations {
    let text = serde_json::to_vec(&value).unwrap();
    Schema::admit(&schema).unwrap().validate(&text).unwrap_err()
}

/// All of the violations as one text.
fn told(schema: Value, value: Value) -> String {
    violations(schema, value).to_string()
}

#[test]
fn a_schema_that_reaches_out_of_itself_is_refused_and_says_where() {
    for (schema, expected) in [
        (
            json!({"properties": {"a": {"$ref": "https://evil.example/x.json"}}}),
            "schema at `/properties/a/$ref`: `$ref` is `https://evil.example/x.json`; expected a path within the document, as `#/$defs/Name`: nothing is fetched",
        ),
        (
            json!({"items": {"$ref": "file:///etc/passwd"}}),
            "schema at `/items/$ref`: `$ref` is `file:///etc/passwd`; expected a path within the document, as `#/$defs/Name`: nothing is fetched",
        ),
        (
            json!({"$ref": "other.json#/a"}),
            "schema at `/$ref`: `$ref` is `other.json#/a`; expected a path within the document, as `#/$defs/Name`: nothing is fetched",
        ),
        (
            json!({"$ref": "#name"}),
            "schema at `/$ref`: `$ref` is `#name`; expected a path within the document, as `#/$defs/Name`: nothing is fetched",
        ),
        (
            json!({"$ref": "#/$defs/None"}),
            "schema at `/$ref`: `$ref` is `#/$defs/None`, where the document has no schema",
        ),
        // What lies there is data, or a map of schemas.
        (
            json!({"$ref": "#/const", "const": {"type": "string"}}),
            "schema at `/$ref`: `$ref` is `#/const`, where the document has no schema",
        ),
        (
            json!({"properties": {"a": {"$ref": "#/properties"}}}),
            "schema at `/properties/a/$ref`: `$ref` is `#/properties`, where the document has no schema",
        ),
        (
            json!({"properties": {"a": {"$id": "https://x.example/"}}}),
            "schema at `/properties/a`: `$id` is not admitted; leave it out below the top",
        ),
        (
            json!({"$dynamicRef": "#x"}),
            "schema: `$dynamicRef` is not admitted; use `$ref` with a path within the document, as `#/$defs/Name`",
        ),
        (
            json!({"$vocabulary": {}}),
            "schema: `$vocabulary` is not admitted; leave it out",
        ),
        (
            json!({"$schema": "http://json-schema.org/draft-07/schema#"}),
            "schema at `/$schema`: `$schema` is `http://json-schema.org/draft-07/schema#`; expected `https://json-schema.org/draft/2020-12/schema`, or none",
        ),
        (
            json!({"$schema": "https://evil.example/meta"}),
            "schema at `/$schema`: `$schema` is `https://evil.example/meta`; expected `https://json-schema.org/draft/2020-12/schema`, or none",
        ),
        (
            json!({"properties": {"a/b": {"dependencies": {}}}}),
            "schema at `/properties/a~1b`: `dependencies` is not admitted; use `dependentRequired` or `dependentSchemas`",
        ),
    ] {
        assert_eq!(refused(schema.clone()), expected, "{schema}");
    }
}

#[test]
fn what_the_dialect_does_not_know_is_refused_and_says_where() {
    for (schema, expected) in [
        (
            json!([]),
            "schema: expected true or false or an object, found []",
        ),
        (
            json!({"type": "text"}),
            "schema at `/type`: expected one of \"array\", ",
        ),
        (
            json!({"properties": {"a": 1}}),
            "schema at `/properties/a`: ",
        ),
        (
            json!({"required": "a"}),
            "schema at `/required`: expected an array",
        ),
        (
            json!({"minimum": "1"}),
            "schema at `/minimum`: expected a number",
        ),
        (
            json!({"exclusiveMinimum": true}),
            "schema at `/exclusiveMinimum`: expected a number",
        ),
        (
            json!({"items": [{}]}),
            "schema at `/items`: expected true or false or an object, found [{}]",
        ),
        (
            json!({"allOf": []}),
            "schema at `/allOf`: expected at least 1 item",
        ),
        (
            json!({"minLength": -1}),
            "schema at `/minLength`: expected at least 0",
        ),
        (
            json!({"required": ["a", "a"]}),
            "schema at `/required`: expected items that all differ",
        ),
    ] {
        let found = refused(schema.clone());
        assert!(found.starts_with(expected), "{schema}: {found}");
    }
    let input = Schema::admit_input(&json!({"properties": {}})).unwrap_err();
    assert_eq!(input.problem, SchemaProblem::NotObject);
    assert!(Schema::admit_input(&json!({"type": ["object", "null"]})).is_err());
    assert!(Schema::admit_input(&json!(true)).is_err());
    assert!(Schema::admit_input(&json!({"type": "object"})).is_ok());
}

#[test]
fn only_regular_expressions_that_are_judged_in_linear_time_are_admitted() {
    for pattern in [
        "(?=a)b",
        "(?!a)b",
        "(?<=a)b",
        "(a)\\1",
        "(?<n>a)\\k<n>",
        "(",
        "[",
        "a{99999}",
        "(a{99}){99}{99}",
    ] {
        for schema in [
            json!({"properties": {"x": {"pattern": pattern}}}),
            json!({"patternProperties": {pattern: {}}}),
        ] {
            let found = refused(schema.clone());
            assert!(
                found.contains("attern") || found.contains("regular expression"),
                "{schema}: {found}"
            );
        }
    }
    let found = refused(json!({"properties": {"x": {"pattern": "(a)\\1"}}}));
    assert_eq!(
        found,
        "schema at `/properties/x/pattern`: the regular expression `(a)\\1` is not one that is judged in linear time: no look-around, no back-reference, and not too large"
    );
    for (pattern, good, bad) in [
        ("^[a-z]{2,8}$", "abc", "ABC"),
        ("^\\d+$", "123", "١٢٣"),
        ("^\\w+$", "a_1", "é"),
        ("^(a+)+$", "aaaa", "aaab"),
        ("^\\p{L}+$", "é", "1"),
    ] {
        let schema = Schema::admit(&json!({"pattern": pattern})).unwrap();
        assert!(
            schema.validate_value(&json!(good)).is_ok(),
            "{pattern} {good}"
        );
        assert!(
            schema.validate_value(&json!(bad)).is_err(),
            "{pattern} {bad}"
        );
    }
    let many: Vec<_> = (0..=SCHEMA_PATTERNS_MAX)
        .map(|n| json!({"pattern": format!("{n}")}))
        .collect();
    assert!(Schema::admit(&json!({"allOf": many[1..].to_vec()})).is_ok());
    assert!(refused(json!({"allOf": many})).contains("more than 64 regular expressions"));
    assert!(refused(json!({"pattern": "a".repeat(1025)})).contains("more than 1024 bytes"));
}

#[test]
fn size_depth_and_width_are_bounded() {
    let nested = |depth: usize| (1..depth).fold(json!({}), |inner, _| json!({"items": inner}));
    assert!(Schema::admit(&nested(32)).is_ok());
    assert!(refused(nested(33)).contains("nested more than 32 deep"));
    assert!(refused(json!({"enum": nested(70)})).contains("nested more than 32 deep"));
    assert!(
        refused(json!({"description": "x".repeat(256 << 10)})).contains("more than 262144 bytes")
    );
    let many = |count: usize| -> Value {
        let properties: serde_json::Map<_, _> =
            (0..count).map(|n| (n.to_string(), json!(true))).collect();
        json!({"properties": properties})
    };
    assert!(Schema::admit(&many(4095)).is_ok());
    assert!(refused(many(4096)).contains("more than 4096 schemas"));
    // Twice at each level.
    let doubled = |levels: usize| {
        let mut defs = serde_json::Map::new();
        for level in 0..levels {
            let next = json!({"$ref": format!("#/$defs/d{}", level + 1)});
            defs.insert(format!("d{level}"), json!({"allOf": [next, next]}));
        }
        defs.insert(format!("d{levels}"), json!({"type": "integer"}));
        json!({"$ref": "#/$defs/d0", "$defs": defs})
    };
    assert!(Schema::admit(&doubled(8)).is_ok());
    assert!(refused(doubled(60)).contains("add up to more than 4096 schemas"));
    let chained = |links: usize| {
        let mut defs = serde_json::Map::new();
        for link in 0..links {
            defs.insert(
                format!("d{link}"),
                json!({"$ref": format!("#/$defs/d{}", link + 1)}),
            );
        }
        defs.insert(format!("d{links}"), json!(true));
        json!({"$ref": "#/$defs/d0", "$defs": defs})
    };
    assert!(Schema::admit(&chained(60)).is_ok());
    assert!(refused(chained(2000)).contains("one within the other"));
    let unevaluated = json!({"unevaluatedProperties": {"unevaluatedProperties": {"unevaluatedProperties": {"unevaluatedProperties": {"unevaluatedProperties": false}}}}});
    assert!(refused(unevaluated).contains("more than 4 of `unevaluatedProperties`"));
}

#[test]
fn a_schema_that_goes_in_a_circle_is_refused_and_a_recursive_one_is_not() {
    for schema in [
        json!({"$ref": "#"}),
        json!({"allOf": [{"$ref": "#"}]}),
        json!({"$ref": "#/$defs/a", "$defs": {"a": {"anyOf": [{"$ref": "#/$defs/b"}]}, "b": {"not": {"$ref": "#/$defs/a"}}}}),
    ] {
        assert!(refused(schema).contains("without end"));
    }
    let tree = json!({
        "type": "object",
        "properties": {"children": {"type": "array", "items": {"$ref": "#"}}},
        "additionalProperties": false,
    });
    let tree = Schema::admit(&tree).unwrap();
    let nested = |depth: usize| (0..depth).fold(json!({}), |inner, _| json!({"children": [inner]}));
    assert!(tree.validate_value(&nested(31)).is_ok());
    let wrong = (0..10).fold(json!({"x": 1}), |inner, _| json!({"children": [inner]}));
    assert!(
        tree.validate_value(&wrong)
            .unwrap_err()
            .to_string()
            .contains("/children/0/x")
    );
}

#[test]
fn a_value_that_would_take_too_long_is_refused_in_time() {
    // Each level of the value is judged twice as often as the one above.
    let doubling = json!({"$ref": "#/$defs/n", "$defs": {"n": {"allOf": [
        {"properties": {"c": {"$ref": "#/$defs/n"}}},
        {"properties": {"c": {"$ref": "#/$defs/n"}}},
    ]}}});
    let deep = (0..60).fold(json!({}), |inner, _| json!({"c": inner}));
    let wide = json!({"items": {"allOf": vec![json!({"type": "integer"}); 4000]}});
    let ones = json!(vec![1; 1 << 20]);
    let unique = json!({"allOf": vec![json!({"uniqueItems": true}); 4000]});
    let pairs = json!([vec![1; 1 << 18], vec![2; 1 << 18]]);
    let names = json!({"propertyNames": {"allOf": vec![json!({"pattern": "^(a|b|c)*$"}); 60]}});
    let named: Value = (0..200_000)
        .map(|n| (format!("{n:a>20}"), json!(1)))
        .collect::<serde_json::Map<_, _>>()
        .into();
    for (schema, value) in [
        (doubling, deep),
        (wide, ones),
        (unique, pairs),
        (names, named),
    ] {
        let schema = Schema::admit(&schema).unwrap();
        let refused = schema.validate_value(&value).unwrap_err();
        assert!(
            refused.to_string().contains("in reasonable time"),
            "{refused}"
        );
    }
}

#[test]
fn what_is_wrong_is_told_so_that_it_can_be_put_right() {
    let city = json!({
        "type": "object",
        "properties": {
            "city": {"type": "string", "minLength": 2},
            "days": {"type": "integer", "minimum": 1, "maximum": 14},
            "unit": {"enum": ["celsius", "fahrenheit"]},
            "when": {"type": "string", "format": "date"},
        },
        "required": ["city"],
        "additionalProperties": false,
    });
    for (value, expected) in [
        (
            json!({}),
            "expected a property `city`, found none of that name; add `city`",
        ),
        (
            json!({"citty": "Berlin"}),
            "`/citty`: expected no property of this name, found \"Berlin\"; did you mean `city`?",
        ),
        (json!({"city": 5}), "`/city`: expected a string, found 5"),
        (
            json!({"city": "B"}),
            "`/city`: expected at least 2 characters, found 1",
        ),
        (
            json!({"city": "Berlin", "days": 0}),
            "`/days`: expected at least 1, found 0",
        ),
        (
            json!({"city": "Berlin", "days": "3"}),
            "`/days`: expected an integer, found \"3\"; write 3 without quotation marks",
        ),
        (
            json!({"city": "Berlin", "unit": "celcius"}),
            "`/unit`: expected one of \"celsius\", \"fahrenheit\", found \"celcius\"; did you mean `celsius`?",
        ),
        (
            json!({"city": "Berlin", "when": "tomorrow"}),
            "`/when`: expected a text of the format date, as 2026-01-31, found \"tomorrow\"",
        ),
        (
            json!({"city": "Berlin", "whatever": 1}),
            "`/whatever`: expected no property of this name, found 1; leave it out",
        ),
        (json!([1]), "expected an object, found [1]"),
    ] {
        let found = told(city.clone(), value.clone());
        assert!(found.contains(expected), "{value}: {found}");
    }
}

#[test]
fn of_alternatives_the_one_that_was_meant_is_explained() {
    let optional = json!({"properties": {"n": {"anyOf": [{"type": "integer"}, {"type": "null"}]}}});
    assert_eq!(
        told(optional, json!({"n": "x"})),
        "`/n`: expected an integer or null, found \"x\""
    );
    let shapes = json!({"anyOf": [
        {"type": "object", "properties": {"kind": {"const": "circle"}, "radius": {"type": "number"}}, "required": ["kind", "radius"]},
        {"type": "object", "properties": {"kind": {"const": "square"}, "side": {"type": "number"}}, "required": ["kind", "side"]},
    ]});
    assert_eq!(
        told(shapes.clone(), json!({"kind": "square", "side": "1"})),
        "`/side`: expected a number, found \"1\"; write 1 without quotation marks"
    );
    assert!(told(shapes, json!({"kind": "circle"})).contains("add `radius`"));
    let one = json!({"oneOf": [{"minimum": 1}, {"minimum": 2}]});
    assert!(told(one, json!(3)).contains("exactly one of the alternatives"));
}

#[test]
fn violations_are_bounded_and_say_how_many_more_there_are() {
    let schema = json!({"items": {"type": "string"}});
    let found = violations(schema, json!(vec![1; 100]));
    assert_eq!(
        (found.list.len(), found.more),
        (VIOLATIONS_MAX, 100 - VIOLATIONS_MAX)
    );
    let long = violations(
        json!({"type": "integer"}),
        json!("x\u{1b}[2J".repeat(10_000)),
    );
    let text = long.to_string();
    assert!(text.len() < 300 && !text.contains('\u{1b}'), "{text}");
    let deep = violations(
        json!({"additionalProperties": {"type": "integer"}}),
        json!({"\u{1b}".repeat(1000): "a"}),
    );
    assert!(deep.to_string().len() < 800 && !deep.to_string().contains('\u{1b}'));
}

#[test]
fn a_text_that_two_readers_understand_differently_is_refused() {
    let schema = Schema::admit_input(&json!({"type": "object"})).unwrap();
    for (text, expected) in [
        (r#"{"a":1,"a":2}"#, "key `a` twice in one object"),
        ("{", "unexpected end"),
        ("{}x", "bytes after the value"),
        (r#"{"a":9007199254740993}"#, "integer beyond"),
        ("", "unexpected end"),
    ] {
        let found = schema.validate(text.as_bytes()).unwrap_err().to_string();
        assert!(
            found.starts_with("expected JSON, found ") && found.contains(expected),
            "{found}"
        );
    }
    assert!(schema.validate(&[b'[', 0xff]).is_err());
    assert!(schema.validate(b" {} ").is_ok());
}

#[test]
fn formats_are_asserted_where_their_meaning_is_fixed() {
    for (format, good, bad) in [
        ("date-time", "2026-01-31T12:00:00Z", "2026-01-31 12:00"),
        ("date", "2026-02-28", "2026-02-30"),
        ("time", "12:00:00Z", "25:00:00Z"),
        ("email", "ann@example.org", "ann"),
        ("uri", "https://example.org/a", "a"),
        ("uuid", "01890a5d-ac96-774b-bcce-b302099a8057", "01890a5d"),
        ("ipv4", "192.0.2.1", "192.0.2.256"),
        ("ipv6", "::1", "1::2::3"),
        ("hostname", "example.org", "-"),
    ] {
        let schema = Schema::admit(&json!({"format": format})).unwrap();
        assert!(schema.validate_value(&json!(good)).is_ok(), "{format}");
        assert!(schema.validate_value(&json!(bad)).is_err(), "{format}");
        assert!(
            schema.validate_value(&json!(1)).is_ok(),
            "{format} is for texts"
        );
    }
    let unknown = Schema::admit(&json!({"format": "colour", "contentEncoding": "base64"})).unwrap();
    assert!(unknown.validate_value(&json!("???")).is_ok());
}

#[test]
fn the_deepest_value_that_is_judged_fits_on_a_small_stack() {
    // Each level of the value passes seven schemas; 64 levels would be 448.
    let schema = json!({
        "$ref": "#/$defs/a",
        "$defs": {
            "a": {"anyOf": [{"$ref": "#/$defs/b"}, {"type": "string"}]},
            "b": {"allOf": [{"$ref": "#/$defs/c"}]},
            "c": {"oneOf": [{"type": "null"}, {"type": "object", "properties": {"c": {"$ref": "#/$defs/a"}}, "additionalProperties": false}]},
        },
    });
    let run = move || {
        let schema = Schema::admit(&schema).unwrap();
        let deep = |inner: Value| (0..62).fold(inner, |inner, _| json!({"c": inner}));
        assert!(schema.validate_value(&deep(json!("end"))).is_ok());
        assert!(schema.validate_value(&deep(json!(1))).is_err());
    };
    std::thread::Builder::new()
        .stack_size(2 << 20)
        .spawn(run)
        .unwrap()
        .join()
        .unwrap();
}

#[test]
fn arguments_of_ten_kibibytes_are_judged() {
    let schema = json!({
        "type": "object",
        "properties": {
            "query": {"type": "string", "minLength": 1},
            "items": {"type": "array", "items": {"$ref": "#/$defs/Item"}},
        },
        "required": ["query", "items"],
        "additionalProperties": false,
        "$defs": {"Item": {
            "type": "object",
            "properties": {
                "id": {"type": "string", "pattern": "^[a-z0-9-]{4,40}$"},
                "price": {"type": "number", "minimum": 0},
                "count": {"anyOf": [{"type": "integer"}, {"type": "null"}]},
                "tags": {"type": "array", "items": {"enum": ["new", "sale", "used"]}},
                "when": {"type": "string", "format": "date-time"},
            },
            "required": ["id", "price"],
            "additionalProperties": false,
        }},
    });
    let schema = Schema::admit_input(&schema).unwrap();
    let item = |n: usize| json!({"id": format!("item-{n:04}"), "price": 9.5, "count": n, "tags": ["new", "sale"], "when": "2026-01-31T12:00:00Z"});
    let items: Vec<_> = (0..96).map(item).collect();
    let text = serde_json::to_vec(&json!({"query": "chairs", "items": items})).unwrap();
    let prose = json!({"query": "Where are the chairs? ".repeat(460), "items": [item(1)]});
    let prose = serde_json::to_vec(&prose).unwrap();
    let wrong = String::from_utf8(text.clone())
        .unwrap()
        .replace("item-0050", "ITEM");
    for (name, text, is_valid) in [
        ("480 small values", text.as_slice(), true),
        ("mostly one text", prose.as_slice(), true),
        ("with one violation", wrong.as_bytes(), false),
    ] {
        assert_eq!(schema.validate(text).is_ok(), is_valid, "{name}");
    }
}
