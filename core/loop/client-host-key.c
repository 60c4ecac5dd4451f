/* Is this the host's key? known_hosts(5) answers, or a person does; what is accepted is written down. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/auto.h"
#include "loop/client-private.h"

#define QUESTIONS_MAX 3

typedef enum Strictness { STRICT_YES, STRICT_ASK, STRICT_ACCEPT_NEW, STRICT_OFF } Strictness;

static Strictness strictness(const LyConfig *config)
{
    static const struct {
        const char *name;
        Strictness value;
    } names[] = {
        {"yes", STRICT_YES}, {"true", STRICT_YES},  {"ask", STRICT_ASK}, {"accept-new", STRICT_ACCEPT_NEW},
        {"no", STRICT_OFF},  {"false", STRICT_OFF}, {"off", STRICT_OFF}};
    const char *value = ly_config_string(config, LY_CONFIG_STRICT_HOST_KEY_CHECKING);
    for (size_t i = 0; value && i < LY_COUNT(names); i++)
        if (strcasecmp(value, names[i].name) == 0)
            return names[i].value;
    return STRICT_ASK;
}

static const char *known_name(const LyDestination *destination, uint16_t *port)
{
    const char *alias = ly_config_string(destination->config, LY_CONFIG_HOST_KEY_ALIAS);
    *port = alias ? 22 : destination->port; /* an alias stands without a port */
    return alias ? alias : destination->host;
}

/* Appending is a job, because the file may lie on something slow, or under the mount that this connection
 * serves. */

typedef struct Appending {
    char *path, *directory; /* directory: ~/.ssh, made when missing; NULL: somewhere else */
    char *line;
    LyDestination *destination;
    bool tried;
    LyError error;
} Appending;

static void append_line(void *data)
{
    Appending *appending = data;
    appending->tried = true;
    if (appending->directory && mkdir(appending->directory, 0700) != 0 && errno != EEXIST) {
        ly_error_set_errno(&appending->error, errno, "cannot make %s", appending->directory);
        return;
    }
    int fd = open(appending->path, O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY, 0600);
    bool ok = fd >= 0;
    if (ok) {
        char last = '\n';
        off_t len = lseek(fd, 0, SEEK_END);
        ok = len <= 0 || pread(fd, &last, 1, len - 1) == 1;
        LY_AUTO_FREE char *text = ly_format("%s%s", last == '\n' ? "" : "\n", appending->line);
        /* one write, so that lines of several programs do not mix */
        ok = ok && write(fd, text, strlen(text)) == (ssize_t)strlen(text);
    }
    if (!ok)
        ly_error_set_errno(&appending->error, errno, "cannot add the host key to %s", appending->path);
    if (fd >= 0)
        close(fd);
}

/* Cancelled: the loop is being freed. Its threads may not have come to this job; the key is remembered all the
 * same. */
static void appended(void *data, bool cancelled)
{
    Appending *appending = data;
    if (!appending->tried)
        append_line(appending);
    if (appending->error.code != LY_OK)
        ly_log(&appending->destination->log, LY_LOG_WARNING, "%s", appending->error.message);
    ly_destination_unref(appending->destination);
    ly_free(appending->path);
    ly_free(appending->directory);
    ly_free(appending->line);
    ly_free(appending);
}

/* In memory for the connections to come, and in the file. */
static void remember_host_key(LyClient *client)
{
    LyDestination *destination = client->destination;
    LyBuf line = {0};
    uint16_t port;
    const char *name = known_name(destination, &port);
    LyError error = {0};
    bool hashed = ly_config_flag(destination->config, LY_CONFIG_HASH_KNOWN_HOSTS, false);
    if (!ly_known_hosts_line(destination->crypto, ly_bytes_str(name), port, client->host_key, hashed, &line,
                             &error)) {
        ly_log(&destination->log, LY_LOG_WARNING, "%s", error.message);
    } else {
        const char *path = destination->known_hosts_file;
        ly_known_hosts_add(destination->known_hosts, path ? path : "(accepted before)", ly_buf_bytes(&line));
        if (path) {
            Appending *appending = ly_new(Appending);
            LY_AUTO_FREE char *own = ly_format("%s/.ssh/", destination->home);
            appending->path = ly_strdup(path);
            if (strncmp(path, own, strlen(own)) == 0)
                appending->directory = ly_format("%s/.ssh", destination->home);
            appending->line = ly_strdup(ly_buf_str(&line));
            appending->destination = ly_destination_ref(destination);
            ly_log(&destination->log, LY_LOG_INFO, "the %s key of '%s' was added to %s",
                   ly_key_type(client->host_key)->short_name, name, path);
            ly_loop_work(client->loop, append_line, appended, appending);
        }
    }
    ly_buf_free(&line);
}

