/* The host's side of the ABI for native tests: a state in memory, and the harness around it. */
#include "testing.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "source/host.h"

/* The ABI's limits, which a host enforces by a trap. */
#define KEY_BYTES_MAX 1024
#define VALUE_BYTES_MAX (1024 * 1024)
#define SCAN_PAGE_MAX 1000
#define SCAN_BYTES_MAX (4 * 1024 * 1024)
#define EVENTS_PER_CALL_MAX 8192

/* Entries in the order of their keys; it owns their memory. */
typedef struct {
    polyfold_entry *data;
    size_t count, capacity;
} entries;

struct polyfold_harness {
    const polyfold_projection *projection;
    const polyfold_upcaster *upcaster;
    entries state;
    const char *parameters;
    size_t batch_size;
    uint64_t head;
    struct {
        uint64_t sequence;
        const polyfold_envelope *envelope;
    } envelopes[64];
    size_t envelope_count;
    /* How many events each stream has had. */
    struct {
        char *stream;
        uint64_t version;
    } streams[64];
    size_t stream_count;
    char *logs[100];
    size_t log_count;
};

/* The harness whose call is in hand. */
static polyfold_harness *host;

static void *copy_of(const void *data, size_t length) {
    char *copy = malloc(length + 1);
    assert(copy);
    if (length) memcpy(copy, data, length);
    copy[length] = 0;
    return copy;
}

static int compare_texts(polyfold_text a, polyfold_text b) {
    int order = memcmp(a.data, b.data, a.length < b.length ? a.length : b.length);
    return order ? order : (a.length > b.length) - (a.length < b.length);
}

/* The place of the first entry whose key is not below this one. */
static size_t lower_bound(const entries *state, polyfold_text key) {
    size_t low = 0, high = state->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (compare_texts(state->data[middle].key, key) < 0) low = middle + 1;
        else high = middle;
    }
    return low;
}

static bool there(const entries *state, size_t at, polyfold_text key) {
    return at < state->count && polyfold_equal(state->data[at].key, key);
}

static void free_entry(polyfold_entry *entry) {
    free((void *)entry->key.data);
    free((void *)entry->value.data);
}

static void set(entries *state, polyfold_text key, polyfold_maybe_bytes value) {
    size_t at = lower_bound(state, key), behind = state->count - at;
    bool found = there(state, at, key);
    if (found) free_entry(&state->data[at]);
    if (found && !value.present) {
        memmove(&state->data[at], &state->data[at + 1], (behind - 1) * sizeof *state->data);
        state->count--;
    }
    if (!value.present) return;
    if (!found) {
        if (state->count == state->capacity) {
            state->capacity = state->capacity ? state->capacity * 2 : 64;
            state->data = realloc(state->data, state->capacity * sizeof *state->data);
            assert(state->data);
        }
        memmove(&state->data[at + 1], &state->data[at], behind * sizeof *state->data);
        state->count++;
    }
    state->data[at] = (polyfold_entry){{copy_of(key.data, key.length), key.length},
                                       {copy_of(value.bytes.data, value.bytes.length), value.bytes.length}};
}

static void free_entries(entries *state) {
    for (size_t i = 0; i < state->count; i++) free_entry(&state->data[i]);
    free(state->data);
    *state = (entries){0};
}

static entries copy_entries(const entries *state) {
    entries copy = {0};
    for (size_t i = 0; i < state->count; i++) set(&copy, state->data[i].key, (polyfold_maybe_bytes){true, state->data[i].value});
    return copy;
}

/* ---- What the plugin imports ---- */

static void check_key(size_t length) {
    if (length >= 1 && length <= KEY_BYTES_MAX) return;
    fprintf(stderr, "a key has %zu bytes, it must have 1 to %d\n", length, KEY_BYTES_MAX);
    abort();
}

static void change(polyfold_text key, polyfold_maybe_bytes value) {
    check_key(key.length);
    if (value.present && value.bytes.length > VALUE_BYTES_MAX) {
        fprintf(stderr, "the value of %.*s has %zu bytes, more than %d\n", POLYFOLD_ARG(key), value.bytes.length, VALUE_BYTES_MAX);
        abort();
    }
    set(&host->state, key, value);
}

static polyfold_bytes handed_over(polyfold_bytes bytes) {
    uint8_t *copy = polyfold_alloc(bytes.length);
    if (bytes.length) memcpy(copy, bytes.data, bytes.length);
    return (polyfold_bytes){copy, bytes.length};
}

static polyfold_text text_handed_over(polyfold_text text) {
    polyfold_bytes bytes = handed_over((polyfold_bytes){(const uint8_t *)text.data, text.length});
    return (polyfold_text){(const char *)bytes.data, bytes.length};
}

