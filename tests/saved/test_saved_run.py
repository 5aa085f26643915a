"""The folder of a run: each file is read when it is needed, once, and a damaged one is an error that names it."""

import pytest

from specnet import SpecnetError
from specnet.saved.saved_run import SavedRun
from tests.made import run_copied
from tests.running.moons import MOONS

FILES = {
    "facts": "run.json",
    "evaluation": "metrics.json",
    "history": "history.jsonl",
    "layer_records": "layers.jsonl",
    "snapshots": "snapshots.safetensors",
    "judgement": "findings.json",
    "spec": "spec.resolved.json",
    "model": "model.safetensors",
}
OF_LATER_VERSIONS = ["layer_records", "snapshots", "judgement"]


@pytest.fixture
def folder(tmp_path):
    return run_copied(MOONS, tmp_path / "run", report=False)


@pytest.mark.parametrize("name", FILES)
def test_a_damaged_file_is_named_and_the_others_are_read(name, folder):
    (folder / FILES[name]).write_bytes(b'{"a": ')
    run = SavedRun(folder)
    with pytest.raises(SpecnetError) as caught:
        getattr(run, name)
    assert FILES[name] in str(caught.value)
    for other in FILES.keys() - {name}:
        assert getattr(run, other)


@pytest.mark.parametrize("name", FILES)
def test_what_was_read_is_read_no_more(name, folder):
    run = SavedRun(folder)
    found = getattr(run, name)
    (folder / FILES[name]).unlink()
    assert getattr(run, name) is found


@pytest.mark.parametrize("name", FILES)
def test_files_that_earlier_versions_did_not_write_may_be_missing(name, folder):
    (folder / FILES[name]).unlink()
    if name in OF_LATER_VERSIONS:
        found = getattr(SavedRun(folder), name)
        assert not (found.findings if name == "judgement" else found)
    else:
        with pytest.raises(SpecnetError, match=FILES[name]):
            getattr(SavedRun(folder), name)


def test_a_row_of_a_table_says_what_the_files_say(folder):
    run = SavedRun(folder, "mine")
    row = run.row()
    assert (row["run"], row["state"], row["problem"]) == ("mine", "finished", None)
    assert row["metrics"] == run.evaluation.metrics
    assert row["epochs"] == run.facts["epochs"] == run.history[-1]["epoch"]
    assert row["loss"].startswith("binary_crossentropy")
