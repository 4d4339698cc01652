/* Structs as CBOR maps, by a table of their members. */

/* Why the last struct could not be read, for the caller to say of what. */
static polyfold_text problem;

#define FAIL_READ(...) (problem = polyfold_format(__VA_ARGS__), false)

static const char *kind_name(polyfold_item item) {
    static const char *const names[] = {"an integer", "a float", "bytes",  "a text", "an array",
                                        "a map",      "a bool",  "null",   "a tag",  "another value"};
    return names[polyfold_kind_of(item)];
}

static const char *wanted_name(polyfold_field_kind kind) {
    static const char *const names[] = {"an integer of 64 bits", "an integer from 0 to 2^64 - 1",
                                        "an integer of 32 bits", "an integer from 0 to 2^32 - 1",
                                        "a number",              "a bool",
                                        "a text",                "bytes",
                                        "a value"};
    return names[kind];
}

static bool read_member(polyfold_item item, const polyfold_field *field, void *value) {
    void *member = (char *)value + field->offset;
    switch (field->kind) {
    case POLYFOLD_FIELD_INT: return polyfold_get_int(item, member);
    case POLYFOLD_FIELD_UINT: return polyfold_get_uint(item, member);
    case POLYFOLD_FIELD_INT32: {
        int64_t number;
        if (!polyfold_get_int(item, &number) || number < INT32_MIN || number > INT32_MAX) return false;
        *(int32_t *)member = (int32_t)number;
        return true;
    }
    case POLYFOLD_FIELD_UINT32: {
        uint64_t number;
        if (!polyfold_get_uint(item, &number) || number > UINT32_MAX) return false;
        *(uint32_t *)member = (uint32_t)number;
        return true;
    }
    case POLYFOLD_FIELD_FLOAT: return polyfold_get_float(item, member);
    case POLYFOLD_FIELD_BOOL: return polyfold_get_bool(item, member);
    case POLYFOLD_FIELD_TEXT: return polyfold_get_text(item, member);
    case POLYFOLD_FIELD_BYTES: return polyfold_get_bytes(item, member);
    case POLYFOLD_FIELD_ITEM: *(polyfold_item *)member = item; return true;
    }
    return false;
}

static inline const polyfold_field *field_named(const polyfold_type *type, const uint8_t *name, uint64_t length) {
    for (size_t i = 0; i < type->count; i++) {
        const polyfold_field *field = &type->fields[i];
        if (field->name_length == length && !memcmp(field->name, name, (size_t)length)) return field;
    }
    return NULL;
}

/* Reads the one item that the bytes are, checking what it passes. */
static bool read_fields(const uint8_t *data, size_t size, const polyfold_type *type, void *value) {
    polyfold_cursor cursor = {data, data + size, 0};
    unsigned major, info;
    uint64_t count, found = 0;
    if (!read_head(&cursor, &major, &info, &count)) return FAIL_READ("it is no CBOR");
    if (major != MAP) return FAIL_READ("expected a map, found %s", kind_name((polyfold_item){data, size}));
    for (; count > 0; count--) {
        uint64_t length;
        const uint8_t *name;
        const polyfold_field *field = NULL;
        const uint8_t *key = cursor.at;
        if (!read_head(&cursor, &major, &info, &length)) return FAIL_READ("it ends too early");
        if (major == TEXT) {
            if (!take(&cursor, length, &name)) return FAIL_READ("it ends too early");
            field = field_named(type, name, length);
        } else {
            cursor.at = key;
            if (!skip(&cursor)) return FAIL_READ("it ends too early");
        }
        polyfold_item item;
        if (!next_item(&cursor, &item)) return FAIL_READ("it ends too early");
        if (!field || (field->optional && polyfold_kind_of(item) == POLYFOLD_KIND_NULL)) continue;
        if (!read_member(item, field, value)) {
            return FAIL_READ("field \"%s\": expected %s, found %s", field->name, wanted_name(field->kind), kind_name(item));
        }
        found |= UINT64_C(1) << (field - type->fields);
    }
    if (cursor.at != cursor.end) return FAIL_READ("something stands behind it");
    for (size_t i = 0; i < type->count; i++) {
        if (!type->fields[i].optional && !(found >> i & 1)) {
            return FAIL_READ("field \"%s\" is missing", type->fields[i].name);
        }
    }
    return true;
}

