"""The questions of the cookbook, asked by DuckDB and by an engine of the tables of three clusters on two
days. Started by `make interop`.
"""

import gzip
import json
import re
import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path
from typing import Any, ClassVar

from engine import HERE, NEWEST, RELEASES, Engine
from metactl import BINARY, SECONDS, json_lines, metactl

COOKBOOK = HERE.parents[1] / "docs" / "cookbook.md"
DUMP = HERE.parent / "fixtures" / "engine" / "e895.server-export.ndjson.gz"

# Noon of the two days, in milliseconds since 1970.
DAYS = {"2026-11-29": 1_795_953_600_000, "2026-11-30": 1_796_040_000_000}

# Runs in the Python that has DuckDB: a statement on stdin, its rows as JSON on stdout.
ASK = """\
import duckdb, json, sys
duckdb.execute("set timezone = 'UTC'")
print(json.dumps(duckdb.execute(sys.stdin.read()).fetchall(), default=str))
"""


def run(*args: str | Path) -> subprocess.CompletedProcess[str]:
    command = [str(BINARY), *map(str, args)]
    return subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False)


class Tables(unittest.TestCase):
    place: ClassVar[Path]
    now: ClassVar[Path]
    questions: ClassVar[list[str]]

    @classmethod
    def setUpClass(cls) -> None:
        cls.place = Path(tempfile.mkdtemp(prefix="interop-"))
        cls.addClassCleanup(shutil.rmtree, cls.place)
        cls.questions = re.findall(r"^```sql\n(.*?)^```", COOKBOOK.read_text(), re.DOTALL | re.MULTILINE)
        cls.now = cls.place / "now.db"
        cls.now.write_bytes(gzip.decompress(DUMP.read_bytes()))
        lines = cls.now.read_bytes().splitlines(keepends=True)
        cut = b"".join(line[:-9] + b"\n" if b"__fd_users/" in line else line for line in lines)
        first, last = DAYS
        cls.file("prod-eu", first, "--at", "1300")
        cls.file("prod-eu", last)
        cls.file("prod/us", first)
        cls.file("prod/us", last)
        cls.file("lab", first)
        cls.file("lab", last, damaged=cut)

    @classmethod
    def file(cls, cluster: str, day: str, *at: str, damaged: bytes | None = None) -> None:
        """Files a backup of noon of a day: the dump, what it is at a moment, or what has become of it."""
        backup = cls.place / "meta.db"
        metactl("rewrite", "--quiet", cls.now, "--output", backup, *at)
        manifest = cls.place / "meta.db.manifest.json"
        manifest.write_text(json.dumps(json.loads(manifest.read_text()) | {"created_at_ms": DAYS[day]}))
        if damaged is not None:
            backup.write_bytes(damaged)
        lake = cls.place / "lake"
        command = ["rewrite", backup, "--to", "parquet", "--output", lake, "--cluster", cluster]
        ran = run(*command)
        if ran.returncode != (0 if damaged is None else 1):
            raise AssertionError(ran.stderr)

    def ask(self, statement: str) -> list[list[Any]]:
        """What DuckDB answers."""
        python = RELEASES / "tables" / "bin" / "python"
        ran = subprocess.run(
            [str(python), "-c", ASK],
            input=statement,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            cwd=self.place,
            check=False,
        )
        self.assertEqual(ran.returncode, 0, ran.stderr)
        rows: list[list[Any]] = json.loads(ran.stdout)
        return rows

    def tables(self, at: str) -> list[dict[str, Any]]:
        objects = json_lines("objects", "--quiet", "--kind", "table", "--at", at, self.now)
        return [table for table in objects if table["dropped_on"] is None]

    def test_the_cookbook_has_four_questions(self) -> None:
        self.assertEqual(len(self.questions), 4)

    def test_which_table_count_jumped(self) -> None:
        before, now = len(self.tables("1300")), len(self.tables("end"))
        expected = [["prod-eu", "2026-11-30", before, now]]
        self.assertEqual(self.ask(self.questions[0]), expected)

    def test_which_backups_have_errors(self) -> None:
        rows = self.ask(self.questions[1])
        self.assertEqual({(cluster, day) for cluster, day, *_ in rows}, {("lab", "2026-11-30")})
        report = json.loads(run("validate", "--format", "json", self.place / "meta.db").stdout)
        errors = {found["code"] for found in report["findings"] if found["severity"] == "error"}
        expected = {code: times for code, times in report["counts"].items() if code in errors}
        self.assertEqual({row[2]: int(row[3]) for row in rows}, expected)
        self.assertIn("not-json", errors)

    def test_which_tables_were_dropped(self) -> None:
        dropped = sorted(
            effect["name"]
            for entry in json_lines("log", "--quiet", self.now)
            for effect in entry["effects"]
            if effect["verb"] == "drops" and effect["kind"] == "table"
        )
        self.assertGreater(len(dropped), 10)
        rows = self.ask(self.questions[2])
        for cluster in ["prod-eu", "prod/us", "lab"]:
            self.assertEqual(sorted(row[3] for row in rows if row[0] == cluster), dropped)

    def test_types_are_read_as_they_are(self) -> None:
        types = {name: kind for name, kind, *_ in self.ask("describe from 'lake/keys/**/*.parquet'")}
        self.assertEqual(types["expire_at"], "TIMESTAMP WITH TIME ZONE")
        self.assertEqual((types["seq"], types["value"]), ("UBIGINT", "JSON"))
        self.assertEqual((types["cluster"], types["day"]), ("VARCHAR", "DATE"))
        asked = "select count(*) from 'lake/keys/**/*.parquet' where cluster = 'prod/us' and day = '2026-11-30'"
        keys = json_lines("keys", "--quiet", self.now)
        self.assertEqual(self.ask(asked), [[len(keys)]])

    def test_an_engine_reads_them_too(self) -> None:
        before, now = len(self.tables("1300")), len(self.tables("end"))
        parquet = "(pattern => '.*[.]parquet', file_format => 'parquet')"
        with Engine(NEWEST, self.place / "engine") as engine:
            engine.ask(f"create stage lake url = 'fs://{self.place}/lake/'")
            jumped = engine.ask(self.questions[3])
            self.assertEqual(jumped, [["prod-eu", "2026-11-30", str(before), str(now)]])
            for table in ["keys", "log", "objects", "findings"]:
                with self.subTest(table):
                    rows = engine.ask(f"select count(*) from @lake/{table} {parquet}")
                    of_duckdb = self.ask(f"select count(*) from 'lake/{table}/**/*.parquet'")
                    self.assertEqual(rows, [[str(of_duckdb[0][0])]])
            asked = f"select parse_json(value):engine::string, count(*) from @lake/keys {parquet}"
            engines = engine.ask(f"{asked} where form = 'TableMeta' group by 1 order by 1")
            asked = "select value->>'$.engine', count(*) from 'lake/keys/**/*.parquet'"
            of_duckdb = self.ask(f"{asked} where form = 'TableMeta' group by 1 order by 1")
            self.assertEqual(engines, [[name, str(count)] for name, count in of_duckdb])
            engine.ask(f"create table kept as select * from @lake/objects {parquet}")
            kinds = engine.ask("select kind, sum(bytes) from kept group by kind order by kind")
            asked = "select kind, sum(bytes)::bigint from 'lake/objects/**/*.parquet'"
            of_duckdb = self.ask(f"{asked} group by kind order by kind")
            self.assertEqual(kinds, [[kind, str(total)] for kind, total in of_duckdb])
