#!/usr/bin/env bash
# Does sled's flush() put a large value on disk?
#
# Guess:    after Tree::flush() has returned Ok, every value inserted before survives a power cut: its
#           documentation speaks of synchronously flushing all dirty buffers and calling fsync.
# Fact:     a value of 400 kB goes to a file of its own in blobs/. flush() syncs the main file `db`,
#           which refers to that file, and never the file or its directory. A value of 1 kB lies in `db`
#           and is synced.
# Versions: sled 0.34.7, with strace from the system.
# Source:   the crate's src/pagecache/blob_io.rs: write_blob writes and does not sync; seen with strace.
#
# Needs cargo and strace. Exits with 0 while the behaviour is as described.
set -euo pipefail

place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
cd "$place"
mkdir src
cat >Cargo.toml <<'TOML'
[package]
name = "probe"
version = "0.0.0"
edition = "2021"

[dependencies]
sled = "=0.34.7"
TOML
cat >src/main.rs <<'RUST'
fn main() {
    let bytes = std::env::args().nth(1).unwrap().parse::<usize>().unwrap();
    let db = sled::Config::new().path("data").flush_every_ms(None).open().unwrap();
    db.insert("key", vec![7; bytes]).unwrap();
    db.flush().unwrap();
    // What the end of the process does is not asked about.
    std::process::abort();
}
RUST
cargo build --quiet
printf 'sled %s\n' "$(cargo metadata --format-version 1 | sed -n 's/.*"name":"sled","version":"\([^"]*\)".*/\1/p')"

for bytes in 1000 400000; do
    rm -rf data
    (strace -f -y -e trace=write,pwrite64,fsync,fdatasync,sync_file_range -o calls \
        target/debug/probe "$bytes" || true) 2>/dev/null
    count() { grep -cE "$1" calls || true; }
    written=$(count '(write|pwrite64)\([0-9]+<[^>]*/blobs/')
    synced=$(count '(fsync|fdatasync|sync_file_range)\([0-9]+<[^>]*/blobs')
    main=$(count '(fsync|fdatasync|sync_file_range)\([0-9]+<[^>]*/db>')
    printf 'a value of %s bytes: %s writes to files in blobs/, %s syncs of these; %s syncs of db\n' \
        "$bytes" "$written" "$synced" "$main"
    case $bytes in
    1000) [ "$written" = 0 ] && [ "$main" -gt 0 ] ;;
    400000) [ "$written" -gt 0 ] && [ "$synced" = 0 ] && [ "$main" -gt 0 ] ;;
    esac || { echo 'the behaviour has changed'; exit 1; }
done
