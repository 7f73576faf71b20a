"""The same statements by the same engine, as the client of a real meta service and of `serve`: answers
and states are compared. Started by `make interop`.
"""

import itertools
import re
import shutil
import tempfile
import unittest
from collections import defaultdict
from pathlib import Path
from typing import ClassVar, NamedTuple, Self

from engine import CONFIGURED, HERE, NEWEST, Engine, EngineError
from metactl import Service, json_lines, metactl

STATEMENTS = HERE.parent / "fixtures" / "engine" / "rich.sql"

# How many statements the file makes, and how many of them this release takes: others need a licence, or
# a newer release.
MADE = 855
FEWEST_TAKEN = 700

UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"

# What an engine makes anew each time, in answers and keys.
VOLATILE = [
    (re.compile(r"20\d\d-\d\d-\d\d[ T]\d\d:\d\d:\d\d(\.\d+)?"), "<time>"),
    (re.compile(UUID), "<uuid>"),
    (re.compile(r"[0-9a-f]{32,64}"), "<hex>"),
    (re.compile(r"\b17\d{8,11}\b"), "<unix time>"),
    (re.compile(r"127\.0\.0\.1:\d+"), "<address>"),
    (re.compile(r"\s+"), " "),
]

# The same in values. A time that is a text has its length before it.
VOLATILE_BYTES = [
    (re.compile(rb".20\d\d-\d\d-\d\d[ T]\d\d:\d\d:\d\d(\.\d+)?", re.DOTALL), b"<time>"),
    (re.compile(UUID.encode()), b"<uuid>"),
    (re.compile(rb"[0-9a-f]{32}"), b"<hex>"),
    (re.compile(rb"\b17\d{8,11}\b"), b"<unix time>"),
    # How well the rows of a table compress depends on the times in them.
    (
        re.compile(rb"(\xba\x01.\x08[^\x18]*\x18)[\x80-\xff]*[\x00-\x7f]", re.DOTALL),
        rb"\1<compressed bytes>",
    ),
]

# What an engine lists in no order.
CHOICES = re.compile(r"\[(\w+(?:,\w+)+)\]")

# Keys with a time to live come and go while the statements run.
PASSING = ("__fd_clusters_v6/", "__fd_warehouses/", "_txn_id/", "_result_cache/")


class Record(NamedTuple):
    """What a meta service has of a key."""

    seq: int
    data: bytes


class Run(NamedTuple):
    """What came of the statements."""

    answers: list[tuple[str, bool, str]]
    state: dict[str, Record]

    @classmethod
    def of(cls, address: str, folder: Path) -> Self:
        """Has an engine that begins anew in a folder run the statements, and asks its meta service for all
        keys."""
        answers = []
        with Engine(CONFIGURED, folder, meta_service=address) as engine:
            for statement in statements(folder):
                try:
                    answers.append((statement, True, str(engine.ask(statement))))
                except EngineError as error:
                    answers.append((statement, False, str(error)))
        shutil.rmtree(folder)
        return cls(answers, state(address, folder.with_suffix(".db")))


def statements(folder: Path) -> list[str]:
    made = []
    for statement in STATEMENTS.read_text(encoding="utf-8").split(";;\n"):
        statement = statement.strip()
        if not statement or statement.startswith("--"):
            continue
        repeated = re.match(r"@(\d+) (.*)", statement, re.DOTALL)
        if repeated:
            made += [repeated[2].replace("{i}", str(i)) for i in range(int(repeated[1]))]
        else:
            made.append(statement)
    return [statement.replace("{dir}", str(folder)) for statement in made]


def state(address: str, dump: Path) -> dict[str, Record]:
    """Every key with the value that the service itself answers with."""
    metactl("export", "--quiet", "--grpc-api-address", address, "--db", dump)
    keys = [line["key"] for line in json_lines("keys", "--quiet", "--db", dump)]
    keys = [key for key in keys if not key.startswith(PASSING)]
    found = {}
    for start in range(0, len(keys), 200):
        asked = [arg for key in keys[start : start + 200] for arg in ("--key", key)]
        for answer in json_lines("get", "--quiet", "--grpc-api-address", address, *asked):
            value = answer["value"]
            if value is not None and not (value.get("meta") or {}).get("expire_at"):
                found[answer["key"]] = Record(value["seq"], bytes(value["data"]))
    return found


