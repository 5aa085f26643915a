"""`specnet show`: the plan, the resolved spec, code, the learning rate, diagrams, and where each value comes from."""

import json
import math
import re
from pathlib import Path

import pytest

from specnet import parse_spec, resolve
from specnet.files.plain_data import leaves
from specnet.number_texts import rounded
from tests.cli.conftest import MOONS
from tests.cli.on_terminal import on_terminal
from tests.compiling import compiles
from tests.exporting.models import team_of
from tests.report.drawn import Drawn


def test_a_model_is_shown_as_its_spec(specnet, ran):
    ran("here")
    for option in ([], ["--resolved"], ["--code"]):
        assert specnet("show", "here/model.safetensors", *option).out == specnet("show", "moons.toml", *option).out


def test_the_resolved_spec_is_a_spec(specnet, folder):
    ended = specnet("show moons.toml --resolved").ok()
    assert parse_spec(json.loads(ended.out)) == resolve(parse_spec(folder / "moons.toml")).spec
    (folder / "again.json").write_text(ended.out)
    assert specnet("show again.json --resolved").out == ended.out
    assert specnet("show moons.toml --resolved --format json").out == ended.out


def test_the_calls_of_every_program_are_listed(specnet):
    ended = specnet("show moons.toml --code").ok()
    programs = specnet("show moons.toml --code --format json").document["programs"]
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


@pytest.mark.parametrize("columns", [80, 100, 200])
@pytest.mark.parametrize(
    "spec", sorted((Path(__file__).parents[3] / "specs").glob("*.toml")), ids=lambda spec: spec.stem
)
def test_a_layer_is_one_line_of_a_terminal(specnet, folder, spec, columns):
    seen = on_terminal(["show", spec], folder, columns, NO_COLOR="1")
    lines = seen.plain.split("\n\n")[1].splitlines()
    keys = [layer["key"] for layer in specnet("show", spec, "--format", "json").document["layers"]]
    assert [line.split()[0] for line in lines] == ["layer", "input", *keys], seen
    assert max(map(len, lines)) <= columns
    assert all(line.rstrip() == line for line in lines)
    assert all(re.search(r"  dropout\(x\), rate=0\.\d+$", line) for line in lines if "dropout(x)" in line)


@compiles
def test_the_plan_says_which_engine_a_run_would_use(specnet, pinned):
    for epochs in (20, 1_000_000):
        pinned(specnet(f"show moons.toml --set training.epochs={epochs}").out.splitlines()[2])
    plan = specnet("show moons.toml --set training.engine=numpy").out
    assert plan.splitlines()[2].startswith("engine: numpy")


