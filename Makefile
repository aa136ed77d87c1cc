# The verbs of the house. `make test` is everything that needs no root.
CARGO ?= cargo
NEXTEST := $(shell $(CARGO) nextest --version >/dev/null 2>&1 && echo nextest run || echo test)

.PHONY: demo test components test-rust test-mutations test-interop test-oci test-bfcl test-fuzz test-guests test-system bench lint guests

demo:
	$(CARGO) run --release -- demo

# Third parties' components are among what is tested, or it fails.
test: export OACP_COMPONENTS = all
test: components test-rust test-mutations test-interop test-oci test-bfcl test-fuzz test-guests

# Fetches them into target/, by digest. Without them `make test-rust` tests with those that are checked in.
components:
	python3 examples/components/fetch.py

test-rust:
	$(CARGO) $(NEXTEST) --workspace
	$(CARGO) test --workspace --doc

# Takes guards out, one after the other, and demands that the escape suite sees it.
test-mutations:
	tests/mutations/run

# Unmodified third parties verify what this program wrote. Installs them into target/, pinned.
test-interop:
	tests/interop/run

# Tools out of a real registry of containers, on loopback.
test-oci:
	tests/oci/run

# The Berkeley Function Calling Leaderboard's stateful tools: 196 agents, run, verified, run again, compared. Downloads them into target/, pinned.
test-bfcl:
	tests/bfcl/run

# A short smoke run of each fuzz target, from a printed seed.
test-fuzz:
	fuzz/smoke

# Rebuilds the JavaScript runtime and compares its digest with the pinned one. Compares the file idioms with this machine's own Python.
test-guests:
	tests/idioms/check
	guests/javascript/check-reproducible.sh

# What needs root: a full disk.
test-system:
	tests/system/run

bench:
	$(CARGO) build --release -p oacp-cli
	$(CARGO) run --release -p oacp-bench

lint:
	$(CARGO) fmt --all -- --check
	$(CARGO) clippy --workspace --all-targets -- -D warnings

guests:
	guests/python/build.sh
	guests/javascript/build.sh
