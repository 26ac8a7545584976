// Power cut for one process, without a virtual machine.
//
// Preloaded into a server, this library watches every regular file under POWERCUT_DIR. It keeps, per
// file and outside that directory, the old bytes of each write since the file's last successful
// fsync. After a SIGKILL the page cache still holds everything; the `rollback` tool then takes a
// random part of what was never synced back to its old bytes, sector by sector, which is what a
// power cut may leave on a disk. Names (create, unlink, rename) are journaled alike.
//
//   POWERCUT_DIR     directory to watch, absolute, without symbolic links
//   POWERCUT_SIDE    directory for the undo logs, on the same file system; unset: only count
//   POWERCUT_COUNTS  file of counters, mapped shared, so that they outlive a SIGKILL
//
// Not modelled, because the store does not use them for what must survive: writable shared mappings
// (SQLite's -shm file, which the rollback deletes), fallocate, and I/O by raw system calls. A shared
// writable mapping of any other watched file ends the process, so that no hole stays unnoticed.
//
// A file's log starts anew at each sync that had no write beside it. The order "log, then write" and
// "sync, then mark" makes a SIGKILL between the two harmless: the undo of a write that never
// happened changes nothing, and a sync that never returned was promised to nobody.

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#undef open
#undef open64
#undef openat
#undef openat64
#undef creat
#undef creat64
#undef pwrite
#undef pwrite64
#undef pwritev
#undef pwritev64
#undef ftruncate
#undef ftruncate64
#undef fcntl
#undef fcntl64
#undef mmap
#undef mmap64

enum { FDS_MAX = 65536, FILES_MAX = 4096 };
enum { KIND_WRITE = 1, KIND_SIZE = 2, KIND_SYNCED = 3 };
enum { NAME_CREATE = 1, NAME_UNLINK = 2, NAME_RENAME = 3, NAME_DIRSYNC = 4, NAME_FILESYNC = 5 };

static const uint32_t MAGIC = 0x4f444e55; // "UNDO"

// One record of a file's undo log; `old_len` old bytes follow.
struct record {
    uint32_t magic;
    uint32_t kind;
    uint64_t offset;      // of the write; for KIND_SYNCED: the log position that is durable
    uint64_t len;         // bytes written
    uint64_t size_before; // of the file
    uint64_t old_len;
};

// Shared with the campaign; order and width are part of its reader.
struct counts {
    uint64_t syncs;         // fsync and fdatasync that succeeded on watched files
    uint64_t writes;        // writes to watched files
    uint64_t bytes;         // bytes of those
    uint64_t fail_syncs;    // set by the campaign: syncs answer EIO
    uint64_t fail_space;    // set by the campaign: growing writes answer ENOSPC
    uint64_t syncs_failed;  // answered EIO
    uint64_t hold_syncs;    // set by the campaign: syncs wait until it is cleared
    uint64_t syncs_held;    // began to wait
};

struct file {
    dev_t dev;
    ino_t ino;
    int undo_fd;
    uint64_t undo_len; // length of the undo log
    uint64_t head_len; // length of its header
    uint64_t cuts;     // how often the log was cut: positions from before a cut mean nothing
    pthread_mutex_t lock;
};

static char watch_dir[PATH_MAX];
static size_t watch_len;
static char side_dir[PATH_MAX];
static struct counts *counts;
static struct counts counts_here;
static struct file files[FILES_MAX];
static unsigned n_files;
static struct file *by_fd[FDS_MAX];
static char *dir_by_fd[FDS_MAX];
static pthread_mutex_t table_lock = PTHREAD_MUTEX_INITIALIZER;
static int names_fd = -1;
static uint64_t saved_next;

#define REAL(ret, name, ...) static ret (*real_##name)(__VA_ARGS__)
REAL(int, openat, int, const char *, int, ...);
REAL(int, close, int);
REAL(ssize_t, write, int, const void *, size_t);
REAL(ssize_t, writev, int, const struct iovec *, int);
REAL(ssize_t, pwrite, int, const void *, size_t, off_t);
REAL(ssize_t, pwritev, int, const struct iovec *, int, off_t);
REAL(int, fsync, int);
REAL(int, fdatasync, int);
REAL(int, ftruncate, int, off_t);
REAL(int, unlinkat, int, const char *, int);
REAL(int, renameat, int, const char *, int, const char *);
REAL(int, fcntl, int, int, ...);
REAL(void *, mmap, void *, size_t, int, int, int, off_t);

