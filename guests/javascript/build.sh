#!/usr/bin/env bash
# Builds the JavaScript runtime's component: build.sh OUTPUT.wasm
#
# Needs cargo, python3 with venv, and the package registries for the first build. The output depends
# on the files here and on the pinned packages only: not on the directory, the time or the machine.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
output=$(realpath -m "$1")
work=${OACP_GUEST_BUILD:-$here/../../target/guest-javascript}
mkdir -p "$work"
work=$(cd "$work" && pwd)

if ! [ -x "$work/venv/bin/python" ]; then
    python3 -m venv "$work/venv"
fi
"$work/venv/bin/pip" install --quiet --disable-pip-version-check --requirement "$here/requirements.txt"
zig() { ZIG_GLOBAL_CACHE_DIR="$work/zig" ZIG_LOCAL_CACHE_DIR="$work/zig" "$work/venv/bin/python" -m ziglang "$@"; }

quickjs=$(cargo metadata --quiet --locked --format-version 1 --manifest-path "$here/componentize/Cargo.toml" |
    python3 -c 'import json, os, sys
for package in json.load(sys.stdin)["packages"]:
    if package["name"] == "rquickjs-sys":
        print(os.path.join(os.path.dirname(package["manifest_path"]), "quickjs"))')

CARGO_TARGET_DIR="$work/componentize" cargo build --quiet --release --locked --manifest-path "$here/componentize/Cargo.toml"

flags=(
    -target wasm32-wasi -std=gnu11 -O2 -g0
    -mcpu=mvp+bulk_memory+mutable_globals+nontrapping_fptoint+sign_ext+multivalue
    -DNDEBUG -D_GNU_SOURCE -D_WASI_EMULATED_PROCESS_CLOCKS
    -ffile-prefix-map="$here=." -ffile-prefix-map="$quickjs=quickjs" -ffile-prefix-map="$work=build"
    -fno-sanitize=all -fvisibility=hidden
    -I"$quickjs" -I"$here/core"
)
mkdir -p "$work/padded"
for source in quickjs libregexp; do python3 "$here/pad.py" "$quickjs/$source.c" "$work/padded/$source.c"; done
objects=()
compile() { # SOURCE FLAGS…
    local object="$work/$(basename "$1" .c).o"
    zig cc "${flags[@]}" "${@:2}" -c "$1" -o "$object"
    objects+=("$object")
}
compile "$here/core/engine.c" -w -I"$work"
compile "$work/padded/libregexp.c" -w
for source in libunicode dtoa; do compile "$quickjs/$source.c" -w; done
for source in main host modules text wasi; do compile "$here/core/$source.c" -Wall -Wextra -Werror; done

zig cc -target wasm32-wasi -mexec-model=reactor -O2 -s \
    -Wl,-z,stack-size=8388608 \
    -o "$work/core.wasm" "${objects[@]}"

"$work/componentize/release/componentize" \
    "$work/core.wasm" "$here/boot" "$work/javascript.wasm" \
    "$here/../../wit" "$here/wit/clocks.wit" "$here/wit/random.wit" "$here/wit/world.wit"
mkdir -p "$(dirname "$output")"
cp "$work/javascript.wasm" "$output"
sha256sum "$output"
