/* Keys made by ssh-keygen 9.2 and openssl 3.0 for the unit tests; none is in use anywhere. The passphrase
 * of the encrypted ones is "secret". Certificates are valid during 2026 (UTC). */
#ifndef LY_TESTS_UNIT_KEY_SAMPLES_H
#define LY_TESTS_UNIT_KEY_SAMPLES_H

typedef struct PublicSample {
    const char *name, *line, *sha256, *md5;
    unsigned bits;
} PublicSample;

static const PublicSample public_samples[] = {
    {"ed25519", "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAINE2QrkCwoXiJI15GXzVnaUN32i0mbw7megOeD8BWKbx alice@e"
     "xample\n",
     "SHA256:6J4MkJ8IJVlMc1E7SkJdRnJBDOf3rAQL8BRS5ZM9/dc", "MD5:9b:5c:aa:88:62:42:42:fe:6b:b0:47:6e:9e:f5"
     ":b6:24", 256},
    {"ecdsa256", "ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBBPXPDITcTgFnVWF"
     "XgFb+3F5jnyvrcqhso40KgzbZvD2VBCa0cuF7xl73kIYlg773kJhpDXuRjC0cW9iou0mY8k4= p256 key\n",
     "SHA256:MCU4Pn99E5FSSLGv4HQlAiiZNqEF5kvIRYrb6P7krEc", "MD5:b0:31:ec:d9:48:f0:39:3b:25:b2:b7:cd:d0:76"
     ":26:1b", 256},
    {"ecdsa384", "ecdsa-sha2-nistp384 AAAAE2VjZHNhLXNoYTItbmlzdHAzODQAAAAIbmlzdHAzODQAAABhBDZSm1/qXqVpDIl"
     "XKzWb2ymUpdCxx/a08JtWr4ZInAYx7BIIr0NIvG/GsFrB7PXgBKaYOQuK/JSbPQIfCfwWpFuELpTZaBLHVkRr1U17aWev8OviyM"
     "/iMsKXUEgrKN+aqg== \n",
     "SHA256:VQgXUtuJAgA/cUqCH7xMN5PAKnBRzFhuxneUGYnABH0", "MD5:0c:d6:71:ca:e0:f2:5f:c7:8f:3e:db:92:b9:c8"
     ":c8:fc", 384},
    {"ecdsa521", "ecdsa-sha2-nistp521 AAAAE2VjZHNhLXNoYTItbmlzdHA1MjEAAAAIbmlzdHA1MjEAAACFBAD/9S6PRpTM29C"
     "c5cCOXfDhg8AwYEPdHPfGw/rTVRv2Vp9xseA94MVU93xBVXInet96C15omrMBZCi40QC+cqpNRQFduGGZeAyYPtvMS46XjEZYfv"
     "Ro7Y9eHaY9htagJfpZ7IRfEsoF8yQy4ZvNLfH/HKtoilWEUHEcAwmiR15KihuGPg== p521\n",
     "SHA256:aJb7Mv23kE6SNFgMJrnBmsX+gAv6FrBthJE1kYQ1B4E", "MD5:11:86:fa:34:07:47:81:db:79:99:d1:ea:4c:0c"
     ":1c:e5", 521},
    {"rsa", "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAABAQCnARYr6wRPSNN6hMpXo+otHxK5TOw56gjj1VJX34tbGYjNv5U5heoP"
     "SjEiPD+WGR+vdvt0jnlkxlwKwnLIGKqWTjujq0dD53NBUI4uVFatbj4NWFXdriALzwmurKdM06CJOYW4+M6j7Y2KyUdP91mi0QV"
     "VE/ba8WYeNh/eMK9KQvaiHm8PxQhJFtRIcbjEDW5E21/xPAit8OTnITCwgw1MgEEUdGjiFUdmmQGQmGMMdD5CkYfsF84JDYxqWK"
     "+OVtZezycYiC1qhnSNRTOFil9scs5q3qHtjmHuj6m4+r2mvHHCZakiC/QBFxlRJBUznV4j1KuEjkkXYm+Rq8QNAiK7 rsa\n",
     "SHA256:XFVHSymsPtyGH2NoqH2yb6awyfMrsaFIKjtjYFigC0Y", "MD5:5c:e4:fd:4d:a8:1c:4b:30:cb:1a:60:e8:d3:bb"
     ":db:f3", 2048},
    {"rsa1024", "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAAAgQC+Ex73MAvdRTF1HOXZlVWQVLFZrBIQI9wbOJ5DT6124aS6G3c0"
     "wyK+vFKW0j2KaDZ7iTeA/m5t6hhTinIVlUYG5zk4GV2W2aZBJ5BoxxnfLNE0qrigRZoUsY7JsNGYYNYrUBshqs1bIJPH63TuQNO"
     "Tsdq7PSEtB/1zJpTYsqa9zQ== rsa small\n",
     "SHA256:07nnC+NXb6pGiLjeA5XGF7jyICBDdGoM7NaQZHs+woY", "MD5:0a:a2:3e:7f:20:74:ec:e1:5d:6b:19:59:2d:59"
     ":b4:fe", 1024},
    {"dsa", "ssh-dss AAAAB3NzaC1kc3MAAACBAJ4bUiMiz9TNIohoXiK23Ou+xfAVmd1aE7as5ZOsPS9BPs2gp+ixCFAhic6Tvegb"
     "pUgzV/K9cUKTQ/ySLFPMKvNAWRRb1SegyNTkIhbjj5kE5cJyxSFX5SYDpIjxJJ9Wzqewf2fRJ3/wLZczCnMWckH2YBQRtrrvkXD"
     "f84mvG/OPAAAAFQCq7WgoXMA3OF9+vKlSLDjYzQ+zqwAAAIAbehnsbT3t8wyqFD4U/u1dzASorP/yauG5rh0mxksyI4HxUoL2j6"
     "knqTMv9bZn/uw7XxSb+MV/qPLCuOzaHOr1ohR+q2FoTc+AaE2MQzm50zKsd5yiPOe1iuO+enZxHGDHsn8tgxKSPK/Dax/ErddoB"
     "t4iDDrdV21xIusMLxRDTgAAAIAiTvx4XmSaPPaskA7EAOAjAY9V+dUXBQXKdPerMpLE5HH6GXKkxqc7Pb+hncFKmHWVDAaL6qEy"
     "oV6zx5EKpz+DVScv9y85L0FAL4rMWbMyJSrbvTEZjIZF3MmE5Avbl1ohvScALblnvddoBoM9UJNRlDAMINygIZ8dHQjgCQKXvw="
     "= dsa\n",
     "SHA256:Rm23A7YiN+vQjJiRi7wc1quxULPpKV1tUJZbx5IdT6Q", "MD5:90:75:a9:d9:47:bd:52:95:66:f3:9b:b2:77:e6"
     ":cb:a7", 1024},
};

/* Private keys in all formats that are read, with the fingerprint of the key. */
typedef struct PrivateSample {
    const char *name, *text, *sha256, *comment;
    bool encrypted;
} PrivateSample;