static void fingerprint(const LyClient *client, char text[100])
{
    ly_key_fingerprint(client->destination->crypto, ly_key_plain_blob(client->host_key), LY_SHA256, text);
}

static void settle(LyClient *client)
{
    ly_key_unref(client->host_key);
    client->host_key = NULL;
}

static void accept_key(LyClient *client, bool remember)
{
    if (remember)
        remember_host_key(client);
    settle(client);
    ly_transport_host_key_accept(ly_session_transport(client->session));
}

static void refuse_key(LyClient *client, const char *sentence)
{
    settle(client);
    ly_transport_host_key_refuse(ly_session_transport(client->session), sentence);
}

/* The question. */

static void ask(LyClient *client, bool retry);

static void answered(LyClient *client, const char *answer)
{
    uint16_t port;
    const char *name = known_name(client->destination, &port);
    char shown[100];
    fingerprint(client, shown);
    LyBytes text = ly_bytes_trim(ly_bytes_str(answer));
    if (text.len == 3 && strncasecmp((const char *)text.data, "yes", 3) == 0) {
        accept_key(client, true);
    } else if (ly_bytes_is(text, shown)) {
        accept_key(client, true);
    } else if (answer && !(text.len == 2 && strncasecmp((const char *)text.data, "no", 2) == 0) &&
               ++client->host_key_questions < QUESTIONS_MAX) {
        ask(client, true);
    } else {
        LY_AUTO_FREE char *sentence =
            ly_format("the host key of '%s' (%s, %s) is not known and was not accepted%s", name,
                      ly_key_type(client->host_key)->short_name, shown,
                      ly_client_may_ask(client) ? ""
                                                : "; nobody could be asked, so sign in once with ssh, or set "
                                                  "StrictHostKeyChecking=accept-new");
        refuse_key(client, sentence);
    }
}

static void ask(LyClient *client, bool retry)
{
    uint16_t port;
    const char *name = known_name(client->destination, &port);
    char shown[100];
    LyBuf text = {0};
    fingerprint(client, shown);
    if (retry) {
        ly_buf_add_str(&text, "Please type 'yes', 'no' or the fingerprint: ");
    } else {
        if (port == 22)
            ly_buf_add_format(&text, "The host '%s' is not known here.\n", name);
        else
            ly_buf_add_format(&text, "The host '[%s]:%u' is not known here.\n", name, port);
        if (client->host_key_new_type)
            ly_buf_add_str(&text, "Keys of other types are known for it, though.\n");
        ly_buf_add_format(&text,
                          "Its %s key has the fingerprint %s.\n"
                          "Connect, and remember this key (yes/no/[fingerprint])? ",
                          ly_key_type(client->host_key)->short_name, shown);
    }
    ly_client_ask(client, LY_ASK_HOST_KEY, ly_buf_str(&text), true, retry, answered);
    ly_buf_free(&text);
}

static void unknown(LyClient *client, const char *name, const char *shown)
{
    LY_AUTO_FREE char *sentence = NULL;
    switch (strictness(client->destination->config)) {
    case STRICT_YES:
        sentence = ly_format("no %s host key is known for '%s' and StrictHostKeyChecking is on; it shows %s",
                             ly_key_type(client->host_key)->short_name, name, shown);
        refuse_key(client, sentence);
        break;
    case STRICT_ASK:
        ask(client, false);
        break;
    case STRICT_ACCEPT_NEW:
    case STRICT_OFF:
        accept_key(client, true);
        break;
    }
}

