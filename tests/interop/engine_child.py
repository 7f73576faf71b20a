"""Runs inside the Python of one release of the package `databend` and is that release's engine.

Reads one statement a line, as JSON, from stdin, and writes one answer a line to what was stdout: the
rows as lists of texts and nulls, or the error. In place of a statement, null begins a new session. The
first answer says that the engine is there; it ends when stdin does.

Usage: engine_child.py FOLDER TENANT [CONFIG]
"""

import json
import os
import re
import sys
import traceback
from typing import Any

# More are not drawn, which is found out.
MOST_ROWS = 1_000_000


def main() -> None:
    folder, tenant, *config = sys.argv[1:]
    # Whatever the engine prints itself is for its log.
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    os.chdir(folder)

    import databend

    def session() -> Any:
        if config:
            return databend.SessionContext(tenant)
        return databend.SessionContext(tenant, data_path=folder)

    def say(answer: dict[str, Any]) -> None:
        answers.write(json.dumps(answer) + "\n")
        answers.flush()

    if config:
        databend.init_service(config=config[0])
    context = session()
    say({"rows": []})
    for line in sys.stdin:
        statement = json.loads(line)
        if statement is None:
            context = session()
            say({"rows": []})
        else:
            say(answer(context, statement))


def answer(context: Any, statement: str) -> dict[str, Any]:
    try:
        query = context.sql(statement)
        query.set_max_display_rows(MOST_ROWS)
        blocks = query.collect()
        rows = rows_of(str(blocks))
    # A panic of the engine is no Exception.
    except BaseException as error:
        # Behind it come forty lines of addresses.
        return {"error": str(error).partition("\n\n   0: ")[0]}
    if len(rows) != blocks.num_rows():
        return {"error": f"{blocks.num_rows()} rows, of which {len(rows)} can be read"}
    return {"rows": rows}


def rows_of(box: str) -> list[list[str | None]]:
    """The cells of a table drawn in a box, which is the only form that needs no other package."""
    lines = [line for line in box.splitlines() if line.startswith("│")]
    # Above the rows are names and types.
    return [[content(cell.strip()) for cell in line[1:-1].split("│")] for line in lines[2:]]


def content(cell: str) -> str | None:
    if cell == "NULL":
        return None
    if len(cell) > 1 and cell[0] == cell[-1] == "'":
        return re.sub(r"\\(.)", r"\1", cell[1:-1])
    return cell


try:
    main()
except BaseException:
    traceback.print_exc()
finally:
    # At the usual exit an engine may hang, or panic, in the end of its threads.
    sys.stderr.flush()
    os._exit(0)
