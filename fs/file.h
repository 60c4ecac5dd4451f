/* Open files: the server's handle, what is read ahead through it, what was written through it and is not
 * acknowledged. */
#ifndef LY_FS_FILE_H
#define LY_FS_FILE_H

#include "operation.h"

typedef struct Chunk Chunk;
typedef struct WriteRecord WriteRecord;

/* How far to read ahead: decided from the reads alone, without I/O (read-ahead.c). */
typedef struct ReadAhead {
    uint64_t end; /* where the sequential reader is */
    uint32_t hits, misses;
    size_t window;      /* bytes to have asked for beyond it; 0: it reads at random */
    uint64_t cycle_end; /* offset where the window is judged again */
    uint64_t cycle_start, cycle_us;
    bool stalled; /* a read of this cycle had to wait */
} ReadAhead;
enum { READ_AHEAD_FIRST = 256 * 1024, READ_AHEAD_MAX = 64 * 1024 * 1024, READ_AHEAD_EAGER = 64 * 1024 };
/* A read came. True when it goes on where the last ones ended. `trip_us`: the shortest time that a READ took
 * lately. */
bool read_ahead_step(ReadAhead *ahead, uint64_t offset, size_t len, uint64_t now_us, uint64_t trip_us);
/* Its data was not there yet. */
void read_ahead_stalled(ReadAhead *ahead);

/* What the open files of an inode have in common. */
typedef struct OpenFiles {
    LyList files;
    LyList records;      /* WRITEs without answer, in the order in which they were sent */
    uint64_t sent;       /* how many WRITEs were sent ever */
    LyList waiters;      /* operations until what was sent before them is answered (offset: its count) */
    uint64_t size_known; /* at least that long: by our writes; only while `size_grown` */
    bool size_grown;
} OpenFiles;

typedef struct File {
    LyLink link;    /* among the inode's */
    LyLink reading; /* among the mount's files that hold data */
    LyLink merging; /* among the mount's files that hold small writes back */
    Mount *mount;
    Inode *inode; /* counted */
    uint32_t refs;
    uint32_t generation; /* the session of the handle */
    int flags;           /* open(2)'s */
    bool released;
    uint16_t handle_len;
    uint8_t handle[LY_SFTP_HANDLE_MAX];

    ReadAhead ahead;
    LyList chunks;    /* by offset, not overlapping */
    LyList waiting;   /* operations that read */
    uint64_t read_us; /* the last read */
    size_t chunk_count;

    uint8_t *merge; /* small writes put together, not sent yet */
    size_t merge_len;
    uint64_t merge_offset, merge_us;
    int write_error;       /* the first; kept until fsync or flush told it */
    bool write_error_told; /* by a write */
    uint32_t unanswered;   /* WRITEs */
} File;

/* A handle came: `reply->handle` is copied. */
File *file_new(Mount *mount, Inode *inode, int flags, LyBytes handle);
void file_ref(File *file);
void file_unref(File *file);
/* Sends what is held back and CLOSE; the file lives on until its answers came. */
void file_close(File *file);
static inline LyBytes file_handle(const File *file)
{
    return ly_bytes(file->handle, file->handle_len);
}
static inline bool file_is_alive(const File *file)
{
    return file->mount->remote.state == REMOTE_UP && file->generation == file->mount->remote.generation;
}
static inline File *file_of(const struct fuse_file_info *fi)
{
    return (File *)(uintptr_t)fi->fh;
}
/* A file whose handle may stand for the inode's path; NULL when none is open or alive. `writable`: opened for
 * writing. */
File *open_files_any(const Inode *inode, bool writable);
/* The inode's size: the server's, or what our writes made of it. */
uint64_t open_files_size(const Inode *inode, uint64_t server_size);

/* reader.c */
void reader_forget(Inode *inode, uint64_t offset, uint64_t len); /* these bytes are changing */
void reader_close(File *file);                                   /* drops all; reads that wait get EIO */
bool readers_trim(Mount *mount); /* drops what idle files hold; true: there is more */
void reader_free_pool(Mount *mount);

/* writer.c */
void writer_send(Inode *inode); /* sends what is held back; whatever follows on the channel comes behind it */
/* True when all that was written to the inode before is answered. Else the operation is started again when it
 * is so. */
bool writer_wait(Inode *inode, Operation *operation);
int writer_take_error(File *file); /* and forgets it */
/* Both in turn. False: the operation waits, or it has failed with the error that was kept. */
bool writer_settle(Operation *operation);
void writers_init(Mount *mount);
void writers_free(Mount *mount);

#endif
