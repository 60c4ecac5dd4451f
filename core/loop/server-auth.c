/* Who may sign in: authorized_keys and the password file. Both are read anew for each question, so that a
 * change holds at once. */
#include "loop/server-private.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "base/memory.h"

#define FILE_MAX ((size_t)4 << 20)

const char *ly_server_auth_methods(const LyServerOptions *options)
{
    if (!options->authorized_keys && !options->password_file && options->handlers.authenticate)
        return "publickey,password,keyboard-interactive,hostbased"; /* the application may have any of them */
    if (!options->password_file)
        return options->authorized_keys ? "publickey" : "";
    return options->authorized_keys ? "publickey,password,keyboard-interactive"
                                    : "password,keyboard-interactive";
}

static bool read_file(LyServer *server, const char *path, LyBuf *text)
{
    *text = LY_BUF(FILE_MAX);
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    ssize_t len = fd < 0 ? -1 : 1;
    while (len > 0) {
        uint8_t *room = ly_buf_room(text, 16384);
        if (!room) {
            errno = EFBIG;
            len = -1;
            break;
        }
        len = read(fd, room, 16384);
        if (len > 0)
            ly_buf_added(text, (size_t)len);
    }
    if (len < 0) {
        LyError error;
        ly_error_set_errno(&error, errno, "cannot read %s", path);
        ly_log(&server->options->log, LY_LOG_ERROR, "%s", error.message);
    }
    if (fd >= 0)
        close(fd);
    return len == 0;
}

static void accept_user(LyServer *server, LyBytes user, const char *method, const char *what)
{
    ly_log(&server->options->log, LY_LOG_INFO, "%s: \"%s\" signed in with %s%s%s", server->name,
           LY_PRINTABLE(user), method, *what ? " " : "", what);
    ly_userauth_server_accept(ly_server_userauth(server));
}

/* ---- keys ---- */

enum { SK_TOUCHED = 1, SK_VERIFIED = 4 }; /* PROTOCOL.u2f: flags of the authenticator data */

/* NULL: fine. */
static const char *judge_security_key(const LyUserauthRequest *request, const LyAuthorization *authorization)
{
    if (!request->proven || !ly_key_type(request->key)->sk)
        return NULL;
    if (authorization->touch_required && !(request->sk_flags & SK_TOUCHED))
        return "the security key was not touched";
    if (authorization->verify_required && !(request->sk_flags & SK_VERIFIED))
        return "the security key did not verify its user";
    return NULL;
}

static void authenticate_key(LyServer *server, const LyUserauthRequest *request)
{
    const LyLog *log = &server->options->log;
    LyCrypto *crypto = server->options->session.transport.crypto;
    char fingerprint[100];
    ly_key_fingerprint(crypto, ly_key_plain_blob(request->key), LY_SHA256, fingerprint);
    const char *kind = ly_key_type(request->key)->short_name;
    LyAuthorization authorization = {0};
    LyBuf text;
    if (read_file(server, server->options->authorized_keys, &text))
        ly_authorized_keys_check(crypto, ly_buf_bytes(&text), request->key, request->user,
                                 ly_bytes_str(server->peer.address), (uint64_t)time(NULL), &authorization);
    ly_buf_free(&text);
    const char *refused =
        authorization.found ? judge_security_key(request, &authorization) : authorization.refused;
    if (!authorization.found || refused) {
        ly_log(log, LY_LOG_INFO, "%s: \"%s\" may not sign in with the key %s %s: %s", server->name,
               LY_PRINTABLE(request->user), kind, fingerprint, refused ? refused : "it is not authorized");
        ly_userauth_server_refuse(ly_server_userauth(server), NULL, false);
    } else if (!request->proven) {
        ly_userauth_server_pk_ok(ly_server_userauth(server));
    } else {
        ly_authorization_clear(&server->authorization);
        server->authorization = authorization;
        char what[300];
        snprintf(what, sizeof what, "%s%s %s (line %u of %s)", kind,
                 ly_key_is_certificate(request->key) ? " certificate" : "", fingerprint, authorization.line,
                 server->options->authorized_keys);
        accept_user(server, request->user, "publickey", what);
        return;
    }
    ly_authorization_clear(&authorization);
}

/* ---- passwords ---- */

static bool password_right(LyServer *server, LyBytes user, LyBytes password)
{
    LyBuf text;
    bool right = false;
    if (read_file(server, server->options->password_file, &text)) {
        LyBytes rest = ly_buf_bytes(&text), line, name, wanted;
        while (ly_bytes_line(&rest, &line))
            if (ly_bytes_split(line, ':', &name, &wanted) && ly_bytes_equal(name, user))
                right |= wanted.len > 0 && ly_bytes_equal_secret(wanted, password);
    }
    ly_buf_free(&text);
    return right;
}

static void authenticate_password(LyServer *server, LyBytes user, LyBytes password, const char *method)
{
    if (password_right(server, user, password)) {
        accept_user(server, user, method, "");
        return;
    }
    ly_log(&server->options->log, LY_LOG_INFO, "%s: wrong password or unknown user \"%s\" (%s)", server->name,
           LY_PRINTABLE(user), method);
    ly_userauth_server_refuse(ly_server_userauth(server), NULL, false);
}

static void authenticate_interactive(LyServer *server, const LyUserauthRequest *request)
{
    static const LyPrompt prompt = {.text = {(const uint8_t *)"Password: ", 10}, .echo = false};
    if (request->answered) {
        if (request->response_count == 1)
            authenticate_password(server, request->user, request->responses[0], "keyboard-interactive");
        else
            ly_userauth_server_refuse(ly_server_userauth(server), NULL, false);
        return;
    }
    ly_userauth_server_info_request(ly_server_userauth(server), (LyBytes){0}, (LyBytes){0}, &prompt, 1);
}

void ly_server_authenticate(LyServer *server, const LyUserauthRequest *request)
{
    bool keys = server->options->authorized_keys, passwords = server->options->password_file;
    if (request->method == LY_METHOD_PUBLICKEY && keys)
        authenticate_key(server, request);
    else if (request->method == LY_METHOD_PASSWORD && passwords && !request->change) /* never written */
        authenticate_password(server, request->user, request->password, "password");
    else if (request->method == LY_METHOD_KEYBOARD_INTERACTIVE && passwords)
        authenticate_interactive(server, request);
    else
        ly_userauth_server_refuse(ly_server_userauth(server), NULL, false);
}
