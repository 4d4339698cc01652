/* Writing canonical CBOR: shortest forms, map keys in the bytewise order of their encoding. */

static uint8_t *room(polyfold_writer *writer, size_t size) {
    if (size > writer->capacity - writer->length) {
        size_t capacity = writer->capacity ? writer->capacity : 64;
        while (capacity - writer->length < size) capacity *= 2;
        writer->data = reallocate(writer->data, writer->capacity, capacity, 1);
        writer->capacity = capacity;
    }
    uint8_t *at = writer->data + writer->length;
    writer->length += size;
    return at;
}

static void put_big_endian(uint8_t *at, uint64_t value, unsigned size) {
    while (size--) {
        at[size] = (uint8_t)value;
        value >>= 8;
    }
}

/* Writes a head of up to nine bytes to `out` and returns its length. */
static unsigned head(uint8_t *out, unsigned major, uint64_t value) {
    unsigned info = value < 24 ? 0 : value <= UINT8_MAX ? 24 : value <= UINT16_MAX ? 25 : value <= UINT32_MAX ? 26 : 27;
    if (!info) {
        out[0] = (uint8_t)(major << 5 | value);
        return 1;
    }
    unsigned size = 1u << (info - 24);
    out[0] = (uint8_t)(major << 5 | info);
    put_big_endian(out + 1, value, size);
    return 1 + size;
}

static void write_head(polyfold_writer *writer, unsigned major, uint64_t value) {
    uint8_t *out = room(writer, 9);
    writer->length -= 9 - head(out, major, value);
}

static void write_raw(polyfold_writer *writer, const void *data, size_t length) {
    uint8_t *out = room(writer, length);
    if (length) memcpy(out, data, length);
}

void polyfold_write_null(polyfold_writer *writer) {
    *room(writer, 1) = NULL_BYTE;
}

void polyfold_write_bool(polyfold_writer *writer, bool value) {
    *room(writer, 1) = value ? 0xf5 : 0xf4;
}

void polyfold_write_int(polyfold_writer *writer, int64_t value) {
    if (value >= 0) write_head(writer, UNSIGNED, (uint64_t)value);
    else write_head(writer, NEGATIVE, (uint64_t)(-1 - value));
}

void polyfold_write_uint(polyfold_writer *writer, uint64_t value) {
    write_head(writer, UNSIGNED, value);
}

void polyfold_write_int128(polyfold_writer *writer, polyfold_int128 value) {
    polyfold_int128 number = value >= 0 ? value : -1 - value;
    if (number > UINT64_MAX) writer->problem = "an integer is beyond 64 bits";
    write_head(writer, value >= 0 ? UNSIGNED : NEGATIVE, (uint64_t)number);
}

/* The half-precision float that is this one; false if there is none. */
static bool to_half(float value, unsigned *half) {
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    unsigned sign = bits >> 16 & 0x8000, mantissa = bits & 0x7fffff;
    int exponent = (int)(bits >> 23 & 0xff) - 127;
    if (!(bits & 0x7fffffff)) *half = sign;
    else if (exponent == 128 && !mantissa) *half = sign | 0x7c00;
    else if (exponent >= -14 && exponent <= 15 && !(mantissa & 0x1fff))
        *half = sign | (unsigned)(exponent + 15) << 10 | mantissa >> 13;
    else if (exponent >= -24 && exponent < -14) {
        unsigned whole = mantissa | 0x800000, shift = (unsigned)(-1 - exponent);
        if (whole & ((1u << shift) - 1)) return false;
        *half = sign | whole >> shift;
    } else return false;
    return true;
}

void polyfold_write_float(polyfold_writer *writer, double value) {
    uint8_t *out = room(writer, 9);
    unsigned half = 0x7e00, size = 8;
    uint64_t bits;
    float single = (float)value;
    /* There is one NaN. */
    if (isnan(value) || ((double)single == value && to_half(single, &half))) {
        bits = half;
        size = 2;
    } else if ((double)single == value) {
        uint32_t single_bits;
        memcpy(&single_bits, &single, sizeof single_bits);
        bits = single_bits;
        size = 4;
    } else {
        memcpy(&bits, &value, sizeof bits);
    }
    out[0] = size == 2 ? 0xf9 : size == 4 ? 0xfa : 0xfb;
    put_big_endian(out + 1, bits, size);
    writer->length -= 8 - size;
}

