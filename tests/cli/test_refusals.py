"""Command lines that are refused: by a message that is pinned, in both forms, and nothing is written."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from tests.cli.conftest import Specnet
from tests.running.sweeps.searches import GRID
from tests.texts.pinned import Pinned

FAULTY = """
fly
evaluate
schema moons.toml
run x.toml --epochs 10
run x.toml --epochs=10
run --epochs
show x.toml --batch-size full
check x.toml --lr 0.1
validate x.toml --seed 3
run x.toml --patience 5
run x.toml --test-size 0.3
run x.toml --epoch 10
run x.toml --forse
predict m r --fromat json
predict m r --epochs 10
run x.toml --zzzzz
trian x.toml
vaildate x.toml
zzzzz
run
predict m
run a.toml b.toml
run a.toml --set
show a.toml --format xml
show a.toml --format jsn
--completion zhs
export m
export m --to onx
run new.csv
validate new.csv
show new.csv
check new.csv
run spec.yaml
validate spec.yaml
show spec.yaml
check spec.yaml
run model.safetensors
show network.onnx
predict rows.csv other.csv
evaluate moons.toml rows.csv
predict model.py rows.csv
predict model.safetensors rows.txt
evaluate model.safetensors rows
predict model.safetensors rows.csv -o out.txt
predict model.safetensors rows.csv -o out
export network.onnx --to c
export rows.npz --to c
import rows.csv -o new.toml
import network.onnx -o new.json
new new.json
schema -o new.toml
sweep grid.toml --resume
sweep grid.toml --resume --force --out x
sweep grid.toml --dask 127.0.0.1:1 --jobs 2
sweep grid.toml --trials 0
sweep grid.toml --folds 1
sweep grid.toml --jobs 0
sweep grid.toml --limit height=3
sweep grid.toml --out grid.toml
run moons.toml --folds 2 --resume
run moons.toml --folds 2 --resume --force --out x
run moons.toml --folds 2 --dask 127.0.0.1:1 --jobs 2
run moons.toml --dask 127.0.0.1:1
run moons.toml --folds 2 --threads 2
run moons.toml --seeds 2 --log jsonl:x.jsonl
run moons.toml --folds 1
run moons.toml --seeds 0
run moons.toml --seeds 2 --out moons.toml
run moons.toml --out moons.toml --force
run moons.toml --out moons
run moons.toml --resume
run moons.toml --resume --out out --force
run moons.toml --set training.epochs=3 --set training.epochs
run moons.toml --open --no-report
run moons.toml --folds 2 --open --no-report
sweep grid.toml --open --no-report
run moons.toml --out done --log wandb:x
run moons.toml --out done --log ''
run moons.toml --out done --log jsonl
run moons.toml --out done --log tensorboard:
run moons.toml --out done --log jsonl:rows.npz
validate moons.toml --limit layers
validate moons.toml --limit layers=
validate moons.toml --limit layers=-1
validate moons.toml --limit layers=many
validate moons.toml --limit height=3
show moons/model.safetensors --set seed=2
runs moons --sort tmie
runs moons --sort §
runs moons -o runs.html
runs moons --html -o runs.txt
runs moons --html -o moons/report.html
runs moons --open
compare
compare moons
compare moons moons -o page.txt
compare moons moons -o moons/report.html
verify moons --epochs 0
verify moons -o .
predict moons rows.npz --keep id
predict moons rows.npz -o rows.npz
predict moons rows.npz -o moons/metrics.json
predict moons rows.npz --interval 0
predict moons rows.npz --interval 100
predict moons rows.npz --interval 0.9
predict moons rows.npz --interval many
export moons --to cobol
"""
"""What is wrong with a command line is known before any file is read."""
REFUSED = """
run missing.toml
validate missing.toml
show missing.toml
show missing.safetensors
predict missing.safetensors rows.npz
evaluate missing.safetensors rows.npz
validate moons.toml/moons.toml
run .
validate .
check .
show .
predict . rows.npz
export . --to c
report nowhere
report moons.toml
report .
runs nowhere
runs moons.toml
compare moons missing
compare moons .
verify runs/moons/1
run moons.toml --set training.epochs=0
validate moons.toml --set training.epochs=0
check moons.toml --set training.epochs=0
show moons.toml --set training.epochs=0
run moons.toml --limit parameters=20
validate moons.toml --limit parameters=20
check moons.toml --limit parameters=20
show moons --limit parameters=20
run moons --set training.optimizer=adem
run moons.toml -o out --log jsonl:out/model.safetensors
run moons.toml --folds 2 --set data.split.fold=1 --set data.split.folds=2
run moons.toml --folds 2 --set training.epochs=none
run moons.toml --set "training.optimizer={type='sgd', learning_rate=1e300}"
sweep moons.toml
sweep grid.toml --trials 5
sweep grid.toml --set sweep.metric=r2
sweep grid.toml --set sweep.speed=3
sweep grid.toml --set data.split.validation_size=0
sweep grid.toml --set training.epochs=none
predict moons rows.npz --set 90
predict moons rows.npz --interval 90
"""
"""What a command reads does not allow it."""
LINES = [(2, line) for line in FAULTY.split("\n")[1:-1]] + [(1, line) for line in REFUSED.split("\n")[1:-1]]


def content(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() if path.is_file() else b"" for path in folder.rglob("*")}


@pytest.mark.usefixtures("moons")
@pytest.mark.parametrize(("status", "line"), LINES)
def test_what_is_refused_is_told_and_nothing_is_written(
    specnet: Specnet, folder: Path, status: int, line: str, pinned: Pinned
) -> None:
    (folder / "grid.toml").write_text(GRID)
    before, words = content(folder), shlex.split(line)
    said = specnet(*words).failed(status)
    assert "Traceback" not in said
    pinned(said)
    if "--format" not in line and not line.startswith("-"):
        as_json = specnet(words[0], "--format=json", *words[1:])
        assert (as_json.status, as_json.err) == (status, "")
        errors = as_json.document["errors"]
        assert [error["code"] for error in errors] == [line.partition("]")[0] for line in said.split("error[")[1:]]
        assert all(error["message"] in said for error in errors)
        assert all(error["hint"] is None or error["hint"] in said for error in errors)
    assert content(folder) == before
