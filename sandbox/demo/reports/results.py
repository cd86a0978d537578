"""What the front end's scoring functions store for the check-ups of the demo."""

from typing import Any

from sandbox.demo.families import MARINA, NATALYA, PAVEL, TIMUR, Family

# What stands there between the end of a check-up and the calculation of its results.
NOT_CALCULATED = {"status": "completed"}

_SCALES = ("emotional", "conduct", "hyperactivity", "peer_problems", "impact_child", "impact_parent", "impact_family")
_BANDS = {"+": "typical", "o": "borderline", "-": "concerning"}
_IMPACTS = {"+": "low_impact", "o": "medium_impact", "-": "high_impact"}


def _results(*scores: int, bands: str) -> dict[str, Any]:
    """The newer shape; `bands` has a sign for each scale: + all is well, o borderline, - concerning."""
    found: dict[str, Any] = {
        scale: {"score": score, "status": (_IMPACTS if scale.startswith("impact") else _BANDS)[band]}
        for scale, score, band in zip(_SCALES, scores, bands, strict=True)
    }
    return found | {"total_difficulties": sum(scores[:4])}


# The older shape has one scale of impact; Timur answered the questions about himself and the family as well.
RESULTS: dict[Family, dict[str, Any]] = {
    MARINA: _results(13, 6, 10, 9, 2, 4, 5, bands="-+oooo+"),
    PAVEL: _results(4, 3, 5, 6, 0, 1, 2, bands="+++++++"),
    TIMUR: _results(9, 14, 16, 8, 3, 5, 12, bands="o--+---")
    | {"anxiety": {"score": 4, "status": "concerning"}, "depression": {"score": 2, "status": "borderline"}}
    | {"family_stress": {"score": 3, "status": "concerning"}, "coparenting": {"score": 6, "status": "borderline"}},
    NATALYA: {
        "emotional": {"score": 11, "status": "borderline"},
        "conduct": {"score": 5, "status": "typical"},
        "hyperactivity": {"score": 7, "status": "typical"},
        "peer_problems": {"score": 17, "status": "concerning"},
        "impact": {"score": 1, "status": "medium_impact"},
        "total_difficulties": 40,
    },
}
