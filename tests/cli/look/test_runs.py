"""`specnet runs`: the runs in a folder as a table."""

import json
import re
import shutil
from pathlib import Path
from urllib.parse import unquote

import pytest

from specnet import Observer, run
from specnet.saved.metrics_file import summarized
from tests.cli.conftest import MOONS, write_rows
from tests.running.reports.page import Page
from tests.running.sweeps.made import METRICS, scores, trial, write_series, write_sweep

REGRESSION = """\
name = "numbers"
data = { type = "make_regression", n_samples = 40, n_features = 3 }
network = { hidden_layer_sizes = [3] }
training = { loss = "mse", epochs = 2, metrics = ["r2"] }
"""


@pytest.fixture(scope="module")
def three_runs(tmp_path_factory):
    """Three runs of two specs."""
    runs = tmp_path_factory.mktemp("three") / "runs"
    for name, spec, epochs in (("moons/1", MOONS, 30), ("moons/2", MOONS, 5), ("numbers/1", REGRESSION, 2)):
        run(spec, runs / name, overrides=[f"training.epochs={epochs}"], observer=Observer())
    return runs


@pytest.fixture
def trained(three_runs, folder):
    """The folder `runs` with three runs of two specs, which a test may change."""
    return Path(shutil.copytree(three_runs, folder / "runs"))


def write_findings(run, *codes):
    found = [{"code": code, "severity": "warning", "sentence": "…", "remedy": "…", "changes": {}} for code in codes]
    (run / "findings.json").write_text(json.dumps({"findings": found}))


def rows(out):
    return [re.split(r"\s{2,}", line) for line in out.splitlines()]


def read_json(path):
    return json.loads(path.read_text())


def listed(specnet, *options):
    """Return the runs of the document."""
    return specnet("runs", *options, "--format", "json").document["runs"]


def test_a_run_is_a_row(specnet, trained):
    header, *found = rows(specnet("runs --sort run").went())
    assert header == ["run", "test accuracy", "test r2", "test loss", "loss function", "time", "findings"]
    assert [row[0] for row in found] == ["moons/1", "moons/2", "numbers/1"]
    test = read_json(trained / "moons/1/metrics.json")["test"]
    assert found[0][1:4] == [f"{100 * test['accuracy']:.1f} %", "–", f"{test['loss']:.4f}"]
    assert rows(specnet("runs --sort run -q").out) == [header, *found]
    facts, metrics = (read_json(trained / "moons/2" / name) for name in ("run.json", "metrics.json"))
    document = listed(specnet, "--sort", "run")[1]
    assert document.pop("findings") is not None
    assert document == {
        "run": "moons/2",
        "state": "finished",
        "problem": None,
        "seconds": facts["training_seconds"],
        "epochs": 5,
        "metrics": {split: metrics[split] for split in ("train", "test")},
        "expectations": {},
        "loss": "binary_crossentropy(positive_weight=1.0)",
        "trials": None,
        "runs": None,
        "deviations": {},
    }


@pytest.mark.parametrize(
    "column", ["run", "test accuracy", "accuracy", "test_accuracy", "r2", "loss", "test_loss", "time", "findings"]
)
def test_any_column_sorts_both_ways(specnet, trained, column):
    codes = {"moons/1": ["dead-units"], "moons/2": ["a-first", "z"], "numbers/1": ["b"]}
    for name, found in codes.items():
        write_findings(trained / name, *found)
    header, *up = rows(specnet("runs", "--sort", column).out)
    _, *down = rows(specnet("runs", "--sort", f"-{column}").out)
    place = next(place for place, title in enumerate(header) if column.replace("_", " ") in (title, title[5:]))
    absent = [row for row in up if row[place] == "–"]
    assert [row for row in down if row[place] == "–"] == absent
    assert up[len(up) - len(absent) :] == absent
    assert down[len(down) - len(absent) :] == absent
    there = [row for row in up if row not in absent]
    assert [row for row in down if row not in absent] == there[::-1]
    if column == "findings":
        assert [row[place] for row in up] == ["a-first, z", "b", "dead-units"]
    assert [run["run"] for run in listed(specnet, "--sort", column)] == [row[0] for row in up]


