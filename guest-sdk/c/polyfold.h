/* Write plugins for polyfold in C: all that a plugin's source file needs.
 *
 * A projection folds events into state, an upcaster lifts old events into a newer shape. Both are
 * described by a constant struct of functions, which one macro exports. README.md has complete examples.
 *
 * Memory: everything that the kit returns lies in an arena that ends with the call, so nothing is freed.
 * A plugin that reads more than fits gives it back with `polyfold_mark` and `polyfold_release`, or folds
 * with `polyfold_each`, which does that after every event.
 *
 * Errors: functions that can fail return false and have kept a text, mostly by `polyfold_fail`. Returning
 * false refuses the event, with that text as the reason.
 */
#ifndef POLYFOLD_H
#define POLYFOLD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ---- Text and bytes ---- */

/* UTF-8 text, without a NUL at its end. */
typedef struct {
    const char *data;
    size_t length;
} polyfold_text;

typedef struct {
    const uint8_t *data;
    size_t length;
} polyfold_bytes;

/* Bytes, or none. */
typedef struct {
    bool present;
    polyfold_bytes bytes;
} polyfold_maybe_bytes;

typedef struct {
    bool present;
    polyfold_text text;
} polyfold_maybe_text;

/* A literal as a text, and a text as the two arguments of `%.*s`. */
#define POLYFOLD_TEXT(literal) ((polyfold_text){"" literal, sizeof(literal) - 1})
#define POLYFOLD_ARG(text) (int)(text).length, (text).data

#ifdef __GNUC__
#define POLYFOLD_PRINTF(text, arguments) __attribute__((format(printf, text, arguments)))
#else
#define POLYFOLD_PRINTF(text, arguments)
#endif

polyfold_text polyfold_text_of(const char *text);
bool polyfold_equal(polyfold_text a, polyfold_text b);
bool polyfold_is(polyfold_text text, const char *other);

/* Formats as printf does: %s %.*s %c %d %u %x with l, ll and z, %f and %g with a precision, all with a width (%05u);
 * no other flags. */
polyfold_text polyfold_format(const char *format, ...) POLYFOLD_PRINTF(1, 2);

/* ---- Memory ---- */

/* Returns zeroed memory that lasts for the call; never NULL. */
void *polyfold_alloc(size_t size);

typedef struct {
    void *chunk;
    char *top;
} polyfold_place;

/* What is allocated or read between the two is given back, so nothing may point to it any more. */
polyfold_place polyfold_mark(void);
void polyfold_release(polyfold_place place);

/* ---- Errors and messages ---- */

/* Refuses the event, with this text as the reason; returns false. Up to 16 KiB are kept. */
bool polyfold_fail(const char *format, ...) POLYFOLD_PRINTF(1, 2);
bool polyfold_fail_text(polyfold_text message);

typedef enum { POLYFOLD_TRACE, POLYFOLD_DEBUG, POLYFOLD_INFO, POLYFOLD_WARN, POLYFOLD_ERROR } polyfold_level;

/* Messages are kept with a fault of the call and dropped otherwise: 4 KiB each, 100 in a call.
 * A failed `assert` logs its file and line at level error, then traps. */
void polyfold_log(polyfold_level level, const char *format, ...) POLYFOLD_PRINTF(2, 3);
void polyfold_log_text(polyfold_level level, polyfold_text message);

/* ---- Events ---- */

typedef enum { POLYFOLD_CBOR, POLYFOLD_JSON } polyfold_payload_encoding;

typedef struct {
    uint8_t encoding; /* polyfold_payload_encoding */
    polyfold_bytes bytes;
} polyfold_payload;

typedef struct {
    uint64_t sequence;       /* position in the log: 1, 2, 3 ... */
    polyfold_text stream;    /* `category/name` */
    uint64_t version;        /* position in the stream */
    polyfold_text event_type;
    uint32_t schema_version; /* of the payload's shape, from 1 */
    uint64_t recorded_at;    /* microseconds since 1970 */
    polyfold_payload payload;
} polyfold_event;

/* The stream's name before and behind the first `/`. */
polyfold_text polyfold_category(const polyfold_event *event);
polyfold_text polyfold_stream_name(const polyfold_event *event);

/* Refuses an event of another schema version, telling the way out, for example which upcaster to install. */
bool polyfold_expect_schema_version(const polyfold_event *event, uint32_t version, const char *way_out);

/* Refuses the event: its type and schema version, then the message. Returns false. */
bool polyfold_fail_event(const polyfold_event *event, const char *format, ...) POLYFOLD_PRINTF(2, 3);

/* ---- Reading CBOR ---- */

