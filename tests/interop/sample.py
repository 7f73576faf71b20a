"""Makes the sample dump of the viewer: what an engine tells a meta service, half of it in a snapshot.

Usage: sample.py FOLDER OUTPUT, with the environment of scripts/interop.sh
"""

import sys
from pathlib import Path

from engine import CONFIGURED, HERE, Engine
from metactl import Service, metactl

folder, output = Path(sys.argv[1]), sys.argv[2]
before, after = (HERE / "sample.sql").read_text(encoding="utf-8").split("\n---\n")


def statements(text: str) -> list[str]:
    lines = [line for line in text.splitlines() if not line.startswith("--")]
    return [statement for line in lines if (statement := line.removesuffix(";").strip())]


def tell(text: str, service: Service, name: str) -> None:
    with Engine(CONFIGURED, folder / name, service.address(), "acme") as engine:
        for statement in statements(text):
            engine.ask(statement)


first = folder / "first.ndjson"
with Service(folder / "nothing.ndjson") as service:
    tell(before, service, "engine")
    metactl("export", "--grpc-api-address", service.address(), "--db", first)
snapshot = folder / "snapshot.ndjson"
metactl("rewrite", "--db", first, "--at", "end", "--log", "purge", "--output", snapshot)
with Service(snapshot) as service:
    tell(after, service, "engine")
    metactl("export", "--grpc-api-address", service.address(), "--db", output)
