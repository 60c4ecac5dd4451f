#include "key/authorized_keys.h"

#include <strings.h>

#include "base/auto.h"
#include "base/names.h"
#include "key/read.h"
#include "key/text.h"
#include "key/time.h"

#define ENVIRONMENT_LIMIT 1024 /* entries */
#define PERMIT_LIMIT 4096      /* of permitopen and permitlisten each */

typedef enum Flag {
    PTY = 1,
    PORT_FORWARDING = 2,
    AGENT_FORWARDING = 4,
    X11_FORWARDING = 8,
    USER_RC = 16,
    TOUCH_REQUIRED = 32,
    VERIFY_REQUIRED = 64,
    CERT_AUTHORITY = 128,
    NO_FORWARDING = 256, /* an option limits forwarding in a way that is not honoured: there is none, then */
} Flag;
#define PERMISSIONS (PTY | PORT_FORWARDING | AGENT_FORWARDING | X11_FORWARDING | USER_RC)

typedef struct Options {
    unsigned flags;
    LyBuf command, principals, from, environment;
    bool has_command, has_principals, has_from;
    LyBuf permit_open, permit_listen;
    unsigned environment_count, permit_open_count, permit_listen_count;
    uint64_t expiry; /* seconds since 1970; 0: none */
} Options;

static void free_options(Options *options)
{
    ly_buf_free(&options->command);
    ly_buf_free(&options->principals);
    ly_buf_free(&options->from);
    ly_buf_free(&options->environment);
    ly_buf_free(&options->permit_open);
    ly_buf_free(&options->permit_listen);
}

static bool set_command(Options *options, LyBytes value)
{
    bool again = options->has_command;
    options->has_command = true;
    ly_buf_add(&options->command, value);
    return !again && !ly_bytes_has_nul(value);
}

static bool set_principals(Options *options, LyBytes value)
{
    bool again = options->has_principals;
    options->has_principals = true;
    ly_buf_add(&options->principals, value);
    return !again && value.len;
}

static bool set_from(Options *options, LyBytes value)
{
    bool again = options->has_from;
    options->has_from = true;
    ly_buf_add(&options->from, value);
    return !again && ly_address_list_match(value, LY_BYTES("127.0.0.1"), true) != LY_ADDRESS_MALFORMED;
}

static bool set_expiry(Options *options, LyBytes value)
{
    uint64_t seconds;
    if (!ly_time_read(value, &seconds, NULL) || seconds == 0)
        return false;
    if (options->expiry == 0 || seconds < options->expiry)
        options->expiry = seconds;
    return true;
}

static bool add_environment(Options *options, LyBytes value)
{
    LyBytes name, rest;
    if (!ly_bytes_split(value, '=', &name, &rest) || name.len == 0 || ly_bytes_has_nul(value) ||
        ++options->environment_count > ENVIRONMENT_LIMIT)
        return false;
    for (size_t i = 0; i < name.len; i++) {
        uint8_t c = name.data[i], letter = c | 0x20;
        if (c != '_' && !(c >= '0' && c <= '9') && !(letter >= 'a' && letter <= 'z'))
            return false;
    }
    ly_buf_add(&options->environment, value);
    ly_buf_add_str(&options->environment, "\n");
    return true;
}

static bool refuse_forwarding(Options *options, LyBytes value)
{
    options->flags |= NO_FORWARDING;
    return true;
}

/* "HOST:PORT", where [] may be around the host. Without a colon, where that is allowed, the host is "*". */
static bool get_permit(LyBytes value, bool bare_port, LyBytes *host, LyBytes *port)
{
    size_t colon = value.len;
    while (colon && value.data[colon - 1] != ':')
        colon--;
    if (!colon && !bare_port)
        return false;
    LyBytes name = colon ? ly_bytes_slice(value, 0, colon - 1) : LY_BYTES("*");
    LyBytes number = ly_bytes_slice(value, colon, value.len);
    uint64_t parsed;
    if (name.len > 2 && name.data[0] == '[' && name.data[name.len - 1] == ']')
        name = ly_bytes_slice(name, 1, name.len - 2);
    else if (name.len && memchr(name.data, ':', name.len))
        return false; /* an IPv6 address stands in [] */
    if (!name.len || (!ly_bytes_is(number, "*") && (!ly_bytes_number(number, 65535, &parsed) || !parsed)))
        return false;
    *host = name;
    *port = number;
    return true;
}

