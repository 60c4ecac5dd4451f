/* lanyard-agent-provider: one module in a process of its own, started by lanyard-agent (protocol.h). */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/error.h"
#include "module.h"

#define CLOSING_S 10 /* for a module that does not come back from what it does, or from logging out */

void reply_done(LyBuf *reply, const char *note)
{
    ly_put_u8(reply, PROVIDER_DONE);
    ly_put_cstring(reply, note ? note : "");
}

void reply_failed(LyBuf *reply, const char *format, ...)
{
    char note[500];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(note, sizeof note, format, arguments);
    va_end(arguments);
    ly_put_u8(reply, PROVIDER_FAILED);
    ly_put_cstring(reply, note);
}

void reply_pin(LyBuf *reply, const char *note, const char *whose)
{
    ly_put_u8(reply, PROVIDER_PIN);
    ly_put_cstring(reply, note ? note : "");
    ly_put_cstring(reply, whose);
}

typedef struct Helper {
    LyCrypto *crypto;
    bool is_sk;
    const char *path;
    Pkcs11 *pkcs11; /* loaded at the first request */
} Helper;

static bool load(Helper *helper, LyBuf *reply)
{
    LyError error;
    if (!helper->pkcs11 && !helper->is_sk)
        helper->pkcs11 = pkcs11_open(helper->crypto, helper->path, &error);
    if (!helper->pkcs11)
        reply_failed(reply, "%s", helper->is_sk ? "the request is for a PKCS#11 module" : error.message);
    return helper->pkcs11 != NULL;
}

static void answer(Helper *helper, LyReader *request, LyBuf *reply)
{
    switch (ly_get_u8(request)) {
    case PROVIDER_LIST: {
        LyBytes pin = ly_get_string(request);
        if (ly_reader_done(request) && load(helper, reply))
            pkcs11_list(helper->pkcs11, pin, reply);
        break;
    }
    case PROVIDER_SIGN: {
        LyBytes blob = ly_get_string(request), algorithm = ly_get_string(request);
        LyBytes data = ly_get_string(request), pin = ly_get_string(request);
        if (ly_reader_done(request) && load(helper, reply))
            pkcs11_sign(helper->pkcs11, blob, algorithm, data, pin, reply);
        break;
    }
    case PROVIDER_SK_SIGN: {
        SkRequest sk = {.type = ly_get_string(request), .application = ly_get_string(request)};
        sk.flags = ly_get_u8(request);
        sk.handle = ly_get_string(request);
        sk.data = ly_get_string(request);
        sk.pin = ly_get_string(request);
        if (ly_reader_done(request) && helper->is_sk)
            sk_sign_with(helper->crypto, helper->path, &sk, reply);
        break;
    }
    default:
        break;
    }
    if (reply->len == 0)
        reply_failed(reply, "the request is malformed");
}

/* The whole of it; false at the end. */
static bool transfer(int fd, uint8_t *data, size_t len, bool writes)
{
    while (len) {
        ssize_t count = writes ? write(fd, data, len) : read(fd, data, len);
        if (count < 0 && errno == EINTR)
            continue;
        if (count <= 0)
            return false;
        data += count;
        len -= (size_t)count;
    }
    return true;
}

/* False at the end of the input. */
static bool serve_one(Helper *helper, int fd)
{
    uint8_t header[4];
    if (!transfer(fd, header, sizeof header, false))
        return false;
    uint32_t len = ly_load_u32(header);
    LY_AUTO(ly_buf_free) LyBuf request = {0};
    LY_AUTO(ly_buf_free) LyBuf body = {0};
    LY_AUTO(ly_buf_free) LyBuf reply = {0};
    uint8_t *room = len > PROVIDER_MESSAGE_MAX ? NULL : ly_buf_room(&request, len + 1);
    if (!room || !transfer(fd, room, len, false))
        return false;
    ly_buf_added(&request, len);
    LyReader reader = ly_reader(ly_buf_bytes(&request));
    answer(helper, &reader, &body);
    if (body.len > PROVIDER_MESSAGE_MAX) {
        ly_buf_clear(&body);
        reply_failed(&body, "the reply is too long");
    }
    ly_put_string(&reply, ly_buf_bytes(&body));
    return transfer(fd, reply.data, reply.len, true);
}

static void agent_gone(int number)
{
    alarm(CLOSING_S);
}

/* The protocol's descriptor is moved away, because modules print to stdout and read from stdin. */
static int take_socket(void)
{
    int fd = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3), null = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (fd < 0 || null < 0 || dup2(null, STDIN_FILENO) < 0 || dup2(STDERR_FILENO, STDOUT_FILENO) < 0)
        return -1;
    close(null);
    return fd;
}

int main(int argc, char **argv)
{
    static const struct rlimit none = {0, 0};
    LyError error;
    bool is_sk = argc == 3 && strcmp(argv[1], PROVIDER_SK) == 0;
    if (isatty(STDIN_FILENO) || argc != 3 || (!is_sk && strcmp(argv[1], PROVIDER_PKCS11) != 0)) {
        fprintf(stderr, PROVIDER_PROGRAM " is started by lanyard-agent\n");
        return 2;
    }
    /* PINs pass through here; and once the agent is gone, nobody else ends a module that hangs. */
    prctl(PR_SET_DUMPABLE, 0);
    setrlimit(RLIMIT_CORE, &none);
    sigaction(SIGHUP, &(struct sigaction){.sa_handler = agent_gone, .sa_flags = SA_RESTART}, NULL);
    prctl(PR_SET_PDEATHSIG, SIGHUP);
    int fd = take_socket();
    Helper helper = {.is_sk = is_sk, .path = argv[2], .crypto = ly_crypto_new(0, &error)};
    if (fd < 0 || !helper.crypto) {
        fprintf(stderr, PROVIDER_PROGRAM ": %s\n", fd < 0 ? strerror(errno) : error.message);
        return 1;
    }
    while (serve_one(&helper, fd))
        continue;
    alarm(CLOSING_S);
    pkcs11_close(helper.pkcs11);
    ly_crypto_unref(helper.crypto);
    return 0;
}
