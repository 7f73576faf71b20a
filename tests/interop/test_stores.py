"""Stores of other makes: of S3, as s3s-fs is for the tests of tests/tests/object_store, of Azure and of Google.
Started by `make interop`.
"""

import http.client
import json
import os
import re
import shutil
import socket
import subprocess
import tempfile
import time
import unittest
import unittest.mock
import urllib.parse
from pathlib import Path
from typing import ClassVar

from azure.storage.blob import BlobServiceClient, ContainerClient
from engine import HERE, RELEASES
from metactl import SECONDS, Refused, Service, json_lines, metactl

DUMP = HERE.parent / "fixtures" / "v004" / "v004-origin.export.ndjson"
BUCKET = "backups"
TOOLS = RELEASES / "stores" / "bin"


class Store:
    """A store for the tests of a class, and what each does with it."""

    place: ClassVar[Path]
    port: ClassVar[int]
    command: ClassVar[list[str | Path]]
    """What starts it, where its port goes last."""
    listens: ClassVar[str]
    """What it says once it listens, before its port."""
    credentials: ClassVar[dict[str, str]] = {}

    @classmethod
    def setUpClass(cls) -> None:
        cls.place = Path(tempfile.mkdtemp(prefix="interop-"))
        cls.addClassCleanup(shutil.rmtree, cls.place)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = str(free.getsockname()[1])
        said = cls.place / "store.log"
        with said.open("wb") as log:
            server = subprocess.Popen(
                [*cls.command, port], stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=cls.place
            )
        cls.addClassCleanup(server.wait, SECONDS)
        cls.addClassCleanup(server.terminate)
        end = time.monotonic() + SECONDS
        while not re.search(cls.listens + port, said.read_text()):
            if server.poll() is not None or time.monotonic() > end:
                raise AssertionError(said.read_text())
            time.sleep(0.05)
        cls.port = int(port)
        for name, value in cls.credentials.items():
            os.environ[name] = value
            cls.addClassCleanup(os.environ.pop, name)
        cls.make_bucket()

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
        for name, expected in (
            ("a/meta.db", "application/x-ndjson"),
            ("a/meta.db.zst", "application/zstd"),
            ("a/meta.db.manifest.json", "application/json"),
        ):
            self.assertEqual(self.media_type(name), expected)

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


class InParts(Store):
    """What takes a large object in parts."""

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


class S3(InParts, unittest.TestCase):
    """moto: the protocol of S3 in Python."""

    command: ClassVar = [TOOLS / "moto_server", "-H", "127.0.0.1", "-p"]
    listens: ClassVar = r"http://127\.0\.0\.1:"
    credentials: ClassVar = {"AWS_ACCESS_KEY_ID": "any", "AWS_SECRET_ACCESS_KEY": "any"}

    @classmethod
    def ask(cls, method: str, path: str) -> http.client.HTTPResponse:
        asked = http.client.HTTPConnection("127.0.0.1", cls.port, timeout=SECONDS)
        cls.addClassCleanup(asked.close)
        # It wants a signature, and does not look at it.
        signed = {"Authorization": "AWS4-HMAC-SHA256 Credential=any/20260101/us-east-1/s3/aws4_request"}
        asked.request(method, f"/{BUCKET}{path}", headers=signed)
        answer = asked.getresponse()
        assert answer.status == http.client.OK
        return answer

    @classmethod
    def make_bucket(cls) -> None:
        cls.ask("PUT", "")

    def url(self, key: str) -> str:
        return f"s3://{BUCKET}/{key}?endpoint=http://127.0.0.1:{self.port}&region=us-east-1"

    def media_type(self, key: str) -> str | None:
        return self.ask("HEAD", f"/{key}").getheader("Content-Type")


class Azure(InParts, unittest.TestCase):
    """Azurite: the emulator of Azure's own."""

    command: ClassVar = [
        HERE / "azurite" / "node_modules" / ".bin" / "azurite-blob",
        *("--disableTelemetry", "--inMemoryPersistence", "--skipApiVersionCheck"),
        *("--blobHost", "127.0.0.1", "--blobPort"),
    ]
    listens: ClassVar = r"successfully listens on http://127\.0\.0\.1:"
    # The account that everybody's Azurite has.
    credentials: ClassVar = {
        "AZURE_STORAGE_ACCOUNT_NAME": "devstoreaccount1",
        "AZURE_STORAGE_ACCOUNT_KEY": "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/"
        "K1SZFPTOtr/KBHBeksoGMGw==",
    }

    @classmethod
    def endpoint(cls) -> str:
        return f"http://127.0.0.1:{cls.port}/devstoreaccount1"

    @classmethod
    def container(cls) -> ContainerClient:
        name, key = cls.credentials.values()
        client = BlobServiceClient(cls.endpoint(), {"account_name": name, "account_key": key})
        return client.get_container_client(BUCKET)

    @classmethod
    def make_bucket(cls) -> None:
        with cls.assertRaisesRegex(cls(), Refused, "the store has no such bucket"):
            metactl("rewrite", "--db", DUMP, "--output", cls().url("none.db"))
        cls.container().create_container()

    def url(self, key: str) -> str:
        return f"azblob://{BUCKET}/{key}?endpoint={self.endpoint()}"

    def media_type(self, key: str) -> str | None:
        properties = self.container().get_blob_client(key).get_blob_properties()
        return properties.content_settings.content_type

    def test_another_key_is_refused_with_the_names_of_the_variables(self) -> None:
        wrong = {"AZURE_STORAGE_ACCOUNT_KEY": "d3Jvbmc="}
        with (
            unittest.mock.patch.dict(os.environ, wrong),
            self.assertRaisesRegex(Refused, "denies access(.|\\n)*AZURE_STORAGE_ACCOUNT_KEY"),
        ):
            metactl("validate", self.url("a/meta.db"))


class Google(Store, unittest.TestCase):
    """gcp-storage-emulator: the JSON API of Google's store. It does not know how large objects are sent."""

    command: ClassVar = [
        TOOLS / "gcp-storage-emulator",
        *("start", "--in-memory", "--default-bucket", BUCKET, "--host", "127.0.0.1", "--port"),
    ]
    listens: ClassVar = r"Starting server at 127\.0\.0\.1:"

    @classmethod
    def make_bucket(cls) -> None:
        """It has the one of the command line."""

    def url(self, key: str) -> str:
        return f"gs://{BUCKET}/{key}?endpoint=http://127.0.0.1:{self.port}&skip_signature=true"

    def media_type(self, key: str) -> str | None:
        asked = http.client.HTTPConnection("127.0.0.1", self.port, timeout=SECONDS)
        self.addCleanup(asked.close)
        asked.request("GET", f"/storage/v1/b/{BUCKET}/o/{urllib.parse.quote(key, safe='')}")
        found: str = json.load(asked.getresponse())["contentType"]
        return found


if __name__ == "__main__":
    unittest.main()