void polyfold_host_get(const char *key, size_t length, polyfold_maybe_bytes *answer) {
    check_key(length);
    polyfold_text name = {key, length};
    size_t at = lower_bound(&host->state, name);
    *answer = (polyfold_maybe_bytes){0};
    if (there(&host->state, at, name)) *answer = (polyfold_maybe_bytes){true, handed_over(host->state.data[at].value)};
}

void polyfold_host_get_many(const polyfold_text *keys, size_t count, host_values *answer) {
    polyfold_maybe_bytes *values = polyfold_alloc(count * sizeof *values);
    for (size_t i = 0; i < count; i++) polyfold_host_get(keys[i].data, keys[i].length, &values[i]);
    *answer = (host_values){values, count};
}

void polyfold_host_put(const char *key, size_t key_length, const uint8_t *value, size_t value_length) {
    change((polyfold_text){key, key_length}, (polyfold_maybe_bytes){true, {value, value_length}});
}

void polyfold_host_delete(const char *key, size_t length) {
    change((polyfold_text){key, length}, (polyfold_maybe_bytes){0});
}

void polyfold_host_write(const polyfold_change *changes, size_t count) {
    for (size_t i = 0; i < count; i++) change(changes[i].key, changes[i].value);
}

static bool starts_with(polyfold_text text, polyfold_text prefix) {
    return text.length >= prefix.length && !memcmp(text.data, prefix.data, prefix.length);
}

void polyfold_host_scan(const char *prefix, size_t prefix_length, int has_after, const char *after,
                        size_t after_length, uint32_t limit, polyfold_entries *answer) {
    polyfold_text start = {prefix, prefix_length}, behind = {after, after_length};
    size_t at = lower_bound(&host->state, start), bytes = 0, count = 0;
    if (has_after && compare_texts(behind, start) >= 0) {
        at = lower_bound(&host->state, behind);
        if (there(&host->state, at, behind)) at++;
    }
    if (limit > SCAN_PAGE_MAX) limit = SCAN_PAGE_MAX;
    polyfold_entry *page = polyfold_alloc(limit * sizeof *page);
    for (; count < limit && bytes < SCAN_BYTES_MAX && at < host->state.count; at++, count++) {
        const polyfold_entry *entry = &host->state.data[at];
        if (!starts_with(entry->key, start)) break;
        page[count] = (polyfold_entry){text_handed_over(entry->key), handed_over(entry->value)};
        bytes += entry->key.length + entry->value.length;
    }
    *answer = (polyfold_entries){page, count};
}

void polyfold_host_envelope_of(uint64_t sequence, host_maybe_envelope *answer) {
    *answer = (host_maybe_envelope){0};
    for (size_t i = 0; i < host->envelope_count; i++) {
        if (host->envelopes[i].sequence == sequence) *answer = (host_maybe_envelope){true, *host->envelopes[i].envelope};
    }
}

void polyfold_host_parameters(polyfold_text *answer) {
    *answer = polyfold_text_of(host->parameters);
}

void polyfold_host_log(int level, const char *message, size_t length) {
    static const char *const names[] = {"trace", "debug", "info", "warn", "error"};
    size_t room = sizeof host->logs / sizeof *host->logs;
    if (!host || host->log_count == room) return;
    char *line = malloc(length + 16);
    assert(line);
    snprintf(line, length + 16, "%s: %.*s", names[level], (int)length, message);
    host->logs[host->log_count++] = line;
}

/* ---- The harness ---- */

static polyfold_harness *new_harness(const polyfold_projection *projection, const polyfold_upcaster *upcaster) {
    polyfold_harness *harness = calloc(1, sizeof *harness);
    assert(harness);
    harness->projection = projection;
    harness->upcaster = upcaster;
    harness->parameters = "{}";
    harness->batch_size = EVENTS_PER_CALL_MAX;
    return harness;
}

polyfold_harness *polyfold_harness_of(const polyfold_projection *projection) {
    return new_harness(projection, NULL);
}

polyfold_harness *polyfold_harness_of_upcaster(const polyfold_upcaster *upcaster) {
    return new_harness(NULL, upcaster);
}

void polyfold_harness_free(polyfold_harness *harness) {
    free_entries(&harness->state);
    for (size_t i = 0; i < harness->stream_count; i++) free(harness->streams[i].stream);
    for (size_t i = 0; i < harness->log_count; i++) free(harness->logs[i]);
    free(harness);
}

void polyfold_batches_of(polyfold_harness *harness, size_t events) {
    harness->batch_size = events < 1 ? 1 : events > EVENTS_PER_CALL_MAX ? EVENTS_PER_CALL_MAX : events;
}

void polyfold_set_parameters(polyfold_harness *harness, const char *json) {
    harness->parameters = json;
}

