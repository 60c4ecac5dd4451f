#include "session/config.h"

#include <stdlib.h>

#include "base/auto.h"
#include "config-private.h"

typedef enum Kind { STRING, FLAG, ASK, NUMBER, TIME, SIZE, NAMES, LIST, WORDS, REST } Kind;

static const struct {
    const char *name;
    Kind kind;
} keywords[LY_CONFIG_COUNT] = {
#define LY_CONFIG_ROW(name, text, kind) {text, kind},
    LY_CONFIG_KEYWORDS(LY_CONFIG_ROW)
#undef LY_CONFIG_ROW
};

/* Old spellings. */
static const struct {
    const char *name;
    LyConfigKeyword keyword;
} aliases[] = {
    {"ChallengeResponseAuthentication", LY_CONFIG_KBD_INTERACTIVE_AUTHENTICATION},
    {"SkeyAuthentication", LY_CONFIG_KBD_INTERACTIVE_AUTHENTICATION},
    {"PubkeyAcceptedKeyTypes", LY_CONFIG_PUBKEY_ACCEPTED_ALGORITHMS},
    {"DSAAuthentication", LY_CONFIG_PUBKEY_AUTHENTICATION},
    {"IdentityFile2", LY_CONFIG_IDENTITY_FILE},
    {"UserKnownHostsFile2", LY_CONFIG_USER_KNOWN_HOSTS_FILE},
};

/* Known to ssh(1); a session that only carries SFTP has no use for them. */
static const char *const meaningless[] = {
    "AddKeysToAgent",
    "AfsTokenPassing",
    "BindInterface",
    "CanonicalDomains",
    "CanonicalizeFallbackLocal",
    "CanonicalizeHostname",
    "CanonicalizeMaxDots",
    "CanonicalizePermittedCNAMEs",
    "ChannelTimeout",
    "CheckHostIP",
    "Cipher",
    "ClearAllForwardings",
    "CompressionLevel",
    "ControlMaster",
    "ControlPath",
    "ControlPersist",
    "DynamicForward",
    "EnableEscapeCommandline",
    "EnableSSHKeysign",
    "EscapeChar",
    "ExitOnForwardFailure",
    "FallBackToRsh",
    "FingerprintHash",
    "ForkAfterAuthentication",
    "ForwardX11",
    "ForwardX11Timeout",
    "ForwardX11Trusted",
    "GatewayPorts",
    "GSSAPIAuthentication",
    "GSSAPIClientIdentity",
    "GSSAPIDelegateCredentials",
    "GSSAPIKeyExchange",
    "GSSAPIKexAlgorithms",
    "GSSAPIRenewalForcesRekey",
    "GSSAPIServerIdentity",
    "GSSAPITrustDns",
    "HostbasedAcceptedAlgorithms",
    "HostbasedKeyTypes",
    "IgnoreUnknown",
    "KbdInteractiveDevices",
    "KeepAlive",
    "KerberosAuthentication",
    "KerberosTGTPassing",
    "KnownHostsCommand",
    "LocalCommand",
    "LocalForward",
    "LogVerbose",
    "NoHostAuthenticationForLocalhost",
    "ObscureKeystrokeTiming",
    "PermitLocalCommand",
    "PermitRemoteOpen",
    "PKCS11Provider",
    "Protocol",
    "ProxyUseFdpass",
    "RefuseConnection",
    "RemoteCommand",
    "RemoteForward",
    "RequestTTY",
    "RhostsAuthentication",
    "RhostsRSAAuthentication",
    "RSAAuthentication",
    "SecurityKeyProvider",
    "SendEnv",
    "SessionType",
    "SetEnv",
    "SmartcardDevice",
    "StdinNull",
    "StreamLocalBindMask",
    "StreamLocalBindUnlink",
    "SyslogFacility",
    "Tag",
    "TCPKeepAlive",
    "TISAuthentication",
    "Tunnel",
    "TunnelDevice",
    "UpdateHostKeys",
    "UsePrivilegedPort",
    "UseRoaming",
    "UseRsh",
    "VerifyHostKeyDNS",
    "VersionAddendum",
    "VisualHostKey",
    "WarnWeakCrypto",
    "XAuthLocation",
};

static bool equal_fold(LyBytes text, const char *name)
{
    return text.len == strlen(name) && strncasecmp((const char *)text.data, name, text.len) == 0;
}

