/* The host's functions, as the canonical ABI passes them to a core module, and the layout of what they exchange.
 *
 * The layout is that of C on wasm32, which is why the structs of polyfold.h are handed over as they are. Offsets in
 * bytes; a string or list is a pointer and a length, an option a byte that says whether its value, behind it, is there:
 *
 *     event      sequence 0, stream 8, version 16, event-type 24, schema-version 32, recorded-at 40,
 *                payload 48 (case, 52 bytes); 64 in all
 *     change     key 0, value 8 (there, 12 bytes); 20
 *     entry      key 0, value 8; 16
 *     envelope   id 0, occurred-at 8 (there, 16 value), actor 24, causation-id 36, correlation-id 48, metadata 60,
 *                tags 68; 80
 *     manifest   of a projection: name 0, version 8, description 16, event-types 24, categories 32,
 *                payload-encoding 40, state-encoding 41, views 44; 52
 *                of an upcaster: name 0, version 8, description 16, steps 24, payload-encoding 32; 36
 *     view       name 0, prefix 8, description 16; 24
 *     step       event-type 0, schema-version 8, new-event-type 12 (there, 16 text); 24
 *     result     whether it is an error 0, what it holds 4; 12
 *
 * What does not fit one core value is returned through a pointer: to the caller's memory for imports, to the callee's
 * for exports. Natively these functions are testing.c's.
 */
#ifndef POLYFOLD_HOST_H
#define POLYFOLD_HOST_H

#ifdef __wasm__
#define HOST(interface, function)                                                                                      \
    __attribute__((import_module("polyfold:plugin/" interface "@0.1.0"), import_name(function)))
#else
#define HOST(interface, function)
#endif

typedef struct {
    const polyfold_maybe_bytes *data;
    size_t count;
} host_values;

typedef struct {
    bool present;
    polyfold_envelope envelope;
} host_maybe_envelope;

HOST("state", "get") void polyfold_host_get(const char *key, size_t length, polyfold_maybe_bytes *answer);
HOST("state", "get-many") void polyfold_host_get_many(const polyfold_text *keys, size_t count, host_values *answer);
HOST("state", "put")
void polyfold_host_put(const char *key, size_t key_length, const uint8_t *value, size_t value_length);
HOST("state", "delete") void polyfold_host_delete(const char *key, size_t length);
HOST("state", "write") void polyfold_host_write(const polyfold_change *changes, size_t count);
HOST("state", "scan")
void polyfold_host_scan(const char *prefix, size_t prefix_length, int has_after, const char *after,
                        size_t after_length, uint32_t limit, polyfold_entries *answer);
HOST("context", "envelope-of") void polyfold_host_envelope_of(uint64_t sequence, host_maybe_envelope *answer);
HOST("context", "parameters") void polyfold_host_parameters(polyfold_text *answer);
HOST("logging", "log") void polyfold_host_log(int level, const char *message, size_t length);

typedef struct {
    polyfold_text name, prefix, description;
} abi_view;

typedef struct {
    polyfold_text name, version, description;
    struct {
        const polyfold_text *data;
        size_t count;
    } event_types, categories;
    uint8_t payload_encoding, state_encoding;
    struct {
        const abi_view *data;
        size_t count;
    } views;
} abi_projection_manifest;

typedef struct {
    polyfold_text event_type;
    uint32_t schema_version;
    polyfold_maybe_text new_event_type;
} abi_step;

typedef struct {
    polyfold_text name, version, description;
    struct {
        const abi_step *data;
        size_t count;
    } steps;
    uint8_t payload_encoding;
} abi_upcaster_manifest;

/* An error's text, or the payloads of an upcaster. */
typedef struct {
    bool is_error;
    const void *data;
    size_t count;
} abi_result;

#ifdef __wasm__
#define LAYOUT(type, member, offset) _Static_assert(offsetof(type, member) == offset, #type "." #member)
#define SIZE(type, size) _Static_assert(sizeof(type) == size, #type)
LAYOUT(polyfold_event, event_type, 24);
LAYOUT(polyfold_event, recorded_at, 40);
LAYOUT(polyfold_event, payload, 48);
LAYOUT(polyfold_payload, bytes, 4);
SIZE(polyfold_event, 64);
SIZE(polyfold_maybe_bytes, 12);
SIZE(polyfold_change, 20);
SIZE(polyfold_entry, 16);
LAYOUT(polyfold_envelope, occurred_at.microseconds, 16);
LAYOUT(polyfold_envelope, tags, 68);
SIZE(polyfold_envelope, 80);
LAYOUT(host_maybe_envelope, envelope, 8);
LAYOUT(abi_projection_manifest, views, 44);
SIZE(abi_projection_manifest, 52);
LAYOUT(abi_step, new_event_type, 12);
SIZE(abi_step, 24);
SIZE(abi_upcaster_manifest, 36);
SIZE(abi_result, 12);
#undef LAYOUT
#undef SIZE
#endif

#endif
