"""`specnet show`."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from specnet import Model, Network, parse_spec, resolve
from specnet.number_texts import rounded
from specnet.running.resolved_specs import resolved_with_data
from tests.cli.conftest import MOONS, Ran, Specnet
from tests.cli.on_terminal import on_terminal
from tests.compiling import compiles
from tests.exporting.models import team_of
from tests.report.drawn import Drawn
from tests.texts.pinned import Pinned


def test_a_model_is_shown_as_its_spec(specnet: Specnet, ran: Ran) -> None:
    ran("here")
    for option in ([], ["--resolved"], ["--code"]):
        assert specnet("show", "here/model.safetensors", *option).out == specnet("show", "moons.toml", *option).out


def test_the_resolved_spec_is_a_spec(specnet: Specnet, folder: Path) -> None:
    ended = specnet("show", "moons.toml", "--resolved")
    assert ended.status == 0
    assert parse_spec(json.loads(ended.out)) == resolve(parse_spec(folder / "moons.toml")).spec
    (folder / "again.json").write_text(ended.out)
    assert specnet("show", "again.json", "--resolved").out == ended.out
    assert specnet("show", "moons.toml", "--resolved", "--format", "json").out == ended.out


def test_the_calls_of_every_program_are_listed(specnet: Specnet) -> None:
    ended = specnet("show", "moons.toml", "--code")
    assert ended.status == 0
    programs = specnet("show", "moons.toml", "--code", "--format", "json").document["programs"]
    titles = ["prediction", "gradient, while training", "update"]
    assert [program["title"] for program in programs] == titles
    by_lbfgs = ["show", "moons.toml", "--code", "--set", "training.optimizer=lbfgs", "--format", "json"]
    assert [program["title"] for program in specnet(*by_lbfgs).document["programs"]] == titles[:2]
    for program in programs:
        assert f"{program['title']}:\n" in ended.out
        assert program["calls"]
        for call in program["calls"]:
            assert f"    {call}\n" in ended.out
    assert "affine" in ended.out
    assert "maximum" in ended.out


CURVED = MOONS.replace(
    "epochs = 20\n",
    'epochs = 20\noptimizer = { type = "sgd", schedule = { type = "warmup", length = 2, then = "cosine_decay" } }\n',
)


@pytest.mark.parametrize("source", ["curved.toml", "here/model.safetensors"])
def test_the_learning_rate_is_a_curve(specnet: Specnet, folder: Path, source: str) -> None:
    (folder / "curved.toml").write_text(CURVED)
    assert specnet("run", "curved.toml", "--out", "here", "-q").status == 0
    ended = specnet("show", source, "--schedule")
    ended.went()
    lines = ended.out.splitlines()
    assert lines[0] == "moons   sgd at 0.01, warmup(length=2, then=cosine_decay), 20 epochs of 2 steps"
    assert lines[2] == "learning rate"
    assert lines[3].startswith(" 0.01 |  ***********")
    assert lines[-1] == "lowest 1.71e-05 at step 40, highest 0.01 at step 2"
    data = specnet("show", source, "--schedule", "--format", "json").document
    assert (data["errors"], data["name"], data["epochs"], data["steps_per_epoch"]) == ([], "moons", 20, 2)
    assert [point["step"] for point in data["points"]] == list(range(1, 41))
    assert [point["rate"] for point in data["points"][:3]] == [0.005, 0.01, 0.01]


@pytest.mark.parametrize("columns", [80, 100, 200])
@pytest.mark.parametrize(
    "spec", sorted((Path(__file__).parents[3] / "specs").glob("*.toml")), ids=lambda spec: spec.stem
)
def test_a_layer_is_one_line_of_a_terminal(folder: Path, spec: Path, columns: int) -> None:
    seen = on_terminal(["show", spec], folder, columns, NO_COLOR="1")
    lines = seen.plain.split("\n\n")[1].splitlines()
    network = Network(resolved_with_data(parse_spec(spec)))
    keys = [node.key for node in network.resolved.nodes]
    assert [line.split()[0] for line in lines] == ["layer", "input", *keys], seen
    assert max(map(len, lines)) <= columns
    assert all(line.rstrip() == line for line in lines)
    assert all(re.search(r"  dropout\(x\), rate=0\.\d+$", line) for line in lines if "dropout(x)" in line)


@compiles
def test_the_plan_says_which_engine_a_run_would_use(specnet, pinned):
    for epochs in (20, 1_000_000):
        pinned(specnet("show", "moons.toml", "--set", f"training.epochs={epochs}").out.splitlines()[2])
    assert (
        specnet("show", "moons.toml", "--set", "training.engine=numpy").out.splitlines()[2].startswith("engine: numpy")
    )


def test_compiled_code_is_c_with_the_formula_above_each_loop(specnet):
    text = specnet("show", "moons.toml", "--code", "--engine", "compiled").out
    assert "= affine(theta.layers.0.weight, x) */" in text
    assert "index64 steps(" in text
    assert "--engine needs --code" in specnet("show", "moons.toml", "--engine", "compiled").failed(2)


def test_without_a_compiler_the_plan_says_so(specnet: Specnet, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CC", raising=False)
    monkeypatch.setattr("importlib.util.find_spec", lambda *_: None)
    ended = specnet("show", "moons.toml", "--set", "training.engine=compiled")
    ended.went()
    assert "engine: compiled (the compiled engine is not available: no C compiler was found" in ended.out


def test_code_is_that_of_numpy_whatever_trains(specnet: Specnet) -> None:
    told = [
        specnet("show", "moons.toml", "--code", "--set", f"training.engine={engine}") for engine in ("auto", "compiled")
    ]
    assert told[0].out == told[1].out
    assert "theta <- " in told[0].out


def test_a_diagram_is_a_file_that_stands_alone(specnet: Specnet, folder: Path, moons: Model) -> None:
    ended = specnet("show", "moons.toml", "--diagram", "spec.svg")
    assert (ended.status, ended.out, ended.err) == (0, "spec.svg\n", "")
    assert specnet("show", "moons", "--diagram", "model.svg", "--format", "json").document["diagram"] == "model.svg"
    spec, model = (Drawn((folder / name).read_text("utf-8")) for name in ("spec.svg", "model.svg"))
    assert spec.texts("caption") == model.texts("caption") == ["2 inputs", "5 relu", "1 sigmoid"]
    assert len(spec.all("path", "plain")) == 2
    weights = moons.network.parameters(moons.theta)
    lines = [line[0].text for line in model.all("path", "link")]
    assert sorted(lines) == sorted(
        rounded(float(weight)) for name, array in weights.items() if name.endswith("weight") for weight in array.flat
    )


def test_a_diagram_names_columns_and_classes(specnet: Specnet, folder: Path, kinds: Model) -> None:
    assert specnet("show", "kinds", "--diagram", "kinds.svg").status == 0
    written = Drawn((folder / "kinds.svg").read_text("utf-8")).texts()
    assert {"first", "second", "third", "kind a", "kind b", "kind c"} <= set(written)


def test_a_diagram_does_not_replace_a_file(specnet: Specnet, folder: Path) -> None:
    (folder / "taken.svg").write_text("mine")
    specnet("show", "moons.toml", "--diagram", "taken.svg").failed(2, "taken.svg: error[taken]: ")
    assert (folder / "taken.svg").read_text() == "mine"
    assert specnet("show", "moons.toml", "--diagram", "taken.svg", "--force").status == 0
    first = (folder / "taken.svg").read_bytes()
    assert specnet("show", "moons.toml", "--diagram", "taken.svg", "--force", "-q").out == ""
    assert (folder / "taken.svg").read_bytes() == first


def test_a_team_is_shown_network_by_network(specnet: Specnet, folder: Path, pinned: Pinned) -> None:
    team_of("value", "float64").save(folder / "team.safetensors")
    ended = specnet("show", "team.safetensors")
    ended.went()
    heads = [line for line in ended.out.splitlines() if line.startswith("network ")]
    assert heads == [f"network {n} of 3   share {share} %" for n, share in ((1, 50), (2, 17), (3, 33))]
    told = json.loads(specnet("show", "team.safetensors", "--format", "json").out)["models"]
    assert [(each["share"], each["parameters"]) for each in told] == [(3, 21), (1, 35), (2, 21)]
    for option in ("--resolved", "--code"):
        refused = specnet("show", "team.safetensors", option)
        assert refused.status == 2
        pinned(refused.err)
    for option in ("--schedule", "--explain"):
        refused = specnet("show", "team.safetensors", option)
        assert (refused.status, f"{option} needs a single network, got a team" in refused.err) == (2, True)
