/* Completion scripts for the shells, from the tables of options. */
#include "options.h"

#include <stdio.h>
#include <string.h>

/* Options whose values are words, of any command. */
static const struct {
    const char *option, *words;
} words[] = {
    {"fingerprint-hash", "md5 sha256"},
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

/* Of a program that does without a command. */
static const Option no_command_options[] = {
    {"help", 'h', NULL, OPTION_FLAG, 0, 0, "print this text"},
    {"version", 'V', NULL, OPTION_FLAG, 0, 0, "print the version"},
    {NULL},
};

static const Option *program_options(void)
{
    return this_program.options ? this_program.options : no_command_options;
}

/* "lanyard_key": the shells' functions have no dashes. */
static void put_function(LyBuf *out)
{
    for (const char *at = this_program.name; *at; at++)
        ly_buf_add_format(out, "%c", *at == '-' ? '_' : *at);
}

static void put_bash_words(LyBuf *out, const char *command, const Option *option)
{
    if (words_of(option))
        ly_buf_add_format(out, "    %s:--%s) COMPREPLY=($(compgen -W \"%s\" -- \"$current\")); return ;;\n",
                          command, option->name, words_of(option));
}

static void put_bash(LyBuf *out)
{
    ly_buf_add_format(out, "# bash completion for %s, made from its tables of options.\n_",
                      this_program.name);
    put_function(out);
    ly_buf_add_str(out,
                   "() {\n"
                   "    local current=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]} options=\n"
                   "    COMPREPLY=()\n"
                   "    if [ \"$COMP_CWORD\" -eq 1 ]; then\n"
                   "        COMPREPLY=($(compgen -W \"");
    for (size_t i = 0; commands[i]; i++)
        ly_buf_add_format(out, "%s ", commands[i]->name);
    if (this_program.face)
        ly_buf_add_format(out, "%s ", this_program.face);
    for (const Option *option = program_options(); option->name; option++)
        ly_buf_add_format(out, "--%s ", option->name);
    ly_buf_add_str(out, "\" -- \"$current\"))\n"
                        "        return\n"
                        "    fi\n"
                        "    case ${COMP_WORDS[1]}:$before in\n");
    for (size_t i = 0; commands[i]; i++)
        for (const Option *option = NULL; (option = next_option(commands[i], option));)
            put_bash_words(out, commands[i]->name, option);
    for (const Option *option = program_options(); option->name; option++)
        put_bash_words(out, "-*", option);
    ly_buf_add_str(out, "    esac\n"
                        "    case ${COMP_WORDS[1]} in\n");
    for (size_t i = 0; commands[i]; i++) {
        ly_buf_add_format(out, "    %s) options=\"", commands[i]->name);
        for (const Option *option = NULL; (option = next_option(commands[i], option));)
            ly_buf_add_format(out, "--%s ", option->name);
        ly_buf_add_str(out, "\" ;;\n");
    }
    ly_buf_add_str(out, "    -*) options=\"");
    for (const Option *option = program_options(); option->name; option++)
        ly_buf_add_format(out, "--%s ", option->name);
    ly_buf_add_str(out, "\" ;;\n"
                        "    esac\n"
                        "    case $current in\n"
                        "    -*) COMPREPLY=($(compgen -W \"$options\" -- \"$current\")) ;;\n"
                        "    *) COMPREPLY=($(compgen -f -- \"$current\")) ;;\n"
                        "    esac\n"
                        "}\n"
                        "complete -o filenames -F _");
    put_function(out);
    ly_buf_add_format(out, " %s\n", this_program.name);
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
    ly_buf_add_format(out, "#compdef %s\n# zsh completion for %s, made from its tables of options.\n_",
                      this_program.name, this_program.name);
    put_function(out);
    ly_buf_add_str(out, "() {\n"
                        "    local -a names\n"
                        "    names=(");
    for (size_t i = 0; commands[i]; i++) {
        ly_buf_add_format(out, "\n        '%s:", commands[i]->name);
        put_quoted(out, commands[i]->summary, ":\\");
        ly_buf_add_str(out, "'");
    }
    if (this_program.face) {
        ly_buf_add_format(out, "\n        '%s:", this_program.face);
        put_quoted(out, this_program.face_summary, ":\\");
        ly_buf_add_str(out, "'");
    }
    ly_buf_add_str(out, "\n    )\n"
                        "    if (( CURRENT == 2 )) && [[ $words[2] != -* ]]; then\n"
                        "        _describe command names\n"
                        "        return\n"
                        "    fi\n"
                        "    case $words[2] in\n");
    for (size_t i = 0; commands[i]; i++) {
        ly_buf_add_format(out, "    %s)\n        shift words\n        (( CURRENT-- ))\n        _arguments -s",
                          commands[i]->name);
        for (const Option *option = NULL; (option = next_option(commands[i], option));)
            put_zsh_option(out, option);
        ly_buf_add_str(out, " \\\n            '*:file:_files' ;;\n");
    }
    ly_buf_add_str(out, "    -*)\n        _arguments -s");
    for (const Option *option = program_options(); option->name; option++)
        put_zsh_option(out, option);
    ly_buf_add_str(out, " \\\n            '*::program:_normal' ;;\n"
                        "    *) _files ;;\n"
                        "    esac\n"
                        "}\n"
                        "_");
    put_function(out);
    ly_buf_add_str(out, " \"$@\"\n");
}

static void put_fish_option(LyBuf *out, const char *when, const char *command, const Option *option)
{
    ly_buf_add_format(out, "complete -c %s -n '%s%s' -l %s", this_program.name, when, command, option->name);
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

static void put_fish(LyBuf *out)
{
    ly_buf_add_format(out, "# fish completion for %s, made from its tables of options.\n", this_program.name);
    for (size_t i = 0; commands[i]; i++) {
        ly_buf_add_format(out, "complete -c %s -n __fish_use_subcommand -f -a %s -d '", this_program.name,
                          commands[i]->name);
        put_quoted(out, commands[i]->summary, "\\");
        ly_buf_add_str(out, "'\n");
        for (const Option *option = NULL; (option = next_option(commands[i], option));)
            put_fish_option(out, "__fish_seen_subcommand_from ", commands[i]->name, option);
    }
    for (const Option *option = program_options(); option->name; option++)
        put_fish_option(out, "__fish_use_subcommand", "", option);
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

int completions_main(const char *shell)
{
    Tool tool = {.program = this_program.name};
    LyBuf text = {0};
    int status = STATUS_USAGE;
    if (commands_completions(shell, &text))
        status = tool_print(&tool, ly_buf_bytes(&text));
    else
        fprintf(stderr, "%s: completions are made for bash, zsh and fish\n", this_program.name);
    ly_buf_free(&text);
    return status;
}
