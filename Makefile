# Every target sets up what it needs first; see scripts/.

.DEFAULT_GOAL := help
.PHONY: help demo test build fmt lint docs fuzz generate

help: ## Show the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' Makefile

demo: ## Validate, inspect, restore as three nodes, export: on an embedded dump
	@scripts/setup.sh rust
	@scripts/demo.sh

test: ## Everything: format, lints, docs, licences, unit, property, CLI, interop tests
	@scripts/setup.sh all
	@scripts/test.sh

build: ## The release binary, target/release/databend-metactl
	@scripts/setup.sh rust
	cargo build --release --package databend-metactl

fmt: ## Format the code
	cargo fmt --all

lint: ## Lints, without tests
	cargo clippy --workspace --all-targets -- -D warnings

docs: ## The documentation of the crates, and docs/findings.md from the catalogue
	UPDATE_DOCS=1 cargo test --quiet --package metadump-tests --test findings
	RUSTDOCFLAGS='-D warnings' cargo doc --workspace --no-deps

fuzz: ## Fuzz with cargo-fuzz (needs a nightly toolchain): make fuzz TARGET=check_dump SECONDS=60
	@scripts/fuzz.sh "$(TARGET)" "$(SECONDS)"

generate: ## A large realistic dump: make generate BYTES=1GiB FILE=big.db
	cargo run --release --quiet --package metadump-tests --bin generate-dump -- --bytes $(BYTES) --output $(FILE)
