/** Flights and minutes in the air by tail number, of flights in schema version 1: the benchmark that every language has. */

import { Event, exportProjection, Fields, KeyedFold, Keys, Manifest, Readable, Stored, Writer } from "../polyfold/assembly";

export * from "../polyfold/assembly/exports/projection";

class Arrival extends Readable {
  tail: string | null = null;
  airTime: u64 = 0;

  read(fields: Fields): void {
    this.tail = fields.optionalText("tailnum");
    this.airTime = fields.unsigned("air_time");
  }
}

class Total extends Stored {
  count: u64 = 0;
  sum: u64 = 0;

  read(fields: Fields): void {
    this.count = fields.unsigned("count");
    this.sum = fields.unsigned("sum");
  }

  write(to: Writer): void {
    to.map(2);
    to.text("count").unsigned(this.count);
    to.text("sum").unsigned(this.sum);
  }
}

class CountAndSum extends KeyedFold<Arrival, Total> {
  describe(): Manifest {
    return new Manifest("count-and-sum", "0.1.0", "flights and minutes in the air by tail number")
      .eventTypes(["flight.arrived"]);
  }

  keys(_event: Event, arrival: Arrival, keys: Keys): void {
    const tail = arrival.tail;
    if (tail !== null) keys.add(tail);
  }

  fold(total: Total, _event: Event, arrival: Arrival, _key: string): void {
    total.count += 1;
    total.sum += arrival.airTime;
  }
}

exportProjection(new CountAndSum());
