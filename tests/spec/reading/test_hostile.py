"""Texts that mean harm: each is accepted or refused in few words, without another error than ours."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from specnet import SpecError, SpecnetError, parse_spec
from specnet.spec.reading.reader import MAX_TOKENS
from tests.spec.cases import DOCUMENTS, GOOD, marked

SPEC = "[network]\nlayer_sizes = [2, 3, 1]\n[training]\nloss = 'mse'\n"
MEGABYTE = 1_000_000
A = "a."

BLOCK = '[{"type": "block", "repeat": 9007199254740992, "layers": '
BLOCKS = '{"training": {"loss": "mse"}, "network": {"layers": ' + BLOCK * 30 + '["dropout"]' + "}]" * 30 + "}}\n"

HOSTILE: dict[str, Callable[[], str]] = {
    "brackets": lambda: "a = " + "[" * (MEGABYTE - 10) + "\n",
    "braces": lambda: '{"a":' * (MEGABYTE // 6) + "\n",
    "headers": lambda: "[[" * (MEGABYTE // 2 - 10) + "\n",
    "empty lists": lambda: "a = [" + "[]," * (MEGABYTE // 3 - 10) + "]\n",
    "lists at the cap": lambda: "a = [" + "[]," * (MAX_TOKENS - 10) + "]\n",
    "commas": lambda: "a = [" + "," * (MEGABYTE - 10) + "]\n",
    "equals": lambda: "=" * (MEGABYTE - 1) + "\n",
    "dots": lambda: "." * (MEGABYTE - 1) + "\n",
    "dotted key": lambda: "a." * (MEGABYTE // 2 - 10) + "a = 1\n",
    "dotted keys at the cap": lambda: "".join(f"{'a.' * 60}b{n} = 1\n" for n in range(MAX_TOKENS // 63)),
    "deep headers at the cap": lambda: "".join(f"[{A * 31}b{n}]\n{A * 30}d = 1\n" for n in range(MAX_TOKENS // 65)),
    "unknown keys at the cap": lambda: SPEC + "".join(f"k{n} = 1\n" for n in range(MAX_TOKENS // 2 - 20)),
    "inline keys at the cap": lambda: "a = {" + ",".join(f"k{n}=1" for n in range(MAX_TOKENS // 2 - 20)) + "}\n",
    "wrong sizes": lambda: SPEC.replace("3", "'a'," * (MAX_TOKENS - 20)),
    "unknown parts": lambda: "network.layers = [" + "'x'," * (MAX_TOKENS - 20) + "]\ntraining.loss = 'mse'\n",
    "layers": lambda: SPEC.replace("3", "3," * (MAX_TOKENS - 20)),
    "nan": lambda: "a = [" + "nan," * (MAX_TOKENS - 20) + "]\n",
    "json null": lambda: '{"a": [' + "null," * (MAX_TOKENS - 20) + "null]}\n",
    "tables": lambda: "".join(f"[a{n}]\n" for n in range(MAX_TOKENS // 2 - 10)),
    "lists of tables": lambda: "[[a]]\n" * (MAX_TOKENS // 4),
    "keys twice": lambda: "a = 1\n" * (MAX_TOKENS // 2 - 10),
    "json keys twice": lambda: '{"a": [\n' + ",".join(['{"a":1,"a":2}'] * (MAX_TOKENS // 6)) + "]}",
    "lines": lambda: "\n" * (MEGABYTE - 1),
    "comments": lambda: "#\n" * (MAX_TOKENS - 10),
    "quotes": lambda: '"' * (MEGABYTE - 1) + "\n",
    "apostrophes": lambda: "a = '''" + "''" * (MEGABYTE // 2 - 10) + "\n",
    "escapes": lambda: 'a = "' + "\\\\" * (MEGABYTE // 2 - 10) + '"\n',
    "escaped quotes": lambda: 'a = """' + '\\"""' * (MEGABYTE // 4 - 10) + "\n",
    "one string": lambda: "a = '" + "x" * (MEGABYTE - 10) + "'\n" + "",
    "one key": lambda: "x" * (MEGABYTE - 100) + " = 1\n" + SPEC,
    "one key twice": lambda: f"[{'x' * (MEGABYTE // 2 - 10)}.a]\n[{'x' * (MEGABYTE // 2 - 10)}]\na.b = 1\n",
    "a part's name": lambda: SPEC.replace("mse", "x" * (MEGABYTE - 100)),
    "digits": lambda: "seed = " + "9" * (MEGABYTE - 10) + "\n",
    "a hexadecimal number": lambda: "seed = 0x" + "f" * (MEGABYTE - 20) + "\n",
    "a long fraction": lambda: SPEC + "x = 1." + "0" * (MEGABYTE - 100) + "\n",
    "a large exponent": lambda: SPEC + "epochs = 1e" + "9" * 1000 + "\n",
    "wide signs": lambda: SPEC.replace("mse", "日" * 300_000),
    "blocks of blocks": lambda: BLOCKS,
    "null characters": lambda: "\0" * (MEGABYTE - 1) + "\n",
    "control characters": lambda: SPEC.replace("mse", "\x1b[31m\x07"),
    "line separators": lambda: SPEC.replace("mse", "\u2028\u2029\x85"),
    "carriage returns": lambda: SPEC.replace("\n", "\r") + "\n",
    "two byte-order marks": lambda: "\ufeff\ufeff" + SPEC,
    "surrogates": lambda: SPEC.replace("mse", "\udc80"),
    "json surrogates": lambda: '{"\\ud800": {"\\udfff": "\\ud83d"}}\n',
    "json zero": lambda: '{"seed": -0, "a": 00}\n',
}


@pytest.mark.slow
@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_text_is_answered_in_few_words(name: str):
    text = HOSTILE[name]()
    assert len(text.encode("utf-8", "surrogatepass")) < MEGABYTE + 200
    with pytest.raises(SpecnetError) as caught:
        parse_spec(text)
    shown = str(caught.value)
    shown.encode()
    assert len(shown) < 100_000
    assert len(caught.value.diagnostics) <= 101


@pytest.mark.parametrize("content", [b"\xff\xfe", b"\x80", b"a = '\xed\xa0\x80'\n", b"{\xc0\xaf}", b"\0\0\0", b""])
def test_bytes_that_are_no_text_are_refused(tmp_path: Path, content: bytes):
    path = tmp_path / "spec.toml"
    path.write_bytes(content)
    with pytest.raises(SpecError):
        parse_spec(path)


def test_many_mistakes_are_counted():
    with pytest.raises(SpecError) as caught:
        parse_spec(SPEC + "".join(f"k{n} = 1\n" for n in range(150)) + "batch_size = 0\n")
    assert len(caught.value.diagnostics) == 101
    assert caught.value.diagnostics[0].code == "unknown-key"
    assert '"k0"' in caught.value.diagnostics[0].message
    assert '"k99"' in caught.value.diagnostics[99].message
    last = caught.value.diagnostics[-1]
    assert (last.code, last.message, last.source, last.position) == ("more", "51 more mistakes", "<text>", None)


@pytest.mark.slow
def test_several_threads_read_at_once():
    texts = [*GOOD.values(), *(marked(text).text for text in DOCUMENTS.values())]

    def answer(text: str) -> str:
        try:
            return parse_spec(text).to_json()
        except SpecError as error:
            return str(error)

    alone = [answer(text) for text in texts]
    with ThreadPoolExecutor(8) as pool:
        for _ in range(3):
            assert list(pool.map(answer, texts)) == alone


def test_mistakes_of_data_stand_in_its_order():
    network = {"layer_sizes": [2, "a", 0], "layer_size": 1, "dtype": "float16"}
    training = {"l2": -1, "epochs": 0, "l1": -1}
    with pytest.raises(SpecError) as caught:
        parse_spec({"seed": -1, "training": training, "sede": 1, "network": network})
    expected = "seed training.loss training.l2 training.epochs training.l1 sede network.layer_sizes.1 "
    expected += "network.layer_sizes.2 network.layer_size network.dtype"
    assert [".".join(map(str, each.path)) for each in caught.value.diagnostics] == expected.split()
    with pytest.raises(SpecError) as caught:
        parse_spec({**{f"k{n}": 1 for n in range(150)}, "seed": -1, "network": 1, "training": 1})
    assert [each.path for each in caught.value.diagnostics[:100]] == [(f"k{n}",) for n in range(100)]
    last = caught.value.diagnostics[100]
    assert (last.code, last.message, last.source) == ("more", "53 more mistakes", None)
