/* Minutes in the air by tail number, of flights in schema version 1: what benchmarks measure. */
#include "polyfold.h"

typedef struct {
    polyfold_text tailnum;
    uint64_t air_time;
} arrival;

static const polyfold_type arrival_type =
    POLYFOLD_TYPE(arrival, POLYFOLD_OPTIONAL(arrival, tailnum), POLYFOLD_FIELD(arrival, air_time));

typedef struct {
    uint64_t count, sum;
} total;

static const polyfold_type total_type = POLYFOLD_TYPE(total, POLYFOLD_FIELD(total, count), POLYFOLD_FIELD(total, sum));

static bool keys_of(const polyfold_event *event, const void *payload, polyfold_keys *keys) {
    (void)event;
    const arrival *arrival = payload;
    if (arrival->tailnum.data) polyfold_add_key(keys, arrival->tailnum);
    return true;
}

static bool fold(void *value, const polyfold_event *event, const void *payload, polyfold_text key) {
    (void)event, (void)key;
    const arrival *arrival = payload;
    total *total = value;
    total->count++;
    total->sum += arrival->air_time;
    return true;
}

const polyfold_projection projection = {
    .name = "count-and-sum",
    .version = "0.1.0",
    .description = "flights and minutes in the air by tail number",
    .event_types = POLYFOLD_LIST("flight.arrived"),
    .payload = &arrival_type,
    .value = &total_type,
    .keys = keys_of,
    .fold = fold,
};

POLYFOLD_EXPORT_PROJECTION(projection);
