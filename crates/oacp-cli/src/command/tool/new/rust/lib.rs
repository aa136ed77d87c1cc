//! The tool `@NAME@`: a component of the world `tool` of wit/, which says of itself what it takes and gives.

use serde::Deserialize;

wit_bindgen::generate!({ path: "wit", world: "tool" });

struct Tool;

export!(Tool);

#[derive(Deserialize)]
struct Arguments {
    numbers: Vec<f64>,
}

impl Guest for Tool {
    fn definitions() -> Vec<Definition> {
        vec![Definition {
            name: "@NAME@".to_owned(),
            description: "The mean of some numbers.".to_owned(),
            // JSON Schema 2020-12. Arguments and result are judged by these before and after each call.
            input_schema: r#"{"type": "object", "required": ["numbers"], "additionalProperties": false, "properties":
                {"numbers": {"type": "array", "items": {"type": "number"}}}}"#
                .to_owned(),
            output_schema: Some(r#"{"type": "number"}"#.to_owned()),
        }]
    }

    fn call(_name: String, arguments: String) -> Result<String, RunError> {
        let Arguments { numbers } = serde_json::from_str(&arguments).map_err(|error| failed(&error))?;
        if numbers.is_empty() {
            return Err(failed(&"there are no numbers"));
        }
        let mean = numbers.iter().sum::<f64>() / numbers.len() as f64;
        serde_json::to_string(&mean).map_err(|error| failed(&error))
    }
}

/// A call that gives no result, and why.
fn failed(why: &impl ToString) -> RunError {
    RunError {
        message: why.to_string(),
        trace: String::new(),
        location: None,
        denied: None,
    }
}
