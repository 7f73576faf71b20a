"""An engine of a release, run in a child process, and the stores of meta data that it leaves."""

import contextlib
import json
import os
import queue
import re
import signal
import subprocess
import threading
from pathlib import Path
from types import TracebackType
from typing import Self

from metactl import Refused, metactl

HERE = Path(__file__).resolve().parent

# Where scripts/interop.sh has installed the releases.
RELEASES = Path(os.environ["INTEROP_RELEASES"])

START_SECONDS = 60.0
STATEMENT_SECONDS = 30.0
END_SECONDS = 15.0

# The last release whose engine takes a configuration file; later ones only take a folder.
CONFIGURED = "1.2.784"
NEWEST = "1.2.895"

TENANT = "interop"

# What every session begins with.
SESSION = ["set enable_experimental_procedure = 1"]

CONFIG = """\
[query]
tenant_id = "{tenant}"
cluster_id = "interop"
[[query.users]]
name = "root"
auth_type = "no_password"
[log.file]
on = false
[meta]
{meta}
[storage]
type = "fs"
allow_insecure = true
[storage.fs]
data_path = "{folder}/data"
"""

type Row = list[str | None]


class EngineError(Exception):
    """A statement that failed, or an engine that does not answer."""


class Engine:
    """A running engine. Use it in a `with` statement, which ends it."""

    def __init__(
        self,
        release: str,
        folder: Path,
        meta_service: str | None = None,
        tenant: str = TENANT,
    ) -> None:
        """An engine whose data is in a folder, with stores of its own there or as the client of a
        meta service, for a tenant."""
        folder.mkdir(exist_ok=True)
        command = [
            str(RELEASES / f"databend-{release}" / "bin" / "python"),
            str(HERE / "engine_child.py"),
            str(folder),
            tenant,
        ]
        if release == CONFIGURED:
            command.append(str(self._write_config(folder, meta_service, tenant)))
        elif meta_service is not None:
            raise ValueError(f"the engine of {release} cannot be told of a meta service")
        self.folder = folder
        self._log = (folder / "engine.log").open("ab")
        self._child = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            encoding="utf-8",
        )
        self._answers: queue.Queue[str] = queue.Queue()
        threading.Thread(target=self._listen, daemon=True).start()
        try:
            self._answer("the start", START_SECONDS)
            for statement in SESSION:
                self.ask(statement)
        except EngineError:
            self.close()
            raise

    @staticmethod
    def _write_config(folder: Path, meta_service: str | None, tenant: str) -> Path:
        meta = f'embedded_dir = "{folder}/meta"'
        if meta_service is not None:
            meta = f'endpoints = ["{meta_service}"]\nusername = "root"\npassword = "root"'
        config = folder / "config.toml"
        config.write_text(CONFIG.format(meta=meta, folder=folder, tenant=tenant), encoding="utf-8")
        return config

    def _listen(self) -> None:
        assert self._child.stdout is not None
        for line in self._child.stdout:
            self._answers.put(line)
        self._answers.put("")

    def ask(self, statement: str) -> list[Row]:
        """Runs a statement and returns the rows of its answer."""
        self._tell(statement)
        return self._answer(statement, STATEMENT_SECONDS)

    def begin_session(self) -> None:
        """Goes on with a new session, which knows nothing of what the one before has read."""
        self._tell(None)
        self._answer("a new session", STATEMENT_SECONDS)
        for statement in SESSION:
            self.ask(statement)

    def _tell(self, statement: str | None) -> None:
        assert self._child.stdin is not None
        # Where the engine has ended, that no answer comes says so.
        with contextlib.suppress(BrokenPipeError):
            self._child.stdin.write(json.dumps(statement) + "\n")
            self._child.stdin.flush()

    def _answer(self, to: str, seconds: float) -> list[Row]:
        try:
            line = self._answers.get(timeout=seconds)
        except queue.Empty as error:
            raise EngineError(f"no answer to: {to}\n{self._log_end()}") from error
        if not line:
            raise EngineError(f"the engine ended at: {to}\n{self._log_end()}")
        answer = json.loads(line)
        if "error" in answer:
            raise EngineError(f"{to}\n{answer['error']}")
        rows: list[Row] = answer["rows"]
        return rows

    def _log_end(self) -> str:
        return (self.folder / "engine.log").read_text(errors="replace")[-2000:]

    def stores(self) -> list[Path]:
        """The data directories of its meta services, in the order in which they were made."""
        return stores(self.folder)

    def grpc_addresses(self) -> list[str]:
        """Where its meta services answer, in the order of `stores`; not every one does.

        A folder has the port of the raft in its name, which a service says of itself.
        """
        of_raft = [int(store.parent.name.rpartition("-")[2]) for store in self.stores()]
        of_grpc: dict[int, str] = {}
        for port in listening_ports(self._child.pid) - set(of_raft):
            address = f"127.0.0.1:{port}"
            with contextlib.suppress(Refused):
                status = metactl("status", "--grpc-api-address", address)
                if node := re.search(r"^Node: id=\d+ raft=\w+:(\d+)$", status, re.MULTILINE):
                    of_grpc[int(node[1])] = address
        return [of_grpc[port] for port in of_raft if port in of_grpc]

    def close(self) -> None:
        """Ends the engine, at first by asking."""
        assert self._child.stdin is not None and self._child.stdout is not None
        with contextlib.suppress(BrokenPipeError):
            self._child.stdin.close()
        try:
            self._child.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            self._child.send_signal(signal.SIGKILL)
            self._child.wait(END_SECONDS)
        self._child.stdout.close()
        self._log.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def stores(folder: Path) -> list[Path]:
    """The data directories of meta services that an engine has left in its folder."""
    made = (folder / "meta").glob("MetaStoreProvider-created-*")
    return [store / "raft_dir" for store in sorted(made, key=lambda made: made.stat().st_mtime_ns)]


def listening_ports(process: int) -> set[int]:
    """The TCP ports on which a process listens."""
    sockets: set[str] = set()
    for descriptor in Path(f"/proc/{process}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):  # closed meanwhile
            sockets.add(os.readlink(descriptor))
    ports: set[int] = set()
    for line in Path(f"/proc/{process}/net/tcp").read_text().splitlines()[1:]:
        fields = line.split()
        address, state, inode = fields[1], fields[3], fields[9]
        if state == "0A" and f"socket:[{inode}]" in sockets:
            ports.add(int(address.rpartition(":")[2], 16))
    return ports
