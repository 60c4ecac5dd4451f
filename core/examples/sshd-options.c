#include "sshd-options.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/memory.h"
#include "key/read.h"

#define SECOND_US ((uint64_t)1000000)
#define FILE_MAX ((size_t)16 << 20)

static const struct {
    const char *flag, *argument, *help;
} option_table[] = {
    {"-b", "ADDRESS", "listen there (127.0.0.1; ::1, localhost, * for all)"},
    {"-p", "PORT", "listen on this port (22); 0 picks a free one"},
    {"-h", "HOSTKEY", "a private host key; HOSTKEY-cert.pub beside it is its certificate. May be repeated"},
    {"-k", "AUTHORIZED_KEYS", "who may sign in; read anew for each sign-in"},
    {"-r", "ROOT", "SFTP only, and ROOT is its /"},
    {"-o", "KEY=VALUE", "a setting of sshd_config, from the list below. May be repeated"},
    {"-v", "", "log more; may be repeated"},
    {"--password-file", "FILE", "\"user:password\" lines, for password and keyboard-interactive"},
    {"--help", "", "print this and exit"},
};

static _Noreturn void complain(const char *format, const char *what, const char *why)
{
    fputs("sshd: ", stderr);
    fprintf(stderr, format, what, why);
    fputs("\n", stderr);
    exit(1);
}

static LyBuf read_file(const char *path)
{
    LyBuf text = LY_BUF(FILE_MAX);
    FILE *file = fopen(path, "re");
    size_t len = 0;
    if (!file)
        complain("cannot read %s: %s", path, strerror(errno));
    do {
        uint8_t *room = ly_buf_room(&text, 4096);
        if (!room)
            complain("%s is too long%s", path, "");
        len = fread(room, 1, 4096, file);
        ly_buf_added(&text, len);
    } while (len > 0);
    if (ferror(file))
        complain("cannot read %s: %s", path, strerror(errno));
    fclose(file);
    return text;
}

/* ---- values ---- */

static uint64_t read_number(const char *key, const char *text, uint64_t max)
{
    uint64_t number;
    if (!ly_bytes_number(ly_bytes_str(text), max, &number))
        complain("%s: \"%s\" is not a number in its range", key, text);
    return number;
}

/* A number with unit letters behind it; `factors`: "K\0..." */
static uint64_t read_units(const char *key, const char *text, const char *units, const uint64_t *factors)
{
    uint64_t total = 0;
    const char *at = text;
    do {
        uint64_t number = 0, factor = 1;
        if (*at < '0' || *at > '9')
            complain("%s: \"%s\" is not a number with a unit", key, text);
        while (*at >= '0' && *at <= '9' && number < UINT32_MAX)
            number = number * 10 + (uint64_t)(*at++ - '0');
        const char *unit = *at ? strchr(units, *at | 0x20) : NULL;
        if (unit) {
            factor = factors[unit - units];
            at++;
        }
        total += number * factor;
    } while (*at);
    return total;
}

static uint64_t read_seconds(const char *key, const char *text)
{
    static const uint64_t factors[] = {1, 60, 3600, 86400, 604800};
    return read_units(key, text, "smhdw", factors);
}

static void set_algorithms(SshdOptions *options, const char *key, const char *value, LyAlgorithmKind kind)
{
    LyError error;
    if (!ly_algorithms_change(options->server.session.transport.crypto, &options->algorithms, kind,
                              ly_bytes_str(value), &error))
        complain("%s: %s", key, error.message);
}

/* ---- keywords ---- */

static void set_list(SshdOptions *options, const char *key, const char *value)
{
    static const struct {
        const char *key;
        LyAlgorithmKind kind;
    } lists[] = {
        {"Ciphers", LY_ALGORITHMS_CIPHER},
        {"HostKeyAlgorithms", LY_ALGORITHMS_HOST_KEY},
        {"KexAlgorithms", LY_ALGORITHMS_KEX},
        {"MACs", LY_ALGORITHMS_MAC},
        {"PubkeyAcceptedAlgorithms", LY_ALGORITHMS_USER_KEY},
    };
    for (size_t i = 0; i < LY_COUNT(lists); i++)
        if (strcasecmp(lists[i].key, key) == 0)
            set_algorithms(options, key, value, lists[i].kind);
}

static void set_banner(SshdOptions *options, const char *key, const char *value)
{
    ly_free(options->banner);
    options->banner = NULL;
    if (strcasecmp(value, "none") != 0) {
        LyBuf text = read_file(value);
        options->banner = ly_strdup(ly_buf_str(&text));
        ly_buf_free(&text);
    }
    options->server.session.userauth.banner = options->banner;
}

