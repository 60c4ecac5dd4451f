/* New keys, new passphrases, new comments. */
#include <errno.h>
#include <string.h>
#include <strings.h>

#include "base/auto.h"
#include "base/secret.h"
#include "files.h"
#include "ssh-keygen-private.h"

#define RSA_BITS 3072 /* ssh-keygen 9.2's */
#define RSA_LEAST 1024
#define RSA_MOST 16384

/* The bits that -b and -t ask for. */
static int choose_bits(const Keygen *keygen, const LyKeyType *type, unsigned *bits)
{
    static const unsigned curves[LY_CURVE_COUNT] = {256, 384, 521};
    *bits = keygen->bits;
    if (type->pk == LY_PK_RSA) {
        if (!*bits)
            *bits = RSA_BITS;
        if (*bits < RSA_LEAST)
            return keygen_fatal("Invalid RSA key length: minimum is %d bits", RSA_LEAST);
        if (*bits > RSA_MOST)
            return keygen_fatal("Invalid RSA key length: maximum is %d bits", RSA_MOST);
    } else if (type->pk == LY_PK_ECDSA) {
        if (!*bits)
            *bits = curves[type->curve];
        if (*bits != 256 && *bits != 384 && *bits != 521)
            return keygen_fatal("Invalid ECDSA key length: valid lengths are 256, 384 or 521 bits");
    }
    return KEYGEN_OK;
}

/* The type and size of a key to be made, or why none is made. */
static int choose(const Keygen *keygen, const LyKeyType **type, unsigned *bits)
{
    const char *name = keygen->type ? keygen->type : "rsa";
    *type = keygen_type_find(name);
    if (!*type)
        return keygen_fatal("unknown key type %s", name);
    if ((*type)->sk)
        return keygen_fatal("Keys in security keys (%s) are not made here: use OpenSSH's ssh-keygen for them",
                            name);
    if ((*type)->pk == LY_PK_DSA)
        return keygen_fatal("DSA keys are weak and are not made: use -t ed25519, ecdsa or rsa");
    return choose_bits(keygen, *type, bits);
}

static void make_ssh_folder(const Keygen *keygen)
{
    LY_AUTO_FREE char *folder = ly_format("%s/.ssh", keygen_home());
    size_t len = strlen(folder);
    struct stat status;
    if (strncmp(keygen->file, folder, len) != 0 || keygen->file[len] != '/' || stat(folder, &status) == 0)
        return;
    if (mkdir(folder, 0700) != 0)
        keygen_say("Could not create directory '%s' (%s).", folder, strerror(errno));
    else if (!keygen->quiet)
        keygen_say("Created directory '%s'.", folder);
}

/* Asked twice; NULL: they were not the same. */
static char *ask_twice(Keygen *keygen, const char *prompt)
{
    char *first = keygen_ask_passphrase(keygen, prompt);
    char *second = keygen_ask_passphrase(keygen, "Enter same passphrase again: ");
    if (strcmp(first, second) != 0) {
        ly_secret_free(first);
        first = NULL;
    }
    ly_secret_free(second);
    return first;
}

static char *passphrase_for_new_key(Keygen *keygen)
{
    const char *given = keygen->passphrase ? keygen->passphrase : keygen->new_passphrase;
    if (given)
        return keygen_secret_copy(given);
    char *passphrase;
    while (!(passphrase = ask_twice(keygen, "Enter passphrase (empty for no passphrase): ")))
        printf("Passphrases do not match.  Try again.\n");
    return passphrase;
}

static void report(Keygen *keygen, LyKey *key, const char *public_file)
{
    LY_AUTO(ly_buf_free) LyBuf text = {0};
    LY_AUTO(ly_buf_free) LyBuf comment = {0};
    keygen_put_fingerprint(keygen, key, keygen->hash, false, &text);
    ly_buf_add_format(&text, " %s\nThe key's randomart image is:\n",
                      keygen_visible(ly_key_comment(key), &comment));
    keygen_put_art(keygen, key, &text);
    printf("Your public key has been saved in %s\nThe key fingerprint is:\n%s\n", public_file,
           ly_buf_str(&text));
}