def test_numbers_of_runs_sort_by_size(specnet, trained):
    for number in (10, 9, 100):
        shutil.copytree(trained / "moons/1", trained / f"moons/{number}")
    assert [row[0] for row in rows(specnet("runs runs/moons --sort run").out)[1:]] == ["1", "2", "9", "10", "100"]
    assert [row[0] for row in rows(specnet("runs . --sort run").out)[1:3]] == ["runs/moons/1", "runs/moons/2"]


def test_runs_of_one_target_are_in_a_table_the_best_first(specnet, trained):
    shutil.copytree(trained / "moons/1", trained / "moons/3")
    for number, accuracy in (("1", 0.5), ("2", 0.75), ("3", 0.75)):
        path = trained / f"moons/{number}/metrics.json"
        metrics = read_json(path)
        metrics["test"]["accuracy"] = accuracy
        path.write_text(json.dumps(metrics))
    moons, numbers = (rows(table) for table in specnet("runs").went().split("\n\n"))
    assert moons[:2] == [
        ["make_moons, best test accuracy first"],
        ["run", "test accuracy", "test loss", "time", "findings"],
    ]
    order = ["moons/2", "moons/3", "moons/1"]
    assert [row[0] for row in moons[2:]] == order
    assert [row[0] for row in numbers] == ["make_regression", "run", "numbers/1"]
    assert [each["run"] for each in listed(specnet)] == [*order, "numbers/1"]
    specnet("runs --html").went()
    text = Page(Path("runs.html").read_text("utf-8")).text
    assert "make_moons By test accuracy, the best first." in text
    named = dict.fromkeys(re.findall(r"moons/\d|make_regression|numbers/1", text))
    assert [*named] == [*order, "make_regression", "numbers/1"]


def test_interrupted_and_unfinished_runs_are_shown_as_such(specnet, trained):
    facts = read_json(trained / "moons/1/run.json")
    (trained / "moons/1/run.json").write_text(json.dumps(facts | {"finished": False, "epochs": 7}))
    (trained / "moons/2/run.json").unlink()
    (trained / "killed").mkdir()
    (trained / "killed/checkpoint.safetensors").write_bytes(b"")
    (trained / "no run").mkdir()
    header, *found = rows(specnet("runs --sort state").went())
    assert header[-1] == "state"
    assert {row[0]: row[-1] for row in found} == {
        "numbers/1": "finished",
        "moons/1": "interrupted after epoch 7",
        "killed": "unfinished",
        "moons/2": "unfinished",
    }
    specnet("runs --html").went()
    page = Path("runs.html").read_text("utf-8")
    assert re.findall(r"<th scope=\"col\".*?>(.*?)</th>", page)[:2] == ["run", "state"]
    states = re.findall(r"<th scope=\"row\"[^>]*>.*</th><td[^>]*>(\w+)", page)
    assert sorted(states) == ["interrupted", "unfinished", "unfinished"]
    assert page.index(">numbers/1<") > page.index(">moons/2<")
    told = specnet("compare runs/moons/1 runs/numbers/1").went()
    apart = "2 runs side by side; they have no score of test rows in common; compare runs of one loss or one metric."
    verdict = f"Not finished: moons/1 (interrupted after epoch 7). {apart}"
    assert told == f"{verdict}\ncompare.html\n"
    assert re.findall("<h1>(.*?)</h1>", Path("compare.html").read_text("utf-8")) == [verdict]
    specnet("report runs/moons/1").went()
    assert "<h1>Interrupted after epoch 7. " in (trained / "moons/1/report.html").read_text("utf-8")


BREAKS = {
    "run.json": [
        b"",
        b"{",
        b"[]",
        b"\xff",
        b'{"finished": 3}',
        b"[" * 100_000,
        b'{"finished": true, "finished": true}',
    ],
    "metrics.json": [b"{", b'{"train": 3}', b'{"train": {"loss": "x"}}', b'{"train": {"loss": NaN}}', b"null"],
    "findings.json": [b"{", b"3", b"[]", b'{"findings": 3}', b'{"findings": [{"code": "x"}]}'],
}


@pytest.mark.parametrize(("name", "content"), [(name, content) for name, each in BREAKS.items() for content in each])
def test_a_broken_file_is_told_and_the_rest_is_shown(specnet, trained, name, content, pinned):
    (trained / "moons/1" / name).write_bytes(content)
    header, *found = rows(specnet("runs --sort run").went())
    assert header[-1] == "state"
    assert found[0][0] == "moons/1"
    pinned(found[0][-1])
    assert found[1][-1] == "finished"
    broken, *_ = listed(specnet)
    assert broken["state"] == "broken"
    assert broken["problem"].startswith(f"{name}: ")