static const PrivateSample private_samples[] = {
    {"ed25519",
    "-----BEGIN OPENSSH PRIVATE KEY-----\n"
    "b3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQAAAAAAAAABAAAAMwAAAAtzc2gtZW\n"
    "QyNTUxOQAAACDRNkK5AsKF4iSNeRl81Z2lDd9otJm8O5noDng/AVim8QAAAJAsJtHJLCbR\n"
    "yQAAAAtzc2gtZWQyNTUxOQAAACDRNkK5AsKF4iSNeRl81Z2lDd9otJm8O5noDng/AVim8Q\n"
    "AAAED6EchKonYyaHKEIkrpA4f7Gj7HhMc0pbCAviZINpkBStE2QrkCwoXiJI15GXzVnaUN\n"
    "32i0mbw7megOeD8BWKbxAAAADWFsaWNlQGV4YW1wbGU=\n"
    "-----END OPENSSH PRIVATE KEY-----\n",
     "SHA256:6J4MkJ8IJVlMc1E7SkJdRnJBDOf3rAQL8BRS5ZM9/dc", "alice@example", false},
    {"ecdsa256",
    "-----BEGIN OPENSSH PRIVATE KEY-----\n"
    "b3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQAAAAAAAAABAAAAaAAAABNlY2RzYS\n"
    "1zaGEyLW5pc3RwMjU2AAAACG5pc3RwMjU2AAAAQQT1zwyE3E4BZ1VhV4BW/txeY58r63Ko\n"
    "bKONCoM22bw9lQQmtHLhe8Ze95CGJYO+95CYaQ17kYwtHFvYqLtJmPJOAAAAqMc5ysbHOc\n"
    "rGAAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBBPXPDITcTgFnVWFX\n"
    "gFb+3F5jnyvrcqhso40KgzbZvD2VBCa0cuF7xl73kIYlg773kJhpDXuRjC0cW9iou0mY8k\n"
    "4AAAAhAPGWkQDd0LgtCYoouch7h1cqUlFyP1FiNbmX736ZDIWyAAAACHAyNTYga2V5AQID\n"
    "BAUGBw==\n"
    "-----END OPENSSH PRIVATE KEY-----\n",
     "SHA256:MCU4Pn99E5FSSLGv4HQlAiiZNqEF5kvIRYrb6P7krEc", "p256 key", false},
    {"ecdsa384",
    "-----BEGIN OPENSSH PRIVATE KEY-----\n"
    "b3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQAAAAAAAAABAAAAiAAAABNlY2RzYS\n"
    "1zaGEyLW5pc3RwMzg0AAAACG5pc3RwMzg0AAAAYQQ2Uptf6l6laQyJVys1m9splKXQscf2\n"
    "tPCbVq+GSJwGMewSCK9DSLxvxrBawez14ASmmDkLivyUmz0CHwn8FqRbhC6U2WgSx1ZEa9\n"
    "VNe2lnr/Dr4sjP4jLCl1BIKyjfmqoAAADQh44hioeOIYoAAAATZWNkc2Etc2hhMi1uaXN0\n"
    "cDM4NAAAAAhuaXN0cDM4NAAAAGEENlKbX+pepWkMiVcrNZvbKZSl0LHH9rTwm1avhkicBj\n"
    "HsEgivQ0i8b8awWsHs9eAEppg5C4r8lJs9Ah8J/BakW4QulNloEsdWRGvVTXtpZ6/w6+LI\n"
    "z+IywpdQSCso35qqAAAAMQDg9KuoemsfNMFV+IaQO7KI5BKWsP55AD2cYe7NFiujnXQjKW\n"
    "PRwiX5t0AitiyhQMcAAAAAAQIDBAUGBw==\n"
    "-----END OPENSSH PRIVATE KEY-----\n",
     "SHA256:VQgXUtuJAgA/cUqCH7xMN5PAKnBRzFhuxneUGYnABH0", "", false},
    {"ecdsa521",
    "-----BEGIN OPENSSH PRIVATE KEY-----\n"
    "b3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQAAAAAAAAABAAAArAAAABNlY2RzYS\n"
    "1zaGEyLW5pc3RwNTIxAAAACG5pc3RwNTIxAAAAhQQA//Uuj0aUzNvQnOXAjl3w4YPAMGBD\n"
    "3Rz3xsP601Ub9lafcbHgPeDFVPd8QVVyJ3rfegteaJqzAWQouNEAvnKqTUUBXbhhmXgMmD\n"
    "7bzEuOl4xGWH70aO2PXh2mPYbWoCX6WeyEXxLKBfMkMuGbzS3x/xyraIpVhFBxHAMJokde\n"
    "Soobhj4AAAEIJ3w7Wyd8O1sAAAATZWNkc2Etc2hhMi1uaXN0cDUyMQAAAAhuaXN0cDUyMQ\n"
    "AAAIUEAP/1Lo9GlMzb0JzlwI5d8OGDwDBgQ90c98bD+tNVG/ZWn3Gx4D3gxVT3fEFVcid6\n"
    "33oLXmiaswFkKLjRAL5yqk1FAV24YZl4DJg+28xLjpeMRlh+9Gjtj14dpj2G1qAl+lnshF\n"
    "8SygXzJDLhm80t8f8cq2iKVYRQcRwDCaJHXkqKG4Y+AAAAQgCMG/NbR0ooRIzTwoYm910V\n"
    "Q5kHxOsal1XQ7ECC1bSshr7d3gMq2OsLh/seSFTQh28d1R9FB4DQMWQb0aby5TWmIAAAAA\n"
    "RwNTIxAQIDBAUG\n"
    "-----END OPENSSH PRIVATE KEY-----\n",
     "SHA256:aJb7Mv23kE6SNFgMJrnBmsX+gAv6FrBthJE1kYQ1B4E", "p521", false},
    {"rsa",
    "-----BEGIN OPENSSH PRIVATE KEY-----\n"
    "b3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQAAAAAAAAABAAABFwAAAAdzc2gtcn\n"
    "NhAAAAAwEAAQAAAQEApwEWK+sET0jTeoTKV6PqLR8SuUzsOeoI49VSV9+LWxmIzb+VOYXq\n"
    "D0oxIjw/lhkfr3b7dI55ZMZcCsJyyBiqlk47o6tHQ+dzQVCOLlRWrW4+DVhV3a4gC88Jrq\n"
    "ynTNOgiTmFuPjOo+2NislHT/dZotEFVRP22vFmHjYf3jCvSkL2oh5vD8UISRbUSHG4xA1u\n"
    "RNtf8TwIrfDk5yEwsIMNTIBBFHRo4hVHZpkBkJhjDHQ+QpGH7BfOCQ2MalivjlbWXs8nGI\n"
    "gtaoZ0jUUzhYpfbHLOat6h7Y5h7o+puPq9prxxwmWpIgv0ARcZUSQVM51eI9SrhI5JF2Jv\n"
    "kavEDQIiuwAAA8DbuOov27jqLwAAAAdzc2gtcnNhAAABAQCnARYr6wRPSNN6hMpXo+otHx\n"
    "K5TOw56gjj1VJX34tbGYjNv5U5heoPSjEiPD+WGR+vdvt0jnlkxlwKwnLIGKqWTjujq0dD\n"
    "53NBUI4uVFatbj4NWFXdriALzwmurKdM06CJOYW4+M6j7Y2KyUdP91mi0QVVE/ba8WYeNh\n"
    "/eMK9KQvaiHm8PxQhJFtRIcbjEDW5E21/xPAit8OTnITCwgw1MgEEUdGjiFUdmmQGQmGMM\n"
    "dD5CkYfsF84JDYxqWK+OVtZezycYiC1qhnSNRTOFil9scs5q3qHtjmHuj6m4+r2mvHHCZa\n"
    "kiC/QBFxlRJBUznV4j1KuEjkkXYm+Rq8QNAiK7AAAAAwEAAQAAAQBNuqS+JjGoUUYU5U9k\n"
    "QSeSfr7xPgtI3VPr7vLXcXVkHltdIAltb5XELgz2WUJjMyhbO67HzjRUIjreyygvV8O2F4\n"
    "2MnQCba1Nql/rFN33sVL5O6cl1V0EVHfTstvFbQbibhglmUW+kPsG9Ufd+EatHq6+mrJcd\n"
    "ynN0Jk7o1JIRpp4NX0APDyb8hubVIGyXe3JjebWA/k8udHcjh+3hIacM+5JyNynGuDXEDL\n"
    "5kc1FHg8awvgOd8m8yBg1+6WV6/zZ4nx5O5AdSpN6pwvFYjLUkXaHg9rxyOZJsCUjpXxgy\n"
    "z6m0tdxkfsmWApSVD7ts8g1d2mfk8sR+hhTx1DLvfGpRAAAAgQCdM77PaEaRtR8BWTkNoF\n"
    "yQS4nu8rb5LpQ8x23RXcdGOkQLqsYlsIpLIkCFAvO9yGAjABhxZtLljUA+rMyf5DhyWO0q\n"
    "tvNFNlEP8RZT7qkiZBmKlYU0KQoBhg8UqwF9c4tBJDVAYBw688DQlvuzmwwK/DMY/2xc5K\n"
    "OlzJ048cQnkwAAAIEA4LuqVVk5eEXoQlcmFgP1k99arhUt6bDZccr5DH71J1csxuPtc/5g\n"
    "RO0/dQRg5mlDoomv8hoZ66+QlHnOPWtOSJIbl0x65HwJXGHXwyjlgFX6D6CZiel7tFaEw2\n"
    "IWfnk/wy9GJxzUSai6/tS4xZ7UzE0pOeqPf+KtPRBgKg1G/zMAAACBAL49ShVYp7pQXIId\n"
    "JQyBqycsPTOWNp9SdtoYh9bFa1pMwVD3gKusW52mvb6ojXrZ6uwz+mp9UXTn7xhpM845yd\n"
    "LUjUzkHFbmUAgo3Ndz4fsNJjxDXJ+Ol8vej09+T8j1xyujarJM1IOsdfbrzajsXWSyCa/D\n"
    "P3BgQJPz1ihBpu5ZAAAAA3JzYQECAwQFBgc=\n"
    "-----END OPENSSH PRIVATE KEY-----\n",
     "SHA256:XFVHSymsPtyGH2NoqH2yb6awyfMrsaFIKjtjYFigC0Y", "rsa", false},
    {"rsa1024",
    "-----BEGIN OPENSSH PRIVATE KEY-----\n"
    "b3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQAAAAAAAAABAAAAlwAAAAdzc2gtcn\n"
    "NhAAAAAwEAAQAAAIEAvhMe9zAL3UUxdRzl2ZVVkFSxWawSECPcGzieQ0+tduGkuht3NMMi\n"
    "vrxSltI9img2e4k3gP5ubeoYU4pyFZVGBuc5OBldltmmQSeQaMcZ3yzRNKq4oEWaFLGOyb\n"
    "DRmGDWK1AbIarNWyCTx+t07kDTk7Hauz0hLQf9cyaU2LKmvc0AAAIAPp6wSj6esEoAAAAH\n"
    "c3NoLXJzYQAAAIEAvhMe9zAL3UUxdRzl2ZVVkFSxWawSECPcGzieQ0+tduGkuht3NMMivr\n"
    "xSltI9img2e4k3gP5ubeoYU4pyFZVGBuc5OBldltmmQSeQaMcZ3yzRNKq4oEWaFLGOybDR\n"
    "mGDWK1AbIarNWyCTx+t07kDTk7Hauz0hLQf9cyaU2LKmvc0AAAADAQABAAAAgBbeXBJngH\n"
    "Xt1kZ95JWqJvJHjlL4pe+1MM1BoaD9nCQ6f8Q4e74oYCzMoa8tumPFqBBy8O+fLRAiYyzh\n"
    "8lnwbM1An5Tbo4hfaCxxrGr6T//e+YPhLQ1Bf6wxF7v7jz7KtT8WJEgOSErOB1BLWj3kz9\n"
    "NSG0LZhO6yN8bNuK0S645tAAAAQHiTGBL44ObRn0dHdhQ2VyY41FutNytgX9Hdr8DkqoOA\n"
    "JSHfdX+lSLHB0BNAe4trK0kCtbs3DL7Y5zcLshsBFvMAAABBAOvcL2IxTP0oza6mhMLhBy\n"
    "oKgJRbvcG0aLOX8OczHJiBNpR6L+jMbJYCmyesMdPiaW8YKQHXYeRNJw37BYxHn18AAABB\n"
    "AM5OFW9w/Noqy7B3+fC11ayQhXFWNxK4dK0oMZthC4vxSjSF1AhQsx3lrNtWaaqKXwV5+i\n"
    "HXaAN/saLDfHoVLlMAAAAJcnNhIHNtYWxsAQI=\n"
    "-----END OPENSSH PRIVATE KEY-----\n",
     "SHA256:07nnC+NXb6pGiLjeA5XGF7jyICBDdGoM7NaQZHs+woY", "rsa small", false},
    {"dsa",
    "-----BEGIN OPENSSH PRIVATE KEY-----\n"
    "b3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQAAAAAAAAABAAABsQAAAAdzc2gtZH\n"
    "NzAAAAgQCeG1IjIs/UzSKIaF4ittzrvsXwFZndWhO2rOWTrD0vQT7NoKfosQhQIYnOk73o\n"
    "G6VIM1fyvXFCk0P8kixTzCrzQFkUW9UnoMjU5CIW44+ZBOXCcsUhV+UmA6SI8SSfVs6nsH\n"
    "9n0Sd/8C2XMwpzFnJB9mAUEba675Fw3/OJrxvzjwAAABUAqu1oKFzANzhffrypUiw42M0P\n"
    "s6sAAACAG3oZ7G097fMMqhQ+FP7tXcwEqKz/8mrhua4dJsZLMiOB8VKC9o+pJ6kzL/W2Z/\n"
    "7sO18Um/jFf6jywrjs2hzq9aIUfqthaE3PgGhNjEM5udMyrHecojzntYrjvnp2cRxgx7J/\n"
    "LYMSkjyvw2sfxK3XaAbeIgw63VdtcSLrDC8UQ04AAACAIk78eF5kmjz2rJAOxADgIwGPVf\n"
    "nVFwUFynT3qzKSxORx+hlypManOz2/oZ3BSph1lQwGi+qhMqFes8eRCqc/g1UnL/cvOS9B\n"
    "QC+KzFmzMiUq270xGYyGRdzJhOQL25daIb0nAC25Z73XaAaDPVCTUZQwDCDcoCGfHR0I4A\n"
    "kCl78AAAHYLIl6NiyJejYAAAAHc3NoLWRzcwAAAIEAnhtSIyLP1M0iiGheIrbc677F8BWZ\n"
    "3VoTtqzlk6w9L0E+zaCn6LEIUCGJzpO96BulSDNX8r1xQpND/JIsU8wq80BZFFvVJ6DI1O\n"
    "QiFuOPmQTlwnLFIVflJgOkiPEkn1bOp7B/Z9Enf/AtlzMKcxZyQfZgFBG2uu+RcN/zia8b\n"
    "848AAAAVAKrtaChcwDc4X368qVIsONjND7OrAAAAgBt6GextPe3zDKoUPhT+7V3MBKis//\n"
    "Jq4bmuHSbGSzIjgfFSgvaPqSepMy/1tmf+7DtfFJv4xX+o8sK47Noc6vWiFH6rYWhNz4Bo\n"
    "TYxDObnTMqx3nKI857WK4756dnEcYMeyfy2DEpI8r8NrH8St12gG3iIMOt1XbXEi6wwvFE\n"
    "NOAAAAgCJO/HheZJo89qyQDsQA4CMBj1X51RcFBcp096syksTkcfoZcqTGpzs9v6GdwUqY\n"
    "dZUMBovqoTKhXrPHkQqnP4NVJy/3LzkvQUAvisxZszIlKtu9MRmMhkXcyYTkC9uXWiG9Jw\n"
    "AtuWe912gGgz1Qk1GUMAwg3KAhnx0dCOAJApe/AAAAFH8flf8KzUfttcC96F1zOgEox96m\n"
    "AAAAA2RzYQ==\n"
    "-----END OPENSSH PRIVATE KEY-----\n",
     "SHA256:Rm23A7YiN+vQjJiRi7wc1quxULPpKV1tUJZbx5IdT6Q", "dsa", false},
    {"enc-3des-cbc",
    "-----BEGIN OPENSSH PRIVATE KEY-----\n"
    "b3BlbnNzaC1rZXktdjEAAAAACDNkZXMtY2JjAAAABmJjcnlwdAAAABgAAAAQ6uiXdFifpf\n"
    "URoVyjfKrvDQAAAAEAAAABAAAAMwAAAAtzc2gtZWQyNTUxOQAAACDRNkK5AsKF4iSNeRl8\n"
    "1Z2lDd9otJm8O5noDng/AVim8QAAAJDRl0q/bbgeOcx2C56kvmICRlygGJBJeDUyXojpw9\n"
    "RwiJdbsqnKTAQk/SiwsgDM3C5j1o/ez3k/rxESY9vQiQ9jf/+TMcBLWDWQ4oHID2EL+7C2\n"
    "OxDpJQZ7yaSvLcPMfi4eZ3miXTnO04CEmJLtJQeozSlZtSHnuDKraMSeZbDJQ1p++jZB8f\n"
    "hIv01v1Gfb3pI=\n"
    "-----END OPENSSH PRIVATE KEY-----\n",
     "SHA256:6J4MkJ8IJVlMc1E7SkJdRnJBDOf3rAQL8BRS5ZM9/dc", "alice@example", true},
    {"enc-aes128-cbc",
    "-----BEGIN OPENSSH PRIVATE KEY-----\n"
    "b3BlbnNzaC1rZXktdjEAAAAACmFlczEyOC1jYmMAAAAGYmNyeXB0AAAAGAAAABBEynVlX6\n"
    "tdtjqsryjWwtFVAAAAAQAAAAEAAAAzAAAAC3NzaC1lZDI1NTE5AAAAINE2QrkCwoXiJI15\n"
    "GXzVnaUN32i0mbw7megOeD8BWKbxAAAAkHqZow3FaA4/ZNeIl9+cOHtQCXQXS+Cfr+GFk7\n"
    "BH+PiuxX1sDfGUgr1w8wzuiazpQMzEDxI/WTAqKr6FAbeiLgd0WoAJiZHXD4yMcsjtT2BS\n"
    "2TjmIQpJiMHp9+218qARp7+gujt+WHiwkf1RhFAD/QwqR7+7ZvvC648WMKClcbhee6YhAs\n"
    "of0I/UbyvfAi2tlg==\n"
    "-----END OPENSSH PRIVATE KEY-----\n",
     "SHA256:6J4MkJ8IJVlMc1E7SkJdRnJBDOf3rAQL8BRS5ZM9/dc", "alice@example", true},
    {"enc-aes128-ctr",
    "-----BEGIN OPENSSH PRIVATE KEY-----\n"
    "b3BlbnNzaC1rZXktdjEAAAAACmFlczEyOC1jdHIAAAAGYmNyeXB0AAAAGAAAABBFPNFq+q\n"
    "t1ELPksJzM9JS+AAAAAQAAAAEAAAAzAAAAC3NzaC1lZDI1NTE5AAAAINE2QrkCwoXiJI15\n"
    "GXzVnaUN32i0mbw7megOeD8BWKbxAAAAkPbld9bA4qYZxm1Eix5MJ5j3qrdzwBhU7JKD3S\n"
    "36uMQjGQSIWYvfuTx91gFECcKUQLEIhHRz+Mf8vJWbOzD97cLUhnh7pFIN4irjhHT6rbg9\n"
    "Wk/lFRwGHpoHlsMRe3YO58N8GdG7Wf7GUXKClfc3RuM9rxggRLUbzQ6Oy+nqcLsVRt++FV\n"
    "F9GVFJnWYY+gz9Pw==\n"
    "-----END OPENSSH PRIVATE KEY-----\n",
     "SHA256:6J4MkJ8IJVlMc1E7SkJdRnJBDOf3rAQL8BRS5ZM9/dc", "alice@example", true},
    {"enc-aes128-gcm@openssh.com",
    "-----BEGIN OPENSSH PRIVATE KEY-----\n"
    "b3BlbnNzaC1rZXktdjEAAAAAFmFlczEyOC1nY21Ab3BlbnNzaC5jb20AAAAGYmNyeXB0AA\n"
    "AAGAAAABDxtOa2UHXWDvIjpwmQQc8XAAAAAQAAAAEAAAAzAAAAC3NzaC1lZDI1NTE5AAAA\n"
    "INE2QrkCwoXiJI15GXzVnaUN32i0mbw7megOeD8BWKbxAAAAkKL961KrEq4dIljSuX0hNv\n"
    "0VDeko+4EBbpt5wHFVLtmNYoYRXhJrWI2HhEdqRTtuQ2YK5bGBCJFiWUhAAvwmYfZhnJDl\n"
    "IDk+1dMSeHYG19JjMCgHuzr5YhcF5jRhmdIcKJX+aB88jJwkPrSTKbq+MHtGoxowCcnt5P\n"
    "gSSj9E/zaNIfIAFSsfl7WdUiZNZcn+piY2OjS8whMxwmcyt7Zz8C4=\n"
    "-----END OPENSSH PRIVATE KEY-----\n",
     "SHA256:6J4MkJ8IJVlMc1E7SkJdRnJBDOf3rAQL8BRS5ZM9/dc", "alice@example", true},
    {"enc-aes192-cbc",
    "-----BEGIN OPENSSH PRIVATE KEY-----\n"
    "b3BlbnNzaC1rZXktdjEAAAAACmFlczE5Mi1jYmMAAAAGYmNyeXB0AAAAGAAAABBUesfZJ+\n"
    "aRVSYgfctAqXflAAAAAQAAAAEAAAAzAAAAC3NzaC1lZDI1NTE5AAAAINE2QrkCwoXiJI15\n"
    "GXzVnaUN32i0mbw7megOeD8BWKbxAAAAkKQaBmhXNtUhH1Z987QeDLhLRV3g3Hx6IQQ6j0\n"
    "qO/OKfNFwyyFGFEzmjoKvtV8dJIDBSa/EZyiM9l7/oqy6d5CtAfxUNP3c0NARZkWrBc5oC\n"
    "bOUgaalmxk/fcKe02q8HUg2vQl2qWb4gwZQwT9lHt4fwKUXSZW1INInxgZVW07ygyeLtnz\n"
    "ll+EUc/r/L4Oyyrw==\n"
    "-----END OPENSSH PRIVATE KEY-----\n",
     "SHA256:6J4MkJ8IJVlMc1E7SkJdRnJBDOf3rAQL8BRS5ZM9/dc", "alice@example", true},
    {"enc-aes192-ctr",
    "-----BEGIN OPENSSH PRIVATE KEY-----\n"
    "b3BlbnNzaC1rZXktdjEAAAAACmFlczE5Mi1jdHIAAAAGYmNyeXB0AAAAGAAAABDiQuhlCc\n"
    "lqIrYmviWil85EAAAAAQAAAAEAAAAzAAAAC3NzaC1lZDI1NTE5AAAAINE2QrkCwoXiJI15\n"
    "GXzVnaUN32i0mbw7megOeD8BWKbxAAAAkPFqvDQNyxlP7+yhTOHil3iyLy593Xica8m1hW\n"
    "Hmfg5ilpOhwIW3CmJvnNt0b8v6K31zM7edwqAsYYATJBA70Jcz5lp+yEXQMPqwKWjYskNu\n"
    "VRJ2enbmo/xWjdNokJWd7oblJT93kjBWi6MrHRA6K5t0YLWbarSy1q9O1vk4EVS1YR3QJe\n"
    "9g3vA6/+oJP92rtg==\n"
    "-----END OPENSSH PRIVATE KEY-----\n",
     "SHA256:6J4MkJ8IJVlMc1E7SkJdRnJBDOf3rAQL8BRS5ZM9/dc", "alice@example", true},
    {"enc-aes256-cbc",
    "-----BEGIN OPENSSH PRIVATE KEY-----\n"
    "b3BlbnNzaC1rZXktdjEAAAAACmFlczI1Ni1jYmMAAAAGYmNyeXB0AAAAGAAAABAEOP7QqZ\n"
    "TYlnZaaawv2k+9AAAAAQAAAAEAAAAzAAAAC3NzaC1lZDI1NTE5AAAAINE2QrkCwoXiJI15\n"
    "GXzVnaUN32i0mbw7megOeD8BWKbxAAAAkPXhr7Qf+Tl/1HHsjmsxHozg1U71Ipi9RQM/pK\n"
    "s7j6C2vVZrwyLMMEkyXvWyloHmH8r4GWHGF2v1NvtPfiecewrSa2bdqmpv5AVZyiVNN8w0\n"
    "NDqiPRtqZRFkyhin+NxB6a1rlfUkHFOhFR5gT/NoWfaJi5AwKiVL4jSOoKS1tYGs6dD2qc\n"
    "5ZajdVEdz+EQcrgA==\n"
    "-----END OPENSSH PRIVATE KEY-----\n",
     "SHA256:6J4MkJ8IJVlMc1E7SkJdRnJBDOf3rAQL8BRS5ZM9/dc", "alice@example", true},
    {"enc-aes256-ctr",
    "-----BEGIN OPENSSH PRIVATE KEY-----\n"
    "b3BlbnNzaC1rZXktdjEAAAAACmFlczI1Ni1jdHIAAAAGYmNyeXB0AAAAGAAAABDYGa0vCJ\n"
    "2NuVvWCpC9MIbpAAAAAQAAAAEAAAAzAAAAC3NzaC1lZDI1NTE5AAAAINE2QrkCwoXiJI15\n"
    "GXzVnaUN32i0mbw7megOeD8BWKbxAAAAkAr4PkXwErBEZwMXHdtLJ2/Aa3RJupEKi5CuUl\n"
    "Qij/SWPxuuPSXzC3E3lzRunI5s5tPjDWGwEBmcwgJntsBlGBKQhNhz4R6OczG5e/P3xxbU\n"
    "ETWmUD14czvZOtQrbcSTUfgwwQJMZgr/8rlbM+MmRDxCcfeeGRpRu4jqvTO3xChZusfShB\n"
    "Gxa/UD0CfVlGgWIw==\n"
    "-----END OPENSSH PRIVATE KEY-----\n",
     "SHA256:6J4MkJ8IJVlMc1E7SkJdRnJBDOf3rAQL8BRS5ZM9/dc", "alice@example", true},
    {"enc-aes256-gcm@openssh.com",
    "-----BEGIN OPENSSH PRIVATE KEY-----\n"
    "b3BlbnNzaC1rZXktdjEAAAAAFmFlczI1Ni1nY21Ab3BlbnNzaC5jb20AAAAGYmNyeXB0AA\n"
    "AAGAAAABABHwlTvw8HGszK/uCX/UKzAAAAAQAAAAEAAAAzAAAAC3NzaC1lZDI1NTE5AAAA\n"
    "INE2QrkCwoXiJI15GXzVnaUN32i0mbw7megOeD8BWKbxAAAAkEHwkukiWELG46NvsJNXDN\n"
    "ZLdGfa7Kczek0AgAPpvKMOlfbVR/ndtnpHPHHD1+Lcbv1ReE7lxnNocsv878lAgEhkr423\n"
    "5cLtx3t29kugcSPB58+aM/IER1X8nB0AZ8fH7tE+/rOtWmasW9xbkZcnQeLZ16LSiLiMiR\n"
    "iijo2XC/ix53Xhn09xXYMxCtK0TyA+6iUcb3D9RdQvHbP9O3rcyP8=\n"
    "-----END OPENSSH PRIVATE KEY-----\n",
     "SHA256:6J4MkJ8IJVlMc1E7SkJdRnJBDOf3rAQL8BRS5ZM9/dc", "alice@example", true},
    {"enc-chacha20-poly1305@openssh.com",
    "-----BEGIN OPENSSH PRIVATE KEY-----\n"
    "b3BlbnNzaC1rZXktdjEAAAAAHWNoYWNoYTIwLXBvbHkxMzA1QG9wZW5zc2guY29tAAAABm\n"
    "JjcnlwdAAAABgAAAAQ+OAYhizZJ7AYZUnGDCkbjQAAAAEAAAABAAAAMwAAAAtzc2gtZWQy\n"
    "NTUxOQAAACDRNkK5AsKF4iSNeRl81Z2lDd9otJm8O5noDng/AVim8QAAAJDmZXSC7JeSmd\n"
    "UjO0wZzEPOaz3137uIZZ3OhtM9UOGqGyukbrN7268bqKZYfyK12oqESB/aoPNI4JLoF9l+\n"
    "tS3Jxq8QGLPz+d3glSXwTeAgDWwPRi/YnYLPZh1zT5u+BsVhT63rbauiydWAsadOFLZKDe\n"
    "MbfyXICKNf67TxnPJahNnhjJ7nUmC7zwXNo+5nsH6ebpGQhxH9QYe7VZgRROjP\n"
    "-----END OPENSSH PRIVATE KEY-----\n",
     "SHA256:6J4MkJ8IJVlMc1E7SkJdRnJBDOf3rAQL8BRS5ZM9/dc", "alice@example", true},
    {"rsa-enc",
    "-----BEGIN OPENSSH PRIVATE KEY-----\n"
    "b3BlbnNzaC1rZXktdjEAAAAACmFlczI1Ni1jdHIAAAAGYmNyeXB0AAAAGAAAABAKsOP5jY\n"
    "KFORuPjyPGm0LCAAAAAQAAAAEAAACXAAAAB3NzaC1yc2EAAAADAQABAAAAgQC+Ex73MAvd\n"
    "RTF1HOXZlVWQVLFZrBIQI9wbOJ5DT6124aS6G3c0wyK+vFKW0j2KaDZ7iTeA/m5t6hhTin\n"
    "IVlUYG5zk4GV2W2aZBJ5BoxxnfLNE0qrigRZoUsY7JsNGYYNYrUBshqs1bIJPH63TuQNOT\n"
    "sdq7PSEtB/1zJpTYsqa9zQAAAgDIStsTybAhdaY3sjPQsAgLtPt4mC1AHgV/jJ/WhXEUXN\n"
    "YPZJT+ZW7Z//xMYgEo8Ahr+I9JWRacpfOse9guwjP4hneW1kju0uctpc0rvtHz8Zbf50aD\n"
    "Um8RUUCDiKE3rLoOIWPVXxbFxx8QG8E/5zznulDd5OzvHtknBj4+5pgZ6Fd+O9LA5CXali\n"
    "iD7e8555Yr0jWDBoErpHfbLAKYfwb2lKQsr8EvLGFDxQrrUymZXRdVPoQN3dRHhU2jFNhR\n"
    "LAamlfzDyCAPBbtlLdLG0zray8IWP2+7GzAeyUCdTd1vXePnrOEgD6DHiOGvhhsFb05Z8q\n"
    "QIbu/olj1IEsfpS+bKkFeHqDw/Nb6YCqiNJ26P8LdDBKPwPC7YB9lMjhs0h3+fhGmWpuPG\n"
    "pXzoRns9Ulf/Of96iGOklN5l+kL7R2NnRV+F7aQKwAjFD/nt0dq2bwu7d4SVY9zozGUfu8\n"
    "HqIvDe6vFyErt4rkqmQYmfTcdGlyhaQFyZLUYQ7TIYQvRQOg/5I7e+IoXZ/2MBiiVMGDfe\n"
    "JVh2EPBdwqlKzeXNQLXHV3ptfg6LnbWAiQKo1xHM2NTaE1gl3vZMQfD9f4PM/+QHi4ZNnb\n"
    "yrZBysiNK9okZFotFSnEC9u1xDbKhc391MHC0oV06vqrIS7G5Fj07VbfBrgKmra1jokpxp\n"
    "rI4ZWS2QMA==\n"
    "-----END OPENSSH PRIVATE KEY-----\n",
     "SHA256:07nnC+NXb6pGiLjeA5XGF7jyICBDdGoM7NaQZHs+woY", "rsa small", true},
    {"rsa.pem",
    "-----BEGIN RSA PRIVATE KEY-----\n"
    "MIICXAIBAAKBgQC+Ex73MAvdRTF1HOXZlVWQVLFZrBIQI9wbOJ5DT6124aS6G3c0\n"
    "wyK+vFKW0j2KaDZ7iTeA/m5t6hhTinIVlUYG5zk4GV2W2aZBJ5BoxxnfLNE0qrig\n"
    "RZoUsY7JsNGYYNYrUBshqs1bIJPH63TuQNOTsdq7PSEtB/1zJpTYsqa9zQIDAQAB\n"
    "AoGAFt5cEmeAde3WRn3klaom8keOUvil77UwzUGhoP2cJDp/xDh7vihgLMyhry26\n"
    "Y8WoEHLw758tECJjLOHyWfBszUCflNujiF9oLHGsavpP/975g+EtDUF/rDEXu/uP\n"
    "Psq1PxYkSA5ISs4HUEtaPeTP01IbQtmE7rI3xs24rRLrjm0CQQDr3C9iMUz9KM2u\n"
    "poTC4QcqCoCUW73BtGizl/DnMxyYgTaUei/ozGyWApsnrDHT4mlvGCkB12HkTScN\n"
    "+wWMR59fAkEAzk4Vb3D82irLsHf58LXVrJCFcVY3Erh0rSgxm2ELi/FKNIXUCFCz\n"
    "HeWs21ZpqopfBXn6IddoA3+xosN8ehUuUwJBAOGBkDxN7tJN5PoLc/vvsy3bBLzU\n"
    "SkWd/E1aBJbJI5ocUNb9TDlE2r1CmJ4B4VI4s53od6yvBYWGzsRrMQ7Cm/kCQEY2\n"
    "DNWAfo1BQ1Erg8SIHdA83y1TSir028CSjU90F5no5Hg7k43A6TSjldCP+CYyMWSL\n"
    "vrUFukB2lN3v6c0iqEECQHiTGBL44ObRn0dHdhQ2VyY41FutNytgX9Hdr8DkqoOA\n"
    "JSHfdX+lSLHB0BNAe4trK0kCtbs3DL7Y5zcLshsBFvM=\n"
    "-----END RSA PRIVATE KEY-----\n",
     "SHA256:07nnC+NXb6pGiLjeA5XGF7jyICBDdGoM7NaQZHs+woY", "", false},
    {"ec256.pem",
    "-----BEGIN EC PRIVATE KEY-----\n"
    "MHcCAQEEIPGWkQDd0LgtCYoouch7h1cqUlFyP1FiNbmX736ZDIWyoAoGCCqGSM49\n"
    "AwEHoUQDQgAE9c8MhNxOAWdVYVeAVv7cXmOfK+tyqGyjjQqDNtm8PZUEJrRy4XvG\n"
    "XveQhiWDvveQmGkNe5GMLRxb2Ki7SZjyTg==\n"
    "-----END EC PRIVATE KEY-----\n",
     "SHA256:MCU4Pn99E5FSSLGv4HQlAiiZNqEF5kvIRYrb6P7krEc", "", false},
    {"ec521.pem",
    "-----BEGIN EC PRIVATE KEY-----\n"
    "MIHcAgEBBEIAjBvzW0dKKESM08KGJvddFUOZB8TrGpdV0OxAgtW0rIa+3d4DKtjr\n"
    "C4f7HkhU0IdvHdUfRQeA0DFkG9Gm8uU1piCgBwYFK4EEACOhgYkDgYYABAD/9S6P\n"
    "RpTM29Cc5cCOXfDhg8AwYEPdHPfGw/rTVRv2Vp9xseA94MVU93xBVXInet96C15o\n"
    "mrMBZCi40QC+cqpNRQFduGGZeAyYPtvMS46XjEZYfvRo7Y9eHaY9htagJfpZ7IRf\n"
    "EsoF8yQy4ZvNLfH/HKtoilWEUHEcAwmiR15KihuGPg==\n"
    "-----END EC PRIVATE KEY-----\n",
     "SHA256:aJb7Mv23kE6SNFgMJrnBmsX+gAv6FrBthJE1kYQ1B4E", "", false},
    {"dsa.pem",
    "-----BEGIN DSA PRIVATE KEY-----\n"
    "MIIBugIBAAKBgQCeG1IjIs/UzSKIaF4ittzrvsXwFZndWhO2rOWTrD0vQT7NoKfo\n"
    "sQhQIYnOk73oG6VIM1fyvXFCk0P8kixTzCrzQFkUW9UnoMjU5CIW44+ZBOXCcsUh\n"
    "V+UmA6SI8SSfVs6nsH9n0Sd/8C2XMwpzFnJB9mAUEba675Fw3/OJrxvzjwIVAKrt\n"
    "aChcwDc4X368qVIsONjND7OrAoGAG3oZ7G097fMMqhQ+FP7tXcwEqKz/8mrhua4d\n"
    "JsZLMiOB8VKC9o+pJ6kzL/W2Z/7sO18Um/jFf6jywrjs2hzq9aIUfqthaE3PgGhN\n"
    "jEM5udMyrHecojzntYrjvnp2cRxgx7J/LYMSkjyvw2sfxK3XaAbeIgw63VdtcSLr\n"
    "DC8UQ04CgYAiTvx4XmSaPPaskA7EAOAjAY9V+dUXBQXKdPerMpLE5HH6GXKkxqc7\n"
    "Pb+hncFKmHWVDAaL6qEyoV6zx5EKpz+DVScv9y85L0FAL4rMWbMyJSrbvTEZjIZF\n"
    "3MmE5Avbl1ohvScALblnvddoBoM9UJNRlDAMINygIZ8dHQjgCQKXvwIUfx+V/wrN\n"
    "R+21wL3oXXM6ASjH3qY=\n"
    "-----END DSA PRIVATE KEY-----\n",
     "SHA256:Rm23A7YiN+vQjJiRi7wc1quxULPpKV1tUJZbx5IdT6Q", "", false},
    {"rsa-aes.pem",
    "-----BEGIN RSA PRIVATE KEY-----\n"
    "Proc-Type: 4,ENCRYPTED\n"
    "DEK-Info: AES-128-CBC,E2A6AEB8F4EE6097FAE158AAFCF22F18\n"
    "\n"
    "gtVJltbZDTqZPy45cdSTOX5a22LIEGh0hWcOo0cQRBhe8i9SO253HLdl0nh8PVgz\n"
    "OLsJmHljyt7G0PPGyU3P+fDFEVhS2Ob4f32v8ZWNBIE9aLlYPCie8fTiBGNJ6rG3\n"
    "ZInxiOozdbifL8eXu4r7Orm4FHuNQVYR83ynDBtkFa6LHJLSESoCI8SZ7P4iMOg6\n"
    "lAkDfIMqxPBH/dZCMU3kUe+LVONRNxVmr/lfcqUvU0NQ/qvohvI/UM2pMaRmM3hH\n"
    "2ff1XZXE3coAMV+LhUmGelZJVjKTUTwgUv/HcwX3WeWy2W6MV9UzKD1CjDdDyzBe\n"
    "fjL2igNbi9Wn2m4V0fT0G6GQqOS7kZT5yP3yPnNTIteCDV+xn3LFew3enhx55vIe\n"
    "Hje41hGvZnzir47ej1RQ+4KPD1GR+F7PM0QPDhRgPstQER7ezdXxFHreQnzjvX0Q\n"
    "X92v897ngzd0z2sVpTxmGDnseNo5K2ls70i0TaLXJxfXsovrR9ethVaAPTCuemdh\n"
    "caMEUIY0PCr3npimep2pCXf2q9bPdAbSK/3cL6r9X4KKs6PQkqaLcXG8hhNPKhLI\n"
    "HPZa+gzCoNEJwhaG3qQml8L00E8C7+M7II6kLMe7HinG+KmzK1wDB0h3RoayuOUV\n"
    "7OYLZ6d1bM1slSULH/BFWpFyJuWMTpTGX8/9OPGeXyDl62cPisbJzRLVlASl1UPP\n"
    "mmVoeuUQEGpo7zFN7NJ9aeact+xpCPmPAobkAwo4pF5PT27bHXCtRu5NyKC4X4gE\n"
    "OPsoJEdn8BJsCIhfjmd7HEq5C0mNvUjIqiPt0/rUUljOgutGJ9nt8YIF3vryuBWY\n"
    "-----END RSA PRIVATE KEY-----\n",
     "SHA256:07nnC+NXb6pGiLjeA5XGF7jyICBDdGoM7NaQZHs+woY", "", true},
    {"rsa-des3.pem",
    "-----BEGIN RSA PRIVATE KEY-----\n"
    "Proc-Type: 4,ENCRYPTED\n"
    "DEK-Info: DES-EDE3-CBC,1E2334FE04376E3D\n"
    "\n"
    "XPMqn1DVcO0fB1iFEaEgE0fCEk1Mu3DOhQaRFaE3UH2atOr7lE0s9r8sQ3wHsNXw\n"
    "+Eha2QE5MKG5FTD1ZRRzk217d1REhrWjhA8QyVMEseS7WWBv9OgCA2ak6bi6e0ZB\n"
    "vNl1wDYl17IFsE8Vv/6V/ZaStin0m+f/y329K6B26eU3rE7AVQ6pMAYXYHTF6dqQ\n"
    "rVH8hjqDusq4mk+uJZFwjeSpyPZfbQfJe3zivY7wEVNDequ0OS4ORaOB2QxTamvf\n"
    "1hSzP5ykCwFZsjMAsfPICVeaHxsPTjKeHsv7+RUEufKradSOzGP3g53Cu9LHmIpD\n"
    "47bBTwjYI6LWJUDFX0tsZ7TAM0bOM+qT00oYyWna3NNOLf1R6diYvI93QrJ2Ydp+\n"
    "JoH6BohP8i1//SWXlnV4Z9BDpCYndeLuO/s8I9DrNLj2IObuRD33J+xfz1/G4Cfm\n"
    "JfKf5uqNa6I4rwst+JNWrj7eG2pn4gy/5nYyYJCa434uiZNLa1pkcYja1eq4+PEf\n"
    "a1flQA6gPcbTMJJNZBkArfeeM0/GeSO+pc7ZCcF/Ax65tjK9SE9ZlSbhWzXboo9+\n"
    "YponD2nveBZE8f1fTB8U/JgWWcdFAf1Y0/RB53WsVjr0SIVmJIyVjFFk62RAfE+5\n"
    "vjz2Swyjou/4aktXVdJCGkec4/9p9b45os8xm/HVvFarstWZ/SCdbGWiNcLPF4Fr\n"
    "ShOmHBXe3+W1yapZKXih2eO56oeaZwSahc+plaNf2vB3JqmHd81pQtE8jotb69Hb\n"
    "D7iECLCkeNjHyAhdgiVBQjf4hpH+o11s0dxAl3t7910L7oKUCvXSfQ==\n"
    "-----END RSA PRIVATE KEY-----\n",
     "SHA256:07nnC+NXb6pGiLjeA5XGF7jyICBDdGoM7NaQZHs+woY", "", true},
    {"ec-aes.pem",
    "-----BEGIN EC PRIVATE KEY-----\n"
    "Proc-Type: 4,ENCRYPTED\n"
    "DEK-Info: AES-128-CBC,BBDFF7422B68373EEF2A28D08EF22BA3\n"
    "\n"
    "5WZKKGRTlVc5mXcB6aoK8VnXpXcrtrghtP+YYFaYVliSapV2FUjDdP9RnlqXZjfK\n"
    "vYWMsxU8e+oGbbNOZWV8lXYFPFNkkkdgqH/S8bhSXumfEM8j7n4A2quj2l9b9Z58\n"
    "MTUhnmT0pPnkhybJNBj1Iz26XH+NJFcwk1KBiNgg1JQ=\n"
    "-----END EC PRIVATE KEY-----\n",
     "SHA256:MCU4Pn99E5FSSLGv4HQlAiiZNqEF5kvIRYrb6P7krEc", "", true},
    {"dsa-aes.pem",
    "-----BEGIN DSA PRIVATE KEY-----\n"
    "Proc-Type: 4,ENCRYPTED\n"
    "DEK-Info: AES-256-CBC,01E70A31B61882D2D3874857772D6F01\n"
    "\n"
    "Tnky431CoTTZ0x4ZRwIAoAbLgoJQ4XbU4LTecpMA3+oWt2XSdEbNr5/KgjnGDn9l\n"
    "8XNdv8j3LJyXVaCym8KC2cgtJ1hiq2awzVGvdeRTwG4TzOvvFCVIebAkBf334ANd\n"
    "mbIyit5/53T+Sui8ISoCglZYlcf0+q6hA86gZ7uO+/s6dGeDJ0uTcevhyDyhmPeO\n"
    "AT0VskZ2aGxr4BT05Oa7FXoE+Rcwznz2yokzwnHmGn8JfL1zFg7RlfmhExJCoDvG\n"
    "sPFb3mwe8n8z/oeDt2tuG4sD2FlwAbjFCcbHXtrDMiwxIIpABD1R4mMG2zORSEkI\n"
    "AnBEgYNDOchRxJCTYGzHAGsmb6v594ju1Byaf+Q4LAMoSueYSN5hEpf2A6QXo1/d\n"
    "UuGNR2ZGc95aUc5DquPTkis9UZpP1G6GzDPJZpzVXKGm7nGB0XWJUlxP2lA3hEj2\n"
    "Q8sMdAXKmD5mLxjwLBg9p1gT21w+NTy3fYhPgAtyXdltz0IZath7eMtHBgMrUc1D\n"
    "fC4DprymfgUthU/f80dIpUknNolfC0bODUl/cJ42WSNwAWXt6JelVSkzDOZs44Lz\n"
    "43xE1rSi0BF1KWPlP+Q6LQ==\n"
    "-----END DSA PRIVATE KEY-----\n",
     "SHA256:Rm23A7YiN+vQjJiRi7wc1quxULPpKV1tUJZbx5IdT6Q", "", true},
    {"rsa.p8",
    "-----BEGIN PRIVATE KEY-----\n"
    "MIICdgIBADANBgkqhkiG9w0BAQEFAASCAmAwggJcAgEAAoGBAL4THvcwC91FMXUc\n"
    "5dmVVZBUsVmsEhAj3Bs4nkNPrXbhpLobdzTDIr68UpbSPYpoNnuJN4D+bm3qGFOK\n"
    "chWVRgbnOTgZXZbZpkEnkGjHGd8s0TSquKBFmhSxjsmw0Zhg1itQGyGqzVsgk8fr\n"
    "dO5A05Ox2rs9IS0H/XMmlNiypr3NAgMBAAECgYAW3lwSZ4B17dZGfeSVqibyR45S\n"
    "+KXvtTDNQaGg/ZwkOn/EOHu+KGAszKGvLbpjxagQcvDvny0QImMs4fJZ8GzNQJ+U\n"
    "26OIX2gscaxq+k//3vmD4S0NQX+sMRe7+48+yrU/FiRIDkhKzgdQS1o95M/TUhtC\n"
    "2YTusjfGzbitEuuObQJBAOvcL2IxTP0oza6mhMLhByoKgJRbvcG0aLOX8OczHJiB\n"
    "NpR6L+jMbJYCmyesMdPiaW8YKQHXYeRNJw37BYxHn18CQQDOThVvcPzaKsuwd/nw\n"
    "tdWskIVxVjcSuHStKDGbYQuL8Uo0hdQIULMd5azbVmmqil8Fefoh12gDf7Giw3x6\n"
    "FS5TAkEA4YGQPE3u0k3k+gtz+++zLdsEvNRKRZ38TVoElskjmhxQ1v1MOUTavUKY\n"
    "ngHhUjizneh3rK8FhYbOxGsxDsKb+QJARjYM1YB+jUFDUSuDxIgd0DzfLVNKKvTb\n"
    "wJKNT3QXmejkeDuTjcDpNKOV0I/4JjIxZIu+tQW6QHaU3e/pzSKoQQJAeJMYEvjg\n"
    "5tGfR0d2FDZXJjjUW603K2Bf0d2vwOSqg4AlId91f6VIscHQE0B7i2srSQK1uzcM\n"
    "vtjnNwuyGwEW8w==\n"
    "-----END PRIVATE KEY-----\n",
     "SHA256:07nnC+NXb6pGiLjeA5XGF7jyICBDdGoM7NaQZHs+woY", "", false},
    {"ec.p8",
    "-----BEGIN PRIVATE KEY-----\n"
    "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg8ZaRAN3QuC0Jiii5\n"
    "yHuHVypSUXI/UWI1uZfvfpkMhbKhRANCAAT1zwyE3E4BZ1VhV4BW/txeY58r63Ko\n"
    "bKONCoM22bw9lQQmtHLhe8Ze95CGJYO+95CYaQ17kYwtHFvYqLtJmPJO\n"
    "-----END PRIVATE KEY-----\n",
     "SHA256:MCU4Pn99E5FSSLGv4HQlAiiZNqEF5kvIRYrb6P7krEc", "", false},
    {"dsa.p8",
    "-----BEGIN PRIVATE KEY-----\n"
    "MIIBSgIBADCCASsGByqGSM44BAEwggEeAoGBAJ4bUiMiz9TNIohoXiK23Ou+xfAV\n"
    "md1aE7as5ZOsPS9BPs2gp+ixCFAhic6TvegbpUgzV/K9cUKTQ/ySLFPMKvNAWRRb\n"
    "1SegyNTkIhbjj5kE5cJyxSFX5SYDpIjxJJ9Wzqewf2fRJ3/wLZczCnMWckH2YBQR\n"
    "trrvkXDf84mvG/OPAhUAqu1oKFzANzhffrypUiw42M0Ps6sCgYAbehnsbT3t8wyq\n"
    "FD4U/u1dzASorP/yauG5rh0mxksyI4HxUoL2j6knqTMv9bZn/uw7XxSb+MV/qPLC\n"
    "uOzaHOr1ohR+q2FoTc+AaE2MQzm50zKsd5yiPOe1iuO+enZxHGDHsn8tgxKSPK/D\n"
    "ax/ErddoBt4iDDrdV21xIusMLxRDTgQWAhR/H5X/Cs1H7bXAvehdczoBKMfepg==\n"
    "-----END PRIVATE KEY-----\n",
     "SHA256:Rm23A7YiN+vQjJiRi7wc1quxULPpKV1tUJZbx5IdT6Q", "", false},
    {"ec-pbkdf2.p8",
    "-----BEGIN ENCRYPTED PRIVATE KEY-----\n"
    "MIHrMFYGCSqGSIb3DQEFDTBJMCgGCSqGSIb3DQEFDDAbBAjmFDXMaWOK8gIBZDAM\n"
    "BggqhkiG9w0CCQUAMB0GCWCGSAFlAwQBKgQQlTxv+U4pfvPhN2KeS3oNtgSBkJrG\n"
    "Or4faPAYRkNxAapyKxsBom7blOxWUBJ6E/gbto1yzIM9ju4QE8mcMkyq8L0hJeVh\n"
    "MKGJQiK1Yezv3vnlITDOmsvtvPHoMS+RySu3z1+Cbz8EwJ+CUc917/jBicmNjaty\n"
    "+q7FmJurSq+7G/LHzKzRRw7P95gM/1esG3Y/o85nIn4OldwCjr79UO6wXXmRdA==\n"
    "-----END ENCRYPTED PRIVATE KEY-----\n",
     "SHA256:MCU4Pn99E5FSSLGv4HQlAiiZNqEF5kvIRYrb6P7krEc", "", true},
    {"rsa-pbkdf2-sha1.p8",
    "-----BEGIN ENCRYPTED PRIVATE KEY-----\n"
    "MIICxTA/BgkqhkiG9w0BBQ0wMjAaBgkqhkiG9w0BBQwwDQQIxZg9lHfYlxsCAWQw\n"
    "FAYIKoZIhvcNAwcECBd+PUZqJvL6BIICgOdvj7Z+IF5MTaxNZwcqU1TbmioJD3u+\n"
    "FhqZ0tKLv31Y2DDA0ksaK3xjMzLenMiEiEFhacfsU9dmonwVtyIASDdYA/mPTfXR\n"
    "blkSKf5ircV2waSTigDyqeHzO70QODRVj73TD9jIS5lOjg1mR8dZDMtUsk0LH2d5\n"
    "84UmOwUTAaKnTH6xtJgWLrHiuenSh6K+KNKO3eJ/GWd2fODjSAQwPNTCSVyn77B4\n"
    "d8/dSYxKtKawCqOR3rrfGlmkjDHoiYG+R+S+G9U/6JncAVYM1gv5emFzHazgUMzZ\n"
    "+AiNDUkcY0zn6ZTF0plxdkgL8uDn5K64oq1/Sx6aRKF9ERwhrVvQd73d+pYfsUwX\n"
    "QJ5K9sLleWpF6s1Xh7UrlKvhdAfzKuDtDzxtlK93l95LSNBCVfwjmqRw6xN84xp1\n"
    "eczZJzr/Fcs/wEvwLydx9aiTZkvnYcWITUKu1SC3KZ6YMKPtkL0tifWy7A6rRqrR\n"
    "OpyGXXMwwLdKSbRIjOmzBQP5GbXaxdvterWCFWGkd7TXFw/l2KKfaGJ1pa+uyVzZ\n"
    "turCjvOjwXLfz1QmVZHzeATsUPSCmSrFwuZ4YvhqNNNN7ua7U1yHULMGXqy3nTYs\n"
    "tebtbkKMciQv6TztAHubbJnUJox813YoMVkUMbchQs8LNLlqdcbYfN/4DfRdwb9w\n"
    "fLo/JBEAX+lwCo7Cehymhlj7nfz0Yc42cHk3B6gI9lI7wdkd45btrEQkRSgQMgSg\n"
    "BZCZ2Mu/57mE0ROOkq5JkVTgzKgtSvuJ/vfnl/iVlXmEBZ3Nr1OX2EQ+qMxRb8oT\n"
    "zMovH8uVavs7AymOo1gwq8KGjJ4wqEBOslzzBubMdW5J6w87+330EwI=\n"
    "-----END ENCRYPTED PRIVATE KEY-----\n",
     "SHA256:07nnC+NXb6pGiLjeA5XGF7jyICBDdGoM7NaQZHs+woY", "", true},
    {"ecparam.pem",
    "-----BEGIN EC PARAMETERS-----\n"
    "BggqhkjOPQMBBw==\n"
    "-----END EC PARAMETERS-----\n"
    "-----BEGIN EC PRIVATE KEY-----\n"
    "MHcCAQEEIF3amQYqSMcsWxCV2yMM7NWUlqab9EGJRYivvoKM5nI6oAoGCCqGSM49\n"
    "AwEHoUQDQgAEgy3XiNShyxANvt36ROJdb3fb+aUaaw0NV6nSHmFTX+pOufBrvBHN\n"
    "WZoLFBW1W/+IoUHCgiyMx38acjjokONq0g==\n"
    "-----END EC PRIVATE KEY-----\n",
     "SHA256:+ZBLjQvwuE9YDw5cXy4+TIT/pDWlGNTa3uiAqJkdi1Y", "", false},
    {"ed.p8",
    "-----BEGIN PRIVATE KEY-----\n"
    "MC4CAQAwBQYDK2VwBCIEIHQv6x9wwxstq5J6Yyxlpxf6GLXvX9Nv0Q8NNzblZw/H\n"
    "-----END PRIVATE KEY-----\n",
     "SHA256:TyEG2b3OqbfoGiNv9D3AcgCmX8PZA0gRRHbl5S/wi0M", "", false},
    {"ed448.p8",
    "-----BEGIN PRIVATE KEY-----\n"
    "MEcCAQAwBQYDK2VxBDsEOY3/oTSVE1SdcU93dE9QvJ83UBeCt8C8majO/l/Dv2l9\n"
    "AXCFC/NPAPrMfkkWpgf0H3SSkM9bEcKf6w==\n"
    "-----END PRIVATE KEY-----\n",
     "SHA256:MzxxkRtPhck8IWIjlhL4DH60ut50V66Xerr6mJIJ4B0", "", false},
    {"ed-pbkdf2.p8",
    "-----BEGIN ENCRYPTED PRIVATE KEY-----\n"
    "MIGaMFYGCSqGSIb3DQEFDTBJMCgGCSqGSIb3DQEFDDAbBAiiYP4c6yJsagIBZDAM\n"
    "BggqhkiG9w0CCwUAMB0GCWCGSAFlAwQBAgQQtOW2dFLFXrpFN2ay1UPzywRAaacI\n"
    "F6ZQoF6mrmP9LMkEs+rxR3Eu0TVK7Dea3l/5/uda/ggN2ib8y924NFe+Pzfj0oP2\n"
    "nxG2cE1N4+SoKu5sgw==\n"
    "-----END ENCRYPTED PRIVATE KEY-----\n",
     "SHA256:TyEG2b3OqbfoGiNv9D3AcgCmX8PZA0gRRHbl5S/wi0M", "", true},
    {"ed-scrypt.p8",
    "-----BEGIN ENCRYPTED PRIVATE KEY-----\n"
    "MIGTME8GCSqGSIb3DQEFDTBCMCEGCSsGAQQB2kcECzAUBAhkGLvOvciLvwICBAAC\n"
    "AQECAQEwHQYJYIZIAWUDBAEqBBDiW2RwKLwFjzsQkxmPAsKnBECwZPH1wrSo9sxu\n"
    "OajqTqdo4aO1H6fcVnK0eU9N3paaBslV1RjNeD+pZxMeKtcly/34/83AjYDOMOAh\n"
    "O+M2tCVK\n"
    "-----END ENCRYPTED PRIVATE KEY-----\n",
     "SHA256:TyEG2b3OqbfoGiNv9D3AcgCmX8PZA0gRRHbl5S/wi0M", "", true},
};

