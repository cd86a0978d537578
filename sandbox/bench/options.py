"""Numbers that options take: what cannot be measured is refused before anything is started, with what would do."""

import argparse
from collections.abc import Callable


def at_least(least: int) -> Callable[[str], int]:
    """A type for `argparse`: whole numbers from `least` on."""

    def read(text: str) -> int:
        try:
            number = int(text)
        except ValueError:
            number = least - 1
        if number < least:
            raise argparse.ArgumentTypeError(f"{text!r} is no whole number of at least {least}")
        return number

    return read


def share_of(most: float) -> Callable[[str], float]:
    """A type for `argparse`: numbers above 0, `most` at most."""

    def read(text: str) -> float:
        try:
            number = float(text)
        except ValueError:
            number = 0.0
        if not 0 < number <= most:
            raise argparse.ArgumentTypeError(f"{text!r} is no number above 0 and at most {most:g}")
        return number

    return read