static bool add_permit(LyBuf *permits, unsigned *count, bool bare_port, LyBytes value)
{
    LyBytes host, port;
    if (!get_permit(value, bare_port, &host, &port) || ly_bytes_has_nul(value) || ++*count > PERMIT_LIMIT)
        return false;
    ly_buf_add(permits, value);
    ly_buf_add_str(permits, "\n");
    return true;
}

static bool add_permit_open(Options *options, LyBytes value)
{
    return add_permit(&options->permit_open, &options->permit_open_count, false, value);
}

static bool add_permit_listen(Options *options, LyBytes value)
{
    return add_permit(&options->permit_listen, &options->permit_listen_count, true, value);
}

/* Names are compared without regard to case. A flag without `set` may be written with "no-" in front where
 * `negatable`. */
static const struct {
    const char *name;
    unsigned flag;
    bool negatable;
    bool (*set)(Options *options, LyBytes value);
} known_options[] = {
    {"pty", PTY, true, NULL},
    {"port-forwarding", PORT_FORWARDING, true, NULL},
    {"agent-forwarding", AGENT_FORWARDING, true, NULL},
    {"x11-forwarding", X11_FORWARDING, true, NULL},
    {"user-rc", USER_RC, true, NULL},
    {"touch-required", TOUCH_REQUIRED, true, NULL},
    {"verify-required", VERIFY_REQUIRED, true, NULL},
    {"cert-authority", CERT_AUTHORITY, false, NULL},
    {"command", 0, false, set_command},
    {"principals", 0, false, set_principals},
    {"from", 0, false, set_from},
    {"expiry-time", 0, false, set_expiry},
    {"environment", 0, false, add_environment},
    {"tunnel", 0, false, refuse_forwarding},
    {"permitopen", 0, false, add_permit_open},
    {"permitlisten", 0, false, add_permit_listen},
};

static bool apply_option(Options *options, LyBytes name, bool has_value, LyBytes value)
{
    if (ly_text_is(name, "restrict") && !has_value) {
        options->flags &= ~(unsigned)PERMISSIONS;
        return true;
    }
    bool negated = name.len > 3 && strncasecmp((const char *)name.data, "no-", 3) == 0;
    LyBytes bare = ly_bytes_slice(name, negated ? 3 : 0, name.len);
    for (size_t i = 0; i < LY_COUNT(known_options); i++) {
        if (!ly_text_is(bare, known_options[i].name))
            continue;
        if (known_options[i].set)
            return has_value && !negated && known_options[i].set(options, value);
        if (has_value || (negated && !known_options[i].negatable))
            return false;
        options->flags =
            negated ? options->flags & ~known_options[i].flag : options->flags | known_options[i].flag;
        return true;
    }
    return false;
}

/* Takes the options off the line. False: one is unknown, malformed or cannot be honoured; *which names it. */
static bool read_options(LyBytes *line, Options *options, LyBytes *which)
{
    for (bool more = true; more;) {
        bool has_value;
        LY_AUTO(ly_buf_free) LyBuf value = {0};
        if (!ly_text_option(line, which, &has_value, &value, &more) ||
            !apply_option(options, *which, has_value, ly_buf_bytes(&value)))
            return false;
    }
    return true;
}

bool ly_authorized_keys_check_options(LyBytes text, LyError *error)
{
    LY_AUTO(free_options) Options options = {0};
    LyBytes rest = text, which = {0};
    for (size_t i = 0; i < text.len; i++)
        if (text.data[i] == 0 || text.data[i] == '\n' || text.data[i] == '\r')
            return ly_error_set(error, LY_ERROR_INVALID,
                                "options of authorized_keys stand in one line: byte %zu ends it", i + 1);
    if (!read_options(&rest, &options, &which))
        return ly_error_set(error, LY_ERROR_INVALID, "the option \"%s\" is unknown, malformed or given twice",
                            LY_PRINTABLE(which));
    if (rest.len)
        return ly_error_set(error, LY_ERROR_INVALID,
                            "a blank outside quotes ends the options, but \"%s\" follows",
                            LY_PRINTABLE(rest));
    return true;
}

LyBytes ly_authorized_keys_line_key(LyBytes line)
{
    LyBytes rest = line = ly_bytes_trim(line), word = ly_text_word(&rest);
    if (!ly_key_type_find(word, NULL))
        ly_text_options(&line);
    return line;
}

typedef struct Request {
    LyCrypto *crypto;
    LyKey *key;
    LyBytes user, address;
    uint64_t now_seconds;
    bool is_certificate;
    LyCertificate certificate;
} Request;

