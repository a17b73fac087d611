/* Faults of the operating system, below any program: preloaded before libc (LD_PRELOAD), told what to do by
 * fault_arm() after a fork. Counts the calls of one process, all threads together (strace's inject counts
 * each thread by itself, and needs ptrace, which a container may refuse).
 *
 *   fault_arm("match=PATH;ops=LETTERS;when=N;times=N;error=ERRNO;log=FILE;trace=1;clock=SECONDS;step=SECONDS;
 *              after=N;dns=1")
 *
 * Calls whose path contains `match` and whose letter is among `ops` are counted; those from the `when`-th on,
 * `times` of them, fail with `error` (a number; -1: SIGKILL at the call; -2: half of what is to be written is).
 * Letters: o open a new file, O open one to write, w write, s fsync, r rename, u unlink, t truncate, m mkdir, c chmod,
 * R read. `trace` logs every counted call; a fault that fires is always logged. `clock` is added to the wall
 * clock; after `after` looks at it, `step` is added too. `dns`: no name is found. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

static char match[512], ops[32];
static long when, times = 1, fault, clock_by, clock_step, clock_after;
static int armed, tracing, log_fd = -1, no_names;
static atomic_long seen, looks;

#define REAL(name) static __typeof__(&name) real; if (!real) real = (__typeof__(&name))dlsym(RTLD_NEXT, #name)

static void say(const char *what, char op, const char *path, long count) {
    char line[700];
    int size = snprintf(line, sizeof line, "%s %c %ld %s\n", what, op, count, path);
    if (log_fd >= 0) syscall(SYS_write, log_fd, line, size);
}

void fault_arm(const char *text) {
    char copy[2048];
    snprintf(copy, sizeof copy, "%s", text);
    for (char *part = strtok(copy, ";"); part; part = strtok(NULL, ";")) {
        char *value = strchr(part, '=');
        if (!value) continue;
        *value++ = 0;
        if (!strcmp(part, "match")) snprintf(match, sizeof match, "%s", value);
        else if (!strcmp(part, "ops")) snprintf(ops, sizeof ops, "%s", value);
        else if (!strcmp(part, "when")) when = atol(value);
        else if (!strcmp(part, "times")) times = atol(value);
        else if (!strcmp(part, "error")) fault = atol(value);
        else if (!strcmp(part, "trace")) tracing = 1;
        else if (!strcmp(part, "clock")) clock_by = atol(value);
        else if (!strcmp(part, "step")) clock_step = atol(value);
        else if (!strcmp(part, "after")) clock_after = atol(value);
        else if (!strcmp(part, "dns")) no_names = 1;
        else if (!strcmp(part, "log"))
            log_fd = syscall(SYS_openat, AT_FDCWD, value, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    }
    armed = ops[0] != 0;
}

/* 0: go on. Otherwise the fault: a positive errno, or -2 for a short write. */
static long fires(char op, const char *path) {
    if (!armed || !strchr(ops, op) || !path || !strstr(path, match)) return 0;
    long count = atomic_fetch_add(&seen, 1) + 1;
    if (tracing) say("CALL", op, path, count);
    if (!fault || !when || count < when || count >= when + times) return 0;
    say("FIRED", op, path, count);
    if (fault == -1) {
        syscall(SYS_kill, getpid(), SIGKILL);
        for (;;) pause();
    }
    return fault;
}

static long fires_fd(char op, int fd) {
    if (!armed || !strchr(ops, op)) return 0;
    char link[64], path[512];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t size = readlink(link, path, sizeof path - 1);
    if (size <= 0) return 0;
    path[size] = 0;
    return fires(op, path);
}

#define STOP(code) do { long f_ = (code); if (f_ > 0) { errno = (int)f_; return -1; } } while (0)
#define WRITING(flags) ((flags) & (O_CREAT | O_WRONLY | O_RDWR | O_TRUNC))

static char letter_of(const char *path, int flags) {
    return (flags & O_CREAT) && syscall(SYS_access, path, F_OK) ? 'o' : 'O';
}
static mode_t mode_of(int flags, va_list list) {
    return (flags & (O_CREAT | O_TMPFILE)) ? va_arg(list, mode_t) : 0;
}
#define OPENER(name)                                                                                           \
    int name(const char *path, int flags, ...) {                                                               \
        REAL(name);                                                                                            \
        va_list list; va_start(list, flags); mode_t mode = mode_of(flags, list); va_end(list);                 \
        if (WRITING(flags)) STOP(fires(letter_of(path, flags), path));                                         \
        return real(path, flags, mode);                                                                        \
    }
