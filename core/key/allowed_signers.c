/* allowed_signers: who may sign what (ALLOWED SIGNERS of ssh-keygen(1)). */
#include "base/auto.h"
#include "base/base64.h"
#include "base/names.h"
#include "key/certificate.h"
#include "key/read.h"
#include "key/sshsig.h"
#include "key/text.h"

typedef struct Signers { /* a line */
    LyBytes principals;  /* views the text */
    bool authority, has_namespaces, has_after, has_before;
    LyBuf namespaces;
    uint64_t after, before;
    LyBytes key; /* "type base64 comment" */
} Signers;

static bool set_time(LyBytes value, bool *has, uint64_t *seconds)
{
    bool again = *has;
    *has = true;
    return !again && ly_time_read(value, seconds, NULL) && *seconds > 0;
}

static bool apply_option(Signers *signers, LyBytes name, bool has_value, LyBytes value)
{
    if (ly_text_is(name, "cert-authority") && !has_value) {
        signers->authority = true;
        return true;
    }
    if (ly_text_is(name, "valid-after") && has_value)
        return set_time(value, &signers->has_after, &signers->after);
    if (ly_text_is(name, "valid-before") && has_value)
        return set_time(value, &signers->has_before, &signers->before);
    if (!ly_text_is(name, "namespaces") || !has_value || signers->has_namespaces)
        return false;
    signers->has_namespaces = true;
    ly_buf_add(&signers->namespaces, value);
    return true;
}

static bool read_options(Signers *signers, LyBytes *line, LyError *error)
{
    for (bool more = true; more;) {
        LyBytes name;
        bool has_value;
        LY_AUTO(ly_buf_free) LyBuf value = {0};
        if (!ly_text_option(line, &name, &has_value, &value, &more) ||
            !apply_option(signers, name, has_value, ly_buf_bytes(&value)))
            return ly_error_set(error, LY_ERROR_INVALID,
                                "the option \"%s\" is unknown, malformed or given twice", LY_PRINTABLE(name));
    }
    if (signers->has_after && signers->has_before && signers->before <= signers->after)
        return ly_error_set(error, LY_ERROR_INVALID, "valid-before is not after valid-after");
    return true;
}

/* Principals in quotes may hold blanks. */
static bool take_principals(LyBytes *line, LyBytes *principals)
{
    if (line->data[0] != '"') {
        *principals = ly_text_word(line);
        return !memchr(principals->data, '"', principals->len);
    }
    bool closed = ly_bytes_split(ly_bytes_slice(*line, 1, line->len), '"', principals, line);
    *line = ly_bytes_trim(*line);
    return closed;
}

/* `line`: not blank, no comment. The key is looked at, but not made. */
static bool read_line(Signers *signers, LyBytes line, LyError *error)
{
    LY_AUTO(ly_buf_free) LyBuf blob = {0};
    if (!take_principals(&line, &signers->principals))
        return ly_error_set(error, LY_ERROR_INVALID, "a quote of its principals stands alone");
    LyBytes rest = line, type = ly_text_word(&rest);
    if (type.len == 0)
        return ly_error_set(error, LY_ERROR_INVALID, "it has no key");
    if (!ly_key_type_find(type, NULL)) {
        if (!read_options(signers, &line, error))
            return false;
        line = ly_bytes_trim(line);
        rest = line, type = ly_text_word(&rest);
    }
    signers->key = line;
    if (!ly_key_type_find(type, NULL))
        return ly_error_set(error, LY_ERROR_INVALID, "the key type \"%s\" is not known", LY_PRINTABLE(type));
    if (!ly_base64_decode(&blob, ly_text_word(&rest), false) || blob.len == 0)
        return ly_error_set(error, LY_ERROR_INVALID, "its key is not base64");
    return true;
}

typedef struct Walk {
    LyBytes rest;
    unsigned number;
    Signers signers; /* of the line at hand */
    LyError first;   /* what was wrong with the first line that could not be read */
    LyError refused; /* why the first line that has the key does not allow it */
} Walk;

static Walk walk_start(LyBytes text)
{
    if (ly_bytes_starts_with(text, "\xef\xbb\xbf"))
        text = ly_bytes_slice(text, 3, text.len);
    return (Walk){.rest = text};
}

