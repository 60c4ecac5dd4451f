/* A peer's bytes before there are keys: a byte of flags, then what it sends. With PACKETS the input is parts,
 * each the payload of a packet behind a right identification. */
#include "transport-ends.h"

enum { AS_SERVER = 1, PACKETS = 2, END_OF_INPUT = 4, CHUNK_SHIFT = 4 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    LyReader input = ly_reader(ly_bytes(data, len));
    uint8_t flags = ly_get_u8(&input), counter = 0;
    LyTransport *t = fuzz_transport(flags & AS_SERVER ? LY_SERVER : LY_CLIENT, NULL, &counter);
    LyBuf bytes = {0};
    if (flags & PACKETS) {
        ly_buf_add_str(&bytes, "SSH-2.0-Peer\r\n");
        while (input.len) {
            LyBytes payload = fuzz_part(&input);
            fuzz_put_clear_packet(&bytes, payload);
            fuzz_free(payload);
        }
    } else {
        ly_buf_add(&bytes, ly_get_rest(&input));
    }
    fuzz_pull(t);
    fuzz_feed(t, ly_buf_bytes(&bytes), fuzz_chunk(flags >> CHUNK_SHIFT));
    if (flags & END_OF_INPUT && !ly_transport_is_closed(t)) {
        ly_transport_input_done(t, 0);
        fuzz_pull(t);
        FUZZ_ASSERT(ly_transport_is_closed(t));
    }
    FUZZ_ASSERT(ly_transport_session_id(t).len == 0 || flags & AS_SERVER ||
                t->kex.step == LY_KEX_STEP_NEWKEYS);
    ly_transport_output_done(t, ly_transport_output(t).len);
    ly_transport_free(t);
    ly_buf_free(&bytes);
    return 0;
}
