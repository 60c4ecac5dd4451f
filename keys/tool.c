/* Messages, stdout and passphrases. */
#include "tool-private.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/memory.h"
#include "base/secret.h"

#define PASSPHRASE_MAX 8192 /* as much as a terminal's question takes */

bool tool_open(Tool *tool, const char *program)
{
    LyError error;
    *tool = (Tool){.program = program, .passphrase.fd = -1, .new_passphrase.fd = -1};
    tool_prepare_process();
    tool->crypto = ly_crypto_new(0, &error);
    if (!tool->crypto)
        tool_error(tool, NULL, &error);
    return tool->crypto != NULL;
}

void tool_close(Tool *tool)
{
    tool_stop_asking(tool);
    ly_crypto_unref(tool->crypto);
    ly_secret_free(tool->passphrase.read);
    ly_secret_free(tool->new_passphrase.read);
    ly_buf_free(&tool->failure);
    ly_buf_free(&tool->failure_file);
    *tool = (Tool){.passphrase.fd = -1, .new_passphrase.fd = -1};
}

static Status say(Tool *tool, Status status, const char *file, const char *message)
{
    ly_buf_clear(&tool->failure);
    ly_buf_clear(&tool->failure_file);
    ly_buf_add_str(&tool->failure, message);
    if (file) {
        ly_buf_add_str(&tool->failure_file, file);
        fprintf(stderr, "%s: %s: %s\n", tool->program, LY_PRINTABLE(ly_bytes_str(file)), message);
    } else {
        fprintf(stderr, "%s: %s\n", tool->program, message);
    }
    return status;
}

Status tool_fail(Tool *tool, Status status, const char *format, ...)
{
    char message[1024];
    va_list args;
    va_start(args, format);
    vsnprintf(message, sizeof message, format, args);
    va_end(args);
    return say(tool, status, NULL, message);
}

static Status status_of(LyErrorCode code)
{
    switch (code) {
    case LY_OK:
        return STATUS_OK;
    case LY_ERROR_CANCELLED:
        return STATUS_NO;
    case LY_ERROR_IO:
    case LY_ERROR_PROTOCOL:
    case LY_ERROR_DISCONNECT:
    case LY_ERROR_HOST_KEY:
    case LY_ERROR_AUTH:
    case LY_ERROR_TIMEOUT:
        return STATUS_IO;
    default:
        return STATUS_INPUT;
    }
}

Status tool_error(Tool *tool, const char *file, const LyError *error)
{
    return say(tool, status_of(error->code), file, error->message);
}

void tool_warn(Tool *tool, const char *format, ...)
{
    char message[1024];
    va_list args;
    va_start(args, format);
    vsnprintf(message, sizeof message, format, args);
    va_end(args);
    fprintf(stderr, "%s: warning: %s\n", tool->program, message);
}

Status tool_print(Tool *tool, LyBytes text)
{
    tool->printed = true;
    while (text.len) {
        ssize_t count = write(STDOUT_FILENO, text.data, text.len);
        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0) {
            LyError error;
            ly_error_set_errno(&error, errno, "cannot write to standard output");
            return tool_error(tool, NULL, &error);
        }
        text = ly_bytes_slice(text, (size_t)count, text.len);
    }
    return STATUS_OK;
}

static char *secret_copy(const char *text)
{
    size_t len = strlen(text);
    char *copy = ly_secret_alloc(len + 1);
    memcpy(copy, text, len + 1);
    return copy;
}

char *tool_ask(Tool *tool, const char *prompt, bool echo)
{
    return tool_question(tool, prompt, echo, false);
}

bool tool_confirm(Tool *tool, const char *prompt)
{
    char *answer = tool_question(tool, prompt, true, true);
    bool yes = answer && (strcasecmp(answer, "y") == 0 || strcasecmp(answer, "yes") == 0);
    ly_secret_free(answer);
    return yes;
}

