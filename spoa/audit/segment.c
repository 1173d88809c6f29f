/* Directory and segments; see segment.h for what a commit promises. */
#include "audit/segment.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define DAY_US (INT64_C(86400) * 1000000)
#define LINE_START "{\"v\":1,\"seq\":"

/* audit-20260102T030405Z-000001.jsonl; the number gives the order, since clocks go back. */
static bool segment_number(const char *name, uint64_t *ret)
{
	struct slice s = slice_of(name);
	static const size_t stamp = sizeof("20260102T030405Z-") - 1;

	if (!slice_starts(s, SLICE_LIT("audit-")) ||
	    s.n < sizeof("audit-") - 1 + stamp + sizeof(".jsonl") - 1)
		return false;
	s.p += sizeof("audit-") - 1 + stamp;
	s.n -= sizeof("audit-") - 1 + stamp + sizeof(".jsonl") - 1;
	return s.p[-1] == '-' && strcmp(s.p + s.n, ".jsonl") == 0 && slice_to_u64(s, INT64_MAX, ret);
}

bool audit_line_seq(struct slice line, uint64_t *ret)
{
	struct slice rest = line;
	struct slice digits;

	if (!slice_starts(line, SLICE_LIT(LINE_START)) || line.p[line.n - 1] != '}')
		return false;
	rest.p += sizeof(LINE_START) - 1;
	rest.n -= sizeof(LINE_START) - 1;
	return slice_next(&rest, ',', &digits) && rest.p != NULL && slice_to_u64(digits, INT64_MAX, ret);
}

/* The newest segment older than number `below`. */
static bool find_segment(int dir_fd, uint64_t below, char *ret_name, size_t cap, uint64_t *ret_number)
{
	int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *stream = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *e;
	uint64_t number;

	*ret_number = 0;
	if (stream == NULL) {
		if (fd >= 0)
			(void)close(fd);
		return false;
	}
	while ((e = readdir(stream)) != NULL) {
		if (!segment_number(e->d_name, &number) || number >= below || number <= *ret_number)
			continue;
		if (slice_copy(slice_of(e->d_name), ret_name, cap))
			*ret_number = number;
	}
	(void)closedir(stream);
	return true;
}

/* Finds the last record in the text, which ends with a newline. */
static void read_last(struct slice text, struct audit_tail *ret)
{
	while (text.n > 0) {
		const char *line_end = text.p + text.n - 1;
		const char *before = memrchr(text.p, '\n', text.n - 1);
		const char *line = before == NULL ? text.p : before + 1;
		if (audit_line_seq((struct slice){line, (size_t)(line_end - line)}, &ret->seq))
			return;
		ret->damaged = true;
		text.n = (size_t)(line - text.p);
	}
}

/* Cuts off what is no whole line and reads the last record; an empty segment is removed. */
static bool recover_file(int dir_fd, int fd, const char *name, struct audit_tail *ret)
{
	struct stat st;

	if (fstat(fd, &st) != 0)
		return false;
	if (!S_ISREG(st.st_mode)) {
		errno = EINVAL;
		return false;
	}
	size_t size = (size_t)st.st_size;
	size_t whole = 0;
	if (size > 0) {
		char *map = mmap(NULL, size, PROT_READ, MAP_PRIVATE, fd, 0);
		if (map == MAP_FAILED)
			return false;
		const char *newline = memrchr(map, '\n', size);
		whole = newline == NULL ? 0 : (size_t)(newline - map) + 1;
		read_last((struct slice){map, whole}, ret);
		(void)munmap(map, size);
	}
	if (whole < size) {
		ret->torn = size - whole;
		if (ftruncate(fd, (off_t)whole) != 0 || fdatasync(fd) != 0)
			return false;
	}
	bool news = (ret->torn > 0 || ret->damaged) && ret->segment[0] == '\0';
	if (news && !slice_copy(slice_of(name), ret->segment, sizeof(ret->segment)))
		return false;
	return whole > 0 || (unlinkat(dir_fd, name, 0) == 0 && fsync(dir_fd) == 0);
}

