/* ssh-keygen's face: its options, prompts, lines and exit statuses, as those of OpenSSH 9.2. */
#ifndef KEYS_SSH_KEYGEN_H
#define KEYS_SSH_KEYGEN_H

/* argv[0] is the program's name. Returns the exit status: 0, 1 (a negative answer, the command line, a file
 * that could not be saved) or 255 (everything else that fails). */
int ssh_keygen_main(int argc, char **argv);

#endif
