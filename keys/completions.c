/* Completion scripts for the shells, from the tables of options. */
#include "options.h"

#include <string.h>

/* Options whose values are words. */
static const struct {
    const char *option, *words;
} words[] = {
    {"format", "openssh pem pkcs8 ppk ppk2"},
    {"hash", "md5 sha1 sha256 sha384 sha512"},
    {"kdf", "bcrypt pbkdf2 scrypt argon2id argon2i argon2d"},
    {"to", "openssh pem pkcs8 spki ppk ppk2 rfc4716 line jwk"},
    {"type", "ed25519 ecdsa rsa ed448"},
};

static const char *words_of(const Option *option)
{
    for (size_t i = 0; option->value && i < LY_COUNT(words); i++)
        if (strcmp(words[i].option, option->name) == 0)
            return words[i].words;
    return NULL;
}

/* Runs over the command's own options, then those of every command. */
static const Option *next_option(const Command *command, const Option *option)
{
    const Option *common = command_common_options();
    bool own = command->options && command->options[0].name;
    if (!option)
        return own ? command->options : common;
    bool is_common = false;
    for (const Option *at = common; at->name; at++)
        is_common = is_common || at == option;
    if (option[1].name)
        return option + 1;
    return is_common ? NULL : common;
}

/* A text inside '...', where zsh wants colons and brackets escaped too. */
static void put_quoted(LyBuf *out, const char *text, const char *escaped)
{
    for (; *text; text++) {
        if (*text == '\'')
            ly_buf_add_str(out, "'\\''");
        else
            ly_buf_add_format(out, "%s%c", strchr(escaped, *text) ? "\\" : "", *text);
    }
}

static void put_bash(LyBuf *out)
{
    ly_buf_add_str(out,
                   "# bash completion for lanyard-key, made from its tables of options.\n"
                   "_lanyard_key() {\n"
                   "    local current=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]} options=\n"
                   "    COMPREPLY=()\n"
                   "    if [ \"$COMP_CWORD\" -eq 1 ]; then\n"
                   "        COMPREPLY=($(compgen -W \"");
    for (size_t i = 0; commands[i]; i++)
        ly_buf_add_format(out, "%s ", commands[i]->name);
    ly_buf_add_str(out, "ssh-keygen --help --version\" -- \"$current\"))\n"
                        "        return\n"
                        "    fi\n"
                        "    case ${COMP_WORDS[1]}:$before in\n");
    for (size_t i = 0; commands[i]; i++)
        for (const Option *option = NULL; (option = next_option(commands[i], option));)
            if (words_of(option))
                ly_buf_add_format(
                    out, "    %s:--%s) COMPREPLY=($(compgen -W \"%s\" -- \"$current\")); return ;;\n",
                    commands[i]->name, option->name, words_of(option));
    ly_buf_add_str(out, "    esac\n"
                        "    case ${COMP_WORDS[1]} in\n");
    for (size_t i = 0; commands[i]; i++) {
        ly_buf_add_format(out, "    %s) options=\"", commands[i]->name);
        for (const Option *option = NULL; (option = next_option(commands[i], option));)
            ly_buf_add_format(out, "--%s ", option->name);
        ly_buf_add_str(out, "\" ;;\n");
    }
    ly_buf_add_str(out, "    esac\n"
                        "    case $current in\n"
                        "    -*) COMPREPLY=($(compgen -W \"$options\" -- \"$current\")) ;;\n"
                        "    *) COMPREPLY=($(compgen -f -- \"$current\")) ;;\n"
                        "    esac\n"
                        "}\n"
                        "complete -o filenames -F _lanyard_key lanyard-key\n");
}

static void put_zsh_option(LyBuf *out, const Option *option)
{
    for (int letter = option->letter != 0; letter >= 0; letter--) {
        ly_buf_add_str(out, " \\\n            '");
        if (option->kind == OPTION_LIST)
            ly_buf_add_str(out, "*");
        if (letter)
            ly_buf_add_format(out, "-%c", option->letter);
        else
            ly_buf_add_format(out, "--%s", option->name);
        ly_buf_add_str(out, "[");
        put_quoted(out, option->help, "[]:\\");
        ly_buf_add_str(out, "]");
        if (option->value) {
            ly_buf_add_str(out, ":");
            put_quoted(out, option->value, "[]:\\");
            if (words_of(option))
                ly_buf_add_format(out, ":(%s)", words_of(option));
            else
                ly_buf_add_str(out, ":_files");
        }
        ly_buf_add_str(out, "'");
    }
}

static void put_zsh(LyBuf *out)
{
    ly_buf_add_str(out, "#compdef lanyard-key\n"
                        "# zsh completion for lanyard-key, made from its tables of options.\n"
                        "_lanyard_key() {\n"
                        "    local -a names\n"
                        "    names=(");
    for (size_t i = 0; commands[i]; i++) {
        ly_buf_add_format(out, "\n        '%s:", commands[i]->name);
        put_quoted(out, commands[i]->summary, ":\\");
        ly_buf_add_str(out, "'");
    }
    ly_buf_add_str(out, "\n        'ssh-keygen:Take the command line of ssh-keygen'\n    )\n"
                        "    if (( CURRENT == 2 )); then\n"
                        "        _describe command names\n"
                        "        return\n"
                        "    fi\n"
                        "    local name=$words[2]\n"
                        "    shift words\n"
                        "    (( CURRENT-- ))\n"
                        "    case $name in\n");
    for (size_t i = 0; commands[i]; i++) {
        ly_buf_add_format(out, "    %s)\n        _arguments -s", commands[i]->name);
        for (const Option *option = NULL; (option = next_option(commands[i], option));)
            put_zsh_option(out, option);
        ly_buf_add_str(out, " \\\n            '*:file:_files' ;;\n");
    }
    ly_buf_add_str(out, "    *) _files ;;\n"
                        "    esac\n"
                        "}\n"
                        "_lanyard_key \"$@\"\n");
}

static void put_fish(LyBuf *out)
{
    ly_buf_add_str(out, "# fish completion for lanyard-key, made from its tables of options.\n");
    for (size_t i = 0; commands[i]; i++) {
        ly_buf_add_format(out, "complete -c lanyard-key -n __fish_use_subcommand -f -a %s -d '",
                          commands[i]->name);
        put_quoted(out, commands[i]->summary, "\\");
        ly_buf_add_str(out, "'\n");
        for (const Option *option = NULL; (option = next_option(commands[i], option));) {
            ly_buf_add_format(out, "complete -c lanyard-key -n '__fish_seen_subcommand_from %s' -l %s",
                              commands[i]->name, option->name);
            if (option->letter)
                ly_buf_add_format(out, " -s %c", option->letter);
            if (option->value)
                ly_buf_add_str(out, " -r");
            if (words_of(option))
                ly_buf_add_format(out, " -f -a '%s'", words_of(option));
            ly_buf_add_str(out, " -d '");
            put_quoted(out, option->help, "\\");
            ly_buf_add_str(out, "'\n");
        }
    }
}

bool commands_completions(const char *shell, LyBuf *out)
{
    static const struct {
        const char *name;
        void (*put)(LyBuf *out);
    } shells[] = {{"bash", put_bash}, {"fish", put_fish}, {"zsh", put_zsh}};
    for (size_t i = 0; i < LY_COUNT(shells); i++) {
        if (strcmp(shell, shells[i].name) == 0) {
            shells[i].put(out);
            return true;
        }
    }
    return false;
}
