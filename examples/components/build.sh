#!/usr/bin/env bash
# Builds the components of this directory: build.sh [NAME…]
#
# Small ones (every-type http-echo spin-host word-count) are written beside their sources, and SHA256SUMS pins them; large
# ones (json-pointer: 12 MB, summary: 19 MB) go to target/components and only when named.
# Needs python3 with venv, and cargo; for json-pointer node 20 and npm. Each is fetched from its registry once.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
work=${OACP_COMPONENT_BUILD:-$here/../../target/component-build}
output=$here/../../target/components
mkdir -p "$work" "$output"
work=$(cd "$work" && pwd)

if ! [ -x "$work/venv/bin/python" ]; then python3 -m venv "$work/venv"; fi
"$work/venv/bin/pip" install --quiet --disable-pip-version-check --requirement "$here/requirements.txt"
wasm_tools=$work/venv/bin/wasm-tools
zig() { ZIG_GLOBAL_CACHE_DIR="$work/zig" ZIG_LOCAL_CACHE_DIR="$work/zig" "$work/venv/bin/python" -m ziglang "$@"; }

flags=(
    -target wasm32-wasi -std=gnu11 -Os -g0 -s
    -mcpu=mvp+bulk_memory+mutable_globals+nontrapping_fptoint+sign_ext+multivalue
    -ffile-prefix-map="$here=." -ffile-prefix-map="$work=build" -fno-sanitize=all -Wl,-z,stack-size=65536
)

bindings() { # WIT WORLD: writes its C bindings to $work/bindings/WORLD
    if ! [ -x "$work/wit-bindgen/bin/wit-bindgen" ]; then
        cargo install --quiet --locked --root "$work/wit-bindgen" --no-default-features --features c wit-bindgen-cli@0.63.0
    fi
    "$work/wit-bindgen/bin/wit-bindgen" c "$1" --world "$2" --out-dir "$work/bindings/$2" >/dev/null
}

reactor() { # NAME WORLD SOURCE: a library of C, with its bindings
    local snake=${2//-/_}
    zig cc "${flags[@]}" -mexec-model=reactor -Wall -Wextra -Wno-unused-parameter -I"$work/bindings/$2" -o "$work/$1.core.wasm" \
        "$here/$1/$3" "$work/bindings/$2/$snake.c" "$work/bindings/$2/${snake}_component_type.o"
    "$wasm_tools" component new "$work/$1.core.wasm" -o "$work/$1.wasm"
    finish "$1"
}

finish() { # NAME
    "$wasm_tools" strip --all "$work/$1.wasm" -o "$here/$1/$1.wasm"
}

spin_wit() { # the WIT that Spin's SDK carries: its own triggers and WASI's packages
    if ! [ -d "$work/spin/spin_sdk" ]; then
        "$work/venv/bin/pip" download --quiet --no-deps --only-binary=:all: --python-version=3.14 --dest "$work/spin" spin-sdk==5.0.0
        "$work/venv/bin/python" -m zipfile -e "$work"/spin/spin_sdk-5.0.0-*.whl "$work/spin"
    fi
    echo "$work/spin/spin_sdk/wit/deps"
}

every_type() {
    bindings "$here/every-type/world.wit" everything
    reactor every-type everything every_type.c
    # `wasm-tools component new` leaves the documentation behind: it is put back where it is looked for.
    "$wasm_tools" component wit --wasm "$here/every-type/world.wit" -o "$work/every-type.wit.wasm"
    "$work/venv/bin/python" "$here/copy_docs.py" "$work/every-type.wit.wasm" "$here/every-type/every-type.wasm"
}

http_echo() {
    local deps; deps=$(spin_wit)
    rm -rf "$work/http-echo-wit" && mkdir -p "$work/http-echo-wit/deps"
    cp "$here/http-echo/world.wit" "$work/http-echo-wit/"
    for package in cli clocks filesystem http io random sockets; do cp -r "$deps/$package@0.2.6" "$work/http-echo-wit/deps/"; done
    bindings "$work/http-echo-wit" http-echo
    reactor http-echo http-echo echo.c
}

spin_host() {
    local deps; deps=$(spin_wit)
    bindings "$deps/spin@unversioned" host
    reactor spin-host host spin.c
}

word_count() {
    zig cc "${flags[@]}" -o "$work/word-count.core.wasm" "$here/word-count/word_count.c"
    cargo info --quiet wasi-preview1-component-adapter-provider@48.0.8 >/dev/null
    tar -xzf "${CARGO_HOME:-$HOME/.cargo}"/registry/cache/*/wasi-preview1-component-adapter-provider-48.0.8.crate -C "$work"
    "$wasm_tools" component new "$work/word-count.core.wasm" -o "$work/word-count.wasm" \
        --adapt wasi_snapshot_preview1="$work/wasi-preview1-component-adapter-provider-48.0.8/artefacts/wasi_snapshot_preview1.command.wasm"
    finish word-count
}

json_pointer() {
    npm install --prefix "$work" --silent --no-audit --no-fund --no-save @bytecodealliance/componentize-js@0.23.0
    cp "$here/json-pointer/componentize.mjs" "$work/"
    node "$work/componentize.mjs" "$here/json-pointer" "$output/json-pointer.wasm"
}

summary() {
    "$work/venv/bin/pip" install --quiet --disable-pip-version-check componentize-py==0.25.1
    rm -rf "$work/summary" && cp -r "$here/summary" "$work/summary"
    (cd "$work/summary" && "$work/venv/bin/componentize-py" -d world.wit -w summary componentize --stub-wasi summary -o "$output/summary.wasm")
}

if [ $# -eq 0 ]; then set -- every-type http-echo spin-host word-count; fi
for name in "$@"; do "${name//-/_}"; done
cd "$here" && sha256sum --check --quiet SHA256SUMS