/* Saves both halves; public_file is FILE.pub. */
static int save_pair(Keygen *keygen, LyKey *key, const char *file, const char *public_file,
                     const char *passphrase)
{
    LyError error;
    if (!keygen_save_private(keygen, key, file, passphrase))
        return KEYGEN_NO;
    if (!keygen->quiet && !keygen->all_host_keys)
        printf("Your identification has been saved in %s\n", file);
    if (!keygen_save_public(key, public_file, &error))
        return keygen_fatal("Unable to save public key to %s: %s", public_file, KEYGEN_ERROR(&error));
    return KEYGEN_OK;
}

int keygen_generate(Keygen *keygen)
{
    const LyKeyType *type;
    unsigned bits = 0;
    int status = choose(keygen, &type, &bits);
    if (status)
        return status;
    if (!keygen->quiet)
        printf("Generating public/private %s key pair.\n", keygen->type ? keygen->type : "rsa");
    if (!keygen_need_file(keygen, "Enter file in which to save the key", &status))
        return status;
    make_ssh_folder(keygen);
    if (!keygen_may_overwrite(keygen->file))
        return KEYGEN_NO;
    char *passphrase = passphrase_for_new_key(keygen);
    LY_AUTO_FREE char *comment =
        keygen->comment ? keygen_comment(ly_bytes_str(keygen->comment)) : keygen_user_at_host();
    LY_AUTO_FREE char *public_file = ly_format("%s.pub", keygen->file);
    LyError error;
    fflush(stdout);
    LyKey *key = ly_key_generate(keygen->crypto, type->pk, bits, ly_bytes_str(comment), &error);
    if (!key)
        status = keygen_fatal("sshkey_generate failed: %s", error.message);
    if (!status)
        status = save_pair(keygen, key, keygen->file, public_file, passphrase);
    if (!status && !keygen->quiet)
        report(keygen, key, public_file);
    ly_key_unref(key);
    ly_secret_free(passphrase);
    return status;
}

static bool is_there(const char *file, bool *failed)
{
    struct stat status;
    if (stat(file, &status) == 0)
        return status.st_size != 0; /* an empty one is left from a full disk */
    if (errno != ENOENT) {
        keygen_say("Could not stat %s: %s", file, strerror(errno));
        *failed = true;
    }
    return *failed;
}

/* -A: the host keys that a server lacks, in /etc/ssh below the folder that -f names. */
int keygen_all_host_keys(Keygen *keygen)
{
    static const struct {
        const char *name, *label;
        LyPkType type;
        unsigned bits;
    } kinds[] = {
        {"rsa", "RSA", LY_PK_RSA, RSA_BITS},
        {"ecdsa", "ECDSA", LY_PK_ECDSA, 256},
        {"ed25519", "ED25519", LY_PK_ED25519, 256},
    };
    LY_AUTO_FREE char *comment = keygen_user_at_host();
    bool started = false, any_failed = false;
    for (size_t i = 0; i < LY_COUNT(kinds); i++) {
        LY_AUTO_FREE char *file =
            ly_format("%s/etc/ssh/ssh_host_%s_key", keygen->file ? keygen->file : "", kinds[i].name);
        LY_AUTO_FREE char *public_file = ly_format("%s.pub", file);
        bool failed = false;
        if (is_there(file, &failed)) {
            any_failed = any_failed || failed;
            continue;
        }
        if (!started)
            printf("ssh-keygen: generating new host keys: ");
        started = true;
        printf("%s ", kinds[i].label);
        fflush(stdout);
        LyError error;
        LyKey *key =
            ly_key_generate(keygen->crypto, kinds[i].type, kinds[i].bits, ly_bytes_str(comment), &error);
        if (!key)
            keygen_say("sshkey_generate failed: %s", error.message);
        if (!key || save_pair(keygen, key, file, public_file, "") != KEYGEN_OK)
            any_failed = true;
        ly_key_unref(key);
    }
    if (started)
        printf("\n");
    return any_failed ? KEYGEN_NO : KEYGEN_OK;
}

/* -p and -c write ssh-keygen's formats: a key that came in another one (PPK, JWK ...) would lose it. */
static bool may_rewrite(const Keygen *keygen, const PrivateKey *old, const char *command)
{
    if (old->format == LY_KEY_OPENSSH || old->format == LY_KEY_PEM || old->format == LY_KEY_PKCS8)
        return true;
    keygen_say("%s is a key in the format %s, which ssh-keygen does not write: use lanyard-key %s",
               keygen->file, ly_key_format_name(old->format), command);
    return false;
}

