/* seeds FOLDER: writes valid inputs for every target into FOLDER/TARGET/, made by the code under test. Run by
 * hand when a target's input changes its shape; the files are kept in corpus/. */
#include <sys/stat.h>

#include "seeds.h"
#include "transport-ends.h"

#include "../unit/key-samples-read.h"
#include "../unit/sshsig-samples.h"
#include "agent/client.h"
#include "base/base64.h"
#include "connection/connection.h"
#include "key/krl.h"
#include "key/write.h"
#include "session/config.h"
#include "sftp/server.h"
#include "userauth/messages.h"

static const char *top;

static void put_file(const char *target, const char *name, LyBytes bytes)
{
    char path[512];
    snprintf(path, sizeof path, "%s/%s", top, target);
    mkdir(path, 0755);
    snprintf(path, sizeof path, "%s/%s/%s", top, target, name);
    FILE *file = fopen(path, "wb");
    FUZZ_ASSERT(file && fwrite(bytes.data, 1, bytes.len, file) == bytes.len);
    fclose(file);
}

void put_seed(const char *target, const char *name, LyBuf *input)
{
    put_file(target, name, ly_buf_bytes(input));
    ly_buf_free(input);
}

static LyBytes line_blob(const char *line, LyBuf *out)
{
    LyKey *key = ly_key_read_line(fuzz_crypto(), ly_bytes_str(line), NULL);
    FUZZ_ASSERT(key);
    ly_buf_clear(out);
    ly_buf_add(out, ly_key_blob(key));
    ly_key_unref(key);
    return ly_buf_bytes(out);
}

/* ---- keys ---- */

static void key_files(void)
{
    for (size_t i = 0; i < LY_COUNT(private_samples); i++) {
        LyBuf input = {0};
        ly_put_u8(&input, private_samples[i].encrypted);
        ly_buf_add_str(&input, private_samples[i].text);
        put_seed("key-file", private_samples[i].name, &input);
    }
    for (size_t i = 0; i < LY_COUNT(other_public_samples); i++) {
        LyBuf input = {0};
        ly_put_u8(&input, 2);
        ly_buf_add_str(&input, other_public_samples[i].text);
        put_seed("key-file", other_public_samples[i].name, &input);
    }
    for (size_t i = 0; i < LY_COUNT(format_samples); i++) {
        LyBuf input = {0};
        ly_put_u8(&input, format_samples[i].cipher[0] != 0);
        ly_buf_add_str(&input, format_samples[i].text);
        put_seed("key-file", format_samples[i].name, &input);
    }
    static const struct {
        const char *name;
        LyKeyFormat format;
        LyKeyKdf kdf;
    } written[] = {{"written.ppk2", LY_KEY_PPK2, {"sha1"}},
                   {"written.ppk3", LY_KEY_PPK3, {"argon2id", .memory_kib = 8, .passes = 1, .lanes = 1}},
                   {"written.jwk", LY_KEY_JWK, {0}},
                   {"written.scrypt", LY_KEY_PKCS8, {"scrypt", .memory_kib = 16, .lanes = 1}}};
    for (size_t i = 0; i < LY_COUNT(written); i++) {
        LyBuf input = {0};
        LyKeyWriteOptions options = {.passphrase = written[i].kdf.name ? LY_BYTES("secret") : (LyBytes){0},
                                     .kdf = written[i].kdf};
        ly_put_u8(&input, 1);
        FUZZ_ASSERT(
            ly_key_write_private(fuzz_crypto(), fuzz_keys()[0], written[i].format, &options, &input, NULL));
        put_seed("key-file", written[i].name, &input);
    }
    LyBuf lines = {0};
    ly_put_u8(&lines, 0);
    ly_buf_add_str(&lines, "# lines\r\nrestrict,command=\"a \\\"b\\\"\" ");
    ly_buf_add_str(&lines, public_samples[0].line);
    ly_buf_add_str(&lines, "words\n@revoked host,[h]:22 ");
    ly_buf_add_str(&lines, public_samples[1].line);
    put_seed("key-file", "lines", &lines);
    LyBuf input = {0}; /* encrypted, with rounds that the target allows */
    LyKeyWriteOptions options = {.passphrase = LY_BYTES("secret"), .kdf.rounds = 1};
    ly_put_u8(&input, 5);
    FUZZ_ASSERT(ly_key_write_openssh(fuzz_crypto(), fuzz_keys()[0], &options, &input, NULL));
    put_seed("key-file", "one-round", &input);
    ly_put_u8(&input, 2);
    ly_buf_add_str(&input, cert_user);
    put_seed("key-file", "certificate-line", &input);
}

