/* ssh_config(5)'s text: lines, Host and Match blocks, Include. */
#include <stdio.h>

#include "base/auto.h"
#include "config-private.h"

bool ly_config_words(LyBytes text, LyConfigValues *words, LyError *error)
{
    LyBuf word = {0};
    size_t i = 0;
    while (i < text.len) {
        while (i < text.len && (text.data[i] == ' ' || text.data[i] == '\t'))
            i++;
        if (i == text.len || text.data[i] == '#')
            break;
        char quote = 0;
        ly_buf_clear(&word);
        for (; i < text.len; i++) {
            char c = (char)text.data[i];
            char next = i + 1 < text.len ? (char)text.data[i + 1] : 0;
            if (c == '\\' && (next == '"' || next == '\'' || next == '\\' || (!quote && next == ' ')))
                ly_buf_add(&word, ly_bytes(&text.data[++i], 1));
            else if (quote ? c == quote : c == '"' || c == '\'')
                quote = quote ? 0 : c;
            else if (!quote && (c == ' ' || c == '\t'))
                break;
            else
                ly_buf_add(&word, ly_bytes(&c, 1));
        }
        if (quote) {
            ly_buf_free(&word);
            return ly_error_set(error, LY_ERROR_INVALID, "a quote is not closed");
        }
        ly_config_values_add(words, ly_buf_bytes(&word));
    }
    ly_buf_free(&word);
    return true;
}

/* Host a b !c: some pattern matches, none with ! does. As in ssh(1), case counts and a comma is a character.
 */
static bool host_matches(const LyConfigValues *patterns, LyBytes host)
{
    bool matched = false;
    for (size_t i = 0; i < patterns->count; i++) {
        LyBytes pattern = ly_bytes_str(patterns->item[i]);
        bool negated = pattern.len && pattern.data[0] == '!';
        if (!ly_pattern_match(ly_bytes_slice(pattern, negated, pattern.len), host))
            continue;
        if (negated)
            return false;
        matched = true;
    }
    return matched;
}

static LyBytes current_host(const LyConfig *config, LyBuf *buf)
{
    const char *name = ly_config_string(config, LY_CONFIG_HOST_NAME);
    if (!name)
        return ly_bytes_str(config->options.host);
    for (const char *p = name; *p; p++) {
        if (p[0] == '%' && p[1] == 'h')
            ly_buf_add_str(buf, config->options.host), p++;
        else
            ly_buf_add(buf, ly_bytes(p, 1));
    }
    return ly_buf_bytes(buf);
}

/* Criteria are compared without regard to case, as all keywords are. */
static bool is_word(LyBytes name, const char *word)
{
    return name.len == strlen(word) && strncasecmp((const char *)name.data, word, name.len) == 0;
}

/* One criterion with an argument; its verdict, or false with *bad when the word is none. */
static bool criterion(LyConfig *config, LyBytes name, const char *argument, bool *bad)
{
    LyBuf buf = {0};
    bool matched = false;
    LyBytes patterns = ly_bytes_str(argument);
    if (is_word(name, "host")) {
        matched = ly_pattern_list_match(patterns, current_host(config, &buf), true) == 1;
    } else if (is_word(name, "originalhost")) {
        matched = ly_pattern_list_match(patterns, ly_bytes_str(config->options.host), true) == 1;
    } else if (is_word(name, "user")) {
        const char *user = ly_config_string(config, LY_CONFIG_USER);
        matched = ly_pattern_list_match(patterns, ly_bytes_str(user ? user : config->options.local_user),
                                        false) == 1;
    } else if (is_word(name, "localuser")) {
        matched = ly_pattern_list_match(patterns, ly_bytes_str(config->options.local_user), false) == 1;
    } else if (is_word(name, "exec")) {
        matched = config->options.source.exec &&
                  ly_config_expand(config, NULL, argument, false, &buf, NULL) &&
                  config->options.source.exec(config->options.source.user, ly_buf_str(&buf));
    } else if (!is_word(name, "localnetwork") && !is_word(name, "tagged") && !is_word(name, "version") &&
               !is_word(name, "sessiontype") && !is_word(name, "command")) {
        *bad = true; /* those above are known to newer releases of ssh(1) and never match here */
    }
    ly_buf_free(&buf);
    return matched;
}

