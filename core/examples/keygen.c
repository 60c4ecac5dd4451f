/* keygen: makes a key pair, writes it as FILE and FILE.pub, and prints its fingerprint, as ssh-keygen does.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "base/secret.h"
#include "common.h"
#include "key/fingerprint.h"
#include "key/write.h"

typedef struct Keygen {
    Example example;
    LyPkType type;
    unsigned bits;
    const char *comment;
    LyBytes passphrase; /* in secret memory */
    bool asked;
} Keygen;

static const struct {
    const char *name;
    LyPkType type;
    unsigned bits;
} types[] = {{"ed25519", LY_PK_ED25519, 256}, {"ecdsa", LY_PK_ECDSA, 256}, {"ecdsa-384", LY_PK_ECDSA, 384},
             {"ecdsa-521", LY_PK_ECDSA, 521}, {"rsa", LY_PK_RSA, 3072},    {"rsa-4096", LY_PK_RSA, 4096}};

static void set_type(Keygen *keygen, const char *name)
{
    for (size_t i = 0; i < LY_COUNT(types); i++) {
        if (strcmp(types[i].name, name) == 0) {
            keygen->type = types[i].type;
            keygen->bits = types[i].bits;
            return;
        }
    }
    example_die(&keygen->example, "\"%s\" is none of ed25519, ecdsa, ecdsa-384, ecdsa-521, rsa, rsa-4096",
                name);
}

/* The answer is cleansed when this returns. */
static void answered(void *user, const char *answer)
{
    Keygen *keygen = user;
    if (answer) {
        keygen->passphrase = ly_secret_copy(ly_bytes_str(answer));
        keygen->asked = true;
    }
    ly_loop_quit(keygen->example.loop);
}

/* Never over a file that is there: a lost private key is lost for good. */
static void write_file(const Keygen *keygen, const char *path, mode_t mode, LyBytes text)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
    if (fd < 0)
        example_die(&keygen->example, "cannot make %s: %s", path, strerror(errno));
    bool whole = write(fd, text.data, text.len) == (ssize_t)text.len && fsync(fd) == 0;
    int why = errno;
    if (close(fd) != 0 || !whole) {
        unlink(path);
        example_die(&keygen->example, "cannot write %s: %s", path, strerror(why));
    }
}

static void write_pair(const Keygen *keygen, LyKey *key, const char *path)
{
    LyCrypto *crypto = keygen->example.crypto;
    LyKeyWriteOptions options = {.passphrase = keygen->passphrase};
    LyBuf private_text = {0}, public_text = {0}, fingerprint = {0};
    LyError error;
    char *public_path = ly_format("%s.pub", path);
    if (!ly_key_write_openssh(crypto, key, &options, &private_text, &error))
        example_die(&keygen->example, "%s", error.message);
    ly_key_write_line(key, &public_text);
    write_file(keygen, path, 0600, ly_buf_bytes(&private_text));
    write_file(keygen, public_path, 0644, ly_buf_bytes(&public_text));
    ly_key_put_fingerprint(crypto, ly_key_plain_blob(key), LY_SHA256, &fingerprint);
    printf("%u %s %s (%s)\n", ly_key_bits(key), ly_buf_str(&fingerprint), keygen->comment,
           ly_key_type_name(key));
    ly_buf_free(&private_text); /* cleanses */
    ly_buf_free(&public_text);
    ly_buf_free(&fingerprint);
    ly_free(public_path);
}

int main(int argc, char **argv)
{
    Keygen keygen = {.comment = ""};
    LyError error;
    int letter;
    example_init(&keygen.example, argc, argv, "[-t type] [-C comment] [-N passphrase] file");
    set_type(&keygen, "ed25519");
    while ((letter = example_option(&keygen.example, argc, argv, "t:C:N:")) != -1) {
        if (letter == 't')
            set_type(&keygen, optarg);
        else if (letter == 'C')
            keygen.comment = optarg;
        else
            answered(&keygen, optarg);
    }
    example_expect(&keygen.example, argc, 1, false);
    if (!keygen.asked) {
        ly_prompter_ask(keygen.example.prompter, "Passphrase for the key (empty for none): ", false, false,
                        answered, &keygen);
        ly_loop_run(keygen.example.loop);
        if (!keygen.asked)
            example_die(&keygen.example, "no passphrase was given; -N '' makes a key without one");
    }
    LyKey *key = ly_key_generate(keygen.example.crypto, keygen.type, keygen.bits,
                                 ly_bytes_str(keygen.comment), &error);
    if (!key)
        example_die(&keygen.example, "%s", error.message);
    write_pair(&keygen, key, argv[optind]);
    ly_key_unref(key);
    ly_secret_free((void *)keygen.passphrase.data);
    example_clear(&keygen.example);
    return 0;
}