static void key_blob_seed(const char *name, LyBytes blob, LyBytes signature, LyBytes message, LyBytes fields)
{
    LyBuf input = {0};
    fuzz_put_part(&input, blob);
    fuzz_put_part(&input, signature);
    fuzz_put_part(&input, message);
    fuzz_put_part(&input, fields);
    put_seed("key-blob", name, &input);
}

static void key_blobs(void)
{
    static const struct {
        const char *name, *line;
    } certificates[] = {{"cert-user", cert_user},         {"cert-forced", cert_user_forced},
                        {"cert-none", cert_user_none},    {"cert-unknown", cert_user_unknown},
                        {"cert-rsa-ca", cert_user_rsaca}, {"cert-host", cert_host},
                        {"cert-host-rsa", cert_host_rsa}};
    LyBuf blob = {0};
    for (size_t i = 0; i < LY_COUNT(certificates); i++)
        key_blob_seed(certificates[i].name, line_blob(certificates[i].line, &blob), (LyBytes){0},
                      (LyBytes){0}, (LyBytes){0});
    for (size_t i = 0; i < LY_COUNT(public_samples); i++)
        key_blob_seed(public_samples[i].name, line_blob(public_samples[i].line, &blob), (LyBytes){0},
                      LY_BYTES("m"), (LyBytes){0});
    for (size_t i = 0; i < LY_COUNT(private_samples); i++) {
        LyKey *key = ly_key_read(fuzz_crypto(), ly_bytes_str(private_samples[i].text), NULL, NULL);
        char name[100];
        LyBuf signature = {0}, fields = {0};
        if (key && ly_key_is_private(key)) {
            FUZZ_ASSERT(ly_key_sign(key, (LyBytes){0}, LY_BYTES("m"), &signature, NULL));
            ly_put_cstring(&fields, ly_key_type_name(key));
            ly_buf_clear(&fields);
            ly_key_put_private(key, &fields);
            snprintf(name, sizeof name, "signed-%s", private_samples[i].name);
            key_blob_seed(name, ly_key_blob(key), ly_buf_bytes(&signature), LY_BYTES("m"),
                          ly_buf_bytes(&fields));
        }
        ly_buf_free(&signature);
        ly_buf_free(&fields);
        ly_key_unref(key);
    }
    ly_buf_free(&blob);
}

static void key_lines(void)
{
    LyBuf input = {0};
    ly_buf_add_str(&input, "# known\n|1|nT88d6udeNSVHRyyVho4Pe6Q1ag=|WB5ajP/CzwqhFVzg9tNugRz10o8= ");
    ly_buf_add_str(&input, public_samples[0].line);
    ly_buf_add_str(&input, "[host.example]:2222,*.example,!b.example,::1 ");
    ly_buf_add_str(&input, public_samples[1].line);
    put_seed("known-hosts", "plain", &input);
    ly_buf_add_str(&input, "@cert-authority * ");
    ly_buf_add_str(&input, ca_line);
    ly_buf_add_str(&input, "@revoked * ");
    ly_buf_add_str(&input, public_samples[0].line);
    put_seed("known-hosts", "authority", &input);
    static const struct {
        const char *name, *options;
    } rows[] = {{"plain", ""},
                {"restrict", "restrict,pty,command=\"a \\\"b\\\" c\",environment=\"A=b\" "},
                {"from", "from=\"10.0.0.0/8,!10.1.2.4,fe80::/16,*.example\",expiry-time=\"20270101\" "}};
    for (size_t i = 0; i < LY_COUNT(rows); i++) {
        ly_buf_add_str(&input, rows[i].options);
        ly_buf_add_str(&input, public_samples[0].line);
        put_seed("authorized-keys", rows[i].name, &input);
    }
    ly_buf_add_str(&input, "cert-authority,principals=\"alice,bob\",no-pty ");
    ly_buf_add_str(&input, ca_line);
    put_seed("authorized-keys", "authority", &input);
}

static void krl_text(LyBuf *out)
{
    ly_buf_add_str(out, "# what is gone\nserial: 1\nserial: 7-9\nserial: 0x10\nserial: 100000-200000000\n"
                        "serial: 300000\nserial: 300002\nserial: 300005-300020\nid: alice id\nid: host\n");
    ly_buf_add_format(out, "key: %ssha1: %ssha256: %shash: %s\n", public_samples[1].line,
                      public_samples[2].line, public_samples[3].line, public_samples[4].sha256);
    ly_buf_add_str(out, public_samples[0].line);
    ly_buf_add_str(out, cert_user_none);
}