/* Public keys in other formats. */
static const struct {
    const char *name, *text, *sha256;
} other_public_samples[] = {
    {"ec.spki",
    "-----BEGIN PUBLIC KEY-----\n"
    "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE9c8MhNxOAWdVYVeAVv7cXmOfK+ty\n"
    "qGyjjQqDNtm8PZUEJrRy4XvGXveQhiWDvveQmGkNe5GMLRxb2Ki7SZjyTg==\n"
    "-----END PUBLIC KEY-----\n",
     "SHA256:MCU4Pn99E5FSSLGv4HQlAiiZNqEF5kvIRYrb6P7krEc"},
    {"ed.spki",
    "-----BEGIN PUBLIC KEY-----\n"
    "MCowBQYDK2VwAyEAYNULJH0uz9mOSqfpMDPefA4DsMhmc8kBpp3sjkQm32Q=\n"
    "-----END PUBLIC KEY-----\n",
     "SHA256:TyEG2b3OqbfoGiNv9D3AcgCmX8PZA0gRRHbl5S/wi0M"},
    {"rsa.spki",
    "-----BEGIN PUBLIC KEY-----\n"
    "MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQC+Ex73MAvdRTF1HOXZlVWQVLFZ\n"
    "rBIQI9wbOJ5DT6124aS6G3c0wyK+vFKW0j2KaDZ7iTeA/m5t6hhTinIVlUYG5zk4\n"
    "GV2W2aZBJ5BoxxnfLNE0qrigRZoUsY7JsNGYYNYrUBshqs1bIJPH63TuQNOTsdq7\n"
    "PSEtB/1zJpTYsqa9zQIDAQAB\n"
    "-----END PUBLIC KEY-----\n",
     "SHA256:07nnC+NXb6pGiLjeA5XGF7jyICBDdGoM7NaQZHs+woY"},
    {"rsa.pkcs1pub",
    "-----BEGIN RSA PUBLIC KEY-----\n"
    "MIGJAoGBAL4THvcwC91FMXUc5dmVVZBUsVmsEhAj3Bs4nkNPrXbhpLobdzTDIr68\n"
    "UpbSPYpoNnuJN4D+bm3qGFOKchWVRgbnOTgZXZbZpkEnkGjHGd8s0TSquKBFmhSx\n"
    "jsmw0Zhg1itQGyGqzVsgk8frdO5A05Ox2rs9IS0H/XMmlNiypr3NAgMBAAE=\n"
    "-----END RSA PUBLIC KEY-----\n",
     "SHA256:07nnC+NXb6pGiLjeA5XGF7jyICBDdGoM7NaQZHs+woY"},
};

