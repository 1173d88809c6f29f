/* Synchronous hiredis, and what its errors mean to a person. */
#include "cli/client.h"

#include <stdlib.h>
#include <sys/time.h>

#include "base/strbuf.h"
#include "store/url.h"

enum {
	CONNECT_SECONDS = 5,
	REPLY_SECONDS = 10, /* a SCAN step or a batch of records takes milliseconds */
	ARGS_MAX = 40,
};

struct client {
	redisContext *redis;
	char where[300]; /* host:port or the socket's path, for messages */
};

/* What the first word of an error reply calls for; the reply itself is shown where `show` says so. */
static const struct advice {
	const char *code;
	const char *text;
	bool show;
} advices[] = {
	{"NOAUTH", "Redis wants a login: put user and password into the URL (redis://user:password@host)",
	 false},
	{"WRONGPASS", "Redis refuses the user name or the password of the URL", false},
	{"NOPERM", "Redis' ACL does not let this user do that; the commands needed are in the documentation",
	 true},
	{"READONLY", "this Redis is a replica; use the URL of the primary", false},
	{"LOADING", "Redis is still loading its data; try again in a moment", false},
	{"OOM", "Redis is out of memory and takes no writes", false},
	{"MISCONF", "Redis cannot save its data and takes no writes; see its log", false},
	{"MOVED", "this is a Redis Cluster, which is not supported", false},
	{"WRONGTYPE", "a record has the wrong Redis type; something else writes below tg:", false},
};

static const struct advice *find_advice(struct slice reply)
{
	for (size_t i = 0; i < sizeof(advices) / sizeof(advices[0]); i++)
		if (slice_starts(reply, slice_of(advices[i].code)))
			return &advices[i];
	return NULL;
}

/* Redis quotes what it was sent in some errors; nothing this program sends beyond AUTH is secret. */
static void print_reply_error(const redisReply *reply)
{
	struct slice text = {reply->str, reply->len};
	const struct advice *advice = find_advice(text);

	if (text.n > 200)
		text.n = 200;
	if (advice == NULL)
		cli_error("Redis answered: %.*s", SLICE_FMT(text));
	else if (advice->show)
		cli_error("%s (Redis: %.*s)", advice->text, SLICE_FMT(text));
	else
		cli_error("%s", advice->text);
}

static void print_connection_error(const struct client *client)
{
	const redisContext *redis = client->redis;
	const char *text = redis != NULL && redis->errstr[0] != '\0' ? redis->errstr : "out of memory";

	cli_error("Redis at %s cannot be used: %s; is it running, and is the URL right?", client->where,
		  text);
}

bool client_queue(struct client *client, const struct slice *argv, size_t argc)
{
	const char *texts[ARGS_MAX];
	size_t lengths[ARGS_MAX];

	if (argc > ARGS_MAX) {
		cli_error("a command has too many words");
		return false;
	}
	for (size_t i = 0; i < argc; i++) {
		texts[i] = argv[i].n > 0 ? argv[i].p : "";
		lengths[i] = argv[i].n;
	}
	if (redisAppendCommandArgv(client->redis, (int)argc, texts, lengths) == REDIS_OK)
		return true;
	print_connection_error(client);
	return false;
}

static redisReply *fetch(struct client *client)
{
	void *reply = NULL;

	if (redisGetReply(client->redis, &reply) != REDIS_OK || reply == NULL) {
		print_connection_error(client);
		return NULL;
	}
	return reply;
}

redisReply *client_reply(struct client *client)
{
	redisReply *reply = fetch(client);

	if (reply != NULL && reply->type == REDIS_REPLY_ERROR) {
		print_reply_error(reply);
		freeReplyObject(reply);
		return NULL;
	}
	return reply;
}

redisReply *client_call(struct client *client, const struct slice *argv, size_t argc)
{
	return client_queue(client, argv, argc) ? client_reply(client) : NULL;
}

/* Whatever Redis says to AUTH is not shown: old versions quote it. */
static bool log_in(struct client *client, const struct store_url *url)
{
	struct slice argv[3] = {SLICE_LIT("AUTH"), slice_of(url->user), slice_of(url->password)};
	size_t argc = 3;

	if (url->password[0] == '\0' && url->user[0] == '\0')
		return true;
	if (url->user[0] == '\0') {
		argv[1] = argv[2];
		argc = 2;
	}
	redisReply *reply = client_queue(client, argv, argc) ? fetch(client) : NULL;
	if (reply == NULL)
		return false;
	bool ok = reply->type != REDIS_REPLY_ERROR;
	freeReplyObject(reply);
	if (!ok)
		cli_error("Redis at %s refuses the user name or the password of the URL", client->where);
	return ok;
}

static bool select_db(struct client *client, unsigned db)
{
	char number[16];
	struct strbuf sb = strbuf_over(number, sizeof(number));

	if (db == 0)
		return true;
	strbuf_u64(&sb, db);
	redisReply *reply = client_call(client, (struct slice[]){SLICE_LIT("SELECT"), strbuf_slice(&sb)}, 2);
	freeReplyObject(reply);
	return reply != NULL;
}

static bool connect_to(struct client *client, const struct store_url *url)
{
	struct timeval connecting = {.tv_sec = CONNECT_SECONDS};
	struct timeval replying = {.tv_sec = REPLY_SECONDS};
	struct strbuf where = strbuf_over(client->where, sizeof(client->where));

	if (url->path[0] != '\0') {
		strbuf_puts(&where, url->path);
		client->redis = redisConnectUnixWithTimeout(url->path, connecting);
	} else {
		strbuf_printf(&where, "%s port %u", url->host, url->port);
		client->redis = redisConnectWithTimeout(url->host, url->port, connecting);
	}
	if (client->redis == NULL || client->redis->err != 0 ||
	    redisSetTimeout(client->redis, replying) != REDIS_OK) {
		print_connection_error(client);
		return false;
	}
	return log_in(client, url) && select_db(client, url->db);
}

static bool find_url(const struct cli *cli, struct store_url *ret)
{
	const char *given = cli_value(cli, "redis");
	const char *text = given != NULL ? given : getenv("TOLLGATE_REDIS_URL");

	if (text == NULL || text[0] == '\0') {
		cli_error("which Redis? Set TOLLGATE_REDIS_URL or give --redis URL, "
			  "like redis://user:password@127.0.0.1:6379 or unix:///run/redis/redis.sock");
		return false;
	}
	const char *wrong = store_url_parse(slice_of(text), ret);
	if (wrong != NULL)
		cli_error("%s: %s", given != NULL ? "--redis" : "TOLLGATE_REDIS_URL", wrong);
	return wrong == NULL;
}

struct client *client_open(const struct cli *cli, enum cli_exit *ret_exit)
{
	struct store_url url;
	struct client *client = calloc(1, sizeof(*client));

	*ret_exit = CLI_FAILED;
	if (client == NULL) {
		cli_error("out of memory");
		return NULL;
	}
	if (!find_url(cli, &url)) {
		*ret_exit = CLI_USAGE;
		client_close(&client);
		return NULL;
	}
	bool ok = connect_to(client, &url);
	store_url_wipe(&url);
	if (!ok)
		client_close(&client);
	return client;
}

void client_close(struct client **client)
{
	if (*client == NULL)
		return;
	if ((*client)->redis != NULL)
		redisFree((*client)->redis);
	free(*client);
	*client = NULL;
}
