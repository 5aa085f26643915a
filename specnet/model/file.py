"""The model file's format: named arrays and one text, in a file that any safetensors reader opens.

The format is version 3. A *writer* is a program that makes a file, a *reader* one that reads it.

- A file is a safetensors file: the header's length as 8 bytes, little-endian; the header, one JSON object; the data.
- The header MUST be at most 2 MiB of UTF-8 without duplicate keys, and MAY end in spaces.
- Its ``__metadata__`` MUST have exactly the key ``specnet``: the text of a JSON object with exactly ``format_version``
  (3), ``needs`` and ``models``, in this order. A reader MUST refuse a version that it does not know.
- ``models`` is a list of one or more objects with exactly ``share``, a positive integer, and ``spec``, a resolved spec.
  All MUST have outputs of one kind and the same labels. The prediction is the mean over the models, weighted by their
  shares. Each model contributes the mean over its members, of probabilities or of values in the target's units.
- ``needs`` is a list of names, ascending and distinct, of extensions to the rules below that a reader has to know to
  predict as the model does. Tensors that no rule below allows belong to an extension. A reader MUST refuse a name that
  it does not know. The extensions are ``background``: the file has 1 to 100 rows that the model was trained on, to
  which contributions of columns compare, as tensors ``background.rows.<name>`` of the whole model; their names and
  forms are those of `specnet.model.background`. They change no prediction, and a writer MUST NOT add them by default;
  ``decision_threshold``: all specs have the same
  ``training.decision_threshold``, from which on a probability of the second of two classes predicts it; and
  ``teacher``: specs may have ``training.teacher``, ``training.mixtures`` and ``data.teacher_columns``, whose columns
  are no features. Tokens of text columns will be one, so that the version stays the same; expectations change no
  prediction and need no extension.
- Tensors MUST have a dtype of F64, F32, I64, U8, BOOL; at most 8 axes, none empty unless there is one alone; and MUST
  fill the data without gap or overlap. Floats MUST be finite. Numbers are little-endian, the last axis varies fastest.
- There MUST be exactly these tensors of each model, with the shapes that follow from its spec. If there are several
  models, names begin with the model's number from 0: ``models.0.<tensor>``:

  - ``<layer>.<parameter>`` in the network's dtype, such as ``layers.0.weight`` (out, in) and ``layers.0.bias`` (out,).
    Layers count as in the spec's list, or carry their name; in a block ``layers.3.0.1``: repeat, then position or name;
  - ``<layer>.<state>``, such as ``layers.2.running_mean``;
  - ``preprocessing.<group>.<step>.<name>`` and ``target_preprocessing.<group>.<step>.<name>``, F64; a plain list of
    steps is group 0;
  - for an ensemble, the first two kinds of each member, with its number from 0: ``members.0.<layer>.<parameter>``;
  - for a classifier, the class labels in the order of its outputs, ascending and distinct: integers
    as ``labels``, I64 (classes,); texts as ``labels.bytes``, U8 (all of them in UTF-8, one after the other), and
    ``labels.offsets``, I64 (classes + 1,); text k is the bytes from offsets[k] up to offsets[k + 1]. A text MUST NOT
    end in a null character, and classes times characters of the longest text MUST be at most 2²².

- There MAY be quantiles of errors if the networks predict values, or probabilities of such classes: of their mean
  prediction and, if there are several models, of the prediction of each.

  - ``error_quantiles``, F64 (outputs, levels), for classes (1, levels), with 1 to 99 levels: column l − 1 is the number
    that l % of the errors on held-out rows do not exceed, corrected for the number of rows. Quantiles MUST NOT be
    negative or fall from one level to the next; quantiles of classes MUST NOT be above 1.
  - In addition ``error_knots``, F64 (outputs, knots), 2 to 64 knots, strictly ascending: then ``error_quantiles`` is
    (outputs, levels, knots). `specnet.model.error_quantiles` defines how quantiles depend on a prediction.
  - In addition, for values, ``not_negative``, U8 (outputs,): 1 if intervals end at 0, else 0; not all 0.

- Equal models SHOULD be equal bytes: a writer orders tensors by falling size of their numbers, then by name.
- A reader MAY read only the tensors and ignore the metadata. It MUST NOT execute anything in a file.

Version 1 had exactly ``format_version`` and ``spec`` of a single model, version 2 exactly ``format_version`` and
``models``, two or more; both had ``error_quantiles`` without the other two. Both are still read, but no longer written.
"""

