//! Components that are made to be dear to compile, compiled by a process of its own.

use std::time::Duration;

use oacp::digest::Digest;
use oacp_sandbox::{CompileError, CompileLimits, Compiler, Engine, ProgramError, read_component};

use crate::fixture::{block_on, component, job, load_on, options};

const MIB: u64 = 1 << 20;

fn engine(seconds_max: u64, memory_bytes_max: u64) -> Engine {
    let mut options = options();
    options.compiler = Compiler::Process {
        program: env!("CARGO_BIN_EXE_compile-child").into(),
        arguments: Vec::new(),
        limits: CompileLimits {
            seconds_max,
            memory_bytes_max,
        },
    };
    Engine::new(options).unwrap()
}

/// A component around a core module that nobody calls.
fn around(module: &[u8]) -> Vec<u8> {
    let mut wasm = b"\0asm\x0d\0\x01\0\x01".to_vec();
    leb128(module.len(), &mut wasm);
    wasm.extend(module);
    wasm
}

fn leb128(mut value: usize, to: &mut Vec<u8>) {
    loop {
        let byte = (value & 0x7f) as u8;
        value >>= 7;
        to.push(if value == 0 { byte } else { byte | 0x80 });
        if value == 0 {
            return;
        }
    }
}

/// A core module of functions `() -> ()` with these bodies, the locals' declaration included.
fn module<'a>(bodies: impl ExactSizeIterator<Item = &'a [u8]>) -> Vec<u8> {
    let mut wasm = b"\0asm\x01\0\0\0".to_vec();
    let mut section = |id: u8, content: Vec<u8>| {
        wasm.push(id);
        leb128(content.len(), &mut wasm);
        wasm.extend(content);
    };
    section(1, vec![1, 0x60, 0, 0]);
    let count = bodies.len();
    let mut functions = Vec::new();
    leb128(count, &mut functions);
    functions.resize(functions.len() + count, 0);
    section(3, functions);
    let mut code = Vec::new();
    leb128(count, &mut code);
    for body in bodies {
        leb128(body.len(), &mut code);
        code.extend(body);
    }
    section(10, code);
    wasm
}

/// One function of many locals, each of which lives across many loops: what a register allocator likes least.
fn wide_function(locals: usize, blocks: usize) -> Vec<u8> {
    let mut body = vec![1];
    leb128(locals, &mut body);
    body.push(0x7f);
    for block in 0..blocks {
        // loop; local := local + other; br_if 0; end
        body.extend([0x03, 0x40]);
        for n in 0..4 {
            body.push(0x20);
            leb128((block * 7 + n * 13) % locals, &mut body);
            body.push(0x20);
            leb128((block * 11 + n * 17 + 1) % locals, &mut body);
            body.extend([0x6a, 0x21]);
            leb128((block * 5 + n * 19 + 2) % locals, &mut body);
        }
        body.push(0x20);
        leb128(block % locals, &mut body);
        body.extend([0x0d, 0, 0x0b]);
    }
    body.push(0x0b);
    module([body.as_slice()].into_iter())
}

fn compile(engine: &Engine, wasm: &[u8]) -> ProgramError {
    load_on(engine, wasm).err().unwrap()
}

