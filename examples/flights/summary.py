#!/usr/bin/env python3
"""Sums up what the projections of the flights example say, as two lines of JSON objects with key and value.

usage: summary.py TYPES CARRIERS     (output of `polyfold projection scan ... --json`)
"""
import json
import sys


def entries(path):
    with open(path, encoding="utf-8") as lines:
        rows = (json.loads(line) for line in lines)
        return {row["key"].split("/", 1)[1]: row["value"] for row in rows}


def top(carriers, field, count=4):
    ranked = sorted(carriers.items(), key=lambda item: -item[1][field])
    return ", ".join(f"{name} {value[field]:,}" for name, value in ranked[:count])


def main():
    types = {name: value["count"] for name, value in entries(sys.argv[1]).items()}
    carriers = entries(sys.argv[2])
    # The flight that the example appended is not one of January's.
    types["flight.arrived"] -= 1
    carriers["UA"]["arrived"] -= 1
    carriers["UA"]["late"] -= 1
    named = ", ".join(f"{types['flight.' + kind]:,} {kind}" for kind in ("departed", "arrived", "cancelled", "diverted"))
    print(f"  events             {sum(types.values()):,} ({named})")
    print(f"  arrivals           {top(carriers, 'arrived')}")
    print(f"  more than 15 late  {top(carriers, 'late')}")


main()