static void revocations(void)
{
    LyBuf input = {0};
    LyKey *ca = ly_key_read_line(fuzz_crypto(), ly_bytes_str(ca_line), NULL);
    LyKrl *krl = ly_krl_new(fuzz_crypto());
    krl_text(&input);
    FUZZ_ASSERT(ca && ly_krl_add_text(krl, ly_buf_bytes(&input), ly_key_blob(ca), NULL));
    ly_krl_revoke_id(krl, (LyBytes){0}, LY_BYTES("of any CA"));
    FUZZ_ASSERT(ly_krl_set_comment(krl, LY_BYTES("a comment"), NULL));
    ly_buf_clear(&input);
    ly_put_u8(&input, 0);
    ly_krl_write(krl, 1782864000, &input);
    put_seed("krl", "binary", &input);
    ly_put_u8(&input, 1);
    krl_text(&input);
    put_seed("krl", "text", &input);
    ly_put_u8(&input, 2);
    ly_buf_add_str(&input, "# keys\n\nssh-new AAAAB3NzaC1uZXc= a type of tomorrow\n");
    ly_buf_add_str(&input, public_samples[0].line);
    ly_buf_add_str(&input, cert_host);
    put_seed("krl", "keys", &input);
    ly_krl_free(krl);
    ly_key_unref(ca);
}

static void signatures(void)
{
    for (size_t i = 0; i < LY_COUNT(sshsig_samples); i++) {
        LyBuf input = {0};
        fuzz_put_part(&input, ly_bytes_str(sshsig_samples[i].text));
        switch (i % 3) {
        case 0:
            ly_buf_add_str(&input, "# signers\nalice,*.example,!bob namespaces=\"file,g*\" ");
            ly_buf_add_str(&input, public_samples[0].line);
            break;
        case 1:
            ly_buf_add_str(&input, "* cert-authority,valid-after=\"20250101\",valid-before=\"20300101Z\" ");
            ly_buf_add_str(&input, ca_line);
            break;
        default:
            ly_buf_add_str(&input, "\"al ice,alice\" ");
            ly_buf_add_str(&input, cert_user);
            break;
        }
        char name[60];
        snprintf(name, sizeof name, "%s", sshsig_samples[i].name);
        for (char *c = name; *c; c++)
            *c = *c == ' ' ? '-' : *c;
        put_seed("sshsig", name, &input);
    }
}

/* ---- texts and replies ---- */

static void config_texts(void)
{
    static const char block[] =
        "Host w* !x \"y z\"\n  HostName %h.example\n  Port=2222\n  User %u\n"
        "Match host *.example exec \"test %h\" user alice\n  ProxyJump a@b:1,c\n"
        "Match final all\n  IdentityFile ~/.ssh/${X}_%r_%C\nInclude other /abs/*\n"
        "Host *\n  ConnectTimeout 1h30m\n  RekeyLimit 1G 1h\n  Ciphers +aes*\n"
        "  MACs -hmac-sha1\n  KexAlgorithms ^curve*\n  ProxyCommand nc %h %p \"%%\"\n"
        "  SendEnv LANG\n  UserKnownHostsFile a b \"c d\"\n  ServerAliveInterval 15\n";
    put_file("config", "all", LY_BYTES(block));
    static const char *const words[] = {"yes", "1", "1h30m", "none", "+a,b", "~/x %d ${HOME}", "\"a b\" c"};
#define CONFIG_ROW(name, text, kind) text,
    static const char *const keywords[] = {LY_CONFIG_KEYWORDS(CONFIG_ROW)};
    LyBuf input = {0};
    for (size_t i = 0; i < LY_COUNT(keywords); i++)
        ly_buf_add_format(&input, "%s %s\n", keywords[i], words[i % 3]);
    put_seed("config", "keywords", &input);
    for (size_t i = 3; i < LY_COUNT(words); i++)
        ly_buf_add_format(&input, "IdentityFile %s\nUser %s\nMatch originalhost %s\n", words[i], words[i],
                          words[i]);
    put_seed("config", "words", &input);
}

static void agent_replies(void)
{
    LyBuf input = {0}, blob = {0};
    ly_put_u8(&input, SSH_AGENT_IDENTITIES_ANSWER);
    ly_put_u32(&input, 2);
    for (size_t i = 0; i < 2; i++) {
        ly_put_string(&input, line_blob(public_samples[i].line, &blob));
        ly_put_cstring(&input, "comment");
    }
    put_seed("agent-replies", "identities", &input);
    ly_put_u8(&input, SSH_AGENT_SIGN_RESPONSE);
    size_t mark = ly_put_string_begin(&input);
    ly_put_cstring(&input, "ssh-ed25519");
    ly_put_string(&input, ly_bytes((uint8_t[64]){1}, 64));
    ly_put_string_end(&input, mark);
    put_seed("agent-replies", "signature", &input);
    ly_put_u8(&input, SSH_AGENT_SUCCESS);
    put_seed("agent-replies", "success", &input);
    ly_put_u8(&input, 102);
    put_seed("agent-replies", "failure", &input);
    ly_buf_free(&blob);
}

