/* Formatting as printf does, without the standard library's: that one would import files from WASI. */

#include <stdarg.h>

typedef struct {
    char *data;
    size_t length, capacity;
} text_buffer;

static void append(text_buffer *buffer, const char *data, size_t length) {
    if (length > buffer->capacity - buffer->length) {
        size_t capacity = (buffer->length + length) * 2;
        buffer->data = reallocate(buffer->data, buffer->length, capacity, 1);
        buffer->capacity = capacity;
    }
    memcpy(buffer->data + buffer->length, data, length);
    buffer->length += length;
}

static void append_char(text_buffer *buffer, char c) {
    append(buffer, &c, 1);
}

static void append_unsigned(text_buffer *buffer, uint64_t value, unsigned base, int digits_min) {
    char digits[24];
    int at = sizeof digits;
    while (value || digits_min > 0) {
        digits[--at] = "0123456789abcdef"[value % base];
        value /= base;
        digits_min--;
    }
    append(buffer, digits + at, sizeof digits - at);
}

/* A float's exact decimal expansion, in limbs of nine digits: `integers` limbs before the point, the rest behind. */
typedef struct {
    uint32_t limbs[160];
    int first, point, last; /* used are first .. last - 1; the point stands before limb `point` */
} decimal;

#define LIMB 1000000000u

static void decimal_of(decimal *d, double value) {
    int exponent;
    uint64_t mantissa = (uint64_t)ldexp(frexp(value, &exponent), 53);
    exponent -= 53;
    while (mantissa && !(mantissa & 1)) {
        mantissa >>= 1;
        exponent++;
    }
    /* Large integers fill limbs to the left of the point (at most 309 digits), fractions to its right (1,074). */
    d->point = exponent > 0 ? 40 : 4;
    d->last = d->point;
    d->first = d->point;
    for (; mantissa; mantissa /= LIMB) d->limbs[--d->first] = mantissa % LIMB;
    for (; exponent > 0; exponent--) {
        uint32_t carry = 0;
        for (int i = d->last - 1; i >= d->first; i--) {
            uint32_t doubled = d->limbs[i] * 2 + carry;
            carry = doubled >= LIMB;
            d->limbs[i] = doubled - (carry ? LIMB : 0);
        }
        if (carry) d->limbs[--d->first] = carry;
    }
    for (; exponent < 0; exponent++) {
        uint32_t rest = 0;
        for (int i = d->first; i < d->last; i++) {
            uint32_t limb = d->limbs[i];
            d->limbs[i] = limb / 2 + (rest ? LIMB / 2 : 0);
            rest = limb & 1;
        }
        if (rest) d->limbs[d->last++] = LIMB / 2;
        if (d->first < d->point && !d->limbs[d->first]) d->first++;
    }
}

/* The digit with the weight 10^place. */
static unsigned digit(const decimal *d, int place) {
    static const uint32_t powers[] = {1, 10, 100, 1000, 10000, 100000, 1000000, 10000000, 100000000};
    int limb = place >= 0 ? d->point - 1 - place / 9 : d->point + (-place - 1) / 9;
    int within = place >= 0 ? place % 9 : 8 - (-place - 1) % 9;
    if (limb < d->first || limb >= d->last) return 0;
    return d->limbs[limb] / powers[within] % 10;
}

static int highest_place(const decimal *d) {
    int place = (d->point - d->first) * 9 - 1;
    while (place > -1100 && !digit(d, place)) place--;
    return place;
}

/* Writes the digits from place `high` to `low` into `out`, rounded half to even; returns 1 if that gave a digit more,
 * which then stands first. */
static int rounded(const decimal *d, int high, int low, char *out) {
    int count = high - low + 1;
    bool more = false;
    for (int place = low - 2; place >= -1100 && !more; place--) more = digit(d, place) != 0;
    unsigned next = digit(d, low - 1), last = count > 0 ? digit(d, low) : 0;
    for (int i = 0; i < count; i++) out[i] = (char)('0' + digit(d, high - i));
    if (next < 5 || (next == 5 && !more && !(last & 1))) return 0;
    for (int i = count - 1; i >= 0; i--) {
        if (out[i] != '9') {
            out[i]++;
            return 0;
        }
        out[i] = '0';
    }
    memmove(out + 1, out, (size_t)count);
    out[0] = '1';
    return 1;
}

static void append_fixed(text_buffer *buffer, const decimal *d, int precision) {
    char digits[400];
    int high = highest_place(d);
    if (high < 0) high = 0;
    high += rounded(d, high, -precision, digits);
    append(buffer, digits, (size_t)high + 1);
    if (precision) append_char(buffer, '.');
    append(buffer, digits + high + 1, (size_t)precision);
}

