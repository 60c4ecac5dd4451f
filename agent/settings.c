#include "settings.h"

#include <getopt.h>
#include <string.h>
#include <strings.h>

#include "base/memory.h"
#include "base/names.h"
#include "lifetime.h"

#define SETTING(field) offsetof(Settings, field)
#define ALLOWED_PROVIDERS "/usr/lib*/*,/usr/local/lib*/*" /* ssh-agent's */
#define PROVIDER_TIMEOUT_US ((uint64_t)60 * 1000000)

const Option settings_options[] = {
    {"socket", 'a', "PATH", OPTION_STRING, SETTING(socket), 0,
     "listen at PATH; a dead socket there is replaced, a live one is an error"},
    {"csh", 'c', NULL, OPTION_FLAG, SETTING(csh), 0, "print lines for csh (the default if SHELL is one)"},
    {"sh", 's', NULL, OPTION_FLAG, SETTING(sh), 0, "print lines for sh"},
    {"kill", 'k', NULL, OPTION_FLAG, SETTING(kill), 0, "end the agent that SSH_AGENT_PID names"},
    {"foreground", 'D', NULL, OPTION_FLAG, SETTING(foreground), 0, "stay in the foreground"},
    {"debug", 'd', NULL, OPTION_FLAG, SETTING(debug), 0, "the same, and log all requests to stderr"},
    {"lifetime", 't', "LIFE", OPTION_STRING, SETTING(lifetime_text), 0,
     "how long keys are kept that are added without a lifetime: 3600, 8h, 1h30m"},
    {"fingerprint-hash", 'E', "HASH", OPTION_STRING, SETTING(hash_name), 0,
     "fingerprints in questions: sha256 (the default) or md5"},
    {"providers", 'P', "PATTERNS", OPTION_LIST, SETTING(providers), 0,
     "PKCS#11 modules and security key libraries that may be loaded, a list of patterns "
     "(" ALLOWED_PROVIDERS ")"},
    {"provider-timeout", 0, "TIME", OPTION_STRING, SETTING(provider_timeout_text), 0,
     "how long one of these may take for each thing that it is asked (60s)"},
    {"option", 'O', "OPTION", OPTION_LIST, SETTING(options), 0,
     "no-restrict-websafe, websafe-allow=PATTERNS or allow-remote-pkcs11"},
    {"temporary", 'T', NULL, OPTION_FLAG, SETTING(temporary), 0,
     "put the socket into a new directory in TMPDIR"},
    {"openssh", 0, "PATH", OPTION_LIST, SETTING(openssh), 0,
     "listen at this Unix socket too; without -a, the first is SSH_AUTH_SOCK"},
    {"cygwin", 0, "PATH", OPTION_LIST, SETTING(cygwin), 0,
     "serve Cygwin's programs by a socket file at PATH"},
    {"policy", 0, "FILE", OPTION_STRING, SETTING(policy), 0,
     "rules for each key (~/.config/lanyard/agent.ini, if it is there)"},
    {"no-policy", 0, NULL, OPTION_FLAG, SETTING(no_policy), 0, "read no rules"},
    {"notify", 0, NULL, OPTION_FLAG, SETTING(notify), 0, "show a notification when a key is used"},
    {"lock-with-screen", 0, NULL, OPTION_FLAG, SETTING(lock_with_screen), 0,
     "sign nothing while the session is locked"},
    {"lock-on-suspend", 0, NULL, OPTION_FLAG, SETTING(lock_on_suspend), 0,
     "sign nothing from suspend on until the session is unlocked"},
    {"help", 0, NULL, OPTION_FLAG, SETTING(help), 0, "print this text"},
    {"version", 'V', NULL, OPTION_FLAG, SETTING(version), 0, "print the version"},
    {NULL},
};

