// faulty_io: preloaded into a server (LD_PRELOAD), it stands between the process and its disk.
//
//   FAULTY_IO_DIRS     directories whose files it watches, absolute, separated by ':'
//   FAULTY_IO_JOURNAL  if set, every change of a watched file or name, and every fsync that
//                      succeeded, is appended there; power_cut.py makes from it what a disk holds
//                      after a power cut
//   FAULTY_IO_CONTROL  if set, a file of struct Control; the test changes it while the server runs,
//                      or, for a kill at a step of its start, before
//
// The page cache keeps what a killed process wrote, so kill -9 alone never loses a byte: only the
// journal tells what was still unsynced. Real calls go through syscall(), so that nothing here
// depends on the order of symbol lookup or allocates memory.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

// Classes of files, as bits of the masks in Control.
enum { kOther = 1, kLog = 2, kEngine = 4, kSnap = 8 };

struct Control {
  _Atomic uint32_t failing_syncs;   // fsync and fdatasync of these classes answer EIO
  _Atomic uint32_t full;            // for these classes the disk has no free block
  _Atomic uint32_t failed_syncs;    // counted here
  _Atomic uint32_t refused_writes;  // counted here
  _Atomic uint32_t hides_full;      // not 0: statvfs shows free space all the same, as quotas do
  _Atomic uint32_t slow_syncs;      // fsync and fdatasync of these classes take longer
  _Atomic uint32_t slow_millis;     // by so much
  _Atomic uint32_t steps;           // changes of files and names, and fsyncs, counted here
  _Atomic uint32_t kill_at;         // SIGKILL in place of the step with this number; 0: never
};

// One journal record: this head, then `bytes` bytes of payload. Little-endian, as the machine is.
struct Head {
  uint32_t operation;
  uint32_t bytes;
  uint64_t inode;
  uint64_t argument;
};

// argument and payload of each operation:
enum {
  kWrite = 1,     // offset; the bytes
  kTruncate = 2,  // new size
  kExtend = 3,    // size that a preallocation reached
  kSync = 4,      // number of the last record that the fsync surely covers, plus one
  kCreate = 5,    // 1: a directory; the path
  kRename = 6,    // the two paths, each ended by a zero byte
  kRemove = 7,    // the path
};

enum { kDescriptorsMax = 65536 };

static char dirs[4][PATH_MAX];
static size_t dirs_count;
static int journal = -1;
static struct Control* control;
static struct Control no_control;
// What is open: 0 not watched, else the class of the file, and which file that is. fclose does not
// come by here, so a number may belong to something else by now.
static unsigned char classes[kDescriptorsMax];
static ino_t inodes[kDescriptorsMax];
// Held while a change is made and recorded: the journal has the order of the disk.
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static uint64_t records;  // written to the journal

static int Class(const char* path) {
  for (size_t i = 0; i < dirs_count; ++i) {
    const size_t length = strlen(dirs[i]);
    if (strncmp(path, dirs[i], length) != 0 || (path[length] != '/' && path[length] != 0)) continue;
    if (strstr(path + length, "/rocksdb") != NULL) return kEngine;
    if (strstr(path + length, ".snap") != NULL) return kSnap;
    if (strstr(path, "wal") != NULL) return kLog;
    return kOther;
  }
  return 0;
}

static int ClassOf(int descriptor) {
  if (descriptor < 0 || descriptor >= kDescriptorsMax || classes[descriptor] == 0) return 0;
  struct stat info;
  if (fstat(descriptor, &info) == 0 && info.st_ino == inodes[descriptor] &&
      (S_ISREG(info.st_mode) || S_ISDIR(info.st_mode))) {
    return classes[descriptor];
  }
  classes[descriptor] = 0;
  return 0;
}

