#!/usr/bin/env bash
# Builds the components of this directory: build.sh [NAME…]
#
# Small ones (every-type http-echo spin-host word-count) are written beside their sources, and SHA256SUMS pins them; large
# ones (json-pointer: 12 MB, summary: 19 MB) go to target/components and only when named.
# Needs python3 with venv, and cargo; for json-pointer node 20 and npm. Each is fetched from its registry once.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
output=${CARGO_TARGET_DIR:-$here/../../target}/components
mkdir -p "$output"
. "$here/toolchain.sh"

spin_wit() { # the WIT that Spin's SDK carries: its own triggers and WASI's packages
    if ! [ -d "$work/spin/spin_sdk" ]; then
        "$work/venv/bin/pip" download --quiet --no-deps --only-binary=:all: --python-version=3.14 --dest "$work/spin" spin-sdk==5.0.0
        "$work/venv/bin/python" -m zipfile -e "$work"/spin/spin_sdk-5.0.0-*.whl "$work/spin"
    fi
    echo "$work/spin/spin_sdk/wit/deps"
}

every_type() {
    bindings "$here/every-type/world.wit" everything
    reactor every-type everything "$here/every-type/every_type.c"
    document every-type
}

http_echo() {
    local deps; deps=$(spin_wit)
    rm -rf "$work/http-echo-wit" && mkdir -p "$work/http-echo-wit/deps"
    cp "$here/http-echo/world.wit" "$work/http-echo-wit/"
    for package in cli clocks filesystem http io random sockets; do cp -r "$deps/$package@0.2.6" "$work/http-echo-wit/deps/"; done
    bindings "$work/http-echo-wit" http-echo
    reactor http-echo http-echo "$here/http-echo/echo.c"
}

spin_host() {
    local deps; deps=$(spin_wit)
    bindings "$deps/spin@unversioned" host
    reactor spin-host host "$here/spin-host/spin.c"
}

word_count() {
    program word-count "$here/word-count/word_count.c"
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
