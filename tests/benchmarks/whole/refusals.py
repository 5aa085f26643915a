"""How long hostile texts and damaged model files hold specnet up before it refuses them."""

import json
import pickle
import random
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from specnet import FileError, SpecError, SpecnetError, load_model, parse_spec
from tests.benchmarks.report import Report
from tests.model.models import make_model
from tests.spec.cases import DOCUMENTS, NETWORKS, TEXTS, marked
from tests.spec.reading.test_hostile import HOSTILE, SPEC

LONGEST_SECONDS = 1.0


def damaged_models(content: bytes) -> dict[str, bytes]:
    """Files that a model's bytes become by accident or by intent, and files of other kinds."""
    generator = random.Random(0)
    length = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + length])
    described = json.loads(header["__metadata__"]["specnet"])

    def with_header(text: str) -> bytes:
        return len(text.encode()).to_bytes(8, "little") + text.encode() + content[8 + length :]

    def with_metadata(text: str) -> bytes:
        return with_header(json.dumps({**header, "__metadata__": {"specnet": text}}))

    def of_layers(layers: object) -> bytes:
        spec = described["models"][0]["spec"]
        spec = {**spec, "network": {**spec["network"], "layers": layers}}
        return with_metadata(json.dumps({**described, "models": [{"share": 1, "spec": spec}]}))

    def of_tensor(shape: list[int], end: int, names: Iterable[str] = "t") -> bytes:
        return with_header(
            json.dumps({name: {"dtype": "F64", "shape": shape, "data_offsets": [0, end]} for name in names})
        )

    dense = {"type": "dense", "units": 1}
    nested: dict[str, object] = dense
    for _ in range(25):
        nested = {"type": "block", "repeat": 1000, "layers": [nested]}
    cuts = (0, 7, 8, 9, 8 + length // 2, 8 + length, len(content) - 1)
    return {f"cut after {at} bytes": content[:at] for at in cuts} | {
        "bytes behind the end": content + b"\0",
        "random bytes": generator.randbytes(1_000_000),
        "zeros": bytes(1_000_000),
        "a pickle": pickle.dumps({"weight": [0.0] * 1000}, protocol=4),
        "a zip file's beginning": b"PK\3\4" + generator.randbytes(10_000),
        "text": b"name = 'moons'\n" * 1000,
        "a header of 2**63 bytes": (2**63).to_bytes(8, "little") + content[8:],
        "a header of open lists": with_header('{"a":' + "[" * 900_000),
        "a header of digits": with_header('{"a":' + "9" * 900_000 + "}"),
        "a header of many tensors": of_tensor([], 8, [f"t{n}" for n in range(12_000)]),
        "a tensor of many dimensions": of_tensor([1] * 200_000, 8),
        "a tensor as large as numbers go": of_tensor([2**31] * 9, 2**62),
        "an unknown version": with_metadata(json.dumps({**described, "format_version": 10**9})),
        "a spec of open lists": with_metadata('{"spec":' + "[" * 100_000),
        "a wide layer": of_layers([{"type": "dense", "units": 10**9}]),
        "as wide a layer as may be": of_layers([{"type": "dense", "units": 9_000_000}, dense]),
        "many layers": of_layers([dense] * 20_000),
        "blocks of blocks": of_layers([nested]),
        "a block repeated": of_layers([{"type": "block", "repeat": 10**15, "layers": [dense]}]),
    }


def refusals(report: Report) -> None:
    """The slowest refusal of each kind of hostile input.

    The texts are those of the tests. A refusal is specnet's own error for that kind of input; anything else, acceptance
    above all, ends the benchmark.
    """
    parse_spec(SPEC)  # the first call imports and finds the parts, which is start-up and not refusal
    report.table("refused", "slowest, s", "under")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.safetensors"
        make_model("classes, text").save(path)
        load_model(path)

        def load(content: bytes) -> None:
            path.write_bytes(content)
            load_model(path)

        for kind, read, inputs, error in (
            (
                "wrong specs",
                parse_spec,
                {n: marked(text).text for n, text in (TEXTS | DOCUMENTS | NETWORKS).items()},
                SpecError,
            ),
            ("hostile texts", parse_spec, {name: text() for name, text in HOSTILE.items()}, SpecnetError),
            ("damaged model files", load, damaged_models(path.read_bytes()), FileError),
        ):
            # The best of three times of each, so that what else the machine does is not taken for a slow refusal.
            slowest = max(min(_seconds_to_refuse(read, *each, error) for _ in range(3)) for each in inputs.items())
            report.limited(f"{len(inputs)} {kind}", slowest, LONGEST_SECONDS)


def _seconds_to_refuse(read: Callable[[Any], object], name: str, given: Any, error: type[SpecnetError]) -> float:
    start = time.perf_counter()
    try:
        read(given)
    except error:
        return time.perf_counter() - start
    raise AssertionError(f"{name} was not refused")
