/* ssh-keygen's lines, questions and names. */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/secret.h"
#include "ssh-keygen-private.h"

#define ANSWER_MAX 8192

static void say(const char *format, va_list args)
{
    char message[2048];
    vsnprintf(message, sizeof message, format, args);
    fflush(stdout);
    fprintf(stderr, "%s\r\n", message);
}

void keygen_say(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    say(format, args);
    va_end(args);
}

int keygen_fatal(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    say(format, args);
    va_end(args);
    return KEYGEN_FATAL;
}

const char *keygen_error_text(const LyError *error, char text[600])
{
    if (error->code == LY_ERROR_IO && error->system)
        snprintf(text, 600, "%s", strerror(error->system));
    else if (error->code == LY_ERROR_PASSPHRASE)
        snprintf(text, 600, "incorrect passphrase supplied to decrypt private key");
    else if (error->code == LY_ERROR_INVALID)
        snprintf(text, 600, "invalid format: %s", error->message);
    else
        snprintf(text, 600, "%s", error->message);
    return text;
}

/* How many bytes the UTF-8 character at the front has; 0: none that may be shown. */
static size_t shown_len(LyBytes bytes)
{
    uint8_t first = bytes.data[0];
    if (first < 0x80)
        return first >= 0x20 && first != 0x7f;
    size_t len = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
    bool control = first == 0xc2 && bytes.len > 1 && bytes.data[1] < 0xa0; /* C1 */
    return bytes.len >= len && !control && ly_utf8_valid(ly_bytes_slice(bytes, 0, len)) ? len : 0;
}

const char *keygen_visible(LyBytes bytes, LyBuf *out)
{
    ly_buf_clear(out);
    while (bytes.len) {
        size_t len = shown_len(bytes);
        if (len)
            ly_buf_add(out, ly_bytes_slice(bytes, 0, len));
        else
            ly_buf_add_format(out, "\\%03o", bytes.data[0]);
        bytes = ly_bytes_slice(bytes, LY_MAX(len, (size_t)1), bytes.len);
    }
    return ly_buf_str(out);
}

char *keygen_comment(LyBytes comment)
{
    char *text = ly_alloc(comment.len + 1);
    for (size_t i = 0; i < comment.len; i++) {
        char byte = (char)comment.data[i];
        text[i] = byte == '\n' || byte == '\r' || byte == 0 ? ' ' : byte;
    }
    return text;
}

static const struct passwd *user(void)
{
    return getpwuid(getuid());
}

const char *keygen_home(void)
{
    const struct passwd *entry = user();
    return entry ? entry->pw_dir : "/";
}

char *keygen_path(const char *path)
{
    /* ssh-keygen goes by the account, not by HOME. */
    if (path[0] != '~' || path[1] != '/')
        return ly_strdup(path);
    return ly_format("%s%s", keygen_home(), path + 1);
}

char *keygen_user_at_host(void)
{
    char host[256] = "";
    const struct passwd *entry = user();
    if (gethostname(host, sizeof host - 1) != 0)
        host[0] = 0;
    return ly_format("%s@%s", entry ? entry->pw_name : "", host);
}

bool keygen_read_line(LyBuf *line)
{
    ly_buf_clear(line);
    for (;;) {
        char byte;
        ssize_t got = read(STDIN_FILENO, &byte, 1);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return line->len > 0;
        if (byte == '\n')
            return true;
        if (line->len < ANSWER_MAX)
            ly_buf_add(line, ly_bytes(&byte, 1));
    }
}

bool keygen_need_file(Keygen *keygen, const char *prompt, int *status)
{
    if (keygen->file)
        return true;
    const LyKeyType *type = keygen_type_find(keygen->type ? keygen->type : "rsa");
    if (!type) {
        *status = keygen_fatal("bad key type");
        return false;
    }
    LY_AUTO(ly_buf_free) LyBuf line = {0};
    LY_AUTO_FREE char *name = ly_strdup(type->short_name);
    for (char *at = name; *at; at++)
        *at = *at == '-' ? '_' : (char)tolower((unsigned char)*at);
    keygen->asked_file = ly_format("%s/.ssh/id_%s", keygen_home(), name);
    printf("%s (%s): ", prompt, keygen->asked_file);
    fflush(stdout);
    if (!keygen_read_line(&line)) {
        *status = KEYGEN_NO;
        return false;
    }
    if (line.len) {
        ly_free(keygen->asked_file);
        keygen->asked_file = ly_strdup(ly_buf_str(&line));
    }
    keygen->file = keygen->asked_file;
    return true;
}

