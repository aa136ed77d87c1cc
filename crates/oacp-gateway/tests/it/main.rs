//! Agents, run and attested for real: every case goes through the spine, is verified from its bundle's bytes, and re-executed.

mod bad_input;
mod component;
mod determinism;
mod examples;
mod fixture;
mod tools;
