/* core/key: what people compare keys by, against what ssh-keygen 9.2 prints (-lv, -B, -r and -r -g). */
#include <glib.h>

#include "base/auto.h"
#include "key-samples.h"
#include "key/fingerprint.h"
#include "key/read.h"

static LyCrypto *crypto;

/* Of the keys of public_samples, in their order. */
static const struct {
    const char *name, *bubblebabble, *randomart, *sshfp, *generic;
} known[] = {
    {"ed25519", "xuvaf-falel-tudoc-cimyt-rifam-myheb-bobyc-baked-fohah-metad-byxax",
     "+--[ED25519 256]--+\n"
     "| oBoO@@.         |\n"
     "| +.B.B.+ .       |\n"
     "|o o + O + .      |\n"
     "| o + o B + .   . |\n"
     "|. o . o S o . . E|\n"
     "| . + o . .   .   |\n"
     "|  . + . .        |\n"
     "|     + .         |\n"
     "|      +          |\n"
     "+----[SHA256]-----+",
     "host.example IN SSHFP 4 1 f8339f7d0a11e1db4d88d50081101923d5583420\n"
     "host.example IN SSHFP 4 2 e89e0c909f0825594c73513b4a425d4672410ce7f7ac040bf01452e5933dfdd7\n",
     "host.example IN TYPE44 \\# 22 04 01 f8339f7d0a11e1db4d88d50081101923d5583420\n"
     "host.example IN TYPE44 \\# 34 04 02 "
     "e89e0c909f0825594c73513b4a425d4672410ce7f7ac040bf01452e5933dfdd7\n"},
    {"ecdsa256", "xunof-vanyt-zopuc-telyk-kamip-fyvat-pyfuf-timeb-fityg-ridut-bixax",
     "+---[ECDSA 256]---+\n"
     "|.o+* oo ..o+..   |\n"
     "|*oO +  +  o.o    |\n"
     "|+* + .o . o...   |\n"
     "|.+. o  o . +.    |\n"
     "|o..  o  S.. ..   |\n"
     "|.  E  .o.o..o    |\n"
     "| ...   .. .. .   |\n"
     "|. +.             |\n"
     "| o++             |\n"
     "+----[SHA256]-----+",
     "host.example IN SSHFP 3 1 e73ea5dfeb1d5f6663a33bdacc3de203344bc9d0\n"
     "host.example IN SSHFP 3 2 3025383e7f7d13915248b1afe0742502289936a105e64bc8458adbe8fee4ac47\n",
     "host.example IN TYPE44 \\# 22 03 01 e73ea5dfeb1d5f6663a33bdacc3de203344bc9d0\n"
     "host.example IN TYPE44 \\# 34 03 02 "
     "3025383e7f7d13915248b1afe0742502289936a105e64bc8458adbe8fee4ac47\n"},
    {"ecdsa384", "xemal-pazef-lehan-cocuc-cyfes-nybug-gupet-zatid-nyzic-higyt-haxox",
     "+---[ECDSA 384]---+\n"
     "| +*#O+o.=B+o.    |\n"
     "|o B*X+Eo+o.= .   |\n"
     "|.* +O+. o + o    |\n"
     "|o +o o . o       |\n"
     "|.       S        |\n"
     "|                 |\n"
     "|                 |\n"
     "|                 |\n"
     "|                 |\n"
     "+----[SHA256]-----+",
     "host.example IN SSHFP 3 1 207aff3715910611cfc942442adff629fc1552d5\n"
     "host.example IN SSHFP 3 2 55081752db8902003f714a821fbc4c3793c02a7051cc586ec677941989c0047d\n",
     "host.example IN TYPE44 \\# 22 03 01 207aff3715910611cfc942442adff629fc1552d5\n"
     "host.example IN TYPE44 \\# 34 03 02 "
     "55081752db8902003f714a821fbc4c3793c02a7051cc586ec677941989c0047d\n"},
    {"ecdsa521", "xugab-pugyp-ritok-penik-zaguk-ziciz-vyfuv-veled-rahep-kukeh-gexax",
     "+---[ECDSA 521]---+\n"
     "| BXBo.o          |\n"
     "|E .+*o o         |\n"
     "| o * o  o        |\n"
     "|+ = +  =         |\n"
     "|.* . o* S        |\n"
     "|o =  o.o o .     |\n"
     "| o .  ..o +      |\n"
     "|  o   o..+ ..    |\n"
     "| .     o..o...   |\n"
     "+----[SHA256]-----+",
     "host.example IN SSHFP 3 1 d00ad0abb46ae46f516f46fe0cee9e2b97a6da54\n"
     "host.example IN SSHFP 3 2 6896fb32fdb7904e9234580c26b9c19ac5fe800bfa16b06d8491359184350781\n",
     "host.example IN TYPE44 \\# 22 03 01 d00ad0abb46ae46f516f46fe0cee9e2b97a6da54\n"
     "host.example IN TYPE44 \\# 34 03 02 "
     "6896fb32fdb7904e9234580c26b9c19ac5fe800bfa16b06d8491359184350781\n"},
    {"rsa", "ximoc-pukek-gizen-milec-bodaf-zezob-pudas-nerot-fipuz-zilor-duxex",
     "+---[RSA 2048]----+\n"
     "|            o..o+|\n"
     "|.E         . o.o.|\n"
     "|o.        . . .. |\n"
     "|o..    . . .     |\n"
     "|+o      S + +    |\n"
     "|+. .   o . B *   |\n"
     "|o o . ..* . = o  |\n"
     "|+o . ..=+o + .   |\n"
     "|++     ++=X.     |\n"
     "+----[SHA256]-----+",
     "host.example IN SSHFP 1 1 631a19647c98dc100a3ffd0acac96dd328ffddb2\n"
     "host.example IN SSHFP 1 2 5c55474b29ac3edc861f6368a87db26fa6b0c9f32bb1a1482a3b636058a00b46\n",
     "host.example IN TYPE44 \\# 22 01 01 631a19647c98dc100a3ffd0acac96dd328ffddb2\n"
     "host.example IN TYPE44 \\# 34 01 02 "
     "5c55474b29ac3edc861f6368a87db26fa6b0c9f32bb1a1482a3b636058a00b46\n"},
    {"rsa1024", "xicoh-rikyk-huvyl-kudud-dufyb-konem-fipel-zifav-gevyn-lovok-doxyx",
     "+---[RSA 1024]----+\n"
     "|*=..     .       |\n"
     "|*+=     . .      |\n"
     "|.Boo   . o .     |\n"
     "|+oo.. o *...     |\n"
     "|E+ o . BSoo.     |\n"
     "|. . . o o.... .  |\n"
     "|       o  +... . |\n"
     "|      .... =o   o|\n"
     "|     .. ...o+o.o |\n"
     "+----[SHA256]-----+",
     "host.example IN SSHFP 1 1 475bdb6579768922cf066483687f0ee479977b62\n"
     "host.example IN SSHFP 1 2 d3b9e70be3576faa4688b8de0395c617b8f2202043746a0cecd690647b3ec286\n",
     "host.example IN TYPE44 \\# 22 01 01 475bdb6579768922cf066483687f0ee479977b62\n"
     "host.example IN TYPE44 \\# 34 01 02 "
     "d3b9e70be3576faa4688b8de0395c617b8f2202043746a0cecd690647b3ec286\n"},
    {"dsa", "xehik-gegut-lifyv-kibyp-cubug-kezuf-tovit-lybam-nupin-pemag-nexex",
     "+---[DSA 1024]----+\n"
     "|       . +.oo    |\n"
     "|      + +.++     |\n"
     "|     o o.oE o    |\n"
     "|    .... o + .   |\n"
     "|  o oo. S . o    |\n"
     "| o *.=oB +   .   |\n"
     "|..O.=.o +        |\n"
     "|.=.* . o         |\n"
     "| .B..   .        |\n"
     "+----[SHA256]-----+",
     "host.example IN SSHFP 2 1 166413d7cee6c2a182467f3d79d74389ab9aa149\n"
     "host.example IN SSHFP 2 2 466db703b62237ebd08c98918bbc1cd6abb150b3e9295d6d50965bc7921d4fa4\n",
     "host.example IN TYPE44 \\# 22 02 01 166413d7cee6c2a182467f3d79d74389ab9aa149\n"
     "host.example IN TYPE44 \\# 34 02 02 "
     "466db703b62237ebd08c98918bbc1cd6abb150b3e9295d6d50965bc7921d4fa4\n"},
};

