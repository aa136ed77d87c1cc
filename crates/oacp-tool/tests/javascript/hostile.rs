//! Files that nobody would write for a function's sake.

use oacp::source::Source;

use super::{describe, refusal};

/// A small generator of numbers, the same in every run.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, count: usize) -> usize {
        (self.next() % count as u64) as usize
    }
}

fn describe_bytes(name: &str, content: Vec<u8>) -> bool {
    let source = Source::single(name.parse().unwrap(), content).unwrap();
    match oacp_tool::javascript::describe(&source) {
        Ok(_) => true,
        Err(refused) => {
            // What a panic becomes.
            let message = refused.remarks[0].message.as_str();
            assert_ne!(message, "the parser gave up on a file");
            false
        }
    }
}

#[test]
fn a_hundred_thousand_brackets_are_refused() {
    for name in ["a.js", "a.ts"] {
        for unit in [
            "(", "[", "{", "`${", "({a:", "f(", "[a=", "()=>{", "a?(", "class{[", "a(b=>",
        ] {
            let refused = refusal(name, &unit.repeat(100_000));
            assert!(
                refused.contains("nested more than 200 levels deep"),
                "{unit}: {refused}"
            );
            let refused = refusal(name, &format!("x = {}", unit.repeat(100_000)));
            assert!(
                refused.contains("nested more than 200 levels deep"),
                "{unit}: {refused}"
            );
        }
    }
    for unit in [
        "a<",
        "(a=",
        "({a=(",
        "f<{a:",
        "a?(b):c=>",
        "a<b<",
        "Array<",
        "a as b<",
    ] {
        let refused = refusal("a.ts", &format!("let x: {}", unit.repeat(100_000)));
        assert!(
            refused.contains("nested more than 200 levels deep"),
            "{unit}: {refused}"
        );
    }
}

#[test]
fn what_nests_without_brackets_does_not_overflow_the_stack() {
    for (name, unit, end) in [
        ("a.js", "!", "1"),
        ("a.js", "~", "1"),
        ("a.js", "- ", "1"),
        ("a.js", "typeof ", "1"),
        ("a.js", "new ", "a"),
        ("a.js", "a=", "1"),
        ("a.js", "a**", "1"),
        ("a.js", "1+", "1"),
        ("a.js", "a.", "a"),
        ("a.js", "a&&", "a"),
        ("a.js", "a,", "a"),
        ("a.js", "if(1)", ";"),
        ("a.js", "if(1);else ", ";"),
        ("a.js", "for(;;)", ";"),
        ("a.js", "do ", ";"),
        ("a.js", "a:", ";"),
        ("a.js", "'a'+", "1"),
        ("a.ts", "@", ""),
        ("a.ts", "<a>", "1"),
        ("a.ts", "!", "1"),
        ("a.ts", "a!.", "b"),
        ("a.ts", "let x:keyof ", "x"),
        ("a.ts", "x as y|", "z"),
    ] {
        // A megabyte of what takes the most stack for a byte; of the others less, for the test's time.
        let bytes = if matches!(unit, "!" | "@") {
            1_000_000
        } else {
            100_000
        };
        let count = bytes / unit.len();
        describe(&[(name, &format!("{}{end}", unit.repeat(count)))]).expect_err(unit);
        describe(&[(
            name,
            &format!("export const x = {}{end};", unit.repeat(count)),
        )])
        .expect_err(unit);
    }
    for (unit, end) in [
        ("keyof ", "x"),
        ("readonly ", "x[]"),
        ("x|", "x"),
        ("x&", "x"),
        ("()=>", "x"),
        ("a extends b?c:", "d"),
        ("a.", "b"),
        ("typeof a.", "b"),
    ] {
        let text = format!(
            "/** F. */ export function f(a: {}{end}) {{}}",
            unit.repeat(100_000 / unit.len())
        );
        describe(&[("a.ts", &text)]).expect_err(unit);
    }
    for unit in [
        "keyof ", "x|", "x[]", "(", "{a:", "a<", "[", "import('", "...", "?(", "!",
    ] {
        let text = format!(
            "/** F. @x\n * @param {{{}}} a */ export function f(a) {{}}",
            unit.repeat(100_000 / unit.len())
        );
        describe(&[("a.js", &text)]).expect_err(unit);
    }
}

