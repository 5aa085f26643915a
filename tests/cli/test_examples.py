"""The examples of every help, typed as they stand."""

import json
import re
import shlex
import shutil
from pathlib import Path

import numpy as np
import pytest

from tests.cli.conftest import write_rows
from tests.cli.test_application import ENDING
from tests.importing.onnx.graphs import policy_file

pytestmark = pytest.mark.slow  # each example of the help is a process

SPECS = Path(__file__).parents[2] / "specs"
NETWORK = Path(__file__).parents[1] / "importing" / "files" / "sklearn_words.onnx"


def _examples(specnet, verb):
    text = specnet(verb, "--help").out.split("  Examples:\n")[1]
    return re.findall(r"^    (specnet .+)$", text, re.MULTILINE)


def _table(file, target):
    """Write a table with held-out rows enough for a level of 95 %."""
    prices = [i * 10 % 77 + i % 7 if target == "price" else "ab"[i % 2] for i in range(300)]
    write_rows(file, f"size,rooms,{target}", [[i % 7, i % 11, price] for i, price in enumerate(prices)])


@pytest.mark.usefixtures("born_loaded")
def test_every_example_does_what_it_says(specnet, folder):
    shutil.copytree(SPECS, folder / "specs")
    for spec in (folder / "specs").glob("*.toml"):  # that they reach something is for the tests of the specs
        text = re.sub(r"^(epochs|trials) = \d+", r"\1 = 2", spec.read_text(), flags=re.MULTILINE)
        text = re.sub(r"^(type = .digits.)", r"\1\nn_class = 3", text, flags=re.MULTILINE)
        spec.write_text(text.replace("units = 10", "units = 3"))
    shutil.copy(NETWORK, folder / "network.onnx")
    policy_file(folder)
    np.savez(folder / "rows.npz", X=np.zeros((3, 2)), y=np.array([0, 1, 1]))
    specnet("run specs/wine_csv.toml").ok()
    specnet("run specs/penguins.toml --set training.ensemble=2").ok()
    for name, table, target in (("prices", "houses.csv", "price"), ("species", "birds.csv", "kind")):
        _table(folder / table, target)
        specnet("new", f"{name}.toml", "--data", table, "--target", target, "--quick").ok()
        specnet(f"run {name}.toml --set training.epochs=1 --no-report").ok()
    tried = 0
    for verb in sorted(ENDING, key=lambda verb: verb == "evaluate"):  # it reads what export has written
        for example in _examples(specnet, verb):
            name, *arguments = shlex.split(example)
            assert name == "specnet"
            printed = None
            if ">" in arguments:
                printed = folder / arguments.pop()
                assert arguments.pop() == ">"
            ended = specnet(*arguments)
            assert ended.status == 0, f"{example}\n{ended.err}"
            assert "error" not in ended.err
            if printed is not None:
                assert ended.out
                printed.write_text(ended.out, encoding="utf-8")
                json.loads(ended.out)
            tried += 1
    assert tried >= 2 * len(ENDING) - 3
    written = {str(entry.relative_to(folder)) for entry in folder.rglob("*")}
    assert {"runs/moons_2_5_1/1/model.safetensors", "moons/model.safetensors", "predictions.csv"} <= written
    assert {"penguins.toml", "residual.toml", "specnet.schema.json"} <= written