int ly_config_keyword(LyBytes name)
{
    for (int i = 0; i < LY_CONFIG_COUNT; i++)
        if (equal_fold(name, keywords[i].name))
            return i;
    for (size_t i = 0; i < LY_COUNT(aliases); i++)
        if (equal_fold(name, aliases[i].name))
            return (int)aliases[i].keyword;
    for (size_t i = 0; i < LY_COUNT(meaningless); i++)
        if (equal_fold(name, meaningless[i]))
            return LY_CONFIG_COUNT;
    return -1;
}

const char *ly_config_keyword_name(LyConfigKeyword keyword)
{
    return keywords[keyword].name;
}

LyConfig *ly_config_new(const LyConfigOptions *options)
{
    LyConfig *config = ly_new(LyConfig);
    config->options = *options;
    config->options.host = ly_strdup(options->host);
    config->options.local_user = ly_strdup(options->local_user);
    config->options.local_host = ly_strdup(options->local_host);
    config->options.home = ly_strdup(options->home);
    return config;
}

void ly_config_values_clear(LyConfigValues *values)
{
    for (size_t i = 0; i < values->count; i++)
        ly_free(values->item[i]);
    ly_free(values->item);
    *values = (LyConfigValues){0};
}

void ly_config_values_add(LyConfigValues *values, LyBytes value)
{
    values->item = ly_realloc(values->item, (values->count + 1) * sizeof *values->item);
    values->item[values->count++] = ly_bytes_dup_str(value);
}

void ly_config_free(LyConfig *config)
{
    if (!config)
        return;
    for (size_t i = 0; i < LY_CONFIG_COUNT; i++)
        ly_config_values_clear(&config->value[i]);
    ly_free((char *)config->options.host);
    ly_free((char *)config->options.local_user);
    ly_free((char *)config->options.local_host);
    ly_free((char *)config->options.home);
    ly_free(config);
}

/* "90", "10m", "1h30m", "2d", "1w" in seconds; "none" is 0. */
static bool read_time(LyBytes text, uint64_t *seconds)
{
    static const struct {
        char unit;
        uint64_t seconds;
    } units[] = {{'s', 1}, {'m', 60}, {'h', 3600}, {'d', 86400}, {'w', 604800}};
    uint64_t total = 0, number = 0;
    bool digits = false;
    if (equal_fold(text, "none")) {
        *seconds = 0;
        return true;
    }
    for (size_t i = 0; i < text.len; i++) {
        char c = (char)(text.data[i] | 0x20);
        if (text.data[i] >= '0' && text.data[i] <= '9') {
            number = number * 10 + (text.data[i] - '0');
            digits = true;
            if (number > UINT32_MAX)
                return false;
            continue;
        }
        size_t unit = 0;
        while (unit < LY_COUNT(units) && units[unit].unit != c)
            unit++;
        if (!digits || unit == LY_COUNT(units))
            return false;
        total += number * units[unit].seconds;
        number = 0;
        digits = false;
    }
    *seconds = total + number;
    return text.len > 0 && *seconds <= UINT32_MAX;
}

/* "1G 1h", "default none", "512K". */
static bool read_size(LyBytes text, uint64_t *bytes, uint64_t *seconds)
{
    LyBytes size, time;
    bool two = ly_bytes_split(text, ' ', &size, &time);
    *bytes = *seconds = 0;
    if (!equal_fold(size, "default") && !equal_fold(size, "none")) {
        unsigned shift = 0;
        char last = size.len ? (char)(size.data[size.len - 1] | 0x20) : 0;
        shift = last == 'k' ? 10 : last == 'm' ? 20 : last == 'g' ? 30 : 0;
        if (shift)
            size.len--;
        if (!ly_bytes_number(size, UINT64_MAX >> 31, bytes))
            return false;
        *bytes <<= shift;
        if (*bytes < 16)
            return false;
    }
    return !two || read_time(ly_bytes_trim(time), seconds);
}

/* The values each kind admits, apart from what needs a look at the crypto library (algorithm names). */
static bool valid(Kind kind, LyBytes value)
{
    static const char *const answers[] = {"yes", "no", "true", "false", "ask", "accept-new", "off"};
    uint64_t number, seconds;
    switch (kind) {
    case FLAG:
    case ASK:
        for (size_t i = 0; i < (kind == FLAG ? 4 : LY_COUNT(answers)); i++)
            if (equal_fold(value, answers[i]))
                return true;
        return false;
    case NUMBER:
        return ly_bytes_number(value, INT32_MAX, &number);
    case TIME:
        return read_time(value, &number);
    case SIZE:
        return read_size(value, &number, &seconds);
    default:
        return value.len > 0;
    }
}

