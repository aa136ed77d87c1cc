#!/usr/bin/env bash
# Builds the tools of this directory that are components, and compares them with SHA256SUMS: build.sh [NAME…]
#
# Nobody needs it to run the examples: what it builds is checked in. Needs what ../components/toolchain.sh says, and for image_info a Debian 12
# on x86-64, whose packages hold a compiler together with the source of its standard library. Where rustup has the target, `rustup target add
# wasm32-unknown-unknown` and `cargo build` do as well; the bytes are others.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
. "$here/../components/toolchain.sh"

check_digits() { # Zig, with the C bindings of our own world
    bindings "$here/../../wit" tool
    zig translate-c "${target[@]}" -lc "$work/bindings/tool/tool.h" >"$work/bindings/tool/tool.zig"
    zig build-obj "${target[@]}" -OReleaseSmall -fstrip -lc --dep bindings -Mroot="$here/check_digits/check_digits.zig" \
        -Mbindings="$work/bindings/tool/tool.zig" -femit-bin="$work/check_digits.o"
    reactor check_digits tool "$work/check_digits.o"
}

checksum() {
    program checksum "$here/checksum/checksum.c"
}

debian_rust() { # Rust 1.85 as Debian has it, unpacked to $work/debian and not installed
    local version=1.85.0+dfsg3-1~deb12u3
    [ -x "$work/debian/usr/bin/rustc" ] && return
    rm -rf "$work/debs" && mkdir -p "$work/debs"
    (cd "$work/debs" && apt-get download --quiet libllvm19=1:19.1.7-3~deb12u1 {rustc-web,rust-web-src,libstd-rust-web-dev,libstd-rust-web-1.85}="$version")
    for package in "$work"/debs/*.deb; do dpkg-deb --extract "$package" "$work/debian"; done
    rm -r "$work/debs"
}

image_info() { # Rust; the standard library is compiled along with it
    debian_rust
    # What rustc says first, `-flavor wasm`, is for another program than Zig's linker.
    printf '#!/bin/sh\nshift 2\nexec "%s" -m ziglang wasm-ld "$@"\n' "$work/venv/bin/python" >"$work/wasm-ld"
    chmod +x "$work/wasm-ld"
    # Without locations no path of this machine gets into the component. -Z is for nightly compilers, or this one told to be as one.
    (cd "$here/image_info" && env LD_LIBRARY_PATH="$work/debian/usr/lib/x86_64-linux-gnu" RUSTC="$work/debian/usr/bin/rustc" RUSTC_BOOTSTRAP=1 \
        CARGO_TARGET_DIR="$work/rust" CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER="$work/wasm-ld" \
        CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUSTFLAGS="-Zlocation-detail=none" \
        cargo build --quiet --locked --release --target wasm32-unknown-unknown -Zbuild-std=std,panic_abort)
    "$wasm_tools" component new "$work/rust/wasm32-unknown-unknown/release/image_info.wasm" -o "$work/image_info.wasm"
    finish image_info
    document image_info
}

spelling() {
    bindings "$here/spelling/world.wit" spelling
    reactor spelling spelling "$here/spelling/spelling.c"
    document spelling
}

if [ $# -eq 0 ]; then set -- check_digits checksum image_info spelling; fi
for name in "$@"; do "$name"; done
cd "$here" && sha256sum --check --quiet SHA256SUMS
