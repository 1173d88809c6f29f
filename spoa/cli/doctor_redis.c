/* Checks of Redis with the command line's own rights. Nothing is changed: what would write is queued in
 * a transaction that never runs, since Redis checks rights when it queues. */
#include <math.h>
#include <stdlib.h>

#include "base/clock.h"
#include "cli/client.h"
#include "cli/doctor.h"

/* An id of six characters is no key's, so nothing real is touched. */
#define PROBE "tg:key:doctor"

static const struct probe {
	const char *words[6];
} probes[] = {
	{{"SCAN", "0", "MATCH", "tg:tenant:*"}},
	{{"EXISTS", PROBE}},
	{{"EXISTS", "tg:tenant:doctor"}},
	{{"HGETALL", PROBE}},
	{{"HGET", PROBE, "v"}},
	{{"WATCH", PROBE}},
	{{"MULTI"}},
	{{"EXEC"}},
	{{"MULTI"}},
	{{"HSET", PROBE, "v", "1"}},
	{{"DEL", PROBE}},
	{{"HSET", "tg:tenant:doctor", "v", "1"}},
};

static redisReply *call(struct client *client, const struct probe *probe)
{
	struct slice argv[6];
	size_t argc = 0;

	for (; argc < 6 && probe->words[argc] != NULL; argc++)
		argv[argc] = slice_of(probe->words[argc]);
	return client_call(client, argv, argc);
}

static void check_rights(struct doctor *doctor, struct client *client)
{
	static const char advice[] = "grant the command line's user ~tg:key:* ~tg:tenant:* +select +scan "
				     "+exists +hgetall +hget +hset "
				     "+del +watch +multi +exec";

	for (size_t i = 0; i < sizeof(probes) / sizeof(probes[0]); i++) {
		char reason[512];
		struct strbuf err = strbuf_over(reason, sizeof(reason));
		cli_capture(&err);
		redisReply *reply = call(client, &probes[i]);
		cli_capture(NULL);
		if (reply == NULL) {
			doctor_say(doctor, FINDING_FAIL, "redis", advice, "%s: %s", probes[i].words[0],
				   reason);
			return;
		}
		freeReplyObject(reply);
	}
	doctor_say(doctor, FINDING_OK, "redis", NULL, "the command line's user may do what it needs");
}

static void check_clock(struct doctor *doctor, struct client *client)
{
	char reason[512];
	struct strbuf err = strbuf_over(reason, sizeof(reason));
	static const struct probe time_probe = {{"TIME"}};
	int64_t seconds = 0, micros = 0;

	cli_capture(&err);
	int64_t before = clock_wall_us();
	redisReply *reply = call(client, &time_probe);
	int64_t now = before / 2 + clock_wall_us() / 2;
	cli_capture(NULL);
	bool told = reply != NULL && reply->type == REDIS_REPLY_ARRAY && reply->elements == 2 &&
		    slice_to_i64((struct slice){reply->element[0]->str, reply->element[0]->len}, 0,
				 INT32_MAX * INT64_C(4), &seconds) &&
		    slice_to_i64((struct slice){reply->element[1]->str, reply->element[1]->len}, 0, 999999,
				 &micros);
	freeReplyObject(reply);
	if (!told) {
		doctor_say(doctor, FINDING_SKIP, "clock", NULL,
			   "this user may not ask Redis for its time; the agents' figures stand for it");
		return;
	}
	double offset = fabs((double)(seconds * 1000000 + micros - now) / 1e6);
	doctor_say(doctor,
		   offset > 30  ? FINDING_FAIL
		   : offset > 1 ? FINDING_WARN
				: FINDING_OK,
		   "clock", offset > 1 ? "run an NTP client on both hosts" : NULL,
		   "Redis' clock and this host's are %.3f s apart", offset);
}

void doctor_check_redis(struct doctor *doctor)
{
	const char *url = getenv("TOLLGATE_REDIS_URL");
	char reason[512];
	struct strbuf err = strbuf_over(reason, sizeof(reason));
	enum cli_exit result;

	if (cli_value(doctor->cli, "redis") == NULL && (url == NULL || url[0] == '\0')) {
		doctor_say(doctor, FINDING_SKIP, "redis", "set TOLLGATE_REDIS_URL", "Redis was not named");
		return;
	}
	cli_capture(&err);
	struct client *client = client_open(doctor->cli, &result);
	cli_capture(NULL);
	if (client == NULL) {
		doctor_say(doctor, FINDING_FAIL, "redis", "is Redis running, and is the URL right?", "%s",
			   reason);
		return;
	}
	doctor_say(doctor, FINDING_OK, "redis", NULL, "reachable, and the login works");
	check_clock(doctor, client);
	check_rights(doctor, client);
	client_close(&client); /* with the transaction open: nothing of it has run */
}
