/* Keyed fold: an event names keys, and is folded into the value of each.
 *
 * A batch is gathered (payloads, keys), its values are read by one host call, folded in memory, and what changed is
 * written by one more. Nothing of it depends on where batches are cut. */

/* A batch's distinct keys, each with its place, in the order in which they first come. */
struct polyfold_keys {
    polyfold_text *keys;
    size_t count, capacity;
    /* Open addressing: a place plus one, 0 for none. Its size is a power of two, at least twice the count. */
    struct slot {
        uint32_t hash, place;
    } *slots;
    size_t slot_count;
    /* The keys of all events, one event's behind another's, as places. */
    uint32_t *places;
    size_t place_count, place_capacity;
};

/* Hashes by a fixed function: the order of the keys never follows it, but the fuel used does. */
static uint32_t hash_of(polyfold_text key) {
    uint64_t hash = key.length, part;
    size_t at = 0;
    for (; key.length - at >= 8; at += 8) {
        memcpy(&part, key.data + at, 8);
        hash = ((hash << 5 | hash >> 59) ^ part) * UINT64_C(0x517cc1b727220a95);
    }
    part = 0;
    for (; at < key.length; at++) part = part << 8 | (uint8_t)key.data[at];
    hash = ((hash << 5 | hash >> 59) ^ part) * UINT64_C(0x517cc1b727220a95);
    return (uint32_t)(hash >> 32);
}

static void grow_slots(polyfold_keys *keys) {
    size_t count = keys->slot_count ? keys->slot_count * 2 : 256;
    struct slot *slots = polyfold_alloc(count * sizeof *slots);
    for (size_t i = 0; i < keys->slot_count; i++) {
        if (!keys->slots[i].place) continue;
        size_t at = keys->slots[i].hash & (count - 1);
        while (slots[at].place) at = (at + 1) & (count - 1);
        slots[at] = keys->slots[i];
    }
    keys->slots = slots;
    keys->slot_count = count;
}

static uint32_t place_of(polyfold_keys *keys, polyfold_text key) {
    if (keys->count * 2 >= keys->slot_count) grow_slots(keys);
    uint32_t hash = hash_of(key);
    size_t at = hash & (keys->slot_count - 1);
    for (; keys->slots[at].place; at = (at + 1) & (keys->slot_count - 1)) {
        uint32_t place = keys->slots[at].place - 1;
        if (keys->slots[at].hash == hash && polyfold_equal(keys->keys[place], key)) return place;
    }
    if (keys->count == keys->capacity) {
        size_t capacity = keys->capacity ? keys->capacity * 2 : 128;
        keys->keys = reallocate(keys->keys, keys->capacity * sizeof *keys->keys, capacity * sizeof *keys->keys, 8);
        keys->capacity = capacity;
    }
    char *copy = allocate(key.length, 1);
    memcpy(copy, key.data, key.length);
    keys->keys[keys->count] = (polyfold_text){copy, key.length};
    keys->slots[at] = (struct slot){hash, (uint32_t)++keys->count};
    return (uint32_t)keys->count - 1;
}

void polyfold_add_key(polyfold_keys *keys, polyfold_text key) {
    uint32_t place = place_of(keys, key);
    if (keys->place_count == keys->place_capacity) {
        size_t capacity = keys->place_capacity ? keys->place_capacity * 2 : 256;
        keys->places =
            reallocate(keys->places, keys->place_capacity * sizeof(uint32_t), capacity * sizeof(uint32_t), 4);
        keys->place_capacity = capacity;
    }
    keys->places[keys->place_count++] = place;
}

void polyfold_format_key(polyfold_keys *keys, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    polyfold_add_key(keys, formatted(format, arguments));
    va_end(arguments);
}

typedef struct {
    const polyfold_projection *projection;
    const polyfold_event *events;
    size_t event_count;
    char *payloads;
    size_t payload_size;
    /* Where each event's keys end among the places. */
    uint32_t *ends;
    polyfold_keys keys;
    const polyfold_maybe_bytes *stored;
    char *values;
} batch;

static void *payload_at(const batch *batch, size_t i) {
    return batch->payload_size ? batch->payloads + i * batch->payload_size : NULL;
}

