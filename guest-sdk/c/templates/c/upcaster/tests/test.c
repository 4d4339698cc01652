/* Tests of the upcaster: `make test` runs them natively, without a host. */
#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "testing.h"

extern const polyfold_upcaster upcaster;

static void lifted(const char *old, const char *new) {
    polyfold_harness *harness = polyfold_harness_of_upcaster(&upcaster);
    polyfold_event event = polyfold_test_event("order.placed", old);
    assert(!polyfold_upcast(harness, &event));
    assert(!strcmp(polyfold_payload_json(&event), new));
    assert(event.schema_version == 2);
    polyfold_harness_free(harness);
}

static void euros_become_cents_and_all_else_stays(void) {
    lifted("{\"country\": \"FR\", \"euros\": 9.5, \"lines\": [1.0, 2]}", "{\"cents\":950,\"lines\":[1.0,2],\"country\":\"FR\"}");
}

static void half_a_cent_is_rounded_away_from_zero(void) {
    lifted("{\"euros\": 0.125}", "{\"cents\":13}");
    lifted("{\"euros\": -0.125}", "{\"cents\":-13}");
}

static void an_order_without_euros_is_refused(void) {
    polyfold_harness *harness = polyfold_harness_of_upcaster(&upcaster);
    polyfold_event event = polyfold_test_event("order.placed", "{\"country\": \"FR\"}");
    const char *failure = polyfold_upcast(harness, &event);
    assert(failure && !strcmp(failure, "order.placed, schema version 1: missing field \"euros\""));
    polyfold_harness_free(harness);
}

int main(void) {
    euros_become_cents_and_all_else_stays();
    half_a_cent_is_rounded_away_from_zero();
    an_order_without_euros_is_refused();
    puts("3 tests passed");
}
