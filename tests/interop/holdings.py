"""Which objects there are: by the engine's own account, and by that of `databend-metactl objects`.

Both are sorted lists of texts, by question, that can be compared as they are. A text is the name of an
object and whatever else both sides say of it.
"""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from engine import Engine, Row
from metactl import json_lines

type Holdings = dict[str, list[str]]

# What an engine shows although its meta service has nothing of it: the only place where an answer is
# put right before it is compared.
BUILT_IN: dict[str, set[str]] = {
    # Databases made of code, whose tables show what the engine knows.
    "database": {"system", "information_schema"},
    # The user of the embedded engine, out of its configuration.
    "user": {"'root'@'%'"},
    # The role of that user. Every engine has it, and none stores it.
    "role": {"account_admin"},
}

# Kinds of objects that have a name and nothing else that both sides say, and how the engine tells it.
NAMED: dict[str, str] = {
    "role": "select name from system.roles",  # SHOW ROLES has only those of the user
    "stage": "show stages",
    "connection": "show connections",
    "file_format": "show file formats",
    "udf": "show user functions",
    "sequence": "show sequences",
    "network_policy": "show network policies",
    "password_policy": "show password policies",
    "setting": "show settings where level = 'GLOBAL'",
    "tag": "select name from system.tags",
}

DATABASES = "select name, database_id, owner, dropped_on from system.databases_with_history"
TABLES = """select database, name, table_id, engine, owner, created_on, dropped_on
    from system.tables_with_history where catalog = 'default'"""


def of_engine(engine: Engine, kinds: Iterable[str]) -> Holdings:
    """What the engine says of itself, with the kinds of `NAMED` that it knows."""

    def own(kind: str, names: Iterable[str | None]) -> list[str]:
        return sorted(str(name) for name in names if name not in BUILT_IN.get(kind, ()))

    def ask(statement: str, text: Callable[[Row], str]) -> list[str]:
        built_in = BUILT_IN["database"]
        return sorted(text(row) for row in engine.ask(statement) if row[0] not in built_in)

    databases = own("database", (row[0] for row in engine.ask("show databases")))

    def per_database(what: str) -> list[str]:
        return sorted(f"{name}.{row[0]}" for name in databases for row in engine.ask(f'{what} "{name}"'))

    users = engine.ask("show users")
    found = {
        "SHOW DATABASES": databases,
        "SHOW TABLES": per_database("show tables from"),
        "SHOW VIEWS": per_database("show views from"),
        "databases ever": ask(DATABASES, lambda row: f"{row[0]} id {row[1]} {fate(*row[2:])}"),
        "tables ever": ask(
            TABLES,
            lambda row: f"{row[0]}.{row[1]} id {row[2]} {row[3]} since {row[5]} {fate(row[4], row[6])}",
        ),
        "SHOW DICTIONARIES": sorted(
            f"{row[0]}.{row[1]}"
            for name in databases
            for row in engine.ask(f'show dictionaries from "{name}"')
        ),
        "SHOW PROCEDURES": ask("show procedures", lambda row: f"{row[0]} id {row[1]}"),
        "SHOW USERS": own("user", (f"'{row[0]}'@'{row[1]}'" for row in users)),
    }
    for kind in kinds:
        found[kind] = own(kind, (row[0] for row in engine.ask(NAMED[kind])))
    return found


def of_stores(stores: Iterable[Path], kinds: Iterable[str], tenant: str) -> Holdings:
    """What the command line says of stores that together are an engine's."""
    return described(objects(stores, tenant), kinds)


def objects(stores: Iterable[Path], tenant: str) -> list[dict[str, Any]]:
    """The objects in stores, put together."""
    return whole(
        one
        for store in stores
        if tenant in tenants(store)
        for one in json_lines("objects", "--quiet", *source(store), "--tenant", tenant)
    )


def source(store: Path) -> list[str | Path]:
    """Arguments that name a data directory, or a dump."""
    return ["--raft-dir", store] if store.is_dir() else ["--db", store]


def tenants(store: Path) -> dict[str | None, dict[str, Any]]:
    """What the command line says of each tenant of a store."""
    return {line["tenant"]: line for line in json_lines("objects", "--quiet", *source(store))}


def described(objects: list[dict[str, Any]], kinds: Iterable[str]) -> Holdings:
    def of(kind: str, text: Callable[[dict[str, Any]], str]) -> list[str]:
        return sorted(text(one) for one in objects if one["kind"] == kind)

    dropped = dropped_databases(objects)
    tables = [one for one in objects if one["kind"] == "table" and one["parent_id"] not in dropped]
    living = [one for one in tables if not one["dropped_on"]]
    found = {
        "SHOW DATABASES": sorted(
            one["name"] for one in objects if one["kind"] == "database" and not one["dropped_on"]
        ),
        "SHOW TABLES": sorted(full_name(one) for one in living if one["engine"] != "VIEW"),
        "SHOW VIEWS": sorted(full_name(one) for one in living if one["engine"] == "VIEW"),
        "databases ever": of(
            "database",
            lambda one: f"{one['name']} id {one['id']} {fate(one['owner'], time(one['dropped_on']))}",
        ),
        "tables ever": sorted(
            f"{full_name(one)} id {one['id']} {one['engine']} since {time(one['created_on'])}"
            f" {fate(one['owner'], time(one['dropped_on']))}"
            for one in tables
        ),
        "SHOW DICTIONARIES": of("dictionary", full_name),
        "SHOW PROCEDURES": of("procedure", lambda one: f"{one['name']} id {one['id']}"),
        "SHOW USERS": of("user", lambda one: one["name"]),
    }
    for kind in kinds:
        found[kind] = of(kind, lambda one: one["name"])
    return found


def of_dropped_databases(stores: Iterable[Path], tenant: str) -> list[str]:
    """Tables of databases that are dropped. An engine shows them only after UNDROP DATABASE."""
    found = objects(stores, tenant)
    dropped = dropped_databases(found)
    tables = (one for one in found if one["kind"] == "table" and one["parent_id"] in dropped)
    return sorted(f"{full_name(one)} id {one['id']}" for one in tables)


def dropped_databases(objects: list[dict[str, Any]]) -> set[int]:
    return {one["id"] for one in objects if one["kind"] == "database" and one["dropped_on"]}


def whole(objects: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Objects put together of what several stores have of them.

    An engine with stores of its own has the owners of its tables in another store than the tables, and
    the role public in several.
    """
    found: dict[Any, dict[str, Any]] = {}
    for one in objects:
        earlier = found.setdefault((one["kind"], one["id"] or one["name"]), one)
        for field, value in one.items():
            if earlier[field] is None:
                earlier[field] = value
    return list(found.values())


def full_name(one: dict[str, Any]) -> str:
    return f"{one['database']}.{one['name']}"


def fate(owner: str | None, dropped_on: str | None) -> str:
    return f"owner {owner} dropped {dropped_on}"


def time(nanoseconds: str | None) -> str | None:
    """A time as engines show it, which is to the microsecond: `2026-11-29 09:02:34.928416`."""
    return None if nanoseconds is None else nanoseconds.removesuffix(" UTC")[:26]