/* ssh-keygen -Y sign -n file over "the message\n": SSHSIG blobs. */
static const struct {
    const char *name, *base64;
} signature_samples[] = {
    {"ed25519", "U1NIU0lHAAAAAQAAADMAAAALc3NoLWVkMjU1MTkAAAAg0TZCuQLCheIkjXkZfNWdpQ3faLSZvDuZ6A54PwFYpvEA"
     "AAAEZmlsZQAAAAAAAAAGc2hhNTEyAAAAUwAAAAtzc2gtZWQyNTUxOQAAAEDBS878vwUG25K7e8H36xymGjS8nnTpXlZBTDRz5am"
     "5AJ67Yil1792HOTAefAsMaqseq1rOQ627rhPMtyOCmrYK"},
    {"ecdsa256", "U1NIU0lHAAAAAQAAAGgAAAATZWNkc2Etc2hhMi1uaXN0cDI1NgAAAAhuaXN0cDI1NgAAAEEE9c8MhNxOAWdVYVe"
     "AVv7cXmOfK+tyqGyjjQqDNtm8PZUEJrRy4XvGXveQhiWDvveQmGkNe5GMLRxb2Ki7SZjyTgAAAARmaWxlAAAAAAAAAAZzaGE1MT"
     "IAAABkAAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAABJAAAAIQCbWof0AXDlEDnqfcrELzi7lcVIZJL78qzcLus+89a+4wAAACAB3"
     "UIawRhIauLKOt72bueufN8JToUEtGCT+ESXMMaOsA=="},
    {"ecdsa384", "U1NIU0lHAAAAAQAAAIgAAAATZWNkc2Etc2hhMi1uaXN0cDM4NAAAAAhuaXN0cDM4NAAAAGEENlKbX+pepWkMiVc"
     "rNZvbKZSl0LHH9rTwm1avhkicBjHsEgivQ0i8b8awWsHs9eAEppg5C4r8lJs9Ah8J/BakW4QulNloEsdWRGvVTXtpZ6/w6+LIz+"
     "IywpdQSCso35qqAAAABGZpbGUAAAAAAAAABnNoYTUxMgAAAIMAAAATZWNkc2Etc2hhMi1uaXN0cDM4NAAAAGgAAAAwaR2CzGhqY"
     "EH2E7tAMJchtEfLTER6uSSeIKbhjPLe/JqTc17TzRA/AT7cVaLOCIKgAAAAMCTivKtM/2wnpcr2Ig0tPPwjbZFIqmQuuZhv7Xi0"
     "RNi5yIZICrN+bJplGGPlEwVTmw=="},
    {"ecdsa521", "U1NIU0lHAAAAAQAAAKwAAAATZWNkc2Etc2hhMi1uaXN0cDUyMQAAAAhuaXN0cDUyMQAAAIUEAP/1Lo9GlMzb0Jz"
     "lwI5d8OGDwDBgQ90c98bD+tNVG/ZWn3Gx4D3gxVT3fEFVcid633oLXmiaswFkKLjRAL5yqk1FAV24YZl4DJg+28xLjpeMRlh+9G"
     "jtj14dpj2G1qAl+lnshF8SygXzJDLhm80t8f8cq2iKVYRQcRwDCaJHXkqKG4Y+AAAABGZpbGUAAAAAAAAABnNoYTUxMgAAAKcAA"
     "AATZWNkc2Etc2hhMi1uaXN0cDUyMQAAAIwAAABCAIY7F/VHQoeBJ7H9gpgIxCJd/sRhRFjt47/ROx0UVqHUxkOKXsXhYAqqG6wD"
     "o9/SGAOuwt5Ohs+ixHozr42xglNAAAAAQgHZRjFHvhITFxKWGQAWkgUPuEAP56wOPe/rPCoQ8ndAzt3RLuFcN5pyyu7w6ij09qd"
     "1Ow6L3i5YKZFnYgK5GYxQoQ=="},
    {"rsa", "U1NIU0lHAAAAAQAAARcAAAAHc3NoLXJzYQAAAAMBAAEAAAEBAKcBFivrBE9I03qEylej6i0fErlM7DnqCOPVUlffi1sZ"
     "iM2/lTmF6g9KMSI8P5YZH692+3SOeWTGXArCcsgYqpZOO6OrR0Pnc0FQji5UVq1uPg1YVd2uIAvPCa6sp0zToIk5hbj4zqPtjYr"
     "JR0/3WaLRBVUT9trxZh42H94wr0pC9qIebw/FCEkW1EhxuMQNbkTbX/E8CK3w5OchMLCDDUyAQRR0aOIVR2aZAZCYYwx0PkKRh+"
     "wXzgkNjGpYr45W1l7PJxiILWqGdI1FM4WKX2xyzmreoe2OYe6Pqbj6vaa8ccJlqSIL9AEXGVEkFTOdXiPUq4SOSRdib5GrxA0CI"
     "rsAAAAEZmlsZQAAAAAAAAAGc2hhNTEyAAABFAAAAAxyc2Etc2hhMi01MTIAAAEAiaqeju8E04NaoWzZryqrlx6F5UmgK2adtGkH"
     "uRLprjHRV1BzK9sPMa4/6WjJKt3xQBIaV7TY62carYQWI7nyE0Z9Hp/wYrh9YwPEfs2s2PRTmTx+W6q0IhjFqrSPl68bEck7AgD"
     "1u/NVRBoLbbcjjs/uxNmAL2s2NK2GT5l49vEmBv8L8M22eOoRSH2TXox9WALWswgIVNH9cNrHA8h8uEiCwiVVX4ia3UArAKsC3j"
     "bNnEz5URU5IMZwjCW0kHA7rsjsVna3G8xqrPfGvtHN+qtf0H6JI/H5b88CX/5stkp3DFy+hEM26li30jF6n721++D9ic7Wja09v"
     "+49jwX56g=="},
};