def test_missing_files_and_strange_values_are_no_crash(specnet, trained):
    (trained / "moons/1/metrics.json").unlink()
    facts = read_json(trained / "moons/2/run.json")
    strange = facts | {"training_seconds": 10**400, "epochs": True, "finished": False}
    (trained / "moons/2/run.json").write_text(json.dumps(strange))
    (trained / "numbers/1/metrics.json").write_text('{"test": {"r2": null, "loss": null}}')
    (trained / "numbers/1/findings.json").unlink()  # earlier versions wrote none
    for options in ((), ("--sort", "time"), ("--sort", "-r2"), ("--format", "json")):
        ended = specnet("runs", *options)
        ended.went()
    found = {run["run"]: run for run in ended.document["runs"]}
    assert found["moons/1"]["state"] == "broken"
    assert (found["moons/2"]["seconds"], found["moons/2"]["epochs"]) == (None, None)
    assert found["numbers/1"]["findings"] == []


def test_names_that_steer_a_terminal_are_shown_as_text(specnet, trained):
    wild = f"\x1b[31m<b>&{'x' * 200}"
    (trained / "moons/1").rename(trained / "moons" / wild)
    write_findings(trained / "moons/2", "\x1b[2J")
    shown = specnet("runs").ok().out
    assert "\x1b" not in shown
    assert f"<b>&{'x' * 200}" in shown


def test_which_runs_there_are(specnet, trained):
    (run,) = listed(specnet, "runs/moons/1")
    assert run["run"] == "runs/moons/1"
    (trained / "again").symlink_to(trained / "moons")
    (trained / "moons/again").symlink_to(trained)  # a circle
    assert len(listed(specnet)) == 3
    shutil.rmtree(trained)
    trained.mkdir()
    assert specnet("runs").went() == "no runs in runs\n"
    assert specnet("runs --sort loss --format json").document == {"errors": [], "runs": []}


def test_a_run_without_test_rows_has_a_dash(specnet, folder):
    text = MOONS.replace("noise = 0.2", "noise = 0.2\nsplit = { test_size = 0 }")
    (folder / "whole.toml").write_text(text)
    specnet("run whole.toml -q").ok()
    assert rows(specnet("runs").out)[0] == ["run", "train accuracy", "train loss", "time", "findings"]
    specnet("run moons.toml -q").ok()
    header, whole, tested = rows(specnet("runs --sort run").out)
    columns = ["test accuracy", "test loss", "train accuracy", "train loss"]
    assert header == ["run", *columns, "time", "findings"]
    for (name, *cells), split in ((whole, "train"), (tested, "test")):
        figures = read_json(folder / "runs" / name / "metrics.json")[split]
        shown = [f"{100 * figures['accuracy']:.1f} %", f"{figures['loss']:.4f}"]
        assert cells[:4] == (["–", "–", *shown] if split == "train" else [*shown, "–", "–"])


@pytest.mark.slow
def test_an_ensemble_without_test_rows_is_judged_out_of_fold_everywhere(specnet, folder):
    """Terminal, table of runs, summary, the page of a series and that of a run: one figure, not that of training."""
    spec = MOONS.replace("noise = 0.2", "noise = 0.3\nsplit = { test_size = 0 }")
    (folder / "whole.toml").write_text(spec.replace("epochs = 20", "epochs = 400\nensemble = 4"))
    lines = specnet("run whole.toml --seeds 2 -o many --jobs 1").err.splitlines()
    metrics = [read_json(folder / f"many/seed{seed}/metrics.json") for seed in (0, 1)]
    assert all({*each} & {"train", "out_of_fold", "validation", "test"} == {"train", "out_of_fold"} for each in metrics)
    own = [f"{100 * each['out_of_fold']['accuracy']:.1f} %" for each in metrics]
    loss = [f"out of fold loss {each['out_of_fold']['loss']:.4f}" for each in metrics]
    shown = [line.split("   ", 1)[1].rsplit("   ", 1)[0] for line in lines if line.startswith("seed")]
    assert shown == [f"{loss[seed]}   accuracy {own[seed]}" for seed in (0, 1)]
    mean = 100 * sum(each["out_of_fold"]["accuracy"] for each in metrics) / 2
    assert f"average an out-of-fold accuracy of {mean:.1f}" in (folder / "many/report.html").read_text()
    specnet("report many/seed0").went()
    page = (folder / "many/seed0/report.html").read_text().replace("\u00a0", " ")
    assert f"{own[0]} of 60 training rows out of fold" in page
    assert rows(specnet("runs many").out)[0][1:3] == ["out_of_fold accuracy", "out_of_fold loss"]
    assert [cells[1] for cells in rows(specnet("runs many").out)[1:]] == own
    assert f"{own[0]} → {own[1]}" in specnet("diff many/seed0 many/seed1").out


