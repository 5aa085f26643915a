"""The file format: what goes in comes out bit for bit, and anything else is refused with words, quickly and cheaply."""

import json
import pickle
import random
import re
import tracemalloc
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from specnet import FileError
from specnet.files.tensors import HEADER_LIMIT, decode, encode
from tests.texts.mistakes import mistake

TENSORS = {
    "layers.0.weight": np.arange(6, dtype=np.float32).reshape(3, 2),
    "layers.0.bias": np.array([-0.0, 1e-45, 3.0], np.float32),
    "preprocessing.0.0.mean": np.array([0.1, -5e-324]),
    "labels": np.array([-(2**63), 7, 2**63 - 1]),
    "bytes": np.array([0, 255], np.uint8),
    "flags": np.array([True, False, True]),
    "scalar": np.array(2.5),
}
ENTRY = {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}


def forge(tensors, data=bytes(8), metadata=None):
    """Return a file with any header: a mapping of tensors, or the text itself."""
    if not isinstance(tensors, str | bytes):
        tensors = json.dumps({"__metadata__": {"specnet": "{}"} if metadata is None else metadata, **tensors})
    text = tensors if isinstance(tensors, bytes) else tensors.encode()
    return len(text).to_bytes(8, "little") + text + data


def refusal(content):
    return mistake(FileError, lambda: decode(content)).message


def named(message):
    """Return the numbers in a message."""
    return re.findall(r"-?\d+", message)


def assert_same_bits(tensors, expected):
    assert tensors.keys() == expected.keys()
    for name, tensor in tensors.items():
        assert (tensor.dtype, tensor.shape) == (expected[name].dtype, expected[name].shape)
        assert tensor.tobytes() == expected[name].tobytes()


def test_every_dtype_comes_back_bit_for_bit():
    metadata, tensors = decode(encode(TENSORS, 'a "text" with é and 𝛼'))
    assert metadata == 'a "text" with é and 𝛼'
    assert_same_bits(tensors, TENSORS)


@pytest.mark.slow
@given(
    hnp.arrays(
        st.sampled_from([np.float64, np.float32, np.int64, np.uint8, np.bool_]),
        hnp.array_shapes(max_dims=4),
        elements={"allow_nan": False, "allow_infinity": False},
    )
)
def test_any_array_comes_back_bit_for_bit(array):
    assert_same_bits(decode(encode({"array": array}, ""))[1], {"array": array})


def test_equal_contents_are_equal_bytes_in_any_order():
    backwards = dict(reversed(TENSORS.items()))
    assert encode(TENSORS, "text") == encode(backwards, "text")
    assert encode({"a": np.zeros(1)}, "text") != encode({"a": np.array([-0.0])}, "text")


def test_views_are_saved_as_what_they_show():
    block = np.arange(12.0).reshape(4, 3)  # (inputs + 1, outputs): the transposed weight, then the bias
    views = {
        "transposed": block[:3].T,
        "row": block[3],
        "column": block[:, 1],
        "reversed": block[::-1, ::-2],
        "repeated": np.broadcast_to(block[0], (5, 3)),
    }
    assert_same_bits(decode(encode(views, ""))[1], {name: view.copy() for name, view in views.items()})


def test_a_plain_safetensors_reader_reads_it(tmp_path):
    from safetensors import safe_open
    from safetensors.numpy import load

    content = encode(TENSORS, "text")
    assert_same_bits(load(content), TENSORS)
    (tmp_path / "file").write_bytes(content)
    with safe_open(tmp_path / "file", framework="numpy") as file:
        assert file.metadata() == {"specnet": "text"}


def test_a_file_cut_anywhere_is_refused():
    content = encode(TENSORS, "text")
    for length in range(len(content)):
        assert refusal(content[:length])
    size = sum(tensor.nbytes for tensor in TENSORS.values())
    assert named(refusal(content + b"\0")) == [str(size), str(size + 1)]


@pytest.mark.slow
def test_a_header_with_any_byte_changed_is_refused_or_still_whole():
    content = encode(TENSORS, "text")
    length = int.from_bytes(content[:8], "little")
    generator = random.Random(0)
    for place in range(8 + length):
        for value in generator.sample(range(256), 16):
            changed = content[:place] + bytes([value]) + content[place + 1 :]
            with suppress(FileError):
                _, tensors = decode(changed)
                assert sum(tensor.nbytes for tensor in tensors.values()) == len(content) - 8 - length


@pytest.mark.slow
@given(st.binary(max_size=300))
def test_random_bytes_are_refused(content):
    assert refusal(content)


@pytest.mark.slow
@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.integers() | st.text(),
        lambda x: st.lists(x) | st.dictionaries(st.text(), x),
    )
)
def test_a_header_of_any_json_is_refused(value):
    assert refusal(forge(json.dumps(value)))
    assert refusal(forge({"a": value}))
    assert refusal(forge({"a": ENTRY}, metadata=[value]))


def test_other_files_are_called_by_their_names(tmp_path, pinned):
    np.savez(tmp_path / "npz.npz", x=np.ones(3))
    np.save(tmp_path / "npy.npy", np.ones(3))
    for content in (
        b"",
        b"\x10\0\0",
        (tmp_path / "npz.npz").read_bytes(),
        (tmp_path / "npy.npy").read_bytes(),
        b"\x89HDF\r\n\x1a\n" + bytes(100),
        b"\x08\x08\x12\x07pytorch\x1a\x051.2.3",
        b"\x1f\x8b\x08\0" + bytes(20),
        b"GGUF\x03" + bytes(20),
        b'{"name": "moons"}',
        'name = "môons"\n'.encode() * 100,
        bytes(range(128, 256)),
        *(pickle.dumps([1.0] * 10, protocol) for protocol in range(2, pickle.HIGHEST_PROTOCOL + 1)),
    ):
        pinned(refusal(content))