def test_without_a_compiler_the_plan_says_so(specnet, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CC", raising=False)
    monkeypatch.setattr("importlib.util.find_spec", lambda *_: None)
    ended = specnet("show moons.toml --set training.engine=compiled")
    ended.went()
    assert "engine: compiled (the compiled engine is not available: no C compiler was found" in ended.out


def test_a_diagram_is_a_file_that_stands_alone(specnet, folder, moons):
    assert specnet("show moons.toml --diagram spec.svg").went() == "spec.svg\n"
    assert specnet("show moons --diagram model.svg --format json").document["diagram"] == "model.svg"
    spec, model = (Drawn((folder / name).read_text("utf-8")) for name in ("spec.svg", "model.svg"))
    assert spec.texts("caption") == model.texts("caption") == ["2 inputs", "5 relu", "1 sigmoid"]
    assert len(spec.all("path", "plain")) == 2
    weights = [array for name, array in moons.network.parameters(moons.theta).items() if name.endswith("weight")]
    texts = [rounded(float(weight)) for array in weights for weight in array.flat]
    assert sorted(line[0].text for line in model.all("path", "link")) == sorted(texts)


def test_a_diagram_names_columns_and_classes(specnet, folder, kinds):
    specnet("show kinds --diagram kinds.svg").ok()
    written = Drawn((folder / "kinds.svg").read_text("utf-8")).texts()
    assert {"first", "second", "third", "kind a", "kind b", "kind c"} <= set(written)


def test_a_team_is_shown_network_by_network(specnet, folder, pinned):
    team_of("value", "float64").save(folder / "team.safetensors")
    heads = [line for line in specnet("show team.safetensors").went().splitlines() if line.startswith("network ")]
    assert heads == [f"network {n} of 3   share {share} %" for n, share in ((1, "50.0"), (2, "16.7"), (3, "33.3"))]
    models = json.loads(specnet("show team.safetensors --format json").out)["models"]
    assert [(each["share"], each["parameters"]) for each in models] == [(3, 21), (1, 35), (2, 21)]
    for option in ("--resolved", "--code", "--schedule", "--origins"):
        reported = specnet(f"show team.safetensors {option}").failed(2)
        if option in ("--resolved", "--code"):
            pinned(reported)
        else:
            assert f"{option} needs a single network, got a team" in reported


def test_schedules_of_dropout_and_decay_are_shown_beside_the_learning_rate(specnet, folder):
    """Factors by hand: 1 until a quarter of 20 steps, then half a cosine over the rest; the dropout falls from half."""
    dropout = {"type": "dropout", "rate": 0.2, "schedule": "flat_cosine"}
    decay = {"weight_decay": 0.01, "weight_decay_schedule": {"type": "flat_cosine", "flat": 0.25}}
    document = {
        "data": {"type": "make_moons", "n_samples": 40},
        "network": {"layers": [{"type": "dense", "units": 4}, dropout, {"type": "dense", "units": 1}]},
        "training": {"loss": "binary_crossentropy", "epochs": 20, "optimizer": {"type": "adamw", **decay}},
    }
    (folder / "falling.json").write_text(json.dumps(document))
    shown = json.loads(specnet("show falling.json --schedule --format json").out)["further_schedules"]
    of_decay, of_dropout = (
        [1.0, *((1 + math.cos(math.pi * (step / 20 - flat) / (1 - flat))) / 2 for step in (10, 19))]
        for flat in (0.25, 0.5)
    )
    assert shown["training.optimizer.weight_decay_schedule"]["factors"] == pytest.approx(of_decay)
    assert shown["network.layers.1.schedule"]["factors"] == pytest.approx(of_dropout)
    for option in ("--schedule", "--origins"):
        text = specnet(f"show falling.json {option}").went()
        assert all(key in text for key in shown)


def test_a_sweep_of_a_spec_is_no_part_of_what_other_verbs_read(specnet, folder):
    (folder / "swept.toml").write_text(f'{MOONS}[sweep.space]\n"training.optimizer.lr" = [1]\n')
    for verb in ("show", "show --resolved", "show --code", "show --origins", "check"):
        swept, plain = specnet(f"{verb} swept.toml").ok().out, specnet(f"{verb} moons.toml").ok().out
        assert swept.replace("swept.toml", "moons.toml") == plain
    for name in ("swept", "moons"):
        specnet(f"run {name}.toml --out {name} -q --threads 1").ok()
    swept, plain = ((folder / name / "model.safetensors").read_bytes() for name in ("swept", "moons"))
    assert swept == plain


# ------------------------------------------------------------------------------------ where each value comes from


def origins(ended):
    """Return value and origin by key, from the lines of text."""
    rows = [re.split(r"\s{3,}", line) for line in ended.went().split("\n\n")[0].splitlines()]
    assert all(len(row) == 3 for row in rows)
    return {key: (value, origin) for key, value, origin in rows}


def test_every_value_of_the_resolved_spec_is_there_once(specnet, folder):
    found = specnet("show moons.toml --origins --format json").document["values"]
    resolved = resolve(parse_spec(folder / "moons.toml")).spec.model_dump(mode="json", exclude_none=True)
    assert [(item["key"], item["value"]) for item in found] == [
        (".".join(map(str, path)), value) for path, value in leaves(resolved, whole_lists=True)
    ]


def test_without_the_file_of_a_run_its_resolved_spec_is_explained(specnet, folder):
    specnet("run moons.toml -o run -q --set training.epochs=3").ok()
    (folder / "moons.toml").unlink()
    found = origins(specnet("show run --origins"))
    assert found["training.epochs"] == ("3", "--set #1 (file line 10: 20)")
    (folder / "run/spec.toml").unlink()
    found = origins(specnet("show run --origins"))
    assert re.fullmatch(r"file line \d+", found["training.optimizer.type"][1])


def test_the_data_of_a_run_need_not_be_there(specnet, folder, kinds):
    (folder / "table.csv").unlink()
    assert origins(specnet("show kinds --origins"))["network.output_size"] == ("3", "from data")


@pytest.mark.parametrize(
    "facts", ["{", "[]", '{"finished": true, "overrides": 3}', '{"finished": true, "overrides": [1]}']
)
def test_a_broken_record_is_an_error(specnet, ran, folder, facts):
    ran("run")
    (folder / "run/run.json").write_text(facts)
    specnet("show run --origins").failed(1, "run/run.json: error[file]: ")
