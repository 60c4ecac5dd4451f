#include "providers.h"

#include <stdlib.h>

#include "base/auto.h"
#include "base/list.h"
#include "base/secret.h"
#include "base/wire.h"
#include "provider-process.h"
#include "provider-words.h"

enum { MODULES_MAX = 32, PIN_ATTEMPTS = 3 };

/* A module that was loaded, or the library of security keys that sign just now. */
typedef struct Module {
    LyLink link;
    Providers *providers;
    char *path;
    bool is_sk;
    ProviderProcess *process; /* NULL: none; of a PKCS#11 module then only the name is known still */
    LyList jobs;              /* the first is the one that is worked on */
    bool busy, asking;        /* it was sent to the process; or its PIN is asked for */
} Module;

typedef struct Job {
    LyLink link;
    Module *module;
    uint64_t id;
    bool withdrawn;
    LyBuf request; /* all but the PIN */
    LyBytes pin;   /* in secret memory */
    /* of a signature */
    LyKey *key; /* NULL: the module is loaded */
    LyBuf algorithm, data;
    char *text;   /* for the question about the PIN */
    bool touches; /* the security key wants to be touched */
    int attempts;
} Job;

struct Providers {
    ProvidersOptions options;
    LyList modules;
};

/* ---- modules and jobs ---- */

static void job_free(Job *job)
{
    ly_link_remove(&job->link);
    ly_buf_free(&job->request);
    ly_secret_free((void *)job->pin.data);
    ly_key_unref(job->key);
    ly_buf_free(&job->algorithm);
    ly_buf_free(&job->data);
    ly_free(job->text);
    ly_free(job);
}

static Job *first_job(const Module *module)
{
    return ly_list_first(&module->jobs, Job, link);
}

static void refuse(Job *job)
{
    LyAgent *agent = job->module->providers->options.agent;
    if (job->withdrawn)
        return;
    if (job->key)
        ly_agent_answer_sign(agent, job->id, (LyBytes){0});
    else
        ly_agent_answer_provider(agent, job->id, false, NULL, 0);
}

static void finish(Job *job)
{
    Module *module = job->module;
    if (module->asking && job == first_job(module))
        ask_withdraw(module->providers->options.ask, job->id);
    if (job == first_job(module))
        module->busy = module->asking = false;
    job_free(job);
}

static void module_end(Module *module)
{
    provider_process_free(module->process);
    module->process = NULL;
    module->busy = false;
}

static void module_free(Module *module)
{
    Job *job;
    while ((job = first_job(module))) {
        refuse(job);
        finish(job);
    }
    module_end(module);
    ly_link_remove(&module->link);
    ly_free(module->path);
    ly_free(module);
}

static Module *module_find(const Providers *providers, LyBytes path, bool is_sk)
{
    ly_list_each(&providers->modules, Module, link, module)
    {
        if (module->is_sk == is_sk && ly_bytes_is(path, module->path))
            return module;
    }
    return NULL;
}

/* NULL: there are too many. Names of modules that have ended make room. */
static Module *module_new(Providers *providers, LyBytes path, bool is_sk)
{
    size_t count = 0;
    ly_list_each(&providers->modules, Module, link, old)
    {
        if (old->process)
            count++;
        else if (!first_job(old))
            module_free(old);
    }
    if (count >= MODULES_MAX) {
        ly_log(providers->options.log, LY_LOG_WARNING, "the module %s is refused: %d are loaded already",
               LY_PRINTABLE(path), MODULES_MAX);
        return NULL;
    }
    Module *module = ly_new(Module);
    *module = (Module){.providers = providers, .path = ly_bytes_dup_str(path), .is_sk = is_sk};
    ly_list_init(&module->jobs);
    ly_list_append(&providers->modules, &module->link);
    return module;
}

static Job *job_new(Module *module, const LyAgentEvent *event)
{
    Job *job = ly_new(Job);
    *job = (Job){.module = module, .id = event->id};
    ly_list_append(&module->jobs, &job->link);
    return job;
}

static void tell(const Module *module, LyLogLevel level, const char *what)
{
    ly_log(module->providers->options.log, level, "%s %s: %s",
           module->is_sk ? "the security key library" : "the module",
           LY_PRINTABLE(ly_bytes_str(module->path)), what);
}

/* ---- the process ---- */

static void process_answered(void *user, LyBytes reply);
static void process_lost(void *user, const char *why);

static bool start(Module *module)
{
    const Providers *providers = module->providers;
    LyError error;
    ProviderProcessOptions options = {.kind = module->is_sk ? PROVIDER_SK : PROVIDER_PKCS11,
                                      .path = module->path,
                                      .timeout_us = providers->options.timeout_us,
                                      .answered = process_answered,
                                      .lost = process_lost,
                                      .user = module};
    module->process = provider_process_new(providers->options.loop, &options, &error);
    if (!module->process)
        tell(module, LY_LOG_ERROR, error.message);
    return module->process != NULL;
}

