/* The live view. */
#include "cli/top_command.h"

#include <stdlib.h>

#include "cli/haproxy.h"
#include "cli/interrupt.h"
#include "cli/moment.h"
#include "cli/output.h"
#include "cli/terminal.h"
#include "cli/top_screen.h"

enum {
	SCREEN_MAX = 65536,
	INTERVAL_MAX_S = 60,
};

struct top {
	const struct cli *cli;
	const char *socket;
	int64_t interval_s;
	struct top_reading before, after;
	char screen[SCREEN_MAX];
};

static bool take_interval(const struct cli *cli, int64_t *ret)
{
	const char *text = cli_value(cli, "interval");

	*ret = 2;
	if (text == NULL || (moment_duration(slice_of(text), ret) && *ret > 0 && *ret <= INTERVAL_MAX_S))
		return true;
	cli_error("--interval must be a duration from 1s to 60s");
	return false;
}

static void draw(struct top *top)
{
	struct strbuf sb = strbuf_over(top->screen, sizeof(top->screen));

	top_text(&top->before, &top->after, &sb);
	strbuf_puts(&sb, "\nq leaves\n");
	terminal_show(strbuf_slice(&sb));
}

/* The later reading becomes the earlier one, and a new one is taken. */
static void move_on(struct top *top)
{
	fleet_free(&top->before.fleet);
	top->before = top->after;
	top->after.fleet = NULL;
	top_read(top->socket, &top->after);
}

static enum cli_exit watch(struct top *top)
{
	while (terminal_wait(top->interval_s * 1000)) {
		move_on(top);
		draw(top);
	}
	terminal_leave();
	return CLI_OK;
}

/* Without HAProxy and without an agent there is nothing to show. */
static bool shows_something(const struct top *top)
{
	bool any = top->after.fleet != NULL;

	for (size_t i = 0; i < top->after.agents.count; i++)
		any = any || top->after.agents.agent[i].reached;
	return any;
}

static enum cli_exit show_once(struct top *top)
{
	struct strbuf sb = strbuf_over(top->screen, sizeof(top->screen));
	bool json = cli_value(top->cli, "json") != NULL;

	if (!interrupt_sleep(top->interval_s * 1000))
		return CLI_FAILED;
	move_on(top);
	if (!shows_something(top)) {
		cli_error("%s; and no agent tells its metrics", top->after.why);
		return CLI_FAILED;
	}
	if (json)
		return output_object(true, top_json(&top->before, &top->after), NULL, 0) ? CLI_OK
											 : CLI_FAILED;
	top_text(&top->before, &top->after, &sb);
	(void)fwrite(top->screen, 1, sb.len, stdout);
	return fflush(stdout) == 0 && !ferror(stdout) ? CLI_OK : CLI_FAILED;
}

static enum cli_exit top_run(const struct cli *cli)
{
	struct top *top = calloc(1, sizeof(*top));
	enum cli_exit result = CLI_USAGE;
	bool once = cli_value(cli, "once") != NULL || cli_value(cli, "json") != NULL;

	if (top == NULL) {
		cli_error("out of memory");
		return CLI_FAILED;
	}
	top->cli = cli;
	top->socket = haproxy_socket(cli);
	if (agents_urls(cli, &top->after.agents) && take_interval(cli, &top->interval_s)) {
		top_read(top->socket, &top->after);
		top->before.agents = top->after.agents;
		if (!once && terminal_enter()) {
			top->before.at_us = top->after.at_us;
			draw(top);
			result = watch(top);
		} else {
			result = show_once(top);
		}
	}
	fleet_free(&top->before.fleet);
	fleet_free(&top->after.fleet);
	free(top);
	return result;
}

static const struct cli_option options[] = {
	HAPROXY_OPTION,
	METRICS_OPTION,
	{"interval", "DURATION", "between two readings; default: 2s", false, false},
	{"once", NULL, "print one table and end, as without a terminal", false, false},
};

const struct cli_command top_command = {
	.group = "top",
	.run = top_run,
	.options = options,
	.option_count = sizeof(options) / sizeof(options[0]),
	.summary = "Watch requests, queue and nodes",
	.detail = "Rates and times to the first token are those of the last interval, a node's times the "
		  "averages\n"
		  "of its last 1024 requests. q or Ctrl-C leaves.\n",
	.without = CLI_WITHOUT_REDIS,
};
