"""The workflow file on the page about expectations, run as its service runs it, without what needs a network."""

import os
import subprocess
import sysconfig
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from specnet.saved.expectations_file import read_expectations
from tests.docs.documents import ROOT, Document
from tests.running.expectations.test_judging import write_spec


def ended(steps: list[dict[str, Any]], folder: Path) -> tuple[int, list[str]]:
    """Return the status of a job's shell steps in a folder, and the actions after the first step that failed."""
    status, actions = 0, list[str]()
    environment = os.environ | {"PATH": os.pathsep.join([sysconfig.get_path("scripts"), os.environ["PATH"]])}
    for step in steps:
        if status and step.get("if") != "always()":
            continue
        if "uses" in step:
            actions = [*actions, step["uses"]] if status else []
        elif not step["run"].startswith("pip install"):  # needs a network; the tests' environment has the package
            command = ["bash", "-e", "-c", step["run"]]  # the service's shell
            status = subprocess.run(command, cwd=folder, env=environment, check=False, capture_output=True).returncode
    return status, actions


@pytest.mark.slow
@pytest.mark.parametrize(("bound", "status", "outcome"), [("at_least = 0.5", 0, "met"), ("at_most = 0.1", 3, "broken")])
def test_a_broken_expectation_fails_the_job_and_its_files_are_uploaded(
    tmp_path: Path, bound: str, status: int, outcome: str
) -> None:
    (text,) = Document(ROOT / "docs" / "how_to" / "expectations.md").blocks("yaml")
    job = yaml.safe_load(text)["jobs"]["model"]
    write_spec(tmp_path, [f"metric = 'r2'\n{bound}"], "price", "mse")
    assert ended(job["steps"], tmp_path) == (status, ["actions/upload-artifact@v4"] if status else [])
    uploaded = tmp_path / job["steps"][-1]["with"]["path"]
    assert [each["outcome"] for each in read_expectations(uploaded)] == [outcome]
    assert (uploaded / "report.html").is_file()


def test_its_python_is_supported() -> None:
    (text,) = Document(ROOT / "docs" / "how_to" / "expectations.md").blocks("yaml")
    (version,) = [step["with"]["python-version"] for step in yaml.safe_load(text)["jobs"]["model"]["steps"][1:2]]
    least = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["requires-python"]
    assert tuple(map(int, version.split("."))) >= tuple(map(int, least.removeprefix(">=").split(".")))