static const char ca_line[] = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAILL3OqXAudRBpW6fRUTqqXAScSHiWx+H3GP3Gn"
     "Q9B66r CA\n";
static const char rsa_ca_line[] = "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAABAQDPo0QJ9xyC9i6lzaH+2w+iE+xMmboRBm"
     "ZXHuOfupMpBajKWY84cRdEfraBqubh58FXcx6AfN18gF0Dq4vFRqoQMWkIrWZUrGt3lW9dcxmUn/thpwLzYic/v+uFidWkEXh16"
     "3OVvfbXKFJX2QXYGBuLkwtDbs0KvPPcjCs8rfeSf8hD4PgyyKJ1TSKYXkIptAXylgN47bBRck/kh0EEj377L1bBp/GmCuNqL6o4"
     "mdLMLHntRDHW9PZFGZ6ID7946oydp65WRd2uNQTHZJjJhtENfn4sQH7cWxLmYY55/5EjnemTHu8PZ+Wrgi1MsdmSFH10B1oNs6f"
     "2yx8ukaTq9Jxd RSA CA\n";
static const char cert_user[] = "ssh-ed25519-cert-v01@openssh.com AAAAIHNzaC1lZDI1NTE5LWNlcnQtdjAxQG9wZW5"
     "zc2guY29tAAAAIDA9mkoZVPZddkLISLX2r2EZTrmRTo3nVukHGKiF4O0gAAAAINE2QrkCwoXiJI15GXzVnaUN32i0mbw7megOeD"
     "8BWKbxAAAAAAAAACoAAAABAAAACGFsaWNlIGlkAAAAEAAAAAVhbGljZQAAAANib2IAAAAAaVW5AAAAAABrNuyAAAAAAAAAAIIAA"
     "AAVcGVybWl0LVgxMS1mb3J3YXJkaW5nAAAAAAAAABdwZXJtaXQtYWdlbnQtZm9yd2FyZGluZwAAAAAAAAAWcGVybWl0LXBvcnQt"
     "Zm9yd2FyZGluZwAAAAAAAAAKcGVybWl0LXB0eQAAAAAAAAAOcGVybWl0LXVzZXItcmMAAAAAAAAAAAAAADMAAAALc3NoLWVkMjU"
     "1MTkAAAAgsvc6pcC51EGlbp9FROqpcBJxIeJbH4fcY/cadD0HrqsAAABTAAAAC3NzaC1lZDI1NTE5AAAAQFkW51m84wJlObus4l"
     "gY16fu1DfnXeKQTL/ctAaC/RY+4b4nr1IiWHdK4y3eGi3ftAfuaR6g3H5M6X1oiTBbwAM= alice@example\n";
