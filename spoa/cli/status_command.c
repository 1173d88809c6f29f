/* The gateway on one screen, with an exit status for scripts. */
#include "cli/status_command.h"

#include <stdlib.h>

#include "cli/agent_view.h"
#include "cli/client.h"
#include "cli/fleet.h"
#include "cli/haproxy.h"
#include "cli/interrupt.h"
#include "cli/moment.h"
#include "cli/output.h"

enum health { HEALTHY, DEGRADED, DOWN };

enum { INTERVAL_MAX_S = 60 };

struct status {
	const struct cli *cli;
	enum health health;
	json_t *problems;
	json_t *json; /* all that was found, for --json */
	bool text;
	struct fleet *fleet; /* NULL: HAProxy could not be asked */
	struct agents before, after;
	int64_t interval_s;
};

__attribute__((format(printf, 3, 4))) static void problem(struct status *s, enum health health,
							  const char *fmt, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	(void)json_array_append_new(s->problems, json_string(text));
	if (health > s->health)
		s->health = health;
}

__attribute__((format(printf, 4, 5))) static void line(const struct status *s, const char *what,
						       const char *state, const char *fmt, ...)
{
	va_list ap;

	if (!s->text)
		return;
	(void)printf("%-9s %-11s ", what, state);
	va_start(ap, fmt);
	(void)vprintf(fmt, ap);
	va_end(ap);
	(void)putchar('\n');
}

static void look_at_gate(struct status *s)
{
	char reason[512], age[32];
	struct strbuf err = strbuf_over(reason, sizeof(reason));
	struct strbuf sb = strbuf_over(age, sizeof(age));
	struct haproxy_info info;
	const char *socket = haproxy_socket(s->cli);

	if (!haproxy_info(socket, &info, &err) || (s->fleet = fleet_read(socket, &err)) == NULL) {
		problem(s, DOWN, "%s", reason);
		line(s, "haproxy", "down", "%s", reason);
		(void)json_object_set_new(s->json, "haproxy", json_pack("{sb}", "up", 0));
		return;
	}
	moment_put_age(&sb, info.uptime_s);
	line(s, "haproxy", "up", "version %s, since %s, %lld clients connected, %lld requests queued",
	     info.version, age, (long long)s->fleet->clients, (long long)s->fleet->queue);
	(void)json_object_set_new(s->json, "haproxy",
				  json_pack("{sb ss sI sI sI}", "up", 1, "version", info.version,
					    "uptime_seconds", (json_int_t)info.uptime_s, "clients",
					    (json_int_t)s->fleet->clients, "queue",
					    (json_int_t)s->fleet->queue));
}

/* What HAProxy thinks of the agents decides whether requests get through. */
static void judge_agents_seen(struct status *s)
{
	size_t up = 0;

	if (s->fleet == NULL)
		return;
	for (size_t i = 0; i < s->fleet->agent_count; i++) {
		const struct node *agent = &s->fleet->agents[i];
		up += agent->state == NODE_UP;
		if (agent->state != NODE_UP)
			problem(s, DEGRADED, "HAProxy calls %s %s", agent->name, agent->status);
	}
	if (up == 0)
		problem(s, DOWN, "no agent is up: every request is refused with 503; see tollgated's log");
	line(s, "agents",
	     up == s->fleet->agent_count ? "up"
	     : up > 0                    ? "some down"
					 : "down",
	     "%zu of %zu up, as HAProxy sees them", up, s->fleet->agent_count);
}

static void judge_agent(struct status *s, const struct agent_view *a)
{
	if (!a->reached) {
		problem(s, DEGRADED, "the agent at %s does not tell its metrics: %s", a->url, a->why);
		return;
	}
	if (!a->redis_up)
		problem(s, DEGRADED, "the agent at %s has no Redis: unknown keys get 503", a->url);
	else if (!a->tracking)
		problem(s, DEGRADED, "the agent at %s hears of no changes of keys", a->url);
	if (a->local_limits)
		problem(s, DEGRADED, "the agent at %s counts limits by itself", a->url);
	if (a->audit_dropped > 0)
		problem(s, DEGRADED, "the agent at %s has lost %.0f audit records", a->url, a->audit_dropped);
}