static void walk_end(Walk *walk)
{
    ly_buf_free(&walk->signers.namespaces);
}

static void keep_first(Walk *walk, LyError *kept, const LyError *error)
{
    if (kept->code == LY_OK)
        ly_error_set(kept, error->code, "line %u of the allowed signers %s: %s", walk->number,
                     kept == &walk->first ? "cannot be read" : "has this key, but not for this",
                     error->message);
}

/* The next line that can be read; false at the end. */
static bool walk_next(Walk *walk)
{
    LyBytes line;
    while (ly_bytes_line(&walk->rest, &line)) {
        LyError error = {0};
        walk->number++;
        ly_buf_free(&walk->signers.namespaces);
        walk->signers = (Signers){0};
        if (line.len > LY_KEY_LINE_LIMIT) {
            ly_error_set(&error, LY_ERROR_LIMIT, "it is over %zu KiB", LY_KEY_LINE_LIMIT >> 10);
            keep_first(walk, &walk->first, &error);
            continue;
        }
        line = ly_bytes_trim(line);
        if (line.len == 0 || line.data[0] == '#')
            continue;
        if (read_line(&walk->signers, line, &error))
            return true;
        keep_first(walk, &walk->first, &error);
    }
    return false;
}

typedef struct Request {
    LyCrypto *crypto;
    LyKey *key;
    LyBytes name_space;
    uint64_t when;
    bool is_certificate;
    LyCertificate certificate;
} Request;

static bool make_request(Request *request, LyCrypto *crypto, LyKey *key, LyBytes name_space, uint64_t when,
                         LyError *error)
{
    *request = (Request){crypto, key, name_space, when, ly_key_is_certificate(key), {0}};
    return !request->is_certificate || ly_certificate_read(ly_key_blob(key), &request->certificate, error);
}

/* The key of the line is the one that signed, or the CA of the certificate that did. A key does not stand for
 * its certificates, nor they for it. */
static bool is_for_key(Walk *walk, const Request *request)
{
    LyError error = {0};
    LyKey *key = ly_key_read_line(request->crypto, walk->signers.key, &error);
    bool same = false;
    if (!key)
        keep_first(walk, &walk->first, &error);
    else if (walk->signers.authority)
        same = request->is_certificate && !ly_key_is_certificate(key) &&
               ly_bytes_equal(ly_key_plain_blob(key), request->certificate.ca_blob);
    else if (request->is_certificate)
        same = ly_bytes_equal(ly_key_blob(key), ly_key_blob(request->key));
    else
        same = !ly_key_is_certificate(key) && ly_key_equal_public(key, request->key);
    ly_key_unref(key);
    return same;
}

/* What the options of the line say, and the certificate, whose principals are the caller's question. */
static bool judge(Walk *walk, const Request *request)
{
    const Signers *signers = &walk->signers;
    LyError error = {0};
    if (signers->authority)
        ly_certificate_check(request->crypto, request->key, LY_CERTIFICATE_USER, (LyBytes){0}, false,
                             request->when, (LyBytes){0}, &error);
    if (error.code != LY_OK)
        ;
    else if (signers->has_namespaces && request->name_space.len &&
             ly_pattern_list_match(ly_buf_bytes(&signers->namespaces), request->name_space, false) != 1)
        ly_error_set(&error, LY_ERROR_VERIFY, "its namespaces do not include \"%s\"",
                     LY_PRINTABLE(request->name_space));
    else if (signers->has_after && request->when < signers->after)
        ly_error_set(&error, LY_ERROR_VERIFY, "it is not yet valid");
    else if (signers->has_before && request->when > signers->before)
        ly_error_set(&error, LY_ERROR_VERIFY, "it is no longer valid");
    if (error.code == LY_OK)
        return true;
    keep_first(walk, &walk->refused, &error);
    return false;
}

/* Nothing matched: the sentence that helps most. */
static bool refuse(const Walk *walk, const LyError *otherwise, LyError *error)
{
    if (walk->refused.code != LY_OK)
        return ly_error_set(error, LY_ERROR_VERIFY, "%s", walk->refused.message);
    if (walk->first.code != LY_OK)
        return ly_error_set(error, LY_ERROR_VERIFY, "%.200s (%.270s)", otherwise->message,
                            walk->first.message);
    return ly_error_set(error, LY_ERROR_VERIFY, "%s", otherwise->message);
}