static const char cert_user_forced[] = "ecdsa-sha2-nistp256-cert-v01@openssh.com AAAAKGVjZHNhLXNoYTItbmlz"
     "dHAyNTYtY2VydC12MDFAb3BlbnNzaC5jb20AAAAgchE+hMgXgNhaV4vQQE4hDOd/Hy07J7BSzKLkkPx20EsAAAAIbmlzdHAyNTY"
     "AAABBBPXPDITcTgFnVWFXgFb+3F5jnyvrcqhso40KgzbZvD2VBCa0cuF7xl73kIYlg773kJhpDXuRjC0cW9iou0mY8k4AAAAAAA"
     "AAAAAAAAEAAAAGZm9yY2VkAAAACQAAAAVhbGljZQAAAABpVbkAAAAAAGs27IAAAABOAAAADWZvcmNlLWNvbW1hbmQAAAAJAAAAB"
     "WxzIC1sAAAADnNvdXJjZS1hZGRyZXNzAAAAGgAAABYxMC4wLjAuMC84LDE5Mi4xNjguMS43AAAAEgAAAApwZXJtaXQtcHR5AAAA"
     "AAAAAAAAAAAzAAAAC3NzaC1lZDI1NTE5AAAAILL3OqXAudRBpW6fRUTqqXAScSHiWx+H3GP3GnQ9B66rAAAAUwAAAAtzc2gtZWQ"
     "yNTUxOQAAAEA2Slalyoq9exSfPHnOWvt76pgbpcC0QIA+MfpGiSVtaVwTmPrLnUdWs5SIZEBCmzNRkEhm2+8CIEptHZvhAWEM p"
     "256 key\n";
