#!/usr/bin/env bash
# The main job end to end on a dump of this repository: check, look, restore as three nodes,
# export one of them, and see that nothing is lost.
set -euo pipefail
cd "$(dirname "$0")/.."

cargo build --quiet --package databend-metactl
metactl=target/debug/databend-metactl
dump=tests/fixtures/v004/v004-origin.export.ndjson
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT

if [ -t 1 ]; then bold=$'\e[1m' plain=$'\e[0m'; else bold= plain=; fi
say() { printf '\n%s%s%s\n' "$bold" "$*" "$plain"; }
run() {
    printf '$ databend-metactl %s\n' "${*//$place/\$place}"
    "$metactl" "$@"
}

say "1. Is the backup sound?"
run validate "$dump"

say "2. What is in it?"
run inspect "$dump"

say "3. Restore it as a new cluster of three nodes."
cluster=(--initial-cluster 1=localhost:29103 --initial-cluster 2=localhost:29203 --initial-cluster 3=localhost:29303)
for id in 1 2 3; do
    run import --raft-dir "$place/new_meta$id" --db "$dump" --id "$id" "${cluster[@]}"
done

say "4. Export node 2, with a manifest that proves it complete."
run export --raft-dir "$place/new_meta2" --db "$place/node2.db"
run validate "$place/node2.db" --require-manifest

say "5. What changed, line by line? Everything else is byte for byte the same."
diff "$dump" "$place/node2.db" | cut -c 1-150 || true
same=$(comm -12 <(sort "$dump") <(sort "$place/node2.db") | wc -l)
printf '%s of the %s lines of the backup are in node 2 as they were.\n' "$same" "$(wc -l <"$dump")"

say "6. A dump that was cut is refused, and the node keeps its data."
head -n 150 "$dump" >"$place/cut.db"
if "$metactl" --quiet import --raft-dir "$place/new_meta2" --db "$place/cut.db" 2>"$place/said"; then
    echo 'the cut dump was imported!' >&2
    exit 1
fi
tail -n 2 "$place/said" | sed "s|$place|\$place|g"
run export --raft-dir "$place/new_meta2" --db "$place/again.db"
cmp "$place/node2.db" "$place/again.db" && echo 'Node 2 still holds what it held.'