static void command_lines(void)
{
    put_file("options", "sshfs",
             LY_BYTES("alice@[::1]:/srv/a\n/mnt\n-p2222\n-oreconnect,idmap=user,uid=1000\n-C\n-F\n/etc/x\n"
                      "-o\nssh_command=a\\,b,ServerAliveInterval=15,allow_other,cache_timeout=5\n-f\n"));
    put_file("options", "help", LY_BYTES("--help\n"));
    put_file("options", "uri", LY_BYTES("sftp://alice@host:22/dir\n/mnt\n-ouidfile=/a,gidfile=/b\n-d\n"));
}

/* ---- transport ---- */

/* What each side says until the keys are there: the clear bytes of a real exchange. */
static void transports(void)
{
    uint8_t counters[2] = {0, 100};
    LyTransport *end[2];
    LyBuf said[2] = {{0}, {0}};
    for (int role = 0; role < 2; role++) {
        end[role] = fuzz_transport((LyRole)role, NULL, &counters[role]);
        ly_put_u8(&said[role], role == LY_CLIENT); /* heard by a server: AS_SERVER */
    }
    for (bool moved = true; moved;) {
        moved = false;
        for (int role = 0; role < 2; role++) {
            fuzz_pull(end[role]);
            LyBytes out = fuzz_copy(ly_transport_output(end[role]));
            ly_transport_output_done(end[role], out.len);
            if (!end[role]->established)
                ly_buf_add(&said[role], out);
            fuzz_feed(end[!role], out, SIZE_MAX);
            moved = moved || out.len;
            fuzz_free(out);
        }
    }
    FUZZ_ASSERT(end[0]->established && end[1]->established);
    put_seed("transport-clear", "client-says", &said[LY_CLIENT]);
    put_seed("transport-clear", "server-says", &said[LY_SERVER]);
    for (int role = 0; role < 2; role++)
        ly_transport_free(end[role]);
}

static void put_kexinit(LyBuf *out, const char *kex)
{
    static const char *const rest[] = {
        "ssh-ed25519", "aes128-ctr", "aes128-ctr", "hmac-sha2-256", "hmac-sha2-256", "none", "none", "", ""};
    ly_put_u8(out, SSH_MSG_KEXINIT);
    ly_buf_add(out, ly_bytes((uint8_t[16]){7}, 16));
    ly_put_cstring(out, kex);
    for (size_t i = 0; i < LY_COUNT(rest); i++)
        ly_put_cstring(out, rest[i]);
    ly_put_bool(out, false);
    ly_put_u32(out, 0);
}

/* A client's two packets for each kind of key exchange, and a server's group. */
static void clear_packets(void)
{
    static const struct {
        const char *kex;
        uint8_t number;
        size_t len; /* of the public value */
    } rows[] = {{"curve25519-sha256", 30, 32},
                {"ecdh-sha2-nistp256", 30, 65},
                {"diffie-hellman-group14-sha256", 30, 256},
                {"sntrup761x25519-sha512@openssh.com", 30, 1190},
                {"diffie-hellman-group-exchange-sha256", 34, 0}};
    static uint8_t value[1190];
    memset(value, 9, sizeof value);
    for (size_t i = 0; i < LY_COUNT(rows); i++) {
        LyBuf input = {0}, packet = {0};
        ly_put_u8(&input, 1 | 2);
        put_kexinit(&packet, rows[i].kex);
        fuzz_put_part(&input, ly_buf_bytes(&packet));
        ly_buf_clear(&packet);
        ly_put_u8(&packet, rows[i].number);
        if (rows[i].len) {
            ly_put_string(&packet, ly_bytes(value, rows[i].len));
        } else {
            ly_put_u32(&packet, 2048);
            ly_put_u32(&packet, 2048);
            ly_put_u32(&packet, 8192);
        }
        fuzz_put_part(&input, ly_buf_bytes(&packet));
        char name[16];
        snprintf(name, sizeof name, "kex-%zu", i);
        put_seed("transport-clear", name, &input);
        ly_buf_free(&packet);
    }
}

static void put_step(LyBuf *input, uint8_t step, LyBytes part)
{
    ly_put_u8(input, step);
    fuzz_put_part(input, part);
}