def test_page_of_runs_leads_to_theirs(specnet, trained, folder):
    wild = trained / "moons" / "100 % <b>&#?:"
    shutil.copytree(trained / "moons/1", wild)
    assert (trained / "moons/2/report.html").is_file()
    (trained / "moons/1/report.html").unlink()
    assert specnet("runs --html --sort -accuracy").went() == "runs.html\n"
    page = Page((folder / "runs.html").read_text("utf-8"))
    leads = [each for each in page.references if not each.startswith(("data:", "#"))]
    assert "b" not in page.tags  # of the name
    assert {(folder / unquote(each)).resolve() for each in leads} == {
        run / "report.html" for run in (wild, trained / "moons/2", trained / "numbers/1")
    }
    for row in rows(specnet("runs --sort -accuracy").out):
        in_words = " ".join(" ".join(row).split()).replace("test r2", "test R²")
        assert re.sub(r" -(?=\d)", " −", in_words) in page.text
    (folder / "pages").mkdir()
    document = specnet("runs --html -o pages/all.html --format json").document
    assert (document["file"], len(document["runs"])) == ("pages/all.html", 4)
    assert 'href="../runs/numbers/1/report.html"' in (folder / "pages/all.html").read_text("utf-8")


def test_a_sweep_is_one_row_and_its_trials_are_none(specnet, trained):
    sweeps = trained.parent / "sweeps"
    write_sweep(sweeps / "moons/1", [trial(0, 0.5), trial(1, None, "pruned"), trial(2, 0.25)])
    write_sweep(sweeps / "moons/2", [trial(0, 0.5)], metrics=None, planned=9)
    assert rows(specnet("runs sweeps --sort run").went()) == [
        ["run", "test accuracy", "test loss", "trials", "time", "findings", "state"],
        ["moons/1", "87.5 %", "0.3750", "3", "1.5 s", "finished"],
        ["moons/2", "–", "–", "1", "0.5 s", "unfinished after 1 trial"],
    ]
    (record, _) = listed(specnet, "sweeps", "--sort", "run")
    assert (record["run"], record["state"], record["trials"]) == ("moons/1", "finished", 3)
    assert record["metrics"] == {split: METRICS[split] for split in ("train", "validation", "test")}
    assert rows(specnet("runs sweeps/moons/1").out)[1][0] == "sweeps/moons/1"
    assert specnet("runs sweeps/moons/1/trials").out == "no runs in sweeps/moons/1/trials\n"
    (sweeps / "moons/1/trials.csv").write_text("trial\n0\n")
    broken = specnet("runs sweeps/moons").out
    assert "broken: trials.csv: not a valid table of trials: column 'seconds' is missing" in broken


