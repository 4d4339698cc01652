/* Runs a plugin natively, without Wasm: the state is in memory, and tests look into it.
 *
 *     polyfold_harness *harness = polyfold_harness_of(&revenue);
 *     polyfold_batches_of(harness, 2);
 *     assert(!polyfold_apply_event(harness, polyfold_test_event("order.placed", "{\"country\":\"FR\",\"euros\":10}")));
 *     assert(polyfold_holds(harness, "country/FR", "{\"euros\":10.0,\"orders\":1}"));
 *     polyfold_harness_free(harness);
 *
 * Compile it beside polyfold.c and the plugin's source, with any C compiler.
 */
#ifndef POLYFOLD_TESTING_H
#define POLYFOLD_TESTING_H

#include "polyfold.h"

typedef struct polyfold_harness polyfold_harness;

/* Starts with an empty state and the parameters `{}`. */
polyfold_harness *polyfold_harness_of(const polyfold_projection *projection);
polyfold_harness *polyfold_harness_of_upcaster(const polyfold_upcaster *upcaster);
void polyfold_harness_free(polyfold_harness *harness);

/* Cuts batches at this many events. A state must not depend on it: compare two harnesses. */
void polyfold_batches_of(polyfold_harness *harness, size_t events);

/* Sets the projection's parameters, JSON text, which must last as long as the harness. */
void polyfold_set_parameters(polyfold_harness *harness, const char *json);

/* Sets the rest of an event, for the plugin to ask for; it must last as long as the harness. */
void polyfold_set_envelope(polyfold_harness *harness, uint64_t sequence, const polyfold_envelope *envelope);

/* Makes an event of schema version 1 in the stream `test/1`, with a payload given as JSON. The harness gives it the next
 * sequence and version. It lasts until the program ends. */
polyfold_event polyfold_test_event(const char *event_type, const char *json);

/* Applies the events that the projection asks for, in batches. A batch that fails changes nothing, and ends it. Returns
 * NULL, or why it failed. */
const char *polyfold_apply(polyfold_harness *harness, const polyfold_event *events, size_t count);
const char *polyfold_apply_event(polyfold_harness *harness, polyfold_event event);

/* Lifts an event through every step that the upcaster has for it, as a host does. Returns NULL, or why it failed. */
const char *polyfold_upcast(polyfold_harness *harness, polyfold_event *event);

/* An entry's value as JSON, NULL if there is none; floats have a point or an exponent. A value that is no CBOR is shown
 * as it is. */
const char *polyfold_value(const polyfold_harness *harness, const char *key);
/* Whether an entry's value is this JSON, character by character; prints both if not. */
bool polyfold_holds(const polyfold_harness *harness, const char *key, const char *json);

/* The whole state: entries in the order of their keys. */
polyfold_entries polyfold_state_of(const polyfold_harness *harness);
bool polyfold_same_state(const polyfold_harness *a, const polyfold_harness *b);

/* A payload as JSON, to compare it. */
const char *polyfold_payload_json(const polyfold_event *event);
const char *polyfold_json_of(polyfold_item item);

/* What the plugin has logged, failed calls included; NULL behind the last one. */
const char *polyfold_logged(const polyfold_harness *harness, size_t index);

#endif
