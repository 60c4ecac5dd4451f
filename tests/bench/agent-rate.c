/* agent-rate SOCKET sign|list CLIENTS SECONDS [KEY.PUB FLAGS]: how an agent answers. Each client is a thread
 * with a connection of its own that asks again when it has the reply. One line on stdout: requests a second,
 * p50 and p99 in microseconds. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "agent/client.h"
#include "base/buf.h"
#include "base/memory.h"
#include "key/read.h"

enum { CLIENTS_MAX = 64, SAMPLES_MAX = 1 << 20, DATA_LEN = 300 };

typedef struct Client {
    pthread_t thread;
    const char *path;
    const LyBuf *request;
    unsigned expected;
    double seconds;
    uint32_t *samples_us; /* of each request */
    size_t count;
    bool failed;
} Client;

static uint64_t now_us(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * 1000000 + (uint64_t)time.tv_nsec / 1000;
}

static bool read_all(int fd, uint8_t *to, size_t len)
{
    while (len > 0) {
        ssize_t got = read(fd, to, len);
        if (got <= 0)
            return false;
        to += got;
        len -= (size_t)got;
    }
    return true;
}

/* One request and its reply, which must be of the expected type. */
static bool ask(int fd, const Client *client, uint8_t *reply)
{
    uint8_t head[4];
    if (write(fd, client->request->data, client->request->len) != (ssize_t)client->request->len ||
        !read_all(fd, head, sizeof head))
        return false;
    size_t len = (size_t)head[0] << 24 | (size_t)head[1] << 16 | (size_t)head[2] << 8 | head[3];
    return len > 0 && len <= LY_AGENT_MESSAGE_MAX && read_all(fd, reply, len) && reply[0] == client->expected;
}

static void *run(void *user)
{
    Client *client = user;
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    uint8_t *reply = ly_alloc(LY_AGENT_MESSAGE_MAX);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    snprintf(address.sun_path, sizeof address.sun_path, "%s", client->path);
    client->failed = connect(fd, (struct sockaddr *)&address, sizeof address) != 0;
    uint64_t start = now_us(), before = start, limit = (uint64_t)(client->seconds * 1e6);
    while (!client->failed && client->count < SAMPLES_MAX && before - start < limit) {
        client->failed = !ask(fd, client, reply);
        uint64_t after = now_us();
        client->samples_us[client->count++] = (uint32_t)(after - before);
        before = after;
    }
    close(fd);
    ly_free(reply);
    return NULL;
}

static int by_value(const void *a, const void *b)
{
    const uint32_t *x = a, *y = b;
    return *x < *y ? -1 : *x > *y;
}

/* The key's blob out of a line of a .pub file. */
static bool put_sign_request(LyBuf *out, const char *path, uint32_t flags)
{
    static uint8_t text[1 << 16];
    uint8_t data[DATA_LEN];
    FILE *file = fopen(path, "rb");
    size_t len = file ? fread(text, 1, sizeof text, file) : 0;
    LyError error = {0};
    LyCrypto *crypto = ly_crypto_new(0, &error);
    LyKey *key = crypto ? ly_key_read(crypto, ly_bytes(text, len), NULL, &error) : NULL;
    if (file)
        fclose(file);
    if (!key) {
        fprintf(stderr, "agent-rate: %s: %s\n", path, error.message);
        return false;
    }
    memset(data, 'd', sizeof data);
    ly_put_agent_sign_request(out, ly_key_blob(key), ly_bytes(data, sizeof data), flags);
    ly_key_unref(key);
    ly_crypto_unref(crypto);
    return true;
}

int main(int argc, char **argv)
{
    bool signs = argc == 7 && strcmp(argv[2], "sign") == 0;
    int clients = argc > 4 ? atoi(argv[3]) : 0;
    if ((!signs && (argc != 5 || strcmp(argv[2], "list") != 0)) || clients < 1 || clients > CLIENTS_MAX) {
        fprintf(stderr, "usage: agent-rate SOCKET sign|list CLIENTS SECONDS [KEY.PUB FLAGS]\n");
        return 2;
    }
    LyBuf body = {0}, request = {0};
    if (!signs)
        ly_put_agent_request_identities(&body);
    else if (!put_sign_request(&body, argv[5], (uint32_t)atoi(argv[6])))
        return 1;
    ly_put_string(&request, ly_bytes(body.data, body.len));

    Client client[CLIENTS_MAX] = {0};
    uint64_t start = now_us();
    size_t count = 0;
    bool failed = false;
    for (int i = 0; i < clients; i++) {
        client[i] = (Client){.path = argv[1],
                             .request = &request,
                             .expected = signs ? SSH_AGENT_SIGN_RESPONSE : SSH_AGENT_IDENTITIES_ANSWER,
                             .seconds = atof(argv[4]),
                             .samples_us = ly_alloc(SAMPLES_MAX * sizeof(uint32_t))};
        if (pthread_create(&client[i].thread, NULL, run, &client[i]) != 0)
            return 1;
    }
    for (int i = 0; i < clients; i++) {
        pthread_join(client[i].thread, NULL);
        failed |= client[i].failed;
        count += client[i].count;
    }
    double seconds = (double)(now_us() - start) / 1e6;
    uint32_t *samples = ly_alloc(count * sizeof *samples + 1);
    size_t at = 0;
    for (int i = 0; i < clients; i++) {
        memcpy(samples + at, client[i].samples_us, client[i].count * sizeof *samples);
        at += client[i].count;
        ly_free(client[i].samples_us);
    }
    qsort(samples, count, sizeof *samples, by_value);
    if (failed || count == 0)
        fprintf(stderr, "agent-rate: the agent refused, or it is gone\n");
    else
        printf("%.1f %u %u\n", (double)count / seconds, samples[count / 2], samples[count * 99 / 100]);
    ly_free(samples);
    ly_buf_free(&body);
    ly_buf_free(&request);
    return failed || count == 0;
}