/* Reads bytes into a struct, which it zeroes first; leaves the reason in `problem`. */
static bool read_value(polyfold_bytes bytes, const polyfold_type *type, void *value) {
    memset(value, 0, type->size);
    if (!type->read) return read_fields(bytes.data, bytes.length, type, value);
    polyfold_item item;
    if (!polyfold_item_of(bytes, &item)) return FAIL_READ("it is no CBOR");
    return type->read(item, value) || FAIL_READ("it has another shape, it is %s", kind_name(item));
}

bool polyfold_read_struct(polyfold_item item, const polyfold_type *type, void *value) {
    return read_value((polyfold_bytes){item.data, item.length}, type, value) ||
           polyfold_fail("cannot read a value: %.*s", POLYFOLD_ARG(problem));
}

static void write_member(polyfold_writer *writer, const polyfold_field *field, const void *value) {
    const void *member = (const char *)value + field->offset;
    switch (field->kind) {
    case POLYFOLD_FIELD_INT: return polyfold_write_int(writer, *(const int64_t *)member);
    case POLYFOLD_FIELD_UINT: return polyfold_write_uint(writer, *(const uint64_t *)member);
    case POLYFOLD_FIELD_INT32: return polyfold_write_int(writer, *(const int32_t *)member);
    case POLYFOLD_FIELD_UINT32: return polyfold_write_uint(writer, *(const uint32_t *)member);
    case POLYFOLD_FIELD_FLOAT: return polyfold_write_float(writer, *(const double *)member);
    case POLYFOLD_FIELD_BOOL: return polyfold_write_bool(writer, *(const bool *)member);
    case POLYFOLD_FIELD_TEXT: {
        const polyfold_text *text = member;
        if (!text->data && field->optional) return polyfold_write_null(writer);
        return polyfold_write_text(writer, *text);
    }
    case POLYFOLD_FIELD_BYTES: {
        const polyfold_bytes *bytes = member;
        if (!bytes->data && field->optional) return polyfold_write_null(writer);
        return polyfold_write_bytes(writer, *bytes);
    }
    case POLYFOLD_FIELD_ITEM: {
        const polyfold_item *item = member;
        if (!item->data && field->optional) return polyfold_write_null(writer);
        return polyfold_write_item(writer, *item);
    }
    }
}

#define FIELDS_MAX 64

/* The canonical order of a type's fields: shorter names first, then bytewise. */
static void order_of(const polyfold_type *type, uint8_t *order) {
    for (size_t i = 0; i < type->count; i++) {
        size_t at = i;
        for (; at > 0; at--) {
            const polyfold_field *a = &type->fields[order[at - 1]], *b = &type->fields[i];
            bool in_order = a->name_length != b->name_length ? a->name_length < b->name_length
                                                             : memcmp(a->name, b->name, a->name_length) < 0;
            if (in_order) break;
            order[at] = order[at - 1];
        }
        order[at] = (uint8_t)i;
    }
}

static void write_in_order(polyfold_writer *writer, const polyfold_type *type, const uint8_t *order, const void *value) {
    if (type->write) return type->write(writer, value);
    write_head(writer, MAP, type->count);
    for (size_t i = 0; i < type->count; i++) {
        const polyfold_field *field = &type->fields[order[i]];
        polyfold_write_text(writer, (polyfold_text){field->name, field->name_length});
        write_member(writer, field, value);
    }
}

void polyfold_write_struct(polyfold_writer *writer, const polyfold_type *type, const void *value) {
    uint8_t order[FIELDS_MAX];
    if (type->count > FIELDS_MAX) {
        writer->problem = "a struct has more than 64 fields";
        return;
    }
    order_of(type, order);
    write_in_order(writer, type, order, value);
}
