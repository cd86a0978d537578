"""A result as people read it in the terminal."""

from collections import Counter
from collections.abc import Callable
from typing import Any

from rich.console import Console
from rich.table import Table

from sandbox.chaos.judging.messages import ONLY_AT_THE_LIMIT

SHOWN = 40


# What a run must have had to show anything.
_NEEDED: dict[str, Callable[[dict[str, Any]], object]] = {
    "a fault": lambda result: [one for one in result["faults"] if not one["failed"]],
    "a confirmed mail": lambda result: result["known"]["messages_confirmed"].get("email_queue"),
    "a confirmed report": lambda result: result["known"]["messages_confirmed"].get("report_generation_queue"),
    "a paid payment": lambda result: result["known"]["payments_paid"],
    "an accepted refund": lambda result: result["known"]["refunds_accepted"],
}


def hollow(result: dict[str, Any]) -> list[str]:
    """What a run did not have: one without a refund says nothing of refunds, however green it is."""
    return [what for what, find in _NEEDED.items() if not find(result)]


def print_summary(console: Console, result: dict[str, Any]) -> None:
    table = Table(title=f"chaos, seed {result['seed']}, {result['minutes']:g} minutes", title_justify="left")
    for heading in ("what", "how many"):
        table.add_column(heading, overflow="fold")
    for what, value in rows(result):
        table.add_row(what, value)
    console.print(table)
    for one in result["violations"][:SHOWN]:
        console.print(
            f"VIOLATION of {one['invariant']}: {one['about']}: {one['what']}",
            style="red",
            highlight=False,
            soft_wrap=True,
        )
    if len(result["violations"]) > SHOWN:
        console.print(f"… and {len(result['violations']) - SHOWN} more, in the raw result")
    if missing := hollow(result):
        console.print(f"This run shows too little: it had not one of: {', '.join(missing)}.", style="red")
    console.print(
        "The seed reproduces this schedule, and not the interleaving: what a fault meets is up to the machine."
    )


def rows(result: dict[str, Any]) -> list[tuple[str, str]]:
    """What a reader wants to know of a run, in words."""
    known, outcomes, sums = result["known"], result["outcomes"], result["sums"]
    confirmed = known["messages_confirmed"]
    copies = Counter(one["kind"] for one in result["copies"])
    done = [one for one in result["faults"] if not one["failed"]]
    unexpected = [one for one in result["exits"] if not one["expected"]]
    several = sum(one["several_attempts"] for one in outcomes.values())
    lost = sum(one["lost_attempts"] for one in outcomes.values())
    given_up = Counter[str]()
    for queue, one in outcomes.items():
        given_up[queue] += sum(one["endings"].get(f"failed ({reason})", 0) for reason in ONLY_AT_THE_LIMIT)
    return [
        ("faults, of kinds", f"{len(done)}, {len({one['kind'] for one in done})}"),
        ("faults that could not be done", str(len(result["faults"]) - len(done))),
        ("messages that a client knows to be committed", str(sum(confirmed.values()))),
        ("commits whose answer was lost", str(known["commits_without_an_answer"])),
        ("messages in queues and archives, our own among them", str(result["books"]["messages"])),
        ("of these with several attempts", str(several)),
        ("attempts that died with their process", str(lost)),
        ("messages given up at the last attempt that they may have", f"{sum(given_up.values())}{_named(given_up)}"),
        ("mails that the mail server has kept", str(result["books"]["deliveries"])),
        ("second copies that a fault explains", f"{len(result['copies'])}{_named(copies)}"),
        ("payments started, paid", f"{known['payments_started']}, {known['payments_paid']}"),
        ("refunds accepted, refused", f"{known['refunds_accepted']}, {known['refunds_refused']}"),
        ("paid, by YooKassa's books", f"{sums['paid']} ₽"),
        ("gone back, by the same", f"{sums['refunded']} ₽"),
        ("reports and objects", f"{result['books']['reports']}, {result['books']['objects']}"),
        ("clients that gave up", str(len(known["gave_up"]))),
        ("processes that ended by themselves", str(len(unexpected))),
        ("drained after all was made well", f"{result['drained_after']:g} s"),
        ("violations", str(len(result["violations"]))),
    ]


def _named(counted: Counter[str]) -> str:
    named = ", ".join(f"{kind} {count}" for kind, count in sorted(counted.items()) if count)
    return f" ({named})" if named else ""
