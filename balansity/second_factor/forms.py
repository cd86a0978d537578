"""What people type on the pages of the second factor."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

# Phones show digits, and offer what an app or a message has brought.
_OF_AN_APP = {"autocomplete": "one-time-code", "inputmode": "numeric", "autocapitalize": "none", "spellcheck": "false"}
_OF_PAPER = {"autocomplete": "off", "autocapitalize": "none", "spellcheck": "false"}
# With the hyphens and spaces of people.
_LONGEST = 64


class _Typed(forms.TextInput):
    """Empty after a wrong code: it is not mended, the next one is typed."""

    def format_value(self, value: Any) -> None:
        return None


def _code(label: Any, *, on_paper: bool = False, first: bool = True) -> forms.CharField:
    hints: dict[str, str | bool] = {**(_OF_PAPER if on_paper else _OF_AN_APP), **({"autofocus": True} if first else {})}
    return forms.CharField(label=label, max_length=_LONGEST, widget=_Typed(attrs=hints))


class CodeForm(forms.Form):
    """A code of the app or a recovery code, whichever is shown: both count in either."""

    def __init__(self, *args: Any, on_paper: bool = False, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        label = _("Recovery code") if on_paper else _("Code from the app")
        self.fields["code"] = _code(label, on_paper=on_paper)


class SetUpForm(forms.Form):
    """The code of the new app, and the proof that it is the person who asks: as little as they have not given yet."""

    code = _code(_("Code that the app shows now"), first=False)

    def __init__(self, *args: Any, asks_code: bool, asks_password: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if asks_code:
            label = _("Code from the app that you have used so far, or a recovery code")
            self.fields["current"] = _code(label, on_paper=True, first=False)
        if asks_password:
            hints = {"autocomplete": "current-password"}
            self.fields["password"] = forms.CharField(
                label=_("Your password"), strip=False, max_length=4096, widget=forms.PasswordInput(attrs=hints)
            )
