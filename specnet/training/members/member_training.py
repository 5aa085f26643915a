"""Networks that are trained one after the other or side by side: what they reach together, and where to resume."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from threading import RLock
from typing import Any

import numpy as np

from specnet.files.interruptions import Interruptions
from specnet.network import Network
from specnet.parts.arrays import Array
from specnet.spec import Spec
from specnet.training.after_epoch import Keeper
from specnet.training.best_weights import Watchers
from specnet.training.checkpoint import FINISHED, Checkpoint, history_of
from specnet.training.looks.layer_record import TrainingRecord
from specnet.training.loop import TrainingResult
from specnet.training.members.ensemble_training import EnsembleTraining, RowsOfMember, Start
from specnet.training.members.pools import in_processes, in_threads
from specnet.training.members.side_by_side import trained_side_by_side
from specnet.training.observer import Observer
from specnet.training.steps.engine_choice import BEGUN, Choice, choose, members_worth

CROSS_FITTED = "cross_fitted"
"""In the names of a finished member's tensors."""


def joined_result(members: Sequence[TrainingResult]) -> TrainingResult:
    """Return what the members that `train_members` returns have reached, in their order, as one result.

    Numbers of epochs, steps and seconds are sums. Parameters and layer states have the members as their first axis.
    """
    last = members[-1]
    ends = [member.end for member in members]
    end = ends[0] if len(set(ends)) == 1 else "; ".join(f"member {number}: {end}" for number, end in enumerate(ends))
    if last.interruption is not None:
        end = f"{last.end} of member {len(members) - 1}"
    return TrainingResult(
        np.stack([member.theta for member in members]),
        {name: np.stack([member.state[name] for member in members]) for name in last.state},
        [record for member in members for record in member.history],
        sum(member.epochs for member in members),
        sum(member.steps for member in members),
        sum(member.seconds for member in members),
        end,
        members[0].record,
        last.engine,
        last.interruption,
        within_member(members[:-1], last.reached),
    )


def train_members(
    network: Network,
    starts: Sequence[Start],
    rows_of: RowsOfMember,
    *,
    jobs: int | None = None,
    cores: int | None = None,
    observer: Observer,
    keep_checkpoint: Keeper | None = None,
    checkpoint: Checkpoint | None = None,
    interruptions: Interruptions | None = None,
    records: bool = False,
) -> list[TrainingResult]:
    """Train the members of an ensemble, as `train` does each.

    Returns those that have begun; after an interruption these are the finished ones before the first that is not, and
    that one.

    Parameters
    ----------
    network : Network
        Of each member.
    starts : sequence of (theta, state)
        One for each member.
    rows_of : callable
    jobs : int, optional
        How many are trained at once: by threads if they are compiled, else each in a process of its own; the result is
        the same, bit for bit. Default: as many as `members_worth` finds by threads, one of the others.
    cores : int, optional
        How many are trained at once by default, at most; default: as many as work may have threads.
    observer, keep_checkpoint, checkpoint, interruptions
        As for `train`; with `checkpoint_every`, a checkpoint is also kept after each member, and with processes only
        then.
    records : bool
        Record the training of the first member, as `train` does.
    """
    # Once for all: folds differ in their numbers of rows, and a resumed run keeps its engine.
    begun = None if checkpoint is None else checkpoint.facts["engine"]
    choice = choose(network, len(rows_of(0)[0]), network.spec.training.epochs, begun)
    ensemble = EnsembleTraining(network, starts, rows_of, choice, records)
    members = [] if checkpoint is None else finished_members(checkpoint, network)
    current = None if checkpoint is None else current_member(checkpoint)
    keeping = RLock()

    def keep(member: int, reached: Checkpoint) -> None:
        with keeping:  # a run resumes in the first member that is not finished
            if keep_checkpoint is not None and member == len(members):
                keep_checkpoint(within_member(members, reached))

    def add(result: TrainingResult) -> None:
        following = before_member(network.spec, result.engine.engine)
        with keeping:  # what the next member keeps comes later
            members.append(replace(result, reached=following))
            if network.spec.training.checkpoint_every is not None:
                keep(len(members), following)

    given: dict[str, Any] = {"observer": observer, "interruptions": interruptions}
    first, follows_log = len(members), observer.follows_log
    jobs = min(_worth(ensemble, observer, cores) if jobs is None else jobs, len(starts) - first)
    if jobs == 1:
        results = ensemble.trained(first, current, keep=keep, **given)
    else:
        pool = (
            in_threads(ensemble, first, jobs, keep, follows_log=follows_log)
            if ensemble.is_for_threads
            else in_processes(ensemble, jobs, follows_log=follows_log)
        )
        results = trained_side_by_side(pool, range(first, len(starts)), current, **given)
    with closing(results):
        for result in results:
            if result.interruption is not None:
                return [*members, result]
            if len(members) + 1 == len(starts):
                next(results, None)  # an interruption that came too late for a member is delivered
                return [*members, result]
            add(result)
    raise AssertionError("a checkpoint is never of all members")


