//! A statement is written as it was read, but for the fields that this version does not know.
#![no_main]

use libfuzzer_sys::fuzz_target;
use oacp::ExecutionStatement;

fuzz_target!(|data: &[u8]| {
    let Ok(mut statement) = ExecutionStatement::parse(data) else {
        return;
    };
    statement.unknown.clear();
    assert_eq!(
        ExecutionStatement::parse(&statement.to_payload()),
        Ok(statement)
    );
});
