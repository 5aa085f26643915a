"""The rows that a student is trained on: training rows and mixed rows, with predictions of the teacher as targets."""

from __future__ import annotations

import numpy as np

from specnet.data import RawColumns
from specnet.network.random import stream
from specnet.running.data_rows import Rows
from specnet.running.distillation.foreign_teacher import ForeignTeacher
from specnet.running.distillation.mixtures import mixed_rows
from specnet.running.distillation.teacher import Teacher
from specnet.running.encoding import Encoder
from specnet.training import TrainingRows


def student_rows(
    teacher: Teacher | ForeignTeacher, encoder: Encoder, rows: Rows, training: TrainingRows
) -> TrainingRows:
    """Return the training rows, then the mixed rows, with their targets by a teacher.

    The targets of training rows are the teacher's out-of-fold predictions, those of mixed rows its mean predictions. A
    mixed row has the weight of the training row from which it has about half of its cells. A foreign teacher has no
    predictions for mixed rows. A model to imitate, if it has the same preprocessing, predicts mixtures of prepared
    cells, which are more different; and columns that depend on the target are out of fold, as new rows are like these.

    Parameters
    ----------
    teacher : Teacher or ForeignTeacher
    encoder : Encoder
        The student's encoder.
    rows : Rows
        The raw training rows.
    training : TrainingRows
        The training rows as the network reads them, with their own targets.
    """
    if isinstance(teacher, ForeignTeacher):
        return encoder.soft_target_rows(training.X, teacher.out_of_fold(rows.numbers), training.weight)
    network, spec, raw = encoder.network, encoder.network.spec, rows.raw
    count, codes = (spec.training.mixtures or 0) * len(rows), network.resolved.category_counts
    cells, inputs, weight = np.asarray(raw.X), training.X, training.weight
    reads_same = False
    if teacher.trained_on is not None:
        targets = teacher.out_of_fold(raw, rows.numbers)
    else:
        prepared = encoder.inputs(rows)
        reads_same = all(np.array_equal(each.inputs(raw), prepared) for each in teacher.model.networks)
        cells, inputs = (inputs, inputs) if reads_same else (cells, prepared)
        targets = teacher.answers(inputs if reads_same else raw)
    mixed, parents = mixed_rows(cells, training.X, codes, count, stream(spec.seed, "mixtures"))
    if len(mixed):
        targets = np.concatenate([targets, teacher.answers(mixed if reads_same else RawColumns(mixed, rows.kinds))])
        if not reads_same:
            mixed = encoder.preparation.prepare(mixed, texts=rows.texts, name="mixed rows", reader=network)
        inputs = np.concatenate([inputs, np.ascontiguousarray(mixed)])
        weight = None if weight is None else np.concatenate([weight, weight[parents]])
    return encoder.soft_target_rows(inputs, targets, weight)
