/* The agent's command line on Windows. */
#include "settings.h"

#define SETTING(field) offsetof(Settings, field)

const Option settings_options[] = {
    {"openssh", 0, "PIPE", OPTION_LIST, SETTING(openssh), 0,
     "serve \\\\.\\pipe\\PIPE; without this and the next two, openssh-ssh-agent, where Windows' ssh looks"},
    {"pageant", 0, NULL, OPTION_FLAG, SETTING(pageant), 0,
     "serve Pageant's window and named pipe: PuTTY, WinSCP, FileZilla"},
    {"cygwin", 0, "FILE", OPTION_LIST, SETTING(cygwin), 0,
     "serve Cygwin's and MSYS2's programs by a socket file FILE"},
    {"lifetime", 't', "LIFE", OPTION_STRING, SETTING(lifetime_text), 0,
     "how long keys are kept that are added without a lifetime: 3600, 8h, 1h30m"},
    {"fingerprint-hash", 'E', "HASH", OPTION_STRING, SETTING(hash_name), 0,
     "fingerprints in questions: sha256 (the default) or md5"},
    {"option", 'O', "OPTION", OPTION_LIST, SETTING(options), 0,
     "no-restrict-websafe or websafe-allow=PATTERNS"},
    {"policy", 0, "FILE", OPTION_STRING, SETTING(policy), 0,
     "rules for each key (.config\\lanyard\\agent.ini of the user's folder, if it is there)"},
    {"no-policy", 0, NULL, OPTION_FLAG, SETTING(no_policy), 0, "read no rules"},
    {"debug", 'd', NULL, OPTION_FLAG, SETTING(debug), 0, "log all requests to stderr"},
    {"help", 0, NULL, OPTION_FLAG, SETTING(help), 0, "print this text"},
    {"version", 'V', NULL, OPTION_FLAG, SETTING(version), 0, "print the version"},
    {NULL},
};

int settings_usage(const char *name)
{
    fprintf(stderr, "%s --help lists the options and subcommands.\n", name);
    return 2;
}
