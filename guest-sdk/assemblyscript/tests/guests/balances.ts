/** A keyed fold with two keys an event: `paid` moves an amount between accounts, and one at zero has no entry. */

import { Event, exportProjection, Fields, KeyedFold, Keys, Manifest, Readable, Stored, Writer } from "../polyfold/assembly";

export * from "../polyfold/assembly/exports/projection";

class Paid extends Readable {
  from: string = "";
  to: string = "";
  amount: i64 = 0;

  read(fields: Fields): void {
    this.to = fields.text("to");
    this.from = fields.text("from");
    this.amount = fields.integer("amount");
  }
}

class Balance extends Stored {
  amount: i64 = 0;
  payments: u64 = 0;

  read(fields: Fields): void {
    this.amount = fields.integer("amount");
    this.payments = fields.unsigned("payments");
  }

  write(to: Writer): void {
    to.map(2);
    to.text("amount").integer(this.amount);
    to.text("payments").unsigned(this.payments);
  }
}

class Balances extends KeyedFold<Paid, Balance> {
  describe(): Manifest {
    return new Manifest("balances", "1.0.0", "what each account holds").eventTypes(["paid"]).categories(["test"]);
  }

  keys(_event: Event, paid: Paid, keys: Keys): void {
    keys.add("account/" + paid.from);
    keys.add("account/" + paid.to);
  }

  fold(balance: Balance, _event: Event, paid: Paid, key: string): void {
    balance.amount += key.endsWith(paid.from) ? -paid.amount : paid.amount;
    balance.payments += 1;
  }

  keep(balance: Balance): bool {
    return balance.amount != 0;
  }
}

exportProjection(new Balances());