static void tell_touch(const Job *job)
{
    const ProvidersOptions *options = &job->module->providers->options;
    if (!options->touch)
        return;
    LY_AUTO_FREE char *text = ly_format("Touch the security key. %s", job->text);
    for (char *at = text; (at = strchr(at, '\n'));) /* a notification is a line */
        *at = ' ';
    options->touch(options->user, text);
}

/* Sends the first job; a module that has none and is not needed ends. */
static void go_on(Module *module)
{
    Job *job;
    while (!module->busy && !module->asking && (job = first_job(module))) {
        if (job->withdrawn || (!module->process && !((module->is_sk || !job->key) && start(module)))) {
            refuse(job);
            finish(job);
            continue;
        }
        LY_AUTO(ly_buf_free) LyBuf request = {0};
        ly_buf_add(&request, ly_buf_bytes(&job->request));
        ly_put_string(&request, job->pin);
        if (job->touches)
            tell_touch(job);
        module->busy = true;
        provider_process_ask(module->process, &request);
    }
    if (!first_job(module) && (module->is_sk || !module->process))
        module_free(module);
}

static void process_lost(void *user, const char *why)
{
    Module *module = user;
    Providers *providers = module->providers;
    ly_log(providers->options.log, LY_LOG_ERROR, PROVIDER_PROGRAM " for %s %s%s",
           LY_PRINTABLE(ly_bytes_str(module->path)), why,
           module->is_sk ? "" : ": it has no keys any more until it is added again (ssh-add -s)");
    bool busy = module->busy;
    module_end(module);
    Job *job = first_job(module);
    bool added = module->is_sk || !job || job->key; /* it got as far as that, and its name stays known */
    if (module->is_sk) {                            /* the others get a process of their own */
        if (job && busy) {
            refuse(job);
            finish(job);
        }
        go_on(module);
    } else {
        while ((job = first_job(module))) {
            refuse(job);
            finish(job);
        }
        ly_agent_remove_provider(providers->options.agent, module->path);
        if (!added)
            module_free(module);
    }
    providers->options.answered(providers->options.user);
}

/* ---- answers ---- */

static void take_keys(const Job *job, LyReader *reader)
{
    const ProvidersOptions *options = &job->module->providers->options;
    LyKey *keys[PROVIDER_KEYS_MAX];
    size_t count;
    bool good = provider_get_keys(options->crypto, reader, job->module->path, keys, &count);
    if (!good)
        tell(job->module, LY_LOG_WARNING, "its list of keys is malformed");
    ly_agent_answer_provider(options->agent, job->id, good, keys, count);
    for (size_t i = 0; i < count; i++)
        ly_key_unref(keys[i]);
}

static void take_signature(const Job *job, LyReader *reader)
{
    const ProvidersOptions *options = &job->module->providers->options;
    LyBytes signature = {0};
    LyError error;
    if (!provider_get_signature(options->crypto, reader, job->key, ly_buf_bytes(&job->algorithm),
                                ly_buf_bytes(&job->data), &signature, &error)) {
        ly_error_prefix(&error, "its signature is not good");
        tell(job->module, LY_LOG_ERROR, error.message);
    }
    ly_agent_answer_sign(options->agent, job->id, signature);
}

static void pin_given(void *user, const char *pin)
{
    Job *job = user;
    Module *module = job->module;
    module->asking = false;
    if (pin && *pin && strlen(pin) <= PROVIDER_PIN_MAX) {
        ly_secret_free((void *)job->pin.data);
        job->pin = ly_secret_copy(ly_bytes_str(pin));
        job->attempts++;
    } else {
        refuse(job);
        finish(job);
    }
    go_on(module);
}

/* False: the job is over. */
static bool ask_for_pin(Job *job, const char *note, LyReader *reader)
{
    Module *module = job->module;
    LY_AUTO_FREE char *whose = ly_bytes_dup_str(ly_get_string(reader));
    if (!job->key || job->attempts >= PIN_ATTEMPTS || !ly_reader_done(reader))
        return false;
    module->asking = true;
    ask_pin(module->providers->options.ask, job->id, note, LY_PRINTABLE(ly_bytes_str(whose)), job->text,
            pin_given, job);
    return true;
}

static void process_answered(void *user, LyBytes reply)
{
    Module *module = user;
    Providers *providers = module->providers;
    Job *job = first_job(module);
    LyReader reader = ly_reader(reply);
    uint8_t status = ly_get_u8(&reader);
    char note[400];
    ly_printable(ly_get_string(&reader), note, sizeof note);
    module->busy = false;
    if (note[0])
        tell(module, LY_LOG_WARNING, note);
    if (status == PROVIDER_PIN && !job->withdrawn && ask_for_pin(job, note, &reader)) {
        providers->options.answered(providers->options.user);
        return;
    }
    if (status == PROVIDER_DONE && !job->withdrawn && job->key)
        take_signature(job, &reader);
    else if (status == PROVIDER_DONE && !job->withdrawn)
        take_keys(job, &reader);
    else
        refuse(job);
    finish(job);
    if (!module->is_sk && ly_agent_count_provider(providers->options.agent, module->path) == 0)
        module_end(module); /* nothing was added, or all was removed meanwhile */
    go_on(module);
    providers->options.answered(providers->options.user);
}

