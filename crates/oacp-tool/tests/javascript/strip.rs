//! Types that are blanked out, and what is refused.

use super::{describe, file, refusal};

/// The text of a file of TypeScript without its types, runs of spaces as one. Each line keeps its length.
fn stripped(text: &str) -> String {
    let whole = format!("{text}\n/** F. */ export function f() {{}}");
    let described =
        describe(&[("a.ts", &whole)]).unwrap_or_else(|refused| panic!("{text}: {refused}"));
    let result = file(&described, "a.js").to_owned();
    let lengths = |text: &str| {
        text.split('\n')
            .map(|line| line.chars().count())
            .collect::<Vec<_>>()
    };
    assert_eq!(lengths(&result), lengths(&whole), "{text}");
    let end = result.find("\n/** F. */").unwrap();
    squeezed(&result[..end])
}

fn squeezed(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        if !(c == ' ' && out.ends_with(' ')) {
            out.push(c);
        }
    }
    out
}

#[test]
fn a_statement_that_ended_with_a_type_still_ends() {
    for (text, expected) in [
        ("let a = b as T\n(c)", "let a = b;    \n(c)"),
        ("a = b as T\n[c]", "a = b;    \n[c]"),
        ("a\ntype T = 1\n(b)", "a\n;         \n(b)"),
        ("a\ninterface T {}\n[b]", "a\n;             \n[b]"),
        ("export default b as T\n(c)", "export default b;    \n(c)"),
        ("class A { get: T\ny() {} }", "class A { get;  \ny() {} }"),
        (
            "class A { x = 1\nprivate [y] = 2 }",
            "class A { x = 1\n;       [y] = 2 }",
        ),
        (
            "class A { x = 1;\n[k: string]: T\n*y() {} }",
            "class A { x = 1;\n;             \n*y() {} }",
        ),
        ("if (a) b as T\nelse c", "if (a) b;    \nelse c"),
        ("a = b as T; (c)", "a = b     ; (c)"),
    ] {
        assert_eq!(stripped(text), squeezed(expected), "{text}");
    }
}

#[test]
fn an_arrow_stays_on_the_line_of_its_parenthesis() {
    for (text, expected) in [
        (
            "const a = (b: T): {\n c: 1;\n} => b",
            "const a = (b       \n      \n) => b",
        ),
        (
            "const a = async (b)\n: T => b",
            "const a = async (b \n  ) => b",
        ),
        (
            "const a = <\n T\n>(b: T) => b",
            "const a = \n  \n (b ) => b",
        ),
        ("const a = (b): T => b", "const a = (b)    => b"),
        (
            "const a = (): é | {\n} | 'é' => b",
            "const a = (       \n     ) => b",
        ),
    ] {
        assert_eq!(stripped(text), squeezed(expected), "{text}");
    }
    for text in [
        "const a = async <T,\nU>(b) => b",
        "const a = () => { return <T,\nU>(b) => b }",
    ] {
        assert!(
            refusal("a.ts", text).contains("these type parameters are on several lines"),
            "{text}"
        );
    }
    assert!(
        refusal("a.ts", "const a = <\nT>b")
            .contains("a type in angle brackets is on several lines")
    );
}

#[test]
fn marks_and_modifiers_go() {
    for (text, expected) in [
        (
            "function f1(this: T, a?, b?: T) {}",
            "function f1(         a , b    ) {}",
        ),
        ("function f1(this: T) {}", "function f1(       ) {}"),
        ("let a!: T", "let a ;  "),
        ("a!.b![c]!()", "a .b [c] ()"),
        ("abstract class A {}", "         class A {}"),
        ("export abstract class A {}", "export          class A {}"),
        (
            "export default abstract class A {}",
            "export default          class A {}",
        ),
        (
            "class A<T> extends B<T> implements C<T>, D {}",
            "class A    extends B                        {}",
        ),
        (
            "class A { public static readonly a = 1 }",
            "class A {        static          a = 1 }",
        ),
        (
            "class A { readonly = 1; static = 2; declare; abstract() {} }",
            "class A { readonly = 1; static = 2; declare; abstract() {} }",
        ),
        (
            "class A { 'a'?: T; [b]!: T; c?() {} }",
            "class A { 'a'    ; [b]    ; c () {} }",
        ),
        (
            "class A { /* public */ private /* b */ c = 1 }",
            "class A { /* public */         /* b */ c = 1 }",
        ),
        (
            "const a = { b<T>(c: T): T { return c } }",
            "const a = { b   (c   )    { return c } }",
        ),
        (
            "try {} catch (e: unknown) {}",
            "try {} catch (e         ) {}",
        ),
        (
            "const [a, b]: T = c, { d }: T = e",
            "const [a, b]    = c, { d }    = e",
        ),
        ("for (const a of <T>b) {}", "for (const a of    b) {}"),
        (
            "(a as T) = 1; [a!] = [1]; (<T>a)++",
            "(a     ) = 1; [a ] = [1]; (   a)++",
        ),
    ] {
        assert_eq!(stripped(text), squeezed(expected), "{text}");
    }
}

