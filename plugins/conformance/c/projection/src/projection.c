/* The conformance projection in C: see ../../../README.md, the specification. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "polyfold.h"

/* Puts what has been written under a key. */
static bool put(polyfold_text key, polyfold_writer *writer) {
    polyfold_bytes bytes;
    if (!polyfold_written(writer, &bytes)) return false;
    polyfold_state_put(key, bytes);
    return true;
}

static bool put_struct(polyfold_text key, const polyfold_type *type, const void *value) {
    polyfold_writer writer = {0};
    polyfold_write_struct(&writer, type, value);
    return put(key, &writer);
}

static polyfold_text echo_key(polyfold_text key) {
    return polyfold_format("echo/%.*s", POLYFOLD_ARG(key));
}

typedef struct {
    polyfold_text key;
    polyfold_item value;
} echo;

static const polyfold_type echo_type = POLYFOLD_TYPE(echo, POLYFOLD_FIELD(echo, key), POLYFOLD_FIELD(echo, value));

static bool apply_echo(const polyfold_event *event) {
    echo op;
    if (!polyfold_read_payload(event, &echo_type, &op)) return false;
    polyfold_state_put(echo_key(op.key), (polyfold_bytes){op.value.data, op.value.length});
    return true;
}

typedef struct {
    polyfold_text key;
} key_only;

static const polyfold_type key_type = POLYFOLD_TYPE(key_only, POLYFOLD_FIELD(key_only, key));

static bool apply_delete(const polyfold_event *event) {
    key_only op;
    if (!polyfold_read_payload(event, &key_type, &op)) return false;
    polyfold_state_delete(echo_key(op.key));
    return true;
}

typedef struct {
    polyfold_text key;
    polyfold_item int_;
    double float_;
} sum;

static const polyfold_type sum_type =
    POLYFOLD_TYPE(sum, POLYFOLD_FIELD(sum, key), POLYFOLD_MEMBER(sum, int_, "int", false),
                  POLYFOLD_MEMBER(sum, float_, "float", false));

typedef struct {
    int64_t int_;
    uint64_t count;
    double float_;
} sums;

static const polyfold_type sums_type =
    POLYFOLD_TYPE(sums, POLYFOLD_MEMBER(sums, int_, "int", false), POLYFOLD_FIELD(sums, count),
                  POLYFOLD_MEMBER(sums, float_, "float", false));

static bool apply_sum(const polyfold_event *event) {
    sum op;
    polyfold_int128 integer;
    if (!polyfold_read_payload(event, &sum_type, &op)) return false;
    if (!polyfold_get_int128(op.int_, &integer)) return polyfold_fail_event(event, "int is no integer");
    polyfold_text key = polyfold_format("sum/%.*s", POLYFOLD_ARG(op.key));
    /* Not 0.0 + float: that would lose the sign of -0.0. */
    sums sums = {0, 0, op.float_};
    polyfold_bytes stored;
    if (polyfold_state_get(key, &stored)) {
        polyfold_item item = {stored.data, stored.length};
        if (!polyfold_read_struct(item, &sums_type, &sums)) return false;
        sums.float_ += op.float_;
    }
    integer += sums.int_;
    if (integer < INT64_MIN || integer > INT64_MAX) {
        return polyfold_fail("%.*s does not fit 64 bits", POLYFOLD_ARG(key));
    }
    sums.int_ = (int64_t)integer;
    sums.count++;
    return put_struct(key, &sums_type, &sums);
}

typedef struct {
    polyfold_text key;
    int64_t a, b;
} divide;

static const polyfold_type divide_type =
    POLYFOLD_TYPE(divide, POLYFOLD_FIELD(divide, key), POLYFOLD_FIELD(divide, a), POLYFOLD_FIELD(divide, b));

