/* Lets a program talk to a modelled drive as if it had a device file of its own.
 *
 * Loaded with LD_PRELOAD; DISCMILL_MMC names device files and sockets: "/dev/sr0=/run/x.sock:/dev/sr1=...".
 * An open of such a file connects to its socket; SG_IO becomes a message, little-endian as the machine is:
 *   hello    u32 flags of open()                              -> u32 errno, 0 if the drive is ours now
 *   command  u32 cdb length, u32 receive, u32 send, cdb[16], data  -> u32 state, u32 sense length, u32 length, sense, data
 * State 0 is good, 2 a check condition; a socket that ends is a drive that is gone.
 */
#define _GNU_SOURCE
#undef _FORTIFY_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/cdrom.h>
#include <pthread.h>
#include <scsi/scsi_ioctl.h>
#include <scsi/sg.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <unistd.h>

enum { DRIVES = 8, FILES = 1024, SR_MAJOR = 11, GET_IDLUN = 0x5382, GET_BUS_NUMBER = 0x5386 }; /* <scsi/scsi.h> of Linux */

static char names[DRIVES][64], sockets[DRIVES][104];
static int drives;
static unsigned char drive_of[FILES]; /* drive + 1 of a descriptor, 0 if it is none of ours */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

__attribute__((constructor)) static void read_environment(void) {
    const char *entry = getenv("DISCMILL_MMC");
    while (entry && *entry && drives < DRIVES &&
           sscanf(entry, "%63[^=]=%103[^:]", names[drives], sockets[drives]) == 2) {
        drives++;
        entry = strchr(entry, ':');
        if (entry) entry++;
    }
}

#define REAL(result, name, ...) \
    static result (*real)(__VA_ARGS__); \
    if (!real) real = (result (*)(__VA_ARGS__))dlsym(RTLD_NEXT, name)

static int find(const char *path) {
    for (int i = 0; path && i < drives; i++)
        if (!strcmp(path, names[i])) return i;
    return -1;
}

static int of(int fd) { return fd >= 0 && fd < FILES ? drive_of[fd] - 1 : -1; }

static int transfer(int fd, void *data, size_t size, int sends) {
    for (char *at = data; size;) {
        ssize_t done = sends ? send(fd, at, size, MSG_NOSIGNAL) : read(fd, at, size);
        if (done < 0 && errno == EINTR) continue;
        if (done <= 0) return errno = ENODEV, -1;
        at += done, size -= done;
    }
    return 0;
}

static int connect_to(int drive, int flags) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    uint32_t hello = flags, answer = 0;
    int fd = socket(AF_UNIX, SOCK_STREAM | (flags & O_CLOEXEC ? SOCK_CLOEXEC : 0), 0);
    strcpy(address.sun_path, sockets[drive]);
    if (fd < 0) return -1;
    if (fd >= FILES || connect(fd, (struct sockaddr *)&address, sizeof address) || transfer(fd, &hello, 4, 1) ||
        transfer(fd, &answer, 4, 0))
        answer = ENXIO;
    if (answer) return close(fd), errno = answer, -1;
    drive_of[fd] = drive + 1;
    return fd;
}

static int scsi(int fd, sg_io_hdr_t *io) {
    int receives = io->dxfer_direction == SG_DXFER_FROM_DEV || io->dxfer_direction == SG_DXFER_TO_FROM_DEV;
    int sends = io->dxfer_direction == SG_DXFER_TO_DEV;
    struct { uint32_t cdb_length, receive, send; unsigned char cdb[16]; } command = {
        io->cmd_len, receives ? io->dxfer_len : 0, sends ? io->dxfer_len : 0, {0}};
    struct { uint32_t state, sense, length; } answer;
    unsigned char sense[64];
    int failed;
    memcpy(command.cdb, io->cmdp, io->cmd_len < 16 ? io->cmd_len : 16);
    pthread_mutex_lock(&lock);
    failed = transfer(fd, &command, sizeof command, 1) || (sends && transfer(fd, io->dxferp, io->dxfer_len, 1)) ||
             transfer(fd, &answer, sizeof answer, 0) || answer.sense > sizeof sense || answer.length > command.receive ||
             transfer(fd, sense, answer.sense, 0) || (answer.length && transfer(fd, io->dxferp, answer.length, 0));
    pthread_mutex_unlock(&lock);
    if (failed) return errno = ENODEV, -1;
    io->status = answer.state;
    io->masked_status = answer.state >> 1;
    io->host_status = io->msg_status = 0;
    io->driver_status = answer.sense ? 8 : 0;
    io->sb_len_wr = answer.sense < io->mx_sb_len ? answer.sense : io->mx_sb_len;
    if (io->sbp) memcpy(io->sbp, sense, io->sb_len_wr);
    io->resid = sends ? 0 : (int)io->dxfer_len - (int)answer.length;
    io->duration = 0;
    io->info = answer.state ? SG_INFO_CHECK : SG_INFO_OK;
    return 0;
}

