/* Reading CBOR where it lies: a cursor over bytes, every step checked against their end. */

enum { UNSIGNED, NEGATIVE, BYTES, TEXT, ARRAY, MAP, TAG, SIMPLE };

#define NULL_BYTE 0xf6
#define UNDEFINED_BYTE 0xf7

static uint64_t big_endian(const uint8_t *at, unsigned size) {
    uint64_t value = 0;
    for (unsigned i = 0; i < size; i++) value = value << 8 | at[i];
    return value;
}

/* Reads an item's first byte and the number that belongs to it; of a float, its bits. */
static inline bool read_head(polyfold_cursor *cursor, unsigned *major, unsigned *info, uint64_t *value) {
    if (cursor->at == cursor->end) return false;
    uint8_t initial = *cursor->at++;
    *major = initial >> 5;
    *info = initial & 0x1f;
    if (*info < 24) {
        *value = *info;
        return true;
    }
    /* 28 to 30 are nothing, 31 is an indefinite length, which canonical CBOR does not have. */
    if (*info > 27) return false;
    unsigned size = 1u << (*info - 24);
    if ((size_t)(cursor->end - cursor->at) < size) return false;
    *value = big_endian(cursor->at, size);
    cursor->at += size;
    return true;
}

static inline bool take(polyfold_cursor *cursor, uint64_t length, const uint8_t **taken) {
    if (length > (size_t)(cursor->end - cursor->at)) return false;
    *taken = cursor->at;
    cursor->at += length;
    return true;
}

static uint64_t sum_or_max(uint64_t a, uint64_t b) {
    return a > UINT64_MAX - b ? UINT64_MAX : a + b;
}

/* Passes one item with all that is inside it. A loop, not a recursion: depth costs no stack. */
static bool skip(polyfold_cursor *cursor) {
    for (uint64_t left = 1; left > 0;) {
        unsigned major, info;
        uint64_t value;
        const uint8_t *taken;
        left--;
        if (!read_head(cursor, &major, &info, &value)) return false;
        switch (major) {
        case BYTES:
        case TEXT:
            if (!take(cursor, value, &taken)) return false;
            break;
        case ARRAY: left = sum_or_max(left, value); break;
        case MAP: left = sum_or_max(left, sum_or_max(value, value)); break;
        case TAG: left = sum_or_max(left, 1); break;
        default: break;
        }
    }
    return true;
}

static bool next_item(polyfold_cursor *cursor, polyfold_item *item) {
    item->data = cursor->at;
    if (!skip(cursor)) return false;
    item->length = (size_t)(cursor->at - item->data);
    return true;
}

bool polyfold_item_of(polyfold_bytes bytes, polyfold_item *item) {
    polyfold_cursor cursor = {bytes.data, bytes.data + bytes.length, 1};
    return next_item(&cursor, item) && cursor.at == cursor.end;
}

polyfold_kind polyfold_kind_of(polyfold_item item) {
    if (!item.length) return POLYFOLD_KIND_OTHER;
    uint8_t initial = item.data[0];
    switch (initial >> 5) {
    case UNSIGNED:
    case NEGATIVE: return POLYFOLD_KIND_INTEGER;
    case BYTES: return POLYFOLD_KIND_BYTES;
    case TEXT: return POLYFOLD_KIND_TEXT;
    case ARRAY: return POLYFOLD_KIND_ARRAY;
    case MAP: return POLYFOLD_KIND_MAP;
    case TAG: return POLYFOLD_KIND_TAG;
    default: break;
    }
    if (initial == 0xf4 || initial == 0xf5) return POLYFOLD_KIND_BOOL;
    if (initial == NULL_BYTE || initial == UNDEFINED_BYTE) return POLYFOLD_KIND_NULL;
    if (initial >= 0xf9 && initial <= 0xfb) return POLYFOLD_KIND_FLOAT;
    return POLYFOLD_KIND_OTHER;
}

/* The head of an item that is whole; an empty one is undefined. */
static uint64_t head_of(polyfold_item item, unsigned *major, unsigned *info, polyfold_cursor *content) {
    uint64_t value = 0;
    *content = (polyfold_cursor){item.data, item.data + item.length, 0};
    if (!read_head(content, major, info, &value)) {
        *major = SIMPLE;
        *info = 23;
    }
    return value;
}

bool polyfold_get_int128(polyfold_item item, polyfold_int128 *value) {
    unsigned major, info;
    polyfold_cursor content;
    uint64_t number = head_of(item, &major, &info, &content);
    if (major > NEGATIVE) return false;
    *value = major == UNSIGNED ? (polyfold_int128)number : -1 - (polyfold_int128)number;
    return true;
}

bool polyfold_get_int(polyfold_item item, int64_t *value) {
    unsigned major, info;
    polyfold_cursor content;
    uint64_t number = head_of(item, &major, &info, &content);
    if (major > NEGATIVE || number > INT64_MAX) return false;
    *value = major == UNSIGNED ? (int64_t)number : -1 - (int64_t)number;
    return true;
}

