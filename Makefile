# Every target sets up what it needs first; what takes more than two lines is in scripts/.

.DEFAULT_GOAL := help
.PHONY: help demo test quick build install web fmt lint docs fuzz interop generate bench dist

BYTES ?= 1GiB
FILE ?= target/generated-$(BYTES).ndjson
FOR ?= 60
PREFIX ?= /usr/local
DESTDIR ?=

help: ## Show the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: ## Check, inspect, restore as three nodes, export again: on a dump of this repository
	@scripts/setup.sh build
	@scripts/demo.sh

test: ## Everything that CI checks: format, lints, documentation, licences, all tests
	@scripts/setup.sh test
	@scripts/test.sh

quick: ## Format, lints, unit tests, the command line on fixtures: before each commit
	@scripts/setup.sh test
	@scripts/quick.sh

build: web ## The release binary with the viewer in it, target/release/databend-metactl
	cargo build --locked --release --package databend-metactl

install: build ## Binary, man pages, completions: make install PREFIX=/usr/local DESTDIR=
	@scripts/install.sh "$(DESTDIR)$(PREFIX)"

dist: web ## What a release has, in target/dist: static binaries, packed and as Debian packages, their parts, sums
	@scripts/setup.sh dist
	@scripts/dist.sh

web: ## The viewer, one page that works offline: web/dist/metadump-viewer.html
	@scripts/setup.sh build
	@scripts/web-setup.sh
	@scripts/web-build.sh

fmt: ## Format the code
	cargo fmt --all

lint: ## Lints only, without tests
	cargo clippy --locked --workspace --all-targets -- -D warnings

docs: ## What is generated: docs/findings.md, the viewer's types; and the API documentation
	UPDATE_DOCS=1 cargo test --quiet --package metadump-tests --test findings --test typescript
	cargo doc --workspace --no-deps

fuzz: ## Fuzz every target, or one: make fuzz TARGET=check_dump FOR=60 (seconds)
	@scripts/setup.sh fuzz
	@scripts/fuzz.sh "$(FOR)" $(TARGET)

interop: ## Engines of two releases from PyPI against the command line; TEST=OwnStoresAtAnyPorts is one part
	@scripts/setup.sh build
	@scripts/interop.sh

generate: ## A large made-up dump: make generate BYTES=1GiB FILE=big.ndjson
	cargo run --quiet --release --package metadump-tests --bin generate-dump -- --bytes $(BYTES) --output $(FILE)

bench: ## Measure against peers, some 30 minutes, and write docs/benchmarks.md; BENCH=small, BENCH=instructions are quick
	@scripts/setup.sh bench
	@scripts/bench.sh