void polyfold_set_envelope(polyfold_harness *harness, uint64_t sequence, const polyfold_envelope *envelope) {
    assert(harness->envelope_count < sizeof harness->envelopes / sizeof *harness->envelopes);
    harness->envelopes[harness->envelope_count].sequence = sequence;
    harness->envelopes[harness->envelope_count++].envelope = envelope;
}

polyfold_event polyfold_test_event(const char *event_type, const char *json) {
    polyfold_item item;
    if (!polyfold_from_json(polyfold_text_of(json), &item)) {
        polyfold_text why = polyfold_failure();
        fprintf(stderr, "%.*s: %s\n", POLYFOLD_ARG(why), json);
        abort();
    }
    return (polyfold_event){
        .stream = POLYFOLD_TEXT("test/1"),
        .event_type = polyfold_text_of(event_type),
        .schema_version = 1,
        .payload = {POLYFOLD_CBOR, {copy_of(item.data, item.length), item.length}},
    };
}

/* Gives an event the place in log and stream that it does not have yet. */
static void place(polyfold_harness *harness, polyfold_event *event) {
    size_t i = 0;
    while (i < harness->stream_count && !polyfold_is(event->stream, harness->streams[i].stream)) i++;
    if (i == harness->stream_count) {
        assert(i < sizeof harness->streams / sizeof *harness->streams);
        harness->streams[harness->stream_count++].stream = copy_of(event->stream.data, event->stream.length);
    }
    uint64_t *version = &harness->streams[i].version;
    event->version = *version = event->version ? event->version : *version + 1;
    event->sequence = harness->head = event->sequence ? event->sequence : harness->head + 1;
}

static bool wants(const char *const *list, polyfold_text name) {
    for (size_t i = 0; list && list[i]; i++) {
        if (polyfold_is(name, list[i])) return true;
    }
    return !list || !list[0];
}

/* The failure kept last. It lasts as long as the failure itself. */
static const char *why_it_failed(void) {
    static char text[16 * 1024 + 1];
    polyfold_text failure = polyfold_failure();
    memcpy(text, failure.data, failure.length);
    text[failure.length] = 0;
    return text;
}

/* Makes one call; what it allocated is given back, and what it changed if it failed. */
static const char *call(polyfold_harness *harness, const polyfold_event *events, size_t count) {
    entries before = copy_entries(&harness->state);
    polyfold_place memory = polyfold_mark();
    host = harness;
    bool done = polyfold_run_projection(harness->projection, events, count);
    host = NULL;
    polyfold_release(memory);
    entries *dropped = done ? &before : &harness->state;
    free_entries(dropped);
    if (!done) harness->state = before;
    return done ? NULL : why_it_failed();
}

const char *polyfold_apply(polyfold_harness *harness, const polyfold_event *events, size_t count) {
    polyfold_event *wanted = malloc((count + 1) * sizeof *wanted);
    assert(wanted);
    size_t wanted_count = 0;
    for (size_t i = 0; i < count; i++) {
        polyfold_event event = events[i];
        place(harness, &event);
        bool is_wanted = wants(harness->projection->event_types, event.event_type) &&
                         wants(harness->projection->categories, polyfold_category(&event));
        if (is_wanted) wanted[wanted_count++] = event;
    }
    const char *failure = NULL;
    for (size_t at = 0; at < wanted_count && !failure; at += harness->batch_size) {
        size_t left = wanted_count - at;
        failure = call(harness, wanted + at, left < harness->batch_size ? left : harness->batch_size);
    }
    free(wanted);
    return failure;
}

const char *polyfold_apply_event(polyfold_harness *harness, polyfold_event event) {
    return polyfold_apply(harness, &event, 1);
}

static const polyfold_step *step_for(const polyfold_upcaster *upcaster, const polyfold_event *event) {
    for (const polyfold_step *step = upcaster->steps; step->event_type; step++) {
        if (step->schema_version == event->schema_version && polyfold_is(event->event_type, step->event_type)) return step;
    }
    return NULL;
}

const char *polyfold_upcast(polyfold_harness *harness, polyfold_event *event) {
    place(harness, event);
    const polyfold_step *step;
    while ((step = step_for(harness->upcaster, event))) {
        host = harness;
        const abi_result *result = polyfold_call_upcaster(harness->upcaster, event, 1);
        host = NULL;
        if (result->is_error) return why_it_failed();
        event->payload = *(const polyfold_payload *)result->data;
        event->schema_version++;
        if (step->new_event_type) event->event_type = polyfold_text_of(step->new_event_type);
    }
    return NULL;
}

/* ---- What tests look at ---- */

static char *print_text(char *out, polyfold_text text) {
    *out++ = '"';
    for (size_t i = 0; i < text.length; i++) {
        unsigned char c = (unsigned char)text.data[i];
        if (c == '"' || c == '\\') *out++ = '\\', *out++ = (char)c;
        else if (c < 0x20) out += sprintf(out, "\\u%04x", c);
        else *out++ = (char)c;
    }
    *out++ = '"';
    return out;
}