static bool apply_divide(const polyfold_event *event) {
    divide op;
    if (!polyfold_read_payload(event, &divide_type, &op)) return false;
    if (op.b == 0) return polyfold_fail("division by zero");
    /* In 128 bits, because -2^63 / -1 does not fit 64. */
    polyfold_int128 a = op.a, b = op.b;
    polyfold_writer writer = {0};
    polyfold_begin_map(&writer);
    polyfold_write_key(&writer, "quotient");
    polyfold_write_int128(&writer, a / b);
    polyfold_write_key(&writer, "remainder");
    polyfold_write_int128(&writer, a % b);
    polyfold_end_map(&writer);
    return put(polyfold_format("divide/%.*s", POLYFOLD_ARG(op.key)), &writer);
}

typedef struct {
    polyfold_text key;
    polyfold_item values;
} floats;

static const polyfold_type floats_type =
    POLYFOLD_TYPE(floats, POLYFOLD_FIELD(floats, key), POLYFOLD_FIELD(floats, values));

typedef struct {
    double sum, mean, min, max, root;
} facts;

static const polyfold_type facts_type =
    POLYFOLD_TYPE(facts, POLYFOLD_FIELD(facts, sum), POLYFOLD_FIELD(facts, mean), POLYFOLD_FIELD(facts, min),
                  POLYFOLD_FIELD(facts, max), POLYFOLD_FIELD(facts, root));

/* The greater of two; NaN if one is, and 0.0 rather than -0.0. fmax passes NaN over. */
static double greater(double a, double b) {
    if (isnan(a) || isnan(b)) return NAN;
    if (a == b) return signbit(a) ? b : a;
    return a > b ? a : b;
}

static bool apply_floats(const polyfold_event *event) {
    floats op;
    if (!polyfold_read_payload(event, &floats_type, &op)) return false;
    if (polyfold_kind_of(op.values) != POLYFOLD_KIND_ARRAY) return polyfold_fail_event(event, "values is no array");
    polyfold_cursor cursor = polyfold_walk(op.values);
    polyfold_item item;
    facts facts = {0};
    size_t count = 0;
    for (; polyfold_next(&cursor, &item); count++) {
        double value;
        if (!polyfold_get_float(item, &value)) return polyfold_fail_event(event, "a value is no float");
        facts.sum = count ? facts.sum + value : value;
        facts.min = count ? -greater(-facts.min, -value) : value;
        facts.max = count ? greater(facts.max, value) : value;
        if (!count) facts.root = sqrt(fabs(value));
    }
    if (!count) return polyfold_fail("no values");
    facts.mean = facts.sum / (double)count;
    return put_struct(polyfold_format("floats/%.*s", POLYFOLD_ARG(op.key)), &facts_type, &facts);
}

typedef struct {
    polyfold_text value;
} text;

static const polyfold_type text_type = POLYFOLD_TYPE(text, POLYFOLD_FIELD(text, value));

typedef struct {
    uint64_t bytes, code_points;
} lengths;

static const polyfold_type lengths_type =
    POLYFOLD_TYPE(lengths, POLYFOLD_FIELD(lengths, bytes), POLYFOLD_FIELD(lengths, code_points));

static bool apply_text(const polyfold_event *event) {
    text op;
    if (!polyfold_read_payload(event, &text_type, &op)) return false;
    lengths lengths = {op.value.length, 0};
    /* Every byte but those that continue a code point begins one. */
    for (size_t i = 0; i < op.value.length; i++) lengths.code_points += (op.value.data[i] & 0xc0) != 0x80;
    return put_struct(polyfold_format("text/%.*s", POLYFOLD_ARG(op.value)), &lengths_type, &lengths);
}

typedef struct {
    uint32_t key_bytes, value_bytes, seed;
} large;

static const polyfold_type large_type =
    POLYFOLD_TYPE(large, POLYFOLD_FIELD(large, key_bytes), POLYFOLD_FIELD(large, value_bytes),
                  POLYFOLD_FIELD(large, seed));

