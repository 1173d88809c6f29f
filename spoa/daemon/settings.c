/* The settings. Help texts are what `tollgated --dump-config` prints above each. */
#include "daemon/settings.h"

#include <stddef.h>

#define KIB INT64_C(1024)
#define MIB (1024 * KIB)
#define GIB (1024 * MIB)
#define MS INT64_C(1000)
#define S (1000 * MS)
#define M (60 * S)
#define H (60 * M)

#define RANGE(lowest, highest) .min = (lowest), .max = (highest)

static const char *const on_failure_names[] = {
	[AUDIT_REFUSE] = "refuse", [AUDIT_CONTINUE] = "continue", NULL};
static const char *const level_names[] = {
	[LOG_LEVEL_DEBUG] = "debug",
	[LOG_LEVEL_INFO] = "info",
	[LOG_LEVEL_WARN] = "warn",
	[LOG_LEVEL_ERROR] = "error",
	NULL,
};

/* The default, the help text, then what the kind needs. */
#define SETTING(section_, member_, kind_, initial_, ...) \
	{ \
		.section = #section_, .name = #member_, .kind = (kind_), \
		.offset = offsetof(struct config, section_.member_), .initial = (initial_), \
		.help = __VA_ARGS__ \
	}

const struct setting settings[] = {
	SETTING(spop, listen, SETTING_ADDRESSES, NULL,
		"Where HAProxy reaches the agent; up to 8, separated by commas."),
	SETTING(spop, socket_mode, SETTING_MODE, "0660", "Permissions of the unix sockets."),
	SETTING(spop, socket_group, SETTING_TEXT, "", "Group of the unix sockets; empty: the agent's own."),
	SETTING(spop, max_connections, SETTING_COUNT, "4096",
		"Connections from HAProxy. It opens as many as it has concurrent requests, twice that over a "
		"reload.",
		RANGE(1, 1000000)),
	SETTING(spop, max_frame_size, SETTING_SIZE, "33MiB",
		"Longest frame; a request's body comes in one, so this bounds bodies together with "
		"tune.bufsize.",
		RANGE(256, GIB)),
	SETTING(spop, max_inflight_per_connection, SETTING_COUNT, "64",
		"Requests in progress on one connection; HAProxy sends up to 20.", RANGE(1, 65536)),
	SETTING(spop, hello_timeout, SETTING_DURATION, "10s",
		"A connection that has not said HELLO by then, or not ended a frame it began, is closed.",
		RANGE(100 * MS, 5 * M)),
	SETTING(spop, drain_timeout, SETTING_DURATION, "5s",
		"How long a stopping agent waits for requests in progress.", RANGE(0, 10 * M)),

	SETTING(completion, listen, SETTING_UDP, "127.0.0.1:5514",
		"Where HAProxy sends its line at the end of each stream."),
	SETTING(completion, receive_buffer, SETTING_SIZE, "4MiB",
		"Lines that may wait in the kernel; net.core.rmem_max may allow less.", RANGE(64 * KIB, GIB)),

	SETTING(redis, url, SETTING_REDIS_URL, NULL,
		"redis://[user[:password]@]host[:port][/db] or unix://[user[:password]@]/path[?db=N]."),
	SETTING(redis, password_file, SETTING_PATH, "", "File that holds the password, instead of the URL."),
	SETTING(redis, deadline, SETTING_DURATION, "30ms",
		"Time Redis has for one request; then the agent decides by itself.", RANGE(1 * MS, 10 * S)),
	SETTING(redis, connect_timeout, SETTING_DURATION, "1s", "Time a connection has to become usable.",
		RANGE(10 * MS, 1 * M)),
	SETTING(redis, stall, SETTING_DURATION, "300ms",
		"A connection whose oldest command waits longer is given up.", RANGE(10 * MS, 1 * M)),
	SETTING(redis, ping_interval, SETTING_DURATION, "1s",
		"Pause between two pings; they also measure Redis' clock.", RANGE(50 * MS, 1 * M)),
	SETTING(redis, reconnect_min, SETTING_DURATION, "50ms",
		"First pause before connecting again; doubled up to reconnect_max.", RANGE(1 * MS, 1 * M)),
	SETTING(redis, reconnect_max, SETTING_DURATION, "2s", "Longest pause before connecting again.",
		RANGE(1 * MS, 5 * M)),
	SETTING(redis, max_pending, SETTING_COUNT, "65536", "Commands in flight; more are refused at once.",
		RANGE(16, 10000000)),
	SETTING(redis, breaker_failures, SETTING_COUNT, "5",
		"Consecutive late answers after which Redis is left alone until a ping is answered in time.",
		RANGE(1, 1000000)),

	SETTING(auth, pepper_file, SETTING_PATH, NULL,
		"File of secrets that API keys are hashed with: lines of <version> <hex>.", .reload = true),
	SETTING(auth, cache_keys, SETTING_COUNT, "20000", "Records of keys and tenants held in memory.",
		RANGE(16, 10000000)),
	SETTING(auth, negative_keys, SETTING_COUNT, "10000", "Ids held that are known not to exist.",
		RANGE(16, 10000000)),
	SETTING(auth, negative_ttl, SETTING_DURATION, "30s", "How long an id is taken not to exist.",
		RANGE(1 * S, 1 * H)),
	SETTING(auth, revalidate, SETTING_DURATION, "5s",
		"Age at which a record is read again while Redis' notices of changes are not heard.",
		RANGE(100 * MS, 1 * H)),
	SETTING(auth, stale_max, SETTING_DURATION, "5m",
		"How long records are trusted when Redis does not answer; so long may a revoked key still "
		"work.",
		RANGE(0, 24 * H)),
	SETTING(auth, max_lookups, SETTING_COUNT, "1024", "Records being read at one time.",
		RANGE(1, 1000000)),
	SETTING(auth, lookup_rate, SETTING_COUNT, "5000",
		"Lookups a second of ids that are not held; 0: no limit.", RANGE(0, 1000000)),

	SETTING(limits, max_requests, SETTING_COUNT, "8192",
		"Requests being decided at once; more are refused.", RANGE(1, 1000000)),
	SETTING(limits, max_inflight, SETTING_COUNT, "65536",
		"Requests followed to the end of their streams; more are refused.", RANGE(1, 10000000)),
	SETTING(limits, max_scopes, SETTING_COUNT, "16384", "Keys and tenants whose windows are remembered.",
		RANGE(16, 10000000)),
	SETTING(limits, byte_budget, SETTING_SIZE, "1GiB",
		"Bytes of large bodies HAProxy may hold at once; one tenant gets a quarter.",
		RANGE(1 * MIB, 1024 * GIB)),
	SETTING(limits, lease_max, SETTING_DURATION, "30m",
		"A stream whose end was not heard for so long is written off as lost.", RANGE(1 * M, 24 * H)),
	SETTING(limits, deny_cache, SETTING_DURATION, "1s",
		"How long a refusal is repeated without asking Redis.", RANGE(0, 1 * S)),

	SETTING(audit, directory, SETTING_PATH, NULL,
		"Where the audit log is written; one agent a directory."),
	SETTING(audit, on_failure, SETTING_CHOICE, "refuse",
		"When the audit log cannot be written: refuse requests, or continue and record the gap.",
		.choices = on_failure_names),
	SETTING(audit, queue_bytes, SETTING_SIZE, "8MiB", "Records that may wait for the disk.",
		RANGE(64 * KIB, GIB)),
	SETTING(audit, segment_size, SETTING_SIZE, "64MiB",
		"A file is closed at this size, and every midnight (UTC).", RANGE(64 * KIB, 64 * GIB)),
	SETTING(audit, sync_interval, SETTING_DURATION, "50ms",
		"Pause between two syncs; a crash of the agent loses no more than this.", RANGE(0, 1 * S)),

	SETTING(http, listen, SETTING_ADDRESS, "127.0.0.1:9464",
		"Address of /metrics, /healthz and /readyz."),
	SETTING(http, socket_mode, SETTING_MODE, "0660", "Permissions of a unix socket."),
	SETTING(http, max_connections, SETTING_COUNT, "64", "Open connections; more wait.", RANGE(1, 10000)),
	SETTING(http, timeout, SETTING_DURATION, "10s", "A connection without progress is closed.",
		RANGE(1 * S, 5 * M)),

	SETTING(log, level, SETTING_CHOICE, "info", "Least severity that is logged.", .choices = level_names,
		.reload = true),
};

const unsigned settings_count = sizeof(settings) / sizeof(settings[0]);