static const char cert_user_none[] = "ssh-ed25519-cert-v01@openssh.com AAAAIHNzaC1lZDI1NTE5LWNlcnQtdjAxQG"
     "9wZW5zc2guY29tAAAAIOsBxvppgVz+O0/8p3Qhp8WPMixQPcV8KQbsa3DfpCEiAAAAINE2QrkCwoXiJI15GXzVnaUN32i0mbw7m"
     "egOeD8BWKbxAAAAAAAAAAAAAAABAAAABG5vbmUAAAAAAAAAAGlVuQAAAAAAazbsgAAAAAAAAACCAAAAFXBlcm1pdC1YMTEtZm9y"
     "d2FyZGluZwAAAAAAAAAXcGVybWl0LWFnZW50LWZvcndhcmRpbmcAAAAAAAAAFnBlcm1pdC1wb3J0LWZvcndhcmRpbmcAAAAAAAA"
     "ACnBlcm1pdC1wdHkAAAAAAAAADnBlcm1pdC11c2VyLXJjAAAAAAAAAAAAAAAzAAAAC3NzaC1lZDI1NTE5AAAAILL3OqXAudRBpW"
     "6fRUTqqXAScSHiWx+H3GP3GnQ9B66rAAAAUwAAAAtzc2gtZWQyNTUxOQAAAEBZii026o2gEQ0w4GboxIH6iDxcKB0wDzOYllDbj"
     "HnIjzSXy5CMWJru9yB2IIyaxQXF0P+flUgy8Z2pYWYf2u0O alice@example\n";