/* The key that -p or -c (lanyard-key's `command`) changes; the rest is keygen_load_private's. */
static int load_old(Keygen *keygen, const char *command, const char *prompt, const char *what,
                    const char *second, PrivateKey *old)
{
    int status = KEYGEN_OK;
    if (!keygen_need_file(keygen, "Enter file in which the key is", &status))
        return status;
    if (!file_exists(keygen->file))
        return keygen_fatal("%s: %s", keygen->file, strerror(ENOENT));
    status = keygen_load_private(keygen, keygen->file, prompt, what, second, old);
    if (status || may_rewrite(keygen, old, command))
        return status;
    keygen_private_clear(old);
    return KEYGEN_FATAL;
}

int keygen_change_passphrase(Keygen *keygen)
{
    PrivateKey old;
    int status = load_old(keygen, "passphrase", "Enter old passphrase: ", "Failed to load key %s", NULL,
                          &old);
    if (status)
        return status;
    LY_AUTO(ly_buf_free) LyBuf comment = {0};
    if (old.has_comment)
        printf("Key has comment '%s'\n", keygen_visible(ly_key_comment(old.key), &comment));
    char *passphrase = keygen->new_passphrase
                           ? keygen_secret_copy(keygen->new_passphrase)
                           : ask_twice(keygen, "Enter new passphrase (empty for no passphrase): ");
    if (!passphrase) {
        printf("Pass phrases do not match.  Try again.\n");
        status = KEYGEN_NO;
    } else if (!keygen_save_private(keygen, old.key, keygen->file, passphrase)) {
        status = KEYGEN_NO;
    } else {
        printf("Your identification has been saved with the new passphrase.\n");
    }
    ly_secret_free(passphrase);
    keygen_private_clear(&old);
    return status;
}

/* The new comment: -C's, or a line of standard input. NULL: there is none. */
static char *new_comment(const Keygen *keygen)
{
    if (keygen->comment)
        return keygen_comment(ly_bytes_str(keygen->comment));
    printf("New comment: ");
    fflush(stdout);
    LyBuf line = {0};
    char *comment = keygen_read_line(&line) ? keygen_comment(ly_buf_bytes(&line)) : NULL;
    ly_buf_free(&line);
    return comment;
}

static int change_comment(Keygen *keygen, const PrivateKey *old)
{
    LY_AUTO(ly_buf_free) LyBuf shown = {0};
    if (keygen->private_format != LY_KEY_OPENSSH && ly_key_type(old->key)->pk != LY_PK_ED25519) {
        keygen_say("Comments are only supported for keys stored in the new format (-o).");
        return KEYGEN_NO;
    }
    if (old->has_comment)
        printf("Old comment: %s\n", keygen_visible(ly_key_comment(old->key), &shown));
    else
        printf("No existing comment\n");
    LY_AUTO_FREE char *comment = new_comment(keygen);
    if (!comment)
        return KEYGEN_NO;
    if (old->has_comment && ly_bytes_is(ly_key_comment(old->key), comment)) {
        printf("No change to comment\n");
        return KEYGEN_OK;
    }
    LyError error;
    int status = KEYGEN_OK;
    LY_AUTO_FREE char *public_file = ly_format("%s.pub", keygen->file);
    LyKey *key = ly_key_new_commented(old->key, ly_bytes_str(comment));
    if (!keygen_save_private(keygen, key, keygen->file, old->passphrase))
        status = KEYGEN_NO;
    else if (!keygen_save_public(key, public_file, &error))
        status = keygen_fatal("Unable to save public key to %s: %s", public_file, KEYGEN_ERROR(&error));
    else if (*comment)
        printf("Comment '%s' applied\n", keygen_visible(ly_bytes_str(comment), &shown));
    else
        printf("Comment removed\n");
    ly_key_unref(key);
    return status;
}

int keygen_change_comment(Keygen *keygen)
{
    PrivateKey old;
    int status = load_old(keygen, "comment", "Enter passphrase: ", "Cannot load private key \"%s\"",
                          keygen->new_passphrase, &old);
    if (status)
        return status;
    status = change_comment(keygen, &old);
    keygen_private_clear(&old);
    return status;
}
