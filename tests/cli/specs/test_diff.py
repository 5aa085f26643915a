"""`specnet diff`: two specs or runs in meaning."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from specnet import Model
from tests.cli.conftest import MOONS, TABLE, Ran, Specnet
from tests.exporting.models import team_of
from tests.texts.pinned import Pinned


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
    resolved = specnet("show", "moons.toml", "--resolved").out
    (folder / "resolved.json").write_text(resolved)
    (folder / "shuffled.json").write_text(json.dumps(dict(reversed(json.loads(resolved).items()))))
    for other in ("resolved.json", "shuffled.json", "moons.toml"):
        ended = specnet("diff", "moons.toml", other)
        assert (ended.status, ended.out, ended.err) == (0, "no differences\n", "")
        assert specnet("diff", other, "moons.toml", "--format", "json").document["equal"] is True


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
