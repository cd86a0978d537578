"""What the summary says of the operators, in two sentences, and every difference."""

from rich.console import Console
from rich.text import Text

from sandbox.demo.operators.verdict import OperatorFindings, Outage, Pause


def print_operators(console: Console, findings: OperatorFindings) -> None:
    console.print(Text("What a pause and an outage cost", "bold"))
    for line in tell(findings):
        console.print(f" {line}", highlight=False, soft_wrap=True)
    for difference in findings.differences:
        console.print(Text(f"✗ {difference}", "red"))


def tell(findings: OperatorFindings) -> list[str]:
    found = []
    if findings.pause is not None:
        found.append(_mark(findings.pause) + _told_pause(findings.pause))
    if findings.outage is not None:
        found.append(_mark(findings.outage) + _told_outage(findings.outage))
    return found


def _mark(scene: Pause | Outage) -> str:
    return "✗ " if scene.differences else "✓ "


def _told_pause(pause: Pause) -> str:
    left = "did not leave" if pause.left_in is None else f"left within {pause.left_in:.1f} s of its end"
    return f"pause: {pause.untouched} of {pause.sent} mails waited untouched, no attempt counted, and {left}."


def _told_outage(outage: Outage) -> str:
    first = "no mail came" if outage.first_in is None else f"the first mail came {outage.first_in:.1f} s"
    return (
        f"outage: the mail server was away for {outage.seconds:.1f} s, {outage.waiting} of {outage.sent} mails waited; "
        f"{outage.spent} attempts were spent, {outage.exhausted} mails ended by it; {first} after it was back."
    )
