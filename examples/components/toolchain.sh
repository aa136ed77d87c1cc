# What turns sources into components, to be sourced by a build.sh that has set `here`, the directory of its sources.
#
# Needs python3 with venv, and cargo. Everything else is fetched once, in pinned versions, by the registries' own clients.
toolchain=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
work=${CARGO_TARGET_DIR:-$toolchain/../../target}/component-build
mkdir -p "$work"
work=$(cd "$work" && pwd)

if ! [ -x "$work/venv/bin/python" ]; then python3 -m venv "$work/venv"; fi
"$work/venv/bin/pip" install --quiet --disable-pip-version-check --requirement "$toolchain/requirements.txt"
wasm_tools=$work/venv/bin/wasm-tools
zig() { ZIG_GLOBAL_CACHE_DIR="$work/zig" ZIG_LOCAL_CACHE_DIR="$work/zig" "$work/venv/bin/python" -m ziglang "$@"; }

target=(-target wasm32-wasi -mcpu=mvp+bulk_memory+mutable_globals+nontrapping_fptoint+sign_ext+multivalue)
flags=(
    "${target[@]}" -std=gnu11 -Os -g0 -s
    -ffile-prefix-map="$here=." -ffile-prefix-map="$work=build" -fno-sanitize=all -Wl,-z,stack-size=65536
)

wit_bindgen() {
    if ! [ -x "$work/wit-bindgen/bin/wit-bindgen" ]; then
        env -u CARGO_TARGET_DIR cargo install --quiet --locked --root "$work/wit-bindgen" --no-default-features --features c wit-bindgen-cli@0.63.0
    fi
    "$work/wit-bindgen/bin/wit-bindgen" "$@" >/dev/null
}

bindings() { # WIT WORLD: writes its C bindings to $work/bindings/WORLD
    wit_bindgen c "$1" --world "$2" --out-dir "$work/bindings/$2"
}

reactor() { # NAME WORLD SOURCE…: a library of C, or of objects, with its bindings
    local name=$1 world=$2 snake=${2//-/_}
    shift 2
    zig cc "${flags[@]}" -mexec-model=reactor -Wall -Wextra -Wno-unused-parameter -I"$work/bindings/$world" -o "$work/$name.core.wasm" \
        "$@" "$work/bindings/$world/$snake.c" "$work/bindings/$world/${snake}_component_type.o"
    "$wasm_tools" component new "$work/$name.core.wasm" -o "$work/$name.wasm"
    finish "$name"
}

program() { # NAME SOURCE…: a C program of WASI's first preview, made one of its second
    local name=$1 adapter=wasi-preview1-component-adapter-provider-48.0.8
    shift
    zig cc "${flags[@]}" -Wall -Wextra -o "$work/$name.core.wasm" "$@"
    cargo info --quiet "${adapter%-*}@${adapter##*-}" >/dev/null
    tar -xzf "${CARGO_HOME:-$HOME/.cargo}"/registry/cache/*/$adapter.crate -C "$work"
    "$wasm_tools" component new "$work/$name.core.wasm" -o "$work/$name.wasm" \
        --adapt wasi_snapshot_preview1="$work/$adapter/artefacts/wasi_snapshot_preview1.command.wasm"
    finish "$name"
}

finish() { # NAME: what is committed
    "$wasm_tools" strip --all "$work/$1.wasm" -o "$here/$1/$1.wasm"
}

document() { # NAME: `wasm-tools component new` leaves the documentation of the WIT behind; it is put back where it is looked for
    "$wasm_tools" component wit --wasm "$here/$1/world.wit" -o "$work/$1.wit.wasm"
    "$work/venv/bin/python" "$toolchain/copy_docs.py" "$work/$1.wit.wasm" "$here/$1/$1.wasm"
}
