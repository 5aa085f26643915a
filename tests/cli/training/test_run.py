"""`specnet run`."""

from __future__ import annotations

import json
import os
import re
import signal
from pathlib import Path
from typing import Any

import pytest

import specnet as specnet_package
from specnet import Observer
from specnet.cli.training.verb_folders import ResumeCommand
from specnet.findings import Finding, Judgement
from specnet.findings.finding import Severity
from specnet.report.pages.headline import verdict
from tests.cli.conftest import MOONS, Specnet, called, in_ascii, started
from tests.texts.pinned import Pinned
from tests.waiting import wait_until

RECORDS = {"history.jsonl", "metrics.json", "findings.json", "layers.jsonl", "snapshots.safetensors", "run.json"}
FILES = {"spec.toml", "spec.resolved.json", "model.safetensors", "report.html", *RECORDS}


def test_a_run_prints_its_figures_and_its_folder(specnet: Specnet, folder: Path) -> None:
    ended = specnet("run", "moons.toml")
    assert ended.status == 0
    header, train, test, told, written, page = ended.out.splitlines()
    figures_in_file = json.loads((folder / "runs/moons/1/metrics.json").read_text())
    assert told == verdict(figures_in_file)
    best = best_baseline(figures_in_file)
    assert header.split() == ["loss", "accuracy", "95", "%", "constant", best]
    compared = [figures_in_file["baselines"][name]["test"]["accuracy"] for name in ("constant", best)]
    bounds = figures_in_file["intervals"]["test"]["accuracy"]
    interval = f"{100 * bounds['low']:.0f}–{100 * bounds['high']:.0f} %"
    for line, split in ((train, "train"), (test, "test")):
        name, loss, accuracy, percent, *beside = line.split()
        assert (name, percent) == (split, "%")
        told = [interval, *(f"{100 * accuracy:.1f} %" for accuracy in compared)]
        assert " ".join(beside) == (" ".join(told) if split == "test" else "")
        assert loss == f"{figures_in_file[split]['loss']:.4f}"
        assert accuracy == f"{100 * figures_in_file[split]['accuracy']:.1f}"
    assert written == f"{Path('runs/moons/1')}   model.safetensors, metrics.json, …"
    assert page == str(Path("runs/moons/1/report.html"))
    assert {entry.name for entry in (folder / "runs/moons/1").iterdir()} == FILES


def best_baseline(figures: dict[str, Any]) -> str:
    """Return which of the baselines but the constant has the best accuracy."""
    return max(("linear", "neighbours"), key=lambda name: figures["baselines"][name]["test"]["accuracy"])


def test_progress_goes_to_standard_error_and_ends_with_a_summary(specnet: Specnet, folder: Path) -> None:
    header, line, nothing, summary = specnet("run", "moons.toml").err.splitlines()
    first, *_, last = map(json.loads, (folder / "runs/moons/1/history.jsonl").read_text().splitlines())
    assert header == "moons   2 → 5 relu → 1 sigmoid   21 parameters   45 + 15 rows"
    assert line == f"epoch 20/20 loss {last['loss']:.4f}"
    assert nothing == ""
    ends = f"loss {first['loss']:.4f} [▁-▇]{{12}} {last['loss']:.4f}"
    assert re.fullmatch(rf"20 epochs in [\d.]+ (ms|s)   {ends}", summary)


def test_without_block_characters_the_ends_of_the_loss_are_told(folder: Path) -> None:
    ended = in_ascii("run", "moons.toml")
    header, *_, summary = ended.err.splitlines()
    assert header.startswith("moons   2 -> 5 relu -> 1 sigmoid   21 ")
    assert re.search(r"loss 0\.\d{4} to 0\.\d{4}$", summary)
    assert re.search(r"   \d+-\d+ %", ended.out)
    assert "?" not in ended.err + ended.out


def test_the_validation_loss_is_shown_too(specnet: Specnet) -> None:
    ended = specnet("run", "moons.toml", "--set", "data.split.validation_size=0.2")
    assert "   33 train + 12 validation + 15 test rows\n" in ended.err
    assert re.search(r"^epoch 20/20 loss 0\.\d{4} validation_loss 0\.\d{4}$", ended.err, re.MULTILINE)
    assert re.search(r" 0\.\d{4}   validation 0\.\d{4}$", ended.err, re.MULTILINE)
    assert [line.split()[0] for line in ended.out.splitlines()[1:4]] == ["train", "validation", "test"]


def test_runs_are_numbered(specnet: Specnet, folder: Path) -> None:
    for number in (1, 2):
        assert f"{Path('runs/moons')}{os.sep}{number}   " in specnet("run", "moons.toml").out
    assert sorted(entry.name for entry in (folder / "runs/moons").iterdir()) == ["1", "2"]


