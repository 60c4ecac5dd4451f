/* delay-proxy DELAY_MS TARGET_PORT: relays TCP connections to 127.0.0.1:TARGET_PORT and lets every byte
 * arrive DELAY_MS later in each direction (so the round trip grows by twice that). Prints "listening on
 * PORT". For the benchmark: netem is not everywhere. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define PAIRS_MAX 64
#define PIECE_LEN (256 * 1024)
#define HELD_MAX ((size_t)256 << 20) /* bytes on their way in one direction */

typedef struct Piece {
    struct Piece *next;
    uint64_t due_us;
    size_t len, sent;
    bool end; /* the sender closed */
    uint8_t data[];
} Piece;

typedef struct Direction {
    Piece *first, **last;
    size_t held;
    bool ended, closed;
} Direction;

typedef struct Pair {
    int fd[2]; /* 0: the client's, 1: the target's */
    Direction to[2];
} Pair;

static uint64_t now_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

static int loopback(uint16_t port, bool listening)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    int failed = listening ? bind(fd, (void *)&address, sizeof address) || listen(fd, 64)
                           : connect(fd, (void *)&address, sizeof address);
    if (failed) {
        perror(listening ? "listen" : "connect");
        close(fd);
        return -1;
    }
    return fd;
}

static void add_piece(Direction *to, Piece *piece)
{
    piece->next = NULL;
    *to->last = piece;
    to->last = &piece->next;
    to->held += piece->len;
}

/* What came from side `from` is due at the other side after the delay. */
static void take_in(Pair *pair, int from, uint64_t delay_us)
{
    Direction *to = &pair->to[1 - from];
    Piece *piece = malloc(sizeof *piece + PIECE_LEN);
    ssize_t len = recv(pair->fd[from], piece->data, PIECE_LEN, MSG_DONTWAIT);
    if (len < 0 && (errno == EAGAIN || errno == EINTR)) {
        free(piece);
        return;
    }
    /* Field by field: assigning a whole struct writes its padding too, where data begins. */
    piece->due_us = now_us() + delay_us;
    piece->len = len > 0 ? (size_t)len : 0;
    piece->sent = 0;
    piece->end = len <= 0;
    piece = realloc(piece, sizeof *piece + piece->len);
    to->ended = to->ended || piece->end;
    add_piece(to, piece);
}

static void give_out(Pair *pair, int side, uint64_t now)
{
    Direction *to = &pair->to[side];
    while (to->first && to->first->due_us <= now) {
        Piece *piece = to->first;
        if (piece->end) {
            shutdown(pair->fd[side], SHUT_WR);
            to->closed = true;
        } else {
            ssize_t len = send(pair->fd[side], piece->data + piece->sent, piece->len - piece->sent,
                               MSG_DONTWAIT | MSG_NOSIGNAL);
            if (len < 0 && errno != EAGAIN) {
                to->closed = to->ended = true;
                piece->sent = piece->len;
            } else if (len < 0) {
                return;
            } else {
                piece->sent += (size_t)len;
            }
            if (piece->sent < piece->len)
                return;
        }
        to->first = piece->next;
        if (!to->first)
            to->last = &to->first;
        to->held -= piece->len;
        free(piece);
    }
}

static void drop(Pair *pair)
{
    for (int side = 0; side < 2; side++) {
        close(pair->fd[side]);
        for (Piece *piece = pair->to[side].first, *next; piece; piece = next) {
            next = piece->next;
            free(piece);
        }
    }
}

int main(int argc, char **argv)
{
    static Pair pairs[PAIRS_MAX];
    struct pollfd polls[1 + 2 * PAIRS_MAX];
    size_t count = 0;
    if (argc != 3)
        return fprintf(stderr, "usage: delay-proxy DELAY_MS TARGET_PORT\n"), 2;
    uint64_t delay_us = (uint64_t)(atof(argv[1]) * 1000);
    int listener = loopback(0, true);
    struct sockaddr_in address;
    socklen_t address_len = sizeof address;
    getsockname(listener, (void *)&address, &address_len);
    printf("listening on %u\n", ntohs(address.sin_port));
    fflush(stdout);
    for (;;) {
        uint64_t now = now_us(), next = UINT64_MAX;
        polls[0] = (struct pollfd){.fd = count < PAIRS_MAX ? listener : -1, .events = POLLIN};
        for (size_t i = 0; i < count; i++) {
            for (int side = 0; side < 2; side++) {
                Direction *in = &pairs[i].to[1 - side], *out = &pairs[i].to[side];
                bool late = out->first && out->first->due_us <= now;
                short events =
                    (short)((!in->ended && in->held < HELD_MAX ? POLLIN : 0) | (late ? POLLOUT : 0));
                polls[1 + 2 * i + (size_t)side] =
                    (struct pollfd){.fd = events ? pairs[i].fd[side] : -1, .events = events};
                if (out->first && !late && out->first->due_us < next)
                    next = out->first->due_us;
            }
        }
        struct timespec wait = {.tv_sec = next == UINT64_MAX ? 3600 : (time_t)((next - now) / 1000000),
                                .tv_nsec = next == UINT64_MAX ? 0 : (long)((next - now) % 1000000) * 1000};
        ppoll(polls, 1 + 2 * count, &wait, NULL);
        now = now_us();
        size_t polled = count;
        if (polls[0].revents & POLLIN) {
            int client = accept4(listener, NULL, NULL, SOCK_CLOEXEC), one = 1;
            int target = client >= 0 ? loopback((uint16_t)atoi(argv[2]), false) : -1;
            if (target >= 0) {
                setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
                Pair *pair = &pairs[count++];
                *pair = (Pair){.fd = {client, target}};
                for (int side = 0; side < 2; side++)
                    pair->to[side].last = &pair->to[side].first;
            } else if (client >= 0) {
                close(client);
            }
        }
        for (size_t i = polled; i-- > 0;) {
            for (int side = 0; side < 2; side++)
                if (polls[1 + 2 * i + (size_t)side].revents & (POLLIN | POLLHUP | POLLERR) &&
                    !pairs[i].to[1 - side].ended)
                    take_in(&pairs[i], side, delay_us);
            for (int side = 0; side < 2; side++)
                give_out(&pairs[i], side, now);
            if (pairs[i].to[0].closed && pairs[i].to[1].closed) {
                drop(&pairs[i]);
                pairs[i] = pairs[--count];
                for (int side = 0; side < 2; side++)
                    if (!pairs[i].to[side].first)
                        pairs[i].to[side].last = &pairs[i].to[side].first;
            }
        }
    }
}
