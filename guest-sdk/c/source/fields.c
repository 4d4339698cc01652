/* A payload's fields, to take out, put in and rename: what an upcaster mostly does. */

bool polyfold_fields_of(const polyfold_event *event, polyfold_fields *fields) {
    polyfold_item payload, key;
    if (!polyfold_payload_item(event, &payload)) return false;
    if (polyfold_kind_of(payload) != POLYFOLD_KIND_MAP) return polyfold_fail_event(event, "the payload is no map");
    polyfold_cursor cursor = polyfold_walk(payload);
    /* Its entries are whole, so there are no more of them than bytes; some room is for fields to come. */
    size_t capacity = (size_t)cursor.left + 8;
    *fields = (polyfold_fields){event, allocate(capacity * sizeof *fields->fields, 8), 0, capacity};
    while (cursor.left) {
        struct polyfold_named_item *field = &fields->fields[fields->count++];
        if (!polyfold_next_entry(&cursor, &key, &field->value) || !polyfold_get_text(key, &field->name)) {
            return polyfold_fail_event(event, "cannot read the payload: a key is no text");
        }
    }
    return true;
}

static struct polyfold_named_item *field_of(const polyfold_fields *fields, const char *name) {
    for (size_t i = 0; i < fields->count; i++) {
        if (polyfold_is(fields->fields[i].name, name)) return &fields->fields[i];
    }
    return NULL;
}

static void remove_field(polyfold_fields *fields, struct polyfold_named_item *field) {
    *field = fields->fields[--fields->count];
}

bool polyfold_has(const polyfold_fields *fields, const char *name) {
    return field_of(fields, name) != NULL;
}

bool polyfold_take(polyfold_fields *fields, const char *name, polyfold_item *value) {
    struct polyfold_named_item *field = field_of(fields, name);
    if (!field) return polyfold_fail_event(fields->event, "missing field \"%s\"", name);
    *value = field->value;
    remove_field(fields, field);
    return true;
}

static bool wrong_kind(const polyfold_fields *fields, const char *name, const char *wanted, polyfold_item found) {
    return polyfold_fail_event(fields->event, "field \"%s\": expected %s, found %s", name, wanted, kind_name(found));
}

bool polyfold_take_int(polyfold_fields *fields, const char *name, int64_t *value) {
    polyfold_item item;
    if (!polyfold_take(fields, name, &item)) return false;
    return polyfold_get_int(item, value) || wrong_kind(fields, name, "an integer of 64 bits", item);
}

bool polyfold_take_float(polyfold_fields *fields, const char *name, double *value) {
    polyfold_item item;
    if (!polyfold_take(fields, name, &item)) return false;
    return polyfold_get_float(item, value) || wrong_kind(fields, name, "a number", item);
}

bool polyfold_take_text(polyfold_fields *fields, const char *name, polyfold_text *value) {
    polyfold_item item;
    if (!polyfold_take(fields, name, &item)) return false;
    return polyfold_get_text(item, value) || wrong_kind(fields, name, "a text", item);
}

static void put_named(polyfold_fields *fields, polyfold_text name, polyfold_item value) {
    if (fields->count == fields->capacity) {
        size_t size = fields->capacity * sizeof *fields->fields;
        fields->fields = reallocate(fields->fields, size, size * 2, 8);
        fields->capacity *= 2;
    }
    fields->fields[fields->count++] = (struct polyfold_named_item){name, value};
}

void polyfold_put(polyfold_fields *fields, const char *name, polyfold_item value) {
    struct polyfold_named_item *field = field_of(fields, name);
    if (field) field->value = value;
    else put_named(fields, polyfold_text_of(name), value);
}

static void put_all_of(polyfold_fields *fields, const char *name, const polyfold_writer *writer) {
    polyfold_put(fields, name, (polyfold_item){writer->data, writer->length});
}

void polyfold_put_int(polyfold_fields *fields, const char *name, int64_t value) {
    polyfold_writer writer = {0};
    polyfold_write_int(&writer, value);
    put_all_of(fields, name, &writer);
}

void polyfold_put_float(polyfold_fields *fields, const char *name, double value) {
    polyfold_writer writer = {0};
    polyfold_write_float(&writer, value);
    put_all_of(fields, name, &writer);
}

void polyfold_put_text(polyfold_fields *fields, const char *name, polyfold_text value) {
    polyfold_writer writer = {0};
    polyfold_write_text(&writer, value);
    put_all_of(fields, name, &writer);
}

bool polyfold_put_written(polyfold_fields *fields, const char *name, polyfold_writer *writer) {
    polyfold_bytes bytes;
    if (!polyfold_written(writer, &bytes)) return false;
    polyfold_put(fields, name, (polyfold_item){bytes.data, bytes.length});
    return true;
}

void polyfold_rename(polyfold_fields *fields, const char *name, const char *new_name) {
    struct polyfold_named_item *field = field_of(fields, name);
    if (!field) return;
    polyfold_item value = field->value;
    remove_field(fields, field);
    polyfold_put(fields, new_name, value);
}

static int compare_names(const void *a, const void *b) {
    polyfold_text x = ((const struct polyfold_named_item *)a)->name, y = ((const struct polyfold_named_item *)b)->name;
    return x.length != y.length ? (x.length > y.length) - (x.length < y.length) : memcmp(x.data, y.data, x.length);
}

bool polyfold_fields_payload(polyfold_fields *fields, polyfold_payload *answer) {
    qsort(fields->fields, fields->count, sizeof *fields->fields, compare_names);
    polyfold_writer writer = {0};
    write_head(&writer, MAP, fields->count);
    for (size_t i = 0; i < fields->count; i++) {
        polyfold_write_text(&writer, fields->fields[i].name);
        write_raw(&writer, fields->fields[i].value.data, fields->fields[i].value.length);
    }
    *answer = (polyfold_payload){POLYFOLD_CBOR, {writer.data, writer.length}};
    return true;
}
