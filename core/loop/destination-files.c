/* The files behind a destination: ssh_config(5), known_hosts(5), revoked keys. All of it blocks: it runs
 * before a mount exists. */
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/auto.h"
#include "loop/destination-private.h"

#define CONFIG_LIMIT ((size_t)4 << 20)
#define KNOWN_HOSTS_LIMIT ((size_t)64 << 20)
#define REVOKED_LIMIT ((size_t)64 << 20)

extern char **environ;

bool ly_destination_read_file(const char *path, size_t limit, LyBuf *text, struct stat *status,
                              LyError *error)
{
    struct stat found;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (fd < 0 || fstat(fd, &found) != 0) {
        int failure = errno;
        if (fd >= 0)
            close(fd);
        return ly_error_set_errno(error, failure, "cannot read %s", path);
    }
    text->limit = limit;
    bool ok = true;
    if (S_ISDIR(found.st_mode))
        ok = ly_error_set_errno(error, EISDIR, "cannot read %s", path);
    while (ok) {
        uint8_t *room = ly_buf_room(text, 16384);
        if (!room) {
            ok = ly_error_set(error, LY_ERROR_LIMIT, "%s is larger than %zu bytes", path, limit);
            break;
        }
        ssize_t count = read(fd, room, 16384);
        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0)
            ok = ly_error_set_errno(error, errno, "cannot read %s", path);
        if (count <= 0)
            break;
        ly_buf_added(text, (size_t)count);
    }
    close(fd);
    if (status)
        *status = found;
    return ok;
}

/* Match exec: the command's exit status, its output dropped. */
static bool run_command(void *user, const char *command)
{
    LyDestination *destination = user;
    char *argv[] = {destination->shell, (char *)"-c", (char *)command, NULL};
    posix_spawn_file_actions_t actions;
    pid_t pid;
    int status = -1;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
    if (posix_spawn(&pid, destination->shell, &actions, NULL, argv, environ) == 0)
        while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
        }
    posix_spawn_file_actions_destroy(&actions);
    return status != -1 && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static void include_files(void *user, LyConfig *config, const char *pattern)
{
    LyDestination *destination = user;
    glob_t found;
    if (glob(pattern, 0, NULL, &found) != 0)
        return; /* no match is no error, as in ssh(1) */
    for (size_t i = 0; i < found.gl_pathc; i++) {
        LY_AUTO(ly_buf_free) LyBuf text = {0};
        LyError error = {0};
        if (!ly_destination_read_file(found.gl_pathv[i], CONFIG_LIMIT, &text, NULL, &error))
            ly_log(&destination->log, LY_LOG_WARNING, "%s", error.message);
        else if (!ly_config_read(config, found.gl_pathv[i], ly_buf_bytes(&text), false, NULL))
            break; /* the parser keeps the error for whoever read the outer file */
    }
    globfree(&found);
}

static const char *environment(void *user, const char *name)
{
    return getenv(name);
}

/* `optional`: a file that does not exist is an empty one. */
static bool read_config_file(LyDestination *destination, const char *path, bool user_file, bool optional,
                             LyError *error)
{
    LY_AUTO(ly_buf_free) LyBuf text = {0};
    struct stat status;
    LyError failure = {0};
    if (!ly_destination_read_file(path, CONFIG_LIMIT, &text, &status, &failure)) {
        if (optional && (failure.system == ENOENT || failure.system == ENOTDIR || failure.system == EACCES))
            return true;
        if (error)
            *error = failure;
        return false;
    }
    /* Whoever may write the user's file may run commands as the user. */
    if (optional && user_file &&
        ((status.st_uid != 0 && status.st_uid != getuid()) || (status.st_mode & 022) != 0))
        return ly_error_set(error, LY_ERROR_INVALID,
                            "%s belongs to somebody else or others may write it: chmod 600 it", path);
    return ly_config_read(destination->config, path, ly_buf_bytes(&text), user_file, error);
}

static bool read_config_files(LyDestination *destination, const char *config_file, LyError *error)
{
    if (config_file && strcmp(config_file, "none") == 0)
        return true;
    if (config_file)
        return read_config_file(destination, config_file, true, false, error);
    LY_AUTO_FREE char *user_file = ly_format("%s/.ssh/config", destination->home);
    return read_config_file(destination, user_file, true, true, error) &&
           read_config_file(destination, "/etc/ssh/ssh_config", false, true, error);
}

static bool set_setting(LyConfig *config, const char *setting, LyError *error)
{
    LyBytes text = ly_bytes_trim(ly_bytes_str(setting));
    size_t i = 0;
    while (i < text.len && text.data[i] != '=' && text.data[i] != ' ' && text.data[i] != '\t')
        i++;
    LyBytes value = ly_bytes_trim(ly_bytes_slice(text, i, text.len));
    if (value.len && value.data[0] == '=')
        value = ly_bytes_trim(ly_bytes_slice(value, 1, value.len));
    return ly_config_set(config, ly_bytes_slice(text, 0, i), value, error);
}