static bool apply_large(const polyfold_event *event) {
    large op;
    if (!polyfold_read_payload(event, &large_type, &op)) return false;
    if (op.key_bytes < 6) return polyfold_fail("key_bytes is below 6");
    if (op.value_bytes < 65541) return polyfold_fail("value_bytes is below 65541, where the head has 5 bytes");
    char *key = polyfold_alloc(op.key_bytes);
    memset(key, 'k', op.key_bytes);
    memcpy(key, "large/", 6);
    size_t length = op.value_bytes - 5;
    uint8_t *content = polyfold_alloc(length);
    for (size_t i = 0; i < length; i++) content[i] = (uint8_t)(i * 31 + op.seed);
    polyfold_writer writer = {0};
    polyfold_write_bytes(&writer, (polyfold_bytes){content, length});
    return put((polyfold_text){key, op.key_bytes}, &writer);
}

typedef struct {
    polyfold_text prefix;
    uint32_t count;
} fill;

static const polyfold_type fill_type = POLYFOLD_TYPE(fill, POLYFOLD_FIELD(fill, prefix), POLYFOLD_FIELD(fill, count));

static bool apply_fill(const polyfold_event *event) {
    fill op;
    if (!polyfold_read_payload(event, &fill_type, &op)) return false;
    polyfold_change *changes = polyfold_alloc(op.count * sizeof *changes);
    for (uint32_t i = 0; i < op.count; i++) {
        changes[i].key = polyfold_format("fill/%.*s/%05u", POLYFOLD_ARG(op.prefix), (unsigned)i);
        changes[i].value.present = true;
        polyfold_writer writer = {0};
        polyfold_write_uint(&writer, i);
        if (!polyfold_written(&writer, &changes[i].value.bytes)) return false;
    }
    polyfold_state_write(changes, op.count);
    return true;
}

typedef struct {
    polyfold_text prefix;
    uint32_t page;
} scan;

static const polyfold_type scan_type = POLYFOLD_TYPE(scan, POLYFOLD_FIELD(scan, prefix), POLYFOLD_FIELD(scan, page));

typedef struct {
    uint64_t entries, bytes;
    uint32_t hash;
} scanned;

static const polyfold_type scanned_type =
    POLYFOLD_TYPE(scanned, POLYFOLD_FIELD(scanned, entries), POLYFOLD_FIELD(scanned, bytes),
                  POLYFOLD_FIELD(scanned, hash));

static uint32_t fnv1a(uint32_t hash, const void *data, size_t length) {
    const uint8_t *bytes = data;
    for (size_t i = 0; i < length; i++) hash = (hash ^ bytes[i]) * 16777619u;
    return hash;
}

static bool apply_scan(const polyfold_event *event) {
    scan op;
    if (!polyfold_read_payload(event, &scan_type, &op)) return false;
    scanned scanned = {0, 0, 2166136261u};
    polyfold_scan pages = polyfold_scan_all(op.prefix);
    pages.page_size = op.page;
    polyfold_entry entry;
    while (polyfold_scan_next(&pages, &entry)) {
        scanned.hash = fnv1a(scanned.hash, entry.key.data, entry.key.length);
        scanned.hash = fnv1a(scanned.hash, entry.value.data, entry.value.length);
        scanned.bytes += entry.key.length + entry.value.length;
        scanned.entries++;
    }
    return put_struct(polyfold_format("scan/%llu", (unsigned long long)event->sequence), &scanned_type, &scanned);
}

typedef struct {
    polyfold_item keys;
} many;

static const polyfold_type many_type = POLYFOLD_TYPE(many, POLYFOLD_FIELD(many, keys));

typedef struct {
    uint64_t found, bytes;
} found;

static const polyfold_type found_type =
    POLYFOLD_TYPE(found, POLYFOLD_FIELD(found, found), POLYFOLD_FIELD(found, bytes));