bool polyfold_get_uint(polyfold_item item, uint64_t *value) {
    unsigned major, info;
    polyfold_cursor content;
    *value = head_of(item, &major, &info, &content);
    return major == UNSIGNED;
}

static double from_bits(uint64_t bits) {
    double value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static double from_half(unsigned half) {
    unsigned exponent = half >> 10 & 0x1f, mantissa = half & 0x3ff;
    double value = exponent == 0    ? ldexp(mantissa, -24)
                   : exponent != 31 ? ldexp(mantissa + 1024, (int)exponent - 25)
                   : mantissa       ? (double)NAN
                                    : (double)INFINITY;
    return half & 0x8000 ? -value : value;
}

static double from_single(uint32_t bits) {
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

bool polyfold_get_float(polyfold_item item, double *value) {
    unsigned major, info;
    polyfold_cursor content;
    uint64_t number = head_of(item, &major, &info, &content);
    if (major == UNSIGNED) *value = (double)number;
    else if (major == NEGATIVE) *value = (double)(-1 - (polyfold_int128)number);
    else if (major == SIMPLE && info == 25) *value = from_half((unsigned)number);
    else if (major == SIMPLE && info == 26) *value = from_single((uint32_t)number);
    else if (major == SIMPLE && info == 27) *value = from_bits(number);
    else return false;
    return true;
}

bool polyfold_get_bool(polyfold_item item, bool *value) {
    if (polyfold_kind_of(item) != POLYFOLD_KIND_BOOL) return false;
    *value = item.data[0] == 0xf5;
    return true;
}

/* Whether bytes are UTF-8: the host refuses any other text. */
static bool is_utf8(const uint8_t *at, size_t length) {
    const uint8_t *end = at + length;
    while (at < end) {
        uint64_t eight;
        while (end - at >= 8 && (memcpy(&eight, at, 8), !(eight & 0x8080808080808080u))) at += 8;
        if (at == end) break;
        if (*at < 0x80) {
            at++;
            continue;
        }
        unsigned size = *at >= 0xf0 ? 4 : *at >= 0xe0 ? 3 : 2;
        if (*at < 0xc2 || *at > 0xf4 || (size_t)(end - at) < size) return false;
        for (unsigned i = 1; i < size; i++) {
            if ((at[i] & 0xc0) != 0x80) return false;
        }
        /* Longer than need be, a surrogate, or beyond the last code point. */
        if (*at == 0xe0 && at[1] < 0xa0) return false;
        if (*at == 0xed && at[1] > 0x9f) return false;
        if (*at == 0xf0 && at[1] < 0x90) return false;
        if (*at == 0xf4 && at[1] > 0x8f) return false;
        at += size;
    }
    return true;
}

/* The bytes of a text or of a byte string. */
static bool get_string(polyfold_item item, unsigned wanted, const uint8_t **data, size_t *length) {
    unsigned major, info;
    polyfold_cursor content;
    uint64_t number = head_of(item, &major, &info, &content);
    if (major != wanted || !take(&content, number, data)) return false;
    *length = (size_t)number;
    return true;
}

bool polyfold_get_text(polyfold_item item, polyfold_text *value) {
    const uint8_t *data;
    size_t length;
    if (!get_string(item, TEXT, &data, &length) || !is_utf8(data, length)) return false;
    *value = (polyfold_text){(const char *)data, length};
    return true;
}

bool polyfold_get_bytes(polyfold_item item, polyfold_bytes *value) {
    return get_string(item, BYTES, &value->data, &value->length);
}

polyfold_cursor polyfold_walk(polyfold_item item) {
    unsigned major, info;
    polyfold_cursor content;
    uint64_t number = head_of(item, &major, &info, &content);
    content.left = major == ARRAY || major == MAP ? number : 0;
    return content;
}

bool polyfold_next(polyfold_cursor *cursor, polyfold_item *element) {
    if (!cursor->left || !next_item(cursor, element)) return false;
    cursor->left--;
    return true;
}

bool polyfold_next_entry(polyfold_cursor *cursor, polyfold_item *key, polyfold_item *value) {
    if (!cursor->left || !next_item(cursor, key) || !next_item(cursor, value)) return false;
    cursor->left--;
    return true;
}

bool polyfold_find(polyfold_item map, const char *key, polyfold_item *value) {
    if (polyfold_kind_of(map) != POLYFOLD_KIND_MAP) return false;
    size_t wanted = strlen(key), length;
    const uint8_t *data;
    polyfold_cursor cursor = polyfold_walk(map);
    polyfold_item name;
    while (polyfold_next_entry(&cursor, &name, value)) {
        if (get_string(name, TEXT, &data, &length) && length == wanted && !memcmp(data, key, length)) return true;
    }
    return false;
}