#[test]
fn imports_of_types_go_and_names_follow_the_files() {
    let text = "import type { A } from './t.ts';\nimport { A as B, v } from './t.ts';\nimport { A as C } from './t';\nimport D, { type E } from './t.ts';\n\
        import * as t from '../x/t.ts';\nimport './t.ts';\nexport * from \"./t.ts\";\nexport { A, v as w } from './t.ts';\nimport { G } from './g';\n\
        import d, * as n from './t.ts';\nconst l = () => [import('./m.mts'), v, t, d];\nexport { B };\n/** F. */ export function f(): void {}";
    let described = describe(&[
        ("x/a.ts", text),
        ("x/t.ts", "export interface A {}\nexport const v = 1;\nexport default class D {}\nexport type E = 1;"),
        ("x/m.mts", "export {};"),
        ("x/g.d.ts", "export declare const G: string;"),
        ("x/b.js", "import { v } from './t.ts';\nexport default v;"),
        ("x/t.test.ts", "enum NotImported {}"),
    ])
    .unwrap();
    assert_eq!(
        squeezed(file(&described, "x/a.js")),
        squeezed(
            ";                               \nimport {         v } from './t.js';\n;                               \n;                                  \n\
        import * as t from '../x/t.js';\nimport './t.js';\nexport * from \"./t.js\";\nexport {    v as w } from './t.js';\n;                        \n\
        import d from './t.js';\nconst l = () => [import('./m.mjs'), v, t, d];\nexport { };\n/** F. */ export function f()       {}"
        )
    );
    let paths: Vec<_> = described
        .source
        .files()
        .map(|(path, _)| path.as_str())
        .collect();
    assert_eq!(
        paths,
        [
            "oacp_tool_f.js",
            "x/a.js",
            "x/b.js",
            "x/m.mjs",
            "x/t.js",
            "x/t.test.ts"
        ]
    );
    // Nothing imports it, so it is as it was.
    assert_eq!(
        file(&described, "x/b.js"),
        "import { v } from './t.ts';\nexport default v;"
    );
    assert!(
        described
            .warnings
            .iter()
            .any(|warning| warning.file.as_str() == "x/t.test.ts")
    );
}

#[test]
fn a_script_may_import_typescript() {
    let described = describe(&[
        (
            "a.mjs",
            "import { g } from './b.ts';\n/** F. */ export function f() { return g(); }",
        ),
        ("b.ts", "export function g(): number { return 1 }"),
    ])
    .unwrap();
    assert!(file(&described, "a.mjs").starts_with("import { g } from './b.js';\n"));
    assert_eq!(
        file(&described, "b.js"),
        "export function g()         { return 1 }"
    );
}

#[test]
fn two_files_of_one_name_are_refused() {
    let refused =
        describe(&[("a.ts", "/** F. */ export function f() {}"), ("a.js", "")]).expect_err("both");
    assert_eq!(
        refused.remarks[0].message,
        "compiled it is `a.js`, and the source has a file of that name"
    );
    let refused = describe(&[
        ("a.js", "/** F. */ export function f() {}"),
        ("oacp_tool_f.js", ""),
    ])
    .expect_err("stub");
    assert!(
        refused.remarks[0]
            .message
            .contains("as the function's stub is called")
    );
}
