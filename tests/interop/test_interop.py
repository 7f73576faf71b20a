"""Real engines write meta data; what `databend-metactl` says of it and makes of it is held against what
the engines say. Started by `make interop`.
"""

import re
import shutil
import tempfile
import unittest
from pathlib import Path
from typing import ClassVar

from engine import CONFIGURED, HERE, NEWEST, TENANT, Engine, Row, stores
from holdings import NAMED, Holdings, of_dropped_databases, of_engine, of_stores, source, tenants
from metactl import Service, json_lines, metactl

# What an engine with restored meta data has to answer as the first one did, to the last column.
QUESTIONS = [
    "show databases",
    "select * from system.databases_with_history order by database_id",
    "select * from system.tables_with_history where database not in ('system', 'information_schema')"
    " order by table_id",
    "select * from system.columns where database = 'library' order by table, name",
    "show users",
    # Engines make the built-in role, and change the role public, at every start.
    "select name, inherited_roles_name, created_on from system.roles"
    " where name <> 'account_admin' order by name",
    "show grants for user anna",
    "show grants for user ben",
    "show grants for role librarian",
    "show grants for role 'Lehrling ü'",
    "show stages",
    "desc stage csv_files",
    "show connections",
    "show file formats",
    "show user functions",
    "show procedures",
    "show sequences",
    "show dictionaries from library",
    "show network policies",
    "show password policies",
    "show settings where level = 'GLOBAL'",
    "show create table library.book",
    "show create table library.loan",
    "select * from library.title order by id",
    "select count(*), sum(book), max(due) from library.loan",
    "select with_tax(100), full_title('a', 'b')",
    "call procedure shelve(41::int)",
]

# What still has to work with restored meta data, and the last answer.
# Reading this table moves its sequence on, in 1.2.784, so that it is no question.
AFTERWARDS = [
    "insert into library.numbered (a) values (3)",
    "drop table library.in_memory",
    "create table library.in_memory (a int)",
    "undrop table library.gone",
    "drop user anna",
    "create user anna identified with no_password",
    "select count(*), count(distinct n) from library.numbered",
]
AFTERWARDS_ANSWER: list[Row] = [["3", "3"]]

type Answers = dict[str, list[Row]]


def statements(file: str) -> list[str]:
    text = re.sub(r"^--.*\n", "", (HERE / file).read_text(encoding="utf-8"), flags=re.MULTILINE)
    return [statement.strip() for statement in re.split(r";\n", text) if statement.strip()]


def answers(engine: Engine) -> Answers:
    return {question: engine.ask(question) for question in QUESTIONS}