static LyKey *read_sample(size_t i)
{
    LyError error = {0};
    LyKey *key = ly_key_read(crypto, ly_bytes_str(public_samples[i].line), NULL, &error);
    if (!key)
        g_error("%s: %s", public_samples[i].name, error.message);
    return key;
}

static LyBytes digest_of(const LyKey *key, LyHash hash, uint8_t digest[LY_HASH_MAX])
{
    LyBytes blob = ly_key_plain_blob(key);
    g_assert_true(ly_hash(crypto, hash, &blob, 1, digest));
    return ly_bytes(digest, ly_hash_len(hash));
}

static void test_known(void)
{
    g_assert_cmpuint(LY_COUNT(known), ==, LY_COUNT(public_samples));
    for (size_t i = 0; i < LY_COUNT(known); i++) {
        LyKey *key = read_sample(i);
        uint8_t digest[LY_HASH_MAX];
        LY_AUTO(ly_buf_free)
        LyBuf sha256 = {0}, md5 = {0}, bubblebabble = {0}, art = {0}, sshfp = {0}, generic = {0};
        g_assert_cmpstr(known[i].name, ==, public_samples[i].name);
        ly_key_put_fingerprint(crypto, ly_key_plain_blob(key), LY_SHA256, &sha256);
        g_assert_cmpstr(ly_buf_str(&sha256), ==, public_samples[i].sha256);
        ly_key_put_fingerprint(crypto, ly_key_plain_blob(key), LY_MD5, &md5);
        g_assert_cmpstr(ly_buf_str(&md5), ==, public_samples[i].md5);
        char text[100];
        ly_key_fingerprint(crypto, ly_key_plain_blob(key), LY_SHA256, text);
        g_assert_cmpstr(text, ==, public_samples[i].sha256);

        ly_put_bubblebabble(digest_of(key, LY_SHA1, digest), &bubblebabble);
        g_assert_cmpstr(ly_buf_str(&bubblebabble), ==, known[i].bubblebabble);
        ly_put_randomart(digest_of(key, LY_SHA256, digest), ly_key_type(key)->short_name, ly_key_bits(key),
                         "SHA256", &art);
        g_assert_cmpstr(ly_buf_str(&art), ==, known[i].randomart);

        g_assert_true(ly_key_put_sshfp(crypto, key, "host.example", LY_HASH_COUNT, false, &sshfp, NULL));
        g_assert_cmpstr(ly_buf_str(&sshfp), ==, known[i].sshfp);
        g_assert_true(ly_key_put_sshfp(crypto, key, "host.example", LY_HASH_COUNT, true, &generic, NULL));
        g_assert_cmpstr(ly_buf_str(&generic), ==, known[i].generic);
        /* One hash alone is one of the two lines. */
        const char *second = strchr(known[i].sshfp, '\n') + 1;
        ly_buf_clear(&sshfp);
        g_assert_true(ly_key_put_sshfp(crypto, key, "host.example", LY_SHA256, false, &sshfp, NULL));
        g_assert_cmpstr(ly_buf_str(&sshfp), ==, second);
        ly_buf_clear(&sshfp);
        g_assert_true(ly_key_put_sshfp(crypto, key, "host.example", LY_SHA1, false, &sshfp, NULL));
        g_assert_true(sshfp.len == (size_t)(second - known[i].sshfp) &&
                      ly_bytes_starts_with(ly_bytes_str(known[i].sshfp), ly_buf_str(&sshfp)));
        ly_key_unref(key);
    }
}