/* The key of the line is the one asked about: itself, or the CA of the certificate. */
static bool is_for_key(const Request *request, LyBytes text)
{
    LyKey *key = ly_key_read_line(request->crypto, text, NULL);
    bool same = key && !ly_key_is_certificate(key) &&
                (request->is_certificate ? ly_bytes_equal(ly_key_blob(key), request->certificate.ca_blob)
                                         : ly_key_equal_public(key, request->key));
    ly_key_unref(key);
    return same;
}

static bool has_listed_principal(const LyCertificate *certificate, LyBytes list)
{
    LyBytes name;
    while (ly_names_next(&list, &name)) {
        name = ly_bytes_trim(name);
        if (name.len && ly_certificate_has_principal(certificate, name, false))
            return true;
    }
    return false;
}

/* What the certificate demands and permits on top of the line. */
static bool join_certificate(const Request *request, Options *options, LyError *error)
{
    static const struct {
        const char *name;
        unsigned flag;
    } extensions[] = {{"permit-pty", PTY},
                      {"permit-port-forwarding", PORT_FORWARDING},
                      {"permit-agent-forwarding", AGENT_FORWARDING},
                      {"permit-X11-forwarding", X11_FORWARDING},
                      {"permit-user-rc", USER_RC}};
    const LyCertificate *certificate = &request->certificate;
    LyBytes data;
    LyBytes user = options->has_principals ? (LyBytes){0} : request->user;
    if (!options->has_principals && user.len == 0)
        return ly_error_set(error, LY_ERROR_VERIFY,
                            "there is no user name to compare with the certificate's principals");
    if (!ly_certificate_check(request->crypto, request->key, LY_CERTIFICATE_USER, user, false,
                              request->now_seconds, (LyBytes){0}, error))
        return false;
    if (options->has_principals && !has_listed_principal(certificate, ly_buf_bytes(&options->principals)))
        return ly_error_set(error, LY_ERROR_VERIFY, "no principal of the certificate is in principals=");
    if (ly_certificate_option(certificate->critical, "source-address", &data)) {
        LyReader reader = ly_reader(data);
        if (ly_address_list_match(ly_get_string(&reader), request->address, false) != LY_ADDRESS_MATCH)
            return ly_error_set(error, LY_ERROR_VERIFY, "the certificate's source-address does not allow %s",
                                LY_PRINTABLE(request->address));
    }
    if (ly_certificate_option(certificate->critical, "force-command", &data)) {
        LyReader reader = ly_reader(data);
        LyBytes command = ly_get_string(&reader);
        if ((options->has_command && !ly_bytes_equal(command, ly_buf_bytes(&options->command))) ||
            ly_bytes_has_nul(command))
            return ly_error_set(error, LY_ERROR_VERIFY,
                                "the certificate's force-command is not the command of the line");
        if (!options->has_command)
            set_command(options, command);
    }
    if (ly_certificate_option(certificate->critical, "verify-required", &data))
        options->flags |= VERIFY_REQUIRED;
    if (!ly_certificate_option(certificate->extensions, "no-touch-required", &data))
        options->flags |= TOUCH_REQUIRED;
    for (size_t i = 0; i < LY_COUNT(extensions); i++)
        if (!ly_certificate_option(certificate->extensions, extensions[i].name, &data))
            options->flags &= ~extensions[i].flag;
    return true;
}

static bool judge(const Request *request, Options *options, LyError *error)
{
    LyBytes from = ly_buf_bytes(&options->from);
    if (options->expiry && request->now_seconds >= options->expiry)
        return ly_error_set(error, LY_ERROR_VERIFY, "expiry-time is past");
    if (options->has_from && ly_address_list_match(from, request->address, true) != LY_ADDRESS_MATCH)
        return ly_error_set(error, LY_ERROR_VERIFY, "from= does not allow %s",
                            LY_PRINTABLE(request->address));
    return !request->is_certificate || join_certificate(request, options, error);
}

static void permit(const Options *options, LyAuthorization *authorization)
{
    unsigned flags = options->flags;
    authorization->found = true;
    authorization->command = options->has_command ? ly_bytes_dup_str(ly_buf_bytes(&options->command)) : NULL;
    authorization->environment =
        options->environment.len ? ly_bytes_dup_str(ly_buf_bytes(&options->environment)) : NULL;
    if (options->permit_open.len)
        authorization->permit_open = ly_bytes_dup_str(ly_buf_bytes(&options->permit_open));
    if (options->permit_listen.len)
        authorization->permit_listen = ly_bytes_dup_str(ly_buf_bytes(&options->permit_listen));
    authorization->pty = flags & PTY;
    authorization->port_forwarding = (flags & PORT_FORWARDING) && !(flags & NO_FORWARDING);
    authorization->agent_forwarding = flags & AGENT_FORWARDING;
    authorization->x11_forwarding = flags & X11_FORWARDING;
    authorization->user_rc = flags & USER_RC;
    authorization->touch_required = flags & TOUCH_REQUIRED;
    authorization->verify_required = flags & VERIFY_REQUIRED;
}

