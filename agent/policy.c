#include "policy.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/auto.h"
#include "files.h"
#include "lifetime.h"

#define RULES_MAX 4096
#define FILE_LIMIT ((size_t)1 << 20)

char *policy_default_path(void)
{
    const char *config = getenv("XDG_CONFIG_HOME");
    if (config && config[0] == '/')
        return ly_format("%s/lanyard/agent.ini", config);
    return file_home_path("~/.config/lanyard/agent.ini");
}

static bool read_bool(LyBytes value, bool *result)
{
    bool yes = ly_bytes_is(value, "true") || ly_bytes_is(value, "1") || ly_bytes_is(value, "yes");
    bool no = ly_bytes_is(value, "false") || ly_bytes_is(value, "0") || ly_bytes_is(value, "no");
    *result = yes;
    return yes || no;
}

static bool read_confirm(LyBytes value, LyAgentRule *rule)
{
    if (ly_bytes_is(value, "forwarded"))
        return rule->confirm_forwarded = true;
    return read_bool(value, &rule->confirm);
}

static bool read_forwarded(LyBytes value, LyAgentRule *rule)
{
    bool allowed;
    if (!read_bool(value, &allowed))
        return false;
    rule->no_forwarded = !allowed;
    return true;
}

static bool read_lifetime(LyBytes value, LyAgentRule *rule)
{
    LY_AUTO_FREE char *text = ly_bytes_dup_str(value);
    return lifetime_read(text, &rule->lifetime_us) && rule->lifetime_us > 0;
}

static bool read_programs(LyBytes value, LyAgentRule *rule)
{
    ly_free((void *)(uintptr_t)rule->programs);
    rule->programs = ly_bytes_dup_str(value);
    return value.len > 0;
}

static const struct {
    const char *name, *values;
    bool (*read)(LyBytes value, LyAgentRule *rule);
} words[] = {
    {"confirm", "true, false or forwarded", read_confirm},
    {"forwarded", "true or false", read_forwarded},
    {"lifetime", "a time above 0, like 8h", read_lifetime},
    {"programs", "a list of patterns, like /usr/bin/ssh,/usr/lib/git*", read_programs},
};

static bool read_word(LyBytes name, LyBytes value, LyAgentRule *rule, LyError *error)
{
    for (size_t i = 0; i < LY_COUNT(words); i++)
        if (ly_bytes_is(name, words[i].name))
            return words[i].read(value, rule) ||
                   ly_error_set(error, LY_ERROR_INVALID, "%s is %s, and not \"%s\"", words[i].name,
                                words[i].values, LY_PRINTABLE(value));
    return ly_error_set(error, LY_ERROR_INVALID,
                        "\"%s\" is not known; there are confirm, forwarded, lifetime and programs",
                        LY_PRINTABLE(name));
}

/* One that no key can have would protect nothing. */
static bool is_fingerprint(LyBytes name)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    size_t len = 7;
    while (len < name.len && name.data[len] && strchr(letters, name.data[len]))
        len++;
    return ly_bytes_starts_with(name, "SHA256:") && name.len == 7 + 43 && len == name.len;
}

static bool begin_rule(Policy *policy, LyBytes name, LyError *error)
{
    LyAgentRule rule = {0};
    if (!is_fingerprint(name))
        return ly_error_set(
            error, LY_ERROR_INVALID,
            "a section is named by a key's fingerprint, [SHA256:...] as ssh-add -l shows it, and "
            "not [%s]",
            LY_PRINTABLE(name));
    for (size_t i = 0; i < policy->count; i++)
        if (memcmp(name.data, policy->rules[i].fingerprint, name.len) == 0) /* all are of one length */
            return ly_error_set(error, LY_ERROR_INVALID, "the section [%s] stands there twice",
                                LY_PRINTABLE(name));
    if (policy->count == RULES_MAX)
        return ly_error_set(error, LY_ERROR_LIMIT, "there are more than %d sections", RULES_MAX);
    memcpy(rule.fingerprint, name.data, name.len);
    policy->rules = ly_realloc(policy->rules, (policy->count + 1) * sizeof *policy->rules);
    policy->rules[policy->count++] = rule;
    return true;
}

static bool read_line(Policy *policy, LyBytes line, LyError *error)
{
    LyBytes name, value;
    if (ly_bytes_has_nul(line))
        return ly_error_set(error, LY_ERROR_INVALID, "there is a NUL byte");
    line = ly_bytes_trim(line);
    if (line.len == 0 || line.data[0] == '#')
        return true;
    if (line.data[0] == '[') {
        if (line.data[line.len - 1] != ']')
            return ly_error_set(error, LY_ERROR_INVALID, "the ] of a section is missing");
        return begin_rule(policy, ly_bytes_slice(line, 1, line.len - 2), error);
    }
    if (!ly_bytes_split(line, '=', &name, &value))
        return ly_error_set(error, LY_ERROR_INVALID, "this is neither [SECTION] nor NAME=VALUE: %s",
                            LY_PRINTABLE(line));
    if (policy->count == 0)
        return ly_error_set(error, LY_ERROR_INVALID, "%s stands in front of the first section",
                            LY_PRINTABLE(ly_bytes_trim(name)));
    return read_word(ly_bytes_trim(name), ly_bytes_trim(value), &policy->rules[policy->count - 1], error);
}

bool policy_parse(LyBytes text, Policy *policy, LyError *error)
{
    LyBytes line;
    *policy = (Policy){0};
    for (unsigned number = 1; ly_bytes_line(&text, &line); number++)
        if (!read_line(policy, line, error)) {
            policy_clear(policy);
            return ly_error_prefix(error, "line %u", number);
        }
    return true;
}

bool policy_read(const char *path, bool may_lack, Policy *policy, LyError *error)
{
    LY_AUTO(ly_buf_free) LyBuf text = {0};
    LyError failure;
    *policy = (Policy){0};
    if (may_lack && access(path, F_OK) != 0 && errno == ENOENT)
        return true;
    if (file_read(path, FILE_LIMIT, &text, &failure) && policy_parse(ly_buf_bytes(&text), policy, &failure))
        return true;
    ly_error_prefix(&failure, "%s", LY_PRINTABLE(ly_bytes_str(path)));
    if (error)
        *error = failure;
    return false;
}

void policy_clear(Policy *policy)
{
    for (size_t i = 0; i < policy->count; i++)
        ly_free((void *)(uintptr_t)policy->rules[i].programs);
    ly_free(policy->rules);
    *policy = (Policy){0};
}