class Written(unittest.TestCase):
    """What an engine has written, and what it has said of it. Each scenario is a class below this."""

    release: ClassVar[str]
    tenant: ClassVar[str] = TENANT
    files: ClassVar[tuple[str, ...]] = ("objects.sql",)
    kinds: ClassVar[tuple[str, ...]] = tuple(kind for kind in NAMED if kind != "tag")
    # What `validate` finds in every store.
    findings: ClassVar[tuple[str, ...]] = ("no-snapshot",)

    place: ClassVar[Path]
    stores: ClassVar[list[Path]]
    dumps: ClassVar[list[Path]]
    holdings: ClassVar[Holdings]
    answers: ClassVar[Answers]

    @classmethod
    def setUpClass(cls) -> None:
        cls.place = Path(tempfile.mkdtemp(prefix="interop-"))
        cls.addClassCleanup(shutil.rmtree, cls.place)
        cls.stores = cls.write()
        cls.dumps = [cls.place / f"store{number}.db" for number in range(len(cls.stores))]
        for store, dump in zip(cls.stores, cls.dumps, strict=True):
            metactl("export", "--quiet", "--raft-dir", store, "--db", dump)

    @classmethod
    def write(cls) -> list[Path]:
        """Has an engine write, ends it, and returns the stores that it wrote to."""
        with Engine(cls.release, cls.place / "engine") as engine:
            cls.tell(engine)
        return stores(cls.place / "engine")

    @classmethod
    def tell(cls, engine: Engine) -> None:
        for file in cls.files:
            for statement in statements(file):
                engine.ask(statement)
        cls.holdings = of_engine(engine, cls.kinds)
        cls.answers = answers(engine)

    def assert_holdings(self, sources: list[Path]) -> None:
        told = of_stores(sources, self.kinds, self.tenant)
        for question, expected in self.holdings.items():
            with self.subTest(question):
                self.assertTrue(expected, "the engine has none, which proves nothing")
                self.assertEqual(told[question], expected)

    def assert_restored(self, engine: Engine) -> None:
        """The engine answers as the first one did, and goes on working."""
        for question, expected in self.answers.items():
            with self.subTest(question):
                self.assertEqual(engine.ask(question), expected)
        with self.subTest("a dropped database comes back with the tables that were foretold"):
            foretold = of_dropped_databases(self.dumps, self.tenant)
            self.assertTrue(foretold)
            engine.ask("undrop database short_lived")
            tables = engine.ask(
                "select name, table_id from system.tables where database = 'short_lived'"
            )
            self.assertEqual([f"short_lived.{row[0]} id {row[1]}" for row in tables], foretold)
        with self.subTest("the engine goes on working"):
            last = [engine.ask(statement) for statement in AFTERWARDS][-1]
            self.assertEqual(last, AFTERWARDS_ANSWER)

    def copied_data(self) -> Path:
        """A folder for another engine, with the data of the first one and without its meta data."""
        folder = self.place / "restored"
        shutil.copytree(self.place / "engine" / "data", folder / "data")
        return folder

    def test_objects_are_those_that_the_engine_shows(self) -> None:
        self.assert_holdings(self.stores)

    def test_a_dump_has_the_objects_of_its_directory(self) -> None:
        self.assert_holdings(self.dumps)

    def test_stores_and_dumps_are_sound(self) -> None:
        for file in self.stores + self.dumps:
            with self.subTest(file):
                [report] = json_lines("validate", *source(file))
                codes = tuple(finding["code"] for finding in report["findings"])
                self.assertEqual(codes, self.findings)


class OwnStoresAtFixedPorts(Written):
    """An engine with stores of its own, which it finds again by their names."""

    release = CONFIGURED

    def test_the_engine_starts_with_restored_directories(self) -> None:
        folder = self.copied_data()
        for store, dump in zip(self.stores, self.dumps, strict=True):
            restored = folder / store.relative_to(self.place / "engine")
            metactl("import", "--quiet", "--raft-dir", restored, "--db", dump)
        self.assert_holdings(stores(folder))
        with Engine(self.release, folder) as engine:
            self.assert_restored(engine)


class OwnStoresAtAnyPorts(Written):
    """The newest engine, whose stores have a new name at every start. It never sees old ones again, so
    their dumps are imported into the new ones while it runs."""

    release = NEWEST
    tenant = "python_binding"
    files = ("objects.sql", "objects-1.2.895.sql")
    kinds = tuple(NAMED)

    def test_the_engine_goes_on_with_what_is_imported_over_grpc(self) -> None:
        with Engine(self.release, self.copied_data()) as engine:
            addresses = engine.grpc_addresses()
            self.assertEqual(len(addresses), len(self.dumps))
            for address, dump in zip(addresses, self.dumps, strict=True):
                into = ["--grpc-api-address", address, "--yes", "--raise-sequence"]
                metactl("import", "--quiet", *into, "--db", dump)
            # The settings are read when a session begins.
            engine.begin_session()
            # An engine keeps what it has read of roles for some seconds, but for changes of its own.
            engine.ask("create role passing")
            engine.ask("drop role passing")
            self.assert_restored(engine)