static void set_client_alive(SshdOptions *options, const char *key, const char *value)
{
    if (strcasecmp(key, "ClientAliveInterval") == 0)
        options->server.session.connection.keepalive_us = read_seconds(key, value) * SECOND_US;
    else
        options->server.session.connection.keepalive_count = (unsigned)read_number(key, value, 1000000);
}

static void set_compression(SshdOptions *options, const char *key, const char *value)
{
    static const char *const values[][2] = {
        {"no", "none"},
        {"delayed", "none,zlib@openssh.com"},
        {"yes", "none,zlib@openssh.com,zlib"},
    };
    for (size_t i = 0; i < LY_COUNT(values); i++) {
        if (strcasecmp(values[i][0], value) == 0) {
            set_algorithms(options, key, values[i][1], LY_ALGORITHMS_COMPRESSION);
            return;
        }
    }
    complain("%s: \"%s\" is none of yes, no, delayed", key, value);
}

static void set_force_command(SshdOptions *options, const char *key, const char *value)
{
    options->server.force_command = strcasecmp(value, "none") == 0 ? NULL : value;
}

/* The settings of sshd_config that are about forwards: which words mean which LY_FORWARD_*. */
static void set_forwards(SshdOptions *options, const char *key, const char *value)
{
    enum {
        TCP = LY_FORWARD_LOCAL | LY_FORWARD_REMOTE,
        ADDRESS = LY_FORWARD_GATEWAY | LY_FORWARD_ANY_ADDRESS
    };
    static const struct {
        const char *key, *value;
        unsigned all, set;
    } words[] = {
        {"AllowAgentForwarding", "yes", LY_FORWARD_AGENT, LY_FORWARD_AGENT},
        {"AllowAgentForwarding", "no", LY_FORWARD_AGENT, 0},
        {"AllowStreamLocalForwarding", "yes", LY_FORWARD_STREAMLOCAL, LY_FORWARD_STREAMLOCAL},
        {"AllowStreamLocalForwarding", "all", LY_FORWARD_STREAMLOCAL, LY_FORWARD_STREAMLOCAL},
        {"AllowStreamLocalForwarding", "local", LY_FORWARD_STREAMLOCAL, LY_FORWARD_LOCAL_STREAMLOCAL},
        {"AllowStreamLocalForwarding", "remote", LY_FORWARD_STREAMLOCAL, LY_FORWARD_REMOTE_STREAMLOCAL},
        {"AllowStreamLocalForwarding", "no", LY_FORWARD_STREAMLOCAL, 0},
        {"AllowTcpForwarding", "yes", TCP, TCP},
        {"AllowTcpForwarding", "all", TCP, TCP},
        {"AllowTcpForwarding", "local", TCP, LY_FORWARD_LOCAL},
        {"AllowTcpForwarding", "remote", TCP, LY_FORWARD_REMOTE},
        {"AllowTcpForwarding", "no", TCP, 0},
        {"GatewayPorts", "yes", ADDRESS, LY_FORWARD_ANY_ADDRESS},
        {"GatewayPorts", "clientspecified", ADDRESS, LY_FORWARD_GATEWAY},
        {"GatewayPorts", "no", ADDRESS, 0},
        {"StreamLocalBindUnlink", "yes", LY_FORWARD_UNLINK, LY_FORWARD_UNLINK},
        {"StreamLocalBindUnlink", "no", LY_FORWARD_UNLINK, 0},
        {"X11Forwarding", "yes", LY_FORWARD_X11, LY_FORWARD_X11},
        {"X11Forwarding", "no", LY_FORWARD_X11, 0},
    };
    for (size_t i = 0; i < LY_COUNT(words); i++) {
        if (strcasecmp(words[i].key, key) == 0 && strcasecmp(words[i].value, value) == 0) {
            options->server.forwards = (options->server.forwards & ~words[i].all) | words[i].set;
            return;
        }
    }
    complain("%s: \"%s\" is not one of its words; see sshd --help", key, value);
}

static void set_grace(SshdOptions *options, const char *key, const char *value)
{
    uint64_t time_us = read_seconds(key, value) * SECOND_US;
    options->server.session.auth_timeout_us = options->server.session.transport.handshake_timeout_us =
        time_us;
}

static void set_limit(SshdOptions *options, const char *key, const char *value)
{
    uint32_t number = (uint32_t)read_number(key, value, 65535);
    if (number == 0)
        complain("%s: %s lets nobody in", key, value);
    if (strcasecmp(key, "MaxAuthTries") == 0)
        options->server.session.userauth.max_attempts = number;
    else
        options->server.max_sessions = number;
}

