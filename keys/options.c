#include "options.h"

#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "base/names.h"

/* What every command takes. */
typedef struct Common {
    bool help, json, quiet, no_passphrase;
    const char *passphrase_file, *new_passphrase_file;
    uint64_t passphrase_fd, new_passphrase_fd; /* and 1, so that 0 is none */
    uint64_t max_rounds, max_memory;
} Common;

#define COMMON(field) offsetof(Common, field)

#define COMMON_OPTIONS                                                                                       \
    {"json", 0, NULL, OPTION_FLAG, COMMON(json), 0, "print JSON"},                                           \
        {"quiet", 'q', NULL, OPTION_FLAG, COMMON(quiet), 0, "print nothing but what was asked for"},         \
        {"passphrase-file", 0, "FILE", OPTION_STRING, COMMON(passphrase_file), 0,                            \
         "the passphrase of what is read is FILE's first line; -: standard input's"},                        \
        {"passphrase-fd", 0, "FD", OPTION_NUMBER, COMMON(passphrase_fd), 1u << 20,                           \
         "the same from an open descriptor"},                                                                \
        {"max-kdf-rounds", 0, "N", OPTION_NUMBER, COMMON(max_rounds), 0,                                     \
         "read files of up to N bcrypt rounds (1000) or PBKDF2 iterations (10000000)"},                      \
        {"max-kdf-memory", 0, "KIB", OPTION_NUMBER, COMMON(max_memory), 0,                                   \
         "read files whose Argon2 or scrypt takes up to KIB KiB (1048576)"},                                 \
        {"help", 'h', NULL, OPTION_FLAG, COMMON(help), 0, "print this text"}

static const Option reading_options[] = {
    COMMON_OPTIONS,
    {NULL},
};

static const Option writing_options[] = {
    COMMON_OPTIONS,
    {"new-passphrase-file", 0, "FILE", OPTION_STRING, COMMON(new_passphrase_file), 0,
     "the passphrase of what is written"},
    {"new-passphrase-fd", 0, "FD", OPTION_NUMBER, COMMON(new_passphrase_fd), 1u << 20,
     "the same from an open descriptor"},
    {"no-passphrase", 0, NULL, OPTION_FLAG, COMMON(no_passphrase), 0, "write without a passphrase"},
    {NULL},
};

const Option *command_common_options(void)
{
    return this_program.writes_keys ? writing_options : reading_options;
}

static size_t count_options(const Option *options)
{
    size_t count = 0;
    while (options && options[count].name)
        count++;
    return count;
}

static void put_option(const Option *option, LyBuf *out)
{
    size_t start = out->len;
    if (option->letter)
        ly_buf_add_format(out, "  -%c, ", option->letter);
    else
        ly_buf_add_str(out, "      ");
    ly_buf_add_format(out, "--%s%s%s", option->name, option->value ? " " : "",
                      option->value ? option->value : "");
    size_t width = out->len - start;
    if (width > 30)
        ly_buf_add_str(out, "\n"), width = 0;
    ly_buf_add_format(out, "%*s%s\n", (int)(32 - width), "", option->help);
}

void options_help(const char *title, const Option *options, LyBuf *out)
{
    if (!options || !options->name)
        return;
    ly_buf_add_format(out, "\n%s\n", title);
    for (; options->name; options++)
        put_option(options, out);
}

void command_help(const Command *command, LyBuf *out)
{
    ly_buf_add_format(out, "Usage: %s %s [OPTION]...%s%s\n\n%s.\n", this_program.name, command->name,
                      command->arguments[0] ? " " : "", command->arguments, command->summary);
    options_help("Options:", command->options, out);
    options_help("Options of every command:", command_common_options(), out);
}

void commands_help(LyBuf *out)
{
    ly_buf_add_str(out, this_program.usage);
    for (size_t i = 0; commands[i]; i++)
        ly_buf_add_format(out, "  %-17s %s\n", commands[i]->name, commands[i]->summary);
    if (this_program.face)
        ly_buf_add_format(out, "  %-17s %s\n", this_program.face, this_program.face_summary);
    options_help("Options of every command:", command_common_options(), out);
}

/* The command's options, then those of every command. */
typedef struct Parse {
    const Option *options, *common_options;
    size_t own, all;
    bool in_order; /* the first word ends the options */
    void *values;
    Common common;
    LyError error;
} Parse;

static const Option *option_at(const Parse *parse, size_t i)
{
    return i < parse->own ? &parse->options[i] : &parse->common_options[i - parse->own];
}

static bool set_option(Parse *parse, size_t i, const char *argument)
{
    const Option *option = option_at(parse, i);
    void *field = (char *)(i < parse->own ? parse->values : &parse->common) + option->offset;
    switch (option->kind) {
    case OPTION_FLAG:
        *(bool *)field = true;
        break;
    case OPTION_STRING:
        *(const char **)field = argument;
        break;
    case OPTION_NUMBER:
        if (!ly_bytes_number(ly_bytes_str(argument), option->most ? option->most : UINT32_MAX, field))
            return ly_error_set(&parse->error, LY_ERROR_INVALID,
                                "--%s takes a number from 0 to %llu, and not \"%s\"", option->name,
                                (unsigned long long)(option->most ? option->most : UINT32_MAX),
                                LY_PRINTABLE(ly_bytes_str(argument)));
        if (i >= parse->own && strstr(option->name, "-fd"))
            ++*(uint64_t *)field;
        break;
    case OPTION_LIST: {
        StringList *list = field;
        list->items = ly_realloc(list->items, (list->count + 1) * sizeof *list->items);
        list->items[list->count++] = argument;
        break;
    }
    }
    return true;
}

