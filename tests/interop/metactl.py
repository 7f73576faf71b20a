"""Runs `databend-metactl`."""

import json
import os
import re
import subprocess
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self

BINARY = Path(os.environ["METACTL"])
SECONDS = 60.0


class Refused(Exception):
    """The command did not end with success."""


def metactl(*args: str | Path) -> str:
    """What a command prints on stdout."""
    command = [str(BINARY), *map(str, args)]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False)
    if ran.returncode != 0:
        raise Refused(f"{' '.join(command)}\nexit code {ran.returncode}\n{ran.stdout}{ran.stderr}")
    return ran.stdout


def json_lines(*args: str | Path) -> list[dict[str, Any]]:
    """What a command prints as JSON, an object a line."""
    return [json.loads(line) for line in metactl(*args, "--format", "json").splitlines()]


class Service:
    """`serve` of a dump, without keys where that is not there. Use it in a `with` statement, which
    ends it."""

    def __init__(self, dump: Path) -> None:
        command = [str(BINARY), "serve", "--grpc-api-address", "127.0.0.1:0"]
        if dump.exists():
            command += ["--db", str(dump)]
        self._log = dump.with_suffix(".serve.log")
        with self._log.open("wb") as log:
            self._child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def address(self) -> str:
        """Where it listens, as soon as it does."""
        end = time.monotonic() + SECONDS
        while self._child.poll() is None and time.monotonic() < end:
            if found := re.search(r"gRPC.* (127\.0\.0\.1:\d+)", self._log.read_text()):
                return found[1]
            time.sleep(0.05)
        raise Refused(f"serve does not start\n{self._log.read_text()}")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._child.terminate()
        self._child.wait(SECONDS)