/* Huima's own samples: no bytes, an even and an odd number of them. */
static void test_bubblebabble(void)
{
    static const char *const samples[][2] = {
        {"", "xexax"},
        {"1234567890", "xesef-disof-gytuf-katof-movif-baxux"},
        {"Pineapple", "xigak-nyryk-humil-bosek-sonax"},
    };
    LyBuf out = {0};
    for (size_t i = 0; i < LY_COUNT(samples); i++) {
        ly_buf_clear(&out);
        ly_put_bubblebabble(ly_bytes_str(samples[i][0]), &out);
        g_assert_cmpstr(ly_buf_str(&out), ==, samples[i][1]);
    }
    ly_buf_free(&out);
}

/* Digests of 16 and 64 bytes; titles that do not fit. */
static void test_randomart(void)
{
    static const char *const md5 = "+---[RSA 2048]----+\n"
                                   "|     .o   +      |\n"
                                   "|    .. . + =   . |\n"
                                   "|   . .  . = + . .|\n"
                                   "|    o .. + o = o |\n"
                                   "|     . .S   + . .|\n"
                                   "|      .          |\n"
                                   "|       .         |\n"
                                   "|      ...        |\n"
                                   "|      ...oE      |\n"
                                   "+------[MD5]------+";
    static const char *const sha512 = "+---[RSA 2048]----+\n"
                                      "|o+++*o***..ooX+  |\n"
                                      "|+ooB+* Bo. .* + .|\n"
                                      "|=*oooo@  ....+ + |\n"
                                      "|+o+o.=   o+ +.o .|\n"
                                      "|..o . . S.oB +..o|\n"
                                      "|.  o + +. =E* o.o|\n"
                                      "|    = +.o++.o. o |\n"
                                      "|     B .oo o.    |\n"
                                      "|    ..+..  +=.   |\n"
                                      "+----[SHA512]-----+";
    static const struct {
        const char *type;
        unsigned bits;
        const char *border;
    } titles[] = {
        {"ED25519", 256, "+--[ED25519 256]--+"},         {"ED25519-CERT", 256, "+-[ED25519-CERT]--+"},
        {"RSA-CERT", 2048, "+-[RSA-CERT 2048]-+"},       {"ECDSA-SK-CERT", 256, "+-[ECDSA-SK-CERT]-+"},
        {"ED25519-SK-CERT", 256, "+[ED25519-SK-CERT-+"}, {"RSA", 16384, "+---[RSA 16384]---+"},
    };
    LyKey *key = read_sample(4);
    uint8_t digest[LY_HASH_MAX];
    LyBuf art = {0};
    g_assert_cmpstr(public_samples[4].name, ==, "rsa");
    ly_put_randomart(digest_of(key, LY_MD5, digest), "RSA", 2048, "MD5", &art);
    g_assert_cmpstr(ly_buf_str(&art), ==, md5);
    ly_buf_clear(&art);
    ly_put_randomart(digest_of(key, LY_SHA512, digest), "RSA", 2048, "SHA512", &art);
    g_assert_cmpstr(ly_buf_str(&art), ==, sha512);
    for (size_t i = 0; i < LY_COUNT(titles); i++) {
        ly_buf_clear(&art);
        ly_put_randomart((LyBytes){0}, titles[i].type, titles[i].bits, "SHA256", &art);
        g_assert_cmpuint(art.len, ==, 11 * 20 - 1);
        g_assert_true(ly_bytes_is(ly_bytes_slice(ly_buf_bytes(&art), 0, 19), titles[i].border));
    }
    /* A square that is visited more often than there are signs keeps the last one. */
    uint8_t back_and_forth[64];
    memset(back_and_forth, 0x33, sizeof back_and_forth);
    ly_buf_clear(&art);
    ly_put_randomart(ly_bytes(back_and_forth, sizeof back_and_forth), "X", 1, "Y", &art);
    g_assert_nonnull(strchr(ly_buf_str(&art), '^'));
    g_assert_null(strchr(ly_buf_str(&art) + 20, 'S')); /* he ends where he began */
    ly_buf_free(&art);
    ly_key_unref(key);
}

