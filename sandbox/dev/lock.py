"""`./dev lock`: writes the locked requirements anew. The locks carry hashes and no addresses."""

import argparse
import shutil
import subprocess

from sandbox.errors import SandboxError
from sandbox.packages import CHECKOUT

# In this order: the later ones are constrained by the earlier.
NAMES = ("requirements", "requirements-sandbox", "requirements-dev")
# Only the package itself, for the SQL in it.
ALONE = ("requirements-pgmq", "requirements-pgmq-1.11")
# What we are measured beside, each in an environment of its own: nothing here constrains it.
PEERS = "sandbox/bench/peers/locks"
# One of them does not install on the Python of the others.
NEWER = {f"{PEERS}/django-ox": "3.12"}


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="./dev lock", description="Lock the requirements again, with hashes.")
    parser.add_argument("--upgrade", action="store_true", help="take the newest versions that the .in files allow")
    options = parser.parse_args(arguments)
    uv = shutil.which("uv")
    if uv is None:
        raise SandboxError("uv is missing: it writes locks for all platforms at once (docs.astral.sh/uv)")
    command = [uv, "pip", "compile", "--universal", "--generate-hashes", "--quiet"]
    command += ["--no-emit-index-url", "--no-emit-find-links", "--custom-compile-command", "./dev lock"]
    if options.upgrade:
        command.append("--upgrade")
    peers = [f"{PEERS}/{path.stem}" for path in sorted((CHECKOUT / PEERS).glob("*.in"))]
    for name in (*NAMES, *ALONE, *peers):
        print(f"locks {name}.in", flush=True)
        alone = ["--no-deps"] if name in ALONE else []
        # One of them asks for another with an extra, which pip takes for something else than what is pinned without it.
        extras = ["--no-strip-extras"] if name == "requirements-dev" else []
        python = ["--python-version", NEWER.get(name, "3.11")]
        subprocess.run(
            [*command, *python, *alone, *extras, f"{name}.in", "-o", f"{name}.txt"],
            cwd=CHECKOUT,
            check=True,
            timeout=600,
        )
    return 0