static bool apply_many(const polyfold_event *event) {
    many op;
    if (!polyfold_read_payload(event, &many_type, &op)) return false;
    if (polyfold_kind_of(op.keys) != POLYFOLD_KIND_ARRAY) return polyfold_fail_event(event, "keys is no array");
    polyfold_cursor cursor = polyfold_walk(op.keys);
    size_t count = (size_t)cursor.left;
    polyfold_text *keys = polyfold_alloc(count * sizeof *keys), key;
    polyfold_item item;
    for (size_t i = 0; polyfold_next(&cursor, &item); i++) {
        if (!polyfold_get_text(item, &key)) return polyfold_fail_event(event, "a key is no text");
        keys[i] = echo_key(key);
    }
    const polyfold_maybe_bytes *values = polyfold_state_get_many(keys, count);
    found found = {0, 0};
    for (size_t i = 0; i < count; i++) {
        found.found += values[i].present;
        found.bytes += values[i].present ? values[i].bytes.length : 0;
    }
    return put_struct(polyfold_format("many/%llu", (unsigned long long)event->sequence), &found_type, &found);
}

typedef struct {
    polyfold_item entries;
} write;

static const polyfold_type write_type = POLYFOLD_TYPE(write, POLYFOLD_FIELD(write, entries));

static bool change_of(const polyfold_event *event, polyfold_item pair, polyfold_change *change) {
    polyfold_cursor cursor = polyfold_walk(pair);
    bool is_pair = polyfold_kind_of(pair) == POLYFOLD_KIND_ARRAY && (cursor.left == 1 || cursor.left == 2);
    polyfold_item key_item, value;
    polyfold_text key;
    if (!is_pair || !polyfold_next(&cursor, &key_item) || !polyfold_get_text(key_item, &key)) {
        return polyfold_fail_event(event, "an entry to write is a key, and a value or none");
    }
    *change = (polyfold_change){.key = echo_key(key)};
    if (polyfold_next(&cursor, &value)) change->value = (polyfold_maybe_bytes){true, {value.data, value.length}};
    return true;
}

static bool apply_write(const polyfold_event *event) {
    write op;
    if (!polyfold_read_payload(event, &write_type, &op)) return false;
    if (polyfold_kind_of(op.entries) != POLYFOLD_KIND_ARRAY) return polyfold_fail_event(event, "entries is no array");
    polyfold_cursor cursor = polyfold_walk(op.entries);
    size_t count = (size_t)cursor.left;
    polyfold_change *changes = polyfold_alloc(count * sizeof *changes);
    polyfold_item pair;
    for (size_t i = 0; polyfold_next(&cursor, &pair); i++) {
        if (!change_of(event, pair, &changes[i])) return false;
    }
    polyfold_state_write(changes, count);
    return true;
}

static void write_text_field(polyfold_writer *writer, const char *name, polyfold_text value) {
    polyfold_write_key(writer, name);
    polyfold_write_text(writer, value);
}

static void write_maybe(polyfold_writer *writer, const char *name, polyfold_maybe_text value) {
    if (value.present) return write_text_field(writer, name, value.text);
    polyfold_write_key(writer, name);
    polyfold_write_null(writer);
}

static void write_uint_field(polyfold_writer *writer, const char *name, uint64_t value) {
    polyfold_write_key(writer, name);
    polyfold_write_uint(writer, value);
}

