/* Lets a program's file operations under one directory fail, and its clock jump. Loaded by LD_PRELOAD.
 *
 * SHIM_DIR    the directory, as an absolute path without a slash at its end
 * SHIM_FAULT  what goes wrong: eio (any operation), enospc (one that takes room), sync (a sync gives EIO),
 *             short (a read or a write does half of what it should), kill (the program is killed before an operation that
 *             changes something), power (the same, and every file loses all of it that was written and not synced)
 * SHIM_AT     which operation goes wrong, counted from 1 over those to which that can happen
 * SHIM_TALLY  a file for what went wrong and, at the program's end, `total N`: how many operations there were
 * SHIM_CLOCK  if set, the wall clock jumps by days and hours, back and forth; the monotonic one stays as it is
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum { FDS = 1 << 16 };
enum kind { OPEN, MAKE, READ, WRITE, ROOM, SYNC, OTHER };

static const char *dir, *fault, *tally;
static long at;
static int clock_jumps;
static atomic_long operations, readings;
static atomic_char tracked[FDS];

#define REAL(result, name, ...) \
    static result (*real)(__VA_ARGS__); \
    if (!real) real = (result (*)(__VA_ARGS__))dlsym(RTLD_NEXT, name)

__attribute__((constructor)) static void begin(void) {
    dir = getenv("SHIM_DIR");
    fault = getenv("SHIM_FAULT");
    tally = getenv("SHIM_TALLY");
    at = getenv("SHIM_AT") ? atol(getenv("SHIM_AT")) : 0;
    clock_jumps = getenv("SHIM_CLOCK") != NULL;
}

static void note(const char *what, const char *path, long number) {
    if (!tally) return;
    FILE *file = fopen(tally, "a");
    if (!file) return;
    fprintf(file, "%s %s %ld\n", what, path, number);
    fclose(file);
}

__attribute__((destructor)) static void end(void) { note("total", "-", atomic_load(&operations)); }

static int is_deadly(void) { return fault && (!strcmp(fault, "kill") || !strcmp(fault, "power")); }

static int can_fail(enum kind kind) {
    if (!dir || !fault) return 0;
    if (!strcmp(fault, "enospc")) return kind == MAKE || kind == WRITE || kind == ROOM || kind == SYNC;
    if (!strcmp(fault, "sync")) return kind == SYNC;
    if (!strcmp(fault, "short")) return kind == READ || kind == WRITE;
    if (is_deadly()) return kind != OPEN && kind != READ;
    return 1;
}

/* Files that were written and not synced since, by a descriptor of our own: theirs may be closed by then. */
static struct { dev_t dev; ino_t ino; int fd; } unsynced[FDS];
static int unsynced_count;
static pthread_mutex_t unsynced_lock = PTHREAD_MUTEX_INITIALIZER;

static void note_change(int fd, int is_synced) {
    struct stat file;
    if (!fault || strcmp(fault, "power") || fstat(fd, &file) || !S_ISREG(file.st_mode)) return;
    pthread_mutex_lock(&unsynced_lock);
    int at = 0;
    while (at < unsynced_count && (unsynced[at].dev != file.st_dev || unsynced[at].ino != file.st_ino)) at++;
    if (is_synced && at < unsynced_count) {
        close(unsynced[at].fd);
        unsynced[at] = unsynced[--unsynced_count];
    } else if (!is_synced && at == unsynced_count && at < FDS) {
        unsynced[at].dev = file.st_dev;
        unsynced[at].ino = file.st_ino;
        unsynced[at].fd = fcntl(fd, F_DUPFD, 0);
        unsynced_count++;
    }
    pthread_mutex_unlock(&unsynced_lock);
}

static void die(void) {
    pthread_mutex_lock(&unsynced_lock);
    for (int at = 0; at < unsynced_count; at++) {
        if (syscall(SYS_ftruncate, unsynced[at].fd, 0)) continue;
    }
    raise(SIGKILL);
}

/* Counts an operation; whether it is the one that goes wrong. */
static int is_its_turn(enum kind kind) { return can_fail(kind) && atomic_fetch_add(&operations, 1) + 1 == at; }

static int fails(enum kind kind, const char *name, const char *path) {
    if (!is_its_turn(kind)) return 0;
    note(name, path, at);
    if (is_deadly()) die();
    errno = strcmp(fault, "enospc") ? EIO : ENOSPC;
    return 1;
}

static int is_short(void) { return fault && !strcmp(fault, "short"); }

static int is_inside(const char *path) {
    size_t length = dir ? strlen(dir) : 0;
    return length && !strncmp(path, dir, length) && (path[length] == '/' || !path[length]);
}

static int is_tracked(int fd) { return fd >= 0 && fd < FDS && tracked[fd]; }

static int fails_at_fd(enum kind kind, const char *name, int fd) {
    char link[64], path[4096];
    if (!is_tracked(fd) || !is_its_turn(kind)) return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    path[length < 0 ? 0 : length] = 0;
    note(name, path, at);
    if (is_deadly()) die();
    errno = strcmp(fault, "enospc") ? EIO : ENOSPC;
    return 1;
}

static int track(int fd, int inside) {
    if (fd >= 0 && fd < FDS) tracked[fd] = inside;
    return fd;
}