static json_t *agent_json(const struct agent_view *a)
{
	if (!a->reached)
		return json_pack("{ss sb ss}", "url", a->url, "reached", 0, "error", a->why);
	return json_pack("{ss sb ss sb sb sb sb sf sf}", "url", a->url, "reached", 1, "version", a->version,
			 "redis_up", a->redis_up, "hears_changes", a->tracking, "local_limits",
			 a->local_limits, "audit_broken", a->audit_broken, "inflight", a->inflight,
			 "clock_offset_seconds", a->clock_offset);
}

static void look_at_agents(struct status *s)
{
	json_t *array = json_array();
	size_t broken = 0, reached = 0;

	for (size_t i = 0; i < s->after.count; i++) {
		const struct agent_view *a = &s->after.agent[i];
		judge_agent(s, a);
		(void)json_array_append_new(array, agent_json(a));
		reached += a->reached;
		broken += a->reached && a->audit_broken;
		if (a->reached)
			line(s, "agent", "reached",
			     "%s: version %s, Redis %s, %s limits, audit log %s, %.0f in flight", a->url,
			     a->version, a->redis_up ? "up" : "DOWN", a->local_limits ? "LOCAL" : "shared",
			     a->audit_broken ? "BROKEN" : "ok", a->inflight);
		else
			line(s, "agent", "not reached", "%s: %s", a->url, a->why);
	}
	if (broken > 0)
		problem(s, broken == reached ? DOWN : DEGRADED,
			"the audit log cannot be written: requests are refused unless on_failure = continue");
	(void)json_object_set_new(s->json, "agents", array);
}

static void look_at_requests(struct status *s)
{
	double verdicts[VERDICT_COUNT];
	json_t *object = json_pack("{sI}", "seconds", (json_int_t)s->interval_s);
	char text[256];
	struct strbuf sb = strbuf_over(text, sizeof(text));

	agents_verdicts(&s->before, &s->after, verdicts);
	for (int v = 0; v < VERDICT_COUNT; v++) {
		const char *name = verdict_name((enum verdict)v);
		strbuf_printf(&sb, "%s%s %.0f", v > 0 ? ", " : "", name, verdicts[v]);
		(void)json_object_set_new(object, name, json_real(verdicts[v]));
	}
	(void)json_object_set_new(s->json, "requests", object);
	line(s, "requests", "", "in the last %llds: %s", (long long)s->interval_s, text);
}

static void look_at_nodes(struct status *s)
{
	json_t *array = json_array();
	size_t usable = 0, count = s->fleet != NULL ? s->fleet->count : 0;

	for (size_t i = 0; i < count; i++) {
		const struct node *n = &s->fleet->nodes[i];
		usable += node_usable(n);
		if (n->state == NODE_DOWN)
			problem(s, DEGRADED, "node %s is down: its check says %s %s", n->name, n->check,
				n->reason);
		(void)json_array_append_new(array, node_json(n));
	}
	(void)json_object_set_new(s->json, "nodes", array);
	if (s->fleet == NULL)
		return;
	if (usable == 0)
		problem(s, DOWN, "no node takes requests; see `tollgate node list`");
	line(s, "nodes",
	     usable == count ? "up"
	     : usable > 0    ? "some out"
			     : "down",
	     "%zu of %zu take requests", usable, count);
	for (size_t i = 0; i < count; i++) {
		const struct node *n = &s->fleet->nodes[i];
		line(s, "", n->status, "%s: %lld running, %lld queued, weight %lld %%", n->name,
		     (long long)n->sessions, (long long)n->queue, (long long)node_percent(n));
	}
}

