"""`specnet run`: what it prints, writes and logs, warnings about its rows, and how it ends."""

import json
import os
import re
import shlex
import signal
from collections import Counter
from pathlib import Path

import pytest

import specnet as specnet_package
from specnet import Observer
from specnet.cli.application import specnet_command
from specnet.cli.train import resume_command
from specnet.findings import Finding, Judgement
from specnet.report.pages.headline import verdict
from tests.cli.conftest import CSV_SPEC, MOONS, TABLE, in_ascii, started, write_rows
from tests.waiting import wait_until

RECORDS = {
    "history.jsonl",
    "metrics.json",
    "findings.json",
    "layers.jsonl",
    "snapshots.safetensors",
    "run.json",
    "background.safetensors",
}
FILES = {"spec.toml", "spec.resolved.json", "model.safetensors", "report.html", *RECORDS}


def read_json(path):
    return json.loads(Path(path).read_text())


def history_in(run):
    return [json.loads(line) for line in Path(run, "history.jsonl").read_text().splitlines()]


def names_in(folder):
    return {path.name for path in Path(folder).iterdir()}


def best_baseline(figures):
    """Return which of the baselines but the constant has the best accuracy."""
    return max(("linear", "neighbours"), key=lambda name: figures["baselines"][name]["test"]["accuracy"])


def test_a_run_prints_its_figures_its_progress_and_its_folder(specnet, folder):
    ended = specnet("run moons.toml").ok()
    header, train, test, judged, *advice, written, page = ended.out.splitlines()
    figures = read_json("runs/moons/1/metrics.json")
    best = best_baseline(figures)
    assert judged == verdict(figures)
    headline, *commands = advice
    assert headline.partition(". ")[0] in Path(page).read_text("utf-8")
    assert all(command.startswith("  specnet run moons.toml --") for command in commands)
    assert header.split() == ["loss", "accuracy", "95", "%", "interval", "constant", best]
    compared = [figures["baselines"][name]["test"]["accuracy"] for name in ("constant", best)]
    bounds = figures["intervals"]["test"]["accuracy"]
    interval = f"{100 * bounds['low']:.1f}–{100 * bounds['high']:.1f} %"
    beside = " ".join([interval, *(f"{100 * accuracy:.1f} %" for accuracy in compared)])
    for line, split, end in ((train, "train", ""), (test, "test", f" {beside}")):
        loss, accuracy = figures[split]["loss"], figures[split]["accuracy"]
        assert " ".join(line.split()) == f"{split} {loss:.4f} {100 * accuracy:.1f} %{end}"
    assert written == f"{Path('runs/moons/1')}   model.safetensors, metrics.json, …"
    assert page == str(Path("runs/moons/1/report.html"))
    assert names_in("runs/moons/1") == FILES
    # Progress goes to standard error, and ends with a summary.
    header, line, nothing, summary = ended.err.splitlines()
    first, *_, last = history_in("runs/moons/1")
    assert header == "moons   2 → 5 relu → 1 sigmoid   21 parameters   45 + 15 rows"
    assert (line, nothing) == (f"epoch 20/20 loss {last['loss']:.4f}", "")
    ends = f"loss {first['loss']:.4f} [▁-▇]{{12}} {last['loss']:.4f}"
    assert re.fullmatch(rf"20 epochs in [\d.]+ (ms|s)   {ends}", summary)
    # Runs are numbered.
    assert f"{Path('runs/moons')}{os.sep}2   " in specnet("run moons.toml").out
    assert names_in("runs/moons") == {"1", "2"}


@pytest.mark.usefixtures("folder")
def test_without_block_characters_the_ends_of_the_loss_are_told():
    ended = in_ascii("run", "moons.toml")
    header, *_, summary = ended.err.splitlines()
    assert header.startswith("moons   2 -> 5 relu -> 1 sigmoid   21 ")
    assert re.search(r"loss 0\.\d{4} to 0\.\d{4}$", summary)
    assert re.search(r"   \d+\.\d-\d+\.\d %", ended.out)
    assert "?" not in ended.err + ended.out


def test_the_validation_loss_is_shown_too(specnet):
    ended = specnet("run moons.toml --set data.split.validation_size=0.2")
    assert "   33 train + 12 validation + 15 test rows\n" in ended.err
    assert re.search(r"^epoch 20/20 loss 0\.\d{4} validation_loss 0\.\d{4}$", ended.err, re.MULTILINE)
    assert re.search(r" 0\.\d{4}   validation 0\.\d{4}$", ended.err, re.MULTILINE)
    assert [line.split()[0] for line in ended.out.splitlines()[1:4]] == ["train", "validation", "test"]