static void append_general(text_buffer *buffer, const decimal *d, int precision) {
    char digits[64];
    if (!precision) precision = 1;
    int high = d->first == d->last ? 0 : highest_place(d);
    high += rounded(d, high, high - precision + 1, digits);
    int count = precision;
    while (count > 1 && digits[count - 1] == '0') count--;
    bool scientific = high < -4 || high >= precision;
    int before = scientific ? 1 : high + 1;
    if (before <= 0) {
        append(buffer, "0.", 2);
        for (int i = before; i < 0; i++) append_char(buffer, '0');
        append(buffer, digits, (size_t)count);
    } else {
        append(buffer, digits, (size_t)(count < before ? count : before));
        for (int i = count; i < before; i++) append_char(buffer, '0');
        if (count > before) {
            append_char(buffer, '.');
            append(buffer, digits + before, (size_t)(count - before));
        }
    }
    if (scientific) {
        append(buffer, high < 0 ? "e-" : "e+", 2);
        append_unsigned(buffer, (uint64_t)abs(high), 10, 2);
    }
}

static void append_float(text_buffer *buffer, double value, char conversion, int precision) {
    if (isnan(value)) return append(buffer, "nan", 3);
    if (signbit(value)) append_char(buffer, '-');
    if (isinf(value)) return append(buffer, "inf", 3);
    decimal d;
    decimal_of(&d, fabs(value));
    if (precision < 0) precision = 6;
    if (precision > 50) precision = 50;
    if (conversion == 'f') append_fixed(buffer, &d, precision);
    else append_general(buffer, &d, precision);
}

static void append_signed(text_buffer *buffer, int64_t value) {
    if (value < 0) append_char(buffer, '-');
    append_unsigned(buffer, value < 0 ? -(uint64_t)value : (uint64_t)value, 10, 1);
}

/* Fills what stands behind `start` up to a width, from the left; zeroes go behind a sign. */
static void pad(text_buffer *buffer, size_t start, size_t width_min, bool zeroes) {
    while (buffer->length - start < width_min) {
        size_t at = start + (zeroes && buffer->length > start && buffer->data[start] == '-');
        append_char(buffer, ' ');
        memmove(buffer->data + at + 1, buffer->data + at, buffer->length - at - 1);
        buffer->data[at] = zeroes ? '0' : ' ';
    }
}

/* How wide an integer's argument is. */
typedef enum { INT, LONG, LONG_LONG, SIZE } width;

static void append_formatted(text_buffer *buffer, const char *format, va_list arguments) {
    for (const char *at = format; *at;) {
        const char *percent = strchr(at, '%');
        if (!percent) return append(buffer, at, strlen(at));
        append(buffer, at, (size_t)(percent - at));
        at = percent + 1;
        bool zeroes = *at == '0';
        size_t width_min = 0, start = buffer->length;
        for (; *at >= '0' && *at <= '9'; at++) width_min = width_min * 10 + (size_t)(*at - '0');
        int precision = -1;
        if (*at == '.') {
            at++;
            if (*at == '*') {
                precision = va_arg(arguments, int);
                at++;
            } else {
                for (precision = 0; *at >= '0' && *at <= '9'; at++) precision = precision * 10 + (*at - '0');
            }
        }
        width width = INT;
        if (*at == 'z') width = SIZE, at++;
        if (*at == 'l') width = LONG, at++;
        if (*at == 'l') width = LONG_LONG, at++;
        switch (*at) {
        case 's': {
            const char *text = va_arg(arguments, const char *);
            append(buffer, text, precision >= 0 ? (size_t)precision : strlen(text));
            break;
        }
        case 'c': append_char(buffer, (char)va_arg(arguments, int)); break;
        case 'd':
        case 'i':
            append_signed(buffer, width == LONG_LONG ? va_arg(arguments, long long)
                                  : width == LONG    ? va_arg(arguments, long)
                                  : width == SIZE    ? (int64_t)va_arg(arguments, ptrdiff_t)
                                                     : va_arg(arguments, int));
            break;
        case 'u':
        case 'x':
            append_unsigned(buffer,
                            width == LONG_LONG ? va_arg(arguments, unsigned long long)
                            : width == LONG    ? va_arg(arguments, unsigned long)
                            : width == SIZE    ? va_arg(arguments, size_t)
                                               : va_arg(arguments, unsigned),
                            *at == 'x' ? 16 : 10, 1);
            break;
        case 'f':
        case 'g': append_float(buffer, va_arg(arguments, double), *at, precision); break;
        case '%': append_char(buffer, '%'); break;
        case 0: return;
        default: append(buffer, "%?", 2); break;
        }
        at++;
        pad(buffer, start, width_min, zeroes);
    }
}

static polyfold_text formatted(const char *format, va_list arguments) {
    text_buffer buffer = {allocate(64, 1), 0, 64};
    append_formatted(&buffer, format, arguments);
    return (polyfold_text){buffer.data, buffer.length};
}

polyfold_text polyfold_format(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    polyfold_text text = formatted(format, arguments);
    va_end(arguments);
    return text;
}
