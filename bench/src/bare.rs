//! The same component on bare Wasmtime: instantiate, run, drop. No limits, no recording, real clocks, nothing signed.

use wasmtime::component::{Component, InstancePre, Linker, LinkerInstance, ResourceTable, Val};
use wasmtime::{Config, Engine, Store};
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};

pub struct Bare {
    engine: Engine,
    pre: InstancePre<State>,
    source: Val,
}

struct State {
    wasi: WasiCtx,
    table: ResourceTable,
}

impl WasiView for State {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView {
            ctx: &mut self.wasi,
            table: &mut self.table,
        }
    }
}

impl Bare {
    /// With the configuration that the sandbox has, so that the difference is what OACP adds.
    pub fn new(wasm: Vec<u8>, name: &str, text: &str) -> Self {
        let mut config = Config::new();
        config
            .wasm_component_model(true)
            .cranelift_nan_canonicalization(true)
            .relaxed_simd_deterministic(true)
            .consume_fuel(true)
            .memory_init_cow(true)
            .generate_address_map(false)
            .max_wasm_stack(oacp_sandbox::limits::WASM_STACK_BYTES)
            .async_stack_size(oacp_sandbox::limits::WASM_STACK_BYTES + (1 << 20));
        let engine = Engine::new(&config).expect("an engine");
        // Mapped from a file, as the sandbox's is: memory that is mapped costs other page faults than memory that is copied.
        let file = crate::node::cache_dir().join(format!("bare-{name}.cwasm"));
        std::fs::write(
            &file,
            engine.precompile_component(&wasm).expect("a component"),
        )
        .expect("a file");
        // SAFETY: written two lines above, by this engine.
        let component =
            unsafe { Component::deserialize_file(&engine, &file) }.expect("a component");
        let mut linker = Linker::<State>::new(&engine);
        wasmtime_wasi::p2::add_to_linker_async(&mut linker).expect("wasi");
        // Of OACP's own interfaces a trivial agent asks two, at its start.
        let functions = [
            ("port", "wait"),
            ("tools", "start"),
            ("http", "start"),
            ("files", "read"),
            ("files", "write"),
            ("files", "list"),
            ("files", "status"),
            ("files", "make-directory"),
            ("files", "remove"),
            ("files", "rename"),
            ("environment", "get"),
            ("denials", "latest"),
            ("log", "log"),
        ];
        for (interface, function) in functions {
            let called =
                move |_: wasmtime::StoreContextMut<'_, State>, _, _: &[Val], _: &mut [Val]| {
                    Err(wasmtime::Error::msg(format!(
                        "a trivial agent called `{function}`"
                    )))
                };
            own(&mut linker, interface)
                .func_new(function, called)
                .expect("a function");
        }
        own(&mut linker, "files")
            .func_wrap("working-directory", |_, (): ()| Ok(("/".to_owned(),)))
            .expect("a function");
        own(&mut linker, "environment")
            .func_wrap("variables", |_, (): ()| {
                Ok((Vec::<(String, String)>::new(),))
            })
            .expect("a function");
        let content = text.bytes().map(Val::U8).collect();
        let file = Val::Record(vec![
            ("path".into(), Val::String(name.into())),
            ("content".into(), Val::List(content)),
        ]);
        let source = Val::Record(vec![
            ("files".into(), Val::List(vec![file])),
            ("entry".into(), Val::String(name.into())),
        ]);
        Self {
            pre: linker.instantiate_pre(&component).expect("linked"),
            engine,
            source,
        }
    }

    pub async fn run(&self, input: &str) {
        let state = State {
            wasi: WasiCtx::builder().build(),
            table: ResourceTable::new(),
        };
        let mut store = Store::new(&self.engine, state);
        store.set_fuel(u64::MAX / 2).expect("fuel");
        store
            .fuel_async_yield_interval(Some(oacp_sandbox::limits::FUEL_YIELD_INTERVAL))
            .expect("fuel");
        let instance = self
            .pre
            .instantiate_async(&mut store)
            .await
            .expect("an instance");
        let run = instance.get_func(&mut store, "run").expect("an export");
        let mut results = [Val::Bool(false)];
        run.call_async(
            &mut store,
            &[self.source.clone(), Val::String(input.into())],
            &mut results,
        )
        .await
        .expect("a result");
        assert!(matches!(&results[0], Val::Result(Ok(_))), "{results:?}");
    }
}

fn own<'a>(linker: &'a mut Linker<State>, interface: &str) -> LinkerInstance<'a, State> {
    linker
        .instance(&format!("oacp:agent/{interface}@0.1.0"))
        .expect("an instance")
}