static const char cert_user_unknown[] = "ssh-ed25519-cert-v01@openssh.com AAAAIHNzaC1lZDI1NTE5LWNlcnQtdjA"
     "xQG9wZW5zc2guY29tAAAAILdUxqYYGlX6kFaT6lX8XpQ7KjexZFAdz9EqlMPWu1ORAAAAINE2QrkCwoXiJI15GXzVnaUN32i0mb"
     "w7megOeD8BWKbxAAAAAAAAAAAAAAABAAAAB3Vua25vd24AAAAJAAAABWFsaWNlAAAAAGlVuQAAAAAAazbsgAAAABwAAAAPZm9vQ"
     "GV4YW1wbGUuY29tAAAABQAAAAF4AAAAggAAABVwZXJtaXQtWDExLWZvcndhcmRpbmcAAAAAAAAAF3Blcm1pdC1hZ2VudC1mb3J3"
     "YXJkaW5nAAAAAAAAABZwZXJtaXQtcG9ydC1mb3J3YXJkaW5nAAAAAAAAAApwZXJtaXQtcHR5AAAAAAAAAA5wZXJtaXQtdXNlci1"
     "yYwAAAAAAAAAAAAAAMwAAAAtzc2gtZWQyNTUxOQAAACCy9zqlwLnUQaVun0VE6qlwEnEh4lsfh9xj9xp0PQeuqwAAAFMAAAALc3"
     "NoLWVkMjU1MTkAAABAV2BZXn9Lu5vZ3t/gYhH0Bn9MqUod2TlkhMcW0JlxVMkg2md6CjBN2aK51JydZ1hsP0E/5YtbsUQb2i48b"
     "1tFBQ== alice@example\n";
static const char cert_user_rsaca[] = "ssh-rsa-cert-v01@openssh.com AAAAHHNzaC1yc2EtY2VydC12MDFAb3BlbnNza"
     "C5jb20AAAAgNc277s9WMfu+YIdqADenqs92PuIGWM+L0fsoT92mtlcAAAADAQABAAABAQCnARYr6wRPSNN6hMpXo+otHxK5TOw5"
     "6gjj1VJX34tbGYjNv5U5heoPSjEiPD+WGR+vdvt0jnlkxlwKwnLIGKqWTjujq0dD53NBUI4uVFatbj4NWFXdriALzwmurKdM06C"
     "JOYW4+M6j7Y2KyUdP91mi0QVVE/ba8WYeNh/eMK9KQvaiHm8PxQhJFtRIcbjEDW5E21/xPAit8OTnITCwgw1MgEEUdGjiFUdmmQ"
     "GQmGMMdD5CkYfsF84JDYxqWK+OVtZezycYiC1qhnSNRTOFil9scs5q3qHtjmHuj6m4+r2mvHHCZakiC/QBFxlRJBUznV4j1KuEj"
     "kkXYm+Rq8QNAiK7AAAAAAAAAAAAAAABAAAAA3JzYQAAAAkAAAAFYWxpY2UAAAAAaVW5AAAAAABrNuyAAAAAAAAAAIIAAAAVcGVy"
     "bWl0LVgxMS1mb3J3YXJkaW5nAAAAAAAAABdwZXJtaXQtYWdlbnQtZm9yd2FyZGluZwAAAAAAAAAWcGVybWl0LXBvcnQtZm9yd2F"
     "yZGluZwAAAAAAAAAKcGVybWl0LXB0eQAAAAAAAAAOcGVybWl0LXVzZXItcmMAAAAAAAAAAAAAARcAAAAHc3NoLXJzYQAAAAMBAA"
     "EAAAEBAM+jRAn3HIL2LqXNof7bD6IT7EyZuhEGZlce45+6kykFqMpZjzhxF0R+toGq5uHnwVdzHoB83XyAXQOri8VGqhAxaQitZ"
     "lSsa3eVb11zGZSf+2GnAvNiJz+/64WJ1aQReHXrc5W99tcoUlfZBdgYG4uTC0NuzQq889yMKzyt95J/yEPg+DLIonVNIpheQim0"
     "BfKWA3jtsFFyT+SHQQSPfvsvVsGn8aYK42ovqjiZ0swsee1EMdb09kUZnogPv3jqjJ2nrlZF3a41BMdkmMmG0Q1+fixAftxbEuZ"
     "hjnn/kSOd6ZMe7w9n5auCLUyx2ZIUfXQHWg2zp/bLHy6RpOr0nF0AAAEUAAAADHJzYS1zaGEyLTUxMgAAAQCm5xI5sNJh7h4aHb"
     "GWsdH4PSu300MHLnD4t+kaJN5r/l9SP7sqa3V0EQVP33+SjNL0FyyMn5wIIHHHWyae25HgDEuFVZO8iQhLnmoG5EQ1W2ekrCdgZ"
     "x3mU8Bm18kFeJoQFNHcP7OgrBrpUzxEMCM3ktSNgXyqXBc01koApGUCX5c2GKcHc6nrtrb6V2VHeMNplqnqF0i72jWd/n2Gj1Yt"
     "D0slHg0aNLeCGILA1Bc+nanD3yrnnkg5nwp14onpxDbASp429PL9Ed6E4YbVN82tTKtpGIuu+J+F47kJVNGMvMHjXkQkGo8SgaQ"
     "QJh6DqJdyqTpNGJc4hZVGpkrUpA1M rsa\n";
static const char cert_user_sha1[] = "ssh-rsa-cert-v01@openssh.com AAAAHHNzaC1yc2EtY2VydC12MDFAb3BlbnNzaC"
     "5jb20AAAAgN3ZRnKlaamRF3vG9rEfBR7YrOVrkjl+y61s9DtJev+sAAAADAQABAAAAgQC+Ex73MAvdRTF1HOXZlVWQVLFZrBIQI"
     "9wbOJ5DT6124aS6G3c0wyK+vFKW0j2KaDZ7iTeA/m5t6hhTinIVlUYG5zk4GV2W2aZBJ5BoxxnfLNE0qrigRZoUsY7JsNGYYNYr"
     "UBshqs1bIJPH63TuQNOTsdq7PSEtB/1zJpTYsqa9zQAAAAAAAAAAAAAAAQAAAARzaGExAAAACQAAAAVhbGljZQAAAABpVbkAAAA"
     "AAGs27IAAAAAAAAAAggAAABVwZXJtaXQtWDExLWZvcndhcmRpbmcAAAAAAAAAF3Blcm1pdC1hZ2VudC1mb3J3YXJkaW5nAAAAAA"
     "AAABZwZXJtaXQtcG9ydC1mb3J3YXJkaW5nAAAAAAAAAApwZXJtaXQtcHR5AAAAAAAAAA5wZXJtaXQtdXNlci1yYwAAAAAAAAAAA"
     "AABFwAAAAdzc2gtcnNhAAAAAwEAAQAAAQEAz6NECfccgvYupc2h/tsPohPsTJm6EQZmVx7jn7qTKQWoylmPOHEXRH62garm4efB"
     "V3MegHzdfIBdA6uLxUaqEDFpCK1mVKxrd5VvXXMZlJ/7YacC82InP7/rhYnVpBF4detzlb321yhSV9kF2Bgbi5MLQ27NCrzz3Iw"
     "rPK33kn/IQ+D4MsiidU0imF5CKbQF8pYDeO2wUXJP5IdBBI9++y9Wwafxpgrjai+qOJnSzCx57UQx1vT2RRmeiA+/eOqMnaeuVk"
     "XdrjUEx2SYyYbRDX5+LEB+3FsS5mGOef+RI53pkx7vD2flq4ItTLHZkhR9dAdaDbOn9ssfLpGk6vScXQAAAQ8AAAAHc3NoLXJzY"
     "QAAAQBbErJzGNklfmnfo/s+MC2Mr8tUj4zsLa/3yZXwEQXbdgnCdSmTc9soPQHhspCnsoOEIX3o/RNsiaeXUbG2uYpFKuL5ylpK"
     "XSNZt4O9vSnEFmPuZESn2CJXaI9Mv07pP0hwgN/ez0DATsess+bfGE+IlEyykctI2X9QAqv93KMT91ABimGjKBj0iTDhT0PP9zT"
     "0Wt0UUIA8/kbnSKxwpCvjioQimuYDCveDfgVsqzCJYI1zbTX2YzvNiarplr6VEzCVq9Zt9Y/cnoKF37noCoKTuelvlddnSMepA7"
     "RaUFqL89jCT0zCfp5iwB5+71TYU0XS9v9oYG7piLm+6cY1X+/t rsa small\n";
static const char cert_host[] = "ecdsa-sha2-nistp384-cert-v01@openssh.com AAAAKGVjZHNhLXNoYTItbmlzdHAzODQ"
     "tY2VydC12MDFAb3BlbnNzaC5jb20AAAAg4U6CwjWaG35Kj7/m9qggkRZlttFyU8E1giY1tNNvmhsAAAAIbmlzdHAzODQAAABhBD"
     "ZSm1/qXqVpDIlXKzWb2ymUpdCxx/a08JtWr4ZInAYx7BIIr0NIvG/GsFrB7PXgBKaYOQuK/JSbPQIfCfwWpFuELpTZaBLHVkRr1"
     "U17aWev8OviyM/iMsKXUEgrKN+aqgAAAAAAAAAAAAAAAgAAAARob3N0AAAAIgAAAAxob3N0LmV4YW1wbGUAAAAOKi53aWxkLmV4"
     "YW1wbGUAAAAAaVW5AAAAAABrNuyAAAAAAAAAAAAAAAAAAAAAMwAAAAtzc2gtZWQyNTUxOQAAACCy9zqlwLnUQaVun0VE6qlwEnE"
     "h4lsfh9xj9xp0PQeuqwAAAFMAAAALc3NoLWVkMjU1MTkAAABACzlVuZCp8oVegocUtSWpzauFtocv1kFlb190j0xOXMAB44uXf1"
     "UUTP9Wc1oE8+OSppSCsASWs4dmBZstQlGDCg== tmp.pub\n";
static const char cert_host_rsa[] = "ssh-rsa-cert-v01@openssh.com AAAAHHNzaC1yc2EtY2VydC12MDFAb3BlbnNzaC5"
     "jb20AAAAgd56xFjCQMQkn7e2aSXcZFS1oNES226mP52BXXD6Z+pYAAAADAQABAAABAQCnARYr6wRPSNN6hMpXo+otHxK5TOw56g"
     "jj1VJX34tbGYjNv5U5heoPSjEiPD+WGR+vdvt0jnlkxlwKwnLIGKqWTjujq0dD53NBUI4uVFatbj4NWFXdriALzwmurKdM06CJO"
     "YW4+M6j7Y2KyUdP91mi0QVVE/ba8WYeNh/eMK9KQvaiHm8PxQhJFtRIcbjEDW5E21/xPAit8OTnITCwgw1MgEEUdGjiFUdmmQGQ"
     "mGMMdD5CkYfsF84JDYxqWK+OVtZezycYiC1qhnSNRTOFil9scs5q3qHtjmHuj6m4+r2mvHHCZakiC/QBFxlRJBUznV4j1KuEjkk"
     "XYm+Rq8QNAiK7AAAAAAAAAAAAAAACAAAABGhvc3QAAAAQAAAADGhvc3QuZXhhbXBsZQAAAABpVbkAAAAAAGs27IAAAAAAAAAAAA"
     "AAAAAAAAAzAAAAC3NzaC1lZDI1NTE5AAAAILL3OqXAudRBpW6fRUTqqXAScSHiWx+H3GP3GnQ9B66rAAAAUwAAAAtzc2gtZWQyN"
     "TUxOQAAAEBz6OzfZ24++XQy4W3bRTPw3nqaS/F7+jJ9l7yjI9whj02knXtI7uAbIj4jY+18U6uBfJBjLbXb8ZddmntxQm4C rsa\n";

#endif
