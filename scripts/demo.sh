#!/usr/bin/env bash
# The main job from end to end, on a dump of this repository: check it, look into it, restore it as
# three nodes, export one of them, go back to the moment before an accident, serve it and export it
# over gRPC, and see that nothing is lost.
set -euo pipefail
cd "$(dirname "$0")/.."
export LC_ALL=C

[ -x "$(scripts/target.sh)/debug/databend-metactl" ] || echo 'compiling databend-metactl, which takes some minutes the first time'
cargo build --locked --quiet --package databend-metactl
PATH=$(scripts/target.sh)/debug:$PATH
fixture=$PWD/tests/fixtures/v004/v004-origin.export.ndjson
shop=$PWD/tests/fixtures/engine/e895.server-export.ndjson.gz

place=$(mktemp -d)
service=
finish() {
    [ -z "$service" ] || kill "$service" 2>/dev/null || true
    rm -rf "$place"
}
trap finish EXIT
cd "$place"
cp "$fixture" meta.db

if [ -t 1 ] && [ -z "${NO_COLOR:-}" ]; then
    bold=$'\e[1m' dim=$'\e[2m' red=$'\e[31m' green=$'\e[32m' plain=$'\e[0m'
else
    bold='' dim='' red='' green='' plain=''
fi
say() { printf '\n%s%s%s\n\n' "$bold" "$*" "$plain"; }
show() { printf '%s$ %s%s\n' "$dim" "$*" "$plain"; }
metactl() {
    show "databend-metactl $*"
    databend-metactl "$@" 2>&1
}

say '1. meta.db is a backup of a single node. Is it sound?'
metactl validate meta.db

say '2. What does it hold?'
metactl inspect meta.db

say '3. Restore it as a new cluster of three nodes: the command lines of the official guide.'
for id in 1 2 3; do
    metactl import --raft-dir ./.databend/new_meta$id --db meta.db \
        --id=$id \
        --initial-cluster 1=localhost:29103 \
        --initial-cluster 2=localhost:29203 \
        --initial-cluster 3=localhost:29303
done

say '4. Export node 2 again. Its manifest proves the new dump complete.'
metactl export --raft-dir ./.databend/new_meta2 --db node2.db
metactl validate --require-manifest node2.db

say '5. What is different in node 2? The members of the cluster, and nothing else.'
show 'diff meta.db node2.db'
{ diff meta.db node2.db || true; } | cut -c 1-160 | sed -e "s/^<.*/$red&$plain/" -e "s/^>.*/$green&$plain/"
sort meta.db >before
sort node2.db >after
comm -12 before after >kept
printf '\n%s of the %s lines of meta.db are in node2.db as they were, all %s keys among them.\n' \
    "$(wc -l <kept)" "$(wc -l <meta.db)" "$(grep -c '{"GenericKV":' kept)"

say '6. A backup whose last line got lost is refused, and node 2 keeps its data.'
mkdir lossy
show 'head -n -1 node2.db >lossy/node2.db; cp node2.db.manifest.json lossy/'
head -n -1 node2.db >lossy/node2.db
cp node2.db.manifest.json lossy/
code=0
metactl import --raft-dir ./.databend/new_meta2 --db lossy/node2.db | sed -n -e "/^error:/p" -e "/^help:/p" || code=$?
[ $code -eq 3 ] || { echo "exit code $code, which is not that of a refusal" >&2; exit 1; }
metactl --quiet export --raft-dir ./.databend/new_meta2 --db again.db
cmp node2.db again.db
printf '\nExit code 3, and again.db is node2.db byte for byte.\n'

say '7. A backup holds more than one moment. shop.db has three tables, many_0 to many_2, that were dropped: when?'
zcat "$shop" >shop.db
show "databend-metactl log --db shop.db --since snapshot | grep 'drops table .*shop.many_[012] '"
databend-metactl log --quiet --db shop.db --since snapshot | grep 'drops table .*shop.many_[012] '
metactl import --raft-dir ./.databend/before --db shop.db --at 1244
show 'databend-metactl objects --raft-dir ./.databend/before --kind table'
databend-metactl objects --quiet --raft-dir ./.databend/before --kind table >tables
grep 'shop.many_[012] ' tables
[ "$(grep -c 'shop.many_[012] ' tables)" -eq 3 ] || { echo 'a table is missing' >&2; exit 1; }
printf '\nAt entry 1244, one before the first drop, all three are there.\n'

say '8. Try the backup: serve it on the loopback interface, and export the running service over gRPC.'
show 'databend-metactl serve --db meta.db --grpc-api-address 127.0.0.1:0 &'
databend-metactl serve --db meta.db --grpc-api-address 127.0.0.1:0 2>served &
service=$!
for _ in $(seq 100); do
    address=$(sed -n 's/.*gRPC.* \(127\.0\.0\.1:[0-9]*\).*/\1/p' served)
    [ -z "$address" ] || break
    sleep 0.1
done
cat served
[ -n "$address" ] || { echo 'the service did not start' >&2; exit 1; }
metactl status --grpc-api-address "$address" | sed -n '/^BinaryVersion\|^DataVersion\|^LastSeq\|^LastApplied/p'
metactl export --grpc-api-address "$address" --db online.db
kill "$service"
wait "$service"
service=
cmp meta.db online.db
printf '\nonline.db is meta.db byte for byte.\n'