static void die(const char *why) {
    static const char head[] = "powercut: ";
    if (real_write) {
        (void)!real_write(2, head, sizeof head - 1);
        (void)!real_write(2, why, strlen(why));
        (void)!real_write(2, "\n", 1);
    }
    _exit(86);
}

static void resolve(void) {
    real_openat = dlsym(RTLD_NEXT, "openat");
    real_close = dlsym(RTLD_NEXT, "close");
    real_write = dlsym(RTLD_NEXT, "write");
    real_writev = dlsym(RTLD_NEXT, "writev");
    real_pwrite = dlsym(RTLD_NEXT, "pwrite64");
    real_pwritev = dlsym(RTLD_NEXT, "pwritev64");
    real_fsync = dlsym(RTLD_NEXT, "fsync");
    real_fdatasync = dlsym(RTLD_NEXT, "fdatasync");
    real_ftruncate = dlsym(RTLD_NEXT, "ftruncate64");
    real_unlinkat = dlsym(RTLD_NEXT, "unlinkat");
    real_renameat = dlsym(RTLD_NEXT, "renameat");
    real_fcntl = dlsym(RTLD_NEXT, "fcntl64");
    real_mmap = dlsym(RTLD_NEXT, "mmap64");
}

__attribute__((constructor)) static void start(void) {
    resolve();
    counts = &counts_here;
    const char *dir = getenv("POWERCUT_DIR");
    if (!dir || !*dir) return;
    const char *side = getenv("POWERCUT_SIDE");
    const char *path = getenv("POWERCUT_COUNTS");
    if (strlen(dir) >= sizeof watch_dir - 1) die("POWERCUT_DIR is too long");
    strcpy(watch_dir, dir);
    watch_len = strlen(watch_dir);
    while (watch_len > 1 && watch_dir[watch_len - 1] == '/') watch_dir[--watch_len] = 0;
    if (path && *path) {
        int fd = real_openat(AT_FDCWD, path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
        if (fd < 0 || real_ftruncate(fd, sizeof(struct counts)) != 0) die("cannot open POWERCUT_COUNTS");
        counts = real_mmap(NULL, sizeof(struct counts), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        if (counts == MAP_FAILED) die("cannot map POWERCUT_COUNTS");
        real_close(fd);
    }
    if (side && *side) {
        if (strlen(side) >= sizeof side_dir - 64) die("POWERCUT_SIDE is too long");
        strcpy(side_dir, side);
        char names[PATH_MAX + 16];
        snprintf(names, sizeof names, "%s/names", side_dir);
        names_fd = real_openat(AT_FDCWD, names, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
        if (names_fd < 0) die("cannot open the log of names in POWERCUT_SIDE");
    }
}

// The library's constructor may run after another one that already does I/O.
static inline void ready(void) {
    if (!real_mmap) resolve();
    if (!counts) counts = &counts_here;
}

static void bump(uint64_t *counter, uint64_t by) { __atomic_fetch_add(counter, by, __ATOMIC_SEQ_CST); }

static int journaling(void) { return side_dir[0] != 0; }

// Writes the absolute path of (dirfd, path) into `out`; false when it is not under the watched
// directory. Links inside the directory are not resolved: the server makes none.
static int watched(int dirfd, const char *path, char *out) {
    if (!watch_len || !path) return 0;
    if (path[0] == '/') {
        if (strlen(path) >= PATH_MAX) return 0;
        strcpy(out, path);
    } else {
        char base[PATH_MAX];
        if (dirfd == AT_FDCWD) {
            if (!getcwd(base, sizeof base)) return 0;
        } else {
            char link[64];
            snprintf(link, sizeof link, "/proc/self/fd/%d", dirfd);
            ssize_t n = readlink(link, base, sizeof base - 1);
            if (n <= 0) return 0;
            base[n] = 0;
        }
        while (path[0] == '.' && path[1] == '/') path += 2;
        size_t base_len = strlen(base), path_len = strlen(path);
        if (base_len + path_len + 2 > PATH_MAX) return 0;
        memcpy(out, base, base_len);
        out[base_len] = '/';
        memcpy(out + base_len + 1, path, path_len + 1);
    }
    return strncmp(out, watch_dir, watch_len) == 0 && (out[watch_len] == '/' || !out[watch_len]);
}

static int ends_with(const char *text, const char *tail) {
    size_t a = strlen(text), b = strlen(tail);
    return a >= b && strcmp(text + a - b, tail) == 0;
}

// --- names -------------------------------------------------------------------------------------

static void append_all(int fd, struct iovec *parts, int n, const char *what) {
    size_t want = 0;
    for (int i = 0; i < n; i++) want += parts[i].iov_len;
    ssize_t done = real_writev(fd, parts, n);
    if (done < 0 || (size_t)done != want) die(what);
}

// One record: magic, kind, inode, length of either path, then the paths. One write: a SIGKILL leaves
// a whole record or a torn last one, which the reader drops.
static void log_name(uint32_t kind, uint64_t ino, uint64_t saved, const char *from, const char *to) {
    if (names_fd < 0) return;
    struct {
        uint32_t magic, kind;
        uint64_t ino, saved;
        uint32_t from_len, to_len;
    } head = {MAGIC, kind, ino, saved, (uint32_t)strlen(from), to ? (uint32_t)strlen(to) : 0};
    struct iovec parts[3] = {
        {&head, sizeof head}, {(void *)from, head.from_len}, {(void *)(to ? to : ""), head.to_len}};
    append_all(names_fd, parts, 3, "cannot append to the log of names");
}

// Keeps the inode of a name that is about to go; returns the number it is kept under, 0 for none.
static uint64_t save(const char *path) {
    if (!journaling()) return 0;
    uint64_t number = __atomic_add_fetch(&saved_next, 1, __ATOMIC_SEQ_CST);
    char kept[PATH_MAX + 64];
    snprintf(kept, sizeof kept, "%s/saved-%llu", side_dir, (unsigned long long)number);
    return linkat(AT_FDCWD, path, AT_FDCWD, kept, 0) == 0 ? number : 0;
}

// --- files -------------------------------------------------------------------------------------

static struct file *track(int fd, const char *path) {
    struct stat st;
    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) return NULL;
    pthread_mutex_lock(&table_lock);
    struct file *found = NULL;
    for (unsigned i = 0; i < n_files; i++)
        if (files[i].dev == st.st_dev && files[i].ino == st.st_ino) found = &files[i];
    if (!found) {
        if (n_files == FILES_MAX) die("too many watched files");
        found = &files[n_files];
        found->dev = st.st_dev;
        found->ino = st.st_ino;
        found->undo_fd = -1;
        pthread_mutex_init(&found->lock, NULL);
        if (journaling()) {
            char undo[PATH_MAX + 64];
            snprintf(undo, sizeof undo, "%s/%u.undo", side_dir, n_files);
            found->undo_fd = real_openat(AT_FDCWD, undo, O_RDWR | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600);
            if (found->undo_fd < 0) die("cannot open an undo log");
            struct {
                uint32_t magic, path_len;
                uint64_t ino;
            } head = {MAGIC, (uint32_t)strlen(path), st.st_ino};
            struct iovec parts[2] = {{&head, sizeof head}, {(void *)path, head.path_len}};
            append_all(found->undo_fd, parts, 2, "cannot start an undo log");
            found->head_len = found->undo_len = sizeof head + head.path_len;
        }
        n_files++;
    }
    pthread_mutex_unlock(&table_lock);
    return found;
}

static struct file *of(int fd) {
    if (fd < 0 || fd >= FDS_MAX) return NULL;
    struct file *file = __atomic_load_n(&by_fd[fd], __ATOMIC_ACQUIRE);
    if (!file) return NULL;
    // The number may have been closed behind our back and given to something else.
    struct stat st;
    if (fstat(fd, &st) == 0 && st.st_dev == file->dev && st.st_ino == file->ino) return file;
    __atomic_store_n(&by_fd[fd], NULL, __ATOMIC_RELEASE);
    return NULL;
}

static void remember(int fd, struct file *file) {
    if (fd < 0) return;
    if (fd >= FDS_MAX) die("file descriptor out of range");
    __atomic_store_n(&by_fd[fd], file, __ATOMIC_RELEASE);
}

static uint64_t size_of(int fd) {
    struct stat st;
    return fstat(fd, &st) == 0 ? (uint64_t)st.st_size : 0;
}

// Keeps the old bytes of [offset, offset + len) and the size. The caller holds the file's lock.
static void keep(struct file *file, int fd, uint32_t kind, uint64_t offset, uint64_t len) {
    if (file->undo_fd < 0) return;
    uint64_t size = size_of(fd);
    uint64_t end = kind == KIND_SIZE ? size : offset + len;
    if (end > size) end = size;
    uint64_t old_len = end > offset ? end - offset : 0;
    struct record head = {MAGIC, kind, offset, len, size, old_len};
    char *old = NULL;
    if (old_len) {
        old = malloc(old_len);
        if (!old) die("no memory for old bytes");
        for (uint64_t done = 0; done < old_len;) {
            ssize_t n = pread(fd, old + done, old_len - done, (off_t)(offset + done));
            if (n <= 0) die("cannot read the old bytes of a write");
            done += (uint64_t)n;
        }
    }
    struct iovec parts[2] = {{&head, sizeof head}, {old, old_len}};
    append_all(file->undo_fd, parts, 2, "cannot append to an undo log");
    file->undo_len += sizeof head + old_len;
    free(old);
}

static int no_space(int fd, uint64_t offset, uint64_t len) {
    return __atomic_load_n(&counts->fail_space, __ATOMIC_SEQ_CST) && offset + len > size_of(fd);
}

static uint64_t total(const struct iovec *parts, int n) {
    uint64_t len = 0;
    for (int i = 0; i < n; i++) len += parts[i].iov_len;
    return len;
}

static uint64_t position(int fd) {
    int flags = real_fcntl(fd, F_GETFL);
    if (flags >= 0 && (flags & O_APPEND)) return size_of(fd);
    off_t at = lseek(fd, 0, SEEK_CUR);
    return at < 0 ? 0 : (uint64_t)at;
}

#define WATCHED_WRITE(file, fd, offset, len, call)                    \
    do {                                                              \
        pthread_mutex_lock(&(file)->lock);                            \
        uint64_t at_ = (offset), len_ = (len);                        \
        if (no_space(fd, at_, len_)) {                                \
            pthread_mutex_unlock(&(file)->lock);                      \
            errno = ENOSPC;                                           \
            return -1;                                                \
        }                                                             \
        keep(file, fd, KIND_WRITE, at_, len_);                        \
        ssize_t done_ = (call);                                       \
        int error_ = errno;                                           \
        pthread_mutex_unlock(&(file)->lock);                          \
        bump(&counts->writes, 1);                                     \
        bump(&counts->bytes, len_);                                   \
        errno = error_;                                               \
        return done_;                                                 \
    } while (0)

ssize_t write(int fd, const void *bytes, size_t len) {
    ready();
    struct file *file = of(fd);
    if (!file) return real_write(fd, bytes, len);
    WATCHED_WRITE(file, fd, position(fd), len, real_write(fd, bytes, len));
}

ssize_t writev(int fd, const struct iovec *parts, int n) {
    ready();
    struct file *file = of(fd);
    if (!file) return real_writev(fd, parts, n);
    WATCHED_WRITE(file, fd, position(fd), total(parts, n), real_writev(fd, parts, n));
}

ssize_t pwrite64(int fd, const void *bytes, size_t len, off64_t offset) {
    ready();
    struct file *file = of(fd);
    if (!file) return real_pwrite(fd, bytes, len, offset);
    WATCHED_WRITE(file, fd, (uint64_t)offset, len, real_pwrite(fd, bytes, len, offset));
}

ssize_t pwrite(int fd, const void *bytes, size_t len, off_t offset) { return pwrite64(fd, bytes, len, offset); }

ssize_t pwritev64(int fd, const struct iovec *parts, int n, off64_t offset) {
    ready();
    struct file *file = of(fd);
    if (!file) return real_pwritev(fd, parts, n, offset);
    WATCHED_WRITE(file, fd, (uint64_t)offset, total(parts, n), real_pwritev(fd, parts, n, offset));
}

ssize_t pwritev(int fd, const struct iovec *parts, int n, off_t offset) { return pwritev64(fd, parts, n, offset); }

int ftruncate64(int fd, off64_t len) {
    ready();
    struct file *file = of(fd);
    if (!file) return real_ftruncate(fd, len);
    pthread_mutex_lock(&file->lock);
    if ((uint64_t)len > size_of(fd)) {
        keep(file, fd, KIND_WRITE, size_of(fd), (uint64_t)len - size_of(fd));
    } else {
        keep(file, fd, KIND_SIZE, (uint64_t)len, 0);
    }
    int rc = real_ftruncate(fd, len);
    int error = errno;
    pthread_mutex_unlock(&file->lock);
    errno = error;
    return rc;
}

int ftruncate(int fd, off_t len) { return ftruncate64(fd, len); }

// --- sync --------------------------------------------------------------------------------------

static int synced(int fd, int (*real)(int)) {
    struct file *file = of(fd);
    if (!file) {
        int rc = real(fd);
        if (rc == 0 && fd >= 0 && fd < FDS_MAX && dir_by_fd[fd]) {
            log_name(NAME_DIRSYNC, 0, 0, dir_by_fd[fd], NULL);
        }
        return rc;
    }
    if (__atomic_load_n(&counts->fail_syncs, __ATOMIC_SEQ_CST)) {
        bump(&counts->syncs_failed, 1);
        errno = EIO;
        return -1;
    }
    if (__atomic_load_n(&counts->hold_syncs, __ATOMIC_SEQ_CST)) {
        bump(&counts->syncs_held, 1);
        while (__atomic_load_n(&counts->hold_syncs, __ATOMIC_SEQ_CST)) usleep(1000);
    }
    pthread_mutex_lock(&file->lock);
    uint64_t mark = file->undo_len;
    uint64_t cuts = file->cuts;
    pthread_mutex_unlock(&file->lock);
    int rc = real(fd);
    int error = errno;
    if (rc == 0) {
        pthread_mutex_lock(&file->lock);
        // After a cut by a sync beside this one, everything below the mark is durable already.
        if (file->undo_fd >= 0 && cuts == file->cuts) {
            if (mark == file->undo_len) {
                if (mark > file->head_len && real_ftruncate(file->undo_fd, (off_t)file->head_len) != 0)
                    die("cannot cut an undo log");
                file->undo_len = file->head_len;
                file->cuts++;
            } else {
                struct record head = {MAGIC, KIND_SYNCED, mark, 0, 0, 0};
                struct iovec part = {&head, sizeof head};
                append_all(file->undo_fd, &part, 1, "cannot mark a sync");
                file->undo_len += sizeof head;
            }
        }
        pthread_mutex_unlock(&file->lock);
        // As on ext4 and XFS, syncing a file makes its creation durable too.
        log_name(NAME_FILESYNC, file->ino, 0, "", NULL);
        bump(&counts->syncs, 1);
    }
    errno = error;
    return rc;
}

int fsync(int fd) {
    ready();
    return synced(fd, real_fsync);
}

int fdatasync(int fd) {
    ready();
    return synced(fd, real_fdatasync);
}

// --- open and close ----------------------------------------------------------------------------

static int open_any(int dirfd, const char *path, int flags, mode_t mode) {
    ready();
    char full[PATH_MAX];
    if (!watched(dirfd, path, full) || (flags & O_PATH) || ends_with(full, "-shm")) {
        int fd = real_openat(dirfd, path, flags, mode);
        if (fd >= 0 && fd < FDS_MAX) {
            __atomic_store_n(&by_fd[fd], NULL, __ATOMIC_RELEASE);
            dir_by_fd[fd] = NULL;
        }
        return fd;
    }
    struct stat before;
    int existed = fstatat(dirfd, path, &before, 0) == 0;
    int writable = (flags & O_ACCMODE) != O_RDONLY;
    int cut = existed && writable && (flags & O_TRUNC);
    int as = flags;
    // Old bytes are read through the same descriptor: another one would drop the file's locks.
    if ((flags & O_ACCMODE) == O_WRONLY) as = (flags & ~O_ACCMODE) | O_RDWR;
    if (cut) as &= ~O_TRUNC;
    int fd = real_openat(dirfd, path, as, mode);
    if (fd < 0 || fd >= FDS_MAX) return fd;
    __atomic_store_n(&by_fd[fd], NULL, __ATOMIC_RELEASE);
    dir_by_fd[fd] = NULL;
    struct stat st;
    if (fstat(fd, &st) != 0) return fd;
    if (S_ISDIR(st.st_mode)) {
        // Kept for the life of the process: a handful of directories.
        dir_by_fd[fd] = strdup(full);
        return fd;
    }
    if (!S_ISREG(st.st_mode)) return fd;
    if (!existed) log_name(NAME_CREATE, st.st_ino, 0, full, NULL);
    if (writable) {
        remember(fd, track(fd, full));
        if (cut && ftruncate64(fd, 0) != 0) {
            int error = errno;
            real_close(fd);
            errno = error;
            return -1;
        }
    }
    return fd;
}

#define MODE(flags, last)                           \
    mode_t mode = 0;                                \
    if ((flags) & (O_CREAT | __O_TMPFILE)) {        \
        va_list args;                               \
        va_start(args, last);                       \
        mode = va_arg(args, mode_t);                \
        va_end(args);                               \
    }

int open(const char *path, int flags, ...) {
    MODE(flags, flags)
    return open_any(AT_FDCWD, path, flags, mode);
}
int open64(const char *path, int flags, ...) {
    MODE(flags, flags)
    return open_any(AT_FDCWD, path, flags | O_LARGEFILE, mode);
}
int openat(int dirfd, const char *path, int flags, ...) {
    MODE(flags, flags)
    return open_any(dirfd, path, flags, mode);
}
int openat64(int dirfd, const char *path, int flags, ...) {
    MODE(flags, flags)
    return open_any(dirfd, path, flags | O_LARGEFILE, mode);
}
int creat(const char *path, mode_t mode) { return open_any(AT_FDCWD, path, O_CREAT | O_WRONLY | O_TRUNC, mode); }
int creat64(const char *path, mode_t mode) { return creat(path, mode); }

int close(int fd) {
    ready();
    if (fd >= 0 && fd < FDS_MAX) {
        __atomic_store_n(&by_fd[fd], NULL, __ATOMIC_RELEASE);
        dir_by_fd[fd] = NULL;
    }
    return real_close(fd);
}

static int fcntl_any(int fd, int cmd, void *arg) {
    ready();
    int rc = real_fcntl(fd, cmd, arg);
    if (rc >= 0 && rc < FDS_MAX && (cmd == F_DUPFD || cmd == F_DUPFD_CLOEXEC)) {
        remember(rc, of(fd));
        dir_by_fd[rc] = fd >= 0 && fd < FDS_MAX ? dir_by_fd[fd] : NULL;
    }
    return rc;
}

#define ARG(last)                   \
    va_list args;                   \
    va_start(args, last);           \
    void *arg = va_arg(args, void *); \
    va_end(args);

int fcntl(int fd, int cmd, ...) {
    ARG(cmd)
    return fcntl_any(fd, cmd, arg);
}
int fcntl64(int fd, int cmd, ...) {
    ARG(cmd)
    return fcntl_any(fd, cmd, arg);
}

void *mmap64(void *at, size_t len, int prot, int flags, int fd, off64_t offset) {
    ready();
    if (watch_len && fd >= 0 && (flags & MAP_SHARED) && (prot & PROT_WRITE) && of(fd))
        die("a watched file is mapped shared and writable: its writes cannot be followed");
    return real_mmap(at, len, prot, flags, fd, offset);
}
void *mmap(void *at, size_t len, int prot, int flags, int fd, off_t offset) {
    return mmap64(at, len, prot, flags, fd, offset);
}

// --- unlink and rename -------------------------------------------------------------------------

int unlinkat(int dirfd, const char *path, int flags) {
    ready();
    char full[PATH_MAX];
    if ((flags & AT_REMOVEDIR) || !watched(dirfd, path, full) || ends_with(full, "-shm"))
        return real_unlinkat(dirfd, path, flags);
    struct stat st;
    uint64_t ino = fstatat(dirfd, path, &st, AT_SYMLINK_NOFOLLOW) == 0 ? st.st_ino : 0;
    uint64_t saved = save(full);
    int rc = real_unlinkat(dirfd, path, flags);
    if (rc == 0 && saved) log_name(NAME_UNLINK, ino, saved, full, NULL);
    return rc;
}
int unlink(const char *path) { return unlinkat(AT_FDCWD, path, 0); }

int renameat(int from_dir, const char *from, int to_dir, const char *to) {
    ready();
    char from_full[PATH_MAX], to_full[PATH_MAX];
    if (!watched(from_dir, from, from_full) || !watched(to_dir, to, to_full))
        return real_renameat(from_dir, from, to_dir, to);
    struct stat st;
    uint64_t ino = fstatat(from_dir, from, &st, AT_SYMLINK_NOFOLLOW) == 0 ? st.st_ino : 0;
    uint64_t saved = save(to_full);
    int rc = real_renameat(from_dir, from, to_dir, to);
    if (rc == 0) log_name(NAME_RENAME, ino, saved, from_full, to_full);
    return rc;
}
int rename(const char *from, const char *to) { return renameat(AT_FDCWD, from, AT_FDCWD, to); }
int renameat2(int from_dir, const char *from, int to_dir, const char *to, unsigned flags) {
    if (flags & ~1u) {
        errno = EINVAL;
        return -1;
    }
    if (flags & 1u && faccessat(to_dir, to, F_OK, 0) == 0) { // RENAME_NOREPLACE
        errno = EEXIST;
        return -1;
    }
    return renameat(from_dir, from, to_dir, to);
}
