"""A folder for logs that cannot be made stops the start with one line, as every variable that cannot be used does."""

import pytest

from tests.support.loaded_settings import MAIL, problems_of


@pytest.mark.parametrize("folder", ["/proc/none/logs", "/dev/null/logs"])
def test_a_folder_for_logs_that_cannot_be_made_is_one_line(folder: str) -> None:
    (problem,) = [line for line in problems_of({**MAIL, "LOG_DIR": folder}) if "LOG_DIR" in line]
    assert problem.startswith(f"LOG_DIR names {folder}, and no folder can be made there: ")
