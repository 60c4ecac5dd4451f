/* ssh_config(5)'s TOKENS, ~ and ${VAR}. */
#include <stdio.h>

#include "base/auto.h"
#include "base/hex.h"
#include "config-private.h"
#include "crypto/hash.h"

/* %C: the SHA-1 of %l%h%p%r%j in hexadecimal. */
static bool add_connection_hash(const LyConfig *config, LyCrypto *crypto, LyBuf *out, LyError *error)
{
    uint8_t digest[LY_HASH_MAX];
    LyBytes parts[] = {ly_bytes_str(config->options.local_host),
                       ly_bytes_str(ly_config_string(config, LY_CONFIG_HOST_NAME)),
                       ly_bytes_str(ly_config_string(config, LY_CONFIG_PORT)),
                       ly_bytes_str(ly_config_string(config, LY_CONFIG_USER)),
                       ly_bytes_str(ly_config_string(config, LY_CONFIG_PROXY_JUMP))};
    crypto = crypto ? crypto : config->options.crypto;
    if (!crypto || !ly_hash(crypto, LY_SHA1, parts, LY_COUNT(parts), digest))
        return ly_error_set(error, LY_ERROR_UNSUPPORTED, "%%C cannot be expanded here");
    ly_put_hex(ly_bytes(digest, ly_hash_len(LY_SHA1)), out);
    return true;
}

static bool add_token(const LyConfig *config, LyCrypto *crypto, char token, LyBuf *out, LyError *error)
{
    const LyConfigOptions *options = &config->options;
    const char *host_name = ly_config_string(config, LY_CONFIG_HOST_NAME);
    const char *user = ly_config_string(config, LY_CONFIG_USER);
    const char *alias = ly_config_string(config, LY_CONFIG_HOST_KEY_ALIAS);
    const char *port = ly_config_string(config, LY_CONFIG_PORT);
    LyBytes head, rest;
    switch (token) {
    case '%':
        ly_buf_add_str(out, "%");
        return true;
    case 'C':
        return add_connection_hash(config, crypto, out, error);
    case 'd':
        ly_buf_add_str(out, options->home);
        return true;
    case 'h':
        ly_buf_add_str(out, host_name ? host_name : options->host);
        return true;
    case 'i':
        ly_buf_add_format(out, "%u", options->uid);
        return true;
    case 'j':
        ly_buf_add_str(out, ly_config_string(config, LY_CONFIG_PROXY_JUMP));
        return true;
    case 'k':
        ly_buf_add_str(out, alias ? alias : options->host);
        return true;
    case 'L':
        ly_bytes_split(ly_bytes_str(options->local_host), '.', &head, &rest);
        ly_buf_add(out, head);
        return true;
    case 'l':
        ly_buf_add_str(out, options->local_host);
        return true;
    case 'n':
        ly_buf_add_str(out, options->host);
        return true;
    case 'p':
        ly_buf_add_str(out, port ? port : "22");
        return true;
    case 'r':
        ly_buf_add_str(out, user ? user : options->local_user);
        return true;
    case 'u':
        ly_buf_add_str(out, options->local_user);
        return true;
    default:
        return ly_error_set(error, LY_ERROR_INVALID,
                            "the token %%%c is unknown; write %%%% for a percent sign", token);
    }
}

bool ly_config_expand(const LyConfig *config, LyCrypto *crypto, const char *value, bool files, LyBuf *out,
                      LyError *error)
{
    const char *p = value;
    if (files && p[0] == '~' && (p[1] == '/' || p[1] == 0)) {
        ly_buf_add_str(out, config->options.home);
        p++;
    }
    for (; *p; p++) {
        if (*p == '%') {
            if (p[1] == 0)
                return ly_error_set(error, LY_ERROR_INVALID, "\"%s\" ends in a single %%", value);
            if (!add_token(config, crypto, *++p, out, error))
                return false;
        } else if (files && p[0] == '$' && p[1] == '{') {
            const char *end = strchr(p, '}');
            if (!end)
                return ly_error_set(error, LY_ERROR_INVALID, "\"%s\" has a ${ without }", value);
            LY_AUTO_FREE char *name = ly_bytes_dup_str(ly_bytes(p + 2, (size_t)(end - p - 2)));
            const char *variable =
                config->options.getenv ? config->options.getenv(config->options.source.user, name) : NULL;
            if (!variable)
                return ly_error_set(error, LY_ERROR_INVALID, "the variable ${%s} in \"%s\" is not set", name,
                                    value);
            ly_buf_add_str(out, variable);
            p = end;
        } else {
            ly_buf_add(out, ly_bytes(p, 1));
        }
    }
    return true;
}

/* Values that are files take ~ and ${VAR} as well as tokens. ProxyCommand is expanded when it is run. */
static const struct {
    LyConfigKeyword keyword;
    bool files;
} expanded[] = {
    {LY_CONFIG_IDENTITY_FILE, true},           {LY_CONFIG_CERTIFICATE_FILE, true},
    {LY_CONFIG_IDENTITY_AGENT, true},          {LY_CONFIG_USER_KNOWN_HOSTS_FILE, true},
    {LY_CONFIG_GLOBAL_KNOWN_HOSTS_FILE, true}, {LY_CONFIG_REVOKED_HOST_KEYS, true},
};

static void set_default(LyConfig *config, LyConfigKeyword keyword, const char *value)
{
    if (config->value[keyword].count == 0 && value)
        ly_config_values_add(&config->value[keyword], ly_bytes_str(value));
}

static bool expand_host_name(LyConfig *config, LyError *error)
{
    LyConfigValues *name = &config->value[LY_CONFIG_HOST_NAME];
    LyBuf out = {0};
    if (name->count) {
        for (const char *p = name->item[0]; *p; p++) {
            if (p[0] == '%' && p[1] && p[1] != 'h' && p[1] != '%') {
                ly_buf_free(&out);
                return ly_error_set(error, LY_ERROR_INVALID, "HostName knows %%h and %%%% only, not %%%c",
                                    p[1]);
            }
            if (p[0] == '%' && p[1])
                ly_buf_add_str(&out, *++p == 'h' ? config->options.host : "%");
            else
                ly_buf_add(&out, ly_bytes(p, 1));
        }
    } else {
        ly_buf_add_str(&out, config->options.host);
    }
    ly_config_values_clear(name);
    ly_config_values_add(name, ly_buf_bytes(&out));
    ly_buf_free(&out);
    return true;
}

bool ly_config_finish(LyConfig *config, LyError *error)
{
    set_default(config, LY_CONFIG_USER, config->options.local_user);
    set_default(config, LY_CONFIG_PORT, "22");
    if (!expand_host_name(config, error))
        return false;
    for (size_t i = 0; i < LY_COUNT(expanded); i++) {
        LyConfigValues *values = &config->value[expanded[i].keyword];
        for (size_t k = 0; k < values->count; k++) {
            LyBuf out = {0};
            const char *value = values->item[k];
            /* IdentityAgent $VAR and SSH_AUTH_SOCK are names, not paths */
            bool ok = value[0] == '$' && value[1] != '{'
                          ? (ly_buf_add_str(&out, value), true)
                          : ly_config_expand(config, NULL, value, expanded[i].files, &out, error);
            if (ok) {
                ly_free(values->item[k]);
                values->item[k] = ly_bytes_dup_str(ly_buf_bytes(&out));
            }
            ly_buf_free(&out);
            if (!ok)
                return false;
        }
    }
    return true;
}
