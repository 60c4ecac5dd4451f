/* ssh_config(5): text in, the settings for one host out. It does no I/O: whatever Include and Match exec need
 * is asked of a source that the caller gives. As in ssh(1) the first value obtained for a keyword wins, so
 * the order of calls is: command line (ly_config_set), the user's file, the system's file (ly_config_read),
 * ly_config_finish. */
#ifndef LY_SESSION_CONFIG_H
#define LY_SESSION_CONFIG_H

#include "base/log.h"
#include "transport/algorithms.h"

/* Kinds of value. FLAG: yes/no. ASK: yes/no/ask/accept-new/off. TIME: "90", "1h30m", kept in seconds. SIZE:
 * RekeyLimit. NAMES: an algorithm list with + - ^. LIST: may be given several times and collects. NONE: known
 * to ssh(1), means nothing here. */
/* clang-format off */
#define LY_CONFIG_KEYWORDS(X)                                                                             \
    X(ADDRESS_FAMILY, "AddressFamily", STRING) X(BATCH_MODE, "BatchMode", FLAG)                           \
    X(BIND_ADDRESS, "BindAddress", STRING)                                                                \
    X(CA_SIGNATURE_ALGORITHMS, "CASignatureAlgorithms", NAMES)                                            \
    X(CERTIFICATE_FILE, "CertificateFile", LIST) X(CIPHERS, "Ciphers", NAMES)                             \
    X(COMPRESSION, "Compression", FLAG) X(CONNECTION_ATTEMPTS, "ConnectionAttempts", NUMBER)              \
    X(CONNECT_TIMEOUT, "ConnectTimeout", TIME) X(FORWARD_AGENT, "ForwardAgent", STRING)                   \
    X(GLOBAL_KNOWN_HOSTS_FILE, "GlobalKnownHostsFile", WORDS)                                             \
    X(HASH_KNOWN_HOSTS, "HashKnownHosts", FLAG)                                                           \
    X(HOSTBASED_AUTHENTICATION, "HostbasedAuthentication", FLAG)                                          \
    X(HOST_KEY_ALGORITHMS, "HostKeyAlgorithms", NAMES) X(HOST_KEY_ALIAS, "HostKeyAlias", STRING)          \
    X(HOST_NAME, "HostName", STRING) X(IDENTITIES_ONLY, "IdentitiesOnly", FLAG)                           \
    X(IDENTITY_AGENT, "IdentityAgent", STRING) X(IDENTITY_FILE, "IdentityFile", LIST)                     \
    X(IPQOS, "IPQoS", WORDS) X(KBD_INTERACTIVE_AUTHENTICATION, "KbdInteractiveAuthentication", FLAG)      \
    X(KEX_ALGORITHMS, "KexAlgorithms", NAMES) X(LOG_LEVEL, "LogLevel", STRING)                            \
    X(MACS, "MACs", NAMES) X(NUMBER_OF_PASSWORD_PROMPTS, "NumberOfPasswordPrompts", NUMBER)               \
    X(PASSWORD_AUTHENTICATION, "PasswordAuthentication", FLAG) X(PORT, "Port", NUMBER)                    \
    X(PREFERRED_AUTHENTICATIONS, "PreferredAuthentications", STRING)                                      \
    X(PROXY_COMMAND, "ProxyCommand", REST) X(PROXY_JUMP, "ProxyJump", STRING)                             \
    X(PUBKEY_ACCEPTED_ALGORITHMS, "PubkeyAcceptedAlgorithms", NAMES)                                      \
    X(PUBKEY_AUTHENTICATION, "PubkeyAuthentication", STRING) X(REKEY_LIMIT, "RekeyLimit", SIZE)           \
    X(REQUIRED_RSA_SIZE, "RequiredRSASize", NUMBER) X(REVOKED_HOST_KEYS, "RevokedHostKeys", WORDS)        \
    X(SERVER_ALIVE_COUNT_MAX, "ServerAliveCountMax", NUMBER)                                              \
    X(SERVER_ALIVE_INTERVAL, "ServerAliveInterval", TIME)                                                 \
    X(STRICT_HOST_KEY_CHECKING, "StrictHostKeyChecking", ASK) X(USER, "User", STRING)                     \
    X(USER_KNOWN_HOSTS_FILE, "UserKnownHostsFile", WORDS)