/* The steps are those of transport-pair.c. */
static void pairs(void)
{
    enum { SEAL, PUMP, REPLACE, XOR, REKEY, OWN_REKEY, SIGNED_IN, SEND, TICK, KEXINIT };
    static const uint8_t choices[] = {0, 1, 2, 3, 4, 5, 6, 7};
    for (size_t i = 0; i < LY_COUNT(choices); i++) {
        LyBuf input = {0}, packet = {0};
        ly_put_u8(&input, (uint8_t)(i % 2));
        ly_put_u8(&input, choices[i]);
        put_step(&input, PUMP, (LyBytes){0});
        put_step(&input, SEND, LY_BYTES("\x05\0\0\0\x0cssh-userauth"));
        put_step(&input, SEAL, LY_BYTES("\x02\0\0\0\4text"));
        put_step(&input, SIGNED_IN, (LyBytes){0});
        put_step(&input, OWN_REKEY, (LyBytes){0});
        put_step(&input, SEAL, LY_BYTES("\x5e\0\0\0\1\0\0\0\1x"));
        put_step(&input, PUMP, (LyBytes){0});
        put_step(&input, REKEY, (LyBytes){0});
        put_step(&input, PUMP, (LyBytes){0});
        put_kexinit(&packet, "curve25519-sha256");
        put_step(&input, SEAL, ly_buf_bytes(&packet));
        put_step(&input, SEAL, LY_BYTES("\x07\0\0\0\1\0\0\0\x0fserver-sig-algs\0\0\0\x0bssh-ed25519"));
        char name[32];
        snprintf(name, sizeof name, "rekey-%zu", i);
        put_seed("transport-pair", name, &input);
        ly_buf_free(&packet);
    }
    for (uint8_t role = 0; role < 2; role++) {
        LyBuf input = {0};
        ly_put_u8(&input, role);
        ly_put_u8(&input, 0);
        put_step(&input, XOR, LY_BYTES("\0\x30\1"));
        put_step(&input, KEXINIT, LY_BYTES("\x15"));
        put_step(&input, PUMP, (LyBytes){0});
        put_step(&input, REPLACE, LY_BYTES("SSH-2.0-x\r\n"));
        put_seed("transport-pair", role ? "changed-server" : "changed-client", &input);
    }
}

/* ---- userauth, connection ---- */

static void put_message(LyBuf *input, uint8_t choice, LyBuf *payload)
{
    ly_put_u8(input, choice);
    fuzz_put_part(input, ly_buf_bytes(payload));
    ly_buf_free(payload);
}

/* What a client says, taken from the transport that keeps it. */
static void take_message(LyBuf *input, uint8_t choice, LyTransport *t)
{
    FUZZ_ASSERT(t->pending.len > 4);
    ly_put_u8(input, choice);
    fuzz_put_part(input, ly_bytes_slice(ly_buf_bytes(&t->pending), 4, ly_load_u32(t->pending.data)));
    ly_buf_clear(&t->pending);
}

static void userauth_requests(void)
{
    uint8_t counter = 0;
    LyTransport *t = fuzz_transport(LY_CLIENT, NULL, &counter);
    LyUserauthClient *auth = ly_userauth_client_new(t, LY_BYTES("alice"));
    LyBuf input = {0}, payload = {0}, data = {0}, signature = {0};
    LyKey *key = fuzz_keys()[0];
    LyUserauthClientEvent event;
    ly_put_u8(&input, 1);
    take_message(&input, 0, t);
    FUZZ_ASSERT(ly_userauth_client_receive(auth, LY_BYTES("\x06\0\0\0\x0cssh-userauth"), &event));
    LyBytes failure = LY_BYTES("\x33\0\0\0\x08password\0");
    for (int i = 0; i < 6; i++) {
        switch (i) {
        case 0:
            ly_userauth_none(auth);
            break;
        case 1:
            ly_userauth_publickey_probe(auth, LY_BYTES("ssh-ed25519"), ly_key_blob(key));
            break;
        case 2:
            ly_userauth_publickey_data(auth, LY_BYTES("ssh-ed25519"), ly_key_blob(key), &data);
            FUZZ_ASSERT(ly_key_sign(key, (LyBytes){0}, ly_buf_bytes(&data), &signature, NULL));
            ly_userauth_publickey(auth, LY_BYTES("ssh-ed25519"), ly_key_blob(key), ly_buf_bytes(&signature));
            break;
        case 3:
            ly_userauth_password(auth, LY_BYTES("secret"));
            break;
        case 4:
            ly_userauth_hostbased(auth, LY_BYTES("ssh-ed25519"), ly_key_blob(key), LY_BYTES("host."),
                                  LY_BYTES("me"), ly_buf_bytes(&signature));
            break;
        default:
            ly_userauth_keyboard_interactive(auth, LY_BYTES(""));
        }
        take_message(&input, (uint8_t[]){0, 3, 0, 4, 0, 6}[i], t);
        FUZZ_ASSERT(i == 5 || ly_userauth_client_receive(auth, failure, &event));
    }
    ly_put_u8(&payload, SSH_MSG_USERAUTH_INFO_RESPONSE);
    ly_put_u32(&payload, 2);
    ly_put_cstring(&payload, "one");
    ly_put_cstring(&payload, "two");
    put_message(&input, 1, &payload);
    put_seed("userauth", "client-says", &input);
    ly_buf_free(&data);
    ly_buf_free(&signature);
    ly_userauth_client_free(auth);
    ly_transport_free(t);
}

