#include "loop/destination.h"

#include <pwd.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/secret.h"
#include "loop/destination-private.h"

#define JUMPS_MAX 8

static LyDestination *destination_new(const LyDestinationOptions *options, unsigned depth, LyError *error);

static void learn_self(LyDestination *destination)
{
    const struct passwd *account = getpwuid(getuid());
    const char *home = account ? account->pw_dir : getenv("HOME");
    const char *user = account ? account->pw_name : getenv("USER");
    const char *shell = getenv("SHELL");
    char host[256] = "localhost";
    if (gethostname(host, sizeof host - 1) != 0)
        strcpy(host, "localhost");
    destination->home = ly_strdup(home ? home : "/");
    destination->local_user = ly_strdup(user ? user : "nobody");
    destination->local_host = ly_strdup(host);
    destination->shell = ly_strdup(shell && shell[0] ? shell : "/bin/sh");
}

/* Names reach shells through ProxyCommand's tokens, and may come from an fstab or a URL. */
static bool plain_name(const char *what, const char *name, LyError *error)
{
    if (name[0] == 0)
        return ly_error_set(error, LY_ERROR_INVALID, "the %s name is empty", what);
    bool bad = name[0] == '-';
    for (const char *p = name; *p; p++)
        bad = bad || (unsigned char)*p < 0x20 || *p == 0x7f || strchr(" '`\"$;&<>|(){}\\", *p);
    return !bad || ly_error_set(error, LY_ERROR_INVALID, "\"%s\" cannot be a %s name",
                                LY_PRINTABLE(ly_bytes_str(name)), what);
}

/* "[user@]host[:port]" or "ssh://...", IPv6 addresses in brackets. */
static bool split_hop(LyBytes hop, char **user, char **host, uint16_t *port, LyError *error)
{
    LyBytes whole = hop, number = {0};
    if (ly_bytes_starts_with(hop, "ssh://")) {
        hop = ly_bytes_slice(hop, 6, hop.len);
        if (hop.len && hop.data[hop.len - 1] == '/')
            hop.len--;
    }
    LyBytes name = hop, account = {0};
    for (size_t i = hop.len; i > 0; i--) {
        if (hop.data[i - 1] != '@')
            continue;
        account = ly_bytes_slice(hop, 0, i - 1);
        name = ly_bytes_slice(hop, i, hop.len);
        break;
    }
    if (name.len && name.data[0] == '[') {
        LyBytes address, rest;
        if (!ly_bytes_split(ly_bytes_slice(name, 1, name.len), ']', &address, &rest) ||
            (rest.len && rest.data[0] != ':'))
            return ly_error_set(error, LY_ERROR_INVALID, "ProxyJump: \"%s\" has a [ without ]",
                                LY_PRINTABLE(whole));
        name = address;
        number = ly_bytes_slice(rest, 1, rest.len);
    } else {
        LyBytes before, rest, more;
        /* more than one colon: an address without brackets */
        if (ly_bytes_split(name, ':', &before, &rest) && !ly_bytes_split(rest, ':', &more, &more)) {
            name = before;
            number = rest;
        }
    }
    uint64_t value = 0;
    if (name.len == 0 || (number.len && (!ly_bytes_number(number, 65535, &value) || value == 0)))
        return ly_error_set(error, LY_ERROR_INVALID, "ProxyJump: \"%s\" is not [user@]host[:port]",
                            LY_PRINTABLE(whole));
    *user = account.len ? ly_bytes_dup_str(account) : NULL;
    *host = ly_bytes_dup_str(name);
    *port = (uint16_t)value;
    return true;
}

static bool read_jump(LyDestination *destination, const LyDestinationOptions *options, const char *list,
                      unsigned depth, LyError *error)
{
    LyBytes hop = ly_bytes_str(list), before = {0};
    for (size_t i = hop.len; i > 0; i--) {
        if (hop.data[i - 1] != ',')
            continue;
        before = ly_bytes_slice(hop, 0, i - 1);
        hop = ly_bytes_slice(hop, i, hop.len);
        break;
    }
    if (depth >= JUMPS_MAX)
        return ly_error_set(error, LY_ERROR_INVALID, "ProxyJump leads over more than %d hosts", JUMPS_MAX);
    LY_AUTO_FREE char *user = NULL, *host = NULL;
    uint16_t port = 0;
    if (!split_hop(ly_bytes_trim(hop), &user, &host, &port, error))
        return false;
    /* "Host *" with a ProxyJump applies to the jump host too: nobody jumps over itself */
    bool same_alias = strcasecmp(host, options->host) == 0 && (port == 0 || port == destination->port);
    bool same_address = strcasecmp(host, destination->host) == 0 && (port ? port : 22) == destination->port;
    if (before.len == 0 && (same_alias || same_address))
        return true;
    LY_AUTO_FREE char *rest =
        before.len ? ly_format("ProxyJump=%.*s", (int)before.len, (const char *)before.data) : NULL;
    const char *settings[] = {rest, NULL};
    LyDestinationOptions jump = {
        .crypto = options->crypto,
        .host = host,
        .user = user,
        .port = port,
        .config_file = options->config_file,
        .settings = settings,
        .log = options->log,
        .agent = options->agent,
        .ident = options->ident,
        .connect_timeout_us = options->connect_timeout_us,
        .kex_timeout_us = options->kex_timeout_us,
        .auth_timeout_us = options->auth_timeout_us,
        .keepalive_us = options->keepalive_us,
    };
    destination->jump = destination_new(&jump, depth + 1, error);
    return destination->jump || ly_error_prefix(error, "jump host %s", host);
}