bool ly_allowed_signers_check(LyCrypto *crypto, LyBytes text, LyBytes principal, LyBytes name_space,
                              LyKey *key, uint64_t when, LyError *error)
{
    LY_AUTO(walk_end) Walk walk = walk_start(text);
    Request request;
    LyError reason = {0};
    if (!make_request(&request, crypto, key, name_space, when, error))
        return false;
    while (walk_next(&walk)) {
        if (ly_pattern_list_match(walk.signers.principals, principal, false) != 1 ||
            !is_for_key(&walk, &request))
            continue;
        if (walk.signers.authority && !ly_certificate_has_principal(&request.certificate, principal, false)) {
            ly_error_set(&reason, LY_ERROR_VERIFY, "the certificate is not for \"%s\"",
                         LY_PRINTABLE(principal));
            keep_first(&walk, &walk.refused, &reason);
            continue;
        }
        if (judge(&walk, &request))
            return true;
    }
    ly_error_set(&reason, LY_ERROR_VERIFY, "no line of the allowed signers has this %s key for \"%s\"",
                 ly_key_type_name(key), LY_PRINTABLE(principal));
    return refuse(&walk, &reason, error);
}

/* A name that is a line of its own and no terminal's command. */
static bool put_name(LyBytes name, LyBuf *out)
{
    for (size_t i = 0; i < name.len; i++)
        if (name.data[i] < ' ' || name.data[i] == 0x7f)
            return false;
    if (name.len == 0)
        return false;
    ly_buf_add(out, name);
    ly_buf_add_str(out, "\n");
    return true;
}

/* The certificate's principals that the list allows, in the order of the list. */
static bool put_matching(LyBytes list, const LyCertificate *certificate, LyBuf *out)
{
    LyBytes rest = list, pattern;
    bool any = false;
    while (ly_names_next(&rest, &pattern)) {
        LyBytes before = ly_bytes_slice(list, 0, (size_t)(pattern.data - list.data));
        LyReader reader = ly_reader(certificate->principals);
        while (reader.len && !reader.failed) {
            LyBytes name = ly_get_string(&reader);
            if (ly_pattern_match(pattern, name) && ly_pattern_list_match(before, name, false) == 0 &&
                ly_pattern_list_match(list, name, false) == 1)
                any = put_name(name, out) || any;
        }
    }
    return any;
}

static bool put_all(LyBytes list, LyBuf *out)
{
    LyBytes name;
    bool any = false;
    while (ly_names_next(&list, &name))
        any = put_name(name, out) || any;
    return any;
}

bool ly_allowed_signers_find(LyCrypto *crypto, LyBytes text, LyBytes name_space, LyKey *key, uint64_t when,
                             LyBuf *principals, LyError *error)
{
    LY_AUTO(walk_end) Walk walk = walk_start(text);
    Request request;
    LyError reason = {0};
    if (!make_request(&request, crypto, key, name_space, when, error))
        return false;
    while (walk_next(&walk)) {
        if (!is_for_key(&walk, &request) || !judge(&walk, &request))
            continue;
        if (walk.signers.authority ? put_matching(walk.signers.principals, &request.certificate, principals)
                                   : put_all(walk.signers.principals, principals))
            return true;
        ly_error_set(&reason, LY_ERROR_VERIFY, "no principal of it is allowed");
        keep_first(&walk, &walk.refused, &reason);
    }
    ly_error_set(&reason, LY_ERROR_VERIFY, "no line of the allowed signers has this %s key",
                 ly_key_type_name(key));
    return refuse(&walk, &reason, error);
}

bool ly_allowed_signers_match(LyBytes text, LyBytes principal, LyBuf *out, LyError *error)
{
    LY_AUTO(walk_end) Walk walk = walk_start(text);
    LyError reason = {0};
    bool any = false;
    while (walk_next(&walk))
        if (ly_pattern_list_match(walk.signers.principals, principal, false) == 1)
            any = put_name(walk.signers.principals, out) || any;
    if (any)
        return true;
    ly_error_set(&reason, LY_ERROR_VERIFY, "no line of the allowed signers has the principal \"%s\"",
                 LY_PRINTABLE(principal));
    return refuse(&walk, &reason, error);
}