/* One CBOR item, known to be well-formed: what `polyfold_item_of` and the functions behind it give. */
typedef struct {
    const uint8_t *data;
    size_t length;
} polyfold_item;

typedef enum {
    POLYFOLD_KIND_INTEGER,
    POLYFOLD_KIND_FLOAT,
    POLYFOLD_KIND_BYTES,
    POLYFOLD_KIND_TEXT,
    POLYFOLD_KIND_ARRAY,
    POLYFOLD_KIND_MAP,
    POLYFOLD_KIND_BOOL,
    POLYFOLD_KIND_NULL,
    POLYFOLD_KIND_TAG,
    POLYFOLD_KIND_OTHER,
} polyfold_kind;

__extension__ typedef __int128 polyfold_int128;

/* Takes bytes that are one item of CBOR, whole. False, without a failure kept, if they are not. */
bool polyfold_item_of(polyfold_bytes bytes, polyfold_item *item);

/* The payload as an item; refuses the event if it is not CBOR. */
bool polyfold_payload_item(const polyfold_event *event, polyfold_item *item);

polyfold_kind polyfold_kind_of(polyfold_item item);

/* Typed values. False, without a failure kept, if the item is another kind or does not fit. A whole number is a
 * float, too; an integer of CBOR goes from -2^64 to 2^64 - 1. */
bool polyfold_get_int(polyfold_item item, int64_t *value);
bool polyfold_get_uint(polyfold_item item, uint64_t *value);
bool polyfold_get_int128(polyfold_item item, polyfold_int128 *value);
bool polyfold_get_float(polyfold_item item, double *value);
bool polyfold_get_bool(polyfold_item item, bool *value);
bool polyfold_get_text(polyfold_item item, polyfold_text *value);
bool polyfold_get_bytes(polyfold_item item, polyfold_bytes *value);

/* The value of a map's text key; false if the item is no map or has no such key. */
bool polyfold_find(polyfold_item map, const char *key, polyfold_item *value);

/* Walks through an array or a map:
 *     polyfold_cursor cursor = polyfold_walk(array);
 *     while (polyfold_next(&cursor, &element)) ...          polyfold_next_entry(&cursor, &key, &value)
 * Anything else is walked as if it were empty. */
typedef struct {
    const uint8_t *at, *end;
    uint64_t left;
} polyfold_cursor;

polyfold_cursor polyfold_walk(polyfold_item item);
bool polyfold_next(polyfold_cursor *cursor, polyfold_item *element);
bool polyfold_next_entry(polyfold_cursor *cursor, polyfold_item *key, polyfold_item *value);

/* ---- Writing canonical CBOR (RFC 8949, 4.2.1) ---- */

/* Starts as `polyfold_writer writer = {0};`. Integers and floats take their shortest form, the entries of a map are put
 * into order when it ends. */
typedef struct {
    uint8_t *data;
    size_t length, capacity;
    const char *problem;
    unsigned depth;
    size_t starts[128];
} polyfold_writer;

void polyfold_write_null(polyfold_writer *writer);
void polyfold_write_bool(polyfold_writer *writer, bool value);
void polyfold_write_int(polyfold_writer *writer, int64_t value);
void polyfold_write_uint(polyfold_writer *writer, uint64_t value);
void polyfold_write_int128(polyfold_writer *writer, polyfold_int128 value);
void polyfold_write_float(polyfold_writer *writer, double value);
void polyfold_write_text(polyfold_writer *writer, polyfold_text value);
void polyfold_write_bytes(polyfold_writer *writer, polyfold_bytes value);
void polyfold_write_item(polyfold_writer *writer, polyfold_item value);
/* Then come `count` elements. */
void polyfold_write_array(polyfold_writer *writer, size_t count);
/* Between the two come keys, each with its value. */
void polyfold_begin_map(polyfold_writer *writer);
void polyfold_write_key(polyfold_writer *writer, const char *key);
void polyfold_end_map(polyfold_writer *writer);

/* What has been written. Keeps a failure if a map has a key twice, or ends where none began. */
bool polyfold_written(polyfold_writer *writer, polyfold_bytes *bytes);

/* ---- Structs as CBOR maps ---- */

typedef enum {
    POLYFOLD_FIELD_INT,
    POLYFOLD_FIELD_UINT,
    POLYFOLD_FIELD_INT32,
    POLYFOLD_FIELD_UINT32,
    POLYFOLD_FIELD_FLOAT,
    POLYFOLD_FIELD_BOOL,
    POLYFOLD_FIELD_TEXT,
    POLYFOLD_FIELD_BYTES,
    POLYFOLD_FIELD_ITEM,
} polyfold_field_kind;

