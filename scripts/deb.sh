#!/usr/bin/env bash
# Packs a binary with its man pages, completions and units as a Debian package.
# Usage: deb.sh BINARY OUTPUT.deb [ARCHITECTURE RUNS]: RUNS is the same program for this machine, if BINARY is for another
set -euo pipefail
cd "$(dirname "$0")/.."

binary=${1:?the binary}
output=${2:?the package, such as databend-metactl_0.1.0_amd64.deb}
architecture=${3:-$(dpkg --print-architecture)}
runs=${4:-$binary}
name=databend-metactl

root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
chmod 755 "$root"
scripts/install.sh "$root/usr" "$binary" "$runs" >/dev/null
# Where Debian's own packages have what other places have elsewhere.
mkdir -p "$root/usr/share/zsh/vendor-completions"
mv "$root/usr/share/zsh/site-functions/_$name" "$root/usr/share/zsh/vendor-completions/"
rmdir "$root/usr/share/zsh/site-functions"
gzip -n9 "$root"/usr/share/man/man1/*.1
install -D -m 644 -t "$root/usr/lib/systemd/system" deploy/systemd/*
install -D -m 644 LICENSE "$root/usr/share/doc/$name/copyright"
install -D -m 644 -t "$root/usr/share/doc/$name" README.md CHANGELOG.md
gzip -n9 "$root/usr/share/doc/$name/CHANGELOG.md"

version=$("$runs" --version | cut -d " " -f 3)
mkdir "$root/DEBIAN"
{
    printf 'Package: %s\nVersion: %s\n' "$name" "$version"
    printf 'Architecture: %s\n' "$architecture"
    printf 'Maintainer: metadump <https://github.com/metadump/metadump/issues>\n'
    printf 'Section: database\nPriority: optional\n'
    printf 'Homepage: https://github.com/metadump/metadump\n'
    printf 'Installed-Size: %s\n' "$(du -ks "$root/usr" | cut -f 1)"
    printf 'Description: backups of a Databend meta service\n'
    printf ' Exports, restores, checks and transforms the metadata of a Databend cluster.\n'
    printf ' The timer databend-meta-backup.timer makes a backup each night once it is enabled.\n'
} >"$root/DEBIAN/control"
dpkg-deb --root-owner-group --build "$root" "$output" >/dev/null