def test_the_result_as_data(specnet):
    """Of a run that went on, too: nothing is changed."""
    command = "run moons.toml --out here --resume --format json"
    document = json.loads(specnet(command).went())
    facts, (first, *_, last) = read_json("here/run.json"), history_in("here")
    member = {name: facts[name] for name in ("end", "epochs", "training_seconds")}
    assert document == {
        "errors": [],
        "files": sorted(FILES),
        "findings": read_json("here/findings.json")["findings"],
        "folder": "here",
        "members": [{**member, "first_loss": first["loss"], "last_loss": last["loss"]}],
        "metrics": read_json("here/metrics.json"),
        "warnings": [],
    }
    before = {path.name: path.read_bytes() for path in Path("here").iterdir()}
    assert specnet(command).ok().document["metrics"] == document["metrics"]
    assert {path.name: path.read_bytes() for path in Path("here").iterdir()} == before


def test_each_member_of_an_ensemble_is_told(specnet):
    command = "run moons.toml --set training.ensemble=2 --no-report"
    ended = specnet(command)
    *_, nothing, first, second = ended.err.splitlines()
    assert nothing == ""
    for number, line in enumerate((first, second)):
        assert re.match(rf"member {number}   20 epochs in .*   loss 0\.\d{{4}} [▁-▇]+ 0\.\d{{4}}   validation ", line)
    assert [line.split()[0] for line in ended.out.splitlines()[1:4]] == ["train", "out_of_fold", "test"]
    members = specnet(f"{command} --format json").document["members"]
    assert [member["epochs"] for member in members] == [20, 20]
    assert len({member["last_loss"] for member in members}) == 2


def test_several_metrics_have_a_row_each(specnet):
    ended = specnet("""run moons.toml --set 'training.metrics=["accuracy", "roc_auc"]' --out here""")
    header, *rows = ended.out.splitlines()[:4]
    figures = read_json("here/metrics.json")
    assert header.split() == ["train", "test", "95", "%", "interval", "constant", best_baseline(figures)]
    assert [row.split()[0] for row in rows] == ["loss", "accuracy", "roc_auc"]
    bounds = figures["intervals"]["test"]["roc_auc"]
    low, high = re.search(r"([\d.]+)–([\d.]+)", rows[2]).groups()
    assert (float(low), float(high)) == pytest.approx((bounds["low"], bounds["high"]), abs=0.0006)
    assert re.search(r"   0\.500 +[01]\.\d{3}$", rows[2])


def test_two_findings_stand_below_the_table_errors_first(specnet, monkeypatch):
    severities = {"first": "warning", "second": "warning", "third": "error", "fourth": "error"}
    changes = {"training.l2": 0.01, "network.activations": "tanh"}
    found = tuple(Finding(code, kind, f"{code} was seen", changes, "look at it") for code, kind in severities.items())
    command = "  specnet run moons.toml --set training.l2=0.01 --set network.activations=tanh"

    def lines_below(count):
        monkeypatch.setattr("specnet.running.evaluation.evaluation.judge", lambda evidence: Judgement(found[:count], 9))
        return specnet("run moons.toml --set training.l2=1e-5").out.splitlines()[4:-2]

    assert lines_below(4) == [
        "third: third was seen",
        command,
        "fourth: fourth was seen",
        "2 more findings: first, second",
    ]
    assert lines_below(3) == ["third: third was seen", command, "first: first was seen", "1 more finding: second"]
    assert lines_below(2) == ["first: first was seen", command, "second: second was seen"]
    written = [each.as_dict() for each in found[:2]]
    assert specnet("run moons.toml --format json").document["findings"] == written
    assert read_json("runs/moons/4/findings.json")["findings"] == written


LONG = "--set training.epochs=100000000 --set training.log_every=1000 --set training.checkpoint_every=1000"


@pytest.mark.slow
def test_ctrl_c_keeps_what_was_reached(specnet, folder):
    with started("run", "moons.toml", "--out", "here", *LONG.split(), folder=folder) as running:
        assert running.stderr.readline().startswith("moons   2 → 5 relu → 1 sigmoid")
        wait_until(lambda: (folder / "here/checkpoint.safetensors").exists() or running.poll() is not None)
        running.send_signal(signal.SIGINT)
        out, err = running.communicate(timeout=60)
    assert (running.returncode, out) == (130, "")
    *_, message, hint = err.splitlines()
    assert re.fullmatch(r"error\[interrupted\]: .*Ctrl-C; interrupted (in|after) epoch \d+; .* here", message)
    assert hint.endswith(f": specnet run moons.toml --out here {LONG} --resume")
    assert names_in("here") == {*FILES, "checkpoint.safetensors"}
    assert read_json("here/run.json")["finished"] is False
    assert history_in("here")
    assert " 21 " in specnet("show here/model.safetensors").out


