"""The command lines of the official tool, asked of a real meta service and of `serve`: what they print is
the same. Started by `make interop`.

The services inside these packages have no admin API: `metrics`, `trigger-snapshot`, `transfer-leader` and
the features are asked of `serve` alone, in tests/tests/official.rs. The newest do not know their own gRPC
address either, so that `member-list` is held to what they are.
"""

import json
import queue
import re
import shutil
import subprocess
import tempfile
import threading
import unittest
from pathlib import Path
from typing import Any, ClassVar

from engine import CONFIGURED, NEWEST, Engine
from metactl import BINARY, SECONDS, Service, metactl

SCRIPT = """\
local client = metactl.new_grpc_client("ADDRESS")
local written, err = client:upsert("lua/a", "1")
print(err, metactl.to_string(written))
print(metactl.to_string(client:get("lua/a")))
print(metactl.to_string(client:get("lua/none")))
print(metactl.to_string(client:transaction({
    conditions = {{key = "lua/a", op = "ge_seq", value = 1}, {key = "lua/b", op = "eq_seq", value = 0}},
    ["then"] = {
        {op = "put", key = "lua/b", value = "2"},
        {op = "get", key = "lua/b"},
        {op = "delete", key = "lua/a"},
    },
    ["else"] = {{op = "put", key = "lua/unexpected", value = "3"}},
})))
print(metactl.to_string(client:get("lua/a")))
"""

# In their order, for some read what others have written.
LINES = [
    "status --grpc-api-address ADDRESS",
    "upsert --grpc-api-address ADDRESS --key mykey --value myvalue",
    "upsert --grpc-api-address ADDRESS --key mykey --value other",
    "upsert --grpc-api-address ADDRESS --key mykey --value=",
    "upsert --grpc-api-address ADDRESS --key key/with/slash --value é",
    "upsert --grpc-api-address ADDRESS --key 1/2 --value {}",
    "--user root --log-level info upsert --grpc-api-address ADDRESS --key 1 --value one",
    "upsert --username root --grpc-api-address ADDRESS --key 1/3 --value v --format json",
    "get --grpc-api-address ADDRESS --key mykey",
    "get --grpc-api-address ADDRESS --key none",
    "get --grpc-api-address ADDRESS --key key/with/slash --key 1/2 --format json",
    "lua --file SCRIPT",
    "bench-client-num-conn --num 5 --grpc-api-address ADDRESS",
    "status --grpc-api-address ADDRESS",
    "export --grpc-api-address ADDRESS",
    "export --grpc-api-address ADDRESS --chunk-size 1",
    "--export --grpc-api-address ADDRESS",
]

# What prints until it is ended.
WATCHES = [
    ["--prefix", "1"],
    ["--prefix", "1/"],
    ["--prefix", "key/with"],
    ["--prefix", "none"],
    ["--prefix-bytes", "m"],
    [],
]

# What differs between any two services: times and places. The older one keeps no times of proposals.
VOLATILE = [
    (re.compile(r"127\.0\.0\.1:\d+|localhost:\d+"), "<address>"),
    (re.compile(r'("?(?:time_ms|proposed_at_ms)"?(?:: ?|=))(?:Some\(\d+\)|None|\d+|null)'), r"\1<time>"),
    (re.compile(r"meta: (None|Some\(KVMeta \{ expire_at: None, proposed_at_ms: <time> \}\))"), "<meta>"),
    (re.compile(r'"meta"(:|=)(\{"proposed_at_ms"(=|:)<time>\}|\{\}|null|NULL)'), "<meta>"),
    (re.compile(r"(seq=\d+) \[(proposed=[^\]]*)?\]"), r"\1 <meta>"),
]

# The fields of a status that two services at work on the same have in common.
STATUS = ("DataVersion: ", "State: ", "LastSeq: ", "Voters:", "Non-Voters:")


def masked(text: str) -> str:
    for pattern, name in VOLATILE:
        text = pattern.sub(name, text)
    return text


def compared(line: str, printed: str) -> list[str]:
    """The lines of an answer that two services have in common."""
    if " status " in f" {line} ":
        names = [found.partition(":")[0] for found in printed.splitlines() if found[0] != " "]
        return names + [found for found in printed.splitlines() if found.startswith(STATUS)]
    if "export " in line:
        return commands(printed)
    return masked(printed).splitlines()