from __future__ import annotations

import io
import json
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any, BinaryIO, TypeVar

import numpy as np

from specnet.data import Preparation, StepGroup, check_fitted, tensor_forms, unfitted
from specnet.data.preparation import TensorForm
from specnet.errors import DataError, Diagnostic, FileError, SpecError
from specnet.files.tensors import Header, Shape, TensorEntry, encode, parse_object, read_header, shown, tensors_of
from specnet.model.background import background_kinds, background_tensors, decode_background
from specnet.model.contributions import Background
from specnet.model.error_quantiles import MAX_LEVELS, ErrorQuantiles
from specnet.model.trained_network import TrainedNetwork
from specnet.network import Network
from specnet.parts.arrays import Array
from specnet.parts.part import Part
from specnet.spec import Limits, Spec, parse_spec, resolve

LABEL_CHARACTERS_LIMIT = 2**22
UTF8_LONGEST = 4
"""Largest number of bytes of a character in UTF-8."""


def encode_labels(labels: Array) -> dict[str, Array]:
    """Return tensors by name that store class labels.

    Parameters
    ----------
    labels : ndarray (classes,)
        int64 or str, ascending and distinct.

    Raises
    ------
    FileError
        If a text cannot be saved because it has half a surrogate pair, or is far too long.
    """
    if labels.dtype.kind != "U":
        return {"labels": labels.astype(np.int64)}
    _check_label_size(len(labels), max(map(len, labels.tolist())))
    try:
        texts = [label.encode() for label in labels.tolist()]
    except UnicodeEncodeError as error:
        raise FileError(f"the label {shown(error.object)} is not valid Unicode") from error
    offsets = np.cumsum([0, *map(len, texts)], dtype=np.int64)
    return {"labels.bytes": np.frombuffer(b"".join(texts), np.uint8), "labels.offsets": offsets}


def decode_labels(tensors: Mapping[str, Array]) -> Array | None:
    """Return the class labels (classes,) that `encode_labels` stored in tensors, or None if there are none.

    Raises
    ------
    FileError
        If labels are not ascending and distinct, or texts are damaged.
    """
    if "labels" in tensors:
        labels: Array = tensors["labels"].copy()
    elif "labels.offsets" in tensors:
        labels = _decode_texts(tensors["labels.bytes"].tobytes(), tensors["labels.offsets"])
    else:
        return None
    if not (labels[1:] > labels[:-1]).all():
        raise FileError("the class labels must be distinct and in ascending order")
    return labels


def _decode_texts(data: bytes, offsets: Array) -> Array:
    ends = offsets.tolist()
    if ends[0] != 0 or ends[-1] != len(data) or ends != sorted(ends):
        raise FileError("the class labels' offsets do not divide their bytes")
    try:
        texts = [data[begin:end].decode() for begin, end in pairwise(ends)]
    except UnicodeDecodeError as error:
        raise FileError("a class label is not valid UTF-8") from error
    if any(text.endswith("\0") for text in texts):  # NumPy drops a final null character, which changes the text
        raise FileError("a class label ends in a null character")
    _check_label_size(len(texts), max(map(len, texts)))
    return np.array(texts)


def _check_label_size(classes: int, longest: int) -> None:
    """Refuse labels that need too much memory: NumPy stores each text with the length of the longest one."""
    if classes * longest > LABEL_CHARACTERS_LIMIT:
        raise FileError(
            f"{classes} class labels of up to {longest} characters are too long; "
            f"classes times characters may not exceed {LABEL_CHARACTERS_LIMIT}"
        )


FORMAT_VERSION = 3
SINGLE_VERSION, SEVERAL_VERSION = 1, 2
"""Older formats, of a single network and of several."""
ERROR_QUANTILES, ERROR_KNOTS, NOT_NEGATIVE = "error_quantiles", "error_knots", "not_negative"
MAX_KNOTS = 64
MAX_SHARE = 1_000_000
BACKGROUND, DECISION_THRESHOLD, TEACHER = "background", "decision_threshold", "teacher"
"""Names of the extensions of files with training rows, of models with a decision threshold, and with a teacher."""
EXTENSIONS = (BACKGROUND, DECISION_THRESHOLD, TEACHER)
ROWS = f"{BACKGROUND}.rows."
"""The prefix of the tensors of training rows; no tensor of a layer has such a name."""
Item = TypeVar("Item")


