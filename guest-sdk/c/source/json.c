/* JSON text as CBOR: for parameters, and for the payloads of tests. */

typedef struct {
    const char *at, *end;
    polyfold_writer writer;
    const char *problem;
    unsigned depth;
} json_reader;

static bool json_fail(json_reader *json, const char *problem) {
    if (!json->problem) json->problem = problem;
    return false;
}

static void json_space(json_reader *json) {
    while (json->at < json->end && strchr(" \t\r\n", *json->at) && *json->at) json->at++;
}

static bool json_next_is(json_reader *json, char c) {
    json_space(json);
    if (json->at == json->end || *json->at != c) return false;
    json->at++;
    return true;
}

static bool json_word(json_reader *json, const char *word) {
    size_t length = strlen(word);
    if ((size_t)(json->end - json->at) < length || memcmp(json->at, word, length)) return json_fail(json, "no value");
    json->at += length;
    return true;
}

static bool json_hex(json_reader *json, uint32_t *code) {
    *code = 0;
    for (int i = 0; i < 4; i++, json->at++) {
        if (json->at == json->end) return json_fail(json, "a \\u wants four digits");
        char c = *json->at;
        uint32_t value = c >= '0' && c <= '9'   ? (uint32_t)(c - '0')
                         : c >= 'a' && c <= 'f' ? (uint32_t)(c - 'a' + 10)
                         : c >= 'A' && c <= 'F' ? (uint32_t)(c - 'A' + 10)
                                                : 16;
        if (value == 16) return json_fail(json, "a \\u wants four digits");
        *code = *code << 4 | value;
    }
    return true;
}

static void append_code_point(text_buffer *text, uint32_t code) {
    if (code < 0x80) return append_char(text, (char)code);
    if (code < 0x800) append_char(text, (char)(0xc0 | code >> 6));
    else if (code < 0x10000) append_char(text, (char)(0xe0 | code >> 12));
    else append_char(text, (char)(0xf0 | code >> 18)), append_char(text, (char)(0x80 | (code >> 12 & 0x3f)));
    if (code >= 0x800) append_char(text, (char)(0x80 | (code >> 6 & 0x3f)));
    append_char(text, (char)(0x80 | (code & 0x3f)));
}

static bool json_escape(json_reader *json, text_buffer *text) {
    static const char letters[] = "\"\\/bfnrt", meanings[] = "\"\\/\b\f\n\r\t";
    if (json->at == json->end) return json_fail(json, "a text does not end");
    char c = *json->at++;
    if (c != 'u') {
        const char *found = c ? strchr(letters, c) : NULL;
        if (!found) return json_fail(json, "an escape that JSON does not have");
        append_char(text, meanings[found - letters]);
        return true;
    }
    uint32_t code, low;
    if (!json_hex(json, &code)) return false;
    if (code >= 0xd800 && code < 0xdc00) {
        if (json->end - json->at < 2 || json->at[0] != '\\' || json->at[1] != 'u') {
            return json_fail(json, "half a surrogate pair");
        }
        json->at += 2;
        if (!json_hex(json, &low)) return false;
        if (low < 0xdc00 || low > 0xdfff) return json_fail(json, "half a surrogate pair");
        code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
    } else if (code >= 0xdc00 && code < 0xe000) {
        return json_fail(json, "half a surrogate pair");
    }
    append_code_point(text, code);
    return true;
}

static bool json_text(json_reader *json) {
    text_buffer text = {allocate(64, 1), 0, 64};
    if (!json_next_is(json, '"')) return json_fail(json, "a key is no text");
    for (;;) {
        if (json->at == json->end) return json_fail(json, "a text does not end");
        char c = *json->at++;
        if (c == '"') break;
        if ((unsigned char)c < 0x20) return json_fail(json, "a control character in a text");
        if (c != '\\') append_char(&text, c);
        else if (!json_escape(json, &text)) return false;
    }
    polyfold_write_text(&json->writer, (polyfold_text){text.data, text.length});
    return true;
}