/* One read with the command line's own rights. */
static bool ask_redis(const struct cli *cli, struct strbuf *err)
{
	enum cli_exit result;

	cli_capture(err);
	struct client *client = client_open(cli, &result);
	redisReply *reply =
		client != NULL
			? client_call(client,
				      (struct slice[]){SLICE_LIT("EXISTS"), SLICE_LIT("tg:key:status")}, 2)
			: NULL;
	cli_capture(NULL);
	bool ok = reply != NULL;
	freeReplyObject(reply);
	client_close(&client);
	return ok;
}

static void look_at_redis(struct status *s)
{
	char reason[512];
	struct strbuf err = strbuf_over(reason, sizeof(reason));
	const char *url = getenv("TOLLGATE_REDIS_URL"), *state = "up";

	if (cli_value(s->cli, "redis") == NULL && (url == NULL || url[0] == '\0')) {
		state = "not asked";
		strbuf_puts(&err, "TOLLGATE_REDIS_URL and --redis are not set");
	} else if (ask_redis(s->cli, &err)) {
		strbuf_puts(&err, "answers with the command line's rights");
	} else {
		state = "down";
		problem(s, DEGRADED, "%s", reason);
	}
	line(s, "redis", state, "%s", reason);
	(void)json_object_set_new(s->json, "redis", json_pack("{ss ss}", "state", state, "says", reason));
}

static enum cli_exit finish(struct status *s)
{
	static const char *const names[] = {[HEALTHY] = "healthy", [DEGRADED] = "degraded", [DOWN] = "down"};
	enum cli_exit exits[] = {[HEALTHY] = CLI_OK, [DEGRADED] = CLI_FAILED, [DOWN] = (enum cli_exit)2};

	line(s, "health", names[s->health], "%s",
	     s->health == HEALTHY ? "nothing is wrong" : "what is wrong:");
	for (size_t i = 0; i < json_array_size(s->problems) && s->text; i++)
		(void)printf("  - %s\n", json_string_value(json_array_get(s->problems, i)));
	(void)json_object_set_new(s->json, "health", json_string(names[s->health]));
	(void)json_object_set(s->json, "problems", s->problems);
	json_decref(s->problems);
	fleet_free(&s->fleet);
	if (!output_object(!s->text, s->json, NULL, 0))
		return (enum cli_exit)2;
	return exits[s->health];
}

static bool take_interval(const struct cli *cli, int64_t *ret)
{
	const char *text = cli_value(cli, "interval");

	*ret = 1;
	if (text == NULL || (moment_duration(slice_of(text), ret) && *ret > 0 && *ret <= INTERVAL_MAX_S))
		return true;
	cli_error("--interval must be a duration from 1s to 60s");
	return false;
}

static enum cli_exit status_run(const struct cli *cli)
{
	struct status *s = calloc(1, sizeof(*s));
	enum cli_exit result = CLI_USAGE;

	if (s == NULL) {
		cli_error("out of memory");
		return (enum cli_exit)2;
	}
	s->cli = cli;
	if (agents_urls(cli, &s->before) && take_interval(cli, &s->interval_s)) {
		s->text = cli_value(cli, "json") == NULL;
		s->problems = json_array();
		s->json = json_object();
		agents_read(&s->before);
		s->after = s->before;
		(void)interrupt_sleep(s->interval_s * 1000);
		agents_read(&s->after);
		look_at_gate(s);
		judge_agents_seen(s);
		look_at_agents(s);
		look_at_requests(s);
		look_at_nodes(s);
		look_at_redis(s);
		result = finish(s);
	}
	free(s);
	return result;
}

static const struct cli_option options[] = {
	HAPROXY_OPTION,
	METRICS_OPTION,
	{"interval", "DURATION", "count requests for so long; default: 1s", false, false},
};

const struct cli_command status_command = {
	.group = "status",
	.run = status_run,
	.options = options,
	.option_count = sizeof(options) / sizeof(options[0]),
	.summary = "Show on one screen how the gateway fares",
	.detail = "It is degraded when it works but something is wrong, like a node that is down, and down "
		  "when\n"
		  "requests cannot be served. Nodes taken out of service by an operator are not wrong.\n",
	.exits = "0 healthy, 1 degraded, 2 down or wrong usage",
};
