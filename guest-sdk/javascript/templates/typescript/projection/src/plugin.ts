// What each country has ordered: how many orders, and their euros together.

import { expectSchemaVersion, fail, keyed } from "../polyfold/index.js";

interface Order {
  country: string;
  euros: number;
}

interface Revenue {
  orders: number;
  euros: number;
}

export default keyed<Order, Revenue>({
  name: "{{name}}",
  version: "0.1.0",
  description: "what each country has ordered",
  eventTypes: ["order.placed"],
  views: [{ name: "countries", prefix: "country/", description: "orders and euros by country" }],

  keys(event, order) {
    expectSchemaVersion(event, 1, "update this plugin");
    if (order.euros < 0) fail(`${event.stream} costs ${order.euros} euros, less than nothing`);
    return `country/${order.country}`;
  },

  fold(revenue = { orders: 0, euros: 0 }, event, order) {
    return { orders: revenue.orders + 1, euros: revenue.euros + order.euros };
  },
});