class Masks:
    """What takes away from answers, keys and values what differs between any two runs."""

    def __init__(self, ids: list[int]) -> None:
        """Ids come from sequence numbers, which the heartbeats of an engine take, too: those from which
        on they differ have their rank in place of the id."""
        self._texts = [
            (re.compile(rf"\b{number}\b"), f"<id {rank}>") for rank, number in enumerate(ids)
        ]
        self._bytes = [
            (re.compile(re.escape(spelled)), b"<id %d>" % rank)
            for rank, number in enumerate(ids)
            for spelled in (varint(number), str(number).encode())
        ]

    def text(self, text: str) -> str:
        for pattern, name in VOLATILE + self._texts:
            text = pattern.sub(name, text)
        return CHOICES.sub(lambda found: ",".join(sorted(found[1].split(","))), text)

    def data(self, data: bytes) -> bytes:
        for pattern, name in VOLATILE_BYTES + self._bytes:
            data = pattern.sub(name, data)
        return data

    def by_key(self, state: dict[str, Record]) -> dict[str, list[bytes]]:
        """Values by their keys, those of one key in the order in which they were written."""
        found = defaultdict(list)
        for key, record in sorted(state.items(), key=lambda item: item[1].seq):
            found[self.text(key)].append(self.data(record.data))
        return found


def varint(number: int) -> bytes:
    spelled = b""
    while number > 127:
        spelled += bytes([number & 127 | 128])
        number >>= 7
    return spelled + bytes([number])


def masks_of(real: Run, ours: Run) -> tuple[Masks, Masks]:
    """The masks of two runs in which the same tables were made in the same order."""

    def ids(run: Run) -> list[int]:
        prefix = "__fd_table_by_id/"
        return sorted(int(key.removeprefix(prefix)) for key in run.state if key.startswith(prefix))

    pairs = list(zip(ids(real), ids(ours), strict=True))
    same = sum(1 for _ in itertools.takewhile(lambda pair: pair[0] == pair[1], pairs))
    return Masks([pair[0] for pair in pairs[same:]]), Masks([pair[1] for pair in pairs[same:]])


class Statements(unittest.TestCase):
    """All that can be created, altered and dropped."""

    maxDiff = None

    real: ClassVar[Run]
    ours: ClassVar[Run]
    mask_real: ClassVar[Masks]
    mask_ours: ClassVar[Masks]

    @classmethod
    def setUpClass(cls) -> None:
        place = Path(tempfile.mkdtemp(prefix="interop-"))
        cls.addClassCleanup(shutil.rmtree, place)
        folder, fresh = place / "engine", place / "fresh.db"
        with Engine(NEWEST, place / "service") as service:
            # The store that is not used by its own engine for anything that has a name.
            address = service.grpc_addresses()[-1]
            metactl("export", "--quiet", "--grpc-api-address", address, "--db", fresh)
            cls.real = Run.of(address, folder)
        with Service(fresh) as served:
            cls.ours = Run.of(served.address(), folder)

        cls.mask_real, cls.mask_ours = masks_of(cls.real, cls.ours)

    def test_all_answers_are_the_same(self) -> None:
        self.assertEqual(len(self.real.answers), MADE)
        self.assertGreater(sum(taken for _, taken, _ in self.real.answers), FEWEST_TAKEN)
        for real, ours in zip(self.real.answers, self.ours.answers, strict=True):
            expected = (real[1], self.mask_real.text(real[2]))
            found = (ours[1], self.mask_ours.text(ours[2]))
            if found != expected:
                with self.subTest(real[0]):
                    self.assertEqual(found, expected)

    def test_all_keys_have_the_same_values(self) -> None:
        self.assertGreater(len(self.real.state), 1000)
        real, ours = self.mask_real.by_key(self.real.state), self.mask_ours.by_key(self.ours.state)
        self.assertEqual(set(ours), set(real))
        self.assertEqual(
            [(key, real[key], ours[key]) for key in real if real[key] != ours[key]], []
        )