static void changed(LyClient *client, const char *name, const char *shown, const LyHostCheck *check)
{
    const char *type = ly_key_type(client->host_key)->short_name;
    const char *file = check->file ? check->file : "known_hosts";
    LY_AUTO_FREE char *sentence = ly_format(
        "the host key of '%s' has changed: somebody may be listening in, or the host was set up anew. It "
        "shows the %s key %s, but %s line %u knows another; remove that line if the new key is right",
        name, type, shown, file, check->line);
    if (strictness(client->destination->config) != STRICT_OFF) {
        refuse_key(client, sentence);
        return;
    }
    ly_log(ly_client_log(client), LY_LOG_WARNING,
           "%s. StrictHostKeyChecking is off: going on, but without password and keyboard-interactive",
           sentence);
    client->passwords_forbidden = true;
    accept_key(client, false);
}

void ly_client_host_key(LyClient *client, bool accept)
{
    if (!client->host_key_open)
        return;
    char shown[100];
    uint16_t port;
    client->host_key_open = false;
    ly_client_enter_late(client);
    fingerprint(client, shown);
    if (accept) {
        accept_key(client, false);
    } else {
        LY_AUTO_FREE char *sentence = ly_format("the host key of '%s' (%s, %s) was not accepted",
                                                known_name(client->destination, &port),
                                                ly_key_type(client->host_key)->short_name, shown);
        refuse_key(client, sentence);
    }
    ly_client_flush(client);
    ly_client_leave(client);
}

static bool long_enough(LyClient *client)
{
    unsigned required =
        (unsigned)ly_config_number(client->destination->config, LY_CONFIG_REQUIRED_RSA_SIZE, 1024);
    return ly_key_type(client->host_key)->pk != LY_PK_RSA || ly_key_bits(client->host_key) >= required;
}

/* The file of RevokedHostKeys that has the key, its certificate or its CA; NULL: none. */
static const char *revoked_by(const LyDestination *destination, const LyKey *key)
{
    for (size_t i = 0; i < destination->revoked_count; i++)
        if (ly_krl_revokes(destination->revoked[i].krl, key))
            return destination->revoked[i].path;
    return NULL;
}

void ly_client_check_host_key(LyClient *client, LyKey *key)
{
    LyDestination *destination = client->destination;
    uint16_t port;
    const char *name = known_name(destination, &port);
    char shown[100];
    LyHostCheck check = {0};
    LY_AUTO_FREE char *sentence = NULL;
    client->host_key = ly_key_ref(key);
    client->host_key_questions = 0;
    fingerprint(client, shown);
    const char *revoked = revoked_by(destination, key);
    if (revoked) {
        sentence =
            ly_format("the %s of '%s' (%s) is revoked by %s",
                      ly_key_is_certificate(key) ? "host certificate" : "host key", name, shown, revoked);
        refuse_key(client, sentence);
        return;
    }
    if (!long_enough(client)) {
        sentence = ly_format("the RSA host key of '%s' has %u bits, less than RequiredRSASize allows", name,
                             ly_key_bits(key));
        refuse_key(client, sentence);
        return;
    }
    if (client->events.host_key) {
        client->host_key_open = true;
        client->events.host_key(client->events.user, client->host_key);
        return;
    }
    ly_known_hosts_check(destination->known_hosts, ly_bytes_str(name), port, key, (uint64_t)time(NULL),
                         &check);
    client->host_key_new_type = check.verdict == LY_HOST_NEW_TYPE;
    switch (check.verdict) {
    case LY_HOST_OK:
        ly_log(&destination->log, LY_LOG_DEBUG, "host key %s is known by %s line %u", shown,
               check.file ? check.file : "?", check.line);
        accept_key(client, false);
        break;
    case LY_HOST_UNKNOWN:
    case LY_HOST_NEW_TYPE:
        unknown(client, name, shown);
        break;
    case LY_HOST_CHANGED:
        changed(client, name, shown, &check);
        break;
    case LY_HOST_REVOKED:
        sentence = ly_format("the host key of '%s' (%s) is revoked by %s line %u", name, shown,
                             check.file ? check.file : "known_hosts", check.line);
        refuse_key(client, sentence);
        break;
    case LY_HOST_BAD_CERTIFICATE:
        sentence = ly_format("the host certificate of '%s' does not hold: %s", name, check.detail);
        refuse_key(client, sentence);
        break;
    }
}