def test_a_spec_needs_no_name(specnet, folder):
    (folder / "moons.toml").write_text(MOONS.replace('name = "moons"\n', ""))
    assert specnet("run moons.toml").ok().err.startswith("2 → ")
    assert (folder / "runs/unnamed/1/model.safetensors").is_file()


def test_the_command_that_goes_on_needs_no_standard_input_again():
    def resuming(line, **options):
        context = specnet_command(("run",)).commands["run"].make_context("run", shlex.split(line))
        return resume_command(context, Path("out"), **options)

    settings = "--set seed=1 --set 'name=a b'"
    assert resuming(f"a.toml --force -q --limit layers=5 --jobs 2 --no-report {settings}") == (
        f"specnet run a.toml --out out {settings} --jobs 2 --no-report --limit layers=5 --resume"
    )
    assert resuming(f"- {settings}") == f"specnet run - --out out {settings} --resume"
    assert resuming(f"- {settings}", is_spec=True) == "specnet run out --out out --resume"


def test_a_run_from_standard_input_goes_on_from_its_folder(specnet):
    class Stopping(Observer):
        def logged(self, epoch, record):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        specnet_package.run(MOONS, "out", overrides=["seed=3"], observer=Stopping())
    specnet("run out --out out --resume").ok()
    assert read_json("out/run.json")["epochs"] == 20


# --------------------------------------------------------------- what seems suspicious about the rows, before the run


def test_what_several_columns_have_is_one_line(specnet, folder):
    def row(n):
        days = [f"{1 + n * step % 12:02}/{1 + n % 5:02}/2021" for step in (1, 5)]
        return [f"{n * 17 % 61}.5", 1, 2, f"note {n}", f"{'x' * n}y", *days, "ab"[n % 2]]

    write_rows("table.csv", "number,one,two,note,remark,day,due,kind", map(row, range(60)))
    made = specnet("new table.toml --data table.csv --target kind --quick")
    (folder / "table.toml").write_text(TABLE)
    ran = specnet("run table.toml -o out --no-report")
    texts, notations, *again, constants = [
        each.partition("warning")[2] for each in (made.err + ran.err).splitlines() if "warning[" in each
    ]
    assert texts == '[ignored-column]: 2 columns are ignored, text that no 5 rows share: "note", "remark"'
    assert re.fullmatch(r'\[other-notation\]: 2 columns are ignored: "day" \(.* or .*\), "due" \(.* or .*\)', notations)
    assert again == [texts, notations]
    assert constants == '[constant]: 2 columns are constant in all rows: "one", "two"'
    assert "use --set data.columns.note=ignore, --set data.columns.remark=ignore" in made.err
    assert 'set data.columns.note = "ignore", data.columns.remark = "ignore"' in ran.err
    written = Counter(each["code"] for each in read_json("out/run.json")["warnings"])
    assert written == {"ignored-column": 2, "other-notation": 2, "constant": 2}


@pytest.mark.usefixtures("gappy")
def test_gaps_and_categories_of_several_columns_are_one_line_each(specnet, folder):
    rows = [[n % 7, f"{n % 5}.5", ["oslo", "rome"][n % 2], "ab"[n % 2], n, n % 9] for n in range(60)]
    write_rows("gappy.csv", "size,age,city,town,width,price", rows)
    specnet("run gappy.toml --out whole -q --no-report").ok()
    (folder / "new.csv").write_text("size,age,city,town,width\n1,,bonn,c,\n,,rome,c,3\n")
    gaps = '"size" (1 cell), "age" (2 cells), "width" (1 cell)'
    missing = f"untrained-gap]: 3 columns have missing values, but had none in the training set: {gaps}"
    categories = '"city" (1 cell, such as "bonn"), "town" (2 cells, such as "c")'
    unknown = f"unknown-category]: 2 columns have rare or unseen categories: {categories}"
    strict = "not-predicted]: 2 of 2 rows have no prediction: missing "
    for options, first in (("", missing), ("--strict", strict)):
        found = [each.partition("[")[2] for each in specnet(f"predict whole new.csv {options}").err.splitlines()]
        assert found[0].startswith(first)
        assert [each for each in found if each] == [found[0], unknown]