def test_a_pickle_is_not_run(tmp_path):
    class Trap:
        def __reduce__(self):
            return (Path.touch, (tmp_path / "sprung",))

    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        assert refusal(pickle.dumps(Trap(), protocol))
    assert not (tmp_path / "sprung").exists()


@pytest.mark.parametrize(
    "metadata", [{}, [], "text", {"format": "pt"}, {"specnet": 1}, {"specnet": "{}", "format": "pt"}]
)
def test_a_safetensors_file_of_other_make_is_no_model(metadata, pinned):
    pinned(refusal(forge({"a": ENTRY}, metadata=metadata)))
    pinned(refusal(forge(json.dumps({"a": ENTRY}))))


FORGED = {
    "dtype": ["F16", ["F32"], None],
    "shape": [2, [2.0], [True, 2], [-1, -2], [2, 0], [2**63], [1] * 9, [2**32, 2**32], [3]],
    "data_offsets": [[0], [0, 8.0], [-8, 0], "08", [8, 0], [1, 9]],
    "more": [1],
}
"""Values that no entry has."""
FORGERIES = [[], {"dtype": "F32", "shape": [2]}, *({**ENTRY, key: value} for key in FORGED for value in FORGED[key])]


@pytest.mark.parametrize("entry", FORGERIES)
def test_a_forged_tensor_is_refused(entry, pinned):
    pinned(refusal(forge({"a": entry})))


def test_tensors_fill_the_data_without_gap_or_overlap(pinned):
    def entries(*begins):
        return {f"t{begin}": {**ENTRY, "data_offsets": [begin, begin + 8]} for begin in begins}

    assert len(decode(forge(entries(8, 0), bytes(16)))[1]) == 2
    pinned(refusal(forge(entries(0, 4), bytes(16))))
    pinned(refusal(forge(entries(0, 12), bytes(20))))
    assert named(refusal(forge(entries(0, 8), bytes(15)))) == ["16", "15"]
    assert named(refusal(forge(entries(0, 8), bytes(17)))) == ["16", "17"]
    assert named(refusal(forge({}, b"\0"))) == ["0", "1"]


OWN = '{"__metadata__":{"specnet":"{}"}'
HEADERS = [f'{OWN},"a":1,"a":2}}', '{"__metadata__":{"specnet":"{}","specnet":"{}"}}', OWN, f"{OWN}}} x", '{"a":NaN}']
HEADERS += ['{"a":' + "9" * 5000 + "}", '{"a":' * 100_000, "{" + "[" * 100_000]
HEADERS += [b'{"\xff":1}', f"{OWN}}}".encode("utf-16-le")]


@pytest.mark.parametrize("header", HEADERS)
def test_a_header_that_is_no_plain_json_is_refused(header, pinned):
    pinned(refusal(forge(header)))


def test_names_from_a_file_are_safe_to_print():
    for name in ("\x1b[31mred", "two\nlines", "\ud800", "x" * 10_000, "\u202eright to left"):
        message = refusal(forge({name: []}))
        assert message.isprintable()
        assert len(message) < 130


def test_numbers_that_are_not_finite_are_refused(pinned):
    for number in (np.nan, np.inf, -np.inf):
        for dtype in (np.float32, np.float64):
            pinned(refusal(encode({"a": np.array([0.0, number], dtype)}, "")))
    pinned(refusal(encode({"a": np.array([True])}, "")[:-1] + b"\2"))


COSTLY = {
    "header of 2^64 bytes": (2**64 - 1).to_bytes(8, "little") + b"{",
    "header over the limit": (HEADER_LIMIT + 1).to_bytes(8, "little") + b"{" + bytes(HEADER_LIMIT),
    "header longer than the file": (HEADER_LIMIT).to_bytes(8, "little") + b"{" + bytes(100),
    "terabytes": forge({"a": {**ENTRY, "shape": [2**40], "data_offsets": [0, 2**42]}}),
    "many tensors": forge({f"t{k}": ENTRY for k in range(25_000)}),
    "many axes": forge({"a": {**ENTRY, "shape": [2**62] * 90_000}}),
    "a number of millions of digits": forge('{"a":[' + "9" * (HEADER_LIMIT - 100) + "]}"),
}


@pytest.mark.slow
@pytest.mark.parametrize("content", COSTLY.values(), ids=COSTLY)
def test_a_forged_header_costs_no_memory(content):
    assert memory_of_refusal(content) < 80e6


@pytest.mark.parametrize("piece", ["{},", "[],", "1e9,", '"ab",'])
def test_a_header_of_many_equal_pieces_costs_no_memory(piece):
    """A quarter of the largest one takes a quarter of the memory that one may take."""
    assert memory_of_refusal(forge('{"a":[' + piece * (HEADER_LIMIT // 4 // len(piece)), b"")) < 20e6


def memory_of_refusal(content):
    """Return the peak of what is allocated until a file is refused."""
    tracemalloc.start()
    try:
        assert refusal(content)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
