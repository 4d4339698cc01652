/* What each country has ordered: a projection of order.placed events. */
#include "polyfold.h"

/* What is read from an event's payload. */
typedef struct {
    polyfold_text country;
    double euros;
} order;

static const polyfold_type order_type = POLYFOLD_TYPE(order, POLYFOLD_FIELD(order, country), POLYFOLD_FIELD(order, euros));

/* What is kept for a country. It starts as zeroes. */
typedef struct {
    int64_t orders;
    double euros;
} country;

static const polyfold_type country_type =
    POLYFOLD_TYPE(country, POLYFOLD_FIELD(country, orders), POLYFOLD_FIELD(country, euros));

static bool read_order(const polyfold_event *event, void *order) {
    return polyfold_expect_schema_version(event, 1, "update this plugin") &&
           polyfold_read_payload(event, &order_type, order);
}

static bool keys_of(const polyfold_event *event, const void *payload, polyfold_keys *keys) {
    const order *order = payload;
    if (order->euros < 0) {
        return polyfold_fail("%.*s costs %g euros, less than nothing", POLYFOLD_ARG(event->stream), order->euros);
    }
    polyfold_format_key(keys, "country/%.*s", POLYFOLD_ARG(order->country));
    return true;
}

static bool fold_order(void *value, const polyfold_event *event, const void *payload, polyfold_text key) {
    (void)event, (void)key;
    const order *order = payload;
    country *country = value;
    country->orders++;
    country->euros += order->euros;
    return true;
}

const polyfold_projection projection = {
    .name = "{{name}}",
    .version = "0.1.0",
    .description = "what each country has ordered",
    .event_types = POLYFOLD_LIST("order.placed"),
    .views = POLYFOLD_VIEWS({"countries", "country/", "orders and euros by country"}),
    .payload = &order_type,
    .value = &country_type,
    .read = read_order,
    .keys = keys_of,
    .fold = fold_order,
};

POLYFOLD_EXPORT_PROJECTION(projection);
