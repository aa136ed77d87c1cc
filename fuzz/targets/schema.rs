//! A JSON schema of a stranger's tool, a line, and behind it arguments, a line each. Judging is bounded and says the same twice.
#![no_main]

use libfuzzer_sys::fuzz_target;
use oacp_tool::limits::VALUE;
use oacp_tool::schema::Schema;

fuzz_target!(|data: &[u8]| {
    let mut lines = data.split(|byte| *byte == b'\n');
    let Some(Ok(value)) = lines.next().map(|line| oacp::json::admit(line, VALUE)) else {
        return;
    };
    let input = Schema::admit_input(&value);
    let Ok(schema) = Schema::admit(&value) else {
        assert!(input.is_err(), "what no tool may return, none may take");
        return;
    };
    assert_eq!(schema.value(), &value);
    for line in lines {
        let judged = schema.validate(line);
        assert_eq!(judged.is_ok(), schema.validate(line).is_ok());
        if let Err(violations) = &judged {
            assert!(!violations.to_string().is_empty());
        }
        if let Ok(input) = &input {
            assert_eq!(input.validate(line).is_ok(), judged.is_ok());
        }
        if let Ok(value) = oacp::json::admit(line, VALUE) {
            assert_eq!(schema.validate_value(&value).is_ok(), judged.is_ok());
        }
    }
});
