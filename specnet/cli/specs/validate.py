"""`specnet validate`: every mistake in many specs."""

from pathlib import Path
from typing import Annotated

from specnet.cli.inputs import STANDARD_INPUT, STDIN_NAME, parse
from specnet.cli.options import LimitOption, SetOption, argument
from specnet.cli.output import Output, UsageError


def validate(
    output: Output,
    specs: Annotated[list[Path], argument("SPEC...", "Specs, TOML or JSON; folders of runs; or - for standard input.")],
    overrides: SetOption = None,
    limit: LimitOption = None,
) -> None:
    """Check specs and report every error.

    Reads no data, and neither trains nor writes anything. Also tries every value of [sweep] in its spec.

    Examples
    --------
    specnet validate specs/moons.toml
    specnet validate --format json specs/moons.toml specs/iris.json
    specnet validate specs/moons.toml --set training.epochs=100
    """
    from specnet.errors import SpecnetError
    from specnet.number_texts import counted
    from specnet.spec.searching import parse_whole

    if specs.count(STANDARD_INPUT) > 1:
        raise UsageError("standard input can only be read once", source=str(STANDARD_INPUT))
    valid = output.data["valid"] = []
    for source in specs:
        try:
            parse(source, overrides, limit, parse_whole)
        except SpecnetError as error:
            output.mistakes(error)
        else:
            name = STDIN_NAME if source == STANDARD_INPUT else str(source)
            valid.append(name)
    checked = counted(len(specs), "spec")
    if output.mistake_count:
        output.remark(f"{checked}, {counted(output.mistake_count, 'mistake')}")
    else:
        output.line(f"{checked}, no mistakes")