#define OPENER_AT(name)                                                                                        \
    int name(int at, const char *path, int flags, ...) {                                                       \
        REAL(name);                                                                                            \
        va_list list; va_start(list, flags); mode_t mode = mode_of(flags, list); va_end(list);                 \
        if (WRITING(flags)) STOP(fires(letter_of(path, flags), path));                                         \
        return real(at, path, flags, mode);                                                                    \
    }
OPENER(open)
OPENER(open64)
OPENER_AT(openat)
OPENER_AT(openat64)

static size_t shortened(long code, size_t size) { return code == -2 && size > 1 ? size / 2 : size; }

ssize_t write(int fd, const void *data, size_t size) {
    REAL(write);
    long code = fires_fd('w', fd);
    STOP(code);
    return real(fd, data, shortened(code, size));
}
#define PWRITE(name, offset)                                                                                   \
    ssize_t name(int fd, const void *data, size_t size, offset at) {                                           \
        REAL(name);                                                                                            \
        long code = fires_fd('w', fd);                                                                         \
        STOP(code);                                                                                            \
        return real(fd, data, shortened(code, size), at);                                                      \
    }
PWRITE(pwrite, off_t)
PWRITE(pwrite64, off64_t)
ssize_t writev(int fd, const struct iovec *parts, int count) {
    REAL(writev);
    STOP(fires_fd('w', fd));
    return real(fd, parts, count);
}
ssize_t read(int fd, void *data, size_t size) {
    REAL(read);
    STOP(fires_fd('R', fd));
    return real(fd, data, size);
}
#define PREAD(name, offset)                                                                                    \
    ssize_t name(int fd, void *data, size_t size, offset at) {                                                 \
        REAL(name);                                                                                            \
        STOP(fires_fd('R', fd));                                                                               \
        return real(fd, data, size, at);                                                                       \
    }
PREAD(pread, off_t)
PREAD(pread64, off64_t)
#define ON_FD(name, letter)                                                                                    \
    int name(int fd) { REAL(name); STOP(fires_fd(letter, fd)); return real(fd); }
ON_FD(fsync, 's')
ON_FD(fdatasync, 's')
int ftruncate(int fd, off_t size) { REAL(ftruncate); STOP(fires_fd('t', fd)); return real(fd, size); }
int ftruncate64(int fd, off64_t size) { REAL(ftruncate64); STOP(fires_fd('t', fd)); return real(fd, size); }
int rename(const char *from, const char *to) { REAL(rename); STOP(fires('r', to)); return real(from, to); }
int renameat(int a, const char *from, int b, const char *to) {
    REAL(renameat);
    STOP(fires('r', to));
    return real(a, from, b, to);
}
int unlink(const char *path) { REAL(unlink); STOP(fires('u', path)); return real(path); }
int unlinkat(int at, const char *path, int flags) {
    REAL(unlinkat);
    STOP(fires('u', path));
    return real(at, path, flags);
}
int mkdir(const char *path, mode_t mode) { REAL(mkdir); STOP(fires('m', path)); return real(path, mode); }
int mkdirat(int at, const char *path, mode_t mode) {
    REAL(mkdirat);
    STOP(fires('m', path));
    return real(at, path, mode);
}
int chmod(const char *path, mode_t mode) { REAL(chmod); STOP(fires('c', path)); return real(path, mode); }
int fchmodat(int at, const char *path, mode_t mode, int flags) {
    REAL(fchmodat);
    STOP(fires('c', path));
    return real(at, path, mode, flags);
}

static long offset(void) {
    if (!clock_by && !clock_step) return 0;
    long looked = atomic_fetch_add(&looks, 1) + 1;
    if (looked == 1) say("FIRED", 'k', "clock", looked);
    return clock_by + (clock_step && looked > clock_after ? clock_step : 0);
}
int clock_gettime(clockid_t clock, struct timespec *found) {
    REAL(clock_gettime);
    int code = real(clock, found);
    if (!code && clock == CLOCK_REALTIME) found->tv_sec += offset();
    return code;
}
int gettimeofday(struct timeval *restrict found, void *restrict zone) {
    REAL(gettimeofday);
    int code = real(found, zone);
    if (!code) found->tv_sec += offset();
    return code;
}
time_t time(time_t *into) {
    REAL(time);
    time_t now = real(NULL) + offset();
    if (into) *into = now;
    return now;
}
int getaddrinfo(const char *node, const char *service, const struct addrinfo *hints, struct addrinfo **found) {
    REAL(getaddrinfo);
    if (no_names && node && !(hints && hints->ai_flags & AI_NUMERICHOST)) {
        say("FIRED", 'd', node, 1);
        return EAI_AGAIN;
    }
    return real(node, service, hints, found);
}