/* True when the line authorises the key; else it may leave the reason why not. */
static bool try_line(const Request *request, LyBytes line, unsigned number, LyAuthorization *authorization)
{
    LY_AUTO(free_options) Options options = {.flags = PERMISSIONS | TOUCH_REQUIRED};
    LyBytes rest = line, word = ly_text_word(&rest), which = {0};
    LyError error = {0};
    bool understood = true;
    rest = line;
    if (!ly_key_type_find(word, NULL)) {
        /* Where the options end is known only when they are understood; for lines that are refused, the
         * unquoted blank tells. */
        LyBytes behind = line;
        ly_text_options(&behind);
        understood = read_options(&rest, &options, &which);
        if (!understood)
            rest = behind;
    }
    /* Refused lines too are compared, so that the log can say why the user's key did not work. */
    if (!is_for_key(request, rest))
        return false;
    if (!understood)
        ly_error_set(&error, LY_ERROR_UNSUPPORTED, "the option \"%s\" is unknown, malformed or given twice",
                     LY_PRINTABLE(which));
    else if (request->is_certificate != ((options.flags & CERT_AUTHORITY) != 0))
        return false;
    else if (judge(request, &options, &error)) {
        permit(&options, authorization);
        return true;
    }
    if (!authorization->refused) {
        authorization->line = number;
        authorization->refused = ly_format("line %u has this key, but %s", number, error.message);
    }
    return false;
}

void ly_authorized_keys_check(LyCrypto *crypto, LyBytes text, LyKey *key, LyBytes user, LyBytes address,
                              uint64_t now_seconds, LyAuthorization *authorization)
{
    Request request = {crypto, key, user, address, now_seconds, ly_key_is_certificate(key), {0}};
    LyAuthorization result = {0};
    LyBytes line;
    if (ly_bytes_starts_with(text, "\xef\xbb\xbf"))
        text = ly_bytes_slice(text, 3, text.len);
    if (request.is_certificate && !ly_certificate_read(ly_key_blob(key), &request.certificate, NULL))
        text = (LyBytes){0};
    for (unsigned number = 1; ly_bytes_line(&text, &line); number++) {
        if (line.len > LY_KEY_LINE_LIMIT)
            continue;
        line = ly_bytes_trim(line);
        if (line.len == 0 || line.data[0] == '#' || !try_line(&request, line, number, &result))
            continue;
        result.line = number;
        ly_free(result.refused);
        result.refused = NULL;
        break;
    }
    *authorization = result;
}

void ly_authorization_clear(LyAuthorization *authorization)
{
    ly_free(authorization->command);
    ly_free(authorization->environment);
    ly_free(authorization->refused);
    ly_free(authorization->permit_open);
    ly_free(authorization->permit_listen);
    *authorization = (LyAuthorization){0};
}

/* Is the host one of the permits'? To listen they are patterns, to open only "*" is one. */
static bool permits(const char *list, bool listen, LyBytes host, uint32_t port)
{
    LyBytes rest = ly_bytes_str(list), line, name, number;
    if (!list)
        return true;
    while (ly_bytes_line(&rest, &line)) {
        uint64_t allowed = port;
        if (!get_permit(line, true, &name, &number))
            continue;
        if (!ly_bytes_is(number, "*"))
            ly_bytes_number(number, 65535, &allowed);
        bool same = listen ? ly_pattern_list_match(name, host, true) == 1
                           : ly_bytes_is(name, "*") ||
                                 (name.len == host.len &&
                                  !strncasecmp((const char *)name.data, (const char *)host.data, host.len));
        if (same && allowed == port)
            return true;
    }
    return false;
}

bool ly_authorization_may_open(const LyAuthorization *authorization, LyBytes host, uint32_t port)
{
    return authorization->port_forwarding && permits(authorization->permit_open, false, host, port);
}

bool ly_authorization_may_listen(const LyAuthorization *authorization, LyBytes host, uint32_t port)
{
    return authorization->port_forwarding && permits(authorization->permit_listen, true, host, port);
}
