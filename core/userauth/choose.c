/* Which signature algorithm to offer for a key: RFC 8332 section 3.3, and what servers of the field make of
 * it. */
#include "userauth/messages.h"

/* Servers from before rsa-sha2-*, which send no server-sig-algs that would say so. */
static const char *const without_rsa_sha2[] = {
    "SSH-2.0-OpenSSH_2",    "SSH-2.0-OpenSSH_3",   "SSH-2.0-OpenSSH_4",   "SSH-2.0-OpenSSH_5",
    "SSH-2.0-OpenSSH_6",    "SSH-2.0-OpenSSH_7.0", "SSH-2.0-OpenSSH_7.1", "SSH-2.0-dropbear_0.",
    "SSH-2.0-dropbear_201", "SSH-2.0-Cisco-1.",    "SSH-1.99-",
};

static bool lacks_rsa_sha2(LyBytes ident)
{
    for (size_t i = 0; i < LY_COUNT(without_rsa_sha2); i++) {
        if (ly_bytes_starts_with(ident, without_rsa_sha2[i]))
            return true;
    }
    return false;
}

static bool is_sha1(const LySignatureAlgorithm *algorithm)
{
    return strcmp(algorithm->signature, "ssh-rsa") == 0;
}

bool ly_userauth_choose_algorithm(const LyUserauthClient *auth, const char *key_type, LyBytes accepted,
                                  LyBytes *algorithm)
{
    LyTransport *transport = ly_userauth_client_transport(auth);
    LyBytes ident = ly_transport_peer_ident(transport);
    LyBytes listed = {0};
    bool have_list = ly_transport_peer_extension(transport, "server-sig-algs", &listed);
    bool old = !have_list && lacks_rsa_sha2(ident);
    /* OpenSSH 7.4 takes rsa-sha2-* and forgets to list them. */
    bool forgets_rsa_sha2 = ly_bytes_starts_with(ident, "SSH-2.0-OpenSSH_7.4");
    LyBytes rest = accepted, name, second = {0};
    while (ly_names_next(&rest, &name)) {
        const LySignatureAlgorithm *candidate = ly_signature_algorithm_find(name);
        if (!candidate || strcmp(candidate->key_type, key_type) != 0)
            continue;
        bool rsa =
            is_sha1(candidate) || ly_bytes_starts_with(ly_bytes_str(candidate->signature), "rsa-sha2-");
        bool fits = true;
        if (rsa && have_list) {
            /* Certificates are listed by their plain signature algorithm, if at all. */
            if (!ly_names_contain(listed, name) &&
                !ly_names_contain(listed, ly_bytes_str(candidate->signature)) &&
                !(forgets_rsa_sha2 && !is_sha1(candidate)))
                continue;
        } else if (rsa) {
            fits = old == is_sha1(candidate);
        }
        if (fits) {
            *algorithm = name;
            return true;
        }
        if (!second.len)
            second = name;
    }
    if (!second.len)
        return false;
    *algorithm = second;
    return true;
}