/* clang-format on */

#define LY_CONFIG_ROW(name, text, kind) LY_CONFIG_##name,
typedef enum LyConfigKeyword { LY_CONFIG_KEYWORDS(LY_CONFIG_ROW) LY_CONFIG_COUNT } LyConfigKeyword;
#undef LY_CONFIG_ROW

typedef struct LyConfig LyConfig;

/* What the caller does for the parser. */
typedef struct LyConfigSource {
    /* Include: calls ly_config_read for each file that matches `pattern` (absolute, ~ and variables
     * expanded), in lexical order. */
    void (*include)(void *user, LyConfig *config, const char *pattern);
    /* Match exec: runs the command by the user's shell; true when it exits 0. */
    bool (*exec)(void *user, const char *command);
    void *user;
} LyConfigSource;

typedef struct LyConfigOptions {                         /* copied */
    const char *host;                                    /* as the user wrote it */
    const char *local_user;                              /* %u */
    const char *local_host;                              /* %l, %L before the first dot */
    const char *home;                                    /* ~ and %d */
    uint32_t uid;                                        /* %i */
    const char *(*getenv)(void *user, const char *name); /* for ${VAR}; NULL: no variables */
    LyCrypto *crypto;                                    /* for %C; borrowed; NULL: %C cannot be expanded */
    LyConfigSource source;
    LyLog log;
} LyConfigOptions;

LyConfig *ly_config_new(const LyConfigOptions *options);
void ly_config_free(LyConfig *config);

/* One setting, as of `-o name=value`; LY_ERROR_INVALID for a bad value, LY_ERROR_UNSUPPORTED for an unknown
 * name. */
bool ly_config_set(LyConfig *config, LyBytes name, LyBytes value, LyError *error);
/* The keyword of a name, in any case, aliases too (ChallengeResponseAuthentication, PubkeyAcceptedKeyTypes);
 * LY_CONFIG_COUNT when it is one that ssh(1) knows and that means nothing here; -1 when it is none. */
int ly_config_keyword(LyBytes name);
/* A file's text; `user_file`: relative Includes are under ~/.ssh, else under /etc/ssh. LY_ERROR_INVALID names
 * file and line. */
bool ly_config_read(LyConfig *config, const char *file, LyBytes text, bool user_file, LyError *error);
/* True when a `Match final` was seen: read the files once more (after ly_config_begin_final). */
bool ly_config_wants_final(const LyConfig *config);
void ly_config_begin_final(LyConfig *config);
/* Fills in what was not set and expands % tokens, ~ and ${VAR} in the values that have them. */
bool ly_config_finish(LyConfig *config, LyError *error);

/* The value, or NULL when it was not given (after finish: HostName, User, Port and the defaults below are
 * there). */
const char *ly_config_string(const LyConfig *config, LyConfigKeyword keyword);
/* LIST and WORDS: the i-th value; NULL past the end. */
const char *ly_config_item(const LyConfig *config, LyConfigKeyword keyword, size_t i);
bool ly_config_flag(const LyConfig *config, LyConfigKeyword keyword, bool otherwise);
/* NUMBER, TIME (seconds). */
uint64_t ly_config_number(const LyConfig *config, LyConfigKeyword keyword, uint64_t otherwise);
/* RekeyLimit: bytes and seconds, 0 where not given. */
void ly_config_rekey_limit(const LyConfig *config, uint64_t *bytes, uint64_t *seconds);
/* Applies Ciphers, MACs, KexAlgorithms, HostKeyAlgorithms, PubkeyAcceptedAlgorithms and Compression. */
bool ly_config_algorithms(const LyConfig *config, const LyCrypto *crypto, LyAlgorithms *algorithms,
                          LyError *error);
/* % tokens of a value by ssh_config(5)'s TOKENS: %% %C %d %h %i %k %L %l %n %p %r %u %j; `extra`: pairs of a
 * letter and a text, ended by a NULL text. LY_ERROR_INVALID for an unknown token. ~ and ${VAR} too when
 * `files`. `crypto` is for %C; NULL: that of the options. */
bool ly_config_expand(const LyConfig *config, LyCrypto *crypto, const char *value, bool files, LyBuf *out,
                      LyError *error);

#endif