/* The first line, byte by byte: what follows belongs to whoever reads the descriptor next. */
static char *read_line(int fd)
{
    char *line = ly_secret_alloc(PASSPHRASE_MAX);
    size_t len = 0;
    for (;;) {
        char byte;
        ssize_t got = read(fd, &byte, 1);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0 || len == PASSPHRASE_MAX - 1) {
            errno = got < 0 ? errno : E2BIG;
            ly_secret_free(line);
            return NULL;
        }
        if (got == 0 || byte == '\n')
            break;
        line[len++] = byte;
    }
    if (len && line[len - 1] == '\r')
        len--;
    line[len] = 0;
    return line;
}

static Status read_source(Tool *tool, PassphraseSource *source)
{
    if (source->read || (!source->file && source->fd < 0))
        return STATUS_OK;
    bool open_it = source->file && strcmp(source->file, "-") != 0;
    int fd = source->fd;
    if (source->file)
        fd = open_it ? open(source->file, O_RDONLY | O_CLOEXEC) : STDIN_FILENO;
    source->read = fd < 0 ? NULL : read_line(fd);
    if (!source->read) {
        LyError error;
        if (source->file)
            ly_error_set_errno(&error, errno, "cannot read a passphrase");
        else
            ly_error_set_errno(&error, errno, "cannot read a passphrase from descriptor %d", fd);
        tool_error(tool, source->file, &error);
    }
    if (open_it && fd >= 0)
        close(fd);
    return source->read ? STATUS_OK : STATUS_IO;
}

Status tool_read_sources(Tool *tool)
{
    Status status = read_source(tool, &tool->passphrase);
    return status ? status : read_source(tool, &tool->new_passphrase);
}

static const char *given(const PassphraseSource *source)
{
    return source->none ? "" : source->text ? source->text : source->read;
}

bool tool_has_passphrase(const Tool *tool)
{
    return tool->passphrase.text || tool->passphrase.file || tool->passphrase.fd >= 0;
}

static Status get_passphrase(Tool *tool, const char *file, const char *prompt, char **passphrase)
{
    Status status = tool_read_sources(tool);
    if (status)
        return status;
    const char *text = given(&tool->passphrase);
    char *answer = text ? secret_copy(text) : tool_ask(tool, prompt, false);
    if (!answer)
        return say(tool, STATUS_USAGE, file,
                   "a passphrase is needed and none was given: run it on a terminal, set SSH_ASKPASS, or use "
                   "--passphrase-file or --passphrase-fd");
    *passphrase = answer;
    return STATUS_OK;
}

Status tool_old_passphrase(Tool *tool, const char *prompt, char **passphrase)
{
    return get_passphrase(tool, NULL, prompt, passphrase);
}

Status tool_file_passphrase(Tool *tool, const char *file, char **passphrase)
{
    char *prompt = ly_format("Enter passphrase for %s: ", LY_PRINTABLE(ly_bytes_str(file)));
    Status status = get_passphrase(tool, file, prompt, passphrase);
    ly_free(prompt);
    return status;
}

Status tool_new_passphrase(Tool *tool, const char *file, char **passphrase)
{
    Status status = tool_read_sources(tool);
    const char *text = given(&tool->new_passphrase);
    if (status)
        return status;
    if (text) {
        *passphrase = secret_copy(text);
        return STATUS_OK;
    }
    char *prompt = ly_format("Enter passphrase for \"%s\" (empty for no passphrase): ",
                             LY_PRINTABLE(ly_bytes_str(file)));
    for (;;) {
        char *first = tool_ask(tool, prompt, false);
        char *second = first ? tool_ask(tool, "Enter same passphrase again: ", false) : NULL;
        bool same = second && strcmp(first, second) == 0;
        bool given_up = !second;
        ly_secret_free(second);
        if (same) {
            *passphrase = first;
            break;
        }
        ly_secret_free(first);
        if (given_up) {
            status = tool_fail(tool, STATUS_USAGE,
                               "a passphrase is to be chosen and none was given: run it on a terminal, set "
                               "SSH_ASKPASS, or use --new-passphrase-file, --new-passphrase-fd or "
                               "--no-passphrase");
            break;
        }
        fprintf(stderr, "Passphrases do not match.  Try again.\n");
    }
    ly_free(prompt);
    return status;
}
