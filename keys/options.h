/* Command lines: one table per command feeds getopt_long, --help, the completions and the lint that compares
 * them with the man page. */
#ifndef KEYS_OPTIONS_H
#define KEYS_OPTIONS_H

#include <stddef.h>

#include "tool.h"

typedef enum OptionKind {
    OPTION_FLAG,   /* bool */
    OPTION_STRING, /* const char * */
    OPTION_NUMBER, /* uint64_t, decimal; `most` bounds it */
    OPTION_LIST,   /* StringList, may be given several times */
} OptionKind;

typedef struct StringList {
    const char **items; /* ly_alloc'ed */
    size_t count;
} StringList;

typedef struct Option {
    const char *name;  /* "comment" for --comment */
    char letter;       /* 'C' for -C; 0: none */
    const char *value; /* "TEXT" as --help shows it; NULL for flags */
    OptionKind kind;
    size_t offset; /* into the command's values */
    uint64_t most; /* of OPTION_NUMBER; 0: UINT32_MAX */
    const char *help;
} Option;

typedef struct Command {
    const char *name;      /* "generate" */
    const char *arguments; /* "FILE..." */
    const char *summary;   /* one line */
    const Option *options; /* ends with a NULL name; those that all commands share (--json, --quiet,
                              --passphrase-file ...) are added by the parser */
    size_t values_size;    /* of the struct that the options fill, zeroed */
    int least, most;       /* arguments; most -1: any */
    Status (*run)(Tool *tool, void *values, int argc, char **argv);
} Command;

/* Every subcommand, in the order of --help; ends with NULL. In each program's commands.c. */
extern const Command *const commands[];

/* What the texts of --help say of the program. In each program's commands.c. */
typedef struct Program {
    const char *name;  /* "lanyard-key" */
    const char *usage; /* the first lines of --help, with a blank line behind each paragraph */
    const char *face;  /* a word that is no command of the table, but takes another program's command line */
    const char *face_summary;
    const Option *options; /* without a command; NULL: --help and --version only */
    bool writes_keys;      /* its commands take --new-passphrase-file and the like */
} Program;
extern const Program this_program;

/* Appends the text of --help: of a command, and of the program. */
void command_help(const Command *command, LyBuf *out);
void commands_help(LyBuf *out);
/* The options that the parser adds; ends with a NULL name. */
const Option *command_common_options(void);
/* Appends the completion script for "bash", "zsh" or "fish", made from the tables; false for another shell.
 */
bool commands_completions(const char *shell, LyBuf *out);
/* PROGRAM --completions SHELL: prints it, or what is wrong; returns the exit status. */
int completions_main(const char *shell);

/* Appends a section of --help: a title, and a line an option. */
void options_help(const char *title, const Option *options, LyBuf *out);
/* Parses a command line that has no subcommand into zeroed `values`, up to the first word that is no option,
 * which optind tells. LY_ERROR_INVALID with the sentence for the usage. */
bool options_parse(const Option *options, void *values, int argc, char **argv, LyError *error);
/* Frees the lists among the values. */
void options_clear(const Option *options, void *values);

/* Parses argv (argv[0] is the command's name), runs it, and returns the exit status. With --json
 * what fails before it printed anything is printed as {file, error}. */
Status command_run(Tool *tool, const Command *command, int argc, char **argv);

#endif
