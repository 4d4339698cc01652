// Counts flights and adds up their minutes in the air, by tail number: the projection of the benchmark.

import { keyed } from "../polyfold/index.js";

export default keyed({
  name: "count-and-sum",
  version: "0.1.0",
  description: "flights and minutes in the air by tail number",
  eventTypes: ["flight.arrived"],

  keys(_, arrival) {
    return arrival.tailnum;
  },

  fold(total = { count: 0, sum: 0 }, _, arrival) {
    total.count += 1;
    total.sum += arrival.air_time;
    return total;
  },
});
