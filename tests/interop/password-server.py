#!/usr/bin/python3
"""password-server.py DIR: an SSH server of asyncssh for what sshd cannot do without accounts: passwords, their change, dialogues of
keyboard-interactive, both in turn, a banner. The user's name chooses; the port is printed. The host key is DIR/host."""
import asyncio
import sys

import asyncssh

directory = sys.argv[1]


class Server(asyncssh.SSHServer):
    def connection_made(self, conn):
        self.conn = conn
        self.passwords = {"changes": "expired"}

    def begin_auth(self, username):
        self.user = username
        if username == "banner":
            self.conn.send_auth_banner("Beware\033[31m!\r\n")
        return True

    def password_auth_supported(self):
        return self.user in ("simple", "changes", "banner")

    def validate_password(self, username, password):
        if username == "changes":
            raise asyncssh.PasswordChangeRequired("It is too old")
        return password == "open sesame"

    def change_password(self, username, old_password, new_password):
        return old_password == "expired" and new_password == "brand new"

    def kbdint_auth_supported(self):
        return self.user in ("dialogue", "pam", "empty")

    def get_kbdint_challenge(self, username, lang, submethods):
        self.round = 0
        if username == "pam":
            return "", "", "", [("Password: ", False)]
        if username == "empty":
            return "Nothing to ask", "", "", []
        return "Two things\033[2J", "Think first", "", [("Name: ", True), ("Pin\007: ", False)]

    def validate_kbdint_response(self, username, responses):
        self.round += 1
        if username == "pam":
            return list(responses) == ["open sesame"]
        if username == "empty":
            return not responses
        if self.round == 1:
            if list(responses) != ["me", "1234"]:
                return False
            return "", "Once more", "", [("Token: ", False)]
        return list(responses) == ["5678"]


def process(process):
    process.stdout.write("hello\n")
    process.exit(0)


async def main():
    server = await asyncssh.create_server(Server, "127.0.0.1", 0, server_host_keys=[directory + "/host"],
                                          process_factory=process, encoding="utf-8")
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.wait_closed()


asyncio.run(main())