typedef struct {
    const char *name;
    uint32_t name_length, offset;
    polyfold_field_kind kind;
    bool optional;
} polyfold_field;

/* Which entries of a map the members of a struct are: at most 64. Fields that it does not name are passed over. */
typedef struct {
    size_t size;
    const polyfold_field *fields;
    size_t count;
    /* In place of fields, for values that are no flat map. `read` returns false if the item is something else. */
    bool (*read)(polyfold_item item, void *value);
    void (*write)(polyfold_writer *writer, const void *value);
} polyfold_type;

#define POLYFOLD_KIND(member)                                                                                          \
    _Generic((member),                                                                                                 \
        int64_t: POLYFOLD_FIELD_INT,                                                                                   \
        uint64_t: POLYFOLD_FIELD_UINT,                                                                                 \
        int32_t: POLYFOLD_FIELD_INT32,                                                                                 \
        uint32_t: POLYFOLD_FIELD_UINT32,                                                                               \
        double: POLYFOLD_FIELD_FLOAT,                                                                                  \
        bool: POLYFOLD_FIELD_BOOL,                                                                                     \
        polyfold_text: POLYFOLD_FIELD_TEXT,                                                                            \
        polyfold_bytes: POLYFOLD_FIELD_BYTES,                                                                          \
        polyfold_item: POLYFOLD_FIELD_ITEM)

#define POLYFOLD_MEMBER(type, member, name, optional)                                                                  \
    {name, sizeof(name) - 1, offsetof(type, member), POLYFOLD_KIND(((type *)0)->member), optional}

/* A member that must be there, under its own name. */
#define POLYFOLD_FIELD(type, member) POLYFOLD_MEMBER(type, member, #member, false)
/* A member that stays zero (a text or item: NULL) where the field is absent or null. */
#define POLYFOLD_OPTIONAL(type, member) POLYFOLD_MEMBER(type, member, #member, true)

/* static const polyfold_type order_type = POLYFOLD_TYPE(order, POLYFOLD_FIELD(order, country), ...); */
#define POLYFOLD_TYPE(type, ...)                                                                                       \
    {sizeof(type), (const polyfold_field[]){__VA_ARGS__},                                                              \
     sizeof((const polyfold_field[]){__VA_ARGS__}) / sizeof(polyfold_field), NULL, NULL}

/* A type with functions of its own for reading and writing. */
#define POLYFOLD_CUSTOM_TYPE(type, read, write) {sizeof(type), NULL, 0, read, write}

/* Reads the payload into a struct; refuses the event, naming the field, if it is another shape. Texts point into the
 * event. */
bool polyfold_read_payload(const polyfold_event *event, const polyfold_type *type, void *value);

/* The same for any item: keeps a failure that names the field. */
bool polyfold_read_struct(polyfold_item item, const polyfold_type *type, void *value);
void polyfold_write_struct(polyfold_writer *writer, const polyfold_type *type, const void *value);

/* ---- State ---- */

/* Entries ordered by key: keys of 1 to 1,024 bytes, values of at most 1 MiB. Reads see the writes of the same call.
 * What breaks a limit traps. A host call costs some 0.3 us, so get_many and write beat get and put in a loop. */

typedef struct {
    polyfold_text key;
    polyfold_maybe_bytes value; /* not present: deletes the key */
} polyfold_change;

typedef struct {
    polyfold_text key;
    polyfold_bytes value;
} polyfold_entry;

typedef struct {
    const polyfold_entry *data;
    size_t count;
} polyfold_entries;

/* False if there is no such entry. */
bool polyfold_state_get(polyfold_text key, polyfold_bytes *value);
/* Returns `count` values, in the order of their keys: one host call. At most 64 MiB together. */
const polyfold_maybe_bytes *polyfold_state_get_many(const polyfold_text *keys, size_t count);
void polyfold_state_put(polyfold_text key, polyfold_bytes value);
void polyfold_state_delete(polyfold_text key);
/* Makes many changes, in their order: one host call. */
void polyfold_state_write(const polyfold_change *changes, size_t count);
/* A page: at most `limit` entries (never more than 1,000 or 4 MiB) whose key starts with `prefix`, behind the key
 * `after` if it is not NULL. Only an empty page is the last. */
polyfold_entries polyfold_state_scan(polyfold_text prefix, const polyfold_text *after, uint32_t limit);

/* All entries with a prefix, over all pages:
 *     polyfold_scan scan = polyfold_scan_all(prefix);
 *     while (polyfold_scan_next(&scan, &entry)) ...
 * An entry is valid until the next one is asked for: pages share one piece of memory. */
