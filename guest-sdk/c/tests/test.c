/* Tests of the C kit itself, natively: `make test` in this folder. */
#include <assert.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../testing.h"

static const char *hex_of(polyfold_bytes bytes) {
    char *hex = polyfold_alloc(bytes.length * 2 + 1);
    for (size_t i = 0; i < bytes.length; i++) sprintf(hex + 2 * i, "%02x", bytes.data[i]);
    return hex;
}

static polyfold_bytes bytes_of(const char *hex) {
    size_t length = strlen(hex) / 2;
    uint8_t *data = polyfold_alloc(length + 1);
    for (size_t i = 0; i < length; i++) {
        unsigned byte;
        sscanf(hex + 2 * i, "%2x", &byte);
        data[i] = (uint8_t)byte;
    }
    return (polyfold_bytes){data, length};
}

static bool written_as(polyfold_writer *writer, const char *hex) {
    polyfold_bytes bytes;
    if (!polyfold_written(writer, &bytes)) return false;
    if (!strcmp(hex_of(bytes), hex)) return true;
    fprintf(stderr, "should be %s, is %s\n", hex, hex_of(bytes));
    return false;
}

static void json_is_written_as_the_rfc_says(void) {
    static const char *const cases[][2] = {
        {"0", "00"},
        {"24", "1818"},
        {"1000000", "1a000f4240"},
        {"18446744073709551615", "1bffffffffffffffff"},
        {"-1000", "3903e7"},
        {"-9223372036854775808", "3b7fffffffffffffff"},
        {"0.0", "f90000"},
        {"-0.0", "f98000"},
        {"1.5", "f93e00"},
        {"65504.0", "f97bff"},
        {"5.960464477539063e-8", "f90001"},
        {"6.103515625e-05", "f90400"},
        {"3.0517578125e-05", "f90200"},
        {"100000.0", "fa47c35000"},
        {"1.401298464324817e-45", "fa00000001"},
        {"1.1", "fb3ff199999999999a"},
        {"1e300", "fb7e37e43c8800759c"},
        {"5e-324", "fb0000000000000001"},
        {"null", "f6"},
        {"true", "f5"},
        {"\"\\u00fc\"", "62c3bc"},
        {"\"\\ud834\\udd1e\"", "64f09d849e"},
        {"[1, [2, 3]]", "8201820203"},
        {"{\"b\": [2, 3], \"a\": 1}", "a26161016162820203"},
        {"{\"zz\": 1, \"a\": 2, \"ccc\": 3, \"b\": 4}", "a46161026162046" "27a7a0163636363" "03"},
        {"{}", "a0"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        polyfold_item item;
        assert(polyfold_from_json(polyfold_text_of(cases[i][0]), &item));
        polyfold_writer writer = {0};
        polyfold_write_item(&writer, item);
        assert(written_as(&writer, cases[i][1]));
    }
}

static void floats_read_back_as_they_were(void) {
    static const double values[] = {0.0, -0.0, 1.0, 0.1, 1e300, 5e-324, 65504, 65505, 65520, 5.960464477539063e-8, 3.4028234663852886e38};
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        polyfold_writer writer = {0};
        polyfold_write_float(&writer, values[i]);
        double found;
        assert(polyfold_get_float((polyfold_item){writer.data, writer.length}, &found));
        assert(!memcmp(&found, &values[i], sizeof found));
    }
    polyfold_writer nan = {0}, infinity = {0};
    polyfold_write_float(&nan, -NAN);
    assert(written_as(&nan, "f97e00"));
    polyfold_write_float(&infinity, -INFINITY);
    assert(written_as(&infinity, "f9fc00"));
}

static void a_map_that_has_a_key_twice_is_refused(void) {
    polyfold_writer writer = {0};
    polyfold_bytes bytes;
    polyfold_begin_map(&writer);
    for (int i = 0; i < 2; i++) {
        polyfold_write_key(&writer, "a");
        polyfold_write_null(&writer);
    }
    polyfold_end_map(&writer);
    assert(!polyfold_written(&writer, &bytes));
}

typedef struct {
    polyfold_text text;
} any;

static const polyfold_type any_type = POLYFOLD_TYPE(any, POLYFOLD_OPTIONAL(any, text));