static bool set_text(LyConfig *config, LyConfigKeyword keyword, const char *name, const char *text,
                     LyError *error)
{
    if (!text || ly_config_string(config, keyword))
        return true;
    /* quoted, because a name with a blank is refused later with a better sentence */
    LY_AUTO_FREE char *quoted = ly_format("\"%s\"", text);
    return ly_config_set(config, ly_bytes_str(name), ly_bytes_str(quoted), error);
}

bool ly_destination_read_config(LyDestination *destination, const LyDestinationOptions *options,
                                LyError *error)
{
    LyConfigOptions config_options = {
        .host = options->host,
        .local_user = destination->local_user,
        .local_host = destination->local_host,
        .home = destination->home,
        .uid = (uint32_t)getuid(),
        .getenv = environment,
        .crypto = destination->crypto,
        .source = {.include = include_files, .exec = run_command, .user = destination},
        .log = destination->log,
    };
    LyConfig *config = destination->config = ly_config_new(&config_options);
    LY_AUTO_FREE char *port = options->port ? ly_format("%u", options->port) : NULL;
    if (!set_text(config, LY_CONFIG_USER, "User", options->user, error) ||
        !set_text(config, LY_CONFIG_PORT, "Port", port, error))
        return false;
    for (const char *const *setting = options->settings; setting && *setting; setting++)
        if (!set_setting(config, *setting, error))
            return false;
    if (!read_config_files(destination, options->config_file, error))
        return false;
    if (ly_config_wants_final(config)) {
        ly_config_begin_final(config);
        if (!read_config_files(destination, options->config_file, error))
            return false;
    }
    return ly_config_finish(config, error);
}

static void add_known_hosts(LyDestination *destination, const char *path)
{
    LY_AUTO(ly_buf_free) LyBuf text = {0};
    LyError error = {0};
    if (strcasecmp(path, "none") == 0)
        return;
    if (ly_destination_read_file(path, KNOWN_HOSTS_LIMIT, &text, NULL, &error))
        ly_known_hosts_add(destination->known_hosts, path, ly_buf_bytes(&text));
    else if (error.system != ENOENT)
        ly_log(&destination->log, LY_LOG_WARNING, "%s", error.message);
}

void ly_destination_read_known_hosts(LyDestination *destination)
{
    static const char *const global[] = {"/etc/ssh/ssh_known_hosts", "/etc/ssh/ssh_known_hosts2"};
    static const char *const own[] = {".ssh/known_hosts", ".ssh/known_hosts2"};
    const char *path;
    destination->known_hosts = ly_known_hosts_new(destination->crypto);
    if (ly_config_string(destination->config, LY_CONFIG_USER_KNOWN_HOSTS_FILE)) {
        for (size_t i = 0; (path = ly_config_item(destination->config, LY_CONFIG_USER_KNOWN_HOSTS_FILE, i));
             i++) {
            if (i == 0 && strcasecmp(path, "none") != 0)
                destination->known_hosts_file = ly_strdup(path);
            add_known_hosts(destination, path);
        }
    } else {
        for (size_t i = 0; i < LY_COUNT(own); i++) {
            char *default_path = ly_format("%s/%s", destination->home, own[i]);
            add_known_hosts(destination, default_path);
            if (i == 0)
                destination->known_hosts_file = default_path;
            else
                ly_free(default_path);
        }
    }
    if (ly_config_string(destination->config, LY_CONFIG_GLOBAL_KNOWN_HOSTS_FILE)) {
        for (size_t i = 0; (path = ly_config_item(destination->config, LY_CONFIG_GLOBAL_KNOWN_HOSTS_FILE, i));
             i++)
            add_known_hosts(destination, path);
    } else {
        for (size_t i = 0; i < LY_COUNT(global); i++)
            add_known_hosts(destination, global[i]);
    }
}

bool ly_destination_read_revoked(LyDestination *destination, LyError *error)
{
    const char *path;
    for (size_t i = 0; (path = ly_config_item(destination->config, LY_CONFIG_REVOKED_HOST_KEYS, i)); i++) {
        LY_AUTO(ly_buf_free) LyBuf text = {0};
        if (i == 0 && strcasecmp(path, "none") == 0)
            return true;
        if (!ly_destination_read_file(path, REVOKED_LIMIT, &text, NULL, error))
            return ly_error_prefix(error, "RevokedHostKeys");
        LyKrl *krl = ly_revoked_keys_read(destination->crypto, ly_buf_bytes(&text), error);
        if (!krl)
            return ly_error_prefix(error, "RevokedHostKeys: %s", path);
        destination->revoked = ly_realloc(destination->revoked, (i + 1) * sizeof *destination->revoked);
        destination->revoked[i] = (LyRevokedFile){.path = ly_strdup(path), .krl = krl};
        destination->revoked_count = i + 1;
    }
    return true;
}
