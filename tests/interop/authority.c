/* authority certify CA KEY.pub user|host ID SERIAL PRINCIPALS ALGORITHM [critical|extension NAME[=VALUE]]...
 * authority krl OUT CA.pub|none VERSION TEXT: writes a KRL of what the text says
 * authority query KRL FILE...: says which are revoked, as ssh-keygen -Q does; exit status 1 when one is
 * authority describe KRL
 * What certificates.sh asks the library to do beside ssh-keygen. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/auto.h"
#include "key/issue.h"
#include "key/krl.h"
#include "key/read.h"
#include "key/write.h"

static LyCrypto *crypto;

static void fail(const char *what, const LyError *error)
{
    fprintf(stderr, "%s: %s\n", what, error->message);
    exit(2);
}

static void read_file(const char *path, LyBuf *out)
{
    FILE *file = fopen(path, "rb");
    size_t len = 1;
    if (!file) {
        perror(path);
        exit(2);
    }
    while (len) {
        uint8_t chunk[4096];
        len = fread(chunk, 1, sizeof chunk, file);
        ly_buf_add(out, ly_bytes(chunk, len));
    }
    fclose(file);
}

static LyKey *read_key(const char *path, bool private_half)
{
    LyError error = {0};
    LY_AUTO(ly_buf_free) LyBuf text = {0};
    read_file(path, &text);
    LyKey *key = private_half ? ly_key_read(crypto, ly_buf_bytes(&text), NULL, &error)
                              : ly_key_read_public(crypto, ly_buf_bytes(&text), &error);
    if (!key)
        fail(path, &error);
    return key;
}

static int certify(char **arguments)
{
    LY_AUTO(ly_buf_free) LyBuf critical = {0}, extensions = {0}, line = {0};
    LyKey *ca = read_key(arguments[0], true), *key = read_key(arguments[1], false);
    LyError error = {0};
    for (char **option = arguments + 7; option[0] && option[1]; option += 2) {
        char *value = strchr(option[1], '=');
        if (value)
            *value++ = 0;
        ly_certificate_put_option(strcmp(option[0], "critical") == 0 ? &critical : &extensions, option[1],
                                  !value, ly_bytes_str(value));
    }
    LyCertificateRequest request = {
        .kind = strcmp(arguments[2], "host") == 0 ? LY_CERTIFICATE_HOST : LY_CERTIFICATE_USER,
        .id = ly_bytes_str(arguments[3]),
        .serial = strtoull(arguments[4], NULL, 10),
        .principals = ly_bytes_str(arguments[5]),
        .valid_before = UINT64_MAX,
        .critical = ly_buf_bytes(&critical),
        .extensions = ly_buf_bytes(&extensions),
    };
    LyKey *made = ly_certificate_issue(crypto, key, &request, false, ca, ly_bytes_str(arguments[6]), &error);
    if (!made)
        fail(arguments[1], &error);
    if (!ly_certificate_check(crypto, made, request.kind, (LyBytes){0}, false, (uint64_t)time(NULL),
                              (LyBytes){0}, &error))
        fail("what was issued", &error);
    ly_key_write_line(made, &line);
    fputs(ly_buf_str(&line), stdout);
    ly_key_unref(made);
    ly_key_unref(ca);
    ly_key_unref(key);
    return 0;
}

static int make_krl(char **arguments)
{
    LY_AUTO(ly_buf_free) LyBuf text = {0}, binary = {0};
    LyError error = {0};
    LyKey *ca = strcmp(arguments[1], "none") == 0 ? NULL : read_key(arguments[1], false);
    LyKrl *krl = ly_krl_new(crypto);
    read_file(arguments[3], &text);
    ly_krl_set_version(krl, strtoull(arguments[2], NULL, 10));
    if (!ly_krl_add_text(krl, ly_buf_bytes(&text), ca ? ly_key_blob(ca) : (LyBytes){0}, &error))
        fail(arguments[3], &error);
    ly_krl_write(krl, (uint64_t)time(NULL), &binary);
    FILE *file = fopen(arguments[0], "wb");
    if (!file || fwrite(binary.data, 1, binary.len, file) != binary.len || fclose(file) != 0) {
        perror(arguments[0]);
        return 2;
    }
    ly_krl_free(krl);
    ly_key_unref(ca);
    return 0;
}

static LyKrl *read_krl(const char *path)
{
    LY_AUTO(ly_buf_free) LyBuf binary = {0};
    LyError error = {0};
    read_file(path, &binary);
    LyKrl *krl = ly_krl_read(crypto, ly_buf_bytes(&binary), &error);
    if (!krl)
        fail(path, &error);
    return krl;
}

static int query(char **arguments)
{
    int status = 0;
    LyKrl *krl = read_krl(arguments[0]);
    for (char **path = arguments + 1; *path; path++) {
        LyKey *key = read_key(*path, false);
        LyBytes comment = ly_key_comment(key);
        bool revoked = ly_krl_revokes(krl, key);
        printf("%s%s%.*s%s: %s\n", *path, comment.len ? " (" : "", (int)comment.len,
               comment.len ? (const char *)comment.data : "", comment.len ? ")" : "",
               revoked ? "REVOKED" : "ok");
        status |= revoked;
        ly_key_unref(key);
    }
    ly_krl_free(krl);
    return status;
}

static int describe(char **arguments)
{
    LY_AUTO(ly_buf_free) LyBuf text = {0};
    LyKrl *krl = read_krl(arguments[0]);
    ly_krl_describe(krl, &text);
    fputs(ly_buf_str(&text), stdout);
    ly_krl_free(krl);
    return 0;
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        int arguments;
        int (*run)(char **arguments);
    } commands[] = {
        {"certify", 7, certify}, {"krl", 4, make_krl}, {"query", 1, query}, {"describe", 1, describe}};
    int status = 2;
    crypto = ly_crypto_new(0, NULL);
    for (size_t i = 0; argc > 1 && i < LY_COUNT(commands); i++)
        if (strcmp(argv[1], commands[i].name) == 0 && argc >= 2 + commands[i].arguments)
            status = commands[i].run(argv + 2);
    ly_crypto_unref(crypto);
    return status;
}
