/* The process_* families every Prometheus client exports, read from /proc and the kernel at each scrape. */
#include <dirent.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "metrics/metrics.h"

/* A small file of /proc in one read; empty when it cannot be read. */
static struct slice read_file(const char *path, char *buf, size_t cap)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, buf, cap);

	if (fd >= 0)
		(void)close(fd);
	return (struct slice){buf, n > 0 ? (size_t)n : 0};
}

/* Field `number` of proc(5) stat, counted from 1. The second one holds the program's name and may hold
 * spaces and parentheses, so counting starts behind its last parenthesis. */
static uint64_t stat_field(struct slice stat, unsigned number)
{
	const char *close_paren = stat.n > 0 ? memrchr(stat.p, ')', stat.n) : NULL;
	struct slice part = {NULL, 0};
	uint64_t v = 0;

	if (close_paren == NULL)
		return 0;
	struct slice rest = {close_paren + 1, stat.n - (size_t)(close_paren + 1 - stat.p)};
	for (unsigned at = 2; at <= number; at++)
		if (!slice_next(&rest, ' ', &part))
			return 0;
	return slice_to_u64(part, UINT64_MAX, &v) ? v : 0;
}

/* Unix time at which this process started. Taken once, since it would follow the wall clock. */
static double started_s;

static double read_start(void)
{
	char buf[1024];
	struct timespec now;
	struct timespec up;
	struct slice stat = read_file("/proc/self/stat", buf, sizeof(buf));

	(void)clock_gettime(CLOCK_REALTIME, &now);
	(void)clock_gettime(CLOCK_BOOTTIME, &up);
	return (double)(now.tv_sec - up.tv_sec) + (double)(now.tv_nsec - up.tv_nsec) / 1e9 +
	       (double)stat_field(stat, 22) / (double)sysconf(_SC_CLK_TCK);
}

static unsigned open_fds(void)
{
	DIR *dir = opendir("/proc/self/fd");
	unsigned count = 0;

	if (dir == NULL)
		return 0;
	while (readdir(dir) != NULL)
		count++;
	(void)closedir(dir);
	return count > 3 ? count - 3 : 0; /* ".", ".." and the directory itself */
}

static void collect_limits(struct metrics_out *out)
{
	struct rlimit limit;

	metrics_gauge(out, "process_open_fds", "Open file descriptors.", open_fds());
	if (getrlimit(RLIMIT_NOFILE, &limit) == 0)
		metrics_gauge(out, "process_max_fds", "Limit of open file descriptors.",
			      (double)limit.rlim_cur);
}

static void collect_process(void *ctx, struct metrics_out *out)
{
	char buf[1024];
	struct slice stat = read_file("/proc/self/stat", buf, sizeof(buf));
	double ticks = (double)sysconf(_SC_CLK_TCK);
	double page = (double)sysconf(_SC_PAGESIZE);
	const char *version = ctx;

	metrics_family(out, "tollgate_build_info", "Version of the running agent.", METRICS_GAUGE);
	metrics_sample(out, METRICS_LABELS({"version", slice_of(version)}), 1);
	metrics_family(out, "process_cpu_seconds_total", "User and system CPU time spent.", METRICS_COUNTER);
	metrics_sample(out, NULL, (double)(stat_field(stat, 14) + stat_field(stat, 15)) / ticks);
	metrics_gauge(out, "process_virtual_memory_bytes", "Virtual memory size.",
		      (double)stat_field(stat, 23));
	metrics_gauge(out, "process_resident_memory_bytes", "Resident memory size.",
		      (double)stat_field(stat, 24) * page);
	metrics_gauge(out, "process_threads", "Threads.", (double)stat_field(stat, 20));
	metrics_gauge(out, "process_start_time_seconds", "Start of the process, in seconds since 1970.",
		      started_s);
	collect_limits(out);
}

bool metrics_register_process(struct metrics *metrics, const char *version)
{
	started_s = read_start();
	return metrics_register(metrics, collect_process, (void *)(uintptr_t)version);
}
