"""The page of a team: how good it is, its networks, and its answers for test rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from specnet.number_texts import count, counted, page_metric, percent
from specnet.report.pages import headline
from specnet.report.pages.answer_charts import results_of
from specnet.report.pages.page_record import AnswersRecord
from specnet.report.pages.page_templates import rendered
from specnet.report.terminal.text_tables import TextTable
from specnet.spec import Resolved


class TeamMember(NamedTuple):
    """A trial in a team.

    Attributes
    ----------
    trial : int
    share : float
        In sum 1.
    resolved : Resolved
        Its network.
    networks : int
        How many of them it has.
    parameters : int
        Of all.
    """

    trial: int
    share: float
    resolved: Resolved
    networks: int
    parameters: int


@dataclass(frozen=True, eq=False, kw_only=True)
class TeamRecord(AnswersRecord):
    """What the page of a team is made from.

    Attributes
    ----------
    members : sequence of TeamMember
    """

    members: Sequence[TeamMember]


def team_page(record: TeamRecord) -> str:
    """Return the page of a team as HTML."""
    name, networks = record.resolved.spec.name or "unnamed", sum(each.networks for each in record.members)
    team = f"team of {counted(networks, 'network')}"
    return rendered(
        "team.html.j2",
        name=name,
        kicker=[name, "team", counted(len(record.members), "trial"), counted(networks, "network")],
        sentence=headline.sentence(team, record.evaluation, record.target),
        tiles=headline.tiles(record.evaluation, []),
        networks=_networks(record.members),
        scores=_scores(record),
        **results_of(record),
    )


def _networks(members: Sequence[TeamMember]) -> TextTable:
    """Return the trials with their shares and networks."""
    rows = []
    for each in members:
        counts = count(each.networks), count(each.parameters)
        rows.append([f"trial {each.trial}", percent(each.share), headline.network_name(each.resolved), *counts])
    return TextTable(["trial", "share", "network", "networks", "parameters"], rows, right=frozenset([1, 3, 4]))


def _scores(record: TeamRecord) -> TextTable:
    """Return the figures of each part of the split."""
    parts = [split for split in ("test", "out_of_fold", "validation", "train") if split in record.evaluation]
    names = dict.fromkeys(name for split in parts for name in record.evaluation[split])
    rows = [
        [split.replace("_", " "), *(page_metric(name, record.evaluation[split].get(name)) for name in names)]
        for split in parts
    ]
    header = ["rows", *map(headline.words, names)]
    return TextTable(header, rows, right=frozenset(range(1, len(header))))
