#!/usr/bin/env bash
# Does a write through OpenDAL succeed when the store takes the object?
#
# Guess:    yes: an emulator of Google's store keeps an object that comes without a content type, and the
#           write succeeds.
# Fact:     the object is kept, and the write fails: the emulator answers "contentType": null where Google's
#           store leaves the member out, and OpenDAL takes a member that is missing, but not null. The object
#           cannot be looked at either, nor can a folder be listed that holds it. With a content type all of
#           it works.
# Versions: opendal 0.47.12 (PyPI; the crate opendal-service-gcs 0.59.5 does the same),
#           gcp-storage-emulator 2026.7.19.
# Source:   seen when dumps were written to the emulator; its handler takes the content type from a header
#           that need not be there.
#
# Needs Python 3.11 or later. Exits with 0 while the behaviour is as described.
set -euo pipefail
place=$(mktemp -d)
emulator=
finished() {
    [ -z "$emulator" ] || kill "$emulator" 2>/dev/null || :
    rm -rf "$place"
}
trap finished EXIT

python3 -m venv "$place/venv"
"$place/venv/bin/python" -m pip install --quiet --disable-pip-version-check \
    opendal==0.47.12 gcp-storage-emulator==2026.7.19 google-crc32c==1.9.0
"$place/venv/bin/python" -m pip list --disable-pip-version-check 2>/dev/null | grep -E '^(opendal|gcp-storage-emulator) '
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
: >"$place/log"
"$place/venv/bin/gcp-storage-emulator" start --host 127.0.0.1 --port "$port" --in-memory --default-bucket b \
    >"$place/log" 2>&1 &
emulator=$!
until grep -q 'All services started' "$place/log"; do
    kill -0 "$emulator"
    sleep 0.1
done

"$place/venv/bin/python" - "$port" <<'PYTHON'
import sys
import urllib.request

import opendal

endpoint = f"http://127.0.0.1:{sys.argv[1]}"
store = opendal.Operator(
    "gcs", bucket="b", endpoint=endpoint, allow_anonymous="true", disable_vm_metadata="true", disable_config_load="true"
)


def outcome(action):
    try:
        action()
    except Exception as error:
        cause = next((line.strip() for line in str(error).splitlines() if "null" in line), str(error))
        return f"fails: {cause}"
    return "succeeds"


store.write("typed/a", b"x", content_type="text/plain")
seen = [
    ("stat, with a content type", outcome(lambda: store.stat("typed/a"))),
    ("list, with a content type", outcome(lambda: list(store.list("typed/")))),
    ("write, without", outcome(lambda: store.write("plain/a", b"x"))),
    ("stat, without", outcome(lambda: store.stat("plain/a"))),
    ("list, without", outcome(lambda: list(store.list("plain/")))),
]
answer = urllib.request.urlopen(f"{endpoint}/storage/v1/b/b/o/plain%2Fa").read().decode()
for what, came in seen:
    print(f"{what}: {came}")
print("the object is there, with", '"contentType": null' if '"contentType": null' in answer else answer)
good = all(came == "succeeds" for _, came in seen[:2])
bad = all(came.startswith("fails: ") and "null" in came for _, came in seen[2:])
sys.exit(not (good and bad and '"contentType": null' in answer))
PYTHON
