/* lanyard-agent: a subcommand, or the agent itself with ssh-agent's command line. */
#include <getopt.h>
#include <string.h>

#include "commands.h"
#include "run.h"

static const Command *find(const char *name)
{
    for (size_t i = 0; commands[i]; i++)
        if (strcmp(commands[i]->name, name) == 0)
            return commands[i];
    return NULL;
}

static int run_command(const Command *command, int argc, char **argv)
{
    Tool tool;
    Status status = STATUS_IO;
    if (tool_open(&tool, "lanyard-agent"))
        status = command_run(&tool, command, argc, argv);
    tool_close(&tool);
    return (int)status;
}

static int print_help(const char *name)
{
    Tool tool = {.program = "lanyard-agent"};
    LyBuf text = {0};
    const Command *command = name ? find(name) : NULL;
    if (command)
        command_help(command, &text);
    else
        settings_help(&text);
    Status status = tool_print(&tool, ly_buf_bytes(&text));
    ly_buf_free(&text);
    return (int)status;
}

static int run_agent(const char *name, int argc, char **argv)
{
    Settings settings = {0};
    int status = settings_parse(&settings, name, argc, argv);
    if (status == 0 && settings.help)
        status = print_help(NULL);
    else if (status == 0 && settings.version)
        status = printf("lanyard-agent " LY_VERSION "\n") < 0;
    else if (status == 0)
        status = run_serve(&settings, name, argv + optind);
    settings_clear(&settings);
    return status;
}

int main(int argc, char **argv)
{
    const char *name = run_begin(argc > 0 ? argv[0] : NULL);
    bool has_commands = strcmp(name, "ssh-agent") != 0; /* under that name, every word is a program */
    if (has_commands && argc > 1) {
        const Command *command = find(argv[1]);
        if (command)
            return run_command(command, argc - 1, argv + 1);
        if (strcmp(argv[1], "help") == 0)
            return print_help(argc > 2 ? argv[2] : NULL);
        if (strcmp(argv[1], "--completions") == 0 && argc == 3)
            return completions_main(argv[2]);
    }
    return run_agent(name, argc, argv);
}
