/* Orders in cents: lifts order.placed from schema version 1 to 2. */
#include <math.h>

#include "polyfold.h"

static bool upcast(const polyfold_event *event, polyfold_payload *answer) {
    polyfold_fields fields;
    double euros;
    if (!polyfold_fields_of(event, &fields) || !polyfold_take_float(&fields, "euros", &euros)) return false;
    double cents = round(euros * 100); /* half a cent away from zero */
    if (!(fabs(cents) < 0x1p63)) return polyfold_fail_event(event, "%g euros are too many", euros);
    polyfold_put_int(&fields, "cents", (int64_t)cents);
    return polyfold_fields_payload(&fields, answer); /* all other fields stay, bit by bit */
}

const polyfold_upcaster upcaster = {
    .name = "{{name}}",
    .version = "0.1.0",
    .description = "orders: cents in place of euros",
    .steps = POLYFOLD_STEPS({"order.placed", 1, NULL}),
    .upcast = upcast,
};

POLYFOLD_EXPORT_UPCASTER(upcaster);
