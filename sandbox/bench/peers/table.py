"""The comparison as tables: medians of the rounds with their range, and every cell of everybody."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from sandbox.bench.report import median, percentile, shown

Values = dict[str, Any]
# A column: its heading, and the raw values of one round or `None`.
Column = tuple[str, Callable[[Values], float | None]]


def brief(name: str, found: Values) -> str:
    """One peer's round in a line, for whoever watches."""
    if "failed" in found:
        return str(found["failed"])
    columns = COLUMNS[name]
    told = [(heading, value) for heading, value in ((heading, take(found)) for heading, take in columns[:4])]
    return ", ".join(f"{heading} {shown(value)}" for heading, value in told if value is not None)


def render(answer: Values) -> str:
    """Every scenario that was measured, then who took part."""
    chapters = [_chapter(name, answer) for name in COLUMNS if name in answer["scenarios"]]
    return "\n".join([*chapters, "### Who takes part", "", *_cast(answer["peers"]), ""])


def _chapter(name: str, answer: Values) -> str:
    one = answer["scenarios"][name]
    columns = [column for column in COLUMNS[name] if _anybody(column, one["rounds"])] or COLUMNS[name]
    head = ["", *(heading for heading, _ in columns)]
    lines = [f"### {TITLES[name]}", "", f"| {' | '.join(head)} |", "|---|" + "---:|" * len(columns)]
    lines += [
        f"| {' | '.join(_row(name, peer, about, columns, one['rounds']))} |" for peer, about in answer["peers"].items()
    ]
    return "\n".join([*lines, "", EXPLAINED[name], "", *(_run(run) for run in one["runs"]), ""])


def _anybody(column: Column, rounds: Sequence[Values]) -> bool:
    return any(_values(column, [found]) for round_ in rounds for found in round_.values())


def _row(name: str, peer: str, about: Values, columns: Sequence[Column], rounds: Sequence[Values]) -> list[str]:
    found = [round_[peer] for round_ in rounds if peer in round_]
    why = about.get("unavailable") or about["without"].get(name)
    failed = [one["failed"] for one in found if "failed" in one]
    if why or len(failed) == len(found):
        said = why or (f"failed: {failed[0]}" if failed else "not measured")
        return [about["title"], said, *("–" for _ in columns[1:])]
    # Rounds that went well are no reason to hide the others, nor the other way round.
    title = (
        f"{about['title']}; failed in {len(failed)} of {len(found)} rounds: {failed[0]}" if failed else about["title"]
    )
    return [title, *(_cell(_values(column, found)) for column in columns)]


def _values(column: Column, found: Iterable[Values]) -> list[float]:
    taken = [column[1](one) for one in found if "failed" not in one]
    return [value for value in taken if value is not None]


def _cell(values: Sequence[float]) -> str:
    if not values:
        return "–"
    if len(values) == 1:
        return shown(values[0])
    return f"{shown(median(values))} ({shown(min(values))}–{shown(max(values))})"


def _run(about: Values) -> str:
    machine, load = about["machine"], about["load"]
    before, after = ("/".join(f"{value:g}" for value in load[when]) for when in ("before", "after"))
    changed = " with changes" if about["changed"] else ""
    count, whose = about["rounds"], f" of {', '.join(about['peers'])}" if about["peers"] else ""
    return (
        f"*{count} round{'s' * (count > 1)}{whose}; {about['recorded_at'][:10]}, commit {about['commit']}{changed}; "
        f"{machine['cores']} cores ({machine['processor']}), {machine['memory_gb']:g} GB; "
        f"load average {before} before and {after} after; Postgres {about['versions']['Postgres']}, "
        f"Valkey {about['versions']['Valkey']}.*"
    )


def _cast(peers: Values) -> list[str]:
    lines = ["| peer | set up | versions |", "|---|---|---|"]
    for about in peers.values():
        versions = ", ".join(f"{name} {version}" for name, version in about.get("versions", {}).items())
        lines.append(
            f"| {about['title']} | {about['about']} | {about.get('unavailable') or versions or 'this commit'} |"
        )
    return lines


def _path(*keys: str, times: float = 1.0) -> Callable[[Values], float | None]:
    def take(found: Values) -> float | None:
        value: Any = found
        for key in keys:
            value = value.get(key) if isinstance(value, dict) else None
        return None if value is None else float(value) * times

    return take


def _each(*keys: str, times: float = 1.0) -> Callable[[Values], float | None]:
    """What a backlog cost, shared out over the messages that were done."""
    take = _path(*keys, times=times)

    def shared(found: Values) -> float | None:
        value = take(found)
        return None if value is None or not found["done"] else value / found["done"]

    return shared


def _sent(found: Values) -> float | None:
    return float(found["sending"]["wal"]) / float(found["count"])


def _delay(percent: int) -> Callable[[Values], float | None]:
    return lambda found: percentile(found["delays_ms"], percent) if found["delays_ms"] else None


def _share(role: str) -> Callable[[Values], float | None]:
    def take(found: Values) -> float | None:
        spent = found["cpu"].get(role)
        return None if spent is None else 100 * spent / found["seconds"]

    return take


