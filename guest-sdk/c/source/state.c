/* The state, and what surrounds the call: a thin cover over the host's functions. */

bool polyfold_state_get(polyfold_text key, polyfold_bytes *value) {
    polyfold_maybe_bytes answer;
    polyfold_host_get(key.data, key.length, &answer);
    if (answer.present) *value = answer.bytes;
    return answer.present;
}

const polyfold_maybe_bytes *polyfold_state_get_many(const polyfold_text *keys, size_t count) {
    host_values answer;
    polyfold_host_get_many(keys, count, &answer);
    return answer.data;
}

void polyfold_state_put(polyfold_text key, polyfold_bytes value) {
    polyfold_host_put(key.data, key.length, value.data, value.length);
}

void polyfold_state_delete(polyfold_text key) {
    polyfold_host_delete(key.data, key.length);
}

void polyfold_state_write(const polyfold_change *changes, size_t count) {
    polyfold_host_write(changes, count);
}

polyfold_entries polyfold_state_scan(polyfold_text prefix, const polyfold_text *after, uint32_t limit) {
    polyfold_entries answer;
    polyfold_text behind = after ? *after : POLYFOLD_TEXT("");
    polyfold_host_scan(prefix.data, prefix.length, after != NULL, behind.data, behind.length, limit, &answer);
    return answer;
}

polyfold_scan polyfold_scan_all(polyfold_text prefix) {
    return (polyfold_scan){.prefix = prefix, .page_size = 1000};
}

/* Keys are at most this long. */
#define KEY_BYTES_MAX 1024

bool polyfold_scan_next(polyfold_scan *scan, polyfold_entry *entry) {
    if (scan->next == scan->page.count) {
        if (scan->started && !scan->page.count) return false;
        /* The last page did not fit: the next one gets a larger piece, so what is left behind stays bounded. */
        if (scan->wanted > scan->capacity) {
            scan->capacity = scan->wanted * 2;
            scan->buffer = allocate(scan->capacity, 8);
        }
        scan->wanted = 0;
        polyfold_text after = {scan->after, scan->after_length};
        page_owner = scan;
        scan->page = polyfold_state_scan(scan->prefix, scan->started ? &after : NULL, scan->page_size);
        page_owner = NULL;
        scan->started = true;
        scan->next = 0;
        if (!scan->page.count) return false;
    }
    *entry = scan->page.data[scan->next++];
    if (scan->next == scan->page.count) {
        /* The next page may take the place of this key. */
        if (!scan->after) scan->after = allocate(KEY_BYTES_MAX, 1);
        scan->after_length = entry->key.length;
        memcpy(scan->after, entry->key.data, entry->key.length);
    }
    return true;
}

const polyfold_envelope *polyfold_envelope_of(uint64_t sequence) {
    host_maybe_envelope *answer = allocate(sizeof *answer, 8);
    polyfold_host_envelope_of(sequence, answer);
    return answer->present ? &answer->envelope : NULL;
}

polyfold_text polyfold_parameters(void) {
    polyfold_text answer;
    polyfold_host_parameters(&answer);
    return answer;
}

bool polyfold_parameters_item(polyfold_item *item) {
    return polyfold_from_json(polyfold_parameters(), item);
}