Content = tuple[list[TrainedNetwork], list[int], ErrorQuantiles, Background | None]
"""The networks of a model, their shares, the error quantiles of their mean prediction, and its background rows."""


def encode_model(
    networks: Sequence[TrainedNetwork],
    shares: Sequence[int],
    error_quantiles: ErrorQuantiles,
    background: Background | None = None,
) -> bytes:
    """Return the bytes of a model's file; equal models give equal bytes, which can be read back.

    Parameters
    ----------
    networks : sequence of TrainedNetwork
    shares : sequence of int
    error_quantiles : ErrorQuantiles
    background : Background, optional
        Training rows that the file contains.

    Raises
    ------
    FileError
        If the bytes could not be read back.
    """
    for each in networks:
        each.check_members()
    tensors, models = quantile_tensors(error_quantiles), []
    for prefix, each, share in zip(name_prefixes(len(networks)), networks, shares, strict=True):
        tensors |= {prefix + name: tensor for name, tensor in _tensors(each).items()}
        if len(networks) > 1:
            tensors |= {prefix + name: tensor for name, tensor in quantile_tensors(each.error_quantiles).items()}
        models.append({"share": share, "spec": each.spec.model_dump(mode="json", exclude_none=True)})
    needs = [BACKGROUND] * (background is not None) + _needs([each.spec for each in networks])
    if background is not None:
        tensors |= {ROWS + name: tensor for name, tensor in background_tensors(background).items()}
    metadata = {"format_version": FORMAT_VERSION, "needs": needs, "models": models}
    content = encode(tensors, json.dumps(metadata, ensure_ascii=False, allow_nan=False, separators=(",", ":")))
    _check_content(content, [each.network for each in networks], has_rows=background is not None)
    return content


def _needs(specs: Sequence[Spec]) -> list[str]:
    """Return the names of the extensions that models with these specs need, ascending."""
    has_threshold = any(spec.training.decision_threshold is not None for spec in specs)
    has_teacher = any(spec.training.teacher or (spec.data is not None and spec.data.has_teacher) for spec in specs)
    return [DECISION_THRESHOLD] * has_threshold + [TEACHER] * has_teacher


def _tensors(trained: TrainedNetwork) -> dict[str, Array]:
    return {
        **trained.tensors(),
        **_prefixed("preprocessing", trained.preprocessing.tensors()),
        **_prefixed("target_preprocessing", trained.target_preprocessing.tensors()),
        **({} if trained.labels is None else encode_labels(trained.labels)),
    }


def name_prefixes(networks: int) -> list[str]:
    """Return the prefix of the tensor names of each network, given the number of networks."""
    return [""] if networks == 1 else [f"models.{number}." for number in range(networks)]


def quantile_tensors(quantiles: ErrorQuantiles) -> dict[str, Array]:
    """Return the tensors of error quantiles by name; no tensors if there are no quantiles."""
    tensors: dict[str, Array] = {
        ERROR_QUANTILES: quantiles.values,
        ERROR_KNOTS: quantiles.knots,
        NOT_NEGATIVE: quantiles.not_negative.astype(np.uint8),
    }
    return {name: tensor for name, tensor in tensors.items() if tensor.size} if quantiles else {}


def decode_model(
    stream: BinaryIO, size: int, parts: Iterable[type[Part]] = (), limits: Limits | None = None
) -> Content:
    """Return the networks, shares, error quantiles and background rows in the file of a model.

    Parameters
    ----------
    stream : binary stream
        Stream at the start of the file.
    size : int
        Bytes of the file. Reading never takes much more memory than this, even for a file that claims more.
    parts : iterable of part classes
        Parts that the spec may name in addition to the built-in and installed ones.
    limits : Limits, optional
        Limits on the size of the network.

    Raises
    ------
    FileError
        If this is no model file, the file is damaged, or its spec is not valid.
    """
    header, parts = read_header(stream, size), tuple(parts)
    needs, models = parse_metadata(header.metadata)
    try:
        networks = [Network(resolve(parse_spec(spec, parts=parts, limits=limits))) for _, spec in models]
        for network in networks:
            check_fitted(network.spec, network.resolved.columns)
    except SpecError as error:
        raise FileError(*map(_inside, error.diagnostics)) from error
    return _contents(header, stream, networks, [share for share, _ in models], has_rows=BACKGROUND in needs)


