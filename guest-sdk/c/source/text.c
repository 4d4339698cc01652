/* Texts, and what is said to the plugin's author: failures, log messages, failed assertions. */

polyfold_text polyfold_text_of(const char *text) {
    return (polyfold_text){text, strlen(text)};
}

bool polyfold_equal(polyfold_text a, polyfold_text b) {
    return a.length == b.length && !memcmp(a.data, b.data, a.length);
}

bool polyfold_is(polyfold_text text, const char *other) {
    return polyfold_equal(text, polyfold_text_of(other));
}

/* Outside the arena, so that a release does not take it. The host keeps no more of it. */
static struct {
    char data[16 * 1024];
    size_t length;
    bool kept;
} failure;

/* The length to which a text is cut, between two of its characters. */
static size_t cut(polyfold_text text, size_t length_max) {
    if (text.length <= length_max) return text.length;
    size_t length = length_max;
    while (length && ((unsigned char)text.data[length] & 0xc0) == 0x80) length--;
    return length;
}

bool polyfold_fail_text(polyfold_text message) {
    failure.length = cut(message, sizeof failure.data);
    failure.kept = true;
    memmove(failure.data, message.data, failure.length);
    return false;
}

bool polyfold_fail(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    polyfold_fail_text(formatted(format, arguments));
    va_end(arguments);
    return false;
}

polyfold_text polyfold_failure(void) {
    if (!failure.kept) return POLYFOLD_TEXT("the plugin returned false without a call of polyfold_fail");
    return (polyfold_text){failure.data, failure.length};
}

void polyfold_log_text(polyfold_level level, polyfold_text message) {
    polyfold_host_log((int)level, message.data, message.length);
}

void polyfold_log(polyfold_level level, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    polyfold_log_text(level, formatted(format, arguments));
    va_end(arguments);
}

#ifdef __wasm__
/* What the standard library's `assert` calls; its own would print through WASI. */
_Noreturn void __assert_fail(const char *expression, const char *file, int line, const char *function) {
    polyfold_log(POLYFOLD_ERROR, "%s:%d: %s: assertion failed: %s", file, line, function, expression);
    __builtin_trap();
}

_Noreturn void abort(void) {
    polyfold_log(POLYFOLD_ERROR, "abort");
    __builtin_trap();
}
#endif
