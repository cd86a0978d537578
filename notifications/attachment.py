"""A file that comes with a mail."""

from dataclasses import dataclass
from email.mime.text import MIMEText


@dataclass(frozen=True, slots=True)
class Attachment:
    """A text in UTF-8. `name` is ASCII; `kind` is the subtype of `text`, and `parameters` stand behind it."""

    name: str
    kind: str
    content: str
    parameters: tuple[tuple[str, str], ...] = ()

    def part(self) -> MIMEText:
        """As a part of a message, in base64: its line ends arrive as they are, whoever carries the mail."""
        part = MIMEText(self.content, self.kind, "utf-8")
        for name, value in self.parameters:
            part.set_param(name, value)
        part.add_header("Content-Disposition", "attachment", filename=self.name)
        return part
