"""The recipes of deploy/, the action and the hook do what they say: their manifests are what Kubernetes
takes, and their commands are run, with paths and addresses of this place. Started by `make interop`.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path
from typing import Any, ClassVar

import yaml
from engine import CONFIGURED, NEWEST, Engine
from metactl import BINARY, SECONDS, json_lines, metactl

ROOT = Path(__file__).resolve().parents[2]
BACKUP = ROOT / "deploy/kubernetes/backup.yaml"
RESTORE = ROOT / "deploy/kubernetes/restore.yaml"
SERVICE = "databend-meta.databend.svc:9191"
JOB = "databend-meta-backup-29384760"
# The oldest and the newest that the checker knows of those that have time zones of schedules.
KUBERNETES = ["1.27", "1.37"]
DAY = 24 * 3600


def manifests(path: Path) -> list[dict[str, Any]]:
    return [manifest for manifest in yaml.safe_load_all(path.read_text()) if manifest]


def command(container: dict[str, Any], places: dict[str, str]) -> list[str]:
    """The command line of a container, with what stands for places replaced."""
    words = [*container["command"], *container.get("args", [])]
    for name, place in places.items():
        words = [word.replace(name, place) for word in words]
    return [str(BINARY) if word == "databend-metactl" else word for word in words]


def run(words: list[str], **more: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run(words, capture_output=True, text=True, timeout=SECONDS, check=False, **more)


class Recipes(unittest.TestCase):
    place: ClassVar[Path]
    backup: ClassVar[Path]

    @classmethod
    def setUpClass(cls) -> None:
        cls.place = Path(tempfile.mkdtemp(prefix="interop-"))
        cls.addClassCleanup(shutil.rmtree, cls.place)
        folder = cls.place / "backup"
        folder.mkdir()
        old = folder / "databend-meta-backup-1.db.zst"
        old.write_text("old")
        os.utime(old, (time.time() - 20 * DAY,) * 2)
        cls.backup = folder / f"{JOB}.db.zst"
        pod = manifests(BACKUP)[1]["spec"]["jobTemplate"]["spec"]["template"]["spec"]
        with Engine(NEWEST, cls.place / "service") as service:
            address = service.grpc_addresses()[-1]
            with Engine(CONFIGURED, cls.place / "engine", address, "acme") as engine:
                engine.ask("create database shop")
            places = {"/backup": str(folder), "$(JOB_NAME)": JOB, SERVICE: address}
            for container in [*pod["initContainers"], *pod["containers"]]:
                ran = run(command(container, places))
                if ran.returncode != 0:
                    raise AssertionError(f"{container['name']}: {ran.stdout}{ran.stderr}")

    def test_kubernetes_takes_the_manifests(self) -> None:
        checker = Path(sys.executable).with_name("kubernetes-validate")
        for version in KUBERNETES:
            ran = run([str(checker), "--strict", "-k", version, str(BACKUP), str(RESTORE)])
            self.assertEqual(ran.returncode, 0, ran.stdout + ran.stderr)

    def test_a_backup_is_made_and_old_ones_go(self) -> None:
        names = sorted(entry.name for entry in self.backup.parent.iterdir())
        manifest = f"{self.backup.name}.manifest.json"
        self.assertEqual(names, [self.backup.name, manifest, "export.prom", "validate.prom"])
        self.assertIn("shop", metactl("objects", "--kind", "database", self.backup))

    def test_three_nodes_are_restored(self) -> None:
        jobs = manifests(RESTORE)
        self.assertEqual(len(jobs), 3)
        for number, job in enumerate(jobs):
            with self.subTest(number):
                data = self.place / f"data-databend-meta-{number}"
                data.mkdir()
                pod = job["spec"]["template"]["spec"]
                claims = [volume.get("persistentVolumeClaim", {}) for volume in pod["volumes"]]
                self.assertIn({"claimName": data.name}, claims)
                places = {"/backup": str(self.backup.parent), "/data/": f"{data}/"}
                ran = run(command(pod["containers"][0], places))
                self.assertEqual(ran.returncode, 0, ran.stderr)
                summary = json_lines("inspect", "--raft-dir", data / "raft")[0]["summary"]
                self.assertEqual(summary["node_id"], number)
                membership = summary["last_membership"]["membership"]
                self.assertEqual(membership["configs"], [[0, 1, 2]])
                metactl("diff", "--keys-only", self.backup, data / "raft")

    def test_the_action_tells_sound_from_broken(self) -> None:
        steps = yaml.safe_load((ROOT / "action.yml").read_text())["runs"]["steps"]
        built = self.place / "databend-metactl/bin"
        built.mkdir(parents=True)
        (built / "databend-metactl").symlink_to(BINARY)
        broken = self.place / "broken.ndjson"
        broken.write_text("no dump\n")
        expected = [(f"{self.place}/backup/*.zst", 0), (f"{broken}", 1), (f"{self.place}/none*", 2)]
        for files, code in expected:
            inputs = {"FILES": files, "REQUIRE_MANIFEST": "true", "RUNNER_TEMP": str(self.place)}
            ran = run(["bash", "-e", "-o", "pipefail", "-c", steps[1]["run"]], env=os.environ | inputs)
            self.assertEqual(ran.returncode, code, ran.stdout + ran.stderr)

    def test_the_hook_tells_sound_from_broken(self) -> None:
        work = self.place / "work"
        work.mkdir()
        (work / "bin").mkdir()
        (work / "bin/databend-metactl").symlink_to(BINARY)
        shutil.copy(self.backup, work / "meta.db.zst")
        (work / "meta-broken.ndjson").write_text("no dump\n")
        (work / "other.db").write_text("no dump either\n")
        paths = f"{work}/bin:{Path(sys.executable).parent}:{os.environ['PATH']}"
        settings = {"PATH": paths, "PRE_COMMIT_HOME": str(self.place / "pre-commit")}
        run(["git", "init", "--quiet"], cwd=work)
        for name, code in [("meta.db.zst", 0), ("meta-broken.ndjson", 1), ("other.db", 0)]:
            run(["git", "add", "--force", name], cwd=work)
            hook = ["pre-commit", "try-repo", str(ROOT), "databend-metactl-validate", "--files", name]
            ran = run(hook, cwd=work, env=os.environ | settings)
            self.assertEqual(ran.returncode, code, ran.stdout + ran.stderr)
            self.assertEqual("Skipped" in ran.stdout, name == "other.db", ran.stdout)
