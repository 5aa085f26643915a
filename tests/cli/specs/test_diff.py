"""`specnet diff`: two specs or runs in meaning."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from specnet.model import Model
from tests.cli.conftest import MOONS, TABLE, Ran, Specnet
from tests.exporting.test_teams import team_of
from tests.texts.pinned import Pinned

LONG = """\
data = { noise = 0.2, n_samples = 60, type = "make_moons" }
name = "moons"
training = { epochs = 20, loss = { label_smoothing = 0, type = "bce" }, metrics = ["accuracy"], batch_size = 32 }
[[network.layers]]
type = "dense"
units = 5
activation = "relu"
[[network.layers]]
type = "dense"
units = 1
"""


def differences(specnet: Specnet, *sides: str | Path) -> dict[str, tuple[Any, Any]]:
    """Return the values before and after by key, and hold the lines of text against them."""
    ended, text = specnet("diff", *sides, "--format", "json"), specnet("diff", *sides)
    assert (ended.status, text.status, text.err) == (0, 0, "")
    found = {item["key"]: (item["before"], item["after"]) for item in ended.document["differences"]}
    lines = text.out.splitlines()[: len(found)]
    if found:
        assert [line.split()[0] for line in lines] == list(found)
        assert len({line.index(" → ") for line in lines}) == 1
    return found


def layers(*entries: str) -> str:
    return MOONS.replace("layer_sizes = [2, 5, 1]", f"input_size = 2\nlayers = [{', '.join(entries)}]")


def dense(units: int, more: str = "") -> str:
    return f'{{ type = "dense", units = {units}{more} }}'


def test_form_order_and_defaults_make_no_difference(specnet: Specnet, folder: Path) -> None:
    (folder / "long.toml").write_text(LONG)
    resolved = specnet("show", "moons.toml", "--resolved").out
    (folder / "resolved.json").write_text(resolved)
    (folder / "shuffled.json").write_text(json.dumps(dict(reversed(json.loads(resolved).items()))))
    for other in ("long.toml", "resolved.json", "shuffled.json", "moons.toml"):
        ended = specnet("diff", "moons.toml", other)
        assert (ended.status, ended.out, ended.err) == (0, "no differences\n", "")
        assert specnet("diff", other, "moons.toml", "--format", "json").document["equal"] is True


def test_what_differs_is_told_with_both_values(specnet: Specnet, folder: Path) -> None:
    text = MOONS.replace("epochs = 20", 'epochs = 30\noptimizer = "sgd"\nl2 = 0.1').replace('name = "moons"\n', "")
    (folder / "other.toml").write_text(text)
    assert differences(specnet, "moons.toml", "other.toml") == {
        "name": ("moons", None),
        "training.optimizer": ("adam", "sgd"),
        "training.epochs": (20, 30),
        "training.l2": (0.0, 0.1),
    }
    out = specnet("diff", "moons.toml", "other.toml").out
    assert out.splitlines()[0] == "name                 moons → –"
    assert re.search(r"^training\.epochs +20 → 30$", out, re.MULTILINE)
    assert specnet("diff", "moons.toml", "other.toml", "-q").out == out


def test_a_field_of_one_part_is_told_alone(specnet: Specnet, folder: Path) -> None:
    (folder / "other.toml").write_text(MOONS.replace("epochs = 20", "optimizer.type = 'adam'\noptimizer.beta_1 = 0.5"))
    found = differences(specnet, "moons.toml", "other.toml")
    assert found["training.optimizer.beta_1"] == (0.9, 0.5)
    assert found["training.epochs"] == (20, 100)


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ([dense(5), dense(1)], [dense(5), dense(8), dense(1)], {1: (None, 8)}),
        ([dense(5), dense(1)], [dense(8), dense(5), dense(1)], {0: (None, 8)}),
        ([dense(5), dense(6), dense(7), dense(1)], [dense(5), dense(7), dense(1)], {1: (6, None)}),
        ([dense(5), dense(1)], [dense(5), '{ type = "dropout", rate = 0.5 }', dense(1)], {1: (None, "dropout")}),
    ],
)
def test_an_inserted_layer_is_one_difference(
    specnet: Specnet, folder: Path, before: list[str], after: list[str], expected: dict[int, tuple[Any, Any]]
) -> None:
    (folder / "before.toml").write_text(layers(*before))
    (folder / "after.toml").write_text(layers(*after))
    found = differences(specnet, "before.toml", "after.toml")
    assert list(found) == [f"network.layers.{place}" for place in expected]
    for value, side in zip(next(iter(found.values())), next(iter(expected.values())), strict=True):
        assert (value and value.get("units", value["type"])) == side


def test_a_changed_layer_is_matched_beside_an_inserted_one(specnet: Specnet, folder: Path) -> None:
    noise = '{ type = "dropout", rate = 0.5 }'
    (folder / "before.toml").write_text(layers(dense(5, ', activation = "tanh"'), dense(6), dense(1)))
    (folder / "after.toml").write_text(layers(dense(7, ', activation = "tanh"'), noise, dense(6), noise, dense(1)))
    found = differences(specnet, "before.toml", "after.toml")
    assert list(found) == ["network.layers.0.units", "network.layers.1", "network.layers.3"]
    assert found["network.layers.0.units"] == (5, 7)


def test_layers_in_blocks_are_matched_too(specnet: Specnet, folder: Path) -> None:
    block = '{{ type = "block", repeat = 2, layers = [{}] }}'
    (folder / "before.toml").write_text(layers(block.format(dense(4)), dense(1)))
    (folder / "after.toml").write_text(layers(block.format(f"{dense(4)}, {dense(3)}"), dense(1)))
    found = differences(specnet, "before.toml", "after.toml")
    assert list(found) == ["network.layers.0.layers.1"]


def test_many_layers_that_all_differ_are_compared_in_time(specnet: Specnet, folder: Path) -> None:
    for name, start in (("before", 3), ("after", 4)):
        (folder / f"{name}.toml").write_text(layers(*(dense(start + place % 7) for place in range(300)), dense(1)))
    assert differences(specnet, "before.toml", "after.toml")


def test_runs_have_their_scores_side_by_side(specnet: Specnet, ran: Ran) -> None:
    ran("one")
    assert specnet("run", "moons.toml", "-o", "two", "-q", "--set", "training.epochs=200").status == 0
    assert differences(specnet, "one", "two") == {"training.epochs": (20, 200)}
    document = specnet("diff", "one", "two", "--format", "json").document
    one, two = (json.loads(Path(run, "metrics.json").read_text())["test"] for run in ("one", "two"))
    assert document["scores"] == [
        {"score": f"test {name}", "before": one[name], "after": two[name]} for name in ("accuracy", "loss")
    ]
    lines = specnet("diff", "one", "two").out.splitlines()
    assert [line.partition("  ")[0] for line in lines] == ["training.epochs", "test accuracy", "test loss"]
    assert lines[1].endswith(" %")
    # A run and the spec of it, or its model, have no difference; and no scores, for there is one run alone.
    for other in ("moons.toml", "one/model.safetensors"):
        assert specnet("diff", "one", other).out == "no differences\n"
    same = specnet("diff", "one", "one")
    assert same.out.splitlines()[0] == "no differences"
    assert len(same.out.splitlines()) == 3


def test_data_that_have_changed_are_told(specnet: Specnet, folder: Path) -> None:
    rows = [f"{i},{i * 2 % 7},k{i % 3}\n" for i in range(30)]
    (folder / "table.csv").write_text("a,b,kind\n" + "".join(rows))
    (folder / "table.toml").write_text(TABLE)
    assert specnet("run", "table.toml", "-o", "one", "-q").status == 0
    (folder / "table.csv").write_text("a,b,kind\n" + "".join(rows).replace("7,", "8,"))
    assert specnet("run", "table.toml", "-o", "two", "-q").status == 0
    ended = specnet("diff", "one", "two")
    assert ended.out.startswith("data (SHA-256) ")
    document = specnet("diff", "one", "two", "--format", "json").document
    assert (document["equal"], document["differences"]) == (False, [])
    assert document["data"][0] != document["data"][1]


def test_sizes_written_out_are_those_of_the_data(specnet: Specnet, folder: Path) -> None:
    (folder / "table.csv").write_text("a,b,kind\n" + "".join(f"{i},{i * 2 % 7},k{i % 3}\n" for i in range(30)))
    (folder / "table.toml").write_text(TABLE)
    (folder / "sized.toml").write_text(TABLE.replace("hidden_layer_sizes = [4]", "layer_sizes = [2, 4, 3]"))
    assert specnet("run", "table.toml", "-o", "run", "-q").status == 0
    for first, second in (("table.toml", "sized.toml"), ("sized.toml", "run"), ("run", "table.toml")):
        assert differences(specnet, first, second) == {}
    # The data of two that have the same are not needed, and not read.
    (folder / "longer.toml").write_text(TABLE.replace("[4]", "[4]\ninput_size = 2\noutput_size = 3"))
    (folder / "table.csv").unlink()
    assert differences(specnet, "sized.toml", "longer.toml") == {}
    assert specnet("diff", "table.toml", "sized.toml").status == 1


def test_a_path_of_data_is_where_it_leads_to(specnet: Specnet, folder: Path) -> None:
    for name in ("here", "there"):
        (folder / name).mkdir()
        (folder / name / "table.csv").write_text(
            "a,b,kind\n" + "".join(f"{i},{i * 2 % 7},k{i % 3}\n" for i in range(30))
        )
        (folder / name / "table.toml").write_text(TABLE)
    found = differences(specnet, "here/table.toml", "there/table.toml")
    assert found == {"data.path": (str(folder / "here/table.csv"), str(folder / "there/table.csv"))}
    (folder / "there/table.toml").write_text(TABLE.replace("table.csv", "../here/table.csv"))
    assert differences(specnet, "here/table.toml", "there/table.toml") == {}


@pytest.mark.parametrize("broken", ["run.json", "metrics.json", "spec.resolved.json"])
def test_a_broken_run_is_an_error(specnet: Specnet, ran: Ran, folder: Path, broken: str, pinned: Pinned) -> None:
    ran("run")
    (folder / "run" / broken).write_bytes(b'{"finished": \xff')
    pinned(specnet("diff", "run", "moons.toml").failed(1))
    (folder / "run" / broken).unlink()
    pinned(specnet("diff", "moons.toml", "run").failed(1))


def test_what_cannot_be_compared_is_told(specnet: Specnet, folder: Path) -> None:
    (folder / "bad.toml").write_text("name = 3\n")
    assert specnet("diff", "moons.toml", "bad.toml").status == 1
    assert specnet("diff", "missing.toml", "moons.toml").status == 1
    assert specnet("diff", ".", "moons.toml").status == 1
    assert specnet("diff", "moons.toml").status == 2
    assert specnet("diff", "-", "-").status == 2
    assert specnet("diff", "moons.toml", "rows.npz").status == 2


def test_a_layer_over_the_limit_is_compared_with_another_limit(specnet: Specnet, folder: Path) -> None:
    (folder / "wide.toml").write_text(MOONS.replace("5, 1", "30000, 30000, 1"))
    assert "--limit" in specnet("diff", "moons.toml", "wide.toml").failed(1)
    options = [f"--limit={name}={10**12}" for name in ("parameters", "memory")]
    assert specnet("diff", "moons.toml", "wide.toml", *options).out.count("\n") == 2


def test_two_specs_are_compared_by_what_they_search_too(specnet: Specnet, folder: Path) -> None:
    first = (
        '\n[sweep]\ntrials = 20\n[sweep.space]\n"training.l2" = { low = 0.1, high = 0.2 }\n"training.epochs" = [1, 2]\n'
    )
    second = first.replace("20", "30").replace("0.2", "0.4").replace("[1, 2]", "[1, 3]")
    (folder / "first.toml").write_text(MOONS + first)
    (folder / "second.toml").write_text(MOONS + second + '"training.l1" = [0.0, 0.1]\n')
    assert differences(specnet, "first.toml", "second.toml") == {
        "sweep.trials": (20, 30),
        "sweep.space.training.l2.high": (0.2, 0.4),
        "sweep.space.training.epochs": ([1, 2], [1, 3]),
        "sweep.space.training.l1": (None, [0.0, 0.1]),
    }
    space = {"training.l2": {"low": 0.1, "high": 0.2}, "training.epochs": [1, 2]}
    assert differences(specnet, "first.toml", "moons.toml") == {"sweep": ({"trials": 20, "space": space}, None)}
    assert differences(specnet, "first.toml", "first.toml") == {}


def test_a_run_has_no_sweep_to_compare(specnet: Specnet, folder: Path) -> None:
    (folder / "swept.toml").write_text(f'{MOONS}[sweep.space]\n"training.epochs" = [1, 2]\n')
    assert specnet("run", "swept.toml", "-o", "swept").status == 0
    assert differences(specnet, "swept.toml", "swept") == {}
    assert differences(specnet, "swept", "moons.toml") == {}


def test_a_sweep_stands_for_the_run_of_its_best_trial(specnet: Specnet, folder: Path) -> None:
    assert specnet("run", "moons.toml", "-o", "a", "-q", "--no-report").status == 0
    options = ("--set", "training.l2=0.5", "-q", "--no-report")
    assert specnet("run", "moons.toml", "-o", "sweep/best", *options).status == 0
    (folder / "sweep/sweep.json").write_text("{}")
    ended = specnet("diff", "a", "sweep")
    assert ended.status == 0
    assert ended.out.splitlines()[0].split() == ["training.l2", "0.0", "→", "0.5"]
    assert "test accuracy" in ended.out


def test_teams_are_compared_network_by_network(specnet: Specnet, folder: Path) -> None:
    """The second network of one has another share in the other, which lacks the third; against a model alone."""
    team = team_of("value", "float64")
    team.save(folder / "a.safetensors")
    Model.of(team.networks[:2], [1, 1]).save(folder / "b.safetensors")
    Model.of(team.networks[1:2]).save(folder / "alone.safetensors")
    assert specnet("diff", "a.safetensors", "a.safetensors").went() == "no differences\n"
    found = specnet("diff", "a.safetensors", "b.safetensors", "--format", "json").document
    shares = [share / sum(team.shares) for share in team.shares]
    assert not found["equal"]
    keys = {each["key"]: (each["before"], each["after"]) for each in found["differences"]}
    assert keys.keys() == {"networks.1.share", "networks.2"}  # the first has half of both
    assert keys["networks.1.share"] == (round(shares[1], 4), 0.5)
    lost, after = keys["networks.2"]
    assert (lost["share"], len(lost["layers"]), after) == (
        round(shares[2], 4),
        len(team.networks[2].spec.network.layers),
        None,
    )
    alone = specnet("diff", "a.safetensors", "alone.safetensors", "--format", "json").document["differences"]
    assert {each["key"].split(".")[1] for each in alone} == {"0", "1", "2"}
    assert {"key": "networks.0.share", "before": 0.5, "after": 1.0} in alone
    assert any(each["key"].startswith("networks.0.network.layers") for each in alone)