static int is_ready(int fd) {
    unsigned char cdb[6] = {0}, sense[64] = {0};
    sg_io_hdr_t io = {.interface_id = 'S', .dxfer_direction = SG_DXFER_NONE, .cmd_len = 6, .cmdp = cdb, .sbp = sense,
                      .mx_sb_len = sizeof sense};
    if (scsi(fd, &io)) return -1;
    if (!io.status) return CDS_DISC_OK;
    return sense[12] != 0x3a ? CDS_DRIVE_NOT_READY : sense[13] == 2 ? CDS_TRAY_OPEN : CDS_NO_DISC;
}

int ioctl(int fd, unsigned long request, ...) {
    REAL(int, "ioctl", int, unsigned long, ...);
    va_list rest;
    va_start(rest, request);
    void *argument = va_arg(rest, void *);
    va_end(rest);
    if (of(fd) < 0) return real(fd, request, argument);
    struct sg_scsi_id *id = argument;
    switch ((unsigned)request) {
    case SG_IO: return scsi(fd, argument);
    case SG_GET_VERSION_NUM: return *(int *)argument = 30536, 0;
    case SG_GET_RESERVED_SIZE: return *(int *)argument = 1 << 17, 0;
    case SG_SET_RESERVED_SIZE: case SG_SET_TIMEOUT: return 0;
    case SG_GET_TIMEOUT: return 60 * 100;
    case GET_BUS_NUMBER: return *(int *)argument = of(fd), 0;
    case GET_IDLUN: return ((uint32_t *)argument)[0] = of(fd) << 24, ((uint32_t *)argument)[1] = 0, 0;
    case SG_GET_SCSI_ID: memset(id, 0, sizeof *id); id->host_no = of(fd); id->scsi_type = 5; return 0;
    case CDROM_DRIVE_STATUS: return is_ready(fd);
    case CDROM_MEDIA_CHANGED: return 0;
    default: return errno = ENOTTY, -1;
    }
}

int close(int fd) {
    REAL(int, "close", int);
    if (of(fd) >= 0) drive_of[fd] = 0;
    return real(fd);
}

#define OPEN(name, parameters, path, call) \
    int name parameters { \
        va_list rest; \
        va_start(rest, flags); \
        mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(rest, mode_t) : 0; \
        va_end(rest); \
        return find(path) >= 0 ? connect_to(find(path), flags) : call; \
    }
#define OPENER(name) \
    static int real_##name(const char *path, int flags, mode_t mode) { \
        REAL(int, #name, const char *, int, ...); \
        return real(path, flags, mode); \
    } \
    OPEN(name, (const char *path, int flags, ...), path, real_##name(path, flags, mode))
#define OPENER_AT(name) \
    static int real_##name(int at, const char *path, int flags, mode_t mode) { \
        REAL(int, #name, int, const char *, int, ...); \
        return real(at, path, flags, mode); \
    } \
    OPEN(name, (int at, const char *path, int flags, ...), path, real_##name(at, path, flags, mode))
OPENER(open) OPENER(open64) OPENER_AT(openat) OPENER_AT(openat64)

#define CHECKED_OPENER(name) \
    int name(const char *path, int flags) { \
        REAL(int, #name, const char *, int); \
        return find(path) >= 0 ? connect_to(find(path), flags) : real(path, flags); \
    }
CHECKED_OPENER(__open_2) CHECKED_OPENER(__open64_2)

#define STATUS(name, type, parameters, types, arguments, drive) \
    int name parameters { \
        REAL(int, #name, types); \
        if ((drive) < 0) return real arguments; \
        memset(status, 0, sizeof *status); \
        status->st_mode = S_IFBLK | 0660, status->st_nlink = 1, status->st_blksize = 4096; \
        status->st_rdev = makedev(SR_MAJOR, drive), status->st_ino = 1000 + (drive); \
        return 0; \
    }
#define TYPES(...) __VA_ARGS__
#define STATUSES(suffix, type) \
    STATUS(stat##suffix, type, (const char *path, type *status), TYPES(const char *, type *), (path, status), find(path)) \
    STATUS(lstat##suffix, type, (const char *path, type *status), TYPES(const char *, type *), (path, status), find(path)) \
    STATUS(fstat##suffix, type, (int fd, type *status), TYPES(int, type *), (fd, status), of(fd)) \
    STATUS(fstatat##suffix, type, (int at, const char *path, type *status, int flags), \
           TYPES(int, const char *, type *, int), (at, path, status, flags), find(path)) \
    STATUS(__xstat##suffix, type, (int version, const char *path, type *status), TYPES(int, const char *, type *), \
           (version, path, status), find(path)) \
    STATUS(__lxstat##suffix, type, (int version, const char *path, type *status), TYPES(int, const char *, type *), \
           (version, path, status), find(path)) \
    STATUS(__fxstat##suffix, type, (int version, int fd, type *status), TYPES(int, int, type *), \
           (version, fd, status), of(fd))
STATUSES(, struct stat) STATUSES(64, struct stat64)

int access(const char *path, int mode) {
    REAL(int, "access", const char *, int);
    return find(path) >= 0 ? 0 : real(path, mode);
}