static bool parse_options(Parse *parse, int argc, char **argv)
{
    struct option *longs = ly_new_array(struct option, parse->all + 1);
    char *shorts = ly_alloc(2 * parse->all + 3), *next = shorts;
    if (parse->in_order)
        *next++ = '+';
    *next++ = ':';
    for (size_t i = 0; i < parse->all; i++) {
        const Option *option = option_at(parse, i);
        longs[i] = (struct option){option->name, option->value ? required_argument : no_argument, NULL,
                                   256 + (int)i};
        if (option->letter) {
            *next++ = option->letter;
            if (option->value)
                *next++ = ':';
        }
    }
    bool ok = true;
    opterr = 0;
    optind = 0; /* the ssh-keygen face may have used getopt before */
    for (int got; ok && (got = getopt_long(argc, argv, shorts, longs, NULL)) != -1;) {
        size_t i = got >= 256 ? (size_t)got - 256 : 0;
        const char *word = LY_PRINTABLE(ly_bytes_str(argv[optind > 0 ? optind - 1 : 0]));
        if (got == ':')
            ok = ly_error_set(&parse->error, LY_ERROR_INVALID, "%s needs a value", word);
        else if (got == '?' && optopt > 0 && optopt < 256)
            ok = ly_error_set(&parse->error, LY_ERROR_INVALID, "the option -%c is not known",
                              optopt > 32 && optopt < 127 ? optopt : '?');
        else if (got == '?')
            ok = ly_error_set(
                &parse->error, LY_ERROR_INVALID,
                optopt ? "%s takes no value" : "the option %s is not known, or is short for several", word);
        else if (got < 256)
            while (option_at(parse, i)->letter != got)
                i++;
        ok = ok && set_option(parse, i, optarg);
    }
    ly_free(longs);
    ly_free(shorts);
    return ok;
}

static bool apply_common(Tool *tool, const Common *common, LyError *error)
{
    if ((common->passphrase_file && common->passphrase_fd) ||
        (common->new_passphrase_file != NULL) + (common->new_passphrase_fd != 0) + common->no_passphrase > 1)
        return ly_error_set(error, LY_ERROR_INVALID, "the passphrase is given in more than one way");
    tool->json = common->json;
    tool->quiet = common->quiet;
    tool->passphrase.file = common->passphrase_file;
    tool->passphrase.fd = (int)common->passphrase_fd - 1;
    tool->new_passphrase.file = common->new_passphrase_file;
    tool->new_passphrase.fd = (int)common->new_passphrase_fd - 1;
    tool->new_passphrase.none = common->no_passphrase;
    tool->limits.max_bcrypt_rounds = (uint32_t)common->max_rounds;
    tool->limits.max_pbkdf2_iterations = common->max_rounds > 10000000 ? common->max_rounds : 0;
    tool->limits.max_memory_kib = common->max_memory;
    tool->limits.max_memory_passes_kib = common->max_memory > 1048576 ? 4 * common->max_memory : 0;
    return true;
}

/* What failed without having printed anything is an object for whoever reads JSON. */
static void print_failure(Tool *tool)
{
    LY_AUTO(ly_buf_free) LyBuf text = {0};
    LyJson json = {.out = &text};
    ly_json_begin(&json, '{');
    if (tool->failure_file.len) {
        ly_json_name(&json, "file");
        ly_json_string(&json, ly_buf_bytes(&tool->failure_file));
    }
    ly_json_name(&json, "error");
    ly_json_string(&json, ly_buf_bytes(&tool->failure));
    ly_json_end(&json, '}');
    tool_print(tool, ly_buf_bytes(&text));
}

static Status run(Tool *tool, const Command *command, Parse *parse, int argc, char **argv)
{
    int count = argc - optind;
    if (count < command->least || (command->most >= 0 && count > command->most))
        return tool_fail(tool, STATUS_USAGE, "%s takes %s: see %s %s --help", command->name,
                         command->arguments[0] ? command->arguments : "no arguments", this_program.name,
                         command->name);
    Status status = tool_read_sources(tool);
    return status ? status : command->run(tool, parse->values, count, argv + optind);
}

void options_clear(const Option *options, void *values)
{
    for (; options && options->name; options++)
        if (options->kind == OPTION_LIST)
            ly_free(((StringList *)(void *)((char *)values + options->offset))->items);
}

bool options_parse(const Option *options, void *values, int argc, char **argv, LyError *error)
{
    size_t count = count_options(options);
    Parse parse = {.options = options, .own = count, .all = count, .in_order = true, .values = values};
    if (parse_options(&parse, argc, argv))
        return true;
    *error = parse.error;
    return false;
}

Status command_run(Tool *tool, const Command *command, int argc, char **argv)
{
    Parse parse = {.options = command->options,
                   .common_options = command_common_options(),
                   .own = count_options(command->options)};
    parse.all = parse.own + count_options(parse.common_options);
    parse.values = ly_alloc(command->values_size ? command->values_size : 1);
    Status status;
    for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++)
        tool->json = tool->json || strcmp(argv[i], "--json") == 0; /* for a bad command line too */
    if (!parse_options(&parse, argc, argv) || !apply_common(tool, &parse.common, &parse.error)) {
        status = tool_fail(tool, STATUS_USAGE, "%s: see %s %s --help", parse.error.message, this_program.name,
                           command->name);
    } else if (parse.common.help) {
        LyBuf text = {0};
        command_help(command, &text);
        status = tool_print(tool, ly_buf_bytes(&text));
        ly_buf_free(&text);
    } else {
        status = run(tool, command, &parse, argc, argv);
    }
    if (tool->json && !tool->printed && tool->failure.len)
        print_failure(tool);
    options_clear(command->options, parse.values);
    ly_free(parse.values);
    return status;
}
