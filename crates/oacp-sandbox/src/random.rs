//! The guest's randomness: `wasi:random`, all of it from one recorded seed.
//!
//! ChaCha20 with the seed as its key; the three interfaces of `wasi:random` read its streams 0, 1 and
//! 2, so that asking one does not change what another gives. The seed never reaches the guest.

use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};
use wasmtime::StoreContextMut;
use wasmtime::component::Linker;

use crate::limits::RANDOM_BYTES_MAX;
use crate::state::{State, charge};

pub(crate) struct Randomness {
    secure: ChaCha20Rng,
    insecure: ChaCha20Rng,
    seeds: ChaCha20Rng,
}

impl Randomness {
    pub(crate) fn new(seed: [u8; 32]) -> Self {
        let stream = |number| {
            let mut stream = ChaCha20Rng::from_seed(seed);
            stream.set_stream(number);
            stream
        };
        Self {
            secure: stream(0),
            insecure: stream(1),
            seeds: stream(2),
        }
    }
}

pub(crate) fn link(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    link_stream(linker, "random", "random", |r| &mut r.secure)?;
    link_stream(linker, "insecure", "insecure-random", |r| &mut r.insecure)?;
    let mut instance = linker.instance("wasi:random/insecure-seed@0.2.12")?;
    instance.func_wrap_async(
        "insecure-seed",
        |mut store: StoreContextMut<'_, State>, (): ()| {
            Box::new(async move {
                charge(&mut store, 16).await?;
                let seeds = &mut store.data_mut().random.seeds;
                Ok(((seeds.next_u64(), seeds.next_u64()),))
            })
        },
    )
}

fn link_stream(
    linker: &mut Linker<State>,
    interface: &str,
    noun: &str,
    stream: fn(&mut Randomness) -> &mut ChaCha20Rng,
) -> wasmtime::Result<()> {
    let mut instance = linker.instance(&format!("wasi:random/{interface}@0.2.12"))?;
    instance.func_wrap_async(
        &format!("get-{noun}-bytes"),
        move |mut store: StoreContextMut<'_, State>, (length,): (u64,)| {
            Box::new(async move {
                if length > RANDOM_BYTES_MAX {
                    return Err(wasmtime::Error::msg(format!(
                        "the guest asks for {length} random bytes, the limit is {RANDOM_BYTES_MAX}"
                    )));
                }
                let mut bytes = vec![0; length as usize];
                charge(&mut store, bytes.len()).await?;
                stream(&mut store.data_mut().random).fill_bytes(&mut bytes);
                Ok((bytes,))
            })
        },
    )?;
    instance.func_wrap_async(
        &format!("get-{noun}-u64"),
        move |mut store: StoreContextMut<'_, State>, (): ()| {
            Box::new(async move {
                charge(&mut store, 8).await?;
                Ok((stream(&mut store.data_mut().random).next_u64(),))
            })
        },
    )
}
