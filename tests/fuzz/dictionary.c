/* Prints the names of the protocols' tables as a dictionary for libFuzzer. */
#include <stdio.h>

#include "agent/numbers.h"
#include "fuzz.h"
#include "session/config.h"
#include "sftp/client.h"
#include "transport/algorithms.h"
#include "transport/numbers.h"

#define NAME_ROW(name, text, rest) text,
static const char *const names[] = {LY_CONFIG_KEYWORDS(NAME_ROW) LY_SFTP_EXTENSIONS(NAME_ROW)
                                    /* words that no table of the core has as a list */
                                    "Host ",
                                    "Match ",
                                    "Match final",
                                    "Include ",
                                    "exec ",
                                    "ssh-userauth",
                                    "ssh-connection",
                                    "none",
                                    "publickey",
                                    "password",
                                    "keyboard-interactive",
                                    "hostbased",
                                    "publickey-hostbound-v00@openssh.com",
                                    "session",
                                    "direct-tcpip",
                                    "forwarded-tcpip",
                                    "x11",
                                    "auth-agent@openssh.com",
                                    "tcpip-forward",
                                    "keepalive@openssh.com",
                                    "exit-status",
                                    "exit-signal",
                                    "exec",
                                    "subsystem",
                                    "pty-req",
                                    "server-sig-algs",
                                    "kex-strict-c-v00@openssh.com",
                                    "kex-strict-s-v00@openssh.com",
                                    "ext-info-c",
                                    "SSH-2.0-",
                                    "@cert-authority ",
                                    "@revoked ",
                                    "|1|",
                                    "restrict",
                                    "from=",
                                    "command=",
                                    "environment=",
                                    "principals=",
                                    "expiry-time=",
                                    "cert-authority",
                                    "force-command",
                                    "source-address",
                                    "-----BEGIN ",
                                    "-----END ",
                                    "OPENSSH PRIVATE KEY-----",
                                    "DEK-Info: ",
                                    "openssh-key-v1",
                                    "---- BEGIN SSH2 PUBLIC KEY ----",
                                    "---- BEGIN SSH2 ENCRYPTED PRIVATE KEY ----",
                                    "Comment: ",
                                    "Subject: ",
                                    "PuTTY-User-Key-File-3: ",
                                    "Private-Lines: ",
                                    "Argon2-Memory: ",
                                    "\\\"kty\\\":\\\"OKP\\\"",
                                    "bcrypt"};
#undef NAME_ROW

#define NUMBER_ROW(name, number) number,
static const unsigned char numbers[] = {LY_SSH_MESSAGES(NUMBER_ROW) LY_AGENT_MESSAGES(NUMBER_ROW)};
#undef NUMBER_ROW

int main(void)
{
    for (size_t i = 0; i < LY_COUNT(names); i++)
        printf("\"%s\"\n", names[i]);
    for (size_t i = 0; i < LY_COUNT(numbers); i++)
        printf("\"\\x%02x\"\n", numbers[i]);
    for (LyAlgorithmKind kind = 0; kind < LY_ALGORITHMS_COUNT; kind++) {
        LyBuf list = {0};
        ly_algorithms_all(fuzz_crypto(), kind, &list);
        LyBytes rest = ly_buf_bytes(&list), name;
        while (rest.len) {
            ly_bytes_split(rest, ',', &name, &rest); /* the last one is whole in `name` */
            printf("\"%.*s\"\n", (int)name.len, (const char *)name.data);
        }
        ly_buf_free(&list);
    }
    printf("\"\\xff\\xff\\xff\\xff\"\n\"\\x7f\\xff\\xff\\xff\"\n\"\\x80\\x00\\x00\\x00\"\n");
    return 0;
}
