/* draft-ietf-secsh-filexfer-02 (SFTP version 3): message types, status codes, flags. One X-macro a family
 * gives the enum, the trace name and the fuzz dictionary. */
#ifndef LY_SFTP_NUMBERS_H
#define LY_SFTP_NUMBERS_H

/* clang-format off */
#define LY_SFTP_MESSAGES(X)                                                                               \
    X(SSH_FXP_INIT, 1) X(SSH_FXP_VERSION, 2) X(SSH_FXP_OPEN, 3) X(SSH_FXP_CLOSE, 4) X(SSH_FXP_READ, 5)    \
    X(SSH_FXP_WRITE, 6) X(SSH_FXP_LSTAT, 7) X(SSH_FXP_FSTAT, 8) X(SSH_FXP_SETSTAT, 9)                     \
    X(SSH_FXP_FSETSTAT, 10) X(SSH_FXP_OPENDIR, 11) X(SSH_FXP_READDIR, 12) X(SSH_FXP_REMOVE, 13)           \
    X(SSH_FXP_MKDIR, 14) X(SSH_FXP_RMDIR, 15) X(SSH_FXP_REALPATH, 16) X(SSH_FXP_STAT, 17)                 \
    X(SSH_FXP_RENAME, 18) X(SSH_FXP_READLINK, 19) X(SSH_FXP_SYMLINK, 20) X(SSH_FXP_STATUS, 101)           \
    X(SSH_FXP_HANDLE, 102) X(SSH_FXP_DATA, 103) X(SSH_FXP_NAME, 104) X(SSH_FXP_ATTRS, 105)                \
    X(SSH_FXP_EXTENDED, 200) X(SSH_FXP_EXTENDED_REPLY, 201)

#define LY_SFTP_STATUSES(X)                                                                               \
    X(SSH_FX_OK, 0) X(SSH_FX_EOF, 1) X(SSH_FX_NO_SUCH_FILE, 2) X(SSH_FX_PERMISSION_DENIED, 3)             \
    X(SSH_FX_FAILURE, 4) X(SSH_FX_BAD_MESSAGE, 5) X(SSH_FX_NO_CONNECTION, 6)                              \
    X(SSH_FX_CONNECTION_LOST, 7) X(SSH_FX_OP_UNSUPPORTED, 8)
/* clang-format on */

#define LY_ENUM_ROW(name, number) name = number,
enum { LY_SFTP_MESSAGES(LY_ENUM_ROW) };
enum { LY_SFTP_STATUSES(LY_ENUM_ROW) };
#undef LY_ENUM_ROW

/* Trace names: "SSH_FXP_OPEN", "SSH_FX_EOF"; "?" for others. */
const char *ly_sftp_message_name(unsigned type);
const char *ly_sftp_status_name(unsigned code);
/* What people read when the server sent no text: "No such file"; "Unknown error" for others. */
const char *ly_sftp_status_text(unsigned code);

enum { /* pflags of SSH_FXP_OPEN */
       SSH_FXF_READ = 1,
       SSH_FXF_WRITE = 2,
       SSH_FXF_APPEND = 4,
       SSH_FXF_CREAT = 8,
       SSH_FXF_TRUNC = 16,
       SSH_FXF_EXCL = 32
};
enum { /* flags of attrs */
       SSH_FILEXFER_ATTR_SIZE = 1,
       SSH_FILEXFER_ATTR_UIDGID = 2,
       SSH_FILEXFER_ATTR_PERMISSIONS = 4,
       SSH_FILEXFER_ATTR_ACMODTIME = 8
};
#define SSH_FILEXFER_ATTR_EXTENDED 0x80000000u

#define LY_SFTP_PACKET_MAX (256u * 1024) /* OpenSSH's limit on a packet's length field */
#define LY_SFTP_HANDLE_MAX 256u
#define LY_SFTP_PATH_MAX 65536u

#endif
