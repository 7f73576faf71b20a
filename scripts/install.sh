#!/usr/bin/env bash
# Installs the release binary, its man pages and its completions below a prefix.
# Usage: install.sh PREFIX [BINARY [RUNS]]: RUNS is the same program for this machine, if BINARY is for another
set -euo pipefail
cd "$(dirname "$0")/.."

prefix=${1:?the prefix, such as /usr/local}
name=databend-metactl
built=${2:-$(scripts/target.sh)/release/$name}
runs=${3:-$built}

# put FILE, from stdin: complete under its name, or not there
put() {
    install -D -m 644 /dev/stdin "$prefix/$1"
}

install -D -m 755 "$built" "$prefix/bin/$name"
"$runs" man | put "share/man/man1/$name.1"
"$runs" man --list | while read -r command; do
    "$runs" man "$command" | put "share/man/man1/$name-$command.1"
done
"$runs" completions bash | put "share/bash-completion/completions/$name"
"$runs" completions zsh | put "share/zsh/site-functions/_$name"
"$runs" completions fish | put "share/fish/vendor_completions.d/$name.fish"
printf 'installed %s, its man pages and its completions below %s\n' "$name" "$prefix"
