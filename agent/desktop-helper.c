/* lanyard-agent-desktop: D-Bus for lanyard-agent. Lines on stdin become notifications; the session's Lock and
 * Unlock, and the machine's sleep, become the words lock, unlock and sleep on stdout. Arguments: notify,
 * lock, suspend, for what is wanted. Ends with its stdin. */
#include <gio/gio.h>
#include <string.h>
#include <unistd.h>

#define LOGIND "org.freedesktop.login1"

typedef struct Helper {
    GMainLoop *loop;
    GDBusConnection *session, *system;
    char *session_path; /* of logind's object; NULL: not known */
    GIOChannel *input;
} Helper;

static void say(const char *word)
{
    char *line = g_strconcat(word, "\n", NULL);
    if (write(STDOUT_FILENO, line, strlen(line)) < 0)
        _exit(0);
    g_free(line);
}

static void show(Helper *helper, const char *text)
{
    GVariantBuilder actions, hints;
    g_variant_builder_init(&actions, G_VARIANT_TYPE("as"));
    g_variant_builder_init(&hints, G_VARIANT_TYPE("a{sv}"));
    g_variant_builder_add(&hints, "{sv}", "transient", g_variant_new_boolean(TRUE));
    char *body = g_markup_escape_text(text, -1);
    g_dbus_connection_call(helper->session, "org.freedesktop.Notifications", "/org/freedesktop/Notifications",
                           "org.freedesktop.Notifications", "Notify",
                           g_variant_new("(susssasa{sv}i)", "lanyard-agent", 0u, "dialog-password",
                                         "SSH key", body, &actions, &hints, -1),
                           NULL, G_DBUS_CALL_FLAGS_NONE, 5000, NULL, NULL, NULL);
    g_free(body);
}

static gboolean line_came(GIOChannel *input, GIOCondition condition, gpointer user)
{
    Helper *helper = user;
    char *line = NULL;
    gsize end = 0;
    GIOStatus status = g_io_channel_read_line(input, &line, NULL, &end, NULL);
    if (status == G_IO_STATUS_NORMAL && helper->session) {
        line[end] = 0;
        show(helper, line);
    }
    g_free(line);
    if (status == G_IO_STATUS_NORMAL || status == G_IO_STATUS_AGAIN)
        return G_SOURCE_CONTINUE;
    g_main_loop_quit(helper->loop);
    return G_SOURCE_REMOVE;
}

/* Awake again: who has no lock screen can sign, who has one must unlock it. What cannot be asked counts as
 * locked. */
static gboolean is_session_locked(Helper *helper)
{
    gboolean locked = TRUE;
    GVariant *value = NULL;
    GVariant *reply = g_dbus_connection_call_sync(
        helper->system, LOGIND, helper->session_path, "org.freedesktop.DBus.Properties", "Get",
        g_variant_new("(ss)", LOGIND ".Session", "LockedHint"), G_VARIANT_TYPE("(v)"), G_DBUS_CALL_FLAGS_NONE,
        2000, NULL, NULL);
    if (!reply)
        return TRUE;
    g_variant_get(reply, "(v)", &value);
    if (g_variant_is_of_type(value, G_VARIANT_TYPE_BOOLEAN))
        locked = g_variant_get_boolean(value);
    g_variant_unref(value);
    g_variant_unref(reply);
    return locked;
}

static void signalled(GDBusConnection *connection, const char *sender, const char *path,
                      const char *interface, const char *name, GVariant *parameters, gpointer user)
{
    Helper *helper = user;
    gboolean sleeps = FALSE;
    if (strcmp(name, "Lock") == 0) {
        say("lock");
    } else if (strcmp(name, "Unlock") == 0) {
        say("unlock");
    } else if (strcmp(name, "PrepareForSleep") == 0 &&
               g_variant_is_of_type(parameters, G_VARIANT_TYPE("(b)"))) {
        g_variant_get(parameters, "(b)", &sleeps);
        if (sleeps)
            say("sleep");
        else if (!is_session_locked(helper))
            say("unlock");
    }
}