#[test]
fn what_is_compiled_by_a_process_runs() {
    let wasm = component(
        "package a:b; world guest { export twice: func(n: u32) -> u32; }",
        "",
        r#"(func (export "twice") (param i32) (result i32) (i32.mul (local.get 0) (i32.const 2)))"#,
    );
    let dir = tempfile::tempdir().unwrap();
    let mut options = options();
    options.cache_dir = Some(dir.path().to_owned());
    options.compiler = Compiler::Process {
        program: env!("CARGO_BIN_EXE_compile-child").into(),
        arguments: Vec::new(),
        limits: CompileLimits::default(),
    };
    let engine = Engine::new(options).unwrap();
    let program = load_on(&engine, &wasm).unwrap();
    let call = job(&program, "#twice", r#"{"n":4}"#);
    let run = block_on(oacp_sandbox::run(&engine, call)).unwrap();
    assert_eq!(run.output, b"8");
    // From the cache, without a process.
    let mut options = crate::fixture::options();
    options.cache_dir = Some(dir.path().to_owned());
    options.compiler = Compiler::Process {
        program: "/nonexistent".into(),
        arguments: Vec::new(),
        limits: CompileLimits::default(),
    };
    let engine = Engine::new(options).unwrap();
    load_on(&engine, &wasm).unwrap();
    let other = component(
        "package a:b; world guest { export f: func(); }",
        "",
        r#"(func (export "f"))"#,
    );
    let error = compile(&engine, &other);
    assert!(
        matches!(error, ProgramError::Compiler(CompileError::Start { .. })),
        "{error:?}"
    );
}

#[test]
fn what_is_no_component_is_that_and_no_crash() {
    let engine = engine(60, 4096 * MIB);
    let error = compile(&engine, b"\0asm\x0d\0\x01\0\x01\x7f");
    assert!(matches!(error, ProgramError::Compile(_)), "{error:?}");
}

#[test]
fn a_function_that_takes_too_long_is_stopped() {
    let engine = engine(2, 4096 * MIB);
    let error = compile(&engine, &around(&wide_function(20_000, 60_000)));
    assert!(
        matches!(error, ProgramError::Compiler(CompileError::TooSlow(2))),
        "{error:?}"
    );
}

#[test]
fn a_function_that_takes_too_much_memory_is_stopped() {
    let engine = engine(120, 256 * MIB);
    let error = compile(&engine, &around(&wide_function(20_000, 60_000)));
    assert!(
        matches!(
            error,
            ProgramError::Compiler(CompileError::TooMuchMemory(_))
        ),
        "{error:?}"
    );
    assert!(error.to_string().contains("256 MiB"), "{error}");
}

#[test]
fn hundreds_of_thousands_of_functions_meet_a_limit() {
    let body: &[u8] = &[0, 0x0b];
    let wasm = around(&module(std::iter::repeat_n(body, 900_000)));
    let error = compile(&engine(3, 512 * MIB), &wasm);
    assert!(
        matches!(
            error,
            ProgramError::Compiler(CompileError::TooSlow(_) | CompileError::TooMuchMemory(_))
        ),
        "{error:?}"
    );
}

#[test]
fn blocks_within_blocks_do_not_overflow_the_stack() {
    let depth = 1_000_000;
    let mut body = vec![0];
    body.extend([0x02, 0x40].repeat(depth));
    body.extend(vec![0x0b; depth + 1]);
    let wasm = around(&module([body.as_slice()].into_iter()));
    match load_on(&engine(20, 1024 * MIB), &wasm).err().unwrap() {
        // It compiled, and exports nothing.
        ProgramError::World { .. } | ProgramError::Compile(_) => {}
        ProgramError::Compiler(CompileError::TooSlow(_) | CompileError::TooMuchMemory(_)) => {}
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_compiler_that_dies_or_says_nonsense_is_an_error() {
    let wasm = around(b"\0asm\x01\0\0\0");
    let with = |program: &str, arguments: &[&str], seconds_max| {
        let mut options = options();
        options.compiler = Compiler::Process {
            program: program.into(),
            arguments: arguments.iter().map(|a| (*a).to_owned()).collect(),
            limits: CompileLimits {
                seconds_max,
                ..CompileLimits::default()
            },
        };
        compile(&Engine::new(options).unwrap(), &wasm)
    };
    let sh = "/bin/sh";
    let error = with(
        sh,
        &[
            "-c",
            "echo 'at work' >&2; printf 'alas \\033[31m' >&2; kill -ABRT $$",
        ],
        60,
    );
    match &error {
        ProgramError::Compiler(CompileError::Crashed { said, .. }) => {
            assert_eq!(said, "alas \u{fffd}[31m")
        }
        other => panic!("{other:?}"),
    }
    let error = with(sh, &["-c", "exit 3"], 60);
    assert!(error.to_string().contains("exit status: 3"), "{error}");
    let error = with("/bin/cat", &[], 60);
    assert!(
        matches!(error, ProgramError::Compiler(CompileError::Crashed { .. })),
        "{error:?}"
    );
    let error = with(sh, &["-c", "exec sleep 100"], 1);
    assert!(
        matches!(error, ProgramError::Compiler(CompileError::TooSlow(1))),
        "{error:?}"
    );
    // A reply larger than it may be is not read.
    let error = with(
        sh,
        &[
            "-c",
            r"printf 'OACPcwa1\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1'; exec cat >/dev/null",
        ],
        60,
    );
    assert!(
        matches!(error, ProgramError::Compiler(CompileError::TooLarge)),
        "{error:?}"
    );
}

#[test]
fn a_file_that_is_too_large_is_refused_by_its_size() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("huge.wasm");
    std::fs::File::create(&path)
        .unwrap()
        .set_len(200 << 20)
        .unwrap();
    let error = read_component(&path).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the component has 209715200 bytes, the limit is 67108864"
    );
    let bytes = vec![0; 65 << 20];
    let error = crate::fixture::engine()
        .load(Digest::of(b""), || Ok(bytes), &|_| {})
        .err()
        .unwrap();
    assert!(matches!(error, ProgramError::TooLarge { .. }), "{error:?}");
}

#[test]
#[cfg(target_os = "linux")]
fn the_process_limits_itself_before_it_reads_the_component() {
    use std::io::Write;
    use std::process::{Command, Stdio};
    let mut child = Command::new(env!("CARGO_BIN_EXE_compile-child"))
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    // What is asked for, the meter, seconds of the processor, bytes of memory; of the component nothing.
    let mut request = b"OACPcmp1".to_vec();
    for word in [0_u64, 77, 1 << 30] {
        request.extend(word.to_le_bytes());
    }
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(&request).unwrap();
    let limits = (0..500).find_map(|_| {
        std::thread::sleep(Duration::from_millis(10));
        let limits = std::fs::read_to_string(format!("/proc/{}/limits", child.id())).unwrap();
        limits.contains("1073741824").then_some(limits)
    });
    drop(stdin);
    assert!(!child.wait().unwrap().success());
    let limits = limits.unwrap();
    for (name, max) in [
        ("Max cpu time", 77),
        ("Max file size", 0),
        ("Max core file size", 0),
        ("Max open files", 16),
        ("Max address space", 1 << 30),
    ] {
        let line = limits.lines().find(|line| line.starts_with(name)).unwrap();
        let mut numbers = line.strip_prefix(name).unwrap().split_whitespace();
        let soft_and_hard = [numbers.next().unwrap(), numbers.next().unwrap()];
        assert_eq!(soft_and_hard, [max.to_string(), max.to_string()], "{line}");
    }
}
