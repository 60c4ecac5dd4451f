/* What forwarding reads of strangers and of files: SOCKS, the first bytes of X11 clients, authority files,
 * displays' names, ssh(1)'s words. The first byte chooses which, and in what pieces. */
#include "fuzz.h"

#include "loop/forward.h"
#include "loop/socks.h"
#include "loop/x11-private.h"

static void socks(LyBytes in, uint8_t choice)
{
    bool password = choice & 4;
    size_t chunk = fuzz_chunk(choice);
    LySocks socks;
    LyBuf out = {0};
    LySocksStep step = LY_SOCKS_START;
    ly_socks_init(&socks, password ? "alice" : NULL, password ? "secret" : NULL);
    while (in.len && step < LY_SOCKS_CONNECT) {
        LyError error = {0};
        LyBytes piece = ly_bytes_slice(in, 0, chunk), rest = piece;
        step = ly_socks_receive(&socks, &rest, &out, &error);
        FUZZ_ASSERT(rest.len <= piece.len && (rest.len == 0 || step >= LY_SOCKS_CONNECT));
        FUZZ_ASSERT((step == LY_SOCKS_FAILED) == (error.code != LY_OK));
        in = ly_bytes_slice(in, piece.len - rest.len, in.len);
    }
    FUZZ_ASSERT(out.len <= 14); /* method, password, refusal */
    if (step == LY_SOCKS_CONNECT) {
        FUZZ_ASSERT(*socks.host && strlen(socks.host) < sizeof socks.host);
        FUZZ_ASSERT(!password || socks.version == 5);
        ly_socks_reply(&socks, choice >> 4, &out);
    }
    ly_buf_free(&out);
}

static void x11_first(LyBytes in)
{
    LyBuf out = {0};
    size_t used = 0;
    LyX11First first = ly_x11_first(in, LY_BYTES("0123456789abcdef"), LY_BYTES("real"), &used, &out);
    FUZZ_ASSERT((first == LY_X11_RIGHT) == (used > 0) && used <= in.len && used <= LY_X11_FIRST_MAX);
    FUZZ_ASSERT(first != LY_X11_MORE || (out.len == 0 && in.len < LY_X11_FIRST_MAX));
    ly_buf_free(&out);
}

static void x11_file(LyBytes in)
{
    LyX11Display display;
    LyBytes cookie;
    FUZZ_ASSERT(ly_x11_display_parse(":0", &display, NULL));
    if (ly_x11_authority_find(in, &display, "desk", &cookie))
        FUZZ_ASSERT(cookie.len && cookie.data >= in.data && cookie.data + cookie.len <= in.data + in.len);
}

static void words(LyBytes in, uint8_t choice)
{
    char *text = ly_bytes_dup_str(in), *storage = NULL;
    LyForwardEnd listen, to;
    LyX11Display display;
    LyError error = {0};
    bool remote = choice & 4, dynamic = choice & 8;
    bool right = ly_forward_parse(text, dynamic, remote, &listen, &to, &storage, &error);
    FUZZ_ASSERT(right == (error.code == LY_OK) && right == (storage != NULL));
    if (right) {
        FUZZ_ASSERT(!listen.path != !listen.host);
        FUZZ_ASSERT(dynamic || remote || !to.path != !to.host);
        FUZZ_ASSERT(!to.host || (*to.host && to.port));
    }
    ly_free(storage);
    ly_x11_display_parse(text, &display, NULL);
    ly_free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    if (len == 0)
        return 0;
    LyBytes in = fuzz_copy(ly_bytes(data + 1, len - 1));
    uint8_t choice = data[0];
    switch (choice >> 6) {
    case 0:
        socks(in, choice);
        break;
    case 1:
        x11_first(in);
        break;
    case 2:
        x11_file(in);
        break;
    default:
        words(in, choice);
        break;
    }
    fuzz_free(in);
    return 0;
}