static bool gather(batch *batch) {
    const polyfold_projection *projection = batch->projection;
    batch->payload_size = projection->payload ? projection->payload->size : 0;
    batch->payloads = allocate(batch->event_count * batch->payload_size, 16);
    batch->ends = allocate(batch->event_count * sizeof *batch->ends, 4);
    for (size_t i = 0; i < batch->event_count; i++) {
        const polyfold_event *event = &batch->events[i];
        void *payload = payload_at(batch, i);
        bool read = projection->read      ? projection->read(event, payload)
                    : projection->payload ? polyfold_read_payload(event, projection->payload, payload)
                                          : true;
        if (!read || !projection->keys(event, payload, &batch->keys)) return false;
        batch->ends[i] = (uint32_t)batch->keys.place_count;
    }
    return true;
}

static bool read_values(batch *batch) {
    const polyfold_type *type = batch->projection->value;
    batch->stored = polyfold_state_get_many(batch->keys.keys, batch->keys.count);
    batch->values = allocate(batch->keys.count * type->size, 16);
    for (size_t i = 0; i < batch->keys.count; i++) {
        void *value = batch->values + i * type->size;
        if (!batch->stored[i].present) memset(value, 0, type->size);
        else if (!read_value(batch->stored[i].bytes, type, value)) {
            return polyfold_fail("cannot read the state's entry \"%.*s\": %.*s", POLYFOLD_ARG(batch->keys.keys[i]),
                                 POLYFOLD_ARG(problem));
        }
    }
    return true;
}

static bool fold_events(batch *batch) {
    const polyfold_projection *projection = batch->projection;
    size_t size = projection->value->size, place = 0;
    for (size_t i = 0; i < batch->event_count; i++) {
        for (; place < batch->ends[i]; place++) {
            uint32_t key = batch->keys.places[place];
            void *value = batch->values + key * size;
            if (!projection->fold(value, &batch->events[i], payload_at(batch, i), batch->keys.keys[key])) return false;
            /* If the batch ended here the entry would be deleted, so what follows must start afresh, too. */
            if (projection->keep && !projection->keep(value)) memset(value, 0, size);
        }
    }
    return true;
}

#define PIECE ((size_t)16 * 1024)

static bool write_changes(batch *batch) {
    const polyfold_type *type = batch->projection->value;
    polyfold_change *changes = allocate(batch->keys.count * sizeof *changes, 8);
    uint8_t order[FIELDS_MAX];
    size_t count = 0;
    if (type->count > FIELDS_MAX) return polyfold_fail("a value's type has more than 64 fields");
    order_of(type, order);
    polyfold_writer writer = {0};
    for (size_t i = 0; i < batch->keys.count; i++) {
        const void *value = batch->values + i * type->size;
        polyfold_maybe_bytes new = {0}, old = batch->stored[i];
        if (!batch->projection->keep || batch->projection->keep(value)) {
            /* Values share pieces of memory. One that outgrows its piece moves, leaves the others where they are, and gives
             * back what it does not use. */
            if (writer.capacity - writer.length < 256) {
                writer = (polyfold_writer){.data = allocate(PIECE, 1), .capacity = PIECE};
            }
            size_t start = writer.length;
            write_in_order(&writer, type, order, value);
            polyfold_bytes all;
            if (!polyfold_written(&writer, &all)) return false;
            new = (polyfold_maybe_bytes){true, {all.data + start, all.length - start}};
            if (writer.capacity > PIECE) {
                reallocate(writer.data, writer.capacity, writer.length, 1);
                writer = (polyfold_writer){0};
            }
        }
        bool same = new.present == old.present &&
                    (!new.present || (new.bytes.length == old.bytes.length &&
                                      !memcmp(new.bytes.data, old.bytes.data, new.bytes.length)));
        if (!same) changes[count++] = (polyfold_change){batch->keys.keys[i], new};
    }
    polyfold_state_write(changes, count);
    return true;
}

static bool run_keyed(const polyfold_projection *projection, const polyfold_event *events, size_t count) {
    batch batch = {.projection = projection, .events = events, .event_count = count};
    return gather(&batch) && read_values(&batch) && fold_events(&batch) && write_changes(&batch);
}