#define OPEN_AS(symbol, signature, before, inside_of, arguments) \
    int symbol signature { \
        mode_t mode = 0; \
        if (flags & (O_CREAT | O_TMPFILE)) { \
            va_list list; \
            va_start(list, flags); \
            mode = va_arg(list, mode_t); \
            va_end(list); \
        } \
        before; \
        int inside = inside_of; \
        if (inside && fails(flags & O_CREAT ? MAKE : OPEN, "open", path)) return -1; \
        return track(real arguments, inside); \
    }

#define PATH_INSIDE is_inside(path)
#define AT_INSIDE (path[0] == '/' || at_fd == AT_FDCWD ? is_inside(path) : is_tracked(at_fd))
OPEN_AS(open, (const char *path, int flags, ...), REAL(int, "open", const char *, int, ...), PATH_INSIDE, (path, flags, mode))
OPEN_AS(open64, (const char *path, int flags, ...), REAL(int, "open64", const char *, int, ...), PATH_INSIDE, (path, flags, mode))
OPEN_AS(openat, (int at_fd, const char *path, int flags, ...), REAL(int, "openat", int, const char *, int, ...), AT_INSIDE, (at_fd, path, flags, mode))
OPEN_AS(openat64, (int at_fd, const char *path, int flags, ...), REAL(int, "openat64", int, const char *, int, ...), AT_INSIDE, (at_fd, path, flags, mode))

int close(int fd) {
    REAL(int, "close", int);
    track(fd, 0);
    return real(fd);
}

/* A short operation does half, but never nothing: that would be the file's end. */
#define TRANSFER(symbol, kind, parameters, types, arguments_whole, arguments_half) \
    ssize_t symbol parameters { \
        REAL(ssize_t, #symbol, types); \
        if (!fails_at_fd(kind, #symbol, fd)) { \
            if (kind == WRITE && is_tracked(fd)) note_change(fd, 0); \
            return real arguments_whole; \
        } \
        if (is_short() && count > 1) return real arguments_half; \
        return is_short() ? real arguments_whole : -1; \
    }
#define TYPES(...) __VA_ARGS__
TRANSFER(read, READ, (int fd, void *to, size_t count), TYPES(int, void *, size_t), (fd, to, count), (fd, to, count / 2))
TRANSFER(pread, READ, (int fd, void *to, size_t count, off_t from), TYPES(int, void *, size_t, off_t), (fd, to, count, from), (fd, to, count / 2, from))
TRANSFER(pread64, READ, (int fd, void *to, size_t count, off64_t from), TYPES(int, void *, size_t, off64_t), (fd, to, count, from), (fd, to, count / 2, from))
TRANSFER(write, WRITE, (int fd, const void *from, size_t count), TYPES(int, const void *, size_t), (fd, from, count), (fd, from, count / 2))
TRANSFER(pwrite, WRITE, (int fd, const void *from, size_t count, off_t to), TYPES(int, const void *, size_t, off_t), (fd, from, count, to), (fd, from, count / 2, to))
TRANSFER(pwrite64, WRITE, (int fd, const void *from, size_t count, off64_t to), TYPES(int, const void *, size_t, off64_t), (fd, from, count, to), (fd, from, count / 2, to))

#define ON_FD(symbol, kind, parameters, types, arguments) \
    int symbol parameters { \
        REAL(int, #symbol, types); \
        if (fails_at_fd(kind, #symbol, fd)) return -1; \
        int result = real arguments; \
        if (is_tracked(fd) && !result) note_change(fd, kind == SYNC); \
        return result; \
    }
ON_FD(fsync, SYNC, (int fd), int, (fd))
ON_FD(fdatasync, SYNC, (int fd), int, (fd))
ON_FD(ftruncate, ROOM, (int fd, off_t length), TYPES(int, off_t), (fd, length))
ON_FD(ftruncate64, ROOM, (int fd, off64_t length), TYPES(int, off64_t), (fd, length))

#define ON_PATH(symbol, kind, parameters, types, arguments) \
    int symbol parameters { \
        REAL(int, #symbol, types); \
        return is_inside(path) && fails(kind, #symbol, path) ? -1 : real arguments; \
    }
ON_PATH(rename, ROOM, (const char *from, const char *path), TYPES(const char *, const char *), (from, path))
ON_PATH(mkdir, ROOM, (const char *path, mode_t mode), TYPES(const char *, mode_t), (path, mode))
ON_PATH(unlink, OTHER, (const char *path), const char *, (path))
ON_PATH(rmdir, OTHER, (const char *path), const char *, (path))

int unlinkat(int at_fd, const char *path, int flags) {
    REAL(int, "unlinkat", int, const char *, int);
    return AT_INSIDE && fails(OTHER, "unlinkat", path) ? -1 : real(at_fd, path, flags);
}

int clock_gettime(clockid_t clock, struct timespec *now) {
    static const long jumps[] = {0, 3 * 86400, -2 * 86400, 3600, -30 * 86400, 365 * 86400};
    REAL(int, "clock_gettime", clockid_t, struct timespec *);
    int result = real(clock, now);
    if (clock_jumps && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) {
        /* Every few readings, so that some follow each other on either side. */
        now->tv_sec += jumps[atomic_fetch_add(&readings, 1) / 3 % 6];
    }
    return result;
}