def test_folds_and_seeds_are_one_row_and_so_is_a_sweep_of_each_fold(specnet, trained):
    folds = [(f"fold{fold}", None, fold, scores(0.5 + fold / 8, fold / 16)) for fold in (10, 2)]
    many = write_series(trained / "many/1", folds)
    write_findings(many / "fold2", "overfitting")
    write_findings(many / "fold10", "dead-units", "overfitting")
    failed = write_series(trained / "many/2", [*folds, ("fold3", None, 3, "the loss is not finite")])
    (failed / "report.html").write_text("")
    nested = trained / "nested/1"
    for fold, accuracy in enumerate((0.5, 0.75)):
        write_sweep(nested / f"fold{fold}", [trial(0, 0.5), trial(1, 0.25)], metrics=scores(0.25, accuracy))
    (nested / "summary.json").write_text(json.dumps(summarized([scores(0.25, 0.5), scores(0.25, 0.75)])))
    header, *found = rows(specnet("runs --sort run").went())
    titles = ["test accuracy", "test r2", "test loss", "loss function", "runs", "time", "findings", "state"]
    assert header == ["run", *titles]
    assert [row[0] for row in found] == ["many/1", "many/2", "moons/1", "moons/2", "nested/1", "numbers/1"]
    figures = ["37.5 % ± 35.4", "–", "1.250 ± 0.707"]  # of 2/16 and 10/16, and of 0.75 and 1.75
    assert found[0] == ["many/1", *figures, "2", "–", "overfitting, dead-units", "finished"]
    assert found[1] == ["many/2", *figures, "3", "–", "diverged: 1 of 3 runs"]
    assert found[4] == ["nested/1", "62.5 % ± 17.7", "–", "0.2500 ± 0.0000", "2", "2.0 s", "finished"]
    assert [row[0] for row in rows(specnet("runs", many).out)[1:]] == ["fold2", "fold10"]
    assert [row[0] for row in rows(specnet("runs", nested).out)[1:]] == ["fold0", "fold1"]
    (record, *_) = listed(specnet, "--sort", "run")
    assert (record["runs"], record["metrics"]["test"]["accuracy"]) == (2, 0.375)
    assert record["deviations"]["test"]["accuracy"] == pytest.approx(0.5 / 2**0.5)
    specnet("runs --html").went()
    assert 'href="runs/many/2/report.html"' in (trained.parent / "runs.html").read_text("utf-8")
    (failed / "runs.csv").write_text("run\nfold2\n")
    (many / ".specnet-lock").touch()
    told = rows(specnet("runs --sort run").out)
    assert told[1][-1] == "unfinished after 2 runs"
    assert told[2][-1] == "broken: runs.csv: not a valid table of runs: column 'seed' is missing"


PRICES = """
data = { type = "csv", path = "prices.csv", target = "price" }
network = { hidden_layer_sizes = [3], target_preprocessing = ["standardize"] }
training = { loss = "mse", epochs = 5 }
"""


@pytest.fixture
def of_prices(specnet, folder):
    """Runs with losses of the target, of its logarithm (two of them), and of another kind."""
    write_rows("prices.csv", "size,price", [[n / 60, round(1 + 50 * (n / 60) ** 2 + n % 7, 2)] for n in range(60)])
    (folder / "prices.toml").write_text(PRICES)
    log = 'network.target_preprocessing=["log", "standardize"]'
    changes = {"plain": [], "log": [log], "longer": [log, "training.epochs=40"], "other": ["training.loss=mae"]}
    for name, settings in changes.items():
        options = [word for setting in settings for word in ("--set", setting)]
        specnet("run", "prices.toml", "-o", f"runs/{name}", "-q", "--no-report", *options).ok()
    return folder


@pytest.mark.slow
def test_losses_in_other_units_are_not_compared(specnet, of_prices):
    def loss(name):
        return read_json(of_prices / f"runs/{name}/metrics.json")["test"]["loss"]

    for other in ("log", "other"):
        told = specnet(f"diff runs/plain runs/{other}").out
        assert re.search(r"^loss +not compared: in other units$", told, re.MULTILINE)
        assert specnet(f"diff runs/plain runs/{other} --format json").document["scores"] == []
    told = specnet("diff runs/log runs/longer").out
    assert re.search(rf"^test loss +{loss('log'):.3f} → {loss('longer'):.3f}$", told, re.M)
    header, *found = rows(specnet("runs --sort loss").out)
    assert header == ["run", "test loss", "loss function", "time", "findings"]
    functions = {name: row[2] for name, *row in ((row[0], *row) for row in found)}
    assert functions["log"] == functions["longer"] == "mean_squared_error after log, standardize"
    assert functions["plain"] == "mean_squared_error after standardize"
    order = [row[0] for row in found if row[0] in ("log", "longer")]
    assert order == sorted(order, key=loss)
    specnet("compare runs/plain runs/log").went()
    assert (
        "2 runs side by side; they have no score of test rows in common; compare"
        in (of_prices / "compare.html").read_text()
    )
    specnet("compare runs/longer runs/log --force").went()
    assert "the best test loss" in (of_prices / "compare.html").read_text()