def test_the_result_as_data(specnet: Specnet, folder: Path) -> None:
    ended = specnet("run", "moons.toml", "--out", "here", "--format", "json")
    ended.went()
    facts = json.loads((folder / "here/run.json").read_text())
    first, *_, last = map(json.loads, (folder / "here/history.jsonl").read_text().splitlines())
    member = {name: facts[name] for name in ("end", "epochs", "training_seconds")}
    assert ended.document == {
        "errors": [],
        "files": sorted(FILES),
        "findings": json.loads((folder / "here/findings.json").read_text())["findings"],
        "folder": "here",
        "members": [{**member, "first_loss": first["loss"], "last_loss": last["loss"]}],
        "metrics": json.loads((folder / "here/metrics.json").read_text()),
        "warnings": [],
    }


def test_each_member_of_an_ensemble_is_told(specnet: Specnet) -> None:
    arguments = ["run", "moons.toml", "--set", "training.ensemble=2", "--no-report"]
    told = specnet(*arguments)
    *_, nothing, first, second = told.err.splitlines()
    assert nothing == ""
    for number, line in enumerate((first, second)):
        assert re.match(rf"member {number}   20 epochs in .*   loss 0\.\d{{4}} [▁-▇]+ 0\.\d{{4}}   validation ", line)
    assert [line.split()[0] for line in told.out.splitlines()[1:4]] == ["train", "out_of_fold", "test"]
    members = specnet(*arguments, "--format", "json").document["members"]
    assert [member["epochs"] for member in members] == [20, 20]
    assert len({member["last_loss"] for member in members}) == 2


def test_several_metrics_have_a_row_each(specnet: Specnet, folder: Path) -> None:
    ended = specnet("run", "moons.toml", "--set", 'training.metrics=["accuracy", "roc_auc"]', "--out", "here")
    header, *rows, _, _, _ = ended.out.splitlines()
    figures_in_file = json.loads((folder / "here/metrics.json").read_text())
    assert header.split() == ["train", "test", "95", "%", "constant", best_baseline(figures_in_file)]
    assert [row.split()[0] for row in rows] == ["loss", "accuracy", "roc_auc"]
    bounds = figures_in_file["intervals"]["test"]["roc_auc"]
    low, high = re.search(r"([\d.]+)–([\d.]+)", rows[2]).groups()
    assert (float(low), float(high)) == pytest.approx((bounds["low"], bounds["high"]), abs=0.01)
    assert re.search(r"   0\.50 +[01]\.\d\d$", rows[2])