typedef struct {
    polyfold_text prefix;
    uint32_t page_size; /* entries asked for at once; 1,000 to begin with */
    polyfold_entries page;
    size_t next;
    bool started;
    char *after;
    size_t after_length;
    char *buffer;
    size_t capacity, wanted;
} polyfold_scan;

polyfold_scan polyfold_scan_all(polyfold_text prefix);
bool polyfold_scan_next(polyfold_scan *scan, polyfold_entry *entry);

/* ---- Context ---- */

typedef struct {
    polyfold_text name, value;
} polyfold_metadata;

/* The fields of an event that polyfold_event leaves out. */
typedef struct {
    polyfold_text id;
    struct {
        bool present;
        int64_t microseconds;
    } occurred_at;
    polyfold_maybe_text actor, causation_id, correlation_id;
    struct {
        const polyfold_metadata *data;
        size_t count;
    } metadata;
    struct {
        const polyfold_text *data;
        size_t count;
    } tags;
} polyfold_envelope;

/* NULL for an event that is not of this call. */
const polyfold_envelope *polyfold_envelope_of(uint64_t sequence);

/* The projection's parameters: a JSON object as its owner gave it, `{}` if none were given. `polyfold_parameters_item`
 * makes CBOR of it, to be read as a payload is; it keeps a failure if that cannot be. */
polyfold_text polyfold_parameters(void);
bool polyfold_parameters_item(polyfold_item *item);

/* Makes CBOR of JSON text. Numbers without point and exponent become integers. Keeps a failure if it is no JSON. */
bool polyfold_from_json(polyfold_text json, polyfold_item *item);

/* ---- Projections ---- */

typedef enum {
    POLYFOLD_STATE_CBOR,
    POLYFOLD_STATE_JSON,
    POLYFOLD_STATE_TEXT,
    POLYFOLD_STATE_BYTES,
} polyfold_state_encoding;

/* A name for the keys that start with a prefix. */
typedef struct {
    const char *name, *prefix, *description;
} polyfold_view;

/* Collects the keys that an event belongs to. */
typedef struct polyfold_keys polyfold_keys;
void polyfold_add_key(polyfold_keys *keys, polyfold_text key);
void polyfold_format_key(polyfold_keys *keys, const char *format, ...) POLYFOLD_PRINTF(2, 3);

/* A projection: what it says of itself, then either `apply`, or `keys` and `fold` with the types that they use. */
typedef struct {
    const char *name;        /* a-z, 0-9 and -, starting with a letter */
    const char *version;     /* the plugin's own, by semantic versioning */
    const char *description; /* what it makes, in a sentence */
    const char *const *event_types; /* POLYFOLD_LIST("order.placed"); NULL for all */
    const char *const *categories;  /* NULL for all */
    polyfold_payload_encoding payload_encoding;
    polyfold_state_encoding state_encoding;
    const polyfold_view *views; /* POLYFOLD_VIEWS({"countries", "country/", "by country"}); may be NULL */

    /* Free form: folds events, in order of sequence, into the state. What it makes must not depend on how many events
     * come at once. */
    bool (*apply)(const polyfold_event *events, size_t count);

    /* Keyed: each event names keys and is folded into the value of each. A batch costs one host call that reads and
     * one that writes what changed. */
    const polyfold_type *payload; /* may be NULL: then functions get NULL for the payload */
    const polyfold_type *value;
    /* In place of reading the payload as its type says; mostly checks the schema version first. */
    bool (*read)(const polyfold_event *event, void *payload);
    /* Names the keys that the event belongs to: none, one or more. */
    bool (*keys)(const polyfold_event *event, const void *payload, polyfold_keys *keys);
    /* Folds the event into the value of one of its keys, which starts as zeroes. */
    bool (*fold)(void *value, const polyfold_event *event, const void *payload, polyfold_text key);
    /* Whether a value is worth an entry; where it is not, the key has none and starts from zeroes again. NULL: always. */
    bool (*keep)(const void *value);
} polyfold_projection;

#define POLYFOLD_LIST(...) ((const char *const[]){__VA_ARGS__, NULL})
#define POLYFOLD_VIEWS(...) ((const polyfold_view[]){__VA_ARGS__, {NULL, NULL, NULL}})

/* Folds event by event and gives the memory of each back: for an `apply` that reads much. */
bool polyfold_each(const polyfold_event *events, size_t count, bool (*apply)(const polyfold_event *event));

/* ---- Upcasters ---- */

/* From one schema version of an event type to the next. */
typedef struct {
    const char *event_type;
    uint32_t schema_version;     /* what it takes; it makes the one above */
    const char *new_event_type;  /* NULL if the type stays */
} polyfold_step;

