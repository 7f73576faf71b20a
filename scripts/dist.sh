#!/usr/bin/env bash
# Builds what a release has, in target/dist: the viewer, a static binary with all that belongs to it, packed
# and as a Debian package, what it is made of (CycloneDX), and SHA-256 sums.
set -euo pipefail
cd "$(dirname "$0")/.."

name=databend-metactl
machine=$(uname -m)
target=$machine-unknown-linux-musl
dist=target/dist

cargo build --quiet --locked --release --package "$name" --target "$target"
built=$(scripts/target.sh)/$target/release/$name
if readelf --dynamic "$built" 2>/dev/null | grep -q NEEDED; then
    printf 'dist: %s needs libraries\n' "$built" >&2
    exit 1
fi
version=$("$built" --version | cut -d ' ' -f 3)

rm -rf "$dist"
mkdir -p "$dist"
cp web/dist/metadump-viewer.html "$dist/"
packed=$name-$version-$machine-linux
scripts/install.sh "$dist/$packed" "$built" >/dev/null
cp LICENSE README.md CHANGELOG.md "$dist/$packed/"
tar --create --sort=name --owner=0 --group=0 --numeric-owner --mtime="@$(git log -1 --format=%ct)" \
    --directory "$dist" "$packed" | gzip -n9 >"$dist/$packed.tar.gz"
rm -r "${dist:?}/$packed"
scripts/deb.sh "$built" "$dist/${name}_${version}_$(dpkg --print-architecture).deb"
cargo cyclonedx --quiet --manifest-path native-cli/Cargo.toml --format json --target "$target" \
    --override-filename "$packed.cdx"
find core native-cli proto tests wasm -maxdepth 1 -name "$packed.cdx.json" ! -path 'native-cli/*' -delete
mv "native-cli/$packed.cdx.json" "$dist/"
# For the Dockerfile.
cp "$built" "$dist/$name"
sums=$(cd "$dist" && sha256sum -- *)
printf '%s\n' "$sums" >"$dist/SHA256SUMS"
printf 'built in %s:\n' "$dist"
ls "$dist"