def _check_content(content: bytes, networks: Sequence[Network], *, has_rows: bool) -> None:
    """Check that the bytes of a model file can be read, given its networks; their specs are not parsed again.

    Raises
    ------
    FileError
        If the bytes cannot be read.
    """
    stream = io.BytesIO(content)
    header = read_header(stream, len(content))
    for network in networks:
        check_fitted(network.spec, network.resolved.columns)
    _contents(header, stream, networks, [1] * len(networks), has_rows=has_rows)


def _contents(
    header: Header, stream: BinaryIO, networks: Sequence[Network], shares: list[int], *, has_rows: bool
) -> Content:
    """Return the content of a file; data are read only if the header is as required."""
    prefixes, first = name_prefixes(len(networks)), networks[0]
    columns = first.spec.feature_kinds, first.resolved.columns
    required = _quantile_forms(header.entries, first)
    for prefix, network in zip(prefixes, networks, strict=True):
        entries = _under(prefix, header.entries)
        forms = tensor_kinds(network) | _label_entries(entries, network) | _quantile_forms(entries, network)
        required |= {prefix + name: form for name, form in forms.items()}
    if has_rows:
        sizes = {name: math.prod(entry.shape) for name, entry in _under(ROWS, header.entries).items()}
        forms = background_kinds(sizes, *columns)
        required |= {ROWS + name: form for name, form in forms.items()}
    _compare(header.entries, required)
    tensors, trained = tensors_of(header, stream.read(header.data_size)), []
    for prefix, network in zip(prefixes, networks, strict=True):
        own = _under(prefix, tensors)
        quantiles = decode_quantiles(own, network) if prefix else None
        trained.append(trained_network(network, own, decode_labels(own), quantiles))
    background = decode_background(_under(ROWS, tensors), *columns) if has_rows else None
    return trained, shares, decode_quantiles(tensors, first), background


def _quantile_forms(entries: Mapping[str, TensorEntry], network: Network) -> dict[str, TensorForm]:
    def numbers(name: str) -> int:
        """Return how many numbers a tensor has, assuming that its dtype is correct; 0 if it is missing."""
        begin, end = entries[name].data_offsets if name in entries else (0, 0)
        return (end - begin) // (1 if name == NOT_NEGATIVE else 8)

    return quantile_kinds(numbers, network)


def trained_network(
    network: Network, tensors: Mapping[str, Array], labels: Array | None, error_quantiles: ErrorQuantiles | None = None
) -> TrainedNetwork:
    """Return a trained network, given copies of its tensors, which include all of `tensor_kinds`.

    Raises
    ------
    FileError
        If no fit of the preprocessing can have its tensors as result.
    """
    spec, prefixes = network.spec.network, _member_prefixes(network)
    theta = np.zeros((len(prefixes), network.parameter_count), network.dtype)
    for prefix, member in zip(prefixes, theta, strict=True):
        for name, view in network.parameters(member).items():
            view[...] = tensors[prefix + name]
    state = {name: np.stack([tensors[prefix + name] for prefix in prefixes]) for name in network.initial_state()}
    fitted = {name: array.copy() for name, array in tensors.items() if "preprocessing." in name}
    targets = unfitted(spec.target_preprocessing)
    try:
        preprocessing = Preparation.from_tensors(_input_groups(network), _under("preprocessing.", fitted))
        target_preprocessing = Preparation.from_tensors(targets, _under("target_preprocessing.", fitted))
    except DataError as error:
        raise FileError(*(replace(each, code=FileError.code) for each in error.diagnostics)) from error
    if network.spec.training.ensemble is None:
        theta, state = theta[0], {name: array[0] for name, array in state.items()}
    return TrainedNetwork(network, theta, state, preprocessing, target_preprocessing, labels, error_quantiles)