/* logind's path of a session: what is no letter, and no digit behind the first place, stands as _XX. */
static char *session_path(const char *id)
{
    GString *path = g_string_new("/org/freedesktop/login1/session/");
    for (const char *next = id; *next; next++)
        if (g_ascii_isalpha(*next) || (g_ascii_isdigit(*next) && next != id))
            g_string_append_c(path, *next);
        else
            g_string_append_printf(path, "_%02x", (unsigned char)*next);
    return g_string_free(path, FALSE);
}

/* The person's session: this process's own, or, for a user's service, the one of its display. */
static char *find_session(Helper *helper)
{
    char *path = NULL;
    const char *id = g_getenv("XDG_SESSION_ID");
    if (id && *id)
        return session_path(id);
    GVariant *reply = g_dbus_connection_call_sync(
        helper->system, LOGIND, "/org/freedesktop/login1/user/self", "org.freedesktop.DBus.Properties", "Get",
        g_variant_new("(ss)", LOGIND ".User", "Display"), G_VARIANT_TYPE("(v)"), G_DBUS_CALL_FLAGS_NONE, 2000,
        NULL, NULL);
    if (!reply)
        return NULL;
    GVariant *value = NULL;
    g_variant_get(reply, "(v)", &value);
    if (g_variant_is_of_type(value, G_VARIANT_TYPE("(so)")))
        g_variant_get(value, "(so)", NULL, &path);
    g_variant_unref(value);
    g_variant_unref(reply);
    if (path && strcmp(path, "/") == 0)
        g_clear_pointer(&path, g_free);
    return path;
}

static gboolean watch_logind(Helper *helper, gboolean lock, gboolean suspend)
{
    GError *error = NULL;
    helper->system = g_bus_get_sync(G_BUS_TYPE_SYSTEM, NULL, &error);
    if (!helper->system) {
        say(error->message);
        g_error_free(error);
        return FALSE;
    }
    helper->session_path = find_session(helper);
    if (!helper->session_path) { /* another's Unlock is not ours */
        say("logind knows no session with a display of this user");
        return FALSE;
    }
    if (suspend)
        g_dbus_connection_signal_subscribe(helper->system, LOGIND, LOGIND ".Manager", "PrepareForSleep",
                                           "/org/freedesktop/login1", NULL, G_DBUS_SIGNAL_FLAGS_NONE,
                                           signalled, helper, NULL);
    if (lock)
        g_dbus_connection_signal_subscribe(helper->system, LOGIND, LOGIND ".Session", "Lock",
                                           helper->session_path, NULL, G_DBUS_SIGNAL_FLAGS_NONE, signalled,
                                           helper, NULL);
    g_dbus_connection_signal_subscribe(helper->system, LOGIND, LOGIND ".Session", "Unlock",
                                       helper->session_path, NULL, G_DBUS_SIGNAL_FLAGS_NONE, signalled,
                                       helper, NULL);
    return TRUE;
}

int main(int argc, char **argv)
{
    Helper helper = {0};
    gboolean notify = FALSE, lock = FALSE, suspend = FALSE;
    for (int i = 1; i < argc; i++) {
        notify = notify || strcmp(argv[i], "notify") == 0;
        lock = lock || strcmp(argv[i], "lock") == 0;
        suspend = suspend || strcmp(argv[i], "suspend") == 0;
    }
    if (isatty(STDIN_FILENO) || (!notify && !lock && !suspend)) {
        g_printerr("lanyard-agent-desktop is started by lanyard-agent\n");
        return 2;
    }
    if (notify && !(helper.session = g_bus_get_sync(G_BUS_TYPE_SESSION, NULL, NULL)))
        say("there is no session bus: nothing is notified");
    if ((lock || suspend) && !watch_logind(&helper, lock, suspend))
        return 1;
    helper.loop = g_main_loop_new(NULL, FALSE);
    helper.input = g_io_channel_unix_new(STDIN_FILENO);
    g_io_channel_set_encoding(helper.input, NULL, NULL);
    g_io_add_watch(helper.input, G_IO_IN | G_IO_HUP | G_IO_ERR, line_came, &helper);
    g_main_loop_run(helper.loop);
    if (helper.session)
        g_dbus_connection_flush_sync(helper.session, NULL, NULL);
    g_io_channel_unref(helper.input);
    g_main_loop_unref(helper.loop);
    g_clear_object(&helper.session);
    g_clear_object(&helper.system);
    g_free(helper.session_path);
    return 0;
}