static bool match_block(LyConfig *config, const LyConfigValues *words, bool *active, LyError *error)
{
    bool matched = *active;
    for (size_t i = 0; i < words->count; i++) {
        LyBytes name = ly_bytes_str(words->item[i]);
        bool negated = name.len && name.data[0] == '!', verdict, bad = false;
        name = ly_bytes_slice(name, negated, name.len);
        if (is_word(name, "all")) {
            verdict = true;
        } else if (is_word(name, "final") || is_word(name, "canonical")) {
            verdict = config->final_pass;
            config->wants_final = config->wants_final || is_word(name, "final");
        } else {
            LyBytes value, head;
            const char *argument = NULL;
            if (ly_bytes_split(name, '=', &head, &value) && value.len) {
                argument = (const char *)value.data; /* words are NUL-terminated */
                name = head;
            } else if (i + 1 < words->count) {
                argument = words->item[++i];
            }
            if (!argument)
                return ly_error_set(error, LY_ERROR_INVALID, "Match %s needs a value", LY_PRINTABLE(name));
            /* exec must not run for a block that is out already */
            verdict = matched || !is_word(name, "exec") ? criterion(config, name, argument, &bad) : false;
            if (bad)
                return ly_error_set(error, LY_ERROR_INVALID, "Match does not know \"%s\"",
                                    LY_PRINTABLE(name));
        }
        matched = matched && verdict != negated;
    }
    if (words->count == 0)
        return ly_error_set(error, LY_ERROR_INVALID, "Match needs a condition");
    *active = matched;
    return true;
}

static bool include(LyConfig *config, const LyConfigValues *words, bool user_file, LyError *error)
{
    if (config->depth >= LY_CONFIG_DEPTH_MAX)
        return ly_error_set(error, LY_ERROR_INVALID, "Include is nested more than %d deep",
                            LY_CONFIG_DEPTH_MAX);
    for (size_t i = 0; i < words->count && config->options.source.include; i++) {
        LyBuf path = {0};
        const char *name = words->item[i];
        if (name[0] != '/' && name[0] != '~')
            ly_buf_add_format(&path, "%s%s", user_file ? config->options.home : "/etc/ssh",
                              user_file ? "/.ssh/" : "/");
        bool outer_active = config->active, outer_user_file = config->include_user_file;
        LyError *outer_error = config->include_error;
        bool ok = ly_config_expand(config, NULL, name, true, &path, error);
        if (ok) {
            config->depth++;
            config->include_user_file = user_file;
            config->include_failed = false;
            config->include_error = error;
            config->options.source.include(config->options.source.user, config, ly_buf_str(&path));
            config->depth--;
            config->active = outer_active;
            config->include_user_file = outer_user_file;
            config->include_error = outer_error;
            ok = !config->include_failed;
        }
        ly_buf_free(&path);
        if (!ok)
            return false;
    }
    return true;
}

/* "Keyword value", "Keyword=value", "Keyword = value". */
static void split_line(LyBytes line, LyBytes *keyword, LyBytes *rest)
{
    size_t i = 0;
    while (i < line.len && line.data[i] != ' ' && line.data[i] != '\t' && line.data[i] != '=')
        i++;
    *keyword = ly_bytes_slice(line, 0, i);
    *rest = ly_bytes_trim(ly_bytes_slice(line, i, line.len));
    if (rest->len && rest->data[0] == '=')
        *rest = ly_bytes_trim(ly_bytes_slice(*rest, 1, rest->len));
}

static bool read_line(LyConfig *config, LyBytes line, bool outer, bool user_file, const char *file,
                      unsigned number, LyError *error)
{
    LyBytes name, rest;
    split_line(line, &name, &rest);
    LyConfigValues words = {0};
    bool ok = ly_config_words(rest, &words, error);
    if (!ok) {
    } else if (is_word(name, "Host")) {
        config->active = outer && host_matches(&words, ly_bytes_str(config->options.host));
    } else if (is_word(name, "Match")) {
        config->active = outer;
        ok = match_block(config, &words, &config->active, error);
    } else if (is_word(name, "Include")) {
        ok = !config->active || include(config, &words, user_file, error);
    } else if (config->active) {
        int keyword = ly_config_keyword(name);
        if (keyword >= 0 && keyword < LY_CONFIG_COUNT)
            ok = ly_config_store(config, (LyConfigKeyword)keyword, &words, rest, error);
        else
            ly_log(&config->options.log, LY_LOG_DEBUG, "%s line %u: %s means nothing here and is passed over",
                   file, number, LY_PRINTABLE(name));
    }
    ly_config_values_clear(&words);
    return ok;
}

bool ly_config_read(LyConfig *config, const char *file, LyBytes text, bool user_file, LyError *error)
{
    bool included = config->depth > 0;
    bool outer = included ? config->active : true;
    unsigned number = 0;
    LyBytes line;
    config->active = outer;
    while (ly_bytes_line(&text, &line)) {
        number++;
        line = ly_bytes_trim(line);
        if (line.len == 0 || line.data[0] == '#')
            continue;
        LyError found = {0};
        if (!read_line(config, line, outer, included ? config->include_user_file : user_file, file, number,
                       &found)) {
            if (found.code != LY_OK && !config->include_failed)
                ly_error_prefix(&found, "%s line %u", file, number);
            if (error)
                *error = found;
            if (included)
                *config->include_error = found;
            config->include_failed = included;
            return false;
        }
    }
    config->active = outer; /* a Host block ends with its file: the next one of an Include begins anew */
    return true;
}

bool ly_config_wants_final(const LyConfig *config)
{
    return config->wants_final && !config->final_pass;
}

void ly_config_begin_final(LyConfig *config)
{
    config->final_pass = true;
}
