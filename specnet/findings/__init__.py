"""What went wrong in a run, in sentences, and what to set in its spec instead.

In: `Evidence`, the objects of a run. Out: `Finding`s, causes before consequences. Start at
`judgement.judge`; each rule is a function of the evidence, by what it is about: data, steps, units, results.
"""

from specnet.findings.evidence import Evidence, Scores, UnseenRows
from specnet.findings.finding import Finding
from specnet.findings.judgement import RULES, Judgement, judge

__all__ = ["RULES", "Evidence", "Finding", "Judgement", "Scores", "UnseenRows", "judge"]