static bool apply_context(const polyfold_event *event) {
    const polyfold_envelope *envelope = polyfold_envelope_of(event->sequence);
    if (!envelope) return polyfold_fail_event(event, "there is no envelope");
    polyfold_writer writer = {0};
    polyfold_begin_map(&writer);
    write_text_field(&writer, "id", envelope->id);
    write_maybe(&writer, "actor", envelope->actor);
    polyfold_write_key(&writer, "occurred_at");
    if (envelope->occurred_at.present) polyfold_write_int(&writer, envelope->occurred_at.microseconds);
    else polyfold_write_null(&writer);
    write_maybe(&writer, "causation_id", envelope->causation_id);
    write_maybe(&writer, "correlation_id", envelope->correlation_id);
    polyfold_write_key(&writer, "metadata");
    polyfold_begin_map(&writer);
    for (size_t i = 0; i < envelope->metadata.count; i++) {
        polyfold_write_text(&writer, envelope->metadata.data[i].name);
        polyfold_write_text(&writer, envelope->metadata.data[i].value);
    }
    polyfold_end_map(&writer);
    polyfold_write_key(&writer, "tags");
    polyfold_write_array(&writer, envelope->tags.count);
    for (size_t i = 0; i < envelope->tags.count; i++) polyfold_write_text(&writer, envelope->tags.data[i]);
    write_uint_field(&writer, "sequence", event->sequence);
    write_text_field(&writer, "stream", event->stream);
    write_uint_field(&writer, "version", event->version);
    write_text_field(&writer, "event_type", event->event_type);
    write_uint_field(&writer, "schema_version", event->schema_version);
    write_uint_field(&writer, "recorded_at", event->recorded_at);
    polyfold_end_map(&writer);
    return put(polyfold_format("context/%llu", (unsigned long long)event->sequence), &writer);
}

static bool apply_parameters(const polyfold_event *event) {
    (void)event;
    polyfold_writer writer = {0};
    polyfold_write_text(&writer, polyfold_parameters());
    return put(POLYFOLD_TEXT("parameters"), &writer);
}

typedef struct {
    polyfold_text level, message;
} log_op;

static const polyfold_type log_type = POLYFOLD_TYPE(log_op, POLYFOLD_FIELD(log_op, level), POLYFOLD_FIELD(log_op, message));

static bool apply_log(const polyfold_event *event) {
    static const char *const levels[] = {"trace", "debug", "info", "warn", "error"};
    log_op op;
    if (!polyfold_read_payload(event, &log_type, &op)) return false;
    for (int level = POLYFOLD_TRACE; level <= POLYFOLD_ERROR; level++) {
        if (!polyfold_is(op.level, levels[level])) continue;
        polyfold_log_text((polyfold_level)level, op.message);
        return true;
    }
    return polyfold_fail("unknown level %.*s", POLYFOLD_ARG(op.level));
}

typedef struct {
    polyfold_text message;
} fail;

static const polyfold_type fail_type = POLYFOLD_TYPE(fail, POLYFOLD_FIELD(fail, message));

static bool apply_fail(const polyfold_event *event) {
    fail op;
    return polyfold_read_payload(event, &fail_type, &op) && polyfold_fail_text(op.message);
}

typedef struct {
    polyfold_text op;
} op_only;

static const polyfold_type op_type = POLYFOLD_TYPE(op_only, POLYFOLD_FIELD(op_only, op));

static bool apply_event(const polyfold_event *event) {
    static const struct {
        const char *name;
        bool (*apply)(const polyfold_event *event);
    } ops[] = {
        {"echo", apply_echo},     {"delete", apply_delete},   {"sum", apply_sum},
        {"divide", apply_divide}, {"floats", apply_floats},   {"text", apply_text},
        {"large", apply_large},   {"fill", apply_fill},       {"scan", apply_scan},
        {"many", apply_many},     {"write", apply_write},     {"context", apply_context},
        {"log", apply_log},       {"fail", apply_fail},       {"parameters", apply_parameters},
    };
    op_only op;
    if (!polyfold_read_payload(event, &op_type, &op)) return false;
    for (size_t i = 0; i < sizeof ops / sizeof *ops; i++) {
        if (polyfold_is(op.op, ops[i].name)) return ops[i].apply(event);
    }
    return polyfold_fail("unknown op %.*s", POLYFOLD_ARG(op.op));
}

static bool apply(const polyfold_event *events, size_t count) {
    return polyfold_each(events, count, apply_event);
}

const polyfold_projection projection = {
    .name = "conformance",
    .version = "1.0.0",
    .description = "what every language must make of the same events",
    .event_types = POLYFOLD_LIST("probe"),
    .views = POLYFOLD_VIEWS({"echoes", "echo/", "values as they came"}),
    .apply = apply,
};

POLYFOLD_EXPORT_PROJECTION(projection);