class ClientOfTheNewestService(Written):
    """An engine as the client of a newer meta service, which has all in one store, and a snapshot."""

    release = CONFIGURED
    findings = ()
    # Enough for the service to take a snapshot, which it does every 1,024 entries.
    many = 300

    @classmethod
    def write(cls) -> list[Path]:
        with Engine(NEWEST, cls.place / "service") as service:
            # The store that is not used by its own engine for anything that has a name.
            address, store = service.grpc_addresses()[-1], service.stores()[-1]
            with Engine(cls.release, cls.place / "engine", meta_service=address) as engine:
                for number in range(cls.many):
                    engine.ask(f"create table default.many_{number} (a int)")
                for number in range(0, cls.many, 3):
                    engine.ask(f"drop table default.many_{number}")
                cls.tell(engine)
        return [store]

    def test_numbers_are_those_of_the_engine(self) -> None:
        shown = self.holdings
        databases = len(shown["SHOW DATABASES"])
        tables = len(shown["SHOW TABLES"]) + len(shown["SHOW VIEWS"])
        hidden = len(of_dropped_databases(self.stores, self.tenant))
        expected = {kind: (len(shown[kind]), 0) for kind in self.kinds} | {
            "database": (databases, len(shown["databases ever"]) - databases),
            "table": (tables, len(shown["tables ever"]) - tables + hidden),
            "dictionary": (len(shown["SHOW DICTIONARIES"]), 0),
            "procedure": (len(shown["SHOW PROCEDURES"]), 0),
            "user": (len(shown["SHOW USERS"]), 0),
        }
        kinds = tenants(self.stores[0])[self.tenant]["kinds"]
        numbers = {kind: (kinds[kind]["count"], kinds[kind]["dropped"]) for kind in expected}
        self.assertEqual(numbers, expected)

    def test_the_engine_goes_on_with_the_restored_store_served(self) -> None:
        restored, dump = self.place / "raft_dir", self.place / "restored.db"
        metactl("import", "--quiet", "--raft-dir", restored, "--db", self.dumps[0])
        metactl("export", "--quiet", "--raft-dir", restored, "--db", dump)
        self.assertEqual(dump.read_bytes(), self.dumps[0].read_bytes())
        with (
            Service(dump) as service,
            Engine(self.release, self.copied_data(), service.address()) as engine,
        ):
            self.assert_restored(engine)


class Accident(unittest.TestCase):
    """A table is dropped, and its store restored as it was the moment before."""

    TABLES: ClassVar[dict[str, list[Row]]] = {
        "a": [["1", "one"]],
        "b": [["1", "one"], ["2", "two"]],
        "c": [["3", "three"]],
    }

    def setUp(self) -> None:
        self.place = Path(tempfile.mkdtemp(prefix="interop-"))
        self.addCleanup(shutil.rmtree, self.place)

    def rows(self, engine: Engine, table: str) -> list[Row]:
        return engine.ask(f"select * from shop.{table} order by n")

    def test_the_table_and_its_rows_are_back(self) -> None:
        with Engine(CONFIGURED, self.place / "engine") as engine:
            engine.ask("create database shop")
            for table, rows in self.TABLES.items():
                engine.ask(f"create table shop.{table} (n int, name string)")
                for n, name in rows:
                    engine.ask(f"insert into shop.{table} values ({n}, '{name}')")
            engine.ask("drop table shop.b")
            engine.ask("insert into shop.a values (9, 'too late')")
            self.assertEqual([row[0] for row in engine.ask("show tables from shop")], ["a", "c"])

        folder = self.place / "restored"
        shutil.copytree(self.place / "engine" / "data", folder / "data")
        moments = []
        for number, store in enumerate(stores(self.place / "engine")):
            dump = self.place / f"store{number}.db"
            metactl("export", "--quiet", "--raft-dir", store, "--db", dump)
            drops = [
                change["log_id"]["index"]
                for change in json_lines("log", "--quiet", "--db", dump, "--object", "shop.b")
                if any(effect["verb"] == "drops" for effect in change["effects"])
            ]
            moments += drops
            at = ["--at", str(drops[0] - 1)] if drops else []
            restored = folder / store.relative_to(self.place / "engine")
            metactl("import", "--quiet", "--raft-dir", restored, "--db", dump, *at)
        self.assertEqual(len(moments), 1)

        with Engine(CONFIGURED, folder) as engine:
            for table, rows in self.TABLES.items():
                with self.subTest(table):
                    self.assertEqual(self.rows(engine, table), rows)
            # The engine goes on from there.
            engine.ask("insert into shop.b values (3, 'three')")
            engine.ask("drop table shop.c")
            self.assertEqual(self.rows(engine, "b")[-1], ["3", "three"])


def load_tests(
    loader: unittest.TestLoader, _tests: unittest.TestSuite, _pattern: str | None
) -> unittest.TestSuite:
    """The scenarios, without what they have in common."""
    scenarios = [OwnStoresAtFixedPorts, OwnStoresAtAnyPorts, ClientOfTheNewestService, Accident]
    return unittest.TestSuite(map(loader.loadTestsFromTestCase, scenarios))


if __name__ == "__main__":
    unittest.main()
