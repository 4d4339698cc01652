#!/usr/bin/env python3
"""Waits until a host answers that it is ready.

usage: wait_ready.py http://127.0.0.1:PORT PID      exits 1 if the process ends first, or after a minute
"""
import os
import sys
import time
import urllib.error
import urllib.request


def is_ready(url):
    try:
        with urllib.request.urlopen(f"{url}/readyz", timeout=5) as answer:
            return answer.status == 200
    except (urllib.error.URLError, OSError):
        return False


def is_alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    # Who has ended and was not waited for is still there, as a zombie.
    with open(f"/proc/{pid}/stat", encoding="utf-8") as stat:
        return stat.read().rsplit(")", 1)[1].split()[0] != "Z"


def main():
    url, pid = sys.argv[1], int(sys.argv[2])
    end = time.monotonic() + 60
    while not is_ready(url):
        if not is_alive(pid) or time.monotonic() > end:
            sys.exit(1)
        time.sleep(0.05)


main()