static bool json_number(json_reader *json) {
    char digits[512];
    size_t length = 0;
    bool whole = true;
    for (; json->at < json->end && *json->at && strchr("+-.0123456789eE", *json->at); json->at++) {
        if (length == sizeof digits - 1) return json_fail(json, "a number of more than 511 characters");
        if (strchr(".eE", *json->at)) whole = false;
        digits[length++] = *json->at;
    }
    digits[length] = 0;
    bool negative = digits[0] == '-';
    const char *first = digits + negative;
    if (*first < '0' || *first > '9' || (first[0] == '0' && first[1] >= '0' && first[1] <= '9')) {
        return json_fail(json, "no value");
    }
    polyfold_int128 number = 0;
    for (const char *at = first; whole && *at; at++) {
        if (*at < '0' || *at > '9') return json_fail(json, "no number");
        number = number * 10 + (*at - '0');
        if (number > UINT64_MAX) whole = false;
    }
    if (whole) {
        polyfold_write_int128(&json->writer, negative ? -number : number);
        return true;
    }
    char *end;
    double value = strtod(digits, &end);
    if (*end) return json_fail(json, "no number");
    polyfold_write_float(&json->writer, value);
    return true;
}

static bool json_value(json_reader *json);

static bool json_array(json_reader *json) {
    /* How many elements there are shows at the end, so their head is put in front then. */
    size_t start = json->writer.length, count = 0;
    if (!json_next_is(json, ']')) {
        do {
            if (!json_value(json)) return false;
            count++;
        } while (json_next_is(json, ','));
        if (!json_next_is(json, ']')) return json_fail(json, "an array wants , or ]");
    }
    uint8_t bytes[9];
    unsigned length = head(bytes, ARRAY, count);
    size_t size = json->writer.length - start;
    room(&json->writer, length);
    memmove(json->writer.data + start + length, json->writer.data + start, size);
    memcpy(json->writer.data + start, bytes, length);
    return true;
}

static bool json_object(json_reader *json) {
    polyfold_begin_map(&json->writer);
    if (!json_next_is(json, '}')) {
        do {
            if (!json_text(json)) return false;
            if (!json_next_is(json, ':')) return json_fail(json, "an object wants : behind a key");
            if (!json_value(json)) return false;
        } while (json_next_is(json, ','));
        if (!json_next_is(json, '}')) return json_fail(json, "an object wants , or }");
    }
    polyfold_end_map(&json->writer);
    return true;
}

static bool json_nested(json_reader *json, bool (*read)(json_reader *json)) {
    json->at++;
    if (++json->depth > 128) return json_fail(json, "nested more than 128 levels deep");
    if (!read(json)) return false;
    json->depth--;
    return true;
}

static bool json_value(json_reader *json) {
    json_space(json);
    if (json->at == json->end) return json_fail(json, "it ends too early");
    switch (*json->at) {
    case '{': return json_nested(json, json_object);
    case '[': return json_nested(json, json_array);
    case '"': return json_text(json);
    case 'n': polyfold_write_null(&json->writer); return json_word(json, "null");
    case 't': polyfold_write_bool(&json->writer, true); return json_word(json, "true");
    case 'f': polyfold_write_bool(&json->writer, false); return json_word(json, "false");
    default: return json_number(json);
    }
}

bool polyfold_from_json(polyfold_text text, polyfold_item *item) {
    json_reader json = {.at = text.data, .end = text.data + text.length};
    if (!is_utf8((const uint8_t *)text.data, text.length)) return polyfold_fail("cannot read JSON: it is no UTF-8");
    bool read = json_value(&json);
    json_space(&json);
    if (read && json.at != json.end) read = json_fail(&json, "something stands behind the value");
    if (!read) return polyfold_fail("cannot read JSON at byte %zu: %s", (size_t)(json.at - text.data), json.problem);
    polyfold_bytes bytes;
    if (!polyfold_written(&json.writer, &bytes)) return false;
    *item = (polyfold_item){bytes.data, bytes.length};
    return true;
}
