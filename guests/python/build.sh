#!/usr/bin/env bash
# Builds the Python runtime's component and replaces the pinned artefact: build.sh [OUTPUT.wasm]
#
# With OUTPUT.wasm it only writes that file. Otherwise it also checks it, renews the list of modules in
# docs/python.md, and writes guests/artefacts/python.wasm.xz and python.wasm.sha256 (of the .wasm).
#
# Needs python3 (3.10 or later) with venv, xz, and the package index for the first build. The component is
# NOT reproducible: CPython's hash secret and the layout of its memory are drawn anew by each build. That is
# why the artefact is pinned, and why replays of older runs need the older artefact.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
work=${OACP_GUEST_BUILD:-$root/target/guest-python}
mkdir -p "$work"
work=$(cd "$work" && pwd)
output=$(realpath -m "${1:-$work/python.wasm}")

if ! [ -x "$work/venv/bin/python" ]; then
    python3 -m venv "$work/venv"
fi
"$work/venv/bin/pip" install --quiet --disable-pip-version-check --require-hashes --requirement "$here/requirements.txt"

# Only what is listed here gets into the component: the sources, and the time-zone data.
rm -rf "$work/sources" "$work/packages"
mkdir -p "$work/sources" "$work/packages"
cp -R "$here/src/." "$work/sources"
find "$work/sources" -name __pycache__ -type d -prune -exec rm -rf {} +
packages=$("$work/venv/bin/python" -c 'import os, tzdata; print(os.path.dirname(os.path.dirname(tzdata.__file__)))')
cp -R "$packages"/tzdata "$packages"/tzdata-*.dist-info "$work/packages"

# From within $work, with relative paths and an empty environment: neither gets into the component.
(
    cd "$work"
    env -i PATH=/usr/bin:/bin HOME="$work" venv/bin/componentize-py --quiet \
        --wit-path "$root/wit" --world language \
        componentize app --python-path sources --python-path packages --output built.wasm
)
mkdir -p "$(dirname "$output")"
mv "$work/built.wasm" "$output"
if grep -qaF "$root" "$output"; then
    echo "the component holds a path of this machine" >&2
    exit 1
fi
[ $# -eq 0 ] || { sha256sum "$output"; exit 0; }

"$work/venv/bin/python" -B "$here/check.py" "$output"
"$work/venv/bin/python" -B "$here/list_modules.py" "$output" "$root/docs/python.md"
mkdir -p "$here/../artefacts"
xz -9e -T1 --keep --stdout "$output" > "$here/../artefacts/python.wasm.xz.new"
mv "$here/../artefacts/python.wasm.xz.new" "$here/../artefacts/python.wasm.xz"
(cd "$(dirname "$output")" && sha256sum python.wasm) > "$here/../artefacts/python.wasm.sha256"
cat "$here/../artefacts/python.wasm.sha256"
