"""`specnet diff`: two specs or runs in meaning."""

import json
from pathlib import Path

import pytest

from specnet import Model
from tests.cli.conftest import MOONS, TABLE, write_rows
from tests.exporting.models import team_of


def differences(specnet, *sides):
    """Return the values before and after by key, and hold the lines of text against them."""
    ended, text = specnet("diff", *sides, "--format", "json"), specnet("diff", *sides)
    assert (ended.status, text.status, text.err) == (0, 0, "")
    found = {item["key"]: (item["before"], item["after"]) for item in ended.document["differences"]}
    lines = text.out.splitlines()[: len(found)]
    if found:
        assert [line.split()[0] for line in lines] == list(found)
        assert len({line.index(" → ") for line in lines}) == 1
    return found


def test_many_layers_that_all_differ_are_compared_in_time(specnet, folder):
    for name, start in (("before", 3), ("after", 4)):
        layers = ", ".join(f'{{ type = "dense", units = {start + n % 7} }}' for n in range(300))
        network = f'input_size = 2\nlayers = [{layers}, {{ type = "dense", units = 1 }}]'
        (folder / f"{name}.toml").write_text(MOONS.replace("layer_sizes = [2, 5, 1]", network))
    assert differences(specnet, "before.toml", "after.toml")


def test_runs_have_their_scores_side_by_side(specnet, ran):
    ran("one")
    specnet("run moons.toml -o two -q --set training.epochs=200").ok()
    assert differences(specnet, "one", "two") == {"training.epochs": (20, 200)}
    document = specnet("diff one two --format json").document
    one, two = (json.loads(Path(run, "metrics.json").read_text())["test"] for run in ("one", "two"))
    assert document["scores"] == [
        {"score": f"test {name}", "before": one[name], "after": two[name]} for name in ("accuracy", "loss")
    ]
    lines = specnet("diff one two").out.splitlines()
    assert [line.partition("  ")[0] for line in lines] == ["training.epochs", "test accuracy", "test loss"]
    assert lines[1].endswith(" %")
    # A run and the spec of it, or its model, have no difference; and no scores, for there is one run alone.
    for other in ("moons.toml", "one/model.safetensors"):
        assert specnet("diff", "one", other).out == "no differences\n"
    same = specnet("diff one one")
    assert same.out.splitlines()[0] == "no differences"
    assert len(same.out.splitlines()) == 3


@pytest.fixture
def table(folder):
    """Write table.csv and table.toml, the spec of it, and return what writes them into another folder."""

    def write(folder):
        folder.mkdir(exist_ok=True)
        write_rows(folder / "table.csv", "a,b,kind", [[i, i * 2 % 7, f"k{i % 3}"] for i in range(30)])
        (folder / "table.toml").write_text(TABLE)

    write(folder)
    return write


@pytest.mark.usefixtures("table")
def test_data_that_have_changed_are_told(specnet, folder):
    specnet("run table.toml -o one -q").ok()
    (folder / "table.csv").write_text((folder / "table.csv").read_text().replace("7,", "8,"))
    specnet("run table.toml -o two -q").ok()
    assert specnet("diff one two").out.startswith("data (SHA-256) ")
    document = specnet("diff one two --format json").document
    assert (document["equal"], document["differences"]) == (False, [])
    assert document["data"][0] != document["data"][1]


@pytest.mark.usefixtures("table")
def test_sizes_written_out_are_those_of_the_data(specnet, folder):
    (folder / "sized.toml").write_text(TABLE.replace("hidden_layer_sizes = [4]", "layer_sizes = [2, 4, 3]"))
    (folder / "longer.toml").write_text(TABLE.replace("[4]", "[4]\nnetwork.input_size = 2\nnetwork.output_size = 3"))
    specnet("run table.toml -o run -q").ok()
    for first, second in (("table.toml", "sized.toml"), ("sized.toml", "run"), ("run", "table.toml")):
        assert differences(specnet, first, second) == {}
    # The data of two that have the same are not needed, and not read.
    (folder / "table.csv").unlink()
    assert differences(specnet, "sized.toml", "longer.toml") == {}
    assert specnet("diff table.toml sized.toml").status == 1


def test_a_path_of_data_is_where_it_leads_to(specnet, folder, table):
    for name in ("here", "there"):
        table(folder / name)
    found = differences(specnet, "here/table.toml", "there/table.toml")
    assert found == {"data.path": (str(folder / "here/table.csv"), str(folder / "there/table.csv"))}
    (folder / "there/table.toml").write_text(TABLE.replace("table.csv", "../here/table.csv"))
    assert differences(specnet, "here/table.toml", "there/table.toml") == {}


@pytest.mark.parametrize("broken", ["run.json", "metrics.json", "spec.resolved.json"])
def test_a_broken_run_is_an_error(specnet, ran, folder, broken, pinned):
    ran("run")
    (folder / "run" / broken).write_bytes(b'{"finished": \xff')
    pinned(specnet("diff run moons.toml").failed(1))
    (folder / "run" / broken).unlink()
    pinned(specnet("diff moons.toml run").failed(1))


def test_teams_are_compared_network_by_network(specnet, folder):
    """The second network of one has another share in the other, which lacks the third; against a model alone."""
    team = team_of("value", "float64")
    team.save(folder / "a.safetensors")
    Model.of(team.networks[:2], [1, 1]).save(folder / "b.safetensors")
    Model.of(team.networks[1:2]).save(folder / "alone.safetensors")
    assert specnet("diff a.safetensors a.safetensors").went() == "no differences\n"
    found, alone = (
        {each["key"]: (each["before"], each["after"]) for each in document["differences"]}
        for document in (specnet(f"diff a.safetensors {b}.safetensors --format json").document for b in ("b", "alone"))
    )
    shares = [round(share / sum(team.shares), 4) for share in team.shares]
    assert found.keys() == {"networks.1.share", "networks.2"}  # the first has half of both
    assert found["networks.1.share"] == (shares[1], 0.5)
    lost, after = found["networks.2"]
    layers = len(team.networks[2].spec.network.layers)
    assert (lost["share"], len(lost["layers"]), after) == (shares[2], layers, None)
    assert {key.split(".")[1] for key in alone} == {"0", "1", "2"}
    assert alone["networks.0.share"] == (0.5, 1.0)
    assert any(key.startswith("networks.0.network.layers") for key in alone)
