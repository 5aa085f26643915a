"""What a notebook's kernel runs: the real one, since libraries behave otherwise in it than anywhere else."""

import json
from pathlib import Path

import pytest
from jupyter_client.blocking import BlockingKernelClient

from tests.notebooks import kernel, outputs

__all__ = ["kernel"]

pytestmark = pytest.mark.slow

SPEC = """
data = { type = "TYPE", path = "NAME", target = "y" }
[network]
hidden_layer_sizes = [2]
[training]
loss = "mean_squared_error"
epochs = 2
"""
ROWS = [{"a": place, "b": place % 5 or None, "c": "rt"[place % 2], "y": 2 * place} for place in range(40)]


@pytest.mark.parametrize("name", ["rows.csv", "rows.jsonl"])
def test_tables_are_trained_on_without_ipywidgets(kernel: BlockingKernelClient, name: str, tmp_path: Path) -> None:
    path, kind = tmp_path / name, Path(name).suffix[1:]
    if kind == "csv":
        path.write_text("a,b,c,y\n" + "".join(f"{row['a']},{row['b'] or ''},{row['c']},{row['y']}\n" for row in ROWS))
    else:
        path.write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    spec = tmp_path / "spec.toml"
    spec.write_text(SPEC.replace("TYPE", kind).replace("NAME", name))
    found = outputs(
        kernel,
        "import sys; sys.modules['ipywidgets'] = None  # not installed, wherever the test is run\n"
        f"import specnet; result = specnet.run({str(spec)!r}); print(len(result.history)); result",
    )
    assert "".join(each["text"] for each in found if each.get("name") == "stdout") == "2\n"  # in one message or two
    assert any("text/html" in each.get("data", ()) for each in found)
