/* The configuration file: INI, every setting described by one table (settings.c) that parses, checks,
 * gives defaults, prints itself and knows what a reload may change. */
#ifndef TOLLGATE_DAEMON_CONFIG_H
#define TOLLGATE_DAEMON_CONFIG_H

#include <stdio.h>

#include "audit/audit.h"
#include "base/log.h"
#include "base/strbuf.h"

#define CONFIG_LIST_MAX 8

struct config_list {
	unsigned count;
	char *item[CONFIG_LIST_MAX];
};

/* Strings are owned and never NULL; durations are microseconds, sizes bytes. */
struct config {
	struct {
		struct config_list listen; /* unix:/path or loopback host:port */
		unsigned socket_mode;
		char *socket_group; /* empty: the process' own */
		unsigned max_connections;
		size_t max_frame_size;
		unsigned max_inflight_per_connection;
		int64_t hello_timeout;
		int64_t drain_timeout;
	} spop;
	struct {
		char *listen; /* loopback host:port, UDP */
		size_t receive_buffer;
	} completion;
	struct {
		char *url;           /* see config_redis_url() */
		char *password_file; /* empty: none */
		int64_t deadline;    /* of all round trips for one question */
		int64_t connect_timeout;
		int64_t stall;
		int64_t ping_interval;
		int64_t reconnect_min;
		int64_t reconnect_max;
		unsigned max_pending;
		unsigned breaker_failures;
	} redis;
	struct {
		char *pepper_file;
		unsigned cache_keys;
		unsigned negative_keys;
		int64_t negative_ttl;
		int64_t revalidate;
		int64_t stale_max;
		unsigned max_lookups;
		unsigned lookup_rate; /* a second, of ids that are not in the cache */
	} auth;
	struct {
		unsigned max_requests; /* being decided at once */
		unsigned max_inflight; /* followed to the end of their streams */
		unsigned max_scopes;   /* keys and tenants whose windows are remembered */
		size_t byte_budget;
		int64_t lease_max;
		int64_t deny_cache;
	} limits;
	struct {
		char *directory;
		enum audit_on_failure on_failure;
		size_t queue_bytes;
		size_t segment_size;
		int64_t sync_interval;
	} audit;
	struct {
		char *listen; /* loopback host:port or unix:/path */
		unsigned socket_mode;
		unsigned max_connections;
		int64_t timeout;
	} http;
	struct {
		enum log_level level;
	} log;
};

/* What was wrong, each a line of text with file and line number; no value is ever quoted. */
#define CONFIG_ERRORS_MAX 16
#define CONFIG_ERROR_MAX 512

struct config_errors {
	unsigned count; /* may be more than are kept */
	char text[CONFIG_ERRORS_MAX][CONFIG_ERROR_MAX];
};

/* Fills *ret with the defaults and what the file says. False when anything was wrong (all of it is in
 * *errors); *ret then holds nothing and needs no config_free(). */
bool config_load(const char *path, struct config *ret, struct config_errors *errors)
	__attribute__((warn_unused_result));

/* The same for text in memory; `name` stands for the file in messages. */
bool config_parse(struct slice text, const char *name, struct config *ret, struct config_errors *errors)
	__attribute__((warn_unused_result));

/* Harmless for a config that is all zero. */
void config_free(struct config *config);

/* Every setting with its help and default as comments, in a form config_load() reads back. A password in
 * the Redis URL is replaced by ***. */
void config_dump(const struct config *config, FILE *to);

/* Takes over the settings that may change while running; the running config then owns the new values.
 * on_change is told of every setting that differs, applied or not (then a restart is needed). */
typedef void config_change_fn(void *ctx, const char *section, const char *name, bool applied);
void config_reload(struct config *running, struct config *fresh, config_change_fn *on_change, void *ctx);

/* The URL with the password from password_file, percent-encoded. A credential: wipe it after use. Returns
 * NULL, or what is wrong as a constant text. */
const char *config_redis_url(const struct config *config, struct strbuf *ret)
	__attribute__((warn_unused_result));

#endif
