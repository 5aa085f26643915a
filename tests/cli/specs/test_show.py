"""`specnet show`."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from specnet.model import Model
from specnet.network import Network
from specnet.number_texts import rounded
from specnet.running.resolved_specs import resolved_with_data
from specnet.spec import parse_spec, resolve
from tests.cli.conftest import MOONS, Ran, Specnet
from tests.cli.on_terminal import on_terminal
from tests.compiling import compiles
from tests.exporting.test_teams import team_of
from tests.report.drawn import Drawn
from tests.texts.pinned import Pinned

BRANCHES = """\
[data]
type = "make_moons"
[training]
loss = "bce"
[network]
layers = [
    { type = "dense", units = 4, activation = { type = "leaky_relu", negative_slope = 0.2 }, name = "wide" },
    { type = "block", name = "twice", repeat = 2, layers = [
        { type = "dense", units = 4, name = "branch", weight_initializer = "zeros" },
        { type = "add", inputs = ["input", "branch"] },
    ] },
    { type = "concatenate", inputs = ["input", "twice"] },
    { type = "dense", units = 1, use_bias = false },
]
"""


def test_the_plan_is_a_row_for_each_layer(specnet: Specnet, pinned: Pinned) -> None:
    ended = specnet("show", "moons.toml")
    ended.went()
    assert ended.out.splitlines()[4:] == [
        "layer            out   parameters   first weights   formula",
        "input              2                                x",
        "layers.0 dense     5           15   normal ±1       relu(W·x + b)",
        "layers.1 dense     1            6   uniform ±1      sigmoid(W·x + b)",
    ]
    pinned(ended.out)


def test_branches_and_blocks_are_followed(specnet: Specnet, folder: Path) -> None:
    (folder / "branches.toml").write_text(BRANCHES)
    rows = {line.split()[0]: line.split("   ") for line in specnet("show", "branches.toml").out.splitlines()[4:]}
    assert list(rows) == [
        *(
            "layer",
            "input",
            "layers.wide",
            "layers.twice.0.branch",
            "layers.twice.0.1",
            "layers.twice.1.branch",
            "layers.twice.1.1",
        ),
        *("layers.2", "layers.3"),
    ]
    assert rows["layers.wide"][-1].strip() == "leaky_relu(W·x + b, negative_slope=0.2)"
    assert rows["layers.twice.0.branch"][-1].strip() == "W·x + b"
    assert [word for cell in rows["layers.twice.0.branch"] for word in cell.split()][2:5] == ["4", "20", "0"]
    assert rows["layers.twice.0.1"][-1].strip() == "wide + x"
    assert rows["layers.twice.1.1"][-1].strip() == "twice.0.1 + x"
    assert rows["layers.2"][-1].strip() == "[input, x]"
    assert rows["layers.3"][0] == "layers.3 dense"
    assert rows["layers.3"][-1].strip() == "sigmoid(W·x), use_bias=false"


@pytest.mark.parametrize("source", ["moons.toml", "here/model.safetensors"])
def test_the_plan_as_data(specnet: Specnet, ran: Ran, source: str) -> None:
    ran("here")
    ended = specnet("show", source, "--format", "json")
    assert ended.status == 0
    plan = ended.document
    assert {
        key: plan[key] for key in ("errors", "name", "dtype", "input_size", "output_size", "parameters", "bytes")
    } == {
        "errors": [],
        "name": "moons",
        "dtype": "float32",
        "input_size": 2,
        "output_size": 1,
        "parameters": 21,
        "bytes": 84,
    }
    first, second = plan["layers"]
    assert (first["key"], first["inputs"], first["size"], first["parameters"]) == ("layers.0", ["input"], 5, 15)
    assert (second["key"], second["inputs"], second["size"], second["parameters"]) == ("layers.1", ["layers.0"], 1, 6)
    assert second["activation"]["type"] == "sigmoid"
    assert (second["first_weights"], second["formula"]) == ("uniform ±1", "sigmoid(W·x + b)")


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


def test_a_full_batch_is_one_step(specnet: Specnet, folder: Path, pinned: Pinned) -> None:
    (folder / "full.toml").write_text(MOONS.replace("epochs = 20\n", 'epochs = 20\nbatch_size = "full"\n'))
    ended = specnet("show", "full.toml", "--schedule")
    pinned(ended.out)


def test_a_learning_rate_that_there_is_not_has_no_curve(specnet: Specnet, folder: Path) -> None:
    (folder / "lbfgs.toml").write_text(MOONS.replace("epochs = 20\n", 'optimizer = "lbfgs"\n'))
    assert "lbfgs" in specnet("show", "lbfgs.toml", "--schedule").failed(2, "error[usage]: ")
    (folder / "dataless.toml").write_text('network.layer_sizes = [2, 1]\ntraining.loss = "mse"\n')
    specnet("show", "dataless.toml", "--schedule").failed(1)


def test_data_are_read_where_the_sizes_are_theirs_to_say(specnet: Specnet, folder: Path) -> None:
    (folder / "table.csv").write_text("a,b,c,kind\n" + "".join(f"{i},{i * 2},{i % 5},k{i % 3}\n" for i in range(30)))
    spec = '[data]\ntype = "csv"\npath = "table.csv"\ntarget = "kind"\n[network]\nhidden_layer_sizes = [4]\n'
    (folder / "table.toml").write_text(spec + '[training]\nloss = "categorical_crossentropy"\n')
    ended = specnet("show", "table.toml")
    assert ended.status == 0
    assert ended.out.startswith("3 → 4 relu → 3 softmax   31 ")
    assert json.loads(specnet("show", "table.toml", "--resolved").out)["data"]["columns"] == {
        "a": "numeric",
        "b": "numeric",
        "c": "numeric",
        "kind": "category",
    }
    (folder / "table.csv").unlink()
    assert "table.csv" in specnet("show", "table.toml").failed(1)


def test_sizes_that_nothing_says_are_a_mistake(specnet: Specnet, folder: Path) -> None:
    (folder / "sizeless.toml").write_text('network.hidden_layer_sizes = [4]\ntraining.loss = "mse"\n')
    said = specnet("show", "sizeless.toml").failed(1)
    assert said.count("error[unknown-size]") == 2


def test_what_a_layer_does_beside_its_activation_is_told(specnet: Specnet, folder: Path) -> None:
    layers = '[{ type = "dense", units = 4 }, { type = "dropout", rate = 0.25 }, { type = "dense", units = 1 }]'
    (folder / "dropout.toml").write_text(MOONS.replace("layer_sizes = [2, 5, 1]", f"layers = {layers}"))
    lines = specnet("show", "dropout.toml").out.splitlines()
    assert lines[0].startswith("moons   2 → 4 linear → dropout → 1 sigmoid   17 ")
    assert any(line.startswith("layers.1   ") and line.endswith("   dropout(x), rate=0.25") for line in lines)


@pytest.mark.parametrize("columns", [80, 100, 200])
@pytest.mark.parametrize(
    "spec", sorted((Path(__file__).parents[3] / "specs").glob("*.toml")), ids=lambda spec: spec.stem
)
def test_a_layer_is_one_line_of_a_terminal(folder: Path, spec: Path, columns: int) -> None:
    text = on_terminal(["show", spec], folder, columns, NO_COLOR="1").plain
    lines = text.split("\n\n")[1].splitlines()
    network = Network(resolved_with_data(parse_spec(spec)))
    keys = [node.key for node in network.resolved.nodes]
    assert [line.split()[0] for line in lines] == ["layer", "input", *keys]
    assert max(map(len, lines)) <= columns
    assert all(line.rstrip() == line for line in lines)
    assert all(re.search(r"  dropout\(x\), rate=0\.\d+$", line) for line in lines if "dropout(x)" in line)


def test_a_deep_network_has_a_short_head(specnet: Specnet, folder: Path) -> None:
    sizes = ", ".join(["2", *["3"] * 40, "1"])
    (folder / "deep.toml").write_text(MOONS.replace("2, 5, 1", sizes))
    head = specnet("show", "deep.toml").out.splitlines()[0]
    assert re.match("moons   2 → 3 relu → 3 relu → 3 relu → … 35 .* → 3 relu → 3 relu → 1 sigmoid   ", head)


@pytest.mark.parametrize(
    "arguments",
    [
        ["parts"],
        ["parts", "adam"],
        ["moons.toml", "adam"],
        ["moons.toml", "--format", "markdown"],
        ["moons.toml", "--code", "--resolved"],
        ["moons.toml", "--schedule", "--code"],
    ],
)
def test_what_does_not_go_together_is_a_faulty_command_line(
    specnet: Specnet, arguments: list[str], pinned: Pinned
) -> None:
    said = specnet("show", *arguments).failed(2)
    assert "error[usage]: " in said
    pinned(said)


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


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--diagram", "moons.png"), "the name of the diagram must end in .svg"),
        (("--diagram", "moons.svg", "--code"), "--code and --diagram cannot be combined"),
        (("--force",), "--force needs --diagram"),
    ],
)
def test_what_a_diagram_cannot_be_is_refused(
    specnet: Specnet, folder: Path, arguments: tuple[str, ...], message: str
) -> None:
    assert message in specnet("show", "moons.toml", *arguments).failed(2)
    assert not list(folder.glob("*.svg"))


def test_a_diagram_needs_a_folder(specnet: Specnet) -> None:
    ended = specnet("show", "moons.toml", "--diagram", "no/moons.svg")
    assert (ended.status, ended.err) == (1, "no/moons.svg: error[file]: folder does not exist\n")


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
