"""`./dev bench peers`: rounds of scenarios, the peers in turn, in one run on one machine."""

import argparse
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from sandbox.bench import recording
from sandbox.bench.options import at_least
from sandbox.bench.peers import table
from sandbox.bench.peers.environments import Unavailable
from sandbox.bench.peers.peer import Peer
from sandbox.bench.peers.place import Failed
from sandbox.bench.peers.roster import ROSTER
from sandbox.bench.peers.scenarios import SCENARIOS
from sandbox.bench.peers.stage import SETTINGS, Stage, stages
from sandbox.services.sandbox import Sandbox, without_services_of_others

NAME = "peers"
# Its result is a number of messages and not a speed: the peers may take part in runs of their own.
COUNTED = "kills"


@dataclass
class Cast:
    """Who takes part, and who cannot: by name, with versions or with the reason."""

    peers: list[Peer] = field(default_factory=list)
    about: dict[str, dict[str, Any]] = field(default_factory=dict)


def run(arguments: list[str] | None = None) -> bool:
    """Measure, print the tables, keep them where that is asked for."""
    options = read_options(arguments or [])
    wanted, is_kept = options.peers or [peer.name for peer in ROSTER], recording.is_recorded()
    cast = gather(wanted)
    kept: dict[str, Any] = {}
    own, outside = f"bench-{NAME}-{os.getpid()}", without_services_of_others()
    with Sandbox(own, variables=outside, seed=False, fresh=True, keep=False) as sandbox:
        os.environ.update(sandbox.environment, DJANGO_SETTINGS_MODULE=SETTINGS)
        with stages(cast.peers, sandbox.environment, sandbox) as built:
            for name in [name for name in SCENARIOS if name in (options.only or SCENARIOS)]:
                kept[name] = _measure(name, options.rounds or SCENARIOS[name].rounds, built)
                kept[name]["runs"][0]["peers"] = wanted if options.peers else []
                if is_kept:
                    # At once: a run that is interrupted keeps what it has.
                    keep(name, kept[name], cast, append=options.append)
    print(table.render({"peers": cast.about, "scenarios": kept}))
    return True


def read_options(words: Sequence[str]) -> argparse.Namespace:
    parser = _parser()
    options = parser.parse_args(words)
    options.peers = [name.strip() for name in options.peers.split(",")] if options.peers is not None else []
    unknown = {*options.peers} - {peer.name for peer in ROSTER}
    if unknown:
        parser.error(f"no peer is called {', '.join(map(repr, sorted(unknown)))}; there are: {_names()}")
    if options.append and not recording.is_recorded():
        parser.error("--append adds to what was recorded: it goes with --record")
    if recording.is_recorded() and options.peers and not (options.only == [COUNTED] and options.append):
        parser.error(f"only {COUNTED}, and with --append, is recorded for some: speed is compared within one run")
    return options


def _parser() -> argparse.ArgumentParser:
    plan = ", ".join(f"{name} ~{one.seconds} s × {one.rounds}" for name, one in SCENARIOS.items())
    parser = argparse.ArgumentParser(prog="./dev bench peers", description=__doc__, epilog=f"Rounds: {plan}.")
    parser.add_argument("--only", choices=SCENARIOS, action="append", help="this scenario; may be repeated")
    parser.add_argument("--peers", metavar="A,B", help=f"these, unrecorded (default: {_names()})")
    parser.add_argument("--rounds", type=at_least(1), help="default: 5, or 1 where a round takes minutes")
    parser.add_argument("--append", action="store_true", help="with --record: add to the rounds that are there")
    return parser


def _names() -> str:
    return ",".join(peer.name for peer in ROSTER)


def gather(wanted: Sequence[str]) -> Cast:
    cast = Cast()
    for peer in (made() for made in ROSTER if made.name in wanted):
        about: dict[str, Any] = {"title": peer.title, "about": peer.about, "without": dict(peer.without)}
        try:
            about["versions"] = peer.install()
            cast.peers.append(peer)
        except Unavailable as error:
            about["unavailable"] = str(error)
            print(f"{peer.title}: {error}", flush=True)
        cast.about[peer.name] = about
    return cast


def _measure(name: str, rounds: int, built: Sequence[Stage]) -> dict[str, Any]:
    before, began = recording.load(), time.monotonic()
    found = [_round(name, number, built) for number in range(1, rounds + 1)]
    about = {"rounds": rounds, "seconds": round(time.monotonic() - began), **recording.stamp(before)}
    return {"runs": [about], "rounds": found}


def _round(name: str, number: int, built: Sequence[Stage]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for stage in built:
        if name in stage.peer.without:
            continue
        began = time.monotonic()
        try:
            found[stage.peer.name] = SCENARIOS[name].measure(stage)
        except Failed as error:
            # One that does not work is shown as such, and the others are measured.
            found[stage.peer.name] = {"failed": str(error)}
        told = table.brief(name, found[stage.peer.name])
        print(f"{name} {number}, {stage.peer.name}: {told} ({time.monotonic() - began:.0f} s)", flush=True)
    return found


def keep(name: str, found: dict[str, Any], cast: Cast, *, append: bool) -> None:
    """Put the scenario in the place of what was there, or beside it; others stay as they were."""
    path = recording.FOLDER / f"{NAME}.json"
    answer = recording.loaded(path) or {"bench": NAME, "scenarios": {}}
    scenarios: dict[str, Any] = answer["scenarios"]
    before = scenarios.get(name)
    if append and before:
        found = {part: before[part] + found[part] for part in ("runs", "rounds")}
    scenarios[name] = found
    ordered = {one: scenarios[one] for one in SCENARIOS if one in scenarios}
    in_order = {**answer.get("peers", {}), **cast.about}
    peers = {peer.name: in_order[peer.name] for peer in ROSTER if peer.name in in_order}
    recording.write(NAME, {**answer, "peers": peers, "scenarios": ordered})
    print(f"recorded {name} in docs/benchmarks/{NAME}.json; ./dev bench tables writes docs/benchmarks.md", flush=True)