def _member_prefixes(network: Network) -> list[str]:
    """Return the prefix of the tensor names of each member."""
    training = network.spec.training
    return [""] if training.ensemble is None else [f"members.{number}." for number in range(training.members)]


def parse_metadata(text: str) -> tuple[list[str], list[tuple[int, Any]]]:
    """Return the needs, and the share and the spec of each model, in a file's metadata; specs are not yet validated.

    Raises
    ------
    FileError
        If the metadata is not in a known version of the format.
    """
    metadata = parse_object(text.encode("utf-8", "surrogatepass"), "the metadata")
    version = metadata.get("format_version")
    if type(version) is not int or version < 1:
        raise FileError("the metadata has no format version")
    if version > FORMAT_VERSION:
        raise FileError(f"written by a newer specnet in format {version}; this version reads up to {FORMAT_VERSION}")
    if version == SINGLE_VERSION:
        if list(metadata) != ["format_version", "spec"] or not isinstance(metadata["spec"], dict):
            raise FileError("the metadata must be exactly a format version and a spec")
        return [], [(1, metadata["spec"])]
    if version == SEVERAL_VERSION:
        if list(metadata) != ["format_version", "models"]:
            raise FileError("the metadata must be exactly a format version and models")
        return [], parse_models(metadata["models"])
    if list(metadata) != ["format_version", "needs", "models"]:
        raise FileError("the metadata must be exactly a format version, needs and models")
    if not isinstance(metadata["needs"], list):
        raise FileError("the needs in the metadata must be a list")
    if unknown := [need for need in metadata["needs"] if need not in EXTENSIONS]:
        raise FileError(f"written by a newer specnet: it needs {shown(str(unknown[0]))}, which is unknown here")
    return metadata["needs"], parse_models(metadata["models"], 1)


def parse_models(models: Any, at_least: int = 2) -> list[tuple[int, Any]]:
    """Return the share and the spec of each model in a list of plain data; specs are not yet validated.

    Raises
    ------
    FileError
        If there are fewer than `at_least` models, or one is not a share and a spec.
    """
    if not isinstance(models, list) or len(models) < at_least:
        raise FileError(f"expected a list of {'two' if at_least > 1 else 'one'} or more models")
    for each in models:
        if not isinstance(each, dict) or list(each) != ["share", "spec"] or not isinstance(each["spec"], dict):
            raise FileError("each model in the metadata must be exactly a share and a spec")
        if type(each["share"]) is not int or not 0 < each["share"] <= MAX_SHARE:
            raise FileError(f"the share of a model must be an integer from 1 to {MAX_SHARE}")
    return [(each["share"], each["spec"]) for each in models]


def _inside(mistake: Diagnostic) -> Diagnostic:
    """Convert a mistake in a spec into an error about the file that contains the spec."""
    path = ".".join(map(str, mistake.path))
    message = f"the spec in this file is not valid{f', at {shown(path)}' if path else ''}: {mistake.message}"
    return Diagnostic(FileError.code, message, hint=mistake.hint, notes=mistake.notes)


def _input_groups(network: Network) -> tuple[StepGroup, ...]:
    """Return the unfitted preprocessing of a network's columns."""
    spec = network.spec
    return unfitted(spec.network.preprocessing or (), spec.feature_names or ())


def tensor_kinds(network: Network) -> dict[str, TensorForm]:
    """Return dtype and shape of all tensors that the spec of a network requires, except labels, by name."""
    own: dict[str, TensorForm] = {
        **{name: (network.dtype, tensor.shape) for name, tensor, _ in network.layout.tensors()},
        **{name: (array.dtype, array.shape) for name, array in network.initial_state().items()},
    }
    targets = unfitted(network.spec.network.target_preprocessing)
    return {
        **{prefix + name: form for prefix in _member_prefixes(network) for name, form in own.items()},
        **_prefixed("preprocessing", tensor_forms(_input_groups(network), network.resolved.columns)),
        **_prefixed("target_preprocessing", tensor_forms(targets, network.target_size)),
    }