def _a_second(key: str) -> Callable[[Values], float | None]:
    return lambda found: float(found[key] / found["seconds"])


def _memory(found: Values) -> float | None:
    # Two pieces of work ran; all processes of the peer count, also the one that hands out.
    return float(sum(found["memory"].values()) / 2)


def _window(number: int) -> Callable[[Values], float | None]:
    return lambda found: float(found["rates"][number])


TITLES = {
    "noop": "A backlog of 10 000 messages without work",
    "work": "Work that writes a row, waits 1 ms, waits 20 ms",
    "trickle": "Pick-up of 20 messages a second, one by one",
    "hidden": "Behind 1 000 000 hidden messages",
    "idle": "Idle",
    "xmin": "Beside a transaction that holds xmin for a minute",
    "kills": "Lost and doubled under 20 kills",
}
EXPLAINED = {
    "noop": (
        "Messages a second of what was done within ten seconds at the most; CPU and WAL a message. All of the "
        "backlog is there when the workers begin. WAL of sending is that of a bulk in the library's own way; "
        "Celery's publish one by one, and are copied from what was sent before. Checkpoints are kept out of the "
        "way, so no page is in the WAL as a whole. The Node worker's way gets 30 messages, so its CPU and WAL are "
        "those of the time and not of the messages."
    ),
    "work": (
        "Messages a second, two at once, so 20 ms of waiting allows 100; 2 000 messages that write a row, 1 000 "
        "of 1 ms, 300 of 20 ms, ten seconds at the most each (the Node worker's way: 10 each, so its figures are "
        "those of one cycle). Memory: all processes of the peer while two messages run, divided by two."
    ),
    "trickle": (
        "From the call that sends to the first line of the work, milliseconds, for ten seconds a round, each "
        "message sent alone in the library's own way and committed. The Node worker's way gets one a second, as "
        "it does two."
    ),
    "hidden": (
        "Messages a second of 2 000 that write a row each; compare with the first column of the table about work, "
        "which has nothing hidden. The Node worker's way gets 10."
    ),
    "idle": (
        "Share of one core, transactions and commands of the broker a second, memory of all processes of the peer. A "
        "round lasts eight seconds, and the system counts hundredths of one: a step is 0.125 %."
    ),
    "xmin": (
        "Messages a second without work, in the first and in the last ten seconds of that minute, and the two divided. "
        "What is used up is sent anew meanwhile, in the library's own way, which is part of these seconds."
    ),
    "kills": (
        "Two workers of one child or process each are killed in turn (the whole worker, or the working process "
        "first), never at an empty queue; leases are 15 s for all. Each message takes 20 ms and writes its row in "
        "the middle, on a connection of its own: an effect outside of any transaction of the library, so whoever "
        "delivers at least once doubles what was killed between that row and the acknowledgement. Lost is what "
        "has no row when the queue is empty, or nothing in it has moved for two minutes; left is what it holds "
        "then. With the outcome: a row that our handler gives to be written in the transaction of the outcome, "
        "which none of the others offers."
    ),
}
COLUMNS: dict[str, tuple[Column, ...]] = {
    "noop": (
        ("messages/s", _path("rate")),
        ("done", _path("done")),
        ("worker, ms", _each("working", "cpu", "worker", times=1000)),
        ("dispatcher, ms", _each("working", "cpu", "dispatcher", times=1000)),
        ("Postgres, ms", _each("working", "cpu", "database", times=1000)),
        ("broker, ms", _each("working", "cpu", "broker", times=1000)),
        ("WAL of work, bytes", _each("working", "wal")),
        ("WAL of sending, bytes", _sent),
    ),
    "work": (
        ("a row, messages/s", _path("row", "rate")),
        ("1 ms, messages/s", _path("1 ms", "rate")),
        ("20 ms, messages/s", _path("20 ms", "rate")),
        ("memory a running task, MB", _memory),
    ),
    "trickle": (
        ("p50, ms", _delay(50)),
        ("p99, ms", _delay(99)),
        ("messages a second", _path("per_second")),
    ),
    "hidden": (("messages/s", _path("rate")), ("done", _path("done"))),
    "idle": (
        ("processes, % of a core", lambda found: (_share("worker")(found) or 0) + (_share("dispatcher")(found) or 0)),
        ("Postgres, %", _share("database")),
        ("broker, %", _share("broker")),
        ("transactions/s", _a_second("transactions")),
        ("broker commands/s", _a_second("commands")),
        ("memory, MB", lambda found: sum(found["memory"].values())),
    ),
    "xmin": (
        ("first 10 s, messages/s", _window(0)),
        ("last 10 s, messages/s", _window(-1)),
        ("last / first", lambda found: found["rates"][-1] / found["rates"][0] if found["rates"][0] else None),
    ),
    "kills": (
        ("lost", _path("lost")),
        ("doubled", _path("doubled")),
        ("left", _path("stuck")),
        ("with the outcome: lost", _path("recorded_lost")),
        ("with the outcome: doubled", _path("recorded_doubled")),
        ("sent", _path("sent")),
        ("seconds until settled", _path("settled_after")),
    ),
}
