/* PPK files of puttygen 0.78 (version 1: put together from its parts, and read by it); the passphrase is
 * "secret". */
#ifndef LY_TESTS_UNIT_PPK_SAMPLES_H
#define LY_TESTS_UNIT_PPK_SAMPLES_H

#include "key/read.h"

typedef struct PpkSample {
    const char *type, *sha256, *comment;
    LyKeyFormat format;
    LyKeyKdf kdf; /* name NULL: not encrypted */
    const char *text;
} PpkSample;

static const PpkSample ppk_samples[] = {
    /* rsa, version 3 */
    {"ssh-rsa",
     "SHA256:S3OtovrMoDRx59kagHvsRbzaSg4npDgCe50ThLxSP84",
     "c rsa",
     LY_KEY_PPK3,
     {0},
     "PuTTY-User-Key-File-3: ssh-rsa\n"
     "Encryption: none\n"
     "Comment: c rsa\n"
     "Public-Lines: 4\n"
     "AAAAB3NzaC1yc2EAAAADAQABAAAAgQCuWxIGodCrHt/MN8PfaTI8lBU6H1htNADK\n"
     "QEg21wKUbGxanQSc7ikrJCNCakCb+3BQvotRBluJTunIKXTKyFkJFSEnbO/YGNbd\n"
     "vIrmJUdoo9Otwf2ipCIb5FmshzK3GuwInaqqoNnUF9bGzoL2UGiz3P5orNm0dsPt\n"
     "6PdKT/0G6Q==\n"
     "Private-Lines: 8\n"
     "AAAAgHdR18o2HwmcfWfSmfdglIKkjMpT/T3uosPGriTpi9hrQtPYNPn4erANcRvY\n"
     "fxLARiLb45e1lBspqA/VXxoPde4B1exL9Qpfl5pLSQOEUfZDA2lY2QMJw8lcH8YO\n"
     "yLBhQ4mL+6hfZlUJPGbjrXcu62pHJifTIUmmpqp+sMT1kfIhAAAAQQDc2VB8hts+\n"
     "dUI7SCFTsOM2krgtbVdOnHy0C0Vl4eVlJo/rr0Ok4nefMnqIH49zT19m9fS8YiLX\n"
     "vVMpX02o42otAAAAQQDKG1nypsHC14uHc7/kD8+isW/6uMxc3nnqoQSnbLOPpJnF\n"
     "Bzcz9PYekAupMLXqhUKAMM1i7WAw5T2q2vcxq/EtAAAAQFw8qNySbJtbl6RTAe8P\n"
     "4RnehRhJ3tNrxPPS/8LnWt6DlWOGZmv1ux6kqfrH9hGKZtQMQyLa4P+DZNsH4ojQ\n"
     "PHw=\n"
     "Private-MAC: 045aea19e450be7c4e9f5e8b89438208af29ca3dbde95798d0068aff987dca41\n"},
    /* ed25519, version 3 */
    {"ssh-ed25519",
     "SHA256:L+B6fIE1bUFnbNbNbJDYpB/TaUIYc9vatZFJuX20wJY",
     "c ed25519",
     LY_KEY_PPK3,
     {0},
     "PuTTY-User-Key-File-3: ssh-ed25519\n"
     "Encryption: none\n"
     "Comment: c ed25519\n"
     "Public-Lines: 2\n"
     "AAAAC3NzaC1lZDI1NTE5AAAAIIaABtxKuGAupskClAIhmqjKiM8z6joxkT5Lf+ff\n"
     "Jxtp\n"
     "Private-Lines: 1\n"
     "AAAAIJSO8ee2LztkokyOWAXm7l6OJ7p1VNqvlQqYiF+IMIol\n"
     "Private-MAC: 5df3a51a23fe9a8d4a3bf5229adca011080aa4b306c20a5eb7a7c830ebd2c112\n"},
    /* ed448, version 3 */
    {"ssh-ed448",
     "SHA256:Eu8tA4MXK+CWkAH/eLrqOpx63A1VQWs+LgV2RDJV3jk",
     "c ed448",
     LY_KEY_PPK3,
     {0},
     "PuTTY-User-Key-File-3: ssh-ed448\n"
     "Encryption: none\n"
     "Comment: c ed448\n"
     "Public-Lines: 2\n"
     "AAAACXNzaC1lZDQ0OAAAADne0RtM1UJbbPeU02SgtcdouLqXx4vCsGgkpBPMwuZ7\n"
     "p/ehtPNtKskPFNavS+8YmmySv7vK7FjFKQA=\n"
     "Private-Lines: 2\n"
     "AAAAOeunE6JyOT/oZHUg8yBo5m4RTmmsroeh00UA1HHprMUjih4Gn5S3pwWzu2uC\n"
     "sjv6hKmm6CgzlaW+AA==\n"
     "Private-MAC: e29d922db4e80a189c57e1c978792774d16015b548a6c34923eeb00e0bb26fb7\n"},
    /* p256, version 3 */
    {"ecdsa-sha2-nistp256",
     "SHA256:hTT6FnCwAeoBQoqjVXFpLnpfCJPjK5a/lfK5tstl/MY",
     "c p256",
     LY_KEY_PPK3,
     {0},
     "PuTTY-User-Key-File-3: ecdsa-sha2-nistp256\n"
     "Encryption: none\n"
     "Comment: c p256\n"
     "Public-Lines: 3\n"
     "AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBBDjfi8u/F6nK\n"
     "3GY1HVnd41Ol6mXjjmMd2IQikzN0oAnDs7wBFCOQBfUnGFSAYZ93XRAn3k8MEdWI\n"
     "pCeCVHpAuU0=\n"
     "Private-Lines: 1\n"
     "AAAAIQDMllTHpbgEWZjs7rqv1WLeuOp6RbJO/GW1R/+jKjIQlw==\n"
     "Private-MAC: 459e269773291fc4d3a5377dbad11f4ffadb4c074afb93e2285b31f576414373\n"},
    /* p384, version 3 */
    {"ecdsa-sha2-nistp384",
     "SHA256:8wyhFcYRXVbineltHK3CTw+BB/ot476Ik4D4lGy/XNw",
     "c p384",
     LY_KEY_PPK3,
     {0},
     "PuTTY-User-Key-File-3: ecdsa-sha2-nistp384\n"
     "Encryption: none\n"
     "Comment: c p384\n"
     "Public-Lines: 3\n"
     "AAAAE2VjZHNhLXNoYTItbmlzdHAzODQAAAAIbmlzdHAzODQAAABhBF3Wl1/k8gcv\n"
     "CDBXAFxIzl4x/YjdWWcvbNba0BQcK2eQ7RcVTdLSRhtvmzNE2e/wmBoa+7JVV8v1\n"
     "6pPk7k6IEgIkmnA50x5fq7udMIsi+zk97WckYFD6TXGCZ9YV34aWqw==\n"
     "Private-Lines: 2\n"
     "AAAAMQDfkhgn5kIrZvVGs+YQmEkOq7YSbfVdc5UdsRlZNuZT62cxipx2AO/4c2Ws\n"
     "n0m3P0E=\n"
     "Private-MAC: 2ed2ed5b70c9e043d35c5ac4b2708d11bec6f35cda6d6a3613bd90a6998e93f2\n"},
    /* p521, version 3 */
    {"ecdsa-sha2-nistp521",
     "SHA256:bu588bASKn+JvRrgeygBr+Nt9cRwWdkUxgJJp7LlVa4",
     "c p521",
     LY_KEY_PPK3,
     {0},
     "PuTTY-User-Key-File-3: ecdsa-sha2-nistp521\n"
     "Encryption: none\n"
     "Comment: c p521\n"
     "Public-Lines: 4\n"
     "AAAAE2VjZHNhLXNoYTItbmlzdHA1MjEAAAAIbmlzdHA1MjEAAACFBAEk8Uqgite5\n"
     "OwxquuBltB3ZzS8ij18xpuBZXNMBp2DJ9Gh4BqGK/Uu85eXH8Afi11CQNJBlmj4J\n"
     "R0k4nNODlkdxCwB9GmIAkBZzxrEkjZVRl6eb1NQ8Q8cszFcS31qVMGdbmD4d+tQZ\n"
     "O0JYpf6BrijRrfSzjeDADx9Nwf+W/WhuxxdLAw==\n"
     "Private-Lines: 2\n"
     "AAAAQgHtGJubZqKgoSSB5IkiqKoonGCuWDbbdxnv3eeu0pl0C3Afu5zpOk/bxkkz\n"
     "EibnfgMM3xWxMczDjqex8lCgCYZO2Q==\n"
     "Private-MAC: c39e5dda27dd4c02973c7db917fc0418b07ed679cb6c1f088fe2541f32308f2e\n"},
    /* dsa, version 3 */
    {"ssh-dss",
     "SHA256:rVZJEcUb4DptJsmCsmoJFsJnfsMLOpLAyVvDM1T5j8E",
     "c dsa",
     LY_KEY_PPK3,
     {0},
     "PuTTY-User-Key-File-3: ssh-dss\n"
     "Encryption: none\n"
     "Comment: c dsa\n"
     "Public-Lines: 10\n"
     "AAAAB3NzaC1kc3MAAACBAI7jJULohfdIRbRLXNKkRKWQ8+GIPZRj4+k1EO8URjXu\n"
     "8+qdu/UsQ4Yewkd7KtrNeoQF+OwDOiByU0SvfvGWVFbt2N7pk/VgCp5ND8wijJnS\n"
     "j5PfnnvTbSnxg1Nh0sm3MGRkvX7po3weyPpTkSpbQadHr8sgg0O6nJvJcJrCZpJl\n"
     "AAAAFQC3Lxod8YAXX67pFiQwjQOO7SChoQAAAIEAiTX/aeER1HKmfJnj6esGsQ8Z\n"
     "05TZo/SpwaX3Px36jkZQ3fnkj7WRFV6xK8fFZ7dl2qcPJ8Sqtg1MIoj+W/P/0Qf4\n"
     "YWUG51hXtCCG1uMuAKCCPBU5nxdpPKSXgJDCsv9iTNEchPkXGleHeTBTF8tIjASX\n"
     "oTYBbRTyp8DDC8URP0gAAACAYaU5hqofXmifzIUwKB4hhXVJz2dit4CkCzDkMP4u\n"
     "+7rGeJXR/jfNLoYg9eRDD/S2EB5l5F1rT+DGS3c4+u92EKQ3gNWUMXqrnnVriDv/\n"
     "GtVD72vHKj4rizjtetRJa/PP1G7IvpoDyBvSNhHXbFgySjvNefZ0thZ9XJsSESOw\n"
     "QV0=\n"
     "Private-Lines: 1\n"
     "AAAAFCIO6FMapVGhX7kpsCWexNf0A1cR\n"
     "Private-MAC: 67ed8b4f15624cca33fb09865ca330156dd1ab852cfe2a75e94b66b023b19a29\n"},
    /* rsa, version 2 */
    {"ssh-rsa",
     "SHA256:S3OtovrMoDRx59kagHvsRbzaSg4npDgCe50ThLxSP84",
     "c rsa",
     LY_KEY_PPK2,
     {0},
     "PuTTY-User-Key-File-2: ssh-rsa\n"
     "Encryption: none\n"
     "Comment: c rsa\n"
     "Public-Lines: 4\n"
     "AAAAB3NzaC1yc2EAAAADAQABAAAAgQCuWxIGodCrHt/MN8PfaTI8lBU6H1htNADK\n"
     "QEg21wKUbGxanQSc7ikrJCNCakCb+3BQvotRBluJTunIKXTKyFkJFSEnbO/YGNbd\n"
     "vIrmJUdoo9Otwf2ipCIb5FmshzK3GuwInaqqoNnUF9bGzoL2UGiz3P5orNm0dsPt\n"
     "6PdKT/0G6Q==\n"
     "Private-Lines: 8\n"
     "AAAAgHdR18o2HwmcfWfSmfdglIKkjMpT/T3uosPGriTpi9hrQtPYNPn4erANcRvY\n"
     "fxLARiLb45e1lBspqA/VXxoPde4B1exL9Qpfl5pLSQOEUfZDA2lY2QMJw8lcH8YO\n"
     "yLBhQ4mL+6hfZlUJPGbjrXcu62pHJifTIUmmpqp+sMT1kfIhAAAAQQDc2VB8hts+\n"
     "dUI7SCFTsOM2krgtbVdOnHy0C0Vl4eVlJo/rr0Ok4nefMnqIH49zT19m9fS8YiLX\n"
     "vVMpX02o42otAAAAQQDKG1nypsHC14uHc7/kD8+isW/6uMxc3nnqoQSnbLOPpJnF\n"
     "Bzcz9PYekAupMLXqhUKAMM1i7WAw5T2q2vcxq/EtAAAAQFw8qNySbJtbl6RTAe8P\n"
     "4RnehRhJ3tNrxPPS/8LnWt6DlWOGZmv1ux6kqfrH9hGKZtQMQyLa4P+DZNsH4ojQ\n"
     "PHw=\n"
     "Private-MAC: cdbb329cfb365ff51eaa2fd24695fb3db0751f0e\n"},
    /* dsa, version 2 */
    {"ssh-dss",
     "SHA256:rVZJEcUb4DptJsmCsmoJFsJnfsMLOpLAyVvDM1T5j8E",
     "c dsa",
     LY_KEY_PPK2,
     {0},
     "PuTTY-User-Key-File-2: ssh-dss\n"
     "Encryption: none\n"
     "Comment: c dsa\n"
     "Public-Lines: 10\n"
     "AAAAB3NzaC1kc3MAAACBAI7jJULohfdIRbRLXNKkRKWQ8+GIPZRj4+k1EO8URjXu\n"
     "8+qdu/UsQ4Yewkd7KtrNeoQF+OwDOiByU0SvfvGWVFbt2N7pk/VgCp5ND8wijJnS\n"
     "j5PfnnvTbSnxg1Nh0sm3MGRkvX7po3weyPpTkSpbQadHr8sgg0O6nJvJcJrCZpJl\n"
     "AAAAFQC3Lxod8YAXX67pFiQwjQOO7SChoQAAAIEAiTX/aeER1HKmfJnj6esGsQ8Z\n"
     "05TZo/SpwaX3Px36jkZQ3fnkj7WRFV6xK8fFZ7dl2qcPJ8Sqtg1MIoj+W/P/0Qf4\n"
     "YWUG51hXtCCG1uMuAKCCPBU5nxdpPKSXgJDCsv9iTNEchPkXGleHeTBTF8tIjASX\n"
     "oTYBbRTyp8DDC8URP0gAAACAYaU5hqofXmifzIUwKB4hhXVJz2dit4CkCzDkMP4u\n"
     "+7rGeJXR/jfNLoYg9eRDD/S2EB5l5F1rT+DGS3c4+u92EKQ3gNWUMXqrnnVriDv/\n"
     "GtVD72vHKj4rizjtetRJa/PP1G7IvpoDyBvSNhHXbFgySjvNefZ0thZ9XJsSESOw\n"
     "QV0=\n"
     "Private-Lines: 1\n"
     "AAAAFCIO6FMapVGhX7kpsCWexNf0A1cR\n"
     "Private-MAC: f369b89d830b26b35ec2b60eb383692f214192cf\n"},
    /* rsa, version 2, encrypted */
    {"ssh-rsa",
     "SHA256:S3OtovrMoDRx59kagHvsRbzaSg4npDgCe50ThLxSP84",
     "c rsa",
     LY_KEY_PPK2,
     {"sha1"},
     "PuTTY-User-Key-File-2: ssh-rsa\n"
     "Encryption: aes256-cbc\n"
     "Comment: c rsa\n"
     "Public-Lines: 4\n"
     "AAAAB3NzaC1yc2EAAAADAQABAAAAgQCuWxIGodCrHt/MN8PfaTI8lBU6H1htNADK\n"
     "QEg21wKUbGxanQSc7ikrJCNCakCb+3BQvotRBluJTunIKXTKyFkJFSEnbO/YGNbd\n"
     "vIrmJUdoo9Otwf2ipCIb5FmshzK3GuwInaqqoNnUF9bGzoL2UGiz3P5orNm0dsPt\n"
     "6PdKT/0G6Q==\n"
     "Private-Lines: 8\n"
     "4sOhxeqpewqNnVIiYLd3eWtZtNC2aBGOWMuHgBU7upvwon0IK5jEHRI5qUdRkFst\n"
     "RUUanFPcKHXcvIBG6Dd04yCPZCo+GKabEZ5JLgQBRMVlq6r9qvhiI/c8SJZ6cdZJ\n"
     "kFURF2Wzf9eg06AxxZI9iWd4PTLJm/9xoZiNFpFsZYU0lAEQDrezKefG6Of/vfw5\n"
     "H1fKLXYsXDngMbvRv9ynaPLfkw54IwoDQ1j8SojrPu8WhYDnpNORhXQx31mvyDGv\n"
     "1EsQFbzP33NTNLYu+Ufun8hwnZfyhZp+UoePX4XLt4/9GNUaO/S41RzkfNEMNisw\n"
     "PpO5GShNqcfAH9KOek1GKJ+TFiLOMAcd7J8iA4EZHXnSdQdzoFrYp2q93V6ywRhp\n"
     "6xXEpbctCQlIco2YnHmXyPPodZpKZzderWp5gGS1uBOs1gj1P1fvqbnvEvpRiZJ5\n"
     "ZXy4L4Po0HOT4JJmb8pNkg==\n"
     "Private-MAC: 885a5f0053e242d2202cc59925d3cd422221d5a4\n"},
    /* ed25519, version 2, encrypted */
    {"ssh-ed25519",
     "SHA256:L+B6fIE1bUFnbNbNbJDYpB/TaUIYc9vatZFJuX20wJY",
     "c ed25519",
     LY_KEY_PPK2,
     {"sha1"},
     "PuTTY-User-Key-File-2: ssh-ed25519\n"
     "Encryption: aes256-cbc\n"
     "Comment: c ed25519\n"
     "Public-Lines: 2\n"
     "AAAAC3NzaC1lZDI1NTE5AAAAIIaABtxKuGAupskClAIhmqjKiM8z6joxkT5Lf+ff\n"
     "Jxtp\n"
     "Private-Lines: 1\n"
     "yhtFhIOHv6Dto35DkK7E8fGklnd7POfsk/Z5b76o0XskyOtESI4TBuuWJDXUn3jG\n"
     "Private-MAC: 5bfa72ba93cca93ff74e003400872e12b1ec5cb9\n"},
    /* ed448, version 2, encrypted */
    {"ssh-ed448",
     "SHA256:Eu8tA4MXK+CWkAH/eLrqOpx63A1VQWs+LgV2RDJV3jk",
     "c ed448",
     LY_KEY_PPK2,
     {"sha1"},
     "PuTTY-User-Key-File-2: ssh-ed448\n"
     "Encryption: aes256-cbc\n"
     "Comment: c ed448\n"
     "Public-Lines: 2\n"
     "AAAACXNzaC1lZDQ0OAAAADne0RtM1UJbbPeU02SgtcdouLqXx4vCsGgkpBPMwuZ7\n"
     "p/ehtPNtKskPFNavS+8YmmySv7vK7FjFKQA=\n"
     "Private-Lines: 2\n"
     "JPu8D5eHxvGjEGeObmBjTeVqJ7y10YwjKIQIHlBGPY1XGyZdn3e4kYuTBad8x4Eu\n"
     "lrKAAqrTpupZZ1/ggAx2BA==\n"
     "Private-MAC: 1771a7e5ad1da5e9ea14ad0e0967c1bf9b1081ed\n"},
    /* p256, version 2, encrypted */
    {"ecdsa-sha2-nistp256",
     "SHA256:hTT6FnCwAeoBQoqjVXFpLnpfCJPjK5a/lfK5tstl/MY",
     "c p256",
     LY_KEY_PPK2,
     {"sha1"},
     "PuTTY-User-Key-File-2: ecdsa-sha2-nistp256\n"
     "Encryption: aes256-cbc\n"
     "Comment: c p256\n"
     "Public-Lines: 3\n"
     "AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBBDjfi8u/F6nK\n"
     "3GY1HVnd41Ol6mXjjmMd2IQikzN0oAnDs7wBFCOQBfUnGFSAYZ93XRAn3k8MEdWI\n"
     "pCeCVHpAuU0=\n"
     "Private-Lines: 1\n"
     "0lgvdKYOYZ4wIGBRht60LMuGTxFrSXvqFuRB2BDm1ad6BbohsNcO55rNoJlZBI40\n"
     "Private-MAC: cc16d95ecb40c241d2d6ed5012cb84f6f0df61da\n"},
    /* p521, version 2, encrypted */
    {"ecdsa-sha2-nistp521",
     "SHA256:bu588bASKn+JvRrgeygBr+Nt9cRwWdkUxgJJp7LlVa4",
     "c p521",
     LY_KEY_PPK2,
     {"sha1"},
     "PuTTY-User-Key-File-2: ecdsa-sha2-nistp521\n"
     "Encryption: aes256-cbc\n"
     "Comment: c p521\n"
     "Public-Lines: 4\n"
     "AAAAE2VjZHNhLXNoYTItbmlzdHA1MjEAAAAIbmlzdHA1MjEAAACFBAEk8Uqgite5\n"
     "OwxquuBltB3ZzS8ij18xpuBZXNMBp2DJ9Gh4BqGK/Uu85eXH8Afi11CQNJBlmj4J\n"
     "R0k4nNODlkdxCwB9GmIAkBZzxrEkjZVRl6eb1NQ8Q8cszFcS31qVMGdbmD4d+tQZ\n"
     "O0JYpf6BrijRrfSzjeDADx9Nwf+W/WhuxxdLAw==\n"
     "Private-Lines: 2\n"
     "1nUpkBMQ9P3k/aM++0UWqJknOxKU3YvL0jKyDDZEc9NxZTFr5hrg7WlWZbuyn1Iq\n"
     "ma5wQByuvOPIOpFl/or17LH9SAXTGY1AwtO7xPr2haA=\n"
     "Private-MAC: 5473c5b44564dacb6bc54363ebc853d3127d3bf3\n"},
    /* dsa, version 2, encrypted */
    {"ssh-dss",
     "SHA256:rVZJEcUb4DptJsmCsmoJFsJnfsMLOpLAyVvDM1T5j8E",
     "c dsa",
     LY_KEY_PPK2,
     {"sha1"},
     "PuTTY-User-Key-File-2: ssh-dss\n"
     "Encryption: aes256-cbc\n"
     "Comment: c dsa\n"
     "Public-Lines: 10\n"
     "AAAAB3NzaC1kc3MAAACBAI7jJULohfdIRbRLXNKkRKWQ8+GIPZRj4+k1EO8URjXu\n"
     "8+qdu/UsQ4Yewkd7KtrNeoQF+OwDOiByU0SvfvGWVFbt2N7pk/VgCp5ND8wijJnS\n"
     "j5PfnnvTbSnxg1Nh0sm3MGRkvX7po3weyPpTkSpbQadHr8sgg0O6nJvJcJrCZpJl\n"
     "AAAAFQC3Lxod8YAXX67pFiQwjQOO7SChoQAAAIEAiTX/aeER1HKmfJnj6esGsQ8Z\n"
     "05TZo/SpwaX3Px36jkZQ3fnkj7WRFV6xK8fFZ7dl2qcPJ8Sqtg1MIoj+W/P/0Qf4\n"
     "YWUG51hXtCCG1uMuAKCCPBU5nxdpPKSXgJDCsv9iTNEchPkXGleHeTBTF8tIjASX\n"
     "oTYBbRTyp8DDC8URP0gAAACAYaU5hqofXmifzIUwKB4hhXVJz2dit4CkCzDkMP4u\n"
     "+7rGeJXR/jfNLoYg9eRDD/S2EB5l5F1rT+DGS3c4+u92EKQ3gNWUMXqrnnVriDv/\n"
     "GtVD72vHKj4rizjtetRJa/PP1G7IvpoDyBvSNhHXbFgySjvNefZ0thZ9XJsSESOw\n"
     "QV0=\n"
     "Private-Lines: 1\n"
     "KtQRV78cd8/H9wJ/VQv09LCZWpeM4OSpvVsTjy/RKfU=\n"
     "Private-MAC: 990aaae0b79f16a5c3c4cddb5cd980813c6e4087\n"},
    /* rsa, version 3, argon2id */
    {"ssh-rsa",
     "SHA256:S3OtovrMoDRx59kagHvsRbzaSg4npDgCe50ThLxSP84",
     "c rsa",
     LY_KEY_PPK3,
     {"argon2id", .memory_kib = 64, .passes = 2, .lanes = 3},
     "PuTTY-User-Key-File-3: ssh-rsa\n"
     "Encryption: aes256-cbc\n"
     "Comment: c rsa\n"
     "Public-Lines: 4\n"
     "AAAAB3NzaC1yc2EAAAADAQABAAAAgQCuWxIGodCrHt/MN8PfaTI8lBU6H1htNADK\n"
     "QEg21wKUbGxanQSc7ikrJCNCakCb+3BQvotRBluJTunIKXTKyFkJFSEnbO/YGNbd\n"
     "vIrmJUdoo9Otwf2ipCIb5FmshzK3GuwInaqqoNnUF9bGzoL2UGiz3P5orNm0dsPt\n"
     "6PdKT/0G6Q==\n"
     "Key-Derivation: Argon2id\n"
     "Argon2-Memory: 64\n"
     "Argon2-Passes: 2\n"
     "Argon2-Parallelism: 3\n"
     "Argon2-Salt: 0c7e4548d49d06029ceec550dba34ef5\n"
     "Private-Lines: 8\n"
     "bT337rvBC//GsVtplEN7ADTO8X8Cz5Kt4aLr0NQSZnp8UJKWIXjIv4IAz21S8BS+\n"
     "E3YhHSkQ3yN/VnylqMjBN7W+nWFJDSp3HL+Z0hgpfXsuntc8Am/gDpKr/w0hl3m2\n"
     "W+4L9HjB4rxdMA8E28SpuJQl+VJ4cL5t8zxKNnoiKqzxeumdAW/1UBqQl5R4iOcp\n"
     "WttA0wUCNCJoMQtC51wbUJDA7dbbJKbZbtrym1xME6BisGvbSZ/XbBXZKFZMHPiS\n"
     "LUMKM+yRbtTT+/wWN/11qfPG5CffBOvn7ODlsf2bQCglINF/lfArzvGeCR5W87j9\n"
     "FLLcXyjQnBFPFlN9sV2dpCGEAi9ezbFhxKwF1chEQd/5T+wQ8XpJm7wZb1TMLZwy\n"
     "RtsDOkJzECcr9KJ7L+l0uCL+Wamul2T6y0bRfEDEEbtaQ30UI+e4hCUB3xypASaH\n"
     "oPHu/NrwLLv6dGYb3A+k9A==\n"
     "Private-MAC: 1f6066683133ecd15ca7528d08478d62a3e9b79fdc0eea9ddda25dd8140529eb\n"},
    /* ed25519, version 3, argon2id */
    {"ssh-ed25519",
     "SHA256:L+B6fIE1bUFnbNbNbJDYpB/TaUIYc9vatZFJuX20wJY",
     "c ed25519",
     LY_KEY_PPK3,
     {"argon2id", .memory_kib = 64, .passes = 2, .lanes = 3},
     "PuTTY-User-Key-File-3: ssh-ed25519\n"
     "Encryption: aes256-cbc\n"
     "Comment: c ed25519\n"
     "Public-Lines: 2\n"
     "AAAAC3NzaC1lZDI1NTE5AAAAIIaABtxKuGAupskClAIhmqjKiM8z6joxkT5Lf+ff\n"
     "Jxtp\n"
     "Key-Derivation: Argon2id\n"
     "Argon2-Memory: 64\n"
     "Argon2-Passes: 2\n"
     "Argon2-Parallelism: 3\n"
     "Argon2-Salt: ddca0d66558d7a5a5ec50504224ec2e6\n"
     "Private-Lines: 1\n"
     "wmdrS7Pv2Zrf2a2J2mn2OpxjyvPUjaIBjz+4TkImugsOvBVZGNJ2l+t4CPnqYijq\n"
     "Private-MAC: 67e88dc2f4814f733fb928f8fe796611b10149003a76f91314f1c333b3c9720f\n"},
    /* p521, version 3, argon2i */
    {"ecdsa-sha2-nistp521",
     "SHA256:bu588bASKn+JvRrgeygBr+Nt9cRwWdkUxgJJp7LlVa4",
     "c p521",
     LY_KEY_PPK3,
     {"argon2i", .memory_kib = 64, .passes = 2, .lanes = 3},
     "PuTTY-User-Key-File-3: ecdsa-sha2-nistp521\n"
     "Encryption: aes256-cbc\n"
     "Comment: c p521\n"
     "Public-Lines: 4\n"
     "AAAAE2VjZHNhLXNoYTItbmlzdHA1MjEAAAAIbmlzdHA1MjEAAACFBAEk8Uqgite5\n"
     "OwxquuBltB3ZzS8ij18xpuBZXNMBp2DJ9Gh4BqGK/Uu85eXH8Afi11CQNJBlmj4J\n"
     "R0k4nNODlkdxCwB9GmIAkBZzxrEkjZVRl6eb1NQ8Q8cszFcS31qVMGdbmD4d+tQZ\n"
     "O0JYpf6BrijRrfSzjeDADx9Nwf+W/WhuxxdLAw==\n"
     "Key-Derivation: Argon2i\n"
     "Argon2-Memory: 64\n"
     "Argon2-Passes: 2\n"
     "Argon2-Parallelism: 3\n"
     "Argon2-Salt: 0264ba7cfe1ea35ed5338c8479fd300b\n"
     "Private-Lines: 2\n"
     "6fZ5g9XVDTiaUaTRAjvsWnB4PprUaBr8TUtcWrRY7Y4hJtfjehEY5yoipfjKJx9E\n"
     "uUgeOQFO6UY6Ah7zoL2V2Or+KO9gGiFFs1uqycLQ+38=\n"
     "Private-MAC: 977b601ed14a7a9967ea0a2a394d8e373eccb0171cce02cb4caca11f7652edda\n"},
    /* ed448, version 3, argon2d */
    {"ssh-ed448",
     "SHA256:Eu8tA4MXK+CWkAH/eLrqOpx63A1VQWs+LgV2RDJV3jk",
     "c ed448",
     LY_KEY_PPK3,
     {"argon2d", .memory_kib = 64, .passes = 2, .lanes = 3},
     "PuTTY-User-Key-File-3: ssh-ed448\n"
     "Encryption: aes256-cbc\n"
     "Comment: c ed448\n"
     "Public-Lines: 2\n"
     "AAAACXNzaC1lZDQ0OAAAADne0RtM1UJbbPeU02SgtcdouLqXx4vCsGgkpBPMwuZ7\n"
     "p/ehtPNtKskPFNavS+8YmmySv7vK7FjFKQA=\n"
     "Key-Derivation: Argon2d\n"
     "Argon2-Memory: 64\n"
     "Argon2-Passes: 2\n"
     "Argon2-Parallelism: 3\n"
     "Argon2-Salt: 8344394d2d4e2c7aba0bbd9bf0d87ba5\n"
     "Private-Lines: 2\n"
     "idO75IHqWjJJ+Bb0B+R/vMZ8Cfaioz7A0P138LfHehCvDkObZ+rB0RgHHGMrfAZq\n"
     "7hV2vO/+d4PI6+mLKPO7Wg==\n"
     "Private-MAC: f8ec1a2a323f9ff9a0294165b0c6fb621af9e27c1c594b0d993b44a80fde7d83\n"},
    /* dsa, version 3, argon2id */
    {"ssh-dss",
     "SHA256:rVZJEcUb4DptJsmCsmoJFsJnfsMLOpLAyVvDM1T5j8E",
     "c dsa",
     LY_KEY_PPK3,
     {"argon2id", .memory_kib = 64, .passes = 2, .lanes = 3},
     "PuTTY-User-Key-File-3: ssh-dss\n"
     "Encryption: aes256-cbc\n"
     "Comment: c dsa\n"
     "Public-Lines: 10\n"
     "AAAAB3NzaC1kc3MAAACBAI7jJULohfdIRbRLXNKkRKWQ8+GIPZRj4+k1EO8URjXu\n"
     "8+qdu/UsQ4Yewkd7KtrNeoQF+OwDOiByU0SvfvGWVFbt2N7pk/VgCp5ND8wijJnS\n"
     "j5PfnnvTbSnxg1Nh0sm3MGRkvX7po3weyPpTkSpbQadHr8sgg0O6nJvJcJrCZpJl\n"
     "AAAAFQC3Lxod8YAXX67pFiQwjQOO7SChoQAAAIEAiTX/aeER1HKmfJnj6esGsQ8Z\n"
     "05TZo/SpwaX3Px36jkZQ3fnkj7WRFV6xK8fFZ7dl2qcPJ8Sqtg1MIoj+W/P/0Qf4\n"
     "YWUG51hXtCCG1uMuAKCCPBU5nxdpPKSXgJDCsv9iTNEchPkXGleHeTBTF8tIjASX\n"
     "oTYBbRTyp8DDC8URP0gAAACAYaU5hqofXmifzIUwKB4hhXVJz2dit4CkCzDkMP4u\n"
     "+7rGeJXR/jfNLoYg9eRDD/S2EB5l5F1rT+DGS3c4+u92EKQ3gNWUMXqrnnVriDv/\n"
     "GtVD72vHKj4rizjtetRJa/PP1G7IvpoDyBvSNhHXbFgySjvNefZ0thZ9XJsSESOw\n"
     "QV0=\n"
     "Key-Derivation: Argon2id\n"
     "Argon2-Memory: 64\n"
     "Argon2-Passes: 2\n"
     "Argon2-Parallelism: 3\n"
     "Argon2-Salt: c0f0d386cfdf48998649e18d3a42fd1c\n"
     "Private-Lines: 1\n"
     "nHS7BgcqE47MKeNSHLmzU95koz5FwBMJ2RsahpX5YBY=\n"
     "Private-MAC: 95818a7404c2e8fb648a417fe3faa9e81f083c8772a2a3cfa75da9875d758ab5\n"},
    /* p384, version 3, argon2i */
    {"ecdsa-sha2-nistp384",
     "SHA256:8wyhFcYRXVbineltHK3CTw+BB/ot476Ik4D4lGy/XNw",
     "c p384",
     LY_KEY_PPK3,
     {"argon2i", .memory_kib = 64, .passes = 2, .lanes = 3},
     "PuTTY-User-Key-File-3: ecdsa-sha2-nistp384\n"
     "Encryption: aes256-cbc\n"
     "Comment: c p384\n"
     "Public-Lines: 3\n"
     "AAAAE2VjZHNhLXNoYTItbmlzdHAzODQAAAAIbmlzdHAzODQAAABhBF3Wl1/k8gcv\n"
     "CDBXAFxIzl4x/YjdWWcvbNba0BQcK2eQ7RcVTdLSRhtvmzNE2e/wmBoa+7JVV8v1\n"
     "6pPk7k6IEgIkmnA50x5fq7udMIsi+zk97WckYFD6TXGCZ9YV34aWqw==\n"
     "Key-Derivation: Argon2i\n"
     "Argon2-Memory: 64\n"
     "Argon2-Passes: 2\n"
     "Argon2-Parallelism: 3\n"
     "Argon2-Salt: faa05d60c67ab40fe1bb7927af2e5c17\n"
     "Private-Lines: 2\n"
     "sLx4f2qemf9hFpmlHBZfFL6u9dhiDJt5VX1bJKTMsptzy8q9OoO7vl6KSJaUCnlw\n"
     "po9fUdGLNHCWcw9X+JUD3Q==\n"
     "Private-MAC: ff89c4900fd7132ce1c002d5417a19bd03718e4d79d3b399c280cc386a3bafd3\n"},
    /* ed25519, a certificate */
    {"ssh-ed25519-cert-v01@openssh.com",
     "SHA256:L+B6fIE1bUFnbNbNbJDYpB/TaUIYc9vatZFJuX20wJY",
     "c ed25519",
     LY_KEY_PPK3,
     {0},
     "PuTTY-User-Key-File-3: ssh-ed25519-cert-v01@openssh.com\n"
     "Encryption: none\n"
     "Comment: c ed25519\n"
     "Public-Lines: 10\n"
     "AAAAIHNzaC1lZDI1NTE5LWNlcnQtdjAxQG9wZW5zc2guY29tAAAAIMKgQVHlUNOY\n"
     "4QYRsezhqZ6xBKK2wQSmQ26A/U+TyiujAAAAIIaABtxKuGAupskClAIhmqjKiM8z\n"
     "6joxkT5Lf+ffJxtpAAAAAAAAAAAAAAABAAAAAmlkAAAABwAAAANib2IAAAAAAAAA\n"
     "AP//////////AAAAAAAAAIIAAAAVcGVybWl0LVgxMS1mb3J3YXJkaW5nAAAAAAAA\n"
     "ABdwZXJtaXQtYWdlbnQtZm9yd2FyZGluZwAAAAAAAAAWcGVybWl0LXBvcnQtZm9y\n"
     "d2FyZGluZwAAAAAAAAAKcGVybWl0LXB0eQAAAAAAAAAOcGVybWl0LXVzZXItcmMA\n"
     "AAAAAAAAAAAAADMAAAALc3NoLWVkMjU1MTkAAAAgEh63AOGbG/+n0CqFnfGaqT6S\n"
     "8SbUHdpL3bhh1nMrkJoAAABTAAAAC3NzaC1lZDI1NTE5AAAAQAx/nxQCsFjUqsvD\n"
     "sYDsUIbdU1WLvprArwQHj3SwRvEC2c+/ZbujQziaVg2c81dwnn2tCGi3aBl0dNwY\n"
     "X+uEVQQ=\n"
     "Private-Lines: 1\n"
     "AAAAIJSO8ee2LztkokyOWAXm7l6OJ7p1VNqvlQqYiF+IMIol\n"
     "Private-MAC: 99c5c8be4211c1ced392ec5bf1dd0706fca20bb5fcd21a361c324a63f201045e\n"},
    /* rsa, a certificate */
    {"ssh-rsa-cert-v01@openssh.com",
     "SHA256:S3OtovrMoDRx59kagHvsRbzaSg4npDgCe50ThLxSP84",
     "c rsa",
     LY_KEY_PPK3,
     {0},
     "PuTTY-User-Key-File-3: ssh-rsa-cert-v01@openssh.com\n"
     "Encryption: none\n"
     "Comment: c rsa\n"
     "Public-Lines: 12\n"
     "AAAAHHNzaC1yc2EtY2VydC12MDFAb3BlbnNzaC5jb20AAAAge58AzmNnPjaSZiyd\n"
     "ScfSCo0OK0tOkPYDUNqdx7neHIsAAAADAQABAAAAgQCuWxIGodCrHt/MN8PfaTI8\n"
     "lBU6H1htNADKQEg21wKUbGxanQSc7ikrJCNCakCb+3BQvotRBluJTunIKXTKyFkJ\n"
     "FSEnbO/YGNbdvIrmJUdoo9Otwf2ipCIb5FmshzK3GuwInaqqoNnUF9bGzoL2UGiz\n"
     "3P5orNm0dsPt6PdKT/0G6QAAAAAAAAAAAAAAAQAAAAJpZAAAAAcAAAADYm9iAAAA\n"
     "AAAAAAD//////////wAAAAAAAACCAAAAFXBlcm1pdC1YMTEtZm9yd2FyZGluZwAA\n"
     "AAAAAAAXcGVybWl0LWFnZW50LWZvcndhcmRpbmcAAAAAAAAAFnBlcm1pdC1wb3J0\n"
     "LWZvcndhcmRpbmcAAAAAAAAACnBlcm1pdC1wdHkAAAAAAAAADnBlcm1pdC11c2Vy\n"
     "LXJjAAAAAAAAAAAAAAAzAAAAC3NzaC1lZDI1NTE5AAAAIBIetwDhmxv/p9AqhZ3x\n"
     "mqk+kvEm1B3aS924YdZzK5CaAAAAUwAAAAtzc2gtZWQyNTUxOQAAAEC3RWBgTsAk\n"
     "gAsD0OdocYNqEppIrBvz95EGYyECzFdamQPFD/BN+ajV7OxOhhQ2DSEOAqKplSXH\n"
     "NVl2vwE2Vt4D\n"
     "Private-Lines: 8\n"
     "AAAAgHdR18o2HwmcfWfSmfdglIKkjMpT/T3uosPGriTpi9hrQtPYNPn4erANcRvY\n"
     "fxLARiLb45e1lBspqA/VXxoPde4B1exL9Qpfl5pLSQOEUfZDA2lY2QMJw8lcH8YO\n"
     "yLBhQ4mL+6hfZlUJPGbjrXcu62pHJifTIUmmpqp+sMT1kfIhAAAAQQDc2VB8hts+\n"
     "dUI7SCFTsOM2krgtbVdOnHy0C0Vl4eVlJo/rr0Ok4nefMnqIH49zT19m9fS8YiLX\n"
     "vVMpX02o42otAAAAQQDKG1nypsHC14uHc7/kD8+isW/6uMxc3nnqoQSnbLOPpJnF\n"
     "Bzcz9PYekAupMLXqhUKAMM1i7WAw5T2q2vcxq/EtAAAAQFw8qNySbJtbl6RTAe8P\n"
     "4RnehRhJ3tNrxPPS/8LnWt6DlWOGZmv1ux6kqfrH9hGKZtQMQyLa4P+DZNsH4ojQ\n"
     "PHw=\n"
     "Private-MAC: bfb18671ec199186b9d5d0c4448f39274b925d62a6bd53d8f3a2596bae3bacc5\n"},
    /* rsa, version 1 */
    {"ssh-rsa",
     "SHA256:S3OtovrMoDRx59kagHvsRbzaSg4npDgCe50ThLxSP84",
     "c rsa",
     LY_KEY_PPK1,
     {0},
     "PuTTY-User-Key-File-1: ssh-rsa\n"
     "Encryption: none\n"
     "Comment: c rsa\n"
     "Public-Lines: 4\n"
     "AAAAB3NzaC1yc2EAAAADAQABAAAAgQCuWxIGodCrHt/MN8PfaTI8lBU6H1htNADK\n"
     "QEg21wKUbGxanQSc7ikrJCNCakCb+3BQvotRBluJTunIKXTKyFkJFSEnbO/YGNbd\n"
     "vIrmJUdoo9Otwf2ipCIb5FmshzK3GuwInaqqoNnUF9bGzoL2UGiz3P5orNm0dsPt\n"
     "6PdKT/0G6Q==\n"
     "Private-Lines: 8\n"
     "AAAAgHdR18o2HwmcfWfSmfdglIKkjMpT/T3uosPGriTpi9hrQtPYNPn4erANcRvY\n"
     "fxLARiLb45e1lBspqA/VXxoPde4B1exL9Qpfl5pLSQOEUfZDA2lY2QMJw8lcH8YO\n"
     "yLBhQ4mL+6hfZlUJPGbjrXcu62pHJifTIUmmpqp+sMT1kfIhAAAAQQDc2VB8hts+\n"
     "dUI7SCFTsOM2krgtbVdOnHy0C0Vl4eVlJo/rr0Ok4nefMnqIH49zT19m9fS8YiLX\n"
     "vVMpX02o42otAAAAQQDKG1nypsHC14uHc7/kD8+isW/6uMxc3nnqoQSnbLOPpJnF\n"
     "Bzcz9PYekAupMLXqhUKAMM1i7WAw5T2q2vcxq/EtAAAAQFw8qNySbJtbl6RTAe8P\n"
     "4RnehRhJ3tNrxPPS/8LnWt6DlWOGZmv1ux6kqfrH9hGKZtQMQyLa4P+DZNsH4ojQ\n"
     "PHw=\n"
     "Private-Hash: bfc7916213ccb3c3e7aba53f9fc99887ceb176d6\n"},
    /* dsa, version 1 */
    {"ssh-dss",
     "SHA256:rVZJEcUb4DptJsmCsmoJFsJnfsMLOpLAyVvDM1T5j8E",
     "c dsa",
     LY_KEY_PPK1,
     {0},
     "PuTTY-User-Key-File-1: ssh-dss\n"
     "Encryption: none\n"
     "Comment: c dsa\n"
     "Public-Lines: 10\n"
     "AAAAB3NzaC1kc3MAAACBAI7jJULohfdIRbRLXNKkRKWQ8+GIPZRj4+k1EO8URjXu\n"
     "8+qdu/UsQ4Yewkd7KtrNeoQF+OwDOiByU0SvfvGWVFbt2N7pk/VgCp5ND8wijJnS\n"
     "j5PfnnvTbSnxg1Nh0sm3MGRkvX7po3weyPpTkSpbQadHr8sgg0O6nJvJcJrCZpJl\n"
     "AAAAFQC3Lxod8YAXX67pFiQwjQOO7SChoQAAAIEAiTX/aeER1HKmfJnj6esGsQ8Z\n"
     "05TZo/SpwaX3Px36jkZQ3fnkj7WRFV6xK8fFZ7dl2qcPJ8Sqtg1MIoj+W/P/0Qf4\n"
     "YWUG51hXtCCG1uMuAKCCPBU5nxdpPKSXgJDCsv9iTNEchPkXGleHeTBTF8tIjASX\n"
     "oTYBbRTyp8DDC8URP0gAAACAYaU5hqofXmifzIUwKB4hhXVJz2dit4CkCzDkMP4u\n"
     "+7rGeJXR/jfNLoYg9eRDD/S2EB5l5F1rT+DGS3c4+u92EKQ3gNWUMXqrnnVriDv/\n"
     "GtVD72vHKj4rizjtetRJa/PP1G7IvpoDyBvSNhHXbFgySjvNefZ0thZ9XJsSESOw\n"
     "QV0=\n"
     "Private-Lines: 1\n"
     "AAAAFCIO6FMapVGhX7kpsCWexNf0A1cRAAAAFH9Etx77Pe2PbOTeSKkSU7tMWMV1\n"
     "Private-Hash: 891ff1110b0fe4b6122c91d0920398d9da872b98\n"},
    /* rsa, version 1, encrypted */
    {"ssh-rsa",
     "SHA256:S3OtovrMoDRx59kagHvsRbzaSg4npDgCe50ThLxSP84",
     "c rsa",
     LY_KEY_PPK1,
     {"sha1"},
     "PuTTY-User-Key-File-1: ssh-rsa\n"
     "Encryption: aes256-cbc\n"
     "Comment: c rsa\n"
     "Public-Lines: 4\n"
     "AAAAB3NzaC1yc2EAAAADAQABAAAAgQCuWxIGodCrHt/MN8PfaTI8lBU6H1htNADK\n"
     "QEg21wKUbGxanQSc7ikrJCNCakCb+3BQvotRBluJTunIKXTKyFkJFSEnbO/YGNbd\n"
     "vIrmJUdoo9Otwf2ipCIb5FmshzK3GuwInaqqoNnUF9bGzoL2UGiz3P5orNm0dsPt\n"
     "6PdKT/0G6Q==\n"
     "Private-Lines: 8\n"
     "4sOhxeqpewqNnVIiYLd3eWtZtNC2aBGOWMuHgBU7upvwon0IK5jEHRI5qUdRkFst\n"
     "RUUanFPcKHXcvIBG6Dd04yCPZCo+GKabEZ5JLgQBRMVlq6r9qvhiI/c8SJZ6cdZJ\n"
     "kFURF2Wzf9eg06AxxZI9iWd4PTLJm/9xoZiNFpFsZYU0lAEQDrezKefG6Of/vfw5\n"
     "H1fKLXYsXDngMbvRv9ynaPLfkw54IwoDQ1j8SojrPu8WhYDnpNORhXQx31mvyDGv\n"
     "1EsQFbzP33NTNLYu+Ufun8hwnZfyhZp+UoePX4XLt4/9GNUaO/S41RzkfNEMNisw\n"
     "PpO5GShNqcfAH9KOek1GKJ+TFiLOMAcd7J8iA4EZHXnSdQdzoFrYp2q93V6ywRhp\n"
     "6xXEpbctCQlIco2YnHmXyPPodZpKZzderWp5gGS1uBOs1gj1P1fvqbnvEvpRiZJ5\n"
     "ZXy4L4Po0HOT4JJmb8pNkg==\n"
     "Private-MAC: f60761aad62df357bdc86e61b8505b33595c8a87\n"},
    /* dsa, version 1, encrypted */
    {"ssh-dss",
     "SHA256:rVZJEcUb4DptJsmCsmoJFsJnfsMLOpLAyVvDM1T5j8E",
     "c dsa",
     LY_KEY_PPK1,
     {"sha1"},
     "PuTTY-User-Key-File-1: ssh-dss\n"
     "Encryption: aes256-cbc\n"
     "Comment: c dsa\n"
     "Public-Lines: 10\n"
     "AAAAB3NzaC1kc3MAAACBAI7jJULohfdIRbRLXNKkRKWQ8+GIPZRj4+k1EO8URjXu\n"
     "8+qdu/UsQ4Yewkd7KtrNeoQF+OwDOiByU0SvfvGWVFbt2N7pk/VgCp5ND8wijJnS\n"
     "j5PfnnvTbSnxg1Nh0sm3MGRkvX7po3weyPpTkSpbQadHr8sgg0O6nJvJcJrCZpJl\n"
     "AAAAFQC3Lxod8YAXX67pFiQwjQOO7SChoQAAAIEAiTX/aeER1HKmfJnj6esGsQ8Z\n"
     "05TZo/SpwaX3Px36jkZQ3fnkj7WRFV6xK8fFZ7dl2qcPJ8Sqtg1MIoj+W/P/0Qf4\n"
     "YWUG51hXtCCG1uMuAKCCPBU5nxdpPKSXgJDCsv9iTNEchPkXGleHeTBTF8tIjASX\n"
     "oTYBbRTyp8DDC8URP0gAAACAYaU5hqofXmifzIUwKB4hhXVJz2dit4CkCzDkMP4u\n"
     "+7rGeJXR/jfNLoYg9eRDD/S2EB5l5F1rT+DGS3c4+u92EKQ3gNWUMXqrnnVriDv/\n"
     "GtVD72vHKj4rizjtetRJa/PP1G7IvpoDyBvSNhHXbFgySjvNefZ0thZ9XJsSESOw\n"
     "QV0=\n"
     "Private-Lines: 1\n"
     "KtQRV78cd8/H9wJ/VQv09CaFhSLSs5HC/OtFBv/S0LRk2Ce+ZZoYPu4sHkD9gxxw\n"
     "Private-MAC: 9bd85ec7b9884533df21eadfcf570b0efa6daf27\n"},
};

#endif
