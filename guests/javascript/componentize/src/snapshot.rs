//! Runs a module's `initialize` and gives the module the memory that it leaves.

use std::error::Error;

use wasm_encoder::reencode::{Reencode, RoundtripReencoder};
use wasm_encoder::{ConstExpr, DataSection, ExportSection, MemorySection, MemoryType, Module as Encoded, RawSection};
use wasmi::{Engine, Instance, Linker, Memory, Module, Store};
use wasmparser::{Parser, Payload};

const PAGE: usize = 65536;
/// Exports that have done their work when the module is initialized.
const SPENT: [&str; 2] = ["initialize", "_initialize"];
/// A segment ends where at least this many zeros follow: less than a new segment would take.
const GAP: usize = 16;

type Fault = Box<dyn Error>;

/// The module, initialized on `files`: pairs of name and content, sorted by name.
pub fn initialized(wasm: &[u8], files: &[(String, Vec<u8>)]) -> Result<Vec<u8>, Fault> {
    let image = image(wasm, files)?;
    let stack_top = stack_pointer(wasm)?;
    rewrite(wasm, image, stack_top)
}

fn image(wasm: &[u8], files: &[(String, Vec<u8>)]) -> Result<Vec<u8>, Fault> {
    let engine = Engine::default();
    let module = Module::new(&engine, wasm)?;
    let mut linker = Linker::<()>::new(&engine);
    for import in module.imports() {
        let Some(ty) = import.ty().func() else { return Err(format!("import `{}` is no function", import.name()).into()) };
        let name = format!("{}#{}", import.module(), import.name());
        linker.func_new(import.module(), import.name(), ty.clone(), move |_, _, _| {
            Err(wasmi::Error::new(format!("`{name}` was called during initialization")))
        })?;
    }
    let mut store = Store::new(&engine, ());
    let instance = linker.instantiate_and_start(&mut store, &module)?;
    let memory = instance.get_memory(&store, "memory").ok_or("the module exports no memory")?;
    if let Some(constructors) = instance.get_func(&store, "_initialize") {
        constructors.call(&mut store, &[], &mut [])?;
    }

    let mut list = Vec::new();
    for (name, content) in files {
        for bytes in [name.as_bytes(), content] {
            let at = place(&mut store, &instance, memory, bytes)?;
            list.extend_from_slice(&at.to_le_bytes());
            list.extend_from_slice(&u32::try_from(bytes.len())?.to_le_bytes());
        }
    }
    let list = place(&mut store, &instance, memory, &list)?;
    let initialize = instance.get_typed_func::<(u32, u32), u32>(&store, "initialize")?;
    let message = initialize.call(&mut store, (list, u32::try_from(files.len())?))?;
    let data = memory.data(&store);
    if message != 0 {
        let text = data.get(message as usize..).unwrap_or_default();
        let text = text.split(|&byte| byte == 0).next().unwrap_or_default();
        return Err(format!("initialize: {}", String::from_utf8_lossy(text)).into());
    }
    Ok(data.to_vec())
}

fn place(store: &mut Store<()>, instance: &Instance, memory: Memory, bytes: &[u8]) -> Result<u32, Fault> {
    let realloc = instance.get_typed_func::<(u32, u32, u32, u32), u32>(&*store, "cabi_realloc")?;
    let at = realloc.call(&mut *store, (0, 0, 8, u32::try_from(bytes.len())?))?;
    memory.write(store, at as usize, bytes)?;
    Ok(at)
}

/// The initial stack pointer: the module's only mutable global. Below it lies the stack, which is
/// dead when `initialize` has returned.
fn stack_pointer(wasm: &[u8]) -> Result<usize, Fault> {
    let mut found = Vec::new();
    for payload in Parser::new(0).parse_all(wasm) {
        let Payload::GlobalSection(section) = payload? else { continue };
        for global in section {
            let global = global?;
            if global.ty.mutable {
                let Some(Ok(wasmparser::Operator::I32Const { value })) = global.init_expr.get_operators_reader().into_iter().next()
                else {
                    return Err("a mutable global without a constant".into());
                };
                found.push(usize::try_from(value)?);
            }
        }
    }
    match found.as_slice() {
        [one] => Ok(*one),
        _ => Err(format!("{} mutable globals; only the stack pointer may be one", found.len()).into()),
    }
}

fn rewrite(wasm: &[u8], mut image: Vec<u8>, stack_top: usize) -> Result<Vec<u8>, Fault> {
    image.get_mut(..stack_top).ok_or("the stack lies outside of memory")?.fill(0);
    let mut out = Encoded::new();
    for payload in Parser::new(0).parse_all(wasm) {
        match payload? {
            Payload::MemorySection(section) => {
                let mut memories = MemorySection::new();
                for memory in section {
                    let memory = memory?;
                    memories.memory(MemoryType {
                        minimum: (image.len() / PAGE) as u64,
                        maximum: memory.maximum,
                        memory64: memory.memory64,
                        shared: memory.shared,
                        page_size_log2: memory.page_size_log2,
                    });
                }
                out.section(&memories);
            }
            Payload::ExportSection(section) => {
                let mut exports = ExportSection::new();
                for export in section {
                    let export = export?;
                    if !SPENT.contains(&export.name) {
                        RoundtripReencoder.parse_export(&mut exports, export)?;
                    }
                }
                out.section(&exports);
            }
            Payload::DataSection(section) => {
                for data in section {
                    if matches!(data?.kind, wasmparser::DataKind::Passive) {
                        return Err("a passive data segment".into());
                    }
                }
                out.section(&segments(&image));
            }
            Payload::DataCountSection { .. } | Payload::CustomSection(_) => {}
            Payload::StartSection { .. } => return Err("the module has a start function".into()),
            other => {
                if let Some((id, range)) = other.as_section() {
                    let data = wasm.get(range).ok_or("a section outside of the module")?;
                    out.section(&RawSection { id, data });
                }
            }
        }
    }
    Ok(out.finish())
}

/// The image without its zeros.
fn segments(image: &[u8]) -> DataSection {
    let mut section = DataSection::new();
    let mut at = 0;
    while let Some(skip) = image.get(at..).and_then(|rest| rest.iter().position(|&byte| byte != 0)) {
        let start = at + skip;
        let mut end = start + 1;
        let mut zeros = 0;
        for (offset, &byte) in image.iter().enumerate().skip(end) {
            if byte == 0 {
                zeros += 1;
                if zeros >= GAP {
                    break;
                }
            } else {
                zeros = 0;
                end = offset + 1;
            }
        }
        section.active(0, &ConstExpr::i32_const(start as i32), image.get(start..end).unwrap_or_default().iter().copied());
        at = end;
    }
    section
}
