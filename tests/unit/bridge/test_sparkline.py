"""A day as a row of bars, and in words."""

from datetime import UTC, datetime

from bridge.dashboard.sparkline import GAP, HEIGHT, WIDTH, sparkline

# Half past five in the afternoon in Moscow.
NOW = datetime(2026, 11, 26, 14, 30, tzinfo=UTC)


def hours(**counts: int) -> list[int]:
    """So many in the hour that began `h<n>` hours before this one; nothing in the others."""
    return [counts.get(f"h{ago}", 0) for ago in range(23, -1, -1)]


def test_the_busiest_hour_is_as_high_as_the_drawing_and_one_message_is_seen() -> None:
    drawn = sparkline(hours(h0=1000, h5=1), NOW)
    few, most = 18 * (WIDTH + GAP), 23 * (WIDTH + GAP)
    assert drawn.path == f"M{few} {HEIGHT}v-2h{WIDTH}v2zM{most} {HEIGHT}v-{HEIGHT}h{WIDTH}v{HEIGHT}z"
    assert drawn.width == 24 * (WIDTH + GAP) - GAP


def test_whoever_does_not_see_it_hears_how_many_and_when_most() -> None:
    assert sparkline(hours(h0=240, h3=1000), NOW).text.replace("\N{NO-BREAK SPACE}", " ") == (
        "За 24 часа: 1 240; больше всего, 1 000, в час с 14:00."
    )


def test_a_day_without_anything_is_said_and_not_drawn() -> None:
    drawn = sparkline(hours(), NOW)
    assert (drawn.path, drawn.text) == ("", "За 24 часа ничего.")
