//! Single types, and their schemas.

use serde_json::{Value, json};

use super::{describe, file, refusal};

/// The schema of a parameter of this type, in TypeScript.
fn typescript(ty: &str, more: &str) -> Value {
    property(
        "a.ts",
        &format!("/** F. */ export function f(a: {ty}, b: 1): void {{}}\n{more}"),
    )
}

/// The schema of a parameter of this type, in a comment.
fn comment(ty: &str, more: &str) -> Value {
    property(
        "a.js",
        &format!(
            "/** F.\n * @param {{{ty}}} a\n * @param {{1}} b\n * @returns {{void}} */ export function f(a, b) {{}}\n{more}"
        ),
    )
}

fn property(name: &str, text: &str) -> Value {
    let described =
        describe(&[(name, text)]).unwrap_or_else(|refused| panic!("{text}: {refused:?}"));
    described.offers[0].input_schema["properties"]["a"].clone()
}

#[test]
fn both_ways_of_writing_a_type_have_one_schema() {
    for (ty, schema) in [
        ("string", json!({"type": "string"})),
        ("any", json!({})),
        ("object", json!({"type": "object"})),
        (
            "string[][]",
            json!({"type": "array", "items": {"type": "array", "items": {"type": "string"}}}),
        ),
        (
            "Array<number | null>",
            json!({"type": "array", "items": {"type": ["number", "null"]}}),
        ),
        (
            "Record<string, boolean>",
            json!({"type": "object", "additionalProperties": {"type": "boolean"}}),
        ),
        ("'a' | 'b'", json!({"type": "string", "enum": ["a", "b"]})),
        ("'a' | 'b' | null", json!({"enum": ["a", "b", null]})),
        ("'a'", json!({"type": "string", "const": "a"})),
        (
            "1 | -2 | 0.5",
            json!({"type": "number", "enum": [1, -2, 0.5]}),
        ),
        ("true | false", json!({"type": "boolean"})),
        (
            "'a' | number",
            json!({"anyOf": [{"type": "number"}, {"type": "string", "const": "a"}]}),
        ),
        ("string | string", json!({"type": "string"})),
        ("string | any", json!({})),
        (
            "[string, number]",
            json!({"type": "array", "prefixItems": [{"type": "string"}, {"type": "number"}], "items": false, "minItems": 2}),
        ),
        (
            "[string, ...number[]]",
            json!({"type": "array", "prefixItems": [{"type": "string"}], "items": {"type": "number"}, "minItems": 1}),
        ),
        (
            "{a: string, b?: number, 'c-d': null}",
            json!({"type": "object", "additionalProperties": false, "required": ["a", "c-d"], "properties":
                {"a": {"type": "string"}, "b": {"type": "number"}, "c-d": {"type": "null"}}}),
        ),
        (
            "{[key: string]: number}",
            json!({"type": "object", "properties": {}, "additionalProperties": {"type": "number"}}),
        ),
        (
            "{a: string} | null",
            json!({"anyOf": [{"type": "object", "additionalProperties": false, "required": ["a"], "properties": {"a": {"type": "string"}}}, {"type": "null"}]}),
        ),
        (
            "(string)[] | undefined",
            json!({"type": "array", "items": {"type": "string"}}),
        ),
        (
            "readonly string[]",
            json!({"type": "array", "items": {"type": "string"}}),
        ),
        (
            "Readonly<{a?: 'x'}>",
            json!({"type": "object", "additionalProperties": false, "properties": {"a": {"type": "string", "const": "x"}}}),
        ),
        (
            "Record<'x' | 'y', string>",
            json!({"type": "object", "additionalProperties": false, "required": ["x", "y"], "properties": {"x": {"type": "string"}, "y": {"type": "string"}}}),
        ),
    ] {
        assert_eq!(typescript(ty, ""), schema, "{ty}");
        assert_eq!(comment(ty, ""), schema, "{ty}");
    }
    for (ty, schema) in [
        ("?string", json!({"type": ["string", "null"]})),
        ("!string", json!({"type": "string"})),
        ("*", json!({})),
        ("integer", json!({"type": "integer"})),
        (
            "Object.<string, integer>",
            json!({"type": "object", "additionalProperties": {"type": "integer"}}),
        ),
        (
            "Array.<String>",
            json!({"type": "array", "items": {"type": "string"}}),
        ),
        ("import('./t.js').T", json!({"type": "string"})),
    ] {
        let text = format!(
            "/** F.\n * @param {{{ty}}} a\n * @param {{1}} b */ export function f(a, b) {{}}"
        );
        let described =
            describe(&[("a.js", &text), ("t.js", "/** @typedef {string} T */")]).unwrap();
        assert_eq!(
            described.offers[0].input_schema["properties"]["a"], schema,
            "{ty}"
        );
    }
}

