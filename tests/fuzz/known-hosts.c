/* known_hosts: the input is the file. */
#include "fuzz.h"

#include "../unit/key-samples.h"
#include "key/edit.h"
#include "key/known_hosts.h"
#include "key/read.h"

#define IN_2026 1782864000u

/* What is taken out is gone, and what is hashed names the same hosts: an edit makes no other verdict. */
static void check_edits(LyBytes text)
{
    static const LyBytes name = {(const uint8_t *)"[host.example]:2222", 19};
    LyCrypto *crypto = fuzz_crypto();
    LyBuf removed = {0}, hashed = {0}, again = {0};
    size_t count = ly_known_hosts_remove(crypto, text, name, &removed, NULL, NULL);
    FUZZ_ASSERT(removed.len <= text.len + 1);
    FUZZ_ASSERT(ly_known_hosts_remove(crypto, ly_buf_bytes(&removed), name, &again, NULL, NULL) == 0);
    FUZZ_ASSERT(again.len == removed.len);
    ly_buf_clear(&again);
    ly_known_hosts_hash(crypto, text, &hashed, NULL, NULL);
    FUZZ_ASSERT((ly_known_hosts_remove(crypto, ly_buf_bytes(&hashed), name, &again, NULL, NULL) > 0) ==
                (count > 0));
    ly_buf_free(&removed);
    ly_buf_free(&hashed);
    ly_buf_free(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static LyKey *keys[2];
    LyCrypto *crypto = fuzz_crypto();
    if (!keys[0]) {
        keys[0] = ly_key_read_line(crypto, ly_bytes_str(public_samples[0].line), NULL);
        keys[1] = ly_key_read_line(crypto, ly_bytes_str(cert_host), NULL);
    }
    static const struct {
        const char *host;
        uint16_t port;
    } hosts[] = {{"example.com", 22}, {"host.example", 2222}, {"::1", 22}, {"[a*?", 1}};
    LyKnownHosts *known = ly_known_hosts_new(crypto);
    LyBytes text = fuzz_copy(ly_bytes(data, len));
    ly_known_hosts_add(known, "known_hosts", text);
    check_edits(text);
    fuzz_free(text); /* it was copied */
    for (size_t i = 0; i < LY_COUNT(hosts); i++) {
        LyBytes host = ly_bytes_str(hosts[i].host);
        for (size_t k = 0; k < LY_COUNT(keys); k++) {
            LyHostCheck check;
            ly_known_hosts_check(known, host, hosts[i].port, keys[k], IN_2026, &check);
            FUZZ_ASSERT(check.verdict == LY_HOST_UNKNOWN || (check.file && check.line > 0));
        }
        LyBuf out = {0};
        ly_known_hosts_prefer(known, host, hosts[i].port,
                              LY_BYTES("ssh-ed25519-cert-v01@openssh.com,rsa-sha2-512,ssh-ed25519"), &out);
        ly_buf_free(&out);
    }
    ly_known_hosts_free(known);
    return 0;
}