def test_two_findings_stand_below_the_table_errors_first(
    specnet: Specnet, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    severities: dict[str, Severity] = {"first": "warning", "second": "warning", "third": "error", "fourth": "error"}
    found = tuple(Finding(code, kind, f"{code} was seen", {}, "look at it") for code, kind in severities.items())

    def lines_below(count: int) -> list[str]:
        monkeypatch.setattr("specnet.running.training_run.judge", lambda evidence: Judgement(found[:count], 9))
        return specnet("run", "moons.toml").out.splitlines()[4:-2]

    assert lines_below(4) == ["third: third was seen", "fourth: fourth was seen", "2 more findings: first, second"]
    assert lines_below(3) == ["third: third was seen", "first: first was seen", "1 more finding: second"]
    assert lines_below(2) == ["first: first was seen", "second: second was seen"]
    written = [each.as_dict() for each in found[:2]]
    assert specnet("run", "moons.toml", "--format", "json").document["findings"] == written
    assert json.loads((folder / "runs/moons/4/findings.json").read_text())["findings"] == written


def test_a_run_that_went_wrong_names_the_cause(specnet: Specnet, folder: Path) -> None:
    settings = ["--set", "training.optimizer={type='sgd', learning_rate=1e-7}", "--set", "training.epochs=100"]
    *_, finding, _, _ = specnet("run", "moons.toml", *settings).out.splitlines()
    (written, *_) = json.loads((folder / "runs/moons/1/findings.json").read_text())["findings"]
    assert finding == f"{written['code']}: {written['sentence']}"
    assert written["code"] == "rate-too-low"


def test_settings_are_made_and_recorded(specnet: Specnet, folder: Path) -> None:
    ended = specnet(
        "run", "moons.toml", "--out", "here", "--set", "training.epochs=3", "--set", "network.layer_sizes.1=7"
    )
    assert ended.status == 0
    assert "2 → 7 relu → 1 sigmoid   29 " in ended.err
    assert "\nepoch 3/3 " in ended.err
    assert json.loads((folder / "here/run.json").read_text())["overrides"] == [
        "training.epochs=3",
        "network.layer_sizes.1=7",
    ]


def test_a_folder_that_is_not_empty_is_kept(specnet: Specnet, folder: Path) -> None:
    (folder / "here").mkdir()
    (folder / "here/notes.txt").write_text("mine")
    said = specnet("run", "moons.toml", "--out", "here").failed(2)
    assert "here: error[" in said
    assert "--force" in said
    assert [entry.name for entry in (folder / "here").iterdir()] == ["notes.txt"]
    assert specnet("run", "moons.toml", "--out", "here", "--force").status == 0
    assert {entry.name for entry in (folder / "here").iterdir()} == {*FILES, "notes.txt"}
    assert (folder / "here/notes.txt").read_text() == "mine"


def test_mistakes_write_nothing(specnet: Specnet, folder: Path, pinned: Pinned) -> None:
    (folder / "bad.toml").write_text(MOONS.replace("layer_sizes = [2, 5, 1]", "layer_sizes = [3, 5, 1]"))
    pinned(specnet("run", "bad.toml").failed(1, "bad.toml:7:16: error[size-clash]: "))
    assert {entry.name for entry in folder.iterdir()} == {"moons.toml", "bad.toml"}


def test_data_that_are_missing_write_nothing(specnet: Specnet, folder: Path) -> None:
    spec = MOONS.replace(
        'type = "make_moons"\nn_samples = 60\nnoise = 0.2', 'type = "csv"\npath = "no.csv"\ntarget = "y"'
    )
    (folder / "rows.toml").write_text(spec)
    assert "no.csv" in specnet("run", "rows.toml").failed(1)
    assert {entry.name for entry in folder.iterdir()} == {"moons.toml", "rows.toml"}


def test_a_loss_that_is_not_finite_ends_with_1_and_a_remedy(specnet: Specnet, folder: Path) -> None:
    settings = ["network.activations=linear", "training.loss=mse", "training.metrics=", "training.optimizer.type=sgd"]
    ended = specnet(
        *("run", "moons.toml", "--out", "here", "--set", "training.optimizer.learning_rate=1e30"),
        *(part for setting in settings for part in ("--set", setting)),
    )
    ended.failed(1)
    assert "error[training]: " in ended.err
    assert "learning_rate" in ended.err
    assert not (folder / "here").exists()


LONG = ["training.epochs=100000000", "training.log_every=1000", "training.checkpoint_every=1000"]


def _interrupted(folder: Path) -> tuple[int, str, str]:
    """Run until a first checkpoint is there, send what Ctrl-C sends, and return how it ended."""
    settings = [part for setting in LONG for part in ("--set", setting)]
    with started("run", "moons.toml", "--out", "here", *settings, folder=folder) as running:
        assert running.stderr is not None
        assert running.stderr.readline().startswith("moons   2 → 5 relu → 1 sigmoid")
        wait_until(lambda: (folder / "here/checkpoint.safetensors").exists() or running.poll() is not None)
        running.send_signal(signal.SIGINT)
        out, err = running.communicate(timeout=60)
    return running.returncode, out, err


@pytest.mark.slow
def test_ctrl_c_keeps_what_was_reached(specnet: Specnet, folder: Path) -> None:
    status, out, err = _interrupted(folder)
    assert (status, out) == (130, "")
    *_, message, hint = err.splitlines()
    assert re.fullmatch(r"error\[interrupted\]: .*Ctrl-C; interrupted (in|after) epoch \d+; .* here", message)
    settings = "--set training.epochs=100000000 --set training.log_every=1000 --set training.checkpoint_every=1000"
    assert hint.endswith(f": specnet run moons.toml --out here {settings} --resume")
    assert {entry.name for entry in (folder / "here").iterdir()} == {*FILES, "checkpoint.safetensors"}
    assert json.loads((folder / "here/run.json").read_text())["finished"] is False
    history = [json.loads(line) for line in (folder / "here/history.jsonl").read_text().splitlines()]
    assert len(history) >= 1
    assert " 21 " in specnet("show", "here/model.safetensors").out


@pytest.mark.parametrize("name", ["moons", None])
def test_a_spec_needs_no_name(specnet: Specnet, folder: Path, name: str | None) -> None:
    (folder / "moons.toml").write_text(MOONS if name else MOONS.replace('name = "moons"\n', ""))
    ended = specnet("run", "moons.toml")
    assert ended.status == 0
    assert ended.err.startswith("moons   2 → " if name else "2 → ")
    assert (folder / "runs" / (name or "unnamed") / "1" / "model.safetensors").is_file()


def test_a_run_goes_on_where_its_progress_cannot_be_seen(folder: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with open(writing, "w", 1) as gone:
        assert called("run", "moons.toml", "--out", "here", stderr=gone) == 141
    assert {entry.name for entry in (folder / "here").iterdir()} == FILES


def test_the_command_that_goes_on_needs_no_standard_input_again() -> None:
    settings, options = ["seed=1", "name=a b"], {"limit": ["layers=5"], "jobs": 2, "threads": None, "no_report": True}
    command = ResumeCommand("run", Path("a.toml"), settings, stands=True, **options)
    assert command.words(Path("out")) == (
        "specnet run a.toml --out out --set seed=1 --set 'name=a b' --limit layers=5 --jobs 2 --no-report --resume"
    )
    for stands, spec, kept in ((True, "out", ""), (False, "-", "--set seed=1 --set 'name=a b' ")):
        command = ResumeCommand("run", Path("-"), settings, stands=stands, no_report=False)
        assert command.words(Path("out")) == f"specnet run {spec} --out out {kept}--resume"


def test_a_run_from_standard_input_goes_on_from_its_folder(specnet: Specnet, folder: Path) -> None:
    class Stopping(Observer):
        def logged(self, epoch: int, record: dict[str, Any]) -> None:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        specnet_package.run(MOONS, "out", overrides=["seed=3"], observer=Stopping())
    assert specnet("run", "out", "--out", "out", "--resume").status == 0
    assert json.loads((folder / "out/run.json").read_text())["epochs"] == 20