static void set_moduli(SshdOptions *options, const char *key, const char *value)
{
    ly_buf_free(&options->moduli);
    options->moduli = (LyBuf){0};
    if (strcasecmp(value, "none") != 0)
        options->moduli = read_file(value);
    options->server.session.transport.moduli = ly_buf_bytes(&options->moduli);
}

/* "BYTES [TIME]", each "default" or "none" too. */
static void set_rekey_limit(SshdOptions *options, const char *key, const char *value)
{
    static const uint64_t factors[] = {(uint64_t)1 << 10, (uint64_t)1 << 20, (uint64_t)1 << 30};
    LyTransportOptions *transport = &options->server.session.transport;
    LyBytes size, time;
    if (!ly_bytes_split(ly_bytes_str(value), ' ', &size, &time)) {
        size = ly_bytes_str(value);
        time = (LyBytes){0};
    }
    LY_AUTO_FREE char *size_text = ly_bytes_dup_str(size);
    LY_AUTO_FREE char *time_text = ly_bytes_dup_str(ly_bytes_trim(time));
    transport->rekey_bytes = strcasecmp(size_text, "default") == 0 || strcasecmp(size_text, "none") == 0
                                 ? 0
                                 : read_units(key, size_text, "kmg", factors);
    transport->rekey_us =
        !time.len || strcasecmp(time_text, "none") == 0 ? 0 : read_seconds(key, time_text) * SECOND_US;
}

static const struct {
    const char *key;
    void (*set)(SshdOptions *options, const char *key, const char *value);
    const char *help;
} keywords[] = {
    {"AllowAgentForwarding", set_forwards, "yes, no (no): the client's agent, as SSH_AUTH_SOCK"},
    {"AllowStreamLocalForwarding", set_forwards, "yes, no, local, remote (no): Unix sockets"},
    {"AllowTcpForwarding", set_forwards, "yes, no, local, remote (no)"},
    {"Banner", set_banner, "a file whose text is shown before the sign-in, or none"},
    {"Ciphers", set_list,
     "a list; +LIST appends, -LIST removes, ^LIST puts in front, as with all algorithms"},
    {"ClientAliveCountMax", set_client_alive, "unanswered questions before a silent client is given up (3)"},
    {"ClientAliveInterval", set_client_alive,
     "silence after which a client is asked whether it lives (0: never)"},
    {"Compression", set_compression, "yes, no, delayed"},
    {"ForceCommand", set_force_command, "runs whatever is asked for; internal-sftp is SFTP; none"},
    {"GatewayPorts", set_forwards, "yes, no, clientspecified (no): remote forwards beyond loopback"},
    {"HostKeyAlgorithms", set_list, "a list"},
    {"KexAlgorithms", set_list, "a list"},
    {"LoginGraceTime", set_grace, "time that a sign-in may take (120; 0: any)"},
    {"MACs", set_list, "a list"},
    {"MaxAuthTries", set_limit, "failures after which the connection ends (6)"},
    {"MaxSessions", set_limit, "sessions open at once in a connection (64)"},
    {"ModuliFile", set_moduli, "safe primes for group exchange, as of moduli(5), or none"},
    {"PubkeyAcceptedAlgorithms", set_list, "a list"},
    {"RekeyLimit", set_rekey_limit, "bytes, and perhaps time, after which keys are exchanged anew: 1G 1h"},
    {"StreamLocalBindUnlink", set_forwards,
     "yes, no (no): a socket in the way of a remote forward is removed"},
    {"X11Forwarding", set_forwards, "yes, no (no): DISPLAY, by xauth(1)"},
};

static void set_keyword(SshdOptions *options, const char *setting)
{
    size_t len = strcspn(setting, "= \t");
    const char *value = setting + len;
    value += strspn(value, " \t");
    value += *value == '=';
    value += strspn(value, " \t");
    for (size_t i = 0; i < LY_COUNT(keywords); i++) {
        if (strlen(keywords[i].key) == len && strncasecmp(keywords[i].key, setting, len) == 0) {
            if (!*value)
                complain("-o %s: a value is missing%s", keywords[i].key, "");
            keywords[i].set(options, keywords[i].key, value);
            return;
        }
    }
    complain("-o %s: this setting is not known%s; see sshd --help", setting, "");
}

/* ---- host keys ---- */

