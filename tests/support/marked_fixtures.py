"""What pytest-django sets up for each test, for the tests only that ask for it by a marker or a fixture.

It has nine fixtures which every test has, to look whether it bears one of their markers. Few do; and a fixture that
does nothing takes as long as many a test.
"""

import pytest

# By the marker that asks for it.
_MARKED = {
    "django_db": "_django_db_marker",
    "urls": "_django_set_urlconf",
    "django_isolate_apps": "_django_isolate_apps",
    "ignore_template_errors": "_template_string_if_invalid_marker",
}
# By the fixture that needs it.
_NEEDED = {"live_server": "_live_server_helper"}
# Of others there is nothing to set up: no application is called sites, no class is a TestCase of Django, and what was
# sent by mail and what is for a whole run is seen to in `tests/conftest.py`.
_NOBODY = (
    "_django_clear_site_cache",
    "_django_setup_unittest",
    "_dj_autoclear_mailbox",
    "_fail_for_invalid_template_variable",
    "django_test_environment",
)


class MarkedFixtures:
    """A plugin: takes the fixtures away from all tests before these are collected, and gives some back."""

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection(self, session: pytest.Session) -> None:
        everywhere = session._fixturemanager._node_autousenames[session]
        unwanted = {*_MARKED.values(), *_NEEDED.values(), *_NOBODY}
        # Should the next version of pytest-django name one differently, all tests have it again, and nothing is lost.
        everywhere[:] = [name for name in everywhere if name not in unwanted]

    def pytest_itemcollected(self, item: pytest.Item) -> None:
        names: list[str] = getattr(item, "fixturenames", [])
        wanted = [fixture for marker, fixture in _MARKED.items() if item.get_closest_marker(marker)]
        wanted += [fixture for needing, fixture in _NEEDED.items() if needing in names]
        names[:0] = wanted