char *keygen_secret_copy(const char *text)
{
    size_t len = strlen(text);
    char *copy = ly_secret_alloc(len + 1);
    memcpy(copy, text, len + 1);
    return copy;
}

static bool is_set(const char *name)
{
    const char *value = getenv(name);
    return value && *value;
}

/* A window can be asked, or the terminal. */
static bool somebody_is_there(void)
{
    const char *require = getenv("SSH_ASKPASS_REQUIRE");
    bool display = is_set("DISPLAY") || is_set("WAYLAND_DISPLAY");
    if (require && strcasecmp(require, "force") == 0)
        return true;
    if (display && !(require && strcasecmp(require, "never") == 0) && is_set("SSH_ASKPASS"))
        return true;
    int terminal = open("/dev/tty", O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (terminal >= 0)
        close(terminal);
    return terminal >= 0;
}

char *keygen_ask_passphrase(Keygen *keygen, const char *prompt)
{
    fflush(stdout);
    if (somebody_is_there()) {
        char *answer = tool_ask(keygen->tool, prompt, false);
        return answer ? answer : keygen_secret_copy("");
    }
    LyBuf line = {0};
    fputs(prompt, stderr);
    keygen_read_line(&line);
    char *answer = keygen_secret_copy(ly_buf_str(&line));
    ly_buf_free(&line);
    return answer;
}

bool keygen_may_overwrite(const char *path)
{
    if (access(path, F_OK) != 0)
        return true;
    printf("%s already exists.\nOverwrite (y/n)? ", path);
    fflush(stdout);
    LyBuf line = {0};
    bool yes = keygen_read_line(&line) && line.len && (line.data[0] == 'y' || line.data[0] == 'Y');
    ly_buf_free(&line);
    return yes;
}

const LyKeyType *keygen_type_find(const char *name)
{
    static const char *const names[] = {
        "ssh-rsa",
        "ssh-dss",
        "ecdsa-sha2-nistp256",
        "ssh-ed25519",
        "sk-ssh-ed25519@openssh.com",
        "sk-ecdsa-sha2-nistp256@openssh.com",
    };
    bool certificate = false;
    const LyKeyType *type = ly_key_type_find(ly_bytes_str(name), &certificate);
    const LySignatureAlgorithm *algorithm = ly_signature_algorithm_find(ly_bytes_str(name));
    if (!type && algorithm) /* rsa-sha2-512 */
        type = ly_key_type_find(ly_bytes_str(algorithm->key_type), &certificate);
    for (size_t i = 0; !type && i < LY_COUNT(names); i++) {
        const LyKeyType *known = ly_key_type_find(ly_bytes_str(names[i]), NULL);
        if (known && strcasecmp(known->short_name, name) == 0)
            type = known;
    }
    return certificate ? NULL : type;
}

const char *keygen_blob_label(LyBytes blob, char *text, size_t room)
{
    LyReader reader = ly_reader(blob);
    LyBytes name = ly_get_string(&reader);
    bool certificate = false;
    const LyKeyType *type = ly_key_type_find(name, &certificate);
    snprintf(text, room, "%s%s", type ? type->short_name : "unknown", certificate ? "-CERT" : "");
    return text;
}

void keygen_put_fingerprint(Keygen *keygen, const LyKey *key, LyHash hash, bool bubblebabble, LyBuf *out)
{
    LyBytes blob = ly_key_plain_blob(key);
    uint8_t digest[LY_HASH_MAX];
    if (!bubblebabble)
        ly_key_put_fingerprint(keygen->crypto, blob, hash, out);
    else if (ly_hash(keygen->crypto, LY_SHA1, &blob, 1, digest))
        ly_put_bubblebabble(ly_bytes(digest, ly_hash_len(LY_SHA1)), out);
}

void keygen_put_art(Keygen *keygen, const LyKey *key, LyBuf *out)
{
    LyBytes blob = ly_key_plain_blob(key);
    uint8_t digest[LY_HASH_MAX];
    char label[64], hash[16];
    snprintf(hash, sizeof hash, "%s", ly_hash_name(keygen->hash));
    for (char *at = hash; *at; at++)
        *at = (char)toupper((unsigned char)*at);
    if (ly_hash(keygen->crypto, keygen->hash, &blob, 1, digest))
        ly_put_randomart(ly_bytes(digest, ly_hash_len(keygen->hash)),
                         keygen_blob_label(ly_key_blob(key), label, sizeof label), ly_key_bits(key), hash,
                         out);
}