static void userauth_answers(void)
{
    LyBuf input = {0}, payload = {0};
    const LyPrompt prompts[] = {{LY_BYTES("Password: "), false}, {LY_BYTES("Code: "), true}};
    const struct {
        uint8_t choice;
        LyBytes payload;
    } rows[] = {{0, LY_BYTES("\x06\0\0\0\x0cssh-userauth")},
                {2, LY_BYTES("\x33\0\0\0\x12publickey,password\0")},
                {0, LY_BYTES("\x35\0\0\0\x02hi\0\0\0\0")}};
    ly_put_u8(&input, 0);
    for (size_t i = 0; i < LY_COUNT(rows); i++) {
        ly_put_u8(&input, rows[i].choice);
        fuzz_put_part(&input, rows[i].payload);
    }
    ly_put_u8(&payload, SSH_MSG_USERAUTH_PK_OK);
    ly_put_cstring(&payload, "ssh-ed25519");
    ly_put_string(&payload, ly_key_blob(fuzz_keys()[0]));
    put_message(&input, 1, &payload);
    ly_put_u8(&payload, SSH_MSG_USERAUTH_PASSWD_CHANGEREQ);
    ly_put_cstring(&payload, "New: ");
    ly_put_cstring(&payload, "");
    put_message(&input, 8, &payload);
    ly_buf_add(&payload, LY_BYTES("\x33\0\0\0\x14keyboard-interactive\1"));
    put_message(&input, 4, &payload);
    ly_userauth_put_info_request(&payload, LY_BYTES("name"), LY_BYTES("do it"), prompts, 2);
    put_message(&input, 8, &payload);
    ly_put_u8(&payload, SSH_MSG_USERAUTH_SUCCESS);
    put_message(&input, 0, &payload);
    put_seed("userauth", "server-says", &input);
}

static void put_channel(LyBuf *input, uint8_t choice, uint8_t number, uint32_t id, LyBytes rest)
{
    LyBuf payload = {0};
    ly_put_u8(&payload, number);
    ly_put_u32(&payload, id);
    ly_buf_add(&payload, rest);
    put_message(input, choice | 0x80, &payload);
}

static uint32_t first_channel_id(void)
{
    uint8_t counter = 0;
    LyTransport *t = fuzz_transport(LY_CLIENT, NULL, &counter);
    LyConnectionOptions options = {.max_channels = 64};
    LyConnection *connection = ly_connection_new(t, &options);
    ly_channel_open(connection, LY_BYTES("session"), (LyBytes){0}, NULL);
    uint32_t id = ly_load_u32(t->pending.data + 4 + 1 + 4 + 7);
    ly_connection_free(connection);
    ly_transport_free(t);
    return id;
}

static void put_channel_life(LyBuf *input, uint32_t id)
{
    put_channel(input, 1, SSH_MSG_CHANNEL_REQUEST, id, LY_BYTES("\0\0\0\4exec\1\0\0\0\4true"));
    put_channel(input, 1, SSH_MSG_CHANNEL_DATA, id, LY_BYTES("\0\0\0\5hello"));
    put_channel(input, 1, SSH_MSG_CHANNEL_EXTENDED_DATA, id, LY_BYTES("\0\0\0\1\0\0\0\5hello"));
    put_channel(input, 1, SSH_MSG_CHANNEL_WINDOW_ADJUST, id, LY_BYTES("\0\0\x40\0"));
    put_channel(input, 1, SSH_MSG_CHANNEL_SUCCESS, id, (LyBytes){0});
    put_channel(input, 1, SSH_MSG_CHANNEL_REQUEST, id,
                LY_BYTES("\0\0\0\x0b"
                         "exit-status\0\0\0\0\1"));
    put_channel(input, 1, SSH_MSG_CHANNEL_REQUEST, id,
                LY_BYTES("\0\0\0\x0b"
                         "exit-signal\0\0\0\0\4TERM\0\0\0\0\1x\0\0\0\0"));
    put_channel(input, 1, SSH_MSG_CHANNEL_EOF, id, (LyBytes){0});
    ly_put_u8(input, 0);
    put_channel(input, 1, SSH_MSG_CHANNEL_CLOSE, id, (LyBytes){0});
}