def _worth(ensemble: EnsembleTraining, observer: Observer, cores: int | None) -> int:
    """Return how many members are trained at once if nobody says it."""
    if observer.takes_snapshots or not ensemble.is_for_threads:
        return 1
    return members_worth(ensemble.network, ensemble.rows_of(0)[0], cores)


def train_member(
    member: int,
    network: Network,
    starts: Sequence[Start],
    rows_of: RowsOfMember,
    *,
    observer: Observer,
    interruptions: Interruptions | None = None,
) -> TrainingResult:
    """Train a single member of an ensemble, with the bits that `train_members` gives it."""
    choice = choose(network, len(rows_of(0)[0]), network.spec.training.epochs, None)
    ensemble = EnsembleTraining(network, starts, rows_of, choice)
    result = ensemble.train(member, observer, None, interruptions)
    return replace(result, reached=before_member(network.spec, result.engine.engine))


def finished_members(checkpoint: Checkpoint, network: Network) -> list[TrainingResult]:
    """Return the members that had been trained when a checkpoint was written.

    Raises
    ------
    FileError
        If they are not of this network.
    """
    found = []
    rest: dict[str, Any] = {
        "engine": Choice(checkpoint.facts["engine"], BEGUN),
        "interruption": None,
        "reached": checkpoint,
    }
    for number, facts in enumerate(checkpoint.facts.get(FINISHED, [])):
        theta, state = np.zeros(network.parameter_count, network.dtype), network.initial_state()
        checkpoint.restore(_tensors(number, theta, state))
        cross_fitted = checkpoint.tensors.get(f"{FINISHED}.{number}.{CROSS_FITTED}")
        record = TrainingRecord() if number else checkpoint.record
        history = history_of(checkpoint.history, number)
        found.append(TrainingResult(theta, state, history, **facts, **rest, record=record, cross_fitted=cross_fitted))
    return found


def current_member(checkpoint: Checkpoint) -> Checkpoint | None:
    """Return where the first member that is not finished resumes; None if it had not begun."""
    if not checkpoint.facts["steps"]:
        return None
    number = len(checkpoint.facts.get(FINISHED, []))
    return replace(checkpoint, history=history_of(checkpoint.history, number))


def before_member(spec: Spec, engine: str) -> Checkpoint:
    """Return the checkpoint of a member that has not begun, after others that an engine has trained."""
    numbers = {"epochs": 0, "steps": 0, "updates": 0, "so_far": [0, 0.0, 0.0], "measured": None, "seconds": 0.0}
    facts = {"engine": engine, **numbers}
    return Checkpoint({}, facts | {"watchers": Watchers(spec).as_dict()}, [])


def within_member(finished: Sequence[TrainingResult], reached: Checkpoint) -> Checkpoint:
    """Return a checkpoint from which a member resumes, given its own, with all members before it."""
    kept: dict[str, Array] = {}
    for number, member in enumerate(finished):
        kept |= _tensors(number, member.theta, member.state)
        if member.cross_fitted is not None:
            kept[f"{FINISHED}.{number}.{CROSS_FITTED}"] = member.cross_fitted
    told = [{"epochs": each.epochs, "steps": each.steps, "seconds": each.seconds, "end": each.end} for each in finished]
    records = [record for member in finished for record in member.history]
    facts = {**reached.facts, FINISHED: told} if told else reached.facts
    record = finished[0].record if finished else reached.record
    return Checkpoint({**kept, **reached.tensors}, facts, [*records, *reached.history], record=record)


def _tensors(number: int, theta: Array, state: Mapping[str, Array]) -> dict[str, Array]:
    """Return the arrays of a finished member by their names in checkpoints."""
    prefix = f"{FINISHED}.{number}"
    return {f"{prefix}.theta": theta, **{f"{prefix}.state.{name}": array for name, array in state.items()}}
