"""Commands of next steps, followed word by word: what each run says, and what became of its advice."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from specnet import load_model, parse_spec
from specnet.cli.application import call
from specnet.findings.finding import Finding, read_finding
from specnet.running.data_rows import read_data
from tests.findings.trials import spec_of

MOST_STEPS = 4
"""Most runs of a case: the first, and those of the commands that are followed."""


class Step(NamedTuple):
    """A run whose advice may be followed.

    Attributes
    ----------
    status : int
    shown : str
        What the terminal shows.
    findings : list of Finding
    command : list of str
        The words of the command that it advises; empty without one.
    losses : ndarray (rows,) or None
        The log loss, or the squared error in units of the target, of each test row; None if the run has failed.
    """

    status: int
    shown: str
    findings: list[Finding]
    command: list[str]
    losses: NDArray[np.float64] | None

    @property
    def settings(self) -> dict[str, str]:
        """The values of the command's settings, by key."""
        pairs = pairwise(self.command)
        return {key: value for option, word in pairs if option == "--set" for key, _, value in [word.partition("=")]}


def followed(case: dict[str, Any], seed: int, folder: Path, read: Callable[[], tuple[str, str]]) -> Iterator[Step]:
    """Run a case, and yield its run and those of the commands that follow it, until there is no other command."""
    path = folder / "spec.json"
    path.write_text(json.dumps(spec_of(case, seed, folder)), encoding="utf-8")
    words = ["specnet", "run", str(path)]
    for number in range(MOST_STEPS):
        step = _step(words, folder / f"run{number}", read)
        yield step
        words = step.command
        if not words:
            return


def _step(words: list[str], out: Path, read: Callable[[], tuple[str, str]]) -> Step:
    status = call([*words[1:], "-o", str(out), "--no-report"])
    shown, errors = read()
    if status:
        return Step(status, errors, [], _of_hint(words, errors), None)
    commands = [line.strip() for line in shown.splitlines() if line.startswith("  specnet run ")]
    assert len(commands) <= 1, shown
    command = shlex.split(commands[0]) if commands else []
    if (out / "summary.json").exists():
        return Step(status, shown, [], command, None)
    found = json.loads((out / "findings.json").read_text("utf-8"))["findings"]
    return Step(status, shown, [*map(read_finding, found)], command, _losses(words, out))


def _of_hint(words: list[str], errors: str) -> list[str]:
    """Return the command with the settings that the hint of a failed run names."""
    hint = re.search(r"^ +set (.*)$", errors, re.M)
    if hint is None:
        return []
    pairs = re.findall(r"([\w.]+) = (\[[^]]*\]|[^,]+)", hint[1])
    return [*words, *(word for key, value in pairs for word in ("--set", f"{key}={value}"))]


def _losses(words: list[str], out: Path) -> NDArray[np.float64]:
    settings = [word for option, word in pairwise(words) if option == "--set"]
    test = read_data(parse_spec(Path(words[2]), overrides=settings)).splits["test"]
    answers = load_model(out / "model.safetensors").answers(test.raw, test.y, None)
    if answers.probability is None:
        return np.square(answers.prediction - answers.target).reshape(len(test)).astype(np.float64)
    probability = answers.probability[np.arange(len(test)), answers.target.astype(int)].astype(np.float64)
    return -np.log(np.maximum(probability, 1e-15))


def is_worse(before: Step, after: Step) -> bool:
    """Return whether chance alone does not explain that a run is worse than an earlier one, by Student's paired t."""
    if before.losses is None or after.losses is None or np.array_equal(before.losses, after.losses):
        return False
    return bool(stats.ttest_rel(after.losses, before.losses, alternative="greater").pvalue < 0.01)
