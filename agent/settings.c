#include "settings.h"

#include <getopt.h>
#include <string.h>
#include <strings.h>

#include "base/memory.h"
#include "base/names.h"
#include "lifetime.h"

#define PROVIDER_TIMEOUT_US ((uint64_t)60 * 1000000)

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
