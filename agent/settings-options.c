/* The agent's command line on POSIX systems: ssh-agent's, and more. */
#include <string.h>

#include "settings.h"

#define SETTING(field) offsetof(Settings, field)

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