static bool read_proxy(LyDestination *destination, const LyDestinationOptions *options, unsigned depth,
                       LyError *error)
{
    const LyConfig *config = destination->config;
    const char *command = ly_config_string(config, LY_CONFIG_PROXY_COMMAND);
    const char *jump = ly_config_string(config, LY_CONFIG_PROXY_JUMP);
    LY_AUTO(ly_buf_free) LyBuf text = {0};
    if (command && strcasecmp(command, "none") != 0) {
        if (!ly_config_expand(config, destination->crypto, command, false, &text, error))
            return ly_error_prefix(error, "ProxyCommand");
        destination->proxy_command = ly_strdup(ly_buf_str(&text));
    } else if (jump && strcasecmp(jump, "none") != 0) {
        if (!ly_config_expand(config, destination->crypto, jump, false, &text, error))
            return ly_error_prefix(error, "ProxyJump");
        return read_jump(destination, options, ly_buf_str(&text), depth, error);
    }
    return true;
}

static bool read_all(LyDestination *destination, const LyDestinationOptions *options, unsigned depth,
                     LyError *error)
{
    if (!plain_name("host", options->host, error) ||
        (options->user && !plain_name("user", options->user, error)))
        return false;
    learn_self(destination);
    if (!ly_destination_read_config(destination, options, error))
        return false;
    const LyConfig *config = destination->config;
    uint64_t port = ly_config_number(config, LY_CONFIG_PORT, 22);
    if (port == 0 || port > 65535)
        return ly_error_set(error, LY_ERROR_INVALID, "Port cannot be %s",
                            ly_config_string(config, LY_CONFIG_PORT));
    destination->port = (uint16_t)port;
    destination->host = ly_strdup(ly_config_string(config, LY_CONFIG_HOST_NAME));
    destination->user = ly_strdup(ly_config_string(config, LY_CONFIG_USER));
    destination->account = ly_format("%s@%s", destination->user, destination->host);
    destination->name = ly_format("%s port %u", destination->account, destination->port);
    ly_algorithms_init(destination->crypto, &destination->algorithms);
    if (!ly_config_algorithms(config, destination->crypto, &destination->algorithms, error))
        return false;
    const char *host_key_algorithms = ly_config_string(config, LY_CONFIG_HOST_KEY_ALGORITHMS);
    destination->prefer_known = !host_key_algorithms || strchr("+-", host_key_algorithms[0]);
    if (!read_proxy(destination, options, depth, error) || !ly_destination_read_revoked(destination, error))
        return false;
    ly_destination_read_known_hosts(destination);
    ly_destination_read_identities(destination);
    return true;
}

static LyDestination *destination_new(const LyDestinationOptions *options, unsigned depth, LyError *error)
{
    LyDestination *destination = ly_new(LyDestination);
    destination->refs = 1;
    destination->crypto = ly_crypto_ref(options->crypto);
    destination->log = options->log;
    if (options->agent)
        destination->agent = *options->agent;
    destination->ident = ly_strdup(options->ident);
    destination->bind_port = options->bind_port;
    destination->connect_timeout_us = options->connect_timeout_us;
    destination->kex_timeout_us = options->kex_timeout_us;
    destination->auth_timeout_us = options->auth_timeout_us;
    destination->keepalive_us = options->keepalive_us;
    destination->any_vendor = options->any_vendor;
    if (read_all(destination, options, depth, error))
        return destination;
    ly_destination_unref(destination);
    return NULL;
}

LyDestination *ly_destination_new(const LyDestinationOptions *options, LyError *error)
{
    return destination_new(options, 0, error);
}

LyDestination *ly_destination_ref(LyDestination *destination)
{
    destination->refs++;
    return destination;
}

void ly_destination_unref(LyDestination *destination)
{
    if (!destination || --destination->refs)
        return;
    ly_destination_unref(destination->jump);
    ly_identities_clear(&destination->identities);
    ly_identities_clear(&destination->host_keys);
    if (destination->known_hosts)
        ly_known_hosts_free(destination->known_hosts);
    for (size_t i = 0; i < destination->revoked_count; i++) {
        ly_krl_free(destination->revoked[i].krl);
        ly_free(destination->revoked[i].path);
    }
    ly_free(destination->revoked);
    ly_algorithms_clear(&destination->algorithms);
    ly_config_free(destination->config);
    ly_secret_free((void *)destination->password.data);
    ly_secret_free((void *)destination->response.data);
    char *texts[] = {destination->host,
                     destination->user,
                     destination->name,
                     destination->account,
                     destination->local_user,
                     destination->local_host,
                     destination->home,
                     destination->shell,
                     destination->known_hosts_file,
                     destination->proxy_command,
                     destination->response_prompt,
                     destination->ident};
    for (size_t i = 0; i < LY_COUNT(texts); i++)
        ly_free(texts[i]);
    ly_crypto_unref(destination->crypto);
    ly_free(destination);
}

void ly_destination_set_log_level(LyDestination *destination, LyLogLevel level)
{
    for (; destination; destination = destination->jump)
        destination->log.level = level;
}

const LyConfig *ly_destination_config(const LyDestination *destination)
{
    return destination->config;
}

LyCrypto *ly_destination_crypto(const LyDestination *destination)
{
    return destination->crypto;
}

LyDestination *ly_destination_jump(const LyDestination *destination)
{
    return destination->jump;
}

const char *ly_destination_name(const LyDestination *destination)
{
    return destination->name;
}