/* ---- questions ---- */

static void load(Providers *providers, const LyAgentEvent *event)
{
    Module *module = module_find(providers, event->provider, false);
    const char *why = module && (module->process || first_job(module)) ? "it is loaded already"
                      : event->pin.len > PROVIDER_PIN_MAX              ? "its PIN is longer than any"
                                                                       : NULL;
    if (why)
        ly_log(providers->options.log, LY_LOG_WARNING, "the module %s is not added: %s",
               LY_PRINTABLE(event->provider), why);
    if (!why && !module)
        module = module_new(providers, event->provider, false);
    if (why || !module) {
        ly_agent_answer_provider(providers->options.agent, event->id, false, NULL, 0);
        return;
    }
    Job *job = job_new(module, event);
    job->pin = ly_secret_copy(event->pin);
    provider_put_list(&job->request);
    go_on(module);
}

static void unload(Providers *providers, const LyAgentEvent *event)
{
    Module *module = module_find(providers, event->provider, false);
    if (module)
        module_free(module);
    else
        ly_log(providers->options.log, LY_LOG_WARNING, "the module %s is not loaded",
               LY_PRINTABLE(event->provider));
    ly_agent_answer_provider(providers->options.agent, event->id, module != NULL, NULL, 0);
}

static void sign(Providers *providers, const LyAgentEvent *event)
{
    bool is_sk = ly_key_type(event->key)->sk;
    bool is_internal = is_sk && (event->provider.len == 0 || event->provider.data[0] != '/');
    LyBytes path = is_internal ? ly_bytes_str(PROVIDER_INTERNAL) : event->provider;
    Module *module = module_find(providers, path, is_sk);
    if (!module && is_sk)
        module = module_new(providers, path, true);
    if (!module) {
        ly_agent_answer_sign(providers->options.agent, event->id, (LyBytes){0});
        return;
    }
    Job *job = job_new(module, event);
    job->key = ly_key_ref(event->key);
    job->text = ask_describe_request(providers->options.ask, event);
    ly_buf_add(&job->algorithm, event->algorithm);
    ly_buf_add(&job->data, event->data);
    provider_put_sign(event, &job->request, &job->touches);
    go_on(module);
}

/* ---- paths: followed in a job, because they may lead over a mount whose sign-in waits for this agent ----
 */

typedef struct Path {
    Providers *providers;
    uint64_t id;
    char *path, *resolved;
} Path;

static void resolve_work(void *data)
{
    Path *path = data;
    path->resolved = realpath(path->path, NULL);
}

static void resolve_done(void *data, bool cancelled)
{
    Path *path = data;
    if (!cancelled) {
        Providers *providers = path->providers;
        ly_agent_answer_resolve(providers->options.agent, path->id, path->resolved);
        providers->options.answered(providers->options.user);
    }
    free(path->resolved);
    ly_free(path->path);
    ly_free(path);
}

static void resolve(Providers *providers, const LyAgentEvent *event)
{
    Path *path = ly_new(Path);
    *path = (Path){.providers = providers, .id = event->id, .path = ly_bytes_dup_str(event->provider)};
    ly_loop_work(providers->options.loop, resolve_work, resolve_done, path);
}

/* ---- the whole ---- */

bool providers_has(const LyAgentEvent *event)
{
    return event->provider.len || ly_key_type(event->key)->sk;
}

void providers_event(Providers *providers, const LyAgentEvent *event)
{
    if (event->type == LY_AGENT_RESOLVE)
        resolve(providers, event);
    else if (event->type == LY_AGENT_SIGN)
        sign(providers, event);
    else if (event->unload)
        unload(providers, event);
    else
        load(providers, event);
}

void providers_withdraw(Providers *providers, uint64_t id)
{
    Job *withdrawn = NULL;
    ly_list_each(&providers->modules, Module, link, module)
    {
        ly_list_each(&module->jobs, Job, link, job)
        {
            if (job->id == id)
                withdrawn = job;
        }
    }
    if (!withdrawn)
        return;
    Module *module = withdrawn->module;
    bool is_sent = module->busy && withdrawn == first_job(module);
    withdrawn->withdrawn = true;
    if (is_sent && !module->is_sk)
        return; /* a token is not interrupted: its answer is dropped */
    if (is_sent)
        module_end(module); /* a security key stops blinking */
    finish(withdrawn);
    go_on(module);
}

void providers_changed(Providers *providers)
{
    ly_list_each(&providers->modules, Module, link, module)
    {
        if (module->process && !module->is_sk && !first_job(module) &&
            ly_agent_count_provider(providers->options.agent, module->path) == 0)
            module_end(module);
    }
}

Providers *providers_new(const ProvidersOptions *options)
{
    Providers *providers = ly_new(Providers);
    providers->options = *options;
    ly_list_init(&providers->modules);
    return providers;
}

void providers_free(Providers *providers)
{
    if (!providers)
        return;
    ly_list_each(&providers->modules, Module, link, module) module_free(module);
    ly_free(providers);
}