def commands(dump: str) -> list[str]:
    """The writes that the log of a dump has, without their places there: a start of `serve` takes one."""
    found = []
    for _, record in map(json.loads, dump.splitlines()):
        payload = record.get("LogEntry", {}).get("payload")
        if isinstance(payload, dict) and "Normal" in payload:
            found.append(masked(json.dumps(essential(payload["Normal"]["cmd"]))))
    return found


def essential(value: Any) -> Any:
    """A value without the members that one release writes as null and another leaves out, and without
    the one that no service looks at: `serve` writes it so that each release reads its log."""
    if isinstance(value, dict):
        members = {name: essential(member) for name, member in value.items()}
        return {
            name: member
            for name, member in members.items()
            if member is not None and name != "prev_value"
        }
    return [essential(item) for item in value] if isinstance(value, list) else value


def answer(line: str, address: str, script: Path) -> list[str]:
    """What a command line prints."""
    words = line.replace("ADDRESS", address).replace("SCRIPT", str(script)).split()
    return compared(line, metactl(*words))


def watched(address: str, args: list[str]) -> list[str]:
    """The lines of a watch: what is there, and one change."""
    child = subprocess.Popen(
        [str(BINARY), "watch", "--grpc-api-address", address, *args],
        stdout=subprocess.PIPE,
        encoding="utf-8",
    )
    assert child.stdout is not None
    stdout = child.stdout
    lines: queue.Queue[str] = queue.Queue()
    reader = threading.Thread(target=lambda: [lines.put(line) for line in stdout], daemon=True)
    reader.start()
    try:
        found = []
        while not found or found[-1] != "received-watch-event: CHANGE:None\n":
            found.append(masked(lines.get(timeout=SECONDS)))
        for key in ("1/watched", "key/with/watched", "mwatched", "none/watched"):
            metactl("upsert", "--grpc-api-address", address, "--key", key, "--value", "w")
            metactl("upsert", "--grpc-api-address", address, "--key", key, "--value", "w2")
        found.append(masked(lines.get(timeout=SECONDS)))
        found.append(masked(lines.get(timeout=SECONDS)))
        return found
    finally:
        child.kill()
        child.wait(SECONDS)
        reader.join(SECONDS)
        stdout.close()


class CommandLines:
    """Those of one release."""

    release: ClassVar[str]
    lines: ClassVar[list[str]] = LINES
    members: ClassVar[str]
    known: ClassVar[str]
    real: ClassVar[dict[str, list[str]]]
    ours: ClassVar[dict[str, list[str]]]

    @classmethod
    def setUpClass(cls) -> None:
        place = Path(tempfile.mkdtemp(prefix="interop-"))
        cls.addClassCleanup(shutil.rmtree, place)  # type: ignore[attr-defined]
        fresh = place / "fresh.db"
        with Engine(cls.release, place / "engine") as engine:
            # The store that its own engine does not write to.
            address = engine.grpc_addresses()[-1]
            metactl("export", "--quiet", "--grpc-api-address", address, "--db", fresh)
            cls.members = metactl("member-list", "--grpc-api-address", address)
            cls.known = f"{address}\n" if cls.release == CONFIGURED else "\n"
            cls.real = cls.asked(address, place)
        with Service(fresh) as served:
            cls.ours = cls.asked(served.address(), place)

    @classmethod
    def asked(cls, address: str, place: Path) -> dict[str, list[str]]:
        script = place / "script.lua"
        script.write_text(SCRIPT.replace("ADDRESS", address))
        found: dict[str, list[str]] = {}
        for number, line in enumerate(cls.lines):
            found[f"{number}: {line}"] = answer(line, address, script)
        for args in WATCHES:
            found[f"watch {' '.join(args)}"] = watched(address, args)
        return found

    def test_members_are_listed(self) -> None:
        assert isinstance(self, unittest.TestCase)
        self.assertEqual(self.members, self.known)

    def test_every_command_line_prints_the_same(self) -> None:
        assert isinstance(self, unittest.TestCase)
        for line, real in self.real.items():
            with self.subTest(line):
                self.assertEqual(self.ours[line], real)
                # Nothing is counted where there is no snapshot.
                self.assertEqual(real == [], "keys-layout" in line)


class Configured(CommandLines, unittest.TestCase):
    release = CONFIGURED


class Newest(CommandLines, unittest.TestCase):
    release = NEWEST
    # The other one cannot be asked for it.
    lines: ClassVar[list[str]] = [
        *LINES,
        "keys-layout --grpc-api-address ADDRESS",
        "keys-layout --grpc-api-address ADDRESS --depth 1",
    ]
