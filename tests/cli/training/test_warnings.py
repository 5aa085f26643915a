"""What looks suspicious about a run's rows is printed as mistakes are, and is in the document of ``--format json``."""

from __future__ import annotations

from pathlib import Path

from tests.cli.conftest import Specnet

DIABETES = """\
name = "sugar"
[data]
type = "diabetes"
[network]
hidden_layer_sizes = [3]
[training]
loss = "mse"
epochs = 2
"""


def test_warnings_are_printed_before_the_run_and_are_data_of_json(specnet: Specnet, folder: Path) -> None:
    (folder / "sugar.toml").write_text(DIABETES)
    ended = specnet("run", "sugar.toml")
    assert ended.status == 0
    warned, training = ended.err.split("sugar   ", 1)
    message, line, marks = warned.splitlines()
    assert message.startswith("sugar.toml:7:8: warning[unscaled-target]: ")
    assert "152" in message
    assert "79.1" in message
    assert line == '   7 | loss = "mse"'
    assert marks.startswith("     |        ^^^^^ ")
    assert 'network.target_preprocessing = ["standardize"]' in marks
    assert "epochs" in training
    assert specnet("run", "sugar.toml", "--quiet").err == ""
    as_json = specnet("run", "sugar.toml", "--format", "json")
    assert as_json.err == ""
    assert [warning["code"] for warning in as_json.document["warnings"]] == ["unscaled-target"]
    failed = specnet(
        "run", "sugar.toml", "--format", "json", "--set", "training.optimizer={type='sgd',learning_rate=1e9}"
    )
    assert failed.document["errors"]
    assert failed.document["warnings"] == as_json.document["warnings"]