static bool recover(struct audit_dir *dir, struct audit_tail *ret)
{
	uint64_t below = UINT64_MAX;
	uint64_t number;
	char name[sizeof(dir->name)];

	*ret = (struct audit_tail){0};
	for (;;) {
		if (!find_segment(dir->dir_fd, below, name, sizeof(name), &number))
			return false;
		if (number == 0)
			return true;
		if (dir->number == 0)
			dir->number = number;
		int fd = openat(dir->dir_fd, name, O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
		if (fd < 0)
			return false;
		bool ok = recover_file(dir->dir_fd, fd, name, ret);
		int saved = errno;
		(void)close(fd);
		errno = saved;
		if (!ok || ret->seq > 0)
			return ok;
		below = number;
	}
}

/* Nobody else may put files there or take them away. */
static bool private_directory(int fd)
{
	struct stat st;

	if (fstat(fd, &st) != 0)
		return false;
	if ((st.st_mode & S_IWOTH) != 0) {
		errno = EACCES;
		return false;
	}
	return true;
}

bool audit_dir_open(struct audit_dir *dir, const char *path, struct audit_tail *ret)
{
	*dir = (struct audit_dir){.fd = -1};
	dir->dir_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir->dir_fd < 0)
		return false;
	if (private_directory(dir->dir_fd) && flock(dir->dir_fd, LOCK_EX | LOCK_NB) == 0 && recover(dir, ret))
		return true;
	int saved = errno;
	audit_dir_close(dir);
	errno = saved;
	return false;
}

void audit_dir_close(struct audit_dir *dir)
{
	audit_dir_end(dir);
	if (dir->dir_fd >= 0)
		(void)close(dir->dir_fd);
	dir->dir_fd = -1;
}

bool audit_dir_begin(struct audit_dir *dir, int64_t wall_us)
{
	time_t s = (time_t)(wall_us / 1000000);
	struct tm tm;
	char stamp[32];
	char name[sizeof(dir->name)];

	(void)gmtime_r(&s, &tm);
	(void)strftime(stamp, sizeof(stamp), "%Y%m%dT%H%M%SZ", &tm);
	(void)snprintf(name, sizeof(name), "audit-%s-%06llu.jsonl", stamp,
		       (unsigned long long)(dir->number + 1));
	int fd = openat(dir->dir_fd, name, O_WRONLY | O_APPEND | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
			0640);
	if (fd < 0)
		return false;
	/* The umask may have taken the group's right to read; the name must survive a crash. */
	if (fchmod(fd, 0640) != 0 || fsync(dir->dir_fd) != 0) {
		int saved = errno;
		(void)close(fd);
		(void)unlinkat(dir->dir_fd, name, 0);
		errno = saved;
		return false;
	}
	memcpy(dir->name, name, sizeof(dir->name));
	dir->fd = fd;
	dir->number++;
	dir->size = 0;
	dir->dirty = false;
	dir->day = wall_us / DAY_US;
	return true;
}

void audit_dir_end(struct audit_dir *dir)
{
	if (dir->fd >= 0)
		(void)close(dir->fd);
	dir->fd = -1;
}

bool audit_dir_due(const struct audit_dir *dir, uint64_t limit, int64_t wall_us)
{
	struct stat st;

	if (dir->fd < 0)
		return false;
	return dir->size >= limit || wall_us / DAY_US != dir->day ||
	       (fstat(dir->fd, &st) == 0 && st.st_nlink == 0);
}

static bool write_all(int fd, struct slice bytes)
{
	while (bytes.n > 0) {
		ssize_t n = write(fd, bytes.p, bytes.n);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		bytes.p += n;
		bytes.n -= (size_t)n;
	}
	return true;
}

bool audit_dir_commit(struct audit_dir *dir, struct slice bytes)
{
	if (dir->dirty && ftruncate(dir->fd, (off_t)dir->size) != 0)
		return false;
	dir->dirty = true;
	if (!write_all(dir->fd, bytes) || fdatasync(dir->fd) != 0) {
		int saved = errno;
		if (ftruncate(dir->fd, (off_t)dir->size) == 0)
			dir->dirty = false;
		errno = saved;
		return false;
	}
	dir->size += bytes.n;
	dir->dirty = false;
	return true;
}
