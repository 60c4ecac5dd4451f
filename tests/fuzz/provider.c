/* What the agent reads of others that are no clients of its protocol: a module's process
 * (agent/provider/protocol.h), Cygwin's and gpg4win's socket files, Cygwin's handshake, Pageant's shared
 * memory. The first byte chooses which, and in what pieces. */
#include "transport-ends.h"

#include "../../agent/provider-words.h"
#include "agent/cygwin.h"
#include "agent/pageant.h"

static void keys(LyBytes in)
{
    LyKey *keys[PROVIDER_KEYS_MAX];
    LyReader reader = ly_reader(in);
    size_t count = 0;
    bool good = provider_get_keys(fuzz_crypto(), &reader, "/a/module.so", keys, &count);
    FUZZ_ASSERT(count <= PROVIDER_KEYS_MAX && (good || !count));
    while (count) {
        LyKey *key = keys[--count];
        FUZZ_ASSERT(ly_key_blob(key).len && ly_key_comment(key).len <= 200 && !ly_key_is_private(key));
        ly_key_unref(key);
    }
}

static void signature(LyBytes in, uint8_t choice)
{
    static const char *const algorithms[FUZZ_KEYS] = {"ssh-ed25519", "ecdsa-sha2-nistp256"};
    LyReader reader = ly_reader(in);
    LyBytes signature = {0};
    LyError error = {0};
    size_t which = choice & 4 ? 1 : 0;
    bool good = provider_get_signature(fuzz_crypto(), &reader, fuzz_keys()[which],
                                       ly_bytes_str(algorithms[which]), LY_BYTES("data"), &signature, &error);
    FUZZ_ASSERT(good == (error.code == LY_OK) && good == (signature.len > 0));
}

static void files(LyBytes in)
{
    LyCygwinFile file, again;
    LyError error = {0};
    LyBuf out = {0};
    bool good = ly_get_cygwin_file(in, &file, &error);
    FUZZ_ASSERT(good == (error.code == LY_OK) && (!good || ly_is_cygwin_file(in)));
    if (good) {
        ly_put_cygwin_file(&file, &out);
        FUZZ_ASSERT(ly_get_cygwin_file(ly_buf_bytes(&out), &again, NULL));
        FUZZ_ASSERT(file.port == again.port && memcmp(file.secret, again.secret, sizeof file.secret) == 0);
    }
    ly_buf_free(&out);
    error = (LyError){0};
    good = ly_get_assuan_file(in, &file, &error);
    FUZZ_ASSERT(good == (error.code == LY_OK));
}

static void handshake(LyBytes in, uint8_t choice)
{
    LyCygwinFile file = {.port = 1, .secret = "0123456789abcde"};
    LyCygwinCredentials ours = {1, 2, 3};
    LyCygwinHandshake handshake;
    LyBuf out = {0};
    ly_cygwin_handshake_begin(&handshake, choice & 4, &file, ours, &out);
    while (in.len && !handshake.done && !handshake.failed) {
        LyBytes piece = fuzz_copy(ly_bytes_slice(in, 0, fuzz_chunk(choice)));
        size_t taken = ly_cygwin_handshake_receive(&handshake, piece, &out);
        FUZZ_ASSERT(taken <= piece.len && (taken == piece.len || handshake.done || handshake.failed));
        in = ly_bytes_slice(in, taken, SIZE_MAX);
        fuzz_free(piece);
    }
    FUZZ_ASSERT(out.len <= 2 * (LY_CYGWIN_SECRET_LEN + LY_CYGWIN_CREDENTIALS_LEN));
    ly_buf_free(&out);
}

static void pageant(LyBytes in, uint8_t choice)
{
    LyBytes name, reply;
    LyBuf request = {0};
    LyError error = {0};
    if (choice & 4 && ly_pageant_map_name(LY_PAGEANT_COPYDATA, in, &name, &error))
        FUZZ_ASSERT(name.len && name.len < in.len && !memchr(name.data, 0, name.len));
    error = (LyError){0};
    bool good = ly_pageant_get_request(in, &request, &error);
    FUZZ_ASSERT(good == (error.code == LY_OK) && (!good || (request.len && request.len + 4 <= in.len)));
    if (ly_pageant_get_reply(in, &reply, NULL))
        FUZZ_ASSERT(reply.len && reply.data == in.data + 4 && reply.len + 4 <= in.len);
    ly_pageant_put_reply(ly_buf_bytes(&request), (uint8_t *)(uintptr_t)in.data, in.len);
    ly_buf_free(&request);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    if (len == 0)
        return 0;
    LyBytes in = fuzz_copy(ly_bytes(data + 1, len - 1));
    uint8_t choice = data[0];
    switch (choice >> 5) {
    case 0:
    case 1:
        keys(in);
        break;
    case 2:
        signature(in, choice);
        break;
    case 3:
        files(in);
        break;
    case 4:
    case 5:
        handshake(in, choice);
        break;
    default:
        pageant(in, choice);
        break;
    }
    fuzz_free(in);
    return 0;
}
