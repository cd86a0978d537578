"""A producer that is told line by line how much to send, so that its start is not what is measured."""

import json
import sys
import time


def serve(send):
    """`send(numbers, ms, write)` uses the library's own way, many at once where it has one."""
    print("ready", flush=True)
    for line in sys.stdin:
        asked = json.loads(line)
        called_at = time.time()
        send(range(asked["first"], asked["first"] + asked["count"]), asked["ms"], asked["write"])
        print(json.dumps({"called_at": called_at}), flush=True)