void polyfold_write_text(polyfold_writer *writer, polyfold_text value) {
    write_head(writer, TEXT, value.length);
    write_raw(writer, value.data, value.length);
}

void polyfold_write_bytes(polyfold_writer *writer, polyfold_bytes value) {
    write_head(writer, BYTES, value.length);
    write_raw(writer, value.data, value.length);
}

void polyfold_write_item(polyfold_writer *writer, polyfold_item value) {
    if (!value.length) writer->problem = "an item is empty";
    write_raw(writer, value.data, value.length);
}

void polyfold_write_array(polyfold_writer *writer, size_t count) {
    write_head(writer, ARRAY, count);
}

void polyfold_begin_map(polyfold_writer *writer) {
    size_t depth_max = sizeof writer->starts / sizeof *writer->starts;
    if (writer->depth < depth_max) writer->starts[writer->depth] = writer->length;
    else writer->problem = "nested more than 128 levels deep";
    writer->depth++;
}

void polyfold_write_key(polyfold_writer *writer, const char *key) {
    polyfold_write_text(writer, polyfold_text_of(key));
}

/* Compares two encodings bytewise; of two items neither is the beginning of the other. */
static int compare_items(polyfold_item a, polyfold_item b) {
    int order = memcmp(a.data, b.data, a.length < b.length ? a.length : b.length);
    return order ? order : (a.length > b.length) - (a.length < b.length);
}

typedef struct {
    polyfold_item key, value;
} map_entry;

static int compare_entries(const void *a, const void *b) {
    return compare_items(((const map_entry *)a)->key, ((const map_entry *)b)->key);
}

/* Puts entries into order where they stand. */
static bool sort_entries(polyfold_writer *writer, size_t start, size_t count) {
    size_t size = writer->length - start;
    uint8_t *copy = allocate(size, 1);
    memcpy(copy, writer->data + start, size);
    map_entry *entries = allocate(count * sizeof *entries, sizeof(void *));
    polyfold_cursor cursor = {copy, copy + size, count};
    for (size_t i = 0; i < count; i++) polyfold_next_entry(&cursor, &entries[i].key, &entries[i].value);
    qsort(entries, count, sizeof *entries, compare_entries);
    uint8_t *out = writer->data + start;
    for (size_t i = 0; i < count; i++) {
        if (i && !compare_items(entries[i - 1].key, entries[i].key)) return false;
        size_t length = entries[i].key.length + entries[i].value.length;
        /* Key and value stand side by side. */
        memcpy(out, entries[i].key.data, length);
        out += length;
    }
    return true;
}

void polyfold_end_map(polyfold_writer *writer) {
    if (!writer->depth) {
        writer->problem = "a map ends that did not begin";
        return;
    }
    size_t depth_max = sizeof writer->starts / sizeof *writer->starts;
    if (writer->depth-- > depth_max) return;
    size_t start = writer->starts[writer->depth], count = 0;
    polyfold_cursor cursor = {writer->data + start, writer->data + writer->length, UINT64_MAX};
    polyfold_item key, value, previous = {0};
    bool in_order = true;
    while (cursor.at != cursor.end) {
        if (!polyfold_next_entry(&cursor, &key, &value)) {
            writer->problem = "a map has a key without a value, or an array has fewer elements than it says";
            return;
        }
        if (previous.length && compare_items(previous, key) >= 0) in_order = false;
        previous = key;
        count++;
    }
    if (!in_order && !sort_entries(writer, start, count)) writer->problem = "a map has a key twice";
    uint8_t bytes[9];
    unsigned length = head(bytes, MAP, count);
    size_t size = writer->length - start;
    room(writer, length);
    memmove(writer->data + start + length, writer->data + start, size);
    memcpy(writer->data + start, bytes, length);
}

bool polyfold_written(polyfold_writer *writer, polyfold_bytes *bytes) {
    if (writer->depth) writer->problem = "a map does not end";
    if (!writer->problem && !writer->length) writer->problem = "nothing has been written";
    if (writer->problem) return polyfold_fail("cannot write CBOR: %s", writer->problem);
    *bytes = (polyfold_bytes){writer->data, writer->length};
    return true;
}
