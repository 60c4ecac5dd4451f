/* The command line of the agent itself: ssh-agent's options, and ours. */
#ifndef AGENT_SETTINGS_H
#define AGENT_SETTINGS_H

#include "crypto/hash.h"
#include "options.h"

#define ALLOWED_PROVIDERS "/usr/lib*/*,/usr/local/lib*/*" /* ssh-agent's */

typedef struct Settings {
    bool csh, sh, kill, debug, foreground, temporary, no_policy, help, version;
    bool pageant; /* Windows */
    bool notify, lock_with_screen, lock_on_suspend;
    const char *socket, *hash_name, *lifetime_text, *policy, *provider_timeout_text;
    StringList providers, options, openssh, cygwin;
    /* What these say. */
    LyHash hash;
    uint64_t lifetime_us; /* 0: none */
    uint64_t provider_timeout_us;
    bool restrict_websafe, remote_providers;
    const char **websafe_applications; /* NULL-terminated; NULL: the default */
    const char **provider_patterns;    /* NULL-terminated */
} Settings;

/* The table behind --help: settings-options.c, windows/settings-options.c. */
extern const Option settings_options[];

/* Fills zeroed settings; optind is then the first word of the command to run. 0, or the exit status after a
 * message, with ssh-agent's words for its own options. */
int settings_parse(Settings *settings, const char *name, int argc, char **argv);
void settings_clear(Settings *settings);
/* Prints the usage to stderr; returns 1. */
int settings_usage(const char *name);
/* Appends the text of --help. */
void settings_help(LyBuf *out);

#endif