#[test]
fn a_megabyte_of_anything_is_an_answer() {
    let mut random = Random(42);
    let junk: Vec<u8> = (0..1 << 20).map(|_| random.next() as u8).collect();
    assert!(!describe_bytes("a.js", junk.clone()));
    assert!(!describe_bytes(
        "a.ts",
        junk.iter().map(|byte| byte & 0x7f).collect()
    ));
    let tokens = [
        "a",
        " ",
        "\n",
        "=",
        ";",
        "+",
        "1",
        "\"s\"",
        ",",
        "?",
        ":",
        "=>",
        ".",
        "!",
        "<",
        ">",
        "/",
        "as",
        "@",
        "function ",
        "export ",
    ];
    for name in ["a.js", "a.ts"] {
        let mut text = String::new();
        while text.len() < 1 << 20 {
            text.push_str(tokens[random.below(tokens.len())]);
        }
        text.truncate(1 << 20);
        describe_bytes(name, text.into_bytes());
    }
    let refused = refusal("a.js", &" ".repeat((1 << 20) + 1));
    assert!(refused.contains("more than 1048576 bytes"), "{refused}");
}

#[test]
fn no_bytes_panic() {
    let seeds = [
        include_str!("cases/interface.ts"),
        include_str!("cases/stripped.ts"),
        include_str!("cases/errors.ts"),
        include_str!("cases/errors.js"),
        include_str!("cases/typedefs.js"),
        include_str!("cases/schemas.js"),
    ];
    let mut random = Random(7);
    let rounds = std::env::var("ROUNDS").map_or(600, |rounds| rounds.parse().unwrap());
    for round in 0..rounds {
        let seed = seeds[random.below(seeds.len())];
        let mut content = seed.as_bytes().to_vec();
        for _ in 0..=random.below(8) {
            let at = random.below(content.len());
            match random.below(5) {
                0 => content[at] = random.next() as u8,
                1 => {
                    content.remove(at);
                }
                2 => content.truncate(at.max(1)),
                3 => {
                    let end = (at + random.below(40)).min(content.len());
                    let piece = content[at..end].to_vec();
                    let to = random.below(content.len());
                    content.splice(to..to, piece);
                }
                _ => content.insert(at, b"{}()[]<>/*'\"`\\@$?:;,.=|&!\n\0 "[random.below(28)]),
            }
            if content.is_empty() {
                content.push(b' ');
            }
        }
        let name = if round % 2 == 0 { "a.ts" } else { "a.js" };
        describe_bytes(name, content);
    }
}

#[test]
fn types_that_double_each_other_end() {
    let mut text = String::from("/** F. */ export function f(a: T0): void {}\n");
    for at in 0..40 {
        text += &format!("type T{at} = T{next} & T{next};\n", next = at + 1);
    }
    text += "type T40 = { a: string };\n";
    assert!(refusal("a.ts", &text).contains("too large or too deeply nested"));
    let mut text = String::from("/** F. */ export function f(a: T0): void {}\n");
    for at in 0..30 {
        text += &format!(
            "type T{at} = {{ l: T{next}; r: T{next} }};\n",
            next = at + 1
        );
    }
    text += "type T30 = { a: string };\n";
    let described = describe(&[("a.ts", &text)]).unwrap();
    assert!(described.offers[0].input_schema.to_string().len() < 8192);
    let mut text = String::from("/** F. */ export function f(a: T0): void {}\n");
    for at in 0..2000 {
        text += &format!("type T{at} = {{ l: T{next} }};\n", next = at + 1);
    }
    text += "type T2000 = { a: string };\n";
    assert!(refusal("a.ts", &text).contains("uses more than 256 types"));
}

#[test]
fn at_most_128_functions_are_offered() {
    let text: String = (0..200)
        .map(|at| format!("/** F. */ export function f{at}() {{}}\n"))
        .collect();
    assert!(refusal("a.js", &text).contains("more than 128 functions are exported"));
}

#[test]
fn files_that_export_each_other_end() {
    let described = describe(&[
        (
            "a.ts",
            "export { f } from './b.ts'; export * from './b.ts'; import type { T } from './b.ts'; /** G. */ export function g(t: T): void {}",
        ),
        (
            "b.ts",
            "export { f } from './a.ts'; export * from './a.ts'; export type { T } from './a.ts';",
        ),
    ]);
    let refused = described.expect_err("a circle");
    assert!(
        super::shown(&refused.remarks[0]).contains("there is no type `T`"),
        "{refused:?}"
    );
}