static void malformed_input_is_refused_and_never_a_crash(void) {
    static const char *const cases[] = {"",   "1901", "7bffffffffffffffff", "9bffffffffffffffff", "bbffffffffffffffff",
                                        "5f", "0102", "ff",                 "1c",                 "a161"};
    any value;
    polyfold_item item;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        polyfold_bytes bytes = bytes_of(cases[i]);
        assert(!polyfold_item_of(bytes, &item));
        assert(!polyfold_read_struct((polyfold_item){bytes.data, bytes.length}, &any_type, &value));
    }
    srand(4);
    for (int round = 0; round < 50000; round++) {
        uint8_t bytes[24];
        for (size_t i = 0; i < sizeof bytes; i++) bytes[i] = (uint8_t)rand();
        if (polyfold_item_of((polyfold_bytes){bytes, sizeof bytes}, &item)) polyfold_json_of(item);
        polyfold_place before = polyfold_mark();
        polyfold_read_struct((polyfold_item){bytes, sizeof bytes}, &any_type, &value);
        polyfold_release(before);
    }
}

static void formats_as_printf_does(void) {
    static const double values[] = {0, -0.0, 1, -2.5, 0.1, 100, 123456, 1234567, 1e-4, 1e-5, 9.9999995, 0.5, 2.5, 1e21, 1e300, 5e-324, 99.995, INFINITY};
    static const char *const formats[] = {"%g", "%f", "%.2f", "%.0f", "%.17g", "%.1g"};
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        for (size_t j = 0; j < sizeof formats / sizeof *formats; j++) {
            char expected[512];
            /* The format is one of those above. */
            int (*print)(char *, size_t, const char *, ...) = snprintf;
            polyfold_text (*format)(const char *, ...) = polyfold_format;
            print(expected, sizeof expected, formats[j], values[i]);
            polyfold_text found = format(formats[j], values[i]);
            if (!polyfold_is(found, expected)) {
                fprintf(stderr, "%s: %s, not %.*s\n", formats[j], expected, POLYFOLD_ARG(found));
                abort();
            }
        }
    }
    assert(polyfold_is(polyfold_format("%05u|%5d|%03d|%8.2f", 42u, -42, -5, 1.5), "00042|  -42|-05|    1.50"));
    polyfold_text text = POLYFOLD_TEXT("text, longer");
    assert(polyfold_is(polyfold_format("%s|%.*s|%d|%u|%lld|%zu|%x|%c|%%", "a", 4, text.data, -5, 6u, LLONG_MIN, (size_t)7, 255u, 'c'),
                       "a|text|-5|6|-9223372036854775808|7|ff|c|%"));
}

/* Balances: `paid` moves an amount between two accounts; an account at zero has no entry. */
typedef struct {
    polyfold_text from, to;
    int64_t amount;
} paid;

static const polyfold_type paid_type =
    POLYFOLD_TYPE(paid, POLYFOLD_FIELD(paid, from), POLYFOLD_FIELD(paid, to), POLYFOLD_FIELD(paid, amount));

typedef struct {
    int64_t amount;
    uint64_t payments;
} balance;

static const polyfold_type balance_type =
    POLYFOLD_TYPE(balance, POLYFOLD_FIELD(balance, amount), POLYFOLD_FIELD(balance, payments));

static bool accounts(const polyfold_event *event, const void *payload, polyfold_keys *keys) {
    (void)event;
    const paid *paid = payload;
    polyfold_format_key(keys, "account/%.*s", POLYFOLD_ARG(paid->from));
    polyfold_format_key(keys, "account/%.*s", POLYFOLD_ARG(paid->to));
    return true;
}

static bool move(void *value, const polyfold_event *event, const void *payload, polyfold_text key) {
    (void)event;
    const paid *paid = payload;
    balance *balance = value;
    polyfold_text name = {key.data + 8, key.length - 8};
    balance->amount += polyfold_equal(name, paid->from) ? -paid->amount : paid->amount;
    balance->payments++;
    return true;
}

static bool worth_keeping(const void *value) {
    return ((const balance *)value)->amount != 0;
}

static const polyfold_projection balances = {
    .name = "balances", .version = "1.0.0", .description = "what each account holds",
    .payload = &paid_type, .value = &balance_type, .keys = accounts, .fold = move, .keep = worth_keeping,
};

static polyfold_event payment(const char *from, const char *to, int amount) {
    char json[128];
    snprintf(json, sizeof json, "{\"from\": \"%s\", \"to\": \"%s\", \"amount\": %d}", from, to, amount);
    return polyfold_test_event("paid", json);
}

static void where_batches_are_cut_does_not_matter(void) {
    static const char *const names[] = {"ann", "bob", "cid", "dan"};
    polyfold_event events[200];
    for (int i = 0; i < 200; i++) events[i] = payment(names[i % 3], names[(i * 7 + 1) % 4], i % 5);
    polyfold_harness *whole = polyfold_harness_of(&balances);
    assert(!polyfold_apply(whole, events, 200));
    assert(polyfold_state_of(whole).count == 4);
    static const size_t sizes[] = {1, 2, 3, 7, 199};
    for (size_t i = 0; i < 5; i++) {
        polyfold_harness *cut = polyfold_harness_of(&balances);
        polyfold_batches_of(cut, sizes[i]);
        assert(!polyfold_apply(cut, events, 200));
        assert(polyfold_same_state(whole, cut));
        polyfold_harness_free(cut);
    }
    polyfold_harness_free(whole);
}

