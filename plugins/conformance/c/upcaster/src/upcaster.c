/* The conformance upcaster in C: see ../../../README.md, the specification. */
#include "polyfold.h"

static bool lift(polyfold_fields *fields) {
    polyfold_put_int(fields, "lifted", 1);
    polyfold_rename(fields, "int", "integer");
    if (!polyfold_has(fields, "float")) return true;
    double value;
    if (!polyfold_take_float(fields, "float", &value)) return false;
    polyfold_writer measure = {0};
    polyfold_begin_map(&measure);
    polyfold_write_key(&measure, "value");
    polyfold_write_float(&measure, value);
    polyfold_end_map(&measure);
    return polyfold_put_written(fields, "measure", &measure);
}

static bool lift_again(polyfold_fields *fields) {
    polyfold_put_int(fields, "lifted", 2);
    if (!polyfold_has(fields, "text")) return true;
    polyfold_text text;
    if (!polyfold_take_text(fields, "text", &text)) return false;
    polyfold_writer texts = {0};
    polyfold_write_array(&texts, 1);
    polyfold_write_text(&texts, text);
    return polyfold_put_written(fields, "texts", &texts);
}

static bool upcast(const polyfold_event *event, polyfold_payload *answer) {
    polyfold_fields fields;
    if (!polyfold_fields_of(event, &fields)) return false;
    polyfold_text message;
    if (polyfold_has(&fields, "fail")) {
        return polyfold_take_text(&fields, "fail", &message) && polyfold_fail_text(message);
    }
    bool is_specimen = polyfold_is(event->event_type, "specimen");
    if (!(event->schema_version == 1 ? lift(&fields) : lift_again(&fields))) return false;
    if (is_specimen) polyfold_put_text(&fields, "was", POLYFOLD_TEXT("specimen"));
    return polyfold_fields_payload(&fields, answer);
}

const polyfold_upcaster upcaster = {
    .name = "conformance-v2",
    .version = "1.0.0",
    .description = "what every language must lift alike",
    .steps = POLYFOLD_STEPS({"sample", 1, NULL}, {"sample", 2, NULL}, {"specimen", 1, "sample"}),
    .upcast = upcast,
};

POLYFOLD_EXPORT_UPCASTER(upcaster);
