// Counts flights and adds up their minutes in the air, by tail number: the projection of the benchmark.

import { keyed } from "../polyfold/index.js";

interface Arrival {
  tailnum?: string | null;
  air_time: number;
}

interface Total {
  count: number;
  sum: number;
}

export default keyed<Arrival, Total>({
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
