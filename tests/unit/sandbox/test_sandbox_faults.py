import pytest

from sandbox.mailbox.faults import Faults


@pytest.mark.parametrize(
    ("recipient", "expected"),
    [
        ("anna@example.org", Faults()),
        ("anna+refuse2@example.org", Faults(refuse=2)),
        ("anna+always451@example.org", Faults(always_451=True)),
        ("anna+reject550@example.org", Faults(reject_550=True)),
        ("anna+slow5@example.org", Faults(slow=5)),
        ("anna+drop1@example.org", Faults(drop=1)),
        ("anna+slow2+refuse1@example.org", Faults(slow=2, refuse=1)),
        ("anna+news@example.org", Faults()),
        ("refuse2@example.org", Faults()),
        ("anna@refuse2+always451.example.org", Faults()),
    ],
)
def test_tags_of_the_local_part_say_what_goes_wrong(recipient: str, expected: Faults) -> None:
    assert Faults.of(recipient) == expected


def test_refusals_come_after_broken_connections() -> None:
    faults = Faults.of("anna+drop1+refuse2@example.org")
    assert [faults.drops(number) for number in range(1, 5)] == [True, False, False, False]
    assert [faults.refuses(number) for number in range(2, 5)] == [True, True, False]
