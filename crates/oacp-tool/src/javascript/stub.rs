//! The file that the node runs: it hands the arguments of a call to the function.

use super::signature::Call;

/// The name of a function's stub.
pub(super) fn file_name(function: &str) -> String {
    format!("oacp_tool_{function}.js")
}

/// The stub of what the file `path` exports as `exported`. An argument that is missing is `undefined`, so that the function's default applies.
pub(super) fn stub(path: &str, exported: &str, call: &Call) -> String {
    let path = serde_json::Value::String(format!("./{path}"));
    let arguments = match call {
        Call::Whole => "a".to_owned(),
        Call::Named(names) => names
            .iter()
            .map(|name| format!("a.{name}"))
            .collect::<Vec<_>>()
            .join(", "),
    };
    format!(
        "import {{ {exported} as f }} from {path};\n\nexport async function run(a) {{\n  return f({arguments});\n}}\n"
    )
}
