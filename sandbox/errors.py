"""What goes wrong while a sandbox is set up."""


class SandboxError(Exception):
    """The sandbox cannot be started or used; the text says why and what to do about it."""
