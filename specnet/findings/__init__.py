"""Findings: problems of a run in sentences, and the settings of its spec to change.

In: `Evidence`, the objects of a run. Out: `Finding`s, causes before consequences. Start at `judgement.judge`. Each rule
is a function of the evidence; modules group the rules by topic: data, steps and units, results.
"""

from specnet.findings.evidence import Evidence, Scores, UnseenRows
from specnet.findings.finding import Finding
from specnet.findings.judgement import RULES, Judgement, judge

__all__ = ["RULES", "Evidence", "Finding", "Judgement", "Scores", "UnseenRows", "judge"]