__attribute__((constructor)) static void Begin(void) {
  control = &no_control;
  const char* list = getenv("FAULTY_IO_DIRS");
  while (list != NULL && *list != 0 && dirs_count < 4) {
    const char* end = strchrnul(list, ':');
    const size_t length = (size_t)(end - list);
    if (length < PATH_MAX) memcpy(dirs[dirs_count++], list, length);
    list = *end == 0 ? end : end + 1;
  }
  const char* path = getenv("FAULTY_IO_JOURNAL");
  if (path != NULL) {
    const int flags = O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC;
    journal = (int)syscall(SYS_openat, AT_FDCWD, path, flags, 0600);
    if (journal < 0) abort();
  }
  path = getenv("FAULTY_IO_CONTROL");
  if (path == NULL) return;
  const int file = (int)syscall(SYS_openat, AT_FDCWD, path, O_RDWR | O_CLOEXEC, 0);
  void* mapped = mmap(NULL, sizeof *control, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  if (mapped == MAP_FAILED) abort();
  control = mapped;
}

static void Record(uint32_t operation, uint64_t inode, uint64_t argument, const void* payload,
                   size_t bytes) {
  if (journal < 0) return;
  struct Head head = {operation, (uint32_t)bytes, inode, argument};
  struct iovec parts[2] = {{&head, sizeof head}, {(void*)(uintptr_t)payload, bytes}};
  const long written = syscall(SYS_writev, journal, parts, bytes == 0 ? 1 : 2);
  if (written != (long)(sizeof head + bytes)) abort();
  ++records;
}

// Before each change of a watched file or name, and before each fsync of one.
static void Step(void) {
  const uint32_t number = atomic_fetch_add(&control->steps, 1) + 1;
  if (number != atomic_load(&control->kill_at)) return;
  syscall(SYS_kill, getpid(), SIGKILL);
  while (1) pause();
}

static uint64_t InodeOf(int descriptor) {
  struct stat info;
  return fstat(descriptor, &info) == 0 ? (uint64_t)info.st_ino : 0;
}

static uint64_t SizeOf(int descriptor) {
  struct stat info;
  return fstat(descriptor, &info) == 0 ? (uint64_t)info.st_size : 0;
}

static int IsFull(int class) { return (atomic_load(&control->full) & (uint32_t) class) != 0; }

static int Refuse(void) {
  atomic_fetch_add(&control->refused_writes, 1);
  errno = ENOSPC;
  return -1;
}

// ---- Names

static int OpenWatched(int class, int at, const char* path, int flags, mode_t mode) {
  pthread_mutex_lock(&lock);
  struct stat info;
  const int created = (flags & O_CREAT) != 0 && fstatat(at, path, &info, 0) != 0;
  if (created) Step();
  int result;
  if (created && IsFull(class)) {
    result = Refuse();
  } else {
    result = (int)syscall(SYS_openat, at, path, flags, mode);
  }
  if (result >= 0 && result < kDescriptorsMax) {
    classes[result] = (unsigned char)class;
    inodes[result] = InodeOf(result);
    if (created) {
      Record(kCreate, InodeOf(result), 0, path, strlen(path));
    } else if ((flags & O_TRUNC) != 0) {
      Record(kTruncate, InodeOf(result), 0, NULL, 0);
    }
  }
  pthread_mutex_unlock(&lock);
  return result;
}

static int Open(int at, const char* path, int flags, mode_t mode) {
  const int class = path[0] == '/' ? Class(path) : 0;
  if (class != 0) return OpenWatched(class, at, path, flags, mode);
  const int result = (int)syscall(SYS_openat, at, path, flags, mode);
  if (result >= 0 && result < kDescriptorsMax) classes[result] = 0;
  return result;
}

int open(const char* path, int flags, ...) {
  __builtin_va_list rest;
  __builtin_va_start(rest, flags);
  const mode_t mode = (flags & O_CREAT) != 0 ? (mode_t) __builtin_va_arg(rest, int) : 0;
  __builtin_va_end(rest);
  return Open(AT_FDCWD, path, flags, mode);
}

int openat(int at, const char* path, int flags, ...) {
  __builtin_va_list rest;
  __builtin_va_start(rest, flags);
  const mode_t mode = (flags & O_CREAT) != 0 ? (mode_t) __builtin_va_arg(rest, int) : 0;
  __builtin_va_end(rest);
  return Open(at, path, flags, mode);
}

int close(int descriptor) {
  if (descriptor >= 0 && descriptor < kDescriptorsMax) classes[descriptor] = 0;
  return (int)syscall(SYS_close, descriptor);
}

int rename(const char* from, const char* to) {
  if (Class(from) == 0) return (int)syscall(SYS_rename, from, to);
  char paths[2 * PATH_MAX];
  const size_t from_bytes = strlen(from) + 1;
  memcpy(paths, from, from_bytes);
  memcpy(paths + from_bytes, to, strlen(to) + 1);
  pthread_mutex_lock(&lock);
  Step();
  const int result = (int)syscall(SYS_rename, from, to);
  if (result == 0) Record(kRename, 0, 0, paths, from_bytes + strlen(to) + 1);
  pthread_mutex_unlock(&lock);
  return result;
}

static int Remove(const char* path, int at, int flags) {
  const int class = Class(path);
  pthread_mutex_lock(&lock);
  if (class != 0) Step();
  const int result = (int)syscall(SYS_unlinkat, at, path, flags);
  if (result == 0 && class != 0) Record(kRemove, 0, 0, path, strlen(path));
  pthread_mutex_unlock(&lock);
  return result;
}

int unlink(const char* path) { return Remove(path, AT_FDCWD, 0); }
int rmdir(const char* path) { return Remove(path, AT_FDCWD, AT_REMOVEDIR); }

int mkdir(const char* path, mode_t mode) {
  const int class = Class(path);
  if (class == 0) return (int)syscall(SYS_mkdir, path, mode);
  pthread_mutex_lock(&lock);
  Step();
  const int result = (int)syscall(SYS_mkdir, path, mode);
  struct stat info;
  if (result == 0 && stat(path, &info) == 0) Record(kCreate, info.st_ino, 1, path, strlen(path));
  pthread_mutex_unlock(&lock);
  return result;
}

// ---- Bytes

// With a full disk only blocks that a file has can be written.
static ssize_t WriteWatched(int descriptor, const void* bytes, size_t size, off_t offset) {
  if (IsFull(ClassOf(descriptor)) && (uint64_t)offset + size > SizeOf(descriptor)) return Refuse();
  Step();
  const ssize_t result = syscall(SYS_pwrite64, descriptor, bytes, size, offset);
  if (result > 0) {
    Record(kWrite, InodeOf(descriptor), (uint64_t)offset, bytes, (size_t)result);
  }
  return result;
}

ssize_t pwrite(int descriptor, const void* bytes, size_t size, off_t offset) {
  if (ClassOf(descriptor) == 0) return syscall(SYS_pwrite64, descriptor, bytes, size, offset);
  pthread_mutex_lock(&lock);
  const ssize_t result = WriteWatched(descriptor, bytes, size, offset);
  pthread_mutex_unlock(&lock);
  return result;
}

ssize_t write(int descriptor, const void* bytes, size_t size) {
  if (ClassOf(descriptor) == 0) return syscall(SYS_write, descriptor, bytes, size);
  pthread_mutex_lock(&lock);
  const off_t offset = (off_t)syscall(SYS_lseek, descriptor, 0, SEEK_CUR);
  const ssize_t result = WriteWatched(descriptor, bytes, size, offset);
  if (result > 0) syscall(SYS_lseek, descriptor, offset + result, SEEK_SET);
  pthread_mutex_unlock(&lock);
  return result;
}

int ftruncate(int descriptor, off_t size) {
  if (ClassOf(descriptor) == 0) return (int)syscall(SYS_ftruncate, descriptor, size);
  pthread_mutex_lock(&lock);
  Step();
  const int result = (int)syscall(SYS_ftruncate, descriptor, size);
  if (result == 0) Record(kTruncate, InodeOf(descriptor), (uint64_t)size, NULL, 0);
  pthread_mutex_unlock(&lock);
  return result;
}

int fallocate(int descriptor, int mode, off_t offset, off_t size) {
  if (ClassOf(descriptor) == 0) return (int)syscall(SYS_fallocate, descriptor, mode, offset, size);
  pthread_mutex_lock(&lock);
  const uint64_t end = (uint64_t)offset + (uint64_t)size;
  int result;
  if (IsFull(ClassOf(descriptor)) && end > SizeOf(descriptor)) {
    result = Refuse();
  } else {
    Step();
    result = (int)syscall(SYS_fallocate, descriptor, mode, offset, size);
  }
  // Mode 0 is the only one that grows the file; the others keep its size and its bytes.
  if (result == 0 && mode == 0) Record(kExtend, InodeOf(descriptor), end, NULL, 0);
  pthread_mutex_unlock(&lock);
  return result;
}

int posix_fallocate(int descriptor, off_t offset, off_t size) {
  const int before = errno;
  const int result = fallocate(descriptor, 0, offset, size);
  const int error = errno;
  errno = before;
  return result == 0 ? 0 : error;
}

// ---- Durability

// The mutex is not held during the fsync: what others write meanwhile is not covered by it.
static int Sync(int descriptor, long call) {
  const int class = ClassOf(descriptor);
  if (class == 0) return (int)syscall(call, descriptor);
  if ((atomic_load(&control->slow_syncs) & (uint32_t) class) != 0) {
    const uint32_t millis = atomic_load(&control->slow_millis);
    const struct timespec pause = {millis / 1000, (long)(millis % 1000) * 1000000};
    nanosleep(&pause, NULL);
  }
  if ((atomic_load(&control->failing_syncs) & (uint32_t) class) != 0) {
    atomic_fetch_add(&control->failed_syncs, 1);
    errno = EIO;
    return -1;
  }
  pthread_mutex_lock(&lock);
  Step();
  const uint64_t covered = records;
  pthread_mutex_unlock(&lock);
  const int result = (int)syscall(call, descriptor);
  if (result != 0) return result;
  pthread_mutex_lock(&lock);
  Record(kSync, InodeOf(descriptor), covered, NULL, 0);
  pthread_mutex_unlock(&lock);
  return 0;
}

int fsync(int descriptor) { return Sync(descriptor, SYS_fsync); }
int fdatasync(int descriptor) { return Sync(descriptor, SYS_fdatasync); }

// ---- Free space

int statvfs(const char* path, struct statvfs* info) {
  // The only way to the real one without dlsym: the file system's figures by their own call.
  const int file = (int)syscall(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC, 0);
  if (file < 0) return -1;
  const int result = fstatvfs(file, info);
  syscall(SYS_close, file);
  const int class = Class(path);
  const int hidden = atomic_load(&control->hides_full) != 0;
  if (result == 0 && class != 0 && IsFull(class) && !hidden) info->f_bavail = info->f_bfree = 0;
  return result;
}
