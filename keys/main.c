/* lanyard-key: finds the command, or shows ssh-keygen's face. */
#include <stdio.h>
#include <string.h>

#include "options.h"
#include "ssh-keygen.h"

static const Command *find(const char *name)
{
    for (size_t i = 0; commands[i]; i++)
        if (strcmp(commands[i]->name, name) == 0)
            return commands[i];
    return NULL;
}

static int print(const LyBuf *text)
{
    Tool tool = {.program = "lanyard-key"};
    return tool_print(&tool, ly_buf_bytes(text));
}

static int print_help(const char *name)
{
    LyBuf text = {0};
    const Command *command = name ? find(name) : NULL;
    if (command)
        command_help(command, &text);
    else
        commands_help(&text);
    int status = print(&text);
    ly_buf_free(&text);
    return status;
}

static int run(const Command *command, int argc, char **argv)
{
    Tool tool;
    Status status = STATUS_IO;
    if (tool_open(&tool, "lanyard-key"))
        status = command_run(&tool, command, argc, argv);
    tool_close(&tool);
    return status;
}

static bool is_called_ssh_keygen(const char *program)
{
    const char *slash = program ? strrchr(program, '/') : NULL;
    return program && strcmp(slash ? slash + 1 : program, "ssh-keygen") == 0;
}

int main(int argc, char **argv)
{
    const char *word = argc > 1 ? argv[1] : NULL;
    if (is_called_ssh_keygen(argv[0]))
        return ssh_keygen_main(argc, argv);
    if (word && strcmp(word, "ssh-keygen") == 0)
        return ssh_keygen_main(argc - 1, argv + 1);
    if (!word) {
        LyBuf text = {0};
        commands_help(&text);
        fputs(ly_buf_str(&text), stderr);
        ly_buf_free(&text);
        return STATUS_USAGE;
    }
    if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0 || strcmp(word, "help") == 0)
        return print_help(argc > 2 ? argv[2] : NULL);
    if (strcmp(word, "--version") == 0 || strcmp(word, "-V") == 0) {
        puts("lanyard-key " LY_VERSION);
        return fflush(stdout) == 0 ? STATUS_OK : STATUS_IO;
    }
    if (strcmp(word, "--completions") == 0 && argc == 3)
        return completions_main(argv[2]);
    const Command *command = find(word);
    if (!command) {
        fprintf(stderr, "lanyard-key: there is no command \"%s\": see lanyard-key --help\n",
                LY_PRINTABLE(ly_bytes_str(word)));
        return STATUS_USAGE;
    }
    return run(command, argc - 1, argv + 1);
}