static void connections(void)
{
    uint32_t id = first_channel_id();
    LyBuf input = {0}, payload = {0};
    ly_put_u8(&input, 1); /* server */
    ly_buf_add(&payload, LY_BYTES("\x5a\0\0\0\7session\0\0\0\7\0\0\x10\0\0\0\x10\0"));
    put_message(&input, 0x81, &payload);
    put_channel_life(&input, id);
    ly_buf_add(&payload, LY_BYTES("\x50\0\0\0\x0dtcpip-forward\1\0\0\0\1x\0\0\0\x16"));
    put_message(&input, 0x81, &payload);
    put_seed("connection", "server", &input);
    ly_put_u8(&input, 0); /* client: opens a session, runs a command */
    ly_put_u8(&input, 10);
    put_channel(&input, 1, SSH_MSG_CHANNEL_OPEN_CONFIRMATION, id, LY_BYTES("\0\0\0\7\0\0\x10\0\0\0\x10\0"));
    ly_put_u8(&input, 4);
    ly_put_u8(&input, 6);
    ly_put_u8(&input, 0);
    put_channel_life(&input, id);
    ly_put_u8(&input, 11);
    ly_buf_add(&payload, LY_BYTES("\x51\0\0\0\x16"));
    put_message(&input, 0x81, &payload);
    ly_buf_add(&payload, LY_BYTES("\x5a\0\0\0\x0f"
                                  "forwarded-tcpip\0\0\0\7\0\0\x10\0\0\0\x10\0"
                                  "\0\0\0\1a\0\0\0\1\0\0\0\1b\0\0\0\2"));
    put_message(&input, 0x81, &payload);
    ly_put_u8(&input, 10);
    put_channel(&input, 1, SSH_MSG_CHANNEL_OPEN_FAILURE, id + 1, LY_BYTES("\0\0\0\1\0\0\0\2no\0\0\0\0"));
    for (int i = 0; i < 6; i++)
        ly_put_u8(&input, 13);
    put_seed("connection", "client", &input);
}

/* ---- SFTP ---- */

static size_t collect(void *user, const LyBytes *parts, size_t count)
{
    LyBuf *buf = user;
    size_t len = 0;
    for (size_t i = 0; i < count; i++, len += parts[i - 1].len)
        ly_buf_add(buf, parts[i]);
    return len;
}

static void drop_reply(void *user, LySftpReply *reply)
{
    (void)user, (void)reply;
}

static void sftp_requests(void)
{
    LyBuf input = {0};
    static uint8_t buffer[64];
    LySftpClientOptions options = {.sink = {collect, &input}};
    for (uint8_t flags = 0; flags < 8; flags += 2) {
        ly_put_u8(&input, flags);
        LySftpClient *c = ly_sftp_client_new(&options, drop_reply, NULL);
        FUZZ_ASSERT(ly_sftp_client_receive(c, LY_BYTES("\0\0\0\5\2\0\0\0\3"), NULL));
        LyBytes path = LY_BYTES("d/f"), handle = LY_BYTES("\0\0\0\0\0\0\0\1");
        LySftpAttrs attrs = {.flags = 15, .size = 5, .permissions = 0644};
        ly_sftp_realpath(c, LY_BYTES("."), drop_reply, NULL);
        ly_sftp_open(c, path, SSH_FXF_READ, NULL, drop_reply, NULL);
        ly_sftp_open(c, LY_BYTES("up/x"), SSH_FXF_WRITE | SSH_FXF_CREAT, &attrs, drop_reply, NULL);
        ly_sftp_read(c, handle, 0, 64, buffer, drop_reply, NULL);
        ly_sftp_write(c, handle, 3, LY_BYTES("data"), drop_reply, NULL);
        ly_sftp_fstat(c, handle, drop_reply, NULL);
        ly_sftp_opendir(c, LY_BYTES("/"), drop_reply, NULL);
        ly_sftp_readdir(c, handle, drop_reply, NULL);
        ly_sftp_setstat(c, path, &attrs, drop_reply, NULL);
        ly_sftp_lstat(c, LY_BYTES("out"), drop_reply, NULL);
        ly_sftp_stat(c, LY_BYTES("out"), drop_reply, NULL);
        ly_sftp_readlink(c, LY_BYTES("up"), drop_reply, NULL);
        ly_sftp_rename(c, path, LY_BYTES("g"), drop_reply, NULL);
        ly_sftp_symlink(c, path, LY_BYTES("g"), drop_reply, NULL);
        ly_sftp_mkdir(c, LY_BYTES("new"), NULL, drop_reply, NULL);
        ly_sftp_rmdir(c, LY_BYTES("d"), drop_reply, NULL);
        ly_sftp_remove(c, LY_BYTES("f"), drop_reply, NULL);
        ly_sftp_posix_rename(c, path, LY_BYTES("g"), drop_reply, NULL);
        ly_sftp_hardlink(c, path, LY_BYTES("g"), drop_reply, NULL);
        ly_sftp_statvfs(c, path, drop_reply, NULL);
        ly_sftp_fsync(c, handle, drop_reply, NULL);
        ly_sftp_copy_data(c, handle, 0, 10, handle, 20, drop_reply, NULL);
        ly_sftp_users_groups(c, (uint32_t[]){0}, 1, (uint32_t[]){0, 1}, 2, drop_reply, NULL);
        ly_sftp_home_directory(c, LY_BYTES(""), drop_reply, NULL);
        ly_sftp_expand_path(c, LY_BYTES("~/x"), drop_reply, NULL);
        ly_sftp_extended(c, LY_BYTES("limits@openssh.com"), (LyBytes){0}, drop_reply, NULL);
        ly_sftp_close(c, handle, drop_reply, NULL);
        char name[16];
        snprintf(name, sizeof name, "all-%u", flags);
        LyBuf copy = {0};
        ly_buf_add(&copy, ly_buf_bytes(&input));
        put_seed("sftp-server", name, &copy);
        ly_sftp_client_free(c);
        ly_buf_free(&input);
    }
}

