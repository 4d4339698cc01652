/* The way from the exports to the plugin's functions, and back to what the host reads. */

bool polyfold_each(const polyfold_event *events, size_t count, bool (*apply)(const polyfold_event *event)) {
    for (size_t i = 0; i < count; i++) {
        polyfold_place before = polyfold_mark();
        if (!apply(&events[i])) return false;
        polyfold_release(before);
    }
    return true;
}

bool polyfold_run_projection(const polyfold_projection *projection, const polyfold_event *events, size_t count) {
    failure.kept = false;
    return projection->apply ? projection->apply(events, count) : run_keyed(projection, events, count);
}

static const abi_result *failed(void) {
    polyfold_text text = polyfold_failure();
    /* The host traps on a text that is no UTF-8, and then says less. */
    if (!is_utf8((const uint8_t *)text.data, text.length)) {
        for (size_t i = 0; i < failure.length; i++) failure.data[i] &= 0x7f;
    }
    abi_result *result = polyfold_alloc(sizeof *result);
    *result = (abi_result){true, text.data, text.length};
    return result;
}

const void *polyfold_call_projection(const polyfold_projection *projection, const polyfold_event *events,
                                     size_t count) {
    if (!polyfold_run_projection(projection, events, count)) return failed();
    return polyfold_alloc(sizeof(abi_result));
}

const void *polyfold_call_upcaster(const polyfold_upcaster *upcaster, const polyfold_event *events, size_t count) {
    failure.kept = false;
    polyfold_payload *answers = polyfold_alloc(count * sizeof *answers);
    for (size_t i = 0; i < count; i++) {
        if (!upcaster->upcast(&events[i], &answers[i])) return failed();
    }
    abi_result *result = polyfold_alloc(sizeof *result);
    *result = (abi_result){false, answers, count};
    return result;
}

static polyfold_text text_or_empty(const char *text) {
    return text ? polyfold_text_of(text) : POLYFOLD_TEXT("");
}

static const polyfold_text *texts_of(const char *const *list, size_t *count) {
    for (*count = 0; list && list[*count];) ++*count;
    polyfold_text *texts = polyfold_alloc(*count * sizeof *texts);
    for (size_t i = 0; i < *count; i++) texts[i] = polyfold_text_of(list[i]);
    return texts;
}

const void *polyfold_describe_projection(const polyfold_projection *projection) {
    abi_projection_manifest *manifest = polyfold_alloc(sizeof *manifest);
    manifest->name = text_or_empty(projection->name);
    manifest->version = text_or_empty(projection->version);
    manifest->description = text_or_empty(projection->description);
    manifest->event_types.data = texts_of(projection->event_types, &manifest->event_types.count);
    manifest->categories.data = texts_of(projection->categories, &manifest->categories.count);
    manifest->payload_encoding = (uint8_t)projection->payload_encoding;
    manifest->state_encoding = (uint8_t)projection->state_encoding;
    size_t count = 0;
    while (projection->views && projection->views[count].name) count++;
    abi_view *views = polyfold_alloc(count * sizeof *views);
    for (size_t i = 0; i < count; i++) {
        const polyfold_view *view = &projection->views[i];
        views[i] = (abi_view){text_or_empty(view->name), text_or_empty(view->prefix), text_or_empty(view->description)};
    }
    manifest->views.data = views;
    manifest->views.count = count;
    return manifest;
}

const void *polyfold_describe_upcaster(const polyfold_upcaster *upcaster) {
    abi_upcaster_manifest *manifest = polyfold_alloc(sizeof *manifest);
    manifest->name = text_or_empty(upcaster->name);
    manifest->version = text_or_empty(upcaster->version);
    manifest->description = text_or_empty(upcaster->description);
    manifest->payload_encoding = (uint8_t)upcaster->payload_encoding;
    size_t count = 0;
    while (upcaster->steps && upcaster->steps[count].event_type) count++;
    abi_step *steps = polyfold_alloc(count * sizeof *steps);
    for (size_t i = 0; i < count; i++) {
        const polyfold_step *step = &upcaster->steps[i];
        steps[i] = (abi_step){polyfold_text_of(step->event_type), step->schema_version,
                              {step->new_event_type != NULL, text_or_empty(step->new_event_type)}};
    }
    manifest->steps.data = steps;
    manifest->steps.count = count;
    return manifest;
}
