/* glib-exec: runs a command on a server in a GMainContext, by core/glib: _async and _finish, GError, and
 * channels that are GIOStreams. It asks nobody: keys, the agent and known hosts only. (Connect to "ask" to
 * change that.) */
#include <gio/gunixoutputstream.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "glib/client.h"

typedef struct Exec {
    GMainLoop *loop;
    LyGClient *client;
    LyGChannel *channel;
    GOutputStream *out;
    char *command;
    int status;
} Exec;

/* Every error ends here, and is freed here. */
static void fail(Exec *exec, GError *error)
{
    g_printerr("glib-exec: %s\n", error->message);
    g_error_free(error);
    g_main_loop_quit(exec->loop);
}

static void ended(GObject *source, GAsyncResult *result, gpointer user)
{
    Exec *exec = user;
    GError *error = NULL;
    LyProgramEnd end;
    if (!ly_gchannel_wait_finish(exec->channel, result, &end, &error)) {
        fail(exec, error);
        return;
    }
    exec->status = end.exited ? (int)end.status : 255;
    g_main_loop_quit(exec->loop);
}

/* All output was written; the exit status comes with the channel's end. */
static void spliced(GObject *source, GAsyncResult *result, gpointer user)
{
    Exec *exec = user;
    GError *error = NULL;
    if (g_output_stream_splice_finish(exec->out, result, &error) < 0)
        fail(exec, error);
    else
        ly_gchannel_wait_async(exec->channel, NULL, ended, exec);
}

static void started(GObject *source, GAsyncResult *result, gpointer user)
{
    Exec *exec = user;
    GError *error = NULL;
    exec->channel = ly_gclient_channel_finish(exec->client, result, &error);
    if (!exec->channel) {
        fail(exec, error);
        return;
    }
    /* Closing our side is EOF: the command gets no input. */
    g_output_stream_close(g_io_stream_get_output_stream(G_IO_STREAM(exec->channel)), NULL, NULL);
    g_output_stream_splice_async(exec->out, g_io_stream_get_input_stream(G_IO_STREAM(exec->channel)),
                                 G_OUTPUT_STREAM_SPLICE_NONE, G_PRIORITY_DEFAULT, NULL, spliced, exec);
}

static void connected(GObject *source, GAsyncResult *result, gpointer user)
{
    Exec *exec = user;
    GError *error = NULL;
    LyProgramOptions options = {.kind = LY_PROGRAM_COMMAND, .command = ly_bytes_str(exec->command)};
    if (ly_gclient_connect_finish(exec->client, result, &error))
        ly_gclient_run_async(exec->client, &options, NULL, started, exec);
    else
        fail(exec, error);
}

int main(int argc, char **argv)
{
    Exec exec = {.status = 255};
    g_autoptr(GError) error = NULL;
    char **settings = NULL, *config = NULL;
    int port = 0;
    GOptionEntry entries[] = {
        {"port", 'p', 0, G_OPTION_ARG_INT, &port, "the server's port", "PORT"},
        {"setting", 'o', 0, G_OPTION_ARG_STRING_ARRAY, &settings, "as of ssh_config(5)", "NAME=VALUE"},
        {"config", 'F', 0, G_OPTION_ARG_FILENAME, &config, "in place of ~/.ssh/config", "FILE"},
        {NULL}};
    g_autoptr(GOptionContext) context = g_option_context_new("[USER@]HOST COMMAND...");
    g_option_context_add_main_entries(context, entries, NULL);
    g_option_context_set_strict_posix(context, TRUE);
    if (!g_option_context_parse(context, &argc, &argv, &error) || argc < 3) {
        g_printerr("glib-exec: %s\n",
                   error ? error->message : "usage: glib-exec [-p port] [user@]host command ...");
        return 255;
    }
    char *at = strrchr(argv[1], '@');
    if (at)
        *at = 0;
    LyDestinationOptions options = {.host = at ? at + 1 : argv[1],
                                    .user = at ? argv[1] : NULL,
                                    .port = (uint16_t)port,
                                    .config_file = config,
                                    .settings = (const char *const *)settings};
    exec.command = g_strjoinv(" ", argv + 2);
    exec.loop = g_main_loop_new(NULL, FALSE);
    exec.out = g_unix_output_stream_new(STDOUT_FILENO, FALSE);
    exec.client = ly_gclient_new(&options, &error);
    if (exec.client) {
        ly_gclient_connect_async(exec.client, NULL, connected, &exec);
        g_main_loop_run(exec.loop);
    } else {
        g_printerr("glib-exec: %s\n", error->message);
    }
    g_clear_object(&exec.channel);
    g_clear_object(&exec.client);
    g_object_unref(exec.out);
    g_main_loop_unref(exec.loop);
    g_free(exec.command);
    g_free(config);
    g_strfreev(settings);
    return exec.status;
}