bool ly_config_store(LyConfig *config, LyConfigKeyword keyword, const LyConfigValues *words, LyBytes rest,
                     LyError *error)
{
    Kind kind = keywords[keyword].kind;
    bool whole_line = kind == REST;
    LyBytes first = whole_line ? rest : words->count ? ly_bytes_str(words->item[0]) : (LyBytes){0};
    LY_AUTO_FREE char *size = NULL;
    if (kind == SIZE && words->count == 2) {
        size = ly_format("%s %s", words->item[0], words->item[1]);
        first = ly_bytes_str(size);
    }
    if (!valid(kind, first))
        return first.len == 0
                   ? ly_error_set(error, LY_ERROR_INVALID, "%s needs a value", keywords[keyword].name)
                   : ly_error_set(error, LY_ERROR_INVALID, "%s cannot be \"%s\"", keywords[keyword].name,
                                  LY_PRINTABLE(first));
    if (!whole_line && kind != WORDS && words->count > (kind == SIZE ? 2u : 1u))
        return ly_error_set(error, LY_ERROR_INVALID, "%s takes one value; quote it if it has blanks",
                            keywords[keyword].name);
    LyConfigValues *values = &config->value[keyword];
    if (kind == LIST) {
        for (size_t i = 0; i < values->count; i++)
            if (ly_bytes_is(first, values->item[i]))
                return true;
        if (values->count < LY_CONFIG_LIST_MAX)
            ly_config_values_add(values, first);
        return true;
    }
    if (values->count)
        return true; /* the first value obtained wins */
    /* Whichever of the two comes first keeps the other out. */
    if ((keyword == LY_CONFIG_PROXY_JUMP && config->value[LY_CONFIG_PROXY_COMMAND].count) ||
        (keyword == LY_CONFIG_PROXY_COMMAND && config->value[LY_CONFIG_PROXY_JUMP].count))
        return true;
    if (kind == WORDS)
        for (size_t i = 0; i < words->count; i++)
            ly_config_values_add(values, ly_bytes_str(words->item[i]));
    else
        ly_config_values_add(values, first);
    return true;
}

bool ly_config_set(LyConfig *config, LyBytes name, LyBytes value, LyError *error)
{
    int keyword = ly_config_keyword(name);
    if (keyword < 0)
        return ly_error_set(error, LY_ERROR_UNSUPPORTED, "unknown option \"%s\"", LY_PRINTABLE(name));
    if (keyword == LY_CONFIG_COUNT)
        return true;
    LyConfigValues words = {0};
    bool ok = ly_config_words(value, &words, error) &&
              ly_config_store(config, (LyConfigKeyword)keyword, &words, ly_bytes_trim(value), error);
    ly_config_values_clear(&words);
    return ok;
}

const char *ly_config_item(const LyConfig *config, LyConfigKeyword keyword, size_t i)
{
    return i < config->value[keyword].count ? config->value[keyword].item[i] : NULL;
}

const char *ly_config_string(const LyConfig *config, LyConfigKeyword keyword)
{
    return ly_config_item(config, keyword, 0);
}

bool ly_config_flag(const LyConfig *config, LyConfigKeyword keyword, bool otherwise)
{
    LyBytes value = ly_bytes_str(ly_config_string(config, keyword));
    return value.len == 0 ? otherwise : equal_fold(value, "yes") || equal_fold(value, "true");
}

uint64_t ly_config_number(const LyConfig *config, LyConfigKeyword keyword, uint64_t otherwise)
{
    LyBytes value = ly_bytes_str(ly_config_string(config, keyword));
    uint64_t number;
    bool is_time = keywords[keyword].kind == TIME;
    return value.len && (is_time ? read_time(value, &number) : ly_bytes_number(value, INT32_MAX, &number))
               ? number
               : otherwise;
}

void ly_config_rekey_limit(const LyConfig *config, uint64_t *bytes, uint64_t *seconds)
{
    *bytes = *seconds = 0;
    LyBytes value = ly_bytes_str(ly_config_string(config, LY_CONFIG_REKEY_LIMIT));
    if (value.len)
        read_size(value, bytes, seconds);
}
