"""How long hostile texts and damaged model files hold specnet up before it refuses them."""

import json
import pickle
import random
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from specnet import FileError, SpecError, SpecnetError, load_model, parse_spec
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

    def with_header(text: bytes) -> bytes:
        return len(text).to_bytes(8, "little") + text + content[8 + length :]

    def forged(**changes: object) -> bytes:
        metadata = {"specnet": json.dumps({**described, **changes})}
        return with_header(json.dumps({**header, "__metadata__": metadata}).encode())

    def of_layers(layers: object) -> bytes:
        spec = described["models"][0]["spec"]
        return forged(models=[{"share": 1, "spec": {**spec, "network": {**spec["network"], "layers": layers}}}])

    dense = {"type": "dense", "units": 1}
    nested: dict[str, object] = dense
    for _ in range(25):
        nested = {"type": "block", "repeat": 1000, "layers": [nested]}
    files = {
        f"cut after {at} bytes": content[:at] for at in (0, 7, 8, 9, 8 + length // 2, 8 + length, len(content) - 1)
    }
    files |= {
        "bytes behind the end": content + b"\0",
        "random bytes": generator.randbytes(1_000_000),
        "zeros": bytes(1_000_000),
        "a pickle": pickle.dumps({"weight": [0.0] * 1000}, protocol=4),
        "a zip file's beginning": b"PK\3\4" + generator.randbytes(10_000),
        "text": b"name = 'moons'\n" * 1000,
        "a header of 2**63 bytes": (2**63).to_bytes(8, "little") + content[8:],
        "a header of open lists": with_header(b'{"a":' + b"[" * 900_000),
        "a header of digits": with_header(b'{"a":' + b"9" * 900_000 + b"}"),
        "a header of many tensors": with_header(
            json.dumps({f"t{n}": {"dtype": "F64", "shape": [], "data_offsets": [0, 8]} for n in range(12_000)}).encode()
        ),
        "a tensor of many dimensions": with_header(
            json.dumps({"t": {"dtype": "F64", "shape": [1] * 200_000, "data_offsets": [0, 8]}}).encode()
        ),
        "a tensor as large as numbers go": with_header(
            json.dumps({"t": {"dtype": "F64", "shape": [2**31] * 9, "data_offsets": [0, 2**62]}}).encode()
        ),
        "an unknown version": forged(format_version=10**9),
        "a spec of open lists": with_header(
            json.dumps({**header, "__metadata__": {"specnet": '{"spec":' + "[" * 100_000}}).encode()
        ),
        "a wide layer": of_layers([{"type": "dense", "units": 10**9}]),
        "as wide a layer as may be": of_layers([{"type": "dense", "units": 9_000_000}, dense]),
        "many layers": of_layers([dense] * 20_000),
        "blocks of blocks": of_layers([nested]),
        "a block repeated": of_layers([{"type": "block", "repeat": 10**15, "layers": [dense]}]),
    }
    return files


def refusal_seconds() -> dict[str, tuple[int, float]]:
    """By kind, how many inputs were refused, and the longest time that one took.

    The texts are those of the tests. A refusal is specnet's own error for that kind of input;
    anything else, acceptance above all, ends the benchmark.
    """
    parse_spec(SPEC)  # the first call imports and finds the parts, which is start-up and not refusal
    corpus = {name: marked(text).text for name, text in (TEXTS | DOCUMENTS | NETWORKS).items()}
    hostile = {name: text() for name, text in HOSTILE.items()}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.safetensors"
        make_model("classes, text").save(path)
        load_model(path)
        models = damaged_models(path.read_bytes())

        def load(content: bytes) -> None:
            path.write_bytes(content)
            load_model(path)

        return {
            "wrong specs": _slowest(parse_spec, corpus, SpecError),
            "hostile texts": _slowest(parse_spec, hostile, SpecnetError),
            "damaged model files": _slowest(load, models, FileError),
        }


def _slowest(read: Callable[[Any], object], inputs: dict[str, Any], error: type[SpecnetError]) -> tuple[int, float]:
    """The best of three times of each input, so that what else the machine does is not taken for a slow refusal."""
    return len(inputs), max(
        min(_seconds_to_refuse(read, name, given, error) for _ in range(3)) for name, given in inputs.items()
    )


def _seconds_to_refuse(read: Callable[[Any], object], name: str, given: Any, error: type[SpecnetError]) -> float:
    start = time.perf_counter()
    try:
        read(given)
    except error:
        return time.perf_counter() - start
    raise AssertionError(f"{name} was not refused")
