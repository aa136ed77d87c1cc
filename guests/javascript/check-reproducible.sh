#!/usr/bin/env bash
# Builds the JavaScript runtime afresh, from copies in a temporary directory, and compares the result
# with the pinned digest.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
pinned=$(cut -d' ' -f1 "$here/../artefacts/javascript.wasm.sha256")
there=$(mktemp -d)
trap 'rm -rf "$there"' EXIT
mkdir -p "$there/somewhere/guests"
cp -r "$here" "$there/somewhere/guests/javascript"
cp -r "$here/../../wit" "$there/somewhere/wit"
built=$(OACP_GUEST_BUILD="$there/build" "$there/somewhere/guests/javascript/build.sh" "$there/javascript.wasm" | cut -d' ' -f1)
if [ "$built" != "$pinned" ]; then
    echo "built $built, pinned $pinned" >&2
    exit 1
fi
echo "javascript.wasm is reproducible: $built"
