"""Objects of a dump are brought back into a running meta service, and an engine reads their rows again.
Started by `make interop`.
"""

import shutil
import tempfile
import unittest
from pathlib import Path
from typing import ClassVar

from engine import CONFIGURED, NEWEST, TENANT, Engine, Row
from metactl import json_lines, metactl
from test_statements import Record, state

OTHER = "other"


class BroughtBack(unittest.TestCase):
    """An engine as the client of a real service, which has another tenant, too."""

    TABLES: ClassVar[dict[str, list[Row]]] = {
        "a": [["1", "one"]],
        "b": [["1", "one"], ["2", "two"]],
        "c": [["3", "three"]],
    }

    def setUp(self) -> None:
        self.place = Path(tempfile.mkdtemp(prefix="interop-"))
        self.addCleanup(shutil.rmtree, self.place)
        service = Engine(NEWEST, self.place / "service")
        self.addCleanup(service.close)
        self.address = service.grpc_addresses()[-1]
        with self.engine(OTHER) as engine:
            self.make(engine)
        self.other = self.of_other()
        self.dump = self.place / "before.db"
        self.owner = self.engine(TENANT)
        self.addCleanup(self.owner.close)
        self.make(self.owner)
        metactl("export", "--quiet", "--grpc-api-address", self.address, "--db", self.dump)

    def engine(self, tenant: str) -> Engine:
        folder = self.place / tenant
        return Engine(CONFIGURED, folder, meta_service=self.address, tenant=tenant)

    def make(self, engine: Engine) -> None:
        engine.ask("create database shop")
        engine.ask("create role keeper")
        for table, rows in self.TABLES.items():
            engine.ask(f"create table shop.{table} (n int, name string)")
            for n, name in rows:
                engine.ask(f"insert into shop.{table} values ({n}, '{name}')")
        engine.ask("create view shop.names as select name from shop.a")
        engine.ask("grant select on shop.a to role keeper")

    def rows(self, engine: Engine, table: str) -> list[Row]:
        return engine.ask(f"select * from {table} order by n")

    def bring(self, *args: str, address: str | None = None) -> str:
        into = ["import", "--quiet", "--grpc-api-address", address or self.address, "--yes"]
        return metactl(*into, "--db", self.dump, *args)

    def of_other(self) -> dict[str, Record]:
        """The keys of the other tenant, and of all that is in its databases."""
        exported = self.place / "other.db"
        keys = state(self.address, exported)
        tables = [
            str(table["id"])
            for table in json_lines("objects", "--quiet", "--tenant", OTHER, "--db", exported)
            if table["id"] is not None
        ]
        passing = ("__fd_clusters_v6/", "__fd_warehouses/", "_txn_id/", "__fd_id_gen/")
        return {
            key: record
            for key, record in keys.items()
            if not key.startswith(passing)
            and (f"/{OTHER}" in key or any(part in tables for part in key.split("/")))
        }

    def assert_as_before(self, engine: Engine, database: str) -> None:
        for table, rows in self.TABLES.items():
            with self.subTest(f"{database}.{table}"):
                self.assertEqual(self.rows(engine, f"{database}.{table}"), rows)

    def assert_sound(self) -> None:
        exported = self.place / "after.db"
        metactl("export", "--quiet", "--grpc-api-address", self.address, "--db", exported)
        [report] = json_lines("validate", exported)
        self.assertEqual([of for of in report["findings"] if of["severity"] != "note"], [])

    def test_a_dropped_database_comes_back_with_its_rows(self) -> None:
        engine = self.owner
        self.assertTrue(self.other, "the other tenant has none, which proves nothing")
        engine.ask("drop database shop")
        self.assertNotIn("shop", [row[0] for row in engine.ask("show databases")])
        plan = self.bring("--object", f"{TENANT}/shop")
        self.assertRegex(plan, r"(?m)^~ database shop \(id \d+\): its drop is undone")
        self.assert_as_before(engine, "shop")
        self.assertEqual(engine.ask("select * from shop.names"), [["one"]])
        # The engine goes on from there.
        engine.ask("insert into shop.b values (9, 'nine')")
        engine.ask("create table shop.d (n int)")
        self.assertEqual(self.rows(engine, "shop.b")[-1], ["9", "nine"])
        self.assertEqual(self.of_other(), self.other)
        self.assert_sound()
        engine.ask("drop database shop")
        engine.ask("undrop database shop")
        self.assertEqual(self.rows(engine, "shop.c"), self.TABLES["c"])

    def test_a_dropped_table_comes_back(self) -> None:
        engine = self.owner
        engine.ask("drop table shop.b")
        self.bring("--object", f"{TENANT}/shop.b")
        self.assert_as_before(engine, "shop")
        self.assertEqual(self.of_other(), self.other)
        self.assert_sound()

    def test_what_it_was_is_brought_beside_what_it_is(self) -> None:
        engine = self.owner
        engine.ask("insert into shop.a values (5, 'five')")
        self.bring("--object", f"{TENANT}/shop.a", "--as", "a_then")
        self.assertEqual(self.rows(engine, "shop.a_then"), self.TABLES["a"])
        engine.ask("insert into shop.a_then values (6, 'six')")
        self.assertEqual(self.rows(engine, "shop.a_then"), [["1", "one"], ["6", "six"]])
        self.assertEqual(self.rows(engine, "shop.a"), [["1", "one"], ["5", "five"]])
        self.bring("--object", f"{TENANT}/shop", "--as", "shop_then")
        self.assert_as_before(engine, "shop_then")
        engine.ask("insert into shop_then.c values (7, 'seven')")
        self.assertEqual(self.rows(engine, "shop_then.c"), [["3", "three"], ["7", "seven"]])
        self.assertEqual(self.rows(engine, "shop.c"), self.TABLES["c"])
        engine.ask("create table shop_then.d (n int)")
        engine.ask("rename table shop_then.c to shop_then.e")
        self.assertEqual(len(self.rows(engine, "shop_then.e")), 2)
        self.assertEqual(self.of_other(), self.other)
        self.assert_sound()

    def test_a_database_gets_into_another_service_with_its_ids(self) -> None:
        shutil.copytree(self.place / TENANT / "data", self.place / "copy" / "data")
        service = Engine(NEWEST, self.place / "service2")
        self.addCleanup(service.close)
        address = service.grpc_addresses()[-1]
        with Engine(CONFIGURED, self.place / "copy", meta_service=address) as engine:
            self.bring("--object", f"{TENANT}/shop", "--raise-sequence", address=address)
            self.assert_as_before(engine, "shop")
            engine.ask("create table shop.d (n int)")
            engine.ask("insert into shop.a values (5, 'five')")
            of_shop = "select table_id from system.tables where database = 'shop'"
            ids = [row[0] for row in engine.ask(of_shop)]
            self.assertEqual(len(ids), len(set(ids)))
            self.assertEqual(self.rows(engine, "shop.a"), [["1", "one"], ["5", "five"]])


if __name__ == "__main__":
    unittest.main()