static void test_refused(void)
{
    static const char *const bad_hosts[] = {"", "a b", "a\nb IN SSHFP 1 1 00", "\x7f"};
    static const char sk[] = "\0\0\0\x1ask-ssh-ed25519@openssh.com\0\0\0\x20"
                             "0123456789abcdef0123456789abcdef\0\0\0\4ssh:";
    LyError error = {0};
    LyBuf out = {0};
    LyKey *key = read_sample(0), *sk_key = ly_key_new_public(crypto, ly_bytes(sk, sizeof sk - 1), &error);
    g_assert_nonnull(sk_key);
    g_assert_false(ly_key_put_sshfp(crypto, sk_key, "h", LY_SHA1, false, &out, &error));
    g_assert_cmpint(error.code, ==, LY_ERROR_UNSUPPORTED);
    g_assert_false(ly_key_put_sshfp(crypto, key, "h", LY_MD5, false, &out, &error));
    g_assert_cmpint(error.code, ==, LY_ERROR_UNSUPPORTED);
    for (size_t i = 0; i < LY_COUNT(bad_hosts); i++) {
        g_assert_false(ly_key_put_sshfp(crypto, key, bad_hosts[i], LY_SHA1, false, &out, &error));
        g_assert_cmpint(error.code, ==, LY_ERROR_INVALID);
    }
    g_assert_cmpuint(out.len, ==, 0);
    ly_buf_free(&out);
    ly_key_unref(sk_key);
    ly_key_unref(key);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    crypto = ly_crypto_new(0, NULL);
    g_assert_nonnull(crypto);
    g_test_add_func("/fingerprint/known", test_known);
    g_test_add_func("/fingerprint/bubblebabble", test_bubblebabble);
    g_test_add_func("/fingerprint/randomart", test_randomart);
    g_test_add_func("/fingerprint/refused", test_refused);
    int status = g_test_run();
    ly_crypto_unref(crypto);
    return status;
}
