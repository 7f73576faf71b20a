#!/usr/bin/env bash
# Holds the dependencies against deny.toml: licences, sources, crates that must not come in.
# Advisories need GitHub: `cargo deny check advisories`, before a release.
set -euo pipefail
cd "$(dirname "$0")/.."

exec cargo deny --locked --log-level error check --hide-inclusion-graph bans licenses sources
