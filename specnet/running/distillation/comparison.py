"""A student beside its teacher, on validation and test rows: metrics, agreement and parameters."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from specnet.model import Answers, Model
from specnet.parts.metrics.statistics import weighted_mean
from specnet.parts.splits import TRAIN
from specnet.parts.watchers import LOSS
from specnet.running.data_rows import Rows
from specnet.running.distillation.foreign_teacher import LEAST_PROBABILITY, ForeignTeacher
from specnet.running.distillation.teacher import Teacher


def compared_with_teacher(
    teacher: Teacher | ForeignTeacher, student: Model, splits: Mapping[str, Rows], answers: Mapping[str, Answers]
) -> dict[str, Any]:
    """Return the entry ``teacher`` of ``metrics.json``.

    Parameters
    ----------
    teacher : Teacher or ForeignTeacher
    student : Model
    splits : mapping
        The raw rows of each split.
    answers : mapping
        The student's answers for each split but the training rows.

    Returns
    -------
    dict
        ``networks``, ``parameters`` and ``bytes`` of the teacher, unless it is foreign; ``own_parameters`` of the
        student; ``metrics`` of the teacher by split and name; and ``agreement``, metrics of the student by split with
        the predictions of the teacher as the truth: ``accuracy``, or ``r2`` of values.
    """
    metrics, agreement = {}, {}
    for name, own in answers.items():
        if name == TRAIN:
            continue
        its, has_loss = _answers(teacher, student, splits[name])
        figures = its.figures(student.spec.training.metrics)
        metrics[name] = {key: value for key, value in figures.items() if key != LOSS or has_loss}
        agreement[name] = _agreement(own, its, is_of_values=student.network.task == "values")
    sizes = {}
    if isinstance(teacher, Teacher):
        networks = teacher.model.networks
        sizes = {
            "networks": sum(len(each.members) for each in networks),
            "parameters": sum(each.theta.size for each in networks),
            "bytes": teacher.size,
        }
    return {
        **sizes,
        "own_parameters": sum(each.theta.size for each in student.networks),
        "metrics": metrics,
        "agreement": agreement,
    }


def _answers(teacher: Teacher | ForeignTeacher, student: Model, rows: Rows) -> tuple[Answers, bool]:
    """Return the predictions of a teacher for rows, and whether their losses are the student's loss in its units."""
    decoder = student.decoder
    if isinstance(teacher, Teacher):
        if teacher.model.decoder.kind != decoder.kind:
            return teacher.model.answers(rows.raw, rows.y, rows.weight), False
        raw = decoder.raw_of(teacher.model.comparable(rows.raw))
        averaged = decoder.activated(raw)
    else:
        averaged = teacher.out_of_fold(rows.numbers)
        averaged = averaged[:, 1:] if student.network.task == "binary" else averaged
        raw = _raw_of(averaged, student)
    target, loss_target = decoder.target(rows.y, len(rows))
    has_loss = isinstance(teacher, Teacher) or student.network.task != "values" or decoder.gives_values
    losses = decoder.losses(raw, loss_target) if has_loss else np.zeros(len(rows))
    return Answers(
        target, loss_target, losses, *decoder.compared([averaged]), rows.weight, student.target_names
    ), has_loss


def _raw_of(predictions: NDArray[np.float64], student: Model) -> NDArray[np.float64]:
    """Return probabilities as logits, or values as the student's loss reads them."""
    if student.network.task == "values":
        return student.decoder.raw_of(predictions)
    probabilities = np.clip(predictions, LEAST_PROBABILITY, 1 - LEAST_PROBABILITY)
    logits: NDArray[np.float64] = np.log(probabilities)
    return logits if student.network.task == "classes" else logits - np.log1p(-probabilities)


def _agreement(own: Answers, its: Answers, *, is_of_values: bool) -> dict[str, float]:
    """Return the accuracy or R² of predictions, with those of the teacher as the truth."""
    predicted, truth = (np.asarray(each.prediction).reshape(len(own), -1) for each in (own, its))
    if not is_of_values:
        return {"accuracy": weighted_mean((predicted == truth).mean(axis=1), own.weight)}
    center = np.average(truth, axis=0, weights=own.weight)
    spread = weighted_mean(((truth - center) ** 2).mean(axis=1), own.weight)
    apart = weighted_mean(((predicted - truth) ** 2).mean(axis=1), own.weight)
    return {"r2": 1 - apart / spread if spread else float("nan")}
