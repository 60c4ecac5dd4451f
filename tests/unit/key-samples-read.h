/* Keys in the forms that key-samples.h lacks, made by ssh-keygen 9.2, puttygen 0.78 and openssl 3.0 (ed-v2.p8
 * is of RFC 8410, 10.3); none is in use anywhere. The passphrase of the encrypted ones is "secret". */
#ifndef LY_TESTS_UNIT_KEY_SAMPLES_READ_H
#define LY_TESTS_UNIT_KEY_SAMPLES_READ_H

#include "key/format.h"

typedef struct FormatSample {
    const char *name, *text;
    LyKeyFormat format;
    const char *type, *sha256, *comment, *cipher, *kdf;
} FormatSample;

static const FormatSample format_samples[] = {
    {"rsa.sshcom",
     "---- BEGIN SSH2 ENCRYPTED PRIVATE KEY ----\n"
     "Comment: \"rsa sshcom\"\n"
     "P2/56wAAAi4AAAA3aWYtbW9kbntzaWdue3JzYS1wa2NzMS1zaGExfSxlbmNyeXB0e3JzYS\n"
     "1wa2NzMXYyLW9hZXB9fQAAAARub25lAAAB3wAAAdsAAAARAQABAAAEANU7PVGl0slOmy78\n"
     "80bL5lMM8NVa34mA/m4+cysfFywNYGLZxeGUwMNfFtEpKsLhr39E3aOfDgVhnbHgycrll7\n"
     "OKc8xWPtuPTPnZZFPTYzMf3Thlvrgs+8Xyn4QFTEJMhXJ6kWiG5jx0dR4V1OnvltUmTajh\n"
     "Ayd4iTgwNIREK/sxAAAEAOtuodllXh3KcddY6UqjuwqB4LT8FVvqCdsg7SWComBgzOFdwt\n"
     "CKF2tlARnSOQIIhh4dOCs31l+3+IckXoCrAjC9T7c9N04NZPGbZWQbJxc+j6ONWMFdW7Dh\n"
     "/E4gZm5upB/Ctsd//SQ/CHTSQmIWzOLl9vfflkAr9ewnOIYlmR4zAAAB/2bOq44xEUbM5N\n"
     "DHDhsCtFgz2fQFUjJ1nEhrIpktQyG+5NvVb77HWXSKkO4tPUzQphTtUqbQMNPImMcOVFDj\n"
     "w68AAAIA8k1qFx8oe2jTyywc3zU0BqOgtEP7ueA4wA0mEkoZM6FucB3Iex+CzmPMzjP8TL\n"
     "9bv0mnH4LpYBINCj+DaNCUmQAAAgD4vcrFIq8ZUQuQYACyuL5yTdFQixRDiKMFwquq/9Sv\n"
     "lamzo1jAaIeorZTmvvE7OVbgWPwaSb1d6bDY1a1wQjyr\n"
     "---- END SSH2 ENCRYPTED PRIVATE KEY ----\n",
     LY_KEY_SSHCOM, "ssh-rsa",
     "SHA256:BOiumx6uzTjWFOj7yT9rW7xVkCBMkoAaiIFlPp2cQp4", "rsa sshcom", "", NULL},
    {"rsa-enc.sshcom",
     "---- BEGIN SSH2 ENCRYPTED PRIVATE KEY ----\n"
     "Comment: \"rsa encrypted\"\n"
     "P2/56wAAAjMAAAA3aWYtbW9kbntzaWdue3JzYS1wa2NzMS1zaGExfSxlbmNyeXB0e3JzYS\n"
     "1wa2NzMXYyLW9hZXB9fQAAAAgzZGVzLWNiYwAAAeCvlj+TCvdeouU0cVDItNm8Lfcvx4KD\n"
     "n41KDAt9Wq0fDjH46f8cBfyH+3HNIBs7+qL+paKg0k/6NyBztU6iJHjrHPu2juGmJ5pOan\n"
     "yKIyv8Tz/LIdsc7KWJ4kfqDwOEG6cQIZ8dePplDb9HtuKRI6JibBvidjx/XOrNKu1+pflY\n"
     "gClYRPMs3eKksr39mgKsh8EGLgWezx4XWBrN4EQeRTuF+0Alb9xtiO8cJ/IISD4Y/YkxTn\n"
     "733+TefhfSdgX/48yVxYIlS/j5D1FcRFkaxGvyn2A5BVspnue0Ozsr2tKBhYzUJVhOkqpX\n"
     "Tkdy6Ds2KkTr1B5O+KEmvJ97S0xcLBho3E9ntoHr+xY9GSsHLNhBmamqQnVZAPGcMEn1iR\n"
     "folQyDFisw/mdE46VdJNI4VJ0PAWZtOwSfkc1lXapHIXLsW0Dt8uddGXCiE9AZ1dwO/a1Y\n"
     "4qefqxJ6M9m4R178IQA7E4YayDbuxThqGLBllWSEKoOi74Kh/YzJ4dodQ5DoSTI6rjoe7k\n"
     "wOL6jl+fp10YJxOBxLUn5Utvz6lzWQ1nhVI7CHLjNJwlM4VL0As1FbnMcg/UskuSAUxGR1\n"
     "9CHATBDo/Mpay8IvQ1Nl+GFUMxIAzPXLUEMH4z31L9BB5LRUih8=\n"
     "---- END SSH2 ENCRYPTED PRIVATE KEY ----\n",
     LY_KEY_SSHCOM, "ssh-rsa",
     "SHA256:BOiumx6uzTjWFOj7yT9rW7xVkCBMkoAaiIFlPp2cQp4", "rsa encrypted", "3des-cbc", "md5"},
    {"dsa.sshcom",
     "---- BEGIN SSH2 ENCRYPTED PRIVATE KEY ----\n"
     "Comment: \"dsa sshcom\"\n"
     "P2/56wAAAgIAAAAmZGwtbW9kcHtzaWdue2RzYS1uaXN0LXNoYTF9LGRoe3BsYWlufX0AAA\n"
     "AEbm9uZQAAAcQAAAHAAAAAAAAABAD+TbT7zu5E11EAU3PDdXF+5vZ3DJbOWIRM4EpmUCkA\n"
     "evcLHv7PRvcyciMITGBUlmjATG9mIfBXSnykTSXGf5qocCk5bMTLTj65ceUnr6v76rq5hW\n"
     "Iq3sfJzVTpVTxJcFgBall8MFgi4Z4OHvMscCMJget7C3tSp8BMhoIfzkpvlwAABADek3wc\n"
     "yjz5g/Z4/9i57LWnWsceexSUUEfITnAQWHA+Gh3yMtBszETMxSAYSxKWxds4NabAH8KXWY\n"
     "4aNyPuHhsEyvqIQryFCtwNiu90cLhFugmXV3qYL/GcWEDRJdKKFjUfpJ3iz3eUjMHB9YzS\n"
     "yMOIjLVNms1/4SU3Qd3i4714igAAAKCAYtt2A+UF5n8p9m7zkq/k/DMd+QAABADS4a9Nay\n"
     "u34HeQONjj2ok1zQnFzEc8gawipHEhnjSC6wGgB40orpScdYhiBATaDetpYpNzvxBoafHk\n"
     "X2bN7nLedm78oLI3IjpUF7EXsu2kY2P+4L0bMV2KoSYcnPqaNVoKWOGs7IMgxrBU0JHx94\n"
     "eiQFYbwHCXw5kMpr1X2ROxgQAAAJ0Yefwc9WmgmbZ72H0TfYb1kMvGDw==\n"
     "---- END SSH2 ENCRYPTED PRIVATE KEY ----\n",
     LY_KEY_SSHCOM, "ssh-dss",
     "SHA256:1DS2n4QFJM10nALAFvLWnKPVqrf3yGW5MilndwwG1aA", "dsa sshcom", "", NULL},
    {"dsa-enc.sshcom",
     "---- BEGIN SSH2 ENCRYPTED PRIVATE KEY ----\n"
     "Comment: \"dsa encrypted\"\n"
     "P2/56wAAAgoAAAAmZGwtbW9kcHtzaWdue2RzYS1uaXN0LXNoYTF9LGRoe3BsYWlufX0AAA\n"
     "AIM2Rlcy1jYmMAAAHIPrgcb6+jhpVMyh+wGXcK7HVUz/jEVC2o4UjZeP2l2o0NnfnNzu7O\n"
     "qkVNma96FsIUQUDExHvbPG1WT76/xRkxc1hp0iaK2/KyguXxnhi1ZaxSe0yhY6rglDtkjy\n"
     "nP9s+CmMMxFTX6pUaaXbVoDfS3ohTboYuDxxJQ32g5yyf2kCH9H0A/BsiYu2t/qpFrs5Tn\n"
     "tM85CRjPO5PcLL/Z7fYUiAZBufs2D+dEx13y/i5Psa9bdIsV2h0qAq9O56WJpVPtKOEevq\n"
     "azQvX/ltJpZ+t0zuAi5oBHlqedee3ttSrc0QVDfax43pzHJoaQxh/ONTTeDH5LKSbLeGxa\n"
     "f72TgB/8CvVBG2r8puOPRaCtjAsFTrJPj6MJCjqEu6aq6nWgCdf07cAfuwvNqjxutlnE1H\n"
     "3dKxCVtRhjLPk22y2JCnkWTu/vicMzjSezP+mP/cZviMPV15EXSHxje1rrQdZPhBCYD1NI\n"
     "cHoQtdSkyXJliGUUCI/YNSPekJyf5iHmgYMgDWP9gzu1JAgY+NMzIgHWJCshtWXC6wRTPf\n"
     "DTtJxDr9piphkh6m0u2SjM+8G2WpXMTKDHioHKLo/O3gc9D0EQzQE3jBwfFWM6qhdt\n"
     "---- END SSH2 ENCRYPTED PRIVATE KEY ----\n",
     LY_KEY_SSHCOM, "ssh-dss",
     "SHA256:1DS2n4QFJM10nALAFvLWnKPVqrf3yGW5MilndwwG1aA", "dsa encrypted", "3des-cbc", "md5"},
    {"rsa.4716",
     "---- BEGIN SSH2 PUBLIC KEY ----\n"
     "Comment: \"rsa sshcom\"\n"
     "AAAAB3NzaC1yc2EAAAADAQABAAAAgQDrbqHZZV4dynHXWOlKo7sKgeC0/BVb6gnb\n"
     "IO0lgqJgYMzhXcLQihdrZQEZ0jkCCIYeHTgrN9Zft/iHJF6AqwIwvU+3PTdODWTx\n"
     "m2VkGycXPo+jjVjBXVuw4fxOIGZubqQfwrbHf/0kPwh00kJiFszi5fb335ZAK/Xs\n"
     "JziGJZkeMw==\n"
     "---- END SSH2 PUBLIC KEY ----\n",
     LY_KEY_RFC4716, "ssh-rsa",
     "SHA256:BOiumx6uzTjWFOj7yT9rW7xVkCBMkoAaiIFlPp2cQp4", "rsa sshcom", "", NULL},
    {"dsa.4716",
     "---- BEGIN SSH2 PUBLIC KEY ----\n"
     "Comment: \"dsa sshcom\"\n"
     "AAAAB3NzaC1kc3MAAACBAP5NtPvO7kTXUQBTc8N1cX7m9ncMls5YhEzgSmZQKQB6\n"
     "9wse/s9G9zJyIwhMYFSWaMBMb2Yh8FdKfKRNJcZ/mqhwKTlsxMtOPrlx5Sevq/vq\n"
     "urmFYirex8nNVOlVPElwWAFqWXwwWCLhng4e8yxwIwmB63sLe1KnwEyGgh/OSm+X\n"
     "AAAAFQCAYtt2A+UF5n8p9m7zkq/k/DMd+QAAAIEA3pN8HMo8+YP2eP/Yuey1p1rH\n"
     "HnsUlFBHyE5wEFhwPhod8jLQbMxEzMUgGEsSlsXbODWmwB/Cl1mOGjcj7h4bBMr6\n"
     "iEK8hQrcDYrvdHC4RboJl1d6mC/xnFhA0SXSihY1H6Sd4s93lIzBwfWM0sjDiIy1\n"
     "TZrNf+ElN0Hd4uO9eIoAAACBANLhr01rK7fgd5A42OPaiTXNCcXMRzyBrCKkcSGe\n"
     "NILrAaAHjSiulJx1iGIEBNoN62lik3O/EGhp8eRfZs3uct52bvygsjciOlQXsRey\n"
     "7aRjY/7gvRsxXYqhJhyc+po1WgpY4azsgyDGsFTQkfH3h6JAVhvAcJfDmQymvVfZ\n"
     "E7GB\n"
     "---- END SSH2 PUBLIC KEY ----\n",
     LY_KEY_RFC4716, "ssh-dss",
     "SHA256:1DS2n4QFJM10nALAFvLWnKPVqrf3yGW5MilndwwG1aA", "dsa sshcom", "", NULL},
    {"ec.4716",
     "---- BEGIN SSH2 PUBLIC KEY ----\n"
     "Comment: \"256-bit ECDSA, converted by alice@example from OpenSSH\"\n"
     "AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBBE1EJfn3/16fM4LIDn\n"
     "UYlOmJEjav0+u+KPOWBfe1hOo3mlq93CdPDTPehAlQKrYa+7/8walHNZjVzlmfIb8eMbM=\n"
     "---- END SSH2 PUBLIC KEY ----\n",
     LY_KEY_RFC4716, "ecdsa-sha2-nistp256",
     "SHA256:Ng/lJ50HOAp9USbtpx930cTJYhf9H1zcjNT2jQ55xbk",
     "256-bit ECDSA, converted by alice@example from OpenSSH", "", NULL},
    {"ed.4716",
     "---- BEGIN SSH2 PUBLIC KEY ----\n"
     "Comment: \"256-bit ED25519, converted by alice@example from OpenSSH\"\n"
     "AAAAC3NzaC1lZDI1NTE5AAAAIIsX/wDqqA617iOaCuHrbhGRyelejrkUbhUObP1qnCwg\n"
     "---- END SSH2 PUBLIC KEY ----\n",
     LY_KEY_RFC4716, "ssh-ed25519",
     "SHA256:M7FNFOvCXdlcRR1vKM70HlbcSimthKSdryVWI80DHD0",
     "256-bit ED25519, converted by alice@example from OpenSSH", "", NULL},
    {"ed448.4716",
     "---- BEGIN SSH2 PUBLIC KEY ----\n"
     "Comment: \"ed448 test\"\n"
     "AAAACXNzaC1lZDQ0OAAAADnwpo6Oi3aurkV4dFba9yoVwFyTc5D1iBkFsXIakQ3c\n"
     "Ayw8Zx5Xoy2SS0PuzgJ7XA2BTD8INp035YA=\n"
     "---- END SSH2 PUBLIC KEY ----\n",
     LY_KEY_RFC4716, "ssh-ed448",
     "SHA256:+vzCC9eM5sJlHHBCdthk9F3CIo/YbM5UWJU5EyRHgeI", "ed448 test", "", NULL},
    {"cert.4716",
     "---- BEGIN SSH2 PUBLIC KEY ----\n"
     "Comment: \"256-bit ED25519-CERT, converted by alice@example from OpenSSH\"\n"
     "AAAAIHNzaC1lZDI1NTE5LWNlcnQtdjAxQG9wZW5zc2guY29tAAAAIFgMnNwjmHvR2zXuge\n"
     "tYchZwnNi1mFTXmyWhz3dN8D9PAAAAIIsX/wDqqA617iOaCuHrbhGRyelejrkUbhUObP1q\n"
     "nCwgAAAAAAAAAAAAAAABAAAAAmlkAAAACQAAAAVhbGljZQAAAAAAAAAA//////////8AAA\n"
     "AAAAAAggAAABVwZXJtaXQtWDExLWZvcndhcmRpbmcAAAAAAAAAF3Blcm1pdC1hZ2VudC1m\n"
     "b3J3YXJkaW5nAAAAAAAAABZwZXJtaXQtcG9ydC1mb3J3YXJkaW5nAAAAAAAAAApwZXJtaX\n"
     "QtcHR5AAAAAAAAAA5wZXJtaXQtdXNlci1yYwAAAAAAAAAAAAAAMwAAAAtzc2gtZWQyNTUx\n"
     "OQAAACAiE+VWoMOOvF+LbBx5Pt5eITyMXJgkdt+mNzFxHMA9EwAAAFMAAAALc3NoLWVkMj\n"
     "U1MTkAAABAbG2hrMJAW8dUBq80QVuHF3JZRTIavB5mkv5NR2kEAPzG6yLVW70CyE1h1Ig2\n"
     "flr+BvbMzWpMnJcQso/COlmJCA==\n"
     "---- END SSH2 PUBLIC KEY ----\n",
     LY_KEY_RFC4716, "ssh-ed25519-cert-v01@openssh.com",
     "SHA256:M7FNFOvCXdlcRR1vKM70HlbcSimthKSdryVWI80DHD0",
     "256-bit ED25519-CERT, converted by alice@example from OpenSSH", "", NULL},
    {"ed448.v1",
     "-----BEGIN OPENSSH PRIVATE KEY-----\n"
     "b3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQAAAAAAAAABAAAASgAAAAlz\n"
     "c2gtZWQ0NDgAAAA58KaOjot2rq5FeHRW2vcqFcBck3OQ9YgZBbFyGpEN3AMsPGce\n"
     "V6MtkktD7s4Ce1wNgUw/CDadN+WAAAAA4HKddQpynXUKAAAACXNzaC1lZDQ0OAAA\n"
     "ADnwpo6Oi3aurkV4dFba9yoVwFyTc5D1iBkFsXIakQ3cAyw8Zx5Xoy2SS0PuzgJ7\n"
     "XA2BTD8INp035YAAAAByZrRbwip8/YT4p5SlAfLFRO7IggF2MxAwGrM9CurtMeie\n"
     "ky3VPovjYBsrrG+1GdwfBKftGIp4CG8A8KaOjot2rq5FeHRW2vcqFcBck3OQ9YgZ\n"
     "BbFyGpEN3AMsPGceV6MtkktD7s4Ce1wNgUw/CDadN+WAAAAACmVkNDQ4IHRlc3QB\n"
     "AgMEBQYHCAkK\n"
     "-----END OPENSSH PRIVATE KEY-----\n",
     LY_KEY_OPENSSH, "ssh-ed448",
     "SHA256:+vzCC9eM5sJlHHBCdthk9F3CIo/YbM5UWJU5EyRHgeI", "ed448 test", "", NULL},
    {"znone",
     "-----BEGIN OPENSSH PRIVATE KEY-----\n"
     "b3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAGYmNyeXB0AAAAGAAAABDHWxMY/LLLf8C0VW\n"
     "qd82ujAAAAAQAAAAEAAAAzAAAAC3NzaC1lZDI1NTE5AAAAILbEKqc1ncCQlvzrB7bJzdAs\n"
     "k/QNgeYloa+sd4J7jROkAAAAkNjpWzDY6VswAAAAC3NzaC1lZDI1NTE5AAAAILbEKqc1nc\n"
     "CQlvzrB7bJzdAsk/QNgeYloa+sd4J7jROkAAAAQMeWFwAahxYjJbqohAVcdc0vBD3/Urls\n"
     "tAGVznMDK1sAtsQqpzWdwJCW/OsHtsnN0CyT9A2B5iWhr6x3gnuNE6QAAAAGeiBub25lAQ\n"
     "IDBAUGBw==\n"
     "-----END OPENSSH PRIVATE KEY-----\n",
     LY_KEY_OPENSSH, "ssh-ed25519",
     "SHA256:9t9li3QfShav38ZszL0lUrve9+v+pmraJCGSc84c9bw", "z none", "", NULL},
    {"ec-nopub.pem",
     "-----BEGIN EC PRIVATE KEY-----\n"
     "MDECAQEEIG8/rXd/EKfiatfWOtN+BkuhZdWsdTiVPpa1K0j6ZgaeoAoGCCqGSM49\n"
     "AwEH\n"
     "-----END EC PRIVATE KEY-----\n",
     LY_KEY_PEM, "ecdsa-sha2-nistp256",
     "SHA256:Ng/lJ50HOAp9USbtpx930cTJYhf9H1zcjNT2jQ55xbk", "", "", NULL},
    {"ec-nopub.p8",
     "-----BEGIN PRIVATE KEY-----\n"
     "MEECAQAwEwYHKoZIzj0CAQYIKoZIzj0DAQcEJzAlAgEBBCBvP613fxCn4mrX1jrT\n"
     "fgZLoWXVrHU4lT6WtStI+mYGng==\n"
     "-----END PRIVATE KEY-----\n",
     LY_KEY_PKCS8, "ecdsa-sha2-nistp256",
     "SHA256:Ng/lJ50HOAp9USbtpx930cTJYhf9H1zcjNT2jQ55xbk", "", "", NULL},
    {"ed-v2.p8",
     "-----BEGIN PRIVATE KEY-----\n"
     "MHICAQEwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC\n"
     "oB8wHQYKKoZIhvcNAQkJFDEPDA1DdXJkbGUgQ2hhaXJzgSEAGb9ECWmEzf6FQbrB\n"
     "Z9w7lshQhqowtrbLDFw4rXAxZuE=\n"
     "-----END PRIVATE KEY-----\n",
     LY_KEY_PKCS8, "ssh-ed25519",
     "SHA256:ebCT4wkJOqO5AIlHG03cHvn3Cr3ZZEEh8m81duHhR3Q", "", "", NULL},
    {"rsa-aes192.pem",
     "-----BEGIN RSA PRIVATE KEY-----\n"
     "Proc-Type: 4,ENCRYPTED\n"
     "DEK-Info: AES-192-CBC,620E1CE4647C4F91FF73356449063492\n"
     "\n"
     "4ucYj+/PgNjBE+X6GNQQ0FXu68yHfYwy4SVEOUujuNauYecoDQ5anH2bQTdN5NKF\n"
     "EFq7WUBdPny0o0RUO4OxawA9HcEt2rpKJHWUVbGwagwrN+pE2Lut/kFDI4O+RN9h\n"
     "PMROGKdWAIZZOacHzRELgOIpr9zXYN0BJdU5Amu3Iv7O8G0M5mgQYhyb7F+WhXvz\n"
     "DpbH/+2MAw5VdDUiy6W3v/NYbnuHx2H0pPasJhhteAxA4QAzNxFLy717X+dir93O\n"
     "uhEVqhKL3omlDi5fnrMgRFNUnpKb8KYabRbCwBWyiXkJVeq9F+U+MlmUDfkU1X5c\n"
     "aJYF/LaxweYq+s9hbLddsyVkEljXK5ARx1rlQ/xM00K9/XjdLl2gpGl4WnNXZ9tB\n"
     "ziTxLEzIRGO7+WtovWhoHfqeDDbydry9Ym9cjyfsa0rwBZo8PHUkD1e0giKUdl25\n"
     "sppgzFVC7+aJAgeQGRbHa0lKYeRJaEnVXLcG5B7lm8H1b+866vSAgYTA0ZmBLA/A\n"
     "zZ/GN7P8WsiqYu5WdWex7N7V2Y9GTG8Z4bjVT7M4wEh53BLOpC4cVpw7uOPeUeYx\n"
     "WEAmQLw+i4xpyYeVP25yHzwG5gD0t0cBtPiUIT35F9XAe8zP+cNvfjGEGdLcyZU6\n"
     "m4nTqAskrYC5er3qGd5lBCErELOpTBm3VZl7n+BdXCO5/aKuDOgVyqOnprLF2b90\n"
     "jDlO0GFl3zTDYHhD2lmuRG311jMIPcq3jjX6yQc6H4EnoERYwN5mTlc8DyjT97cJ\n"
     "bJulz87ppowvSD3lZGXex3y4RtvIpKqlzM61Eh3jZi1HM0qjw8wVB/uBuWDCtCZR\n"
     "-----END RSA PRIVATE KEY-----\n",
     LY_KEY_PEM, "ssh-rsa",
     "SHA256:BOiumx6uzTjWFOj7yT9rW7xVkCBMkoAaiIFlPp2cQp4", "", "AES-192-CBC", "md5"},
    {"rsa-aes256.pem",
     "-----BEGIN RSA PRIVATE KEY-----\n"
     "Proc-Type: 4,ENCRYPTED\n"
     "DEK-Info: AES-256-CBC,555355D3A1DBA08ACEC173F29C554876\n"
     "\n"
     "HA59yKMctNykoYam51dg/ic1cvuFe3T4AYetS8aEkc7dbqGD2ycjMyElKT9TBzMb\n"
     "9+WUlvBeMxYL7zcbIQQUAp3FpyqYVpgtjofNaBoega4BZvAwntSQ0wTS2+97JE1u\n"
     "ktjmiHYpypGXcXNi4pqmPESfUumFFgMFCx1dGGjAtYnzpz9rR0FPC0OvXEGTNDiI\n"
     "EAUhwtiMOEortsMIfcdgrk4KV+Empf3ctOp1D7XGvOe36/gBJStFDHTPWxcI4vOZ\n"
     "xMAsnJ/AaLS3a+wVAVX8KnwKoTc/+T2HNNWkE8lsSoz6VDhjbQd70VGhl1wTMmC9\n"
     "KY7BUS4kYrMUrCKQ6TLV6RiO5FQDcm+af1RDhPj+WxkphdscwGFuBKxQLnNrMU7u\n"
     "HYyxZMbTv1gWRkjUuEjvhwdWts3o6UfC7bLYv+elv3i39Y8NALMmOK8APuMfDeyQ\n"
     "9FVG+RAaEiDhw6rjd3KUoqfqRKNq0wCrmW2SIKWSdgz+t25qHu+uC+wXhVWAgx2D\n"
     "g8Q+qoyOeRHVeDt5mVOvv6g1FAhF/RwmTGIYWI8BcKcENBZLta3SU/ArOSq4RAcj\n"
     "1NN4XoiET5NuHDyWS8983WSa7QW7M++QXZqXGyJhMVlDfxN2RRpxeP6Jk5J+L5Gt\n"
     "uWpSMLUZWTxBzb706jEfVP/KFktToSBQl+nr+/3YSmmm8rPVBillI8om3c9uoG2c\n"
     "BxH9XO+oiic1/Zwf4Ib4ew9Q1l3sytE9LjMHKejj5qw7kZm5BoJqoWiqL28MGHN4\n"
     "wo3QeapM2idxcM4gVdrB9Tu7svOIu5WzzbbTMFF09TtPwjMI+wvnAcic6Nt2/fSq\n"
     "-----END RSA PRIVATE KEY-----\n",
     LY_KEY_PEM, "ssh-rsa",
     "SHA256:BOiumx6uzTjWFOj7yT9rW7xVkCBMkoAaiIFlPp2cQp4", "", "AES-256-CBC", "md5"},
    {"ec-aes256.pem",
     "-----BEGIN EC PRIVATE KEY-----\n"
     "Proc-Type: 4,ENCRYPTED\n"
     "DEK-Info: AES-256-CBC,4113BB1F7B6AB063B3B1DEEF186014EF\n"
     "\n"
     "OgkaEXhq5SD4MgMmeBIY3HE10K2kHc+h/84j9oXJGgWdaXVZxO90wxZjhPvvyu26\n"
     "QEh+gWP+PJWUHS9Ll1mwJrklDoMWrkYxk5wijxY5wctyBOtLcbXFDVDGLQTiGF8E\n"
     "t6v01U70eYtyQBnSymRNsa7nI+M8miNLmH8L6mGe8nM=\n"
     "-----END EC PRIVATE KEY-----\n",
     LY_KEY_PEM, "ecdsa-sha2-nistp256",
     "SHA256:Ng/lJ50HOAp9USbtpx930cTJYhf9H1zcjNT2jQ55xbk", "", "AES-256-CBC", "md5"},
    {"ec-sha512.p8",
     "-----BEGIN ENCRYPTED PRIVATE KEY-----\n"
     "MIHrMFYGCSqGSIb3DQEFDTBJMCgGCSqGSIb3DQEFDDAbBAiQx4cr25DwegIBAjAM\n"
     "BggqhkiG9w0CCwUAMB0GCWCGSAFlAwQBAgQQlnUGQV9pSFh3sMYWT++/UQSBkOr8\n"
     "NppnjpQLfinzp8WKFP5uX40Q8dBJgW1JrcvZllUSsObVz6IL1FDD6VhBBvW/PMpb\n"
     "715q4nJQKopnuBRJ6SKlpq3cGwhVGPKpy1kqNG7ob7AJCQ7EtPvVF6qPq949xbWM\n"
     "x6ChBYzZOM69TB3JZcmmD/qsnDfR5/6m05TCY2PZcS23q/b4+VxgJl2yF8d3og==\n"
     "-----END ENCRYPTED PRIVATE KEY-----\n",
     LY_KEY_PKCS8, "ecdsa-sha2-nistp256",
     "SHA256:Ng/lJ50HOAp9USbtpx930cTJYhf9H1zcjNT2jQ55xbk", "", "aes128-cbc", "pbkdf2"},
    {"rsa-3des.p8",
     "-----BEGIN ENCRYPTED PRIVATE KEY-----\n"
     "MIIC0zBNBgkqhkiG9w0BBQ0wQDAoBgkqhkiG9w0BBQwwGwQIfjbht9CIYfYCAQIw\n"
     "DAYIKoZIhvcNAgkFADAUBggqhkiG9w0DBwQIEc+wLF3FXbEEggKAtiUhz8gTqFuB\n"
     "JufyA1FUWyFBEY9ZN+OML2whAo/XlA0x0mgY83R1OYLNuaC6y//+thlPW8SM/aaJ\n"
     "ora/lpI4V54JF+vlLV066W+hk6so6XoeYh5HULhx2nrhZO2yYMRUJDgRikpnTqDV\n"
     "43x7YodBt9hgn2bI3uSozA6BBqoOn+2huFPrT8DruMvm7cbKqzBmTN7bs8s3q+9P\n"
     "yrC8dD4PG7ETWzC3W0Vx/MkmoTSNhLbPrTXQUU+2WKS8r6V7y2Se4MTgkW2YOWhT\n"
     "0U7Y19fKs/4mkR7LlGSonPPimFGNAH1D7vRP068NvbMJs9efjJ7Xz+CpmDOg9jhu\n"
     "mAYloW8xJv/HaIO27dSTix0j0mvv5TRuQ7bOOV4XVoXPzdQstUCPaZGJ0wIsvcPs\n"
     "/Qw08rrjpqLSxDZYewFJ47btUPYOzN4CWXdhI+JtmRn/mLdNTGidUZfb7magB/Y4\n"
     "JWfziya8N7jhFeeUa/iWd7v005zQ/13BfgDiELAabg9O6s4TRX1mjYTbsb6NX39q\n"
     "430pa8dPsalzqp1549Xp+uoPuJq2wYL/bkK/hZepTCxnYfIOnb5fMidiBNrzgNCV\n"
     "nNWMGzlbXi6wev8Kpti03YTMyS8m4aPKPD0acag28i8aZyH+X04ZYJRMTnyae6Wx\n"
     "eupkYPDGxFXTfKuMs1saIPZaO9go+7q4B0PZ3/QuVqBT3fodWE2c+G0lXgZAS1Gs\n"
     "sjM+v/iMx6yfRKRGcIfQmy5NzKcqYeqw2XyCUoDgYf+DI0TF0+RAUfXp01FjcFZP\n"
     "j1CzkaILv3VjT/fDSEJUKyTRvUZnLGTtQfjOUMcvXPaKcMNUa0YJQdHUaUhGlNVH\n"
     "Or8C1qSpwQ==\n"
     "-----END ENCRYPTED PRIVATE KEY-----\n",
     LY_KEY_PKCS8, "ssh-rsa",
     "SHA256:BOiumx6uzTjWFOj7yT9rW7xVkCBMkoAaiIFlPp2cQp4", "", "3des-cbc", "pbkdf2"},
    {"ec-sha384.p8",
     "-----BEGIN ENCRYPTED PRIVATE KEY-----\n"
     "MIHrMFYGCSqGSIb3DQEFDTBJMCgGCSqGSIb3DQEFDDAbBAhPBv4JVYgAsQIBAjAM\n"
     "BggqhkiG9w0CCgUAMB0GCWCGSAFlAwQBFgQQrn/tVv2NoD7DX1eCfqBLOASBkGGg\n"
     "eYqDX7KksYn6V8cX82h00ZGyTxL8C/7vZq7kaVlb4rK+TqtKpOONDPz9YK0bWf/9\n"
     "W36/VK7Xz1YWoBUaoatdii3Xc9lYaiRKdJMmLVSMF+anOFJ9KRYiZfwIrE+KkC0L\n"
     "qboJxGtzxMshn/epaAa8FPb7yhC407q+oOCJzR+cdec2j//EZTd/7XDQS2S1oQ==\n"
     "-----END ENCRYPTED PRIVATE KEY-----\n",
     LY_KEY_PKCS8, "ecdsa-sha2-nistp256",
     "SHA256:Ng/lJ50HOAp9USbtpx930cTJYhf9H1zcjNT2jQ55xbk", "", "aes192-cbc", "pbkdf2"},
    {"ec-scrypt.p8",
     "-----BEGIN ENCRYPTED PRIVATE KEY-----\n"
     "MIHjME4GCSqGSIb3DQEFDTBBMCAGCSsGAQQB2kcECzATBAhCa81kEpFlUAIBEAIB\n"
     "AQIBAjAdBglghkgBZQMEASoEEDBO2Ym9SWrefarszwOxas0EgZAkgqvArkECRZlW\n"
     "Axw9ud6UuEve6pJqnM/Mea87dnMi1VOwjlF305lhe/ajvjlacJH8qIXIZ6xnyHjz\n"
     "9e1zJQ9QTA8rV6mFG11K2+oJycqECONDW7y00Q/fndlvPdwv1g1PCyB5Et9ztefN\n"
     "NYFn4urrgANk/NUQUpos5xNPCFW0Qk7K2Ivi1MVOJv8mnOelDOE=\n"
     "-----END ENCRYPTED PRIVATE KEY-----\n",
     LY_KEY_PKCS8, "ecdsa-sha2-nistp256",
     "SHA256:Ng/lJ50HOAp9USbtpx930cTJYhf9H1zcjNT2jQ55xbk", "", "aes256-cbc", "scrypt"},
    {"ed448.pub",
     "ssh-ed448 AAAACXNzaC1lZDQ0OAAAADnwpo6Oi3aurkV4dFba9yoVwFyTc5D1iBkFsXIakQ3cAyw8Zx5Xoy2SS0PuzgJ7X"
     "A2BTD8INp035YA= ed448 test\n",
     LY_KEY_LINE, "ssh-ed448",
     "SHA256:+vzCC9eM5sJlHHBCdthk9F3CIo/YbM5UWJU5EyRHgeI", "ed448 test", "", NULL},
};

#endif
