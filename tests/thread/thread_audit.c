/* The audit log under several producers, a reader of its statistics, rotation and an unwilling disk; run by
 * `tests/run unit` under the thread sanitizer.
 *
 * It ends with 0 when nothing was lost without being counted and the numbers have no gap. */
#include <dirent.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "audit/audit.h"

enum { PRODUCERS = 4, ROUNDS = 20000 };

static struct audit *audit;
static _Atomic bool done;
static _Atomic uint64_t taken;
static _Atomic uint64_t refused;

static void count(bool ok)
{
	if (ok)
		taken++;
	else
		refused++;
}

static void *produce(void *arg)
{
	struct audit_decision d;
	struct audit_completion c;
	char key[16];

	audit_decision_init(&d);
	audit_completion_init(&c);
	snprintf(key, sizeof(key), "key%d", *(int *)arg);
	d.request.key_id = slice_of(key);
	c.request.key_id = slice_of(key);
	d.reason = SLICE_LIT("key_rpm");
	for (int i = 0; i < ROUNDS; i++) {
		d.admitted = i % 3 != 0;
		count(audit_decision(audit, &d));
		count(audit_complete(audit, &c));
		if (i % 200 == 0)
			usleep(30000);
	}
	return NULL;
}

static void *watch(void *arg)
{
	struct audit_stats s;

	(void)arg;
	while (!done) {
		audit_stats(audit, &s);
		(void)audit_writable(audit);
		if (s.queued_bytes > s.queue_limit_bytes)
			abort();
		audit_rotate(audit);
		(void)audit_flush_wait(audit, 20000);
		usleep(3000);
	}
	return NULL;
}

/* A disk that is full now and then. */
static void *disturb(void *arg)
{
	struct rlimit limit;

	(void)arg;
	while (!done) {
		getrlimit(RLIMIT_FSIZE, &limit);
		limit.rlim_cur = limit.rlim_cur == limit.rlim_max ? 1000 : limit.rlim_max;
		setrlimit(RLIMIT_FSIZE, &limit);
		usleep(limit.rlim_cur == limit.rlim_max ? 400000 : 30000);
	}
	getrlimit(RLIMIT_FSIZE, &limit);
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_FSIZE, &limit);
	return NULL;
}

/* Checks that the numbers of all lines are 1, 2, 3, …; returns the last. */
static uint64_t check_lines(const char *dir)
{
	struct dirent **list;
	char *line = NULL;
	size_t cap = 0;
	uint64_t seq = 0;
	int n = scandir(dir, &list, NULL, alphasort);

	for (int i = 0; i < n; i++) {
		char path[512];
		snprintf(path, sizeof(path), "%s/%s", dir, list[i]->d_name);
		FILE *from = list[i]->d_name[0] == 'a' ? fopen(path, "r") : NULL;
		ssize_t len;
		while (from != NULL && (len = getline(&line, &cap, from)) > 0) {
			unsigned long long found = 0;
			if (sscanf(line, "{\"v\":1,\"seq\":%llu,", &found) != 1 || found != ++seq ||
			    line[len - 1] != '\n') {
				fprintf(stderr, "%s: expected record %llu: %s\n", path,
					(unsigned long long)seq, line);
				exit(1);
			}
		}
		if (from != NULL)
			fclose(from);
		unlink(path);
		free(list[i]);
	}
	free(list);
	free(line);
	return seq;
}

int main(void)
{
	char dir[] = "/tmp/tollgate-thread-XXXXXX";
	pthread_t producers[PRODUCERS], watcher, disturber;
	int numbers[PRODUCERS];
	struct audit_stats s;
	uint64_t written = 0, dropped = 0;

	signal(SIGXFSZ, SIG_IGN);
	if (mkdtemp(dir) == NULL)
		return 1;
	struct audit_config config = {.directory = slice_of(dir),
				      .version = SLICE_LIT("1"),
				      .on_failure = AUDIT_CONTINUE,
				      .queue_bytes = 128 * 1024,
				      .segment_bytes = 1 << 20,
				      .sync_interval_us = 2000};
	audit = audit_new(&config);
	if (audit == NULL)
		return 1;
	pthread_create(&watcher, NULL, watch, NULL);
	pthread_create(&disturber, NULL, disturb, NULL);
	for (int i = 0; i < PRODUCERS; i++) {
		numbers[i] = i;
		pthread_create(&producers[i], NULL, produce, &numbers[i]);
	}
	for (int i = 0; i < PRODUCERS; i++)
		pthread_join(producers[i], NULL);
	done = true;
	pthread_join(watcher, NULL);
	pthread_join(disturber, NULL);
	if (!audit_flush_wait(audit, 10000000))
		return 2;
	audit_stats(audit, &s);
	audit_free(&audit);
	for (int i = 0; i < AUDIT_TYPES; i++) {
		written += s.written[i];
		dropped += s.dropped[i];
	}
	uint64_t lines = check_lines(dir);
	rmdir(dir);
	printf("taken %llu refused %llu lines %llu summed %llu gaps %llu errors %llu segments %llu\n",
	       (unsigned long long)taken, (unsigned long long)refused, (unsigned long long)lines,
	       (unsigned long long)s.summed, (unsigned long long)s.written[AUDIT_TYPE_GAP],
	       (unsigned long long)s.write_errors, (unsigned long long)s.segments);
	uint64_t extra =
		s.written[AUDIT_TYPE_GAP] + s.written[AUDIT_TYPE_ROTATE] + s.written[AUDIT_TYPE_REFUSALS];
	return lines == written && dropped == refused && lines - extra + s.summed == taken ? 0 : 3;
}