@pytest.mark.slow
@pytest.mark.trains
@pytest.mark.parametrize("options", ["", "--folds 3"])
def test_a_class_of_one_row_is_told_once_and_trains(specnet, folder, options):
    """By the spec that `new` writes for a table with a number that has gaps, a date, a category and a text."""
    rows = [
        [
            n % 13 if n % 7 else "",
            f"2024-01-{1 + n % 28:02}",
            ["Oslo", ""][n % 2],
            f"note {n}",
            ["yes", "no"][n // 4 % 2],
        ]
        for n in range(60)
    ]
    write_rows("shop.csv", "size,when,city,note,kind", [*rows, [0.5, "2024-01-01", "Oslo", "note", "perhaps"]])
    specnet("new shop.toml --data shop.csv --target kind -q").ok()
    specnet("validate shop.toml").ok()
    ended = specnet(f"run shop.toml -o out {options} --set training.epochs=2").ok()
    assert ended.err.count("warning[single-row]: class perhaps is in one row, which is a training row") == 1
    for record in folder.glob("out/**/metrics.json"):
        tables = read_json(record)["tables"]["test"]
        assert tables["labels"] == ["no", "perhaps", "yes"]
        assert sum(tables["confusion"][1]) == 0


# -------------------------------------------------------------------------------------------------------------- --log


def test_json_lines_are_the_history(specnet):
    command = "run moons.toml --out done --log jsonl:logs/a:b.jsonl --log jsonl:second.jsonl"
    assert "loss" in specnet(command).ok().out
    for log in ("logs/a:b.jsonl", "second.jsonl"):
        assert Path(log).read_bytes() == Path("done/history.jsonl").read_bytes()


@pytest.mark.parametrize("log", ["table.csv", "./more/../test.csv", "linked.csv", "table.toml", "old/spec.toml"])
def test_no_log_overwrites_what_the_run_reads(specnet, folder, log):
    """Its table, a file of its split, a hard link to one, and its spec, by its path or in the folder of a run."""
    for name in ("table.csv", "test.csv"):
        write_rows(name, "x,kind", [[n, "ab"[n % 2]] for n in range(40)])
    (folder / "linked.csv").hardlink_to(folder / "test.csv")
    (folder / "more").mkdir()
    (folder / "table.toml").write_text(CSV_SPEC.replace(" }\nnetwork", ', split.test = "test.csv" }\nnetwork'))
    specnet("run table.toml -o old -q --no-report").went()
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    spec = "old" if "old" in log else "table.toml"
    reported = specnet(f"run {spec} -o out --log jsonl:{log} --force -q").failed(1)
    assert reported.startswith(f"{Path(log)}: error[file]: the output would overwrite a file that is read")
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before


def test_tensorboard_and_mlflow(specnet, folder):
    pytest.importorskip("tensorboard", reason="needs pip install '.[tensorboard]'")
    mlflow = pytest.importorskip("mlflow", reason="needs pip install '.[mlflow]'")
    pytest.importorskip("sqlalchemy", reason="needs pip install '.[mlflow]'")
    command = "run moons.toml --log tensorboard:logs --log mlflow:sqlite:///mlflow.db"
    assert specnet(command).ok().err.count("\n\n") == 1
    assert len(names_in("logs/moons/1")) == 1
    client = mlflow.MlflowClient("sqlite:///mlflow.db")
    (run,) = client.search_runs([client.get_experiment_by_name("moons").experiment_id])
    assert (run.info.run_name, run.info.status) == ("1", "FINISHED")
    assert specnet(f"{command} --quiet").went() == ""


@pytest.mark.slow
def test_an_interrupted_run_says_how_to_resume_its_log(folder):
    """Ctrl-C ends it, and SIGTERM what goes on, for it would last too long."""
    again = [
        "run",
        "moons.toml",
        "-o",
        "out",
        "--no-report",
        "--set",
        "training.epochs=10000000",
        "--log",
        "jsonl:a log",
    ]
    log = folder / "a log"
    for kill in (signal.SIGINT, signal.SIGTERM):
        before = log.stat().st_size if log.exists() else 0
        with started(*again, folder=folder) as running:
            wait_until(lambda before=before: log.exists() and log.stat().st_size > before)
            running.send_signal(kill)
            _, err = running.communicate(timeout=60)
        again = shlex.split(err.partition("to resume: specnet ")[2].splitlines()[0])
        assert again[-1] == "--resume"
        assert {"jsonl:a log", "--no-report"} < {*again}
        assert log.read_bytes() == (folder / "out/history.jsonl").read_bytes()