/* The fewest digits that read back as the same float. */
static char *print_float(char *out, double value) {
    if (!isfinite(value)) return out + sprintf(out, "%s", isnan(value) ? "NaN" : value < 0 ? "-Infinity" : "Infinity");
    char *start = out;
    for (int digits = 1; digits <= 17; digits++) {
        out = start + sprintf(start, "%.*g", digits, value);
        if (strtod(start, NULL) == value) break;
    }
    return strpbrk(start, ".e") ? out : out + sprintf(out, ".0");
}

static char *print_integer(char *out, polyfold_int128 value) {
    if (value < 0) *out++ = '-';
    polyfold_int128 magnitude = value < 0 ? -value : value;
    if (magnitude > UINT64_MAX) return out + sprintf(out, "18446744073709551616");
    return out + sprintf(out, "%llu", (unsigned long long)magnitude);
}

static char *print(char *out, polyfold_item item) {
    polyfold_cursor cursor = polyfold_walk(item);
    polyfold_item key, value;
    polyfold_text text;
    polyfold_bytes bytes;
    polyfold_int128 integer;
    double number;
    const char *comma = "";
    switch (polyfold_kind_of(item)) {
    case POLYFOLD_KIND_INTEGER: return polyfold_get_int128(item, &integer), print_integer(out, integer);
    case POLYFOLD_KIND_FLOAT: return polyfold_get_float(item, &number), print_float(out, number);
    case POLYFOLD_KIND_TEXT:
        if (!polyfold_get_text(item, &text)) text = POLYFOLD_TEXT("(no UTF-8)");
        return print_text(out, text);
    case POLYFOLD_KIND_BYTES:
        polyfold_get_bytes(item, &bytes);
        out += sprintf(out, "h'");
        for (size_t i = 0; i < bytes.length; i++) out += sprintf(out, "%02x", bytes.data[i]);
        return out + sprintf(out, "'");
    case POLYFOLD_KIND_ARRAY:
        *out++ = '[';
        for (; polyfold_next(&cursor, &value); comma = ",") out = print(out + sprintf(out, "%s", comma), value);
        *out++ = ']';
        return out;
    case POLYFOLD_KIND_MAP:
        *out++ = '{';
        for (; polyfold_next_entry(&cursor, &key, &value); comma = ",") {
            out = print(out + sprintf(out, "%s", comma), key);
            *out++ = ':';
            out = print(out, value);
        }
        *out++ = '}';
        return out;
    case POLYFOLD_KIND_BOOL: return out + sprintf(out, "%s", item.data[0] == 0xf5 ? "true" : "false");
    case POLYFOLD_KIND_NULL: return out + sprintf(out, "null");
    default: return out + sprintf(out, "(another value)");
    }
}

const char *polyfold_json_of(polyfold_item item) {
    /* No item of n bytes is longer than this: a byte of text becomes at most six, a half-precision float 24. */
    char *text = polyfold_alloc(item.length * 16 + 64);
    *print(text, item) = 0;
    return text;
}

static const char *json_of_bytes(polyfold_bytes bytes) {
    polyfold_item item;
    if (polyfold_item_of(bytes, &item)) return polyfold_json_of(item);
    char *text = polyfold_alloc(bytes.length + 1);
    memcpy(text, bytes.data, bytes.length);
    return text;
}

const char *polyfold_payload_json(const polyfold_event *event) {
    return json_of_bytes(event->payload.bytes);
}

const char *polyfold_value(const polyfold_harness *harness, const char *key) {
    polyfold_text name = polyfold_text_of(key);
    size_t at = lower_bound(&harness->state, name);
    return there(&harness->state, at, name) ? json_of_bytes(harness->state.data[at].value) : NULL;
}

bool polyfold_holds(const polyfold_harness *harness, const char *key, const char *json) {
    const char *found = polyfold_value(harness, key);
    if (found && !strcmp(found, json)) return true;
    fprintf(stderr, "entry %s\n  should be %s\n  but is    %s\n", key, json, found ? found : "not there");
    return false;
}

polyfold_entries polyfold_state_of(const polyfold_harness *harness) {
    return (polyfold_entries){harness->state.data, harness->state.count};
}

bool polyfold_same_state(const polyfold_harness *a, const polyfold_harness *b) {
    bool same = a->state.count == b->state.count;
    for (size_t i = 0; same && i < a->state.count; i++) {
        polyfold_entry x = a->state.data[i], y = b->state.data[i];
        same = polyfold_equal(x.key, y.key) && x.value.length == y.value.length &&
               !memcmp(x.value.data, y.value.data, x.value.length);
    }
    return same;
}

const char *polyfold_logged(const polyfold_harness *harness, size_t index) {
    return index < harness->log_count ? harness->logs[index] : NULL;
}
