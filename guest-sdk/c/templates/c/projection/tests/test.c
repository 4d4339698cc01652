/* Tests of the projection: `make test` runs them natively, without a host. */
#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "testing.h"

extern const polyfold_projection projection;

static void orders_add_up(void) {
    polyfold_harness *harness = polyfold_harness_of(&projection);
    polyfold_batches_of(harness, 2);
    polyfold_event events[] = {
        polyfold_test_event("order.placed", "{\"country\": \"FR\", \"euros\": 10}"),
        polyfold_test_event("order.placed", "{\"country\": \"DE\", \"euros\": 1.25}"),
        polyfold_test_event("order.placed", "{\"country\": \"FR\", \"euros\": 2.5}"),
    };
    assert(!polyfold_apply(harness, events, 3));
    assert(polyfold_holds(harness, "country/FR", "{\"euros\":12.5,\"orders\":2}"));
    assert(polyfold_holds(harness, "country/DE", "{\"euros\":1.25,\"orders\":1}"));
    polyfold_harness_free(harness);
}

static void refused(polyfold_event event, const char *why) {
    polyfold_harness *harness = polyfold_harness_of(&projection);
    const char *failure = polyfold_apply_event(harness, event);
    assert(failure && !strcmp(failure, why));
    assert(!polyfold_state_of(harness).count);
    polyfold_harness_free(harness);
}

static void an_order_of_less_than_nothing_is_refused(void) {
    refused(polyfold_test_event("order.placed", "{\"country\": \"FR\", \"euros\": -2.5}"),
            "test/1 costs -2.5 euros, less than nothing");
}

static void another_schema_version_is_refused(void) {
    polyfold_event event = polyfold_test_event("order.placed", "{\"country\": \"FR\", \"cents\": 100}");
    event.schema_version = 2;
    refused(event, "order.placed, schema version 2: expected schema version 1: update this plugin");
}

int main(void) {
    orders_add_up();
    an_order_of_less_than_nothing_is_refused();
    another_schema_version_is_refused();
    puts("3 tests passed");
}