int settings_usage(const char *name)
{
    fprintf(stderr,
            "usage: %s [-c | -s] [-DdT] [-a bind_address] [-E fingerprint_hash]\n"
            "       %*s [-O option] [-P allowed_providers] [-t life]\n"
            "       %s [-T] [-a bind_address] [-E fingerprint_hash] [-O option]\n"
            "       %*s [-P allowed_providers] [-t life] command [arg ...]\n"
            "       %s [-c | -s] -k\n",
            name, (int)strlen(name), "", name, (int)strlen(name), "", name);
    return 1;
}

void settings_help(LyBuf *out)
{
    commands_help(out);
    options_help("Options of the agent:", settings_options, out);
}

/* A list of patterns as the engine wants it: each a string of its own. */
static const char **split(const char *list)
{
    LyBytes rest = ly_bytes_str(list), name;
    const char **items = NULL;
    size_t count = 0;
    while (ly_names_next(&rest, &name)) {
        items = ly_realloc(items, (count + 2) * sizeof *items);
        items[count++] = ly_bytes_dup_str(name);
        items[count] = NULL;
    }
    return items;
}

static void split_free(const char **items)
{
    for (size_t i = 0; items && items[i]; i++)
        ly_free((void *)(uintptr_t)items[i]);
    ly_free(items);
}

static bool find_hash(const char *name, LyHash *hash)
{
    for (int i = 0; i < LY_HASH_COUNT; i++)
        if (strcasecmp(name, ly_hash_name((LyHash)i)) == 0) {
            *hash = (LyHash)i;
            return true;
        }
    return false;
}

/* ssh-agent's words and statuses. */
static int read_values(Settings *settings, const char *name)
{
    settings->hash = LY_SHA256;
    settings->restrict_websafe = true;
    if (settings->hash_name && !find_hash(settings->hash_name, &settings->hash)) {
        fprintf(stderr, "Invalid hash algorithm \"%s\"\n", LY_PRINTABLE(ly_bytes_str(settings->hash_name)));
        return 255;
    }
    for (size_t i = 0; i < settings->options.count; i++) {
        const char *option = settings->options.items[i];
        if (strcmp(option, "no-restrict-websafe") == 0) {
            settings->restrict_websafe = false;
        } else if (strcmp(option, "allow-remote-pkcs11") == 0) {
            settings->remote_providers = true;
        } else if (strncmp(option, "websafe-allow=", 14) == 0 && option[14] &&
                   !settings->websafe_applications) {
            settings->websafe_applications = split(option + 14);
        } else {
            fprintf(stderr, "Unknown -O option\n");
            return 255;
        }
    }
    if (settings->providers.count > 1) {
        fprintf(stderr, "-P option already specified\n");
        return 255;
    }
    settings->provider_patterns =
        split(settings->providers.count ? settings->providers.items[0] : ALLOWED_PROVIDERS);
    settings->provider_timeout_us = PROVIDER_TIMEOUT_US;
    if (settings->provider_timeout_text &&
        (!lifetime_read(settings->provider_timeout_text, &settings->provider_timeout_us) ||
         settings->provider_timeout_us == 0)) {
        fprintf(stderr, "Invalid provider timeout\n");
        return settings_usage(name);
    }
    if (settings->lifetime_text && !lifetime_read(settings->lifetime_text, &settings->lifetime_us)) {
        fprintf(stderr, "Invalid lifetime\n");
        return settings_usage(name);
    }
    return 0;
}

int settings_parse(Settings *settings, const char *name, int argc, char **argv)
{
    LyError error;
    if (!options_parse(settings_options, settings, argc, argv, &error)) {
        fprintf(stderr, "%s: %s\n", name, error.message);
        return settings_usage(name);
    }
    bool words = optind < argc;
    if ((settings->csh && settings->sh) || (settings->debug && settings->foreground) ||
        (words &&
         (settings->csh || settings->sh || settings->kill || settings->debug || settings->foreground)))
        return settings_usage(name);
    return read_values(settings, name);
}

void settings_clear(Settings *settings)
{
    options_clear(settings_options, settings);
    split_free(settings->websafe_applications);
    split_free(settings->provider_patterns);
}
