"""A store of another make: moto speaks the protocol of S3 in Python, as s3s-fs does in Rust for the tests of
tests/tests/object_store. Started by `make interop`.
"""

import http.client
import os
import re
import shutil
import subprocess
import tempfile
import time
import unittest
from pathlib import Path
from typing import ClassVar

from engine import HERE, RELEASES
from metactl import SECONDS, Refused, Service, json_lines, metactl

DUMP = HERE.parent / "fixtures" / "v004" / "v004-origin.export.ndjson"
BUCKET = "backups"


class Moto(unittest.TestCase):
    place: ClassVar[Path]
    port: ClassVar[int]

    @classmethod
    def setUpClass(cls) -> None:
        cls.place = Path(tempfile.mkdtemp(prefix="interop-"))
        cls.addClassCleanup(shutil.rmtree, cls.place)
        said = cls.place / "moto.log"
        with said.open("wb") as log:
            server = subprocess.Popen(
                [RELEASES / "stores" / "bin" / "moto_server", "-H", "127.0.0.1", "-p", "0"],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        cls.addClassCleanup(server.wait, SECONDS)
        cls.addClassCleanup(server.terminate)
        end = time.monotonic() + SECONDS
        while not (found := re.search(r"http://127\.0\.0\.1:(\d+)", said.read_text())):
            if server.poll() is not None or time.monotonic() > end:
                raise AssertionError(said.read_text())
            time.sleep(0.05)
        cls.port = int(found[1])
        asked = http.client.HTTPConnection("127.0.0.1", cls.port, timeout=SECONDS)
        asked.request("PUT", f"/{BUCKET}")
        assert asked.getresponse().status == http.client.OK
        asked.close()
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            os.environ[name] = "any"
            cls.addClassCleanup(os.environ.pop, name)

    def url(self, key: str) -> str:
        return f"s3://{BUCKET}/{key}?endpoint=http://127.0.0.1:{self.port}&region=us-east-1"

    def test_a_dump_goes_there_and_comes_back(self) -> None:
        for name in ("a/meta.db", "a/meta.db.zst"):
            metactl("rewrite", "--db", DUMP, "--output", self.url(name))
            # Over the one before, too.
            metactl("rewrite", "--db", DUMP, "--output", self.url(name))
            metactl("validate", "--require-manifest", self.url(name))
            back = self.place / "back.db"
            metactl("rewrite", "--db", self.url(name), "--output", back)
            self.assertEqual(back.read_bytes(), DUMP.read_bytes())
            restored = self.place / name.replace("/", "-")
            metactl("import", "--raft-dir", restored, "--db", self.url(name))
            metactl("diff", restored, DUMP)
        self.assertEqual(len(json_lines("validate", self.url("a/**"))), 2)
        with self.assertRaisesRegex(Refused, "the store has no such object"):
            metactl("validate", self.url("a/none.db"))

    def test_a_large_dump_goes_there_in_parts(self) -> None:
        lines = DUMP.read_bytes().splitlines(keepends=True)
        values = b",".join(b"%d" % (byte % 256) for byte in range(1 << 20))
        large = self.place / "large.db"
        key = b'["state_machine/0",{"GenericKV":{"key":"zz/%03d","value":{"seq":1,"meta":null,"data":[%s]}}}]\n'
        large.write_bytes(b"".join(lines) + b"".join(key % (at, values) for at in range(12)))
        self.assertGreater(large.stat().st_size, 40 << 20)
        metactl("rewrite", "--db", large, "--output", self.url("large.db"))
        back = self.place / "large-back.db"
        metactl("rewrite", "--db", self.url("large.db"), "--output", back)
        self.assertEqual(back.read_bytes(), large.read_bytes())

    def test_a_chain_is_listed_checked_and_forgotten(self) -> None:
        served = self.place / "served.ndjson"
        shutil.copy(DUMP, served)
        with Service(served) as service:
            running = ("--grpc-api-address", service.address())
            metactl("export", *running, "--db", self.url("chain/base.db"))
            metactl("upsert", *running, "--key", "interop/a", "--value", "1")
            metactl("export", *running, "--since", self.url("chain/"), "--db", self.url("chain/one.db"))
            metactl("diff", self.url("chain/"), f"grpc://{service.address()}")
        listed = json_lines("backups", self.url("chain/"), "--check")
        self.assertEqual([piece.get("verdict") for piece in listed[:2]], ["ok", "ok"])
        metactl("rewrite", "--db", DUMP, "--output", self.url("chain/newer.db"))
        metactl("backups", self.url("chain/"), "--forget", "--keep-last", "1")
        left = [piece["file"] for piece in json_lines("backups", self.url("chain/")) if "file" in piece]
        self.assertEqual(left, ["newer.db"])


if __name__ == "__main__":
    unittest.main()