/* An answer of every type to the requests that the target has open; ids count from 1. */
static void sftp_replies(void)
{
    for (uint8_t flags = 0; flags < 16; flags += 5) {
        LyBuf input = {0};
        ly_put_u8(&input, flags | 1);
        LySftpAttrs attrs = {.flags = 15, .size = 5, .permissions = 0100644};
        for (uint32_t id = 1; id < 19; id++) {
            static const uint8_t types[] = {102, 103, 101, 101, 105, 105, 101, 102, 104,
                                            101, 104, 104, 101, 201, 201, 201, 103, 101};
            size_t mark = ly_put_string_begin(&input);
            ly_put_u8(&input, types[id - 1]);
            ly_put_u32(&input, id);
            switch (types[id - 1]) {
            case SSH_FXP_STATUS:
                ly_put_u32(&input, id % 5);
                ly_put_cstring(&input, "text");
                ly_put_cstring(&input, "");
                break;
            case SSH_FXP_NAME:
                ly_put_u32(&input, 1);
                ly_put_cstring(&input, "name");
                ly_put_cstring(&input, "-rw-r--r-- 1 a b 5 name");
                ly_put_attrs(&input, &attrs);
                break;
            case SSH_FXP_ATTRS:
                ly_put_attrs(&input, &attrs);
                break;
            case SSH_FXP_EXTENDED_REPLY:
                for (int i = 0; i < 11; i++)
                    ly_put_u64(&input, 1);
                break;
            default:
                ly_put_cstring(&input, "handle");
            }
            ly_put_string_end(&input, mark);
        }
        char name[24];
        snprintf(name, sizeof name, "all-%u", flags);
        put_seed("sftp-client", name, &input);
    }
}

/* DATA of more bytes than the READ (the second request) asked for, and of as many. */
static void sftp_data(void)
{
    static const uint8_t data[200];
    static const size_t lens[] = {100, 101, 200};
    for (size_t i = 0; i < LY_COUNT(lens); i++) {
        LyBuf input = {0};
        ly_put_u8(&input, 1);
        size_t mark = ly_put_string_begin(&input);
        ly_put_u8(&input, SSH_FXP_DATA);
        ly_put_u32(&input, 2);
        ly_put_string(&input, ly_bytes(data, lens[i]));
        ly_put_string_end(&input, mark);
        char name[24];
        snprintf(name, sizeof name, "data-%zu", lens[i]);
        put_seed("sftp-client", name, &input);
    }
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        fprintf(stderr, "usage: %s FOLDER\n", argv[0]);
        return 2;
    }
    top = argv[1];
    key_files();
    key_blobs();
    key_lines();
    revocations();
    signatures();
    config_texts();
    seeds_agent();
    seeds_forward();
    seeds_library();
    agent_replies();
    command_lines();
    transports();
    clear_packets();
    pairs();
    userauth_requests();
    userauth_answers();
    connections();
    sftp_requests();
    sftp_replies();
    sftp_data();
    return 0;
}
