#include "run.h"

#include <errno.h>
#include <fcntl.h>
#include <io.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "base/secret.h"
#include "engine.h"
#include "policy.h"

#define OPENSSH_PIPE "openssh-ssh-agent"

const char *run_begin(const char *path)
{
    _fmode = _O_BINARY;
    _setmode(_fileno(stdin), _O_BINARY);
    _setmode(_fileno(stdout), _O_BINARY);
    SetErrorMode(SEM_FAILCRITICALERRORS | SEM_NOGPFAULTERRORBOX); /* no report with this memory in it */
    return "lanyard-agent";
}

static bool read_policy(const Settings *settings, Policy *policy, LyError *error)
{
    if (settings->no_policy)
        return true;
    LY_AUTO_FREE char *path = settings->policy ? ly_strdup(settings->policy) : policy_default_path();
    return policy_read(path, !settings->policy, policy, error);
}

typedef struct Run {
    const Settings *settings;
    Journal *journal;
    Policy policy;
    LyCrypto *crypto;
    Engine *engine;
    Transports transports;
    TransportsOptions wanted;
} Run;

/* Without a word, the pipe of Windows' ssh. */
static TransportsOptions wanted(const Settings *settings)
{
    static const char *const openssh[] = {OPENSSH_PIPE};
    bool some = settings->pageant || settings->openssh.count || settings->cygwin.count;
    return (TransportsOptions){.pageant = settings->pageant,
                               .openssh = some ? settings->openssh.items : openssh,
                               .openssh_count = some ? settings->openssh.count : 1,
                               .cygwin = settings->cygwin.items,
                               .cygwin_count = settings->cygwin.count};
}

static bool start(Run *run, LyError *error)
{
    const Settings *settings = run->settings;
    LyLog log = journal_log(run->journal);
    if (!read_policy(settings, &run->policy, error) || !(run->crypto = ly_crypto_new(0, error)))
        return false;
    EngineOptions options = {
        .agent = {.websafe_applications = settings->websafe_applications,
                  .restrict_websafe = settings->restrict_websafe,
                  .lifetime_us = settings->lifetime_us,
                  .log = log},
        .fingerprint_hash = settings->hash,
        .journal = run->journal,
        .rules = run->policy.rules,
        .rule_count = run->policy.count,
    };
    if (!(run->engine = engine_new(run->crypto, &options, error)))
        return false;
    run->wanted = wanted(settings);
    run->transports =
        (Transports){.serve = engine_serve, .ask = engine_ask, .owner = run->engine, .log = log};
    if (!transports_start(&run->transports, &run->wanted, error))
        return false;
    if (!ly_secret_locked())
        ly_log(&log, LY_LOG_WARNING, "keys may reach the page file: their memory could not be locked");
    return true;
}

int run_serve(Settings *settings, const char *name, char **command)
{
    Run run = {.settings = settings};
    LyError error;
    if (command[0]) {
        fprintf(
            stderr,
            "%s: \"%s\" is no subcommand (--help lists them), and programs are not run by the agent here\n",
            name, LY_PRINTABLE(ly_bytes_str(command[0])));
        return 2;
    }
    run.journal = journal_new(name, true, settings->debug ? LY_LOG_DEBUG : LY_LOG_WARNING);
    if (!start(&run, &error)) {
        fprintf(stderr, "%s: %s\n", name, error.message);
        ExitProcess(1);
    }
    printf("lanyard-agent: ready\n");
    fflush(stdout);
    engine_run(run.engine, run.transports.stop);
    transports_end(&run.wanted);
    ExitProcess(0); /* threads and all */
}