static void add_host_key(SshdOptions *options, const char *path)
{
    LyTransportOptions *transport = &options->server.session.transport;
    LyError error;
    if (transport->host_key_count + 2 > LY_COUNT(options->host_keys))
        complain("-h %s: there are too many host keys%s", path, "");
    LyBuf text = read_file(path);
    LyKey *key = ly_key_read(transport->crypto, ly_buf_bytes(&text), NULL, &error);
    ly_buf_free(&text);
    if (!key)
        complain("-h %s: %s", path, error.message);
    if (!ly_key_is_private(key))
        complain("-h %s: %s", path, "this is a public key; give the private one");
    if (!ly_key_check(key, &error))
        complain("-h %s: %s", path, error.message);
    LY_AUTO_FREE char *certificate_path = ly_format("%s-cert.pub", path);
    if (access(certificate_path, F_OK) == 0) {
        text = read_file(certificate_path);
        LyKey *certificate = ly_key_read_public(transport->crypto, ly_buf_bytes(&text), &error);
        ly_buf_free(&text);
        LyKey *certified = certificate ? ly_key_new_certified(key, ly_key_blob(certificate), &error) : NULL;
        ly_key_unref(certificate);
        if (!certified)
            complain("%s: %s", certificate_path, error.message);
        options->host_keys[transport->host_key_count++] = certified;
    }
    options->host_keys[transport->host_key_count++] = key;
}

/* ---- the command line ---- */

static void print_help(FILE *stream)
{
    fputs(
        "Usage: sshd [-b ADDRESS] [-p PORT] -h HOSTKEY... -k AUTHORIZED_KEYS [-r ROOT] [-o KEY=VALUE]...\n"
        "            [--password-file FILE]\n"
        "A small SSH server in the foreground: commands, shells, SFTP and forwards, as the user who starts "
        "it. Any user\n"
        "name is accepted. It prints \"listening on ADDRESS:PORT\" when it is ready, and ends at SIGTERM or "
        "SIGINT.\n\n",
        stream);
    for (size_t i = 0; i < LY_COUNT(option_table); i++)
        fprintf(stream, "  %-16s %-15s  %s\n", option_table[i].flag, option_table[i].argument,
                option_table[i].help);
    fputs("\nSettings (-o):\n", stream);
    for (size_t i = 0; i < LY_COUNT(keywords); i++)
        fprintf(stream, "  %-27s %s\n", keywords[i].key, keywords[i].help);
}

static void set_defaults(SshdOptions *options)
{
    LyError error;
    LySessionOptions *session = &options->server.session;
    LyCrypto *crypto = ly_crypto_new(LY_CRYPTO_LEGACY, &error);
    if (!crypto)
        complain("%s%s", error.message, "");
    ly_algorithms_init(crypto, &options->algorithms);
    options->address = "127.0.0.1";
    options->port = 22;
    session->transport.crypto = crypto;
    session->transport.algorithms = &options->algorithms;
    session->transport.host_keys = options->host_keys;
    session->transport.handshake_timeout_us = session->auth_timeout_us = 120 * SECOND_US;
    options->server.announce_host_keys = true;
    options->server.log.level = LY_LOG_INFO;
}

void sshd_options_read(SshdOptions *options, int argc, char **argv)
{
    enum { PASSWORD_FILE = 256, HELP };
    static const struct option long_options[] = {
        {"password-file", required_argument, NULL, PASSWORD_FILE}, {"help", no_argument, NULL, HELP}, {0}};
    LyServerOptions *server = &options->server;
    int letter;
    set_defaults(options);
    while ((letter = getopt_long(argc, argv, "b:p:h:k:r:o:v", long_options, NULL)) != -1) {
        switch (letter) {
        case 'b':
            options->address = optarg;
            break;
        case 'p':
            options->port = (uint16_t)read_number("-p", optarg, 65535);
            break;
        case 'h':
            add_host_key(options, optarg);
            break;
        case 'k':
            server->authorized_keys = optarg;
            break;
        case 'r':
            server->root = optarg;
            break;
        case 'o':
            set_keyword(options, optarg);
            break;
        case 'v':
            server->log.level = LY_MIN(server->log.level + 1, LY_LOG_TRACE);
            break;
        case PASSWORD_FILE:
            server->password_file = optarg;
            break;
        case HELP:
            print_help(stdout);
            exit(0);
        default:
            fputs("sshd: see sshd --help\n", stderr);
            exit(1);
        }
    }
    if (optind < argc)
        complain("unexpected argument \"%s\"%s; see sshd --help", argv[optind], "");
    if (!server->session.transport.host_key_count)
        complain("a host key is missing (-h HOSTKEY)%s%s", "; see sshd --help", "");
    if (!server->authorized_keys && !server->password_file)
        complain("nobody could sign in: give -k AUTHORIZED_KEYS or --password-file FILE%s%s", "", "");
}

void sshd_options_clear(SshdOptions *options)
{
    LyTransportOptions *transport = &options->server.session.transport;
    for (size_t i = 0; i < transport->host_key_count; i++)
        ly_key_unref(options->host_keys[i]);
    ly_algorithms_clear(&options->algorithms);
    ly_crypto_unref(transport->crypto);
    ly_buf_free(&options->moduli);
    ly_free(options->banner);
}