typedef struct {
    const char *name, *version, *description; /* as a projection's */
    const polyfold_step *steps;               /* POLYFOLD_STEPS({"order.placed", 1}) */
    polyfold_payload_encoding payload_encoding;
    /* Gives the payload that lifts this event one step; its type and schema version tell which. */
    bool (*upcast)(const polyfold_event *event, polyfold_payload *answer);
} polyfold_upcaster;

#define POLYFOLD_STEPS(...) ((const polyfold_step[]){__VA_ARGS__, {NULL, 0, NULL}})

/* A payload's fields, to take out, put in and rename. Those that nobody touches stay as they are, bit by bit. Functions
 * that fail name the field. */
typedef struct {
    const polyfold_event *event;
    struct polyfold_named_item {
        polyfold_text name;
        polyfold_item value;
    } *fields;
    size_t count, capacity;
} polyfold_fields;

bool polyfold_fields_of(const polyfold_event *event, polyfold_fields *fields);
bool polyfold_has(const polyfold_fields *fields, const char *name);
/* Takes a field out, which must be there. */
bool polyfold_take(polyfold_fields *fields, const char *name, polyfold_item *value);
bool polyfold_take_int(polyfold_fields *fields, const char *name, int64_t *value);
bool polyfold_take_float(polyfold_fields *fields, const char *name, double *value);
bool polyfold_take_text(polyfold_fields *fields, const char *name, polyfold_text *value);
/* Sets a field. */
void polyfold_put(polyfold_fields *fields, const char *name, polyfold_item value);
void polyfold_put_int(polyfold_fields *fields, const char *name, int64_t value);
void polyfold_put_float(polyfold_fields *fields, const char *name, double value);
void polyfold_put_text(polyfold_fields *fields, const char *name, polyfold_text value);
/* Sets a field to what has been written. */
bool polyfold_put_written(polyfold_fields *fields, const char *name, polyfold_writer *writer);
/* Gives a field another name, if it is there, replacing what had that name. */
void polyfold_rename(polyfold_fields *fields, const char *name, const char *new_name);
/* Makes the payload; always true. */
bool polyfold_fields_payload(polyfold_fields *fields, polyfold_payload *answer);

/* ---- Exports ---- */

/* Makes a projection or an upcaster the one that this plugin exports: once in a plugin, at the end of its source file.
 * Natively there is nothing to export: a test declares `extern const polyfold_projection revenue;`. */
#ifdef __wasm__
#define POLYFOLD_EXPORT(interface, function) __attribute__((export_name("polyfold:plugin/" interface "@0.1.0#" function)))
#define POLYFOLD_EXPORT_PROJECTION(plugin)                                                                             \
    POLYFOLD_EXPORT("projection", "describe") const void *polyfold_exported_describe(void) {                           \
        return polyfold_describe_projection(&plugin);                                                                  \
    }                                                                                                                  \
    POLYFOLD_EXPORT("projection", "apply")                                                                             \
    const void *polyfold_exported_apply(const polyfold_event *events, size_t count) {                                  \
        return polyfold_call_projection(&plugin, events, count);                                                       \
    }                                                                                                                  \
    _Static_assert(1, "")
#define POLYFOLD_EXPORT_UPCASTER(plugin)                                                                               \
    POLYFOLD_EXPORT("upcaster", "describe") const void *polyfold_exported_describe(void) {                             \
        return polyfold_describe_upcaster(&plugin);                                                                    \
    }                                                                                                                  \
    POLYFOLD_EXPORT("upcaster", "upcast")                                                                              \
    const void *polyfold_exported_upcast(const polyfold_event *events, size_t count) {                                 \
        return polyfold_call_upcaster(&plugin, events, count);                                                         \
    }                                                                                                                  \
    _Static_assert(1, "")
#else
#define POLYFOLD_EXPORT_PROJECTION(plugin) _Static_assert(1, "")
#define POLYFOLD_EXPORT_UPCASTER(plugin) _Static_assert(1, "")
#endif

/* What the exports call, and the tests. */
const void *polyfold_describe_projection(const polyfold_projection *projection);
const void *polyfold_call_projection(const polyfold_projection *projection, const polyfold_event *events, size_t count);
const void *polyfold_describe_upcaster(const polyfold_upcaster *upcaster);
const void *polyfold_call_upcaster(const polyfold_upcaster *upcaster, const polyfold_event *events, size_t count);
bool polyfold_run_projection(const polyfold_projection *projection, const polyfold_event *events, size_t count);
polyfold_text polyfold_failure(void);

#endif
