/* What can be asked of an event. */

static size_t slash(polyfold_text stream) {
    const char *found = stream.length ? memchr(stream.data, '/', stream.length) : NULL;
    return found ? (size_t)(found - stream.data) : stream.length;
}

polyfold_text polyfold_category(const polyfold_event *event) {
    return (polyfold_text){event->stream.data, slash(event->stream)};
}

polyfold_text polyfold_stream_name(const polyfold_event *event) {
    size_t at = slash(event->stream);
    if (at == event->stream.length) return POLYFOLD_TEXT("");
    return (polyfold_text){event->stream.data + at + 1, event->stream.length - at - 1};
}

bool polyfold_fail_event(const polyfold_event *event, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    polyfold_text message = formatted(format, arguments);
    va_end(arguments);
    return polyfold_fail("%.*s, schema version %u: %.*s", POLYFOLD_ARG(event->event_type),
                         (unsigned)event->schema_version, POLYFOLD_ARG(message));
}

bool polyfold_expect_schema_version(const polyfold_event *event, uint32_t version, const char *way_out) {
    return event->schema_version == version ||
           polyfold_fail_event(event, "expected schema version %u: %s", (unsigned)version, way_out);
}

static bool is_cbor(const polyfold_event *event) {
    return event->payload.encoding == POLYFOLD_CBOR ||
           polyfold_fail_event(event, "the payload is JSON, as the manifest asks: read payload.bytes");
}

bool polyfold_payload_item(const polyfold_event *event, polyfold_item *item) {
    if (!is_cbor(event)) return false;
    return polyfold_item_of(event->payload.bytes, item) ||
           polyfold_fail_event(event, "cannot read the payload: it is no CBOR");
}

bool polyfold_read_payload(const polyfold_event *event, const polyfold_type *type, void *value) {
    if (!is_cbor(event)) return false;
    return read_value(event->payload.bytes, type, value) ||
           polyfold_fail_event(event, "cannot read the payload: %.*s", POLYFOLD_ARG(problem));
}
