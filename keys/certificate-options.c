#include "certificate-options.h"

#include <strings.h>

#include "base/memory.h"
#include "key/sshsig.h"
#include "key/text.h"

/* "1w2d" in seconds; a number without a unit counts seconds. */
static bool read_duration(LyBytes text, uint64_t *seconds)
{
    static const struct {
        char unit;
        uint64_t seconds;
    } units[] = {{'s', 1}, {'m', 60}, {'h', 3600}, {'d', 86400}, {'w', 7 * 86400}};
    uint64_t sum = 0, number, factor;
    if (text.len == 0)
        return false;
    while (text.len) {
        size_t digits = 0;
        while (digits < text.len && text.data[digits] >= '0' && text.data[digits] <= '9')
            digits++;
        if (!ly_bytes_number(ly_bytes_slice(text, 0, digits), UINT32_MAX, &number))
            return false;
        factor = digits == text.len ? 1 : 0;
        for (size_t i = 0; i < LY_COUNT(units) && digits < text.len; i++)
            if ((text.data[digits] | 0x20) == units[i].unit)
                factor = units[i].seconds;
        if (factor == 0)
            return false;
        sum += number * factor; /* 2^32 weeks a step, and a step takes two bytes: no overflow below */
        if (sum > UINT64_MAX / 2)
            return false;
        text = ly_bytes_slice(text, digits + 1, text.len);
    }
    *seconds = sum;
    return true;
}

static bool read_hexadecimal(LyBytes text, uint64_t *number)
{
    uint64_t sum = 0;
    if (text.len == 0 || text.len > 16)
        return false;
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.data[i];
        if (c >= '0' && c <= '9')
            sum = sum << 4 | (uint64_t)(c - '0');
        else if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f')
            sum = sum << 4 | (uint64_t)((c | 0x20) - 'a' + 10);
        else
            return false;
    }
    *number = sum;
    return true;
}

/* One side of FROM:TO; `word` is what may stand for no limit, and `limit` that limit. */
static bool read_side(LyBytes text, uint64_t now_seconds, const char *word, uint64_t limit, uint64_t *seconds,
                      LyError *error)
{
    uint64_t offset;
    if (ly_bytes_is(text, word)) {
        *seconds = limit;
        return true;
    }
    if (ly_bytes_starts_with(text, "0x")) {
        if (read_hexadecimal(ly_bytes_slice(text, 2, text.len), seconds))
            return true;
        return ly_error_set(error, LY_ERROR_INVALID, "\"%s\" is not a time in hexadecimal seconds",
                            LY_PRINTABLE(text));
    }
    if (ly_bytes_starts_with(text, "+") || ly_bytes_starts_with(text, "-")) {
        bool back = text.data[0] == '-';
        if (!read_duration(ly_bytes_slice(text, 1, text.len), &offset) || (back && offset > now_seconds))
            return ly_error_set(error, LY_ERROR_INVALID,
                                "\"%s\" is not a time from now, such as +52w or -1d12h", LY_PRINTABLE(text));
        *seconds = back ? now_seconds - offset : now_seconds + offset;
        return true;
    }
    return ly_time_read(text, seconds, error);
}

bool certificate_validity_read(LyBytes text, uint64_t now_seconds, uint64_t *valid_after,
                               uint64_t *valid_before, LyError *error)
{
    LyBytes from_text, to_text;
    uint64_t from, to;
    if (ly_bytes_is(text, "always")) {
        *valid_after = 0;
        *valid_before = UINT64_MAX;
        return true;
    }
    if (!ly_bytes_split(text, ':', &from_text, &to_text)) {
        if (!ly_bytes_starts_with(text, "+"))
            return ly_error_set(error, LY_ERROR_INVALID,
                                "\"%s\" is not a validity; it is FROM:TO, +TIME or always",
                                LY_PRINTABLE(text));
        /* A clock that is a little behind shall not refuse it. */
        from = now_seconds < 59 ? 0 : (now_seconds - 59) / 60 * 60;
        to_text = text;
    } else if (!read_side(from_text, now_seconds, "always", 0, &from, error)) {
        return false;
    }
    if (!read_side(to_text, now_seconds, "forever", UINT64_MAX, &to, error))
        return false;
    if (to <= from)
        return ly_error_set(error, LY_ERROR_INVALID, "the validity \"%s\" ends before it begins",
                            LY_PRINTABLE(text));
    *valid_after = from;
    *valid_before = to;
    return true;
}

/* The words of -O without a value: what they set or take away. */
static const struct {
    const char *word, *name;
    bool critical, remove, user_default;
} flags[] = {
    {"permit-X11-forwarding", "permit-X11-forwarding", false, false, true},
    {"no-X11-forwarding", "permit-X11-forwarding", false, true, false},
    {"permit-agent-forwarding", "permit-agent-forwarding", false, false, true},
    {"no-agent-forwarding", "permit-agent-forwarding", false, true, false},
    {"permit-port-forwarding", "permit-port-forwarding", false, false, true},
    {"no-port-forwarding", "permit-port-forwarding", false, true, false},
    {"permit-pty", "permit-pty", false, false, true},
    {"no-pty", "permit-pty", false, true, false},
    {"permit-user-rc", "permit-user-rc", false, false, true},
    {"no-user-rc", "permit-user-rc", false, true, false},
    {"no-touch-required", "no-touch-required", false, false, false},
    {"touch-required", "no-touch-required", false, true, false},
    {"verify-required", "verify-required", true, false, false},
    {"no-verify-required", "verify-required", true, true, false},
};

