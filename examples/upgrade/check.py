#!/usr/bin/env python3
"""What the upgrade example checks.

usage: check.py answers SOCKET PID            waits until a host answers at its socket; exits 1 if the process ends first
       check.py figures FLIGHTS DIRECTORY     compares what was printed with what the events say, and sums it up
"""
import collections
import gzip
import json
import os
import socket
import sys
import time

AIRLINE = "ZZ"
# More minutes than this after its time make an arrival late, by the plugin's version.
LATE_AFTER = {"0.1.0": 15, "0.2.0": 30}


def answers(path, pid):
    for _ in range(1200):
        with socket.socket(socket.AF_UNIX) as connection:
            try:
                connection.connect(path)
                connection.sendall(b"GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
                if b" 200 " in connection.recv(64):
                    return
            except OSError:
                pass
        try:
            os.kill(int(pid), 0)
        except ProcessLookupError:
            sys.exit("the host has ended")
        time.sleep(0.05)
    sys.exit("the host does not answer")


def lines(path):
    with open(path, encoding="utf-8") as file:
        return file.read().splitlines()


def check(what, found, expected):
    if found != expected:
        sys.exit(f"{what}: found {found}, expected {expected}")


def carriers(path):
    """A scan's carriers: key without prefix, and value."""
    rows = map(json.loads, lines(path))
    return {row["key"].removeprefix("carrier/"): row["value"] for row in rows}


def late_flights(month, version):
    """Late arrivals by carrier, counted in the file that was imported."""
    late = collections.Counter()
    with gzip.open(month, "rt", encoding="utf-8") as file:
        for event in map(json.loads, file):
            if event["type"] == "flight.arrived":
                late[event["data"]["carrier"]] += event["data"]["arr_delay"] > LATE_AFTER[version]
    return dict(late)


def check_scan(what, path, month, version):
    found = carriers(path)
    own = found.pop(AIRLINE)
    check(f"late arrivals when {what}", {name: value["late"] for name, value in found.items() if value["arrived"]},
          late_flights(month, version))
    check(f"late of {own['arrived']} own arrivals when {what}", own["late"], late_of_own(own["arrived"], version))
    return own["arrived"]


def late_of_own(arrived, version):
    return arrived if 20 > LATE_AFTER[version] else 0


def check_acknowledged(acknowledged, stored):
    """Each is in the log, once, where its answer said."""
    ids = collections.Counter(event["id"] for event in stored.values())
    for answer in acknowledged:
        event = stored.get(answer["sequence"])
        check(f"event {answer['sequence']}", event and event["id"], answer["id"])
        check(f"events with the id {answer['id']}", ids[answer["id"]], 1)
    check("sequences", sorted(stored), list(range(1, len(stored) + 1)))


def check_reads(reads):
    """Each has seen what was acknowledged before, in a state of one version or the other; none goes back."""
    last = 0
    versions = collections.Counter()
    for line in reads:
        before, value = line.split(" ", 1)
        value = json.loads(value)
        value = value.get("value", value)
        arrived, late = value["arrived"], value["late"]
        if arrived < max(int(before), last):
            sys.exit(f"a read saw {arrived} arrivals when {before} were acknowledged and {last} had been read")
        if late not in (0, arrived):
            sys.exit(f"a read saw {late} late of {arrived}: a mixture of two states")
        versions["0.2.0" if late == 0 else "0.1.0"] += 1
        last = arrived
    check("versions that were read", sorted(versions), ["0.1.0", "0.2.0"])
    return versions


def figures(month, work):
    acknowledged = [json.loads(line) for line in lines(f"{work}/acknowledged")]
    stored = {event["sequence"]: event for event in map(json.loads, lines(f"{work}/events"))}
    check_acknowledged(acknowledged, stored)
    own = sum(event["id"].startswith("loop:") for event in stored.values())
    check_scan("promoted", f"{work}/promoted", month, "0.2.0")
    check_scan("rolled back", f"{work}/rolled-back", month, "0.1.0")
    check("own arrivals in the end", check_scan("restarted", f"{work}/last", month, "0.1.0"), own)
    versions = check_reads(lines(f"{work}/reads"))
    failed = len(lines(f"{work}/refused")) if os.path.exists(f"{work}/refused") else 0
    print(f"  {len(acknowledged)} appends were acknowledged and are in the log, each once; {failed} lines of complaint"
          " from those that were tried again")
    print(f"  {versions.total()} reads saw all that was acknowledged before them, {versions['0.1.0']} in version 0.1.0"
          f" and {versions['0.2.0']} in 0.2.0")


if __name__ == "__main__":
    commands = {"answers": answers, "figures": figures}
    if len(sys.argv) != 4 or sys.argv[1] not in commands:
        sys.exit(__doc__)
    commands[sys.argv[1]](*sys.argv[2:])
