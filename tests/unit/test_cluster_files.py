"""The files for clusters that docs/clusters.md tells people to copy can be read, and say what the page says."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "examples" / "clusters"


def documents(name: str) -> dict[str, Any]:
    """Return the objects in a file for kubectl by their kinds."""
    return {one["kind"]: one for one in yaml.safe_load_all((FOLDER / name).read_text(encoding="utf-8"))}


def test_the_page_names_them_all() -> None:
    """No file without a link to it, and no link to nothing."""
    named = set(re.findall(r"\.\./examples/clusters/([\w.-]+)", (ROOT / "docs" / "clusters.md").read_text("utf-8")))
    assert named == {file.name for file in FOLDER.iterdir()}


@pytest.mark.parametrize(
    ("name", "spec"),
    [
        ("raycluster.yaml", lambda found: found["RayCluster"]["spec"]),
        ("kuberay-job.yaml", lambda found: found["RayJob"]["spec"]["rayClusterSpec"]),
    ],
)
def test_clusters_of_kuberay(name: str, spec: Any) -> None:
    """They want tokens, have one image everywhere, run no trial on the head, and mount one volume on every pod."""
    found = spec(documents(name))
    assert found["authOptions"] == {"mode": "token"}
    assert found["headGroupSpec"]["rayStartParams"]["num-cpus"] == "0"
    pods = [group["template"]["spec"] for group in (found["headGroupSpec"], *found["workerGroupSpecs"])]
    assert len(pods) >= 2
    containers = [container for pod in pods for container in pod["containers"]]
    assert len({container["image"] for container in containers}) == 1
    assert all(container["resources"]["requests"] == container["resources"]["limits"] for container in containers)
    for pod in pods:
        assert [volume["name"] for volume in pod["volumes"]] == ["shared"]
        assert pod["containers"][0]["volumeMounts"] == [{"name": "shared", "mountPath": "/shared"}]


def test_the_job() -> None:
    """It runs a sweep that goes on with an earlier one, and its cluster ends with it."""
    spec = documents("kuberay-job.yaml")["RayJob"]["spec"]
    assert "pytest --sweep $(" in spec["entrypoint"]
    assert "echo --sweep-resume)" in spec["entrypoint"]
    assert spec["shutdownAfterJobFinishes"] is True


@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash")
def test_the_script_for_slurm() -> None:
    """Bash can read it; the token is in a file and never on a command line."""
    script = FOLDER / "sweep.sbatch"
    subprocess.run(["bash", "-n", str(script)], check=True)
    text = script.read_text(encoding="utf-8")
    assert "umask 077" in text
    assert "RAY_AUTH_TOKEN=" not in text