#[test]
fn names_are_looked_up() {
    let object = |members: Value, required: Value| json!({"type": "object", "additionalProperties": false, "properties": members, "required": required});
    let text = json!({"type": "string"});
    for (ty, more, schema) in [
        ("T", "type T = string;", text.clone()),
        (
            "T",
            "/** A text.\n * @pattern ^a */ type T = string;",
            json!({"type": "string", "description": "A text.", "pattern": "^a"}),
        ),
        (
            "T",
            "interface T { a: string }",
            object(json!({"a": {"type": "string"}}), json!(["a"])),
        ),
        (
            "T",
            "interface T { a: string }\ninterface T { b: string }",
            object(json!({"a": text, "b": text}), json!(["a", "b"])),
        ),
        (
            "T",
            "interface T extends U { a: string }\ninterface U { a: number; b?: 1 }",
            object(
                json!({"a": text, "b": {"type": "number", "const": 1}}),
                json!(["a"]),
            ),
        ),
        (
            "Partial<T> & {b: string}",
            "type T = { a: string }",
            object(json!({"a": text, "b": text}), json!(["b"])),
        ),
        (
            "Required<Omit<T, 'b'>>",
            "type T = { a?: string | undefined; b: string }",
            object(json!({"a": text}), json!(["a"])),
        ),
        (
            "keyof T",
            "type T = { a: string; b: string }",
            json!({"type": "string", "enum": ["a", "b"]}),
        ),
        (
            "keyof typeof T",
            "const T = { a: 1, b: 2 };",
            json!({"type": "string", "enum": ["a", "b"]}),
        ),
        (
            "(typeof T)[number]",
            "const T = ['x', 'y'] as const;",
            json!({"type": "string", "enum": ["x", "y"]}),
        ),
        (
            "T",
            "const T = { A: 'a', B: 'b' } as const; type T = (typeof T)[keyof typeof T];",
            json!({"type": "string", "enum": ["a", "b"]}),
        ),
        (
            "integer",
            "type integer = number;",
            json!({"type": "integer"}),
        ),
        ("NonNullable<string | null>", "", text.clone()),
        (
            "T['a'][]",
            "type T = { a: string }",
            json!({"type": "array", "items": {"type": "string"}}),
        ),
    ] {
        assert_eq!(typescript(ty, more), schema, "{ty} {more}");
    }
}

#[test]
fn what_json_does_not_have_is_refused_with_what_to_write() {
    for (ty, expected) in [
        (
            "Date",
            "a.ts:1: `f`: parameter `a`: there is no JSON schema for `Date` | write `string` and take an ISO 8601 date-time",
        ),
        ("bigint", "there is no JSON schema for `bigint`"),
        ("Map<string, number>", "`Map` | write `Record<string, T>`"),
        (
            "() => void",
            "there is no JSON schema for `() => void` | take data only",
        ),
        (
            "{ a(): void }",
            "there is no JSON schema for a member that is a function",
        ),
        ("Uint8Array", "base64"),
        ("symbol", "| write `string`"),
        ("Nothing", "the type `Nothing` is not declared | declare it"),
        (
            "Plaec",
            "the type `Plaec` is not declared | did you mean `Place`?",
        ),
        ("Box<string>", "`Box` is generic | write the type out"),
        ("Alien", "there is no type `Alien` in `elsewhere` |"),
        (
            "string & number",
            "this `&` joins types that are not objects",
        ),
        (
            "(string | undefined)[]",
            "JSON has no `undefined` | write `null`",
        ),
        (
            "E",
            "there is no JSON schema for the enum `E` | write `const Name",
        ),
        ("typeof place", "a `typeof` alone is no type of JSON"),
    ] {
        let more = "interface Place { a: string } type Box<T> = { of: T }; import type { Alien } from 'elsewhere'; declare enum E {} const place = {};";
        let found = refusal(
            "a.ts",
            &format!("/** F. */ export function f(a: {ty}, b: string): void {{}}\n{more}"),
        );
        assert!(found.contains(expected), "{ty}: {found}");
    }
}

#[test]
fn schemas_may_be_exported_by_name() {
    let text = "const schemas = { f: { description: 'F.', input: {} } } as const; export { schemas };\nexport function f() {}";
    assert_eq!(
        describe(&[("a.ts", text)]).unwrap().offers[0].description,
        "F."
    );
    let text = "const schemas = make(); export { schemas };\nexport function f() {}";
    assert!(refusal("a.ts", text).contains("`schemas` cannot be read without running the file"));
    // What is only declared is not there to be called.
    assert!(
        refusal("a.ts", "/** F. */ export declare function f(): void;")
            .contains("no function is exported")
    );
}

#[test]
fn stubs_hand_over_what_a_function_takes() {
    for (text, call) in [
        ("/** F. */ export function f() {}", "f()"),
        (
            "/** F.\n@param {string} a */ export function f(a) {}",
            "f(a.a)",
        ),
        (
            "/** F.\n@param {string} a\n@param {string} [if_] */ export const f = async (a, if_) => {}",
            "f(a.a, a.if_)",
        ),
        (
            "/** F.\n@param {{b: string}} a */ export function f(a) {}",
            "f(a)",
        ),
        (
            "/** F.\n@param {object} a */ export function f(a) {}",
            "f(a.a)",
        ),
        ("/** F. */ export function f({ b = 1 } = {}) {}", "f(a)"),
        ("/** F. */ function g() {} export { g as f }", "f()"),
    ] {
        let described = describe(&[("x/a \"b\".js", text)]).unwrap();
        let expected = format!(
            "import {{ f as f }} from \"./x/a \\\"b\\\".js\";\n\nexport async function run(a) {{\n  return {call};\n}}\n"
        );
        assert_eq!(file(&described, "oacp_tool_f.js"), expected);
    }
    let described = describe(&[("a.js", "/** F. */ export default function f() {}")]).unwrap();
    assert!(
        file(&described, "oacp_tool_f.js").starts_with("import { default as f } from \"./a.js\";")
    );
}
