#!/usr/bin/env bash
# Builds what a release has, in target/dist: the viewer; for each machine a static binary, and with all that belongs
# to it, packed and as a Debian package; what they are made of (CycloneDX), and SHA-256 sums.
set -euo pipefail
cd "$(dirname "$0")/.."

name=databend-metactl
dist=target/dist
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT

built() {
    printf '%s/%s-unknown-linux-musl/release/%s' "$(scripts/target.sh)" "$1" "$name"
}

# try COMMAND…: what such a program has to be able to do
try() {
    local dump=tests/fixtures/v004/v004-origin.export.ndjson
    rm -rf "$place"/*
    "$@" import --quiet --raft-dir "$place/restored" --db $dump >/dev/null
    "$@" export --quiet --raft-dir "$place/restored" --db "$place/back.db" >/dev/null
    cmp $dump "$place/back.db"
}

PATH=$PWD/target/tools/zig/bin:$PATH cargo zigbuild --quiet --locked --release --package "$name" \
    --target x86_64-unknown-linux-musl --target aarch64-unknown-linux-musl
runs=$(built "$(uname -m)")
version=$("$runs" --version | cut -d ' ' -f 3)

rm -rf "$dist"
mkdir -p "$dist"
cp web/dist/metadump-viewer.html "$dist/"
for machine in x86_64:amd64 aarch64:arm64; do
    debian=${machine##*:} machine=${machine%%:*}
    binary=$(built "$machine")
    if readelf --dynamic "$binary" 2>/dev/null | grep -q NEEDED; then
        printf 'dist: %s needs libraries\n' "$binary" >&2
        exit 1
    fi
    if [ "$machine" = "$(uname -m)" ]; then try "$binary"; else try "qemu-$machine-static" "$binary"; fi
    packed=$name-$version-$machine-linux
    scripts/install.sh "$dist/$packed" "$binary" "$runs" >/dev/null
    cp LICENSE README.md CHANGELOG.md "$dist/$packed/"
    tar --create --sort=name --owner=0 --group=0 --numeric-owner --mtime="@$(git log -1 --format=%ct)" \
        --directory "$dist" "$packed" | gzip -n9 >"$dist/$packed.tar.gz"
    rm -r "${dist:?}/$packed"
    scripts/deb.sh "$binary" "$dist/${name}_${version}_$debian.deb" "$debian" "$runs"
    cargo cyclonedx --quiet --manifest-path native-cli/Cargo.toml --format json \
        --target "$machine-unknown-linux-musl" --override-filename "$packed.cdx"
    find core native-cli proto tests wasm -maxdepth 1 -name "$packed.cdx.json" ! -path 'native-cli/*' -delete
    mv "native-cli/$packed.cdx.json" "$dist/"
    # For the Dockerfile, by the name that it has there.
    cp "$binary" "$dist/$name-$debian"
done
sums=$(cd "$dist" && sha256sum -- *)
printf '%s\n' "$sums" >"$dist/SHA256SUMS"
printf 'built in %s:\n' "$dist"
ls "$dist"