static CertificateOption *find(const CertificateOptions *options, LyBytes name, bool critical)
{
    for (size_t i = 0; i < options->count; i++)
        if (options->items[i].critical == critical && ly_bytes_is(name, options->items[i].name))
            return &options->items[i];
    return NULL;
}

static void release(CertificateOption *option)
{
    ly_free(option->name);
    ly_free(option->value);
}

static void take(CertificateOptions *options, LyBytes name, bool critical)
{
    CertificateOption *option = find(options, name, critical);
    if (!option)
        return;
    release(option);
    *option = options->items[--options->count];
}

static void set(CertificateOptions *options, LyBytes name, const char *value, bool critical)
{
    take(options, name, critical);
    options->items = ly_realloc(options->items, (options->count + 1) * sizeof *options->items);
    options->items[options->count++] =
        (CertificateOption){ly_bytes_dup_str(name), ly_strdup(value), critical};
}

void certificate_options_default(CertificateOptions *options, LyCertificateKind kind)
{
    certificate_options_clear(options);
    for (size_t i = 0; i < LY_COUNT(flags) && kind == LY_CERTIFICATE_USER; i++)
        if (flags[i].user_default)
            set(options, ly_bytes_str(flags[i].name), NULL, false);
}

/* force-command= and source-address=: once, and not empty. */
static bool set_once(CertificateOptions *options, const char *name, const char *value, LyError *error)
{
    if (!*value)
        return ly_error_set(error, LY_ERROR_INVALID, "the certificate option %s= has no value", name);
    if (find(options, ly_bytes_str(name), true))
        return ly_error_set(error, LY_ERROR_INVALID, "the certificate option %s is given twice", name);
    set(options, ly_bytes_str(name), value, true);
    return true;
}

/* extension:NAME[=VALUE] and critical:NAME[=VALUE]. */
static bool set_named(CertificateOptions *options, const char *text, bool critical, LyError *error)
{
    LyBytes name, value;
    bool has_value = ly_bytes_split(ly_bytes_str(text), '=', &name, &value);
    if (name.len == 0)
        return ly_error_set(error, LY_ERROR_INVALID, "the certificate option \"%s\" has no name",
                            critical ? "critical:" : "extension:");
    set(options, name, has_value ? (const char *)value.data : NULL, critical);
    return true;
}

static bool after_prefix(const char *text, const char *prefix, const char **rest)
{
    size_t len = strlen(prefix);
    if (strncasecmp(text, prefix, len) != 0)
        return false;
    *rest = text + len;
    return true;
}

bool certificate_options_add(CertificateOptions *options, const char *text, LyError *error)
{
    const char *rest;
    if (strcasecmp(text, "clear") == 0) {
        certificate_options_clear(options);
        return true;
    }
    for (size_t i = 0; i < LY_COUNT(flags); i++) {
        LyBytes name = ly_bytes_str(flags[i].name);
        if (strcasecmp(text, flags[i].word) != 0)
            continue;
        if (flags[i].remove)
            take(options, name, flags[i].critical);
        else
            set(options, name, NULL, flags[i].critical);
        return true;
    }
    if (after_prefix(text, "force-command=", &rest))
        return set_once(options, "force-command", rest, error);
    if (after_prefix(text, "source-address=", &rest)) {
        if (*rest &&
            ly_address_list_match(ly_bytes_str(rest), LY_BYTES("192.0.2.1"), false) == LY_ADDRESS_MALFORMED)
            return ly_error_set(error, LY_ERROR_INVALID,
                                "\"%s\" is not a list of addresses and CIDR ranges for source-address",
                                LY_PRINTABLE(ly_bytes_str(rest)));
        return set_once(options, "source-address", rest, error);
    }
    if (after_prefix(text, "extension:", &rest))
        return set_named(options, rest, false, error);
    if (after_prefix(text, "critical:", &rest))
        return set_named(options, rest, true, error);
    return ly_error_set(error, LY_ERROR_INVALID, "the certificate option \"%s\" is not known",
                        LY_PRINTABLE(ly_bytes_str(text)));
}

void certificate_options_put(const CertificateOptions *options, LyBuf *critical, LyBuf *extensions)
{
    for (size_t i = 0; i < options->count; i++) {
        const CertificateOption *option = &options->items[i];
        ly_certificate_put_option(option->critical ? critical : extensions, option->name,
                                  option->value == NULL, ly_bytes_str(option->value));
    }
}

void certificate_options_clear(CertificateOptions *options)
{
    for (size_t i = 0; i < options->count; i++)
        release(&options->items[i]);
    ly_free(options->items);
    *options = (CertificateOptions){0};
}