def _label_entries(entries: Mapping[str, TensorEntry], network: Network) -> dict[str, TensorForm]:
    """Return dtype and shape of the tensors of class labels: integers or text, depending on the file."""
    count, int64 = network.class_count, np.dtype(np.int64)
    if count is None:
        return {}
    if "labels.bytes" not in entries:
        return {"labels": (int64, (count,))}
    begin, end = entries["labels.bytes"].data_offsets
    size = min(end - begin, UTF8_LONGEST * LABEL_CHARACTERS_LIMIT)
    return {"labels.bytes": (np.dtype(np.uint8), (size,)), "labels.offsets": (int64, (count + 1,))}


def quantile_kinds(numbers: Callable[[str], int], network: Network) -> dict[str, TensorForm]:
    """Return dtype and shape of the tensors of error quantiles, by name; none if the network cannot have quantiles.

    Parameters
    ----------
    numbers : callable
        Returns how many numbers the tensor of a name has; 0 if it is missing.
    network : Network
    """
    count, float64 = numbers(ERROR_QUANTILES), np.dtype(np.float64)
    if not count or network.task == "multilabel":
        return {}
    outputs = network.target_size if network.task == "values" else 1
    found: dict[str, TensorForm] = {}
    knots: tuple[int, ...] = ()
    if numbers(ERROR_KNOTS):
        knots = (min(max(numbers(ERROR_KNOTS) // outputs, 2), MAX_KNOTS),)
        found[ERROR_KNOTS] = (float64, (outputs, *knots))
    if numbers(NOT_NEGATIVE) and network.task == "values":
        found[NOT_NEGATIVE] = (np.dtype(np.uint8), (outputs,))
    levels = count // outputs // (knots[0] if knots else 1)
    return found | {ERROR_QUANTILES: (float64, (outputs, min(max(levels, 1), MAX_LEVELS), *knots))}


def decode_quantiles(tensors: Mapping[str, Array], network: Network) -> ErrorQuantiles:
    """Return the error quantiles in tensors, whose forms are those of `quantile_kinds`; empty if there are none.

    Raises
    ------
    FileError
        If quantiles or knots do not ascend, quantiles are out of range, or flags are not 0 and 1.
    """
    values, knots, low = (tensors.get(name) for name in (ERROR_QUANTILES, ERROR_KNOTS, NOT_NEGATIVE))
    none = ErrorQuantiles()
    if values is None:
        return none
    largest = np.inf if network.task == "values" else 1
    if not (np.diff(values, axis=1, prepend=0, append=largest) >= 0).all():
        raise FileError(f"{ERROR_QUANTILES} must ascend from level to level, from 0 to at most {largest}")
    if knots is not None and not (np.diff(knots) > 0).all():
        raise FileError(f"{ERROR_KNOTS} must ascend")
    if low is not None and (low.max() != 1 or not np.isin(low, (0, 1)).all()):
        raise FileError(f"{NOT_NEGATIVE} must be 0 or 1, and not only 0")
    return ErrorQuantiles(
        values.copy(),
        none.knots if knots is None else knots.copy(),
        none.not_negative if low is None else low.astype(np.bool_),
    )


def _compare(entries: Mapping[str, TensorEntry], required: Mapping[str, TensorForm]) -> None:
    for name, (dtype, shape) in required.items():
        entry = entries.get(name)
        if entry is None:
            raise FileError(f"{shown(name)} is missing")
        kind, size = entry.form
        if kind != dtype or not fits(size, shape):
            raise FileError(f"{shown(name)} is {kind} of shape {size}; the spec needs {dtype} of shape {shape}")
    for name in entries:
        if name not in required:
            raise FileError(f"unknown tensor {shown(name)}")


def fits(shape: Shape, expected: tuple[int | None, ...]) -> bool:
    """Return whether a shape is the expected one, in which None stands for any length."""
    return len(shape) == len(expected) and all(each in (size, None) for size, each in zip(shape, expected, strict=True))


def _prefixed(prefix: str, items: Mapping[str, Any]) -> dict[str, Any]:
    return {f"{prefix}.{name}": item for name, item in items.items()}


def _under(prefix: str, items: Mapping[str, Item]) -> dict[str, Item]:
    """Return the items whose names begin with a prefix, by the rest of their names."""
    return {name.removeprefix(prefix): item for name, item in items.items() if name.startswith(prefix)}