static void a_value_not_worth_keeping_has_no_entry_and_starts_afresh(void) {
    polyfold_harness *harness = polyfold_harness_of(&balances);
    polyfold_event events[] = {payment("ann", "bob", 5), payment("bob", "ann", 5)};
    assert(!polyfold_apply(harness, events, 2));
    assert(!polyfold_state_of(harness).count);
    assert(!polyfold_apply(harness, events, 1));
    assert(polyfold_holds(harness, "account/bob", "{\"amount\":5,\"payments\":1}"));
    polyfold_harness_free(harness);
}

static void a_batch_with_an_unreadable_event_changes_nothing_and_the_error_says_why(void) {
    polyfold_harness *harness = polyfold_harness_of(&balances);
    polyfold_event events[] = {payment("ann", "bob", 5), polyfold_test_event("paid", "{\"from\": \"ann\", \"to\": \"bob\", \"amount\": \"5\"}")};
    const char *why = polyfold_apply(harness, events, 2);
    assert(why && !strcmp(why, "paid, schema version 1: cannot read the payload: field \"amount\": expected an integer of 64 bits, found a text"));
    assert(!polyfold_state_of(harness).count);
    polyfold_harness_free(harness);
}

/* Writes large values, then reads them page by page, and one by one, keeping none. */
static size_t scanned;

static bool write_and_scan(const polyfold_event *event) {
    static uint8_t large[1024 * 1024 - 5];
    polyfold_writer writer = {0};
    polyfold_write_bytes(&writer, (polyfold_bytes){large, sizeof large});
    polyfold_bytes bytes;
    if (!polyfold_written(&writer, &bytes)) return false;
    polyfold_state_put(polyfold_format("large/%03u", (unsigned)event->sequence), bytes);
    polyfold_log(POLYFOLD_INFO, "%u bytes", (unsigned)bytes.length);
    polyfold_scan scan = polyfold_scan_all(POLYFOLD_TEXT("large/"));
    scan.page_size = 3;
    polyfold_entry entry;
    while (polyfold_scan_next(&scan, &entry)) scanned += entry.value.length;
    return true;
}

static bool each_large(const polyfold_event *events, size_t count) {
    return polyfold_each(events, count, write_and_scan);
}

static void pages_are_read_one_after_another(void) {
    static const polyfold_projection projection = {.name = "large", .version = "1.0.0", .description = "large", .apply = each_large};
    polyfold_harness *harness = polyfold_harness_of(&projection);
    polyfold_event events[10];
    for (int i = 0; i < 10; i++) events[i] = polyfold_test_event("any", "null");
    assert(!polyfold_apply(harness, events, 10));
    assert(scanned == (size_t)1024 * 1024 * 55);
    assert(!strcmp(polyfold_logged(harness, 0), "info: 1048576 bytes"));
    polyfold_harness_free(harness);
}

static void fields_that_nobody_touches_stay_as_they_are(void) {
    polyfold_event event = polyfold_test_event("a", "{\"old\": 1, \"float\": 1.0, \"text\": \"\\u00e9\"}");
    polyfold_fields fields;
    polyfold_payload answer;
    assert(polyfold_fields_of(&event, &fields));
    polyfold_rename(&fields, "old", "newer");
    polyfold_rename(&fields, "absent", "text");
    polyfold_put_int(&fields, "b", -1);
    assert(polyfold_fields_payload(&fields, &answer));
    event.payload = answer;
    assert(!strcmp(polyfold_payload_json(&event), "{\"b\":-1,\"text\":\"\xc3\xa9\",\"float\":1.0,\"newer\":1}"));
}

int main(void) {
    json_is_written_as_the_rfc_says();
    floats_read_back_as_they_were();
    a_map_that_has_a_key_twice_is_refused();
    malformed_input_is_refused_and_never_a_crash();
    formats_as_printf_does();
    where_batches_are_cut_does_not_matter();
    a_value_not_worth_keeping_has_no_entry_and_starts_afresh();
    a_batch_with_an_unreadable_event_changes_nothing_and_the_error_says_why();
    pages_are_read_one_after_another();
    fields_that_nobody_touches_stay_as_they_are();
    puts("10 tests passed");
}
