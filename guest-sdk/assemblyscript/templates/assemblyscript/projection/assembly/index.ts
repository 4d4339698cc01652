/** What each country has ordered: how many orders, and for how much. */

import {
  Event, exportProjection, fail, Fields, KeyedFold, Keys, Manifest, Readable, show, Stored, Writer,
} from "../polyfold/assembly";

export * from "../polyfold/assembly/exports/projection";

/** The payload of `order.placed` in schema version 1. */
class Order extends Readable {
  euros: f64 = 0;
  country: string = "";

  read(fields: Fields): void {
    this.euros = fields.float("euros");
    this.country = fields.text("country");
  }
}

/** The value of a country. A country's first order is folded into a new one. */
class Country extends Stored {
  euros: f64 = 0;
  orders: u64 = 0;

  read(fields: Fields): void {
    this.euros = fields.float("euros");
    this.orders = fields.unsigned("orders");
  }

  write(to: Writer): void {
    to.map(2);
    to.text("euros").float(this.euros);
    to.text("orders").unsigned(this.orders);
  }
}

class Revenue extends KeyedFold<Order, Country> {
  describe(): Manifest {
    return new Manifest("{{name}}", "0.1.0", "what each country has ordered")
      .eventTypes(["order.placed"])
      .view("countries", "country/", "by country");
  }

  payload(event: Event): Order {
    event.expectSchemaVersion(1, "update this plugin");
    return super.payload(event);
  }

  keys(event: Event, order: Order, keys: Keys): void {
    if (order.euros < 0) return fail(`${event.stream} costs ${show(order.euros)} euros, less than nothing`);
    keys.add("country/" + order.country);
  }

  fold(country: Country, _event: Event, order: Order, _key: string): void {
    country.orders += 1;
    country.euros += order.euros;
  }
}

exportProjection(new Revenue());
