/* The loop that looks at a node until something is true. */
#include "cli/node_wait.h"

#include <unistd.h>

#include "base/clock.h"
#include "cli/fleet.h"
#include "cli/interrupt.h"

enum {
	LOOK_MS = 250,
	REPORT_US = 5 * 1000 * 1000, /* without a terminal: a line when something changed, at most so often */
};

struct progress {
	bool terminal;
	bool open; /* an unfinished line stands on the terminal */
	int64_t start_us, told_us;
	char last[96];
};

enum wait_state { WAIT_ON, WAIT_DONE, WAIT_CONFLICT };

struct wait {
	const char *socket;
	const char *name;
	int64_t timeout_s;
	enum wait_state (*look)(const struct node *node, struct strbuf *text);
	const char *left; /* what is left behind when the wait is given up; %s stands for the name */
};

static void end_line(struct progress *p)
{
	if (p->open)
		(void)fputc('\n', stderr);
	p->open = false;
}

static void report(struct progress *p, const char *name, const char *text)
{
	int64_t now = clock_mono_us();
	long long seconds = (long long)((now - p->start_us) / 1000000);

	if (p->terminal) {
		(void)fprintf(stderr, "\r\033[K%s: %s (%lld s)", name, text, seconds);
		p->open = true;
	} else if (p->told_us == 0 || (strcmp(text, p->last) != 0 && now - p->told_us >= REPORT_US)) {
		(void)fprintf(stderr, "%s: %s (%lld s)\n", name, text, seconds);
		p->told_us = now;
		struct strbuf sb = strbuf_over(p->last, sizeof(p->last));
		strbuf_puts(&sb, text);
	}
	(void)fflush(stderr);
}

/* Looks once; *ret says how it stands. False after a message. */
static bool look_once(const struct wait *wait, struct progress *p, struct strbuf *text, enum wait_state *ret)
{
	char reason[512];
	struct strbuf err = strbuf_over(reason, sizeof(reason));
	struct fleet *fleet = fleet_read(wait->socket, &err);
	const struct node *node = fleet != NULL ? fleet_find(fleet, wait->name) : NULL;

	if (node == NULL) {
		end_line(p);
		cli_error("%s", fleet == NULL ? reason : "the node has left HAProxy's configuration");
		fleet_free(&fleet);
		return false;
	}
	*ret = wait->look(node, text);
	fleet_free(&fleet);
	return true;
}

static enum cli_exit give_up(const struct wait *wait, struct progress *p, const char *why, const char *text)
{
	end_line(p);
	cli_error("%s: %s, %s; %s", wait->name, why, text, wait->left);
	return CLI_FAILED;
}

static enum cli_exit run(const struct wait *wait)
{
	struct progress p = {.terminal = isatty(STDERR_FILENO) != 0, .start_us = clock_mono_us()};
	char buf[96];

	interrupt_catch();
	for (;;) {
		struct strbuf text = strbuf_over(buf, sizeof(buf));
		enum wait_state state;
		if (!look_once(wait, &p, &text, &state)) {
			cli_note("%s: %s", wait->name, wait->left);
			return CLI_FAILED;
		}
		if (state == WAIT_CONFLICT) {
			end_line(&p);
			cli_error("%s: %s", wait->name, buf);
			return CLI_CONFLICT;
		}
		if (state == WAIT_DONE) {
			end_line(&p);
			return CLI_OK;
		}
		report(&p, wait->name, buf);
		if (clock_mono_us() - p.start_us >= wait->timeout_s * 1000000)
			return give_up(wait, &p, "not within the time given", buf);
		if (!interrupt_sleep(LOOK_MS))
			return give_up(wait, &p, "interrupted", buf);
	}
}

static enum wait_state look_drained(const struct node *node, struct strbuf *text)
{
	if (!node->drained && node->state != NODE_MAINT) {
		strbuf_puts(text,
			    "it is no longer draining: somebody made it ready, or HAProxy was reloaded");
		return WAIT_CONFLICT;
	}
	if (node->sessions <= 0 && node->queue <= 0)
		return WAIT_DONE;
	strbuf_printf(text, "%lld running, %lld queued", (long long)node->sessions, (long long)node->queue);
	return WAIT_ON;
}

enum cli_exit node_wait_drained(const char *socket, const char *name, int64_t timeout_s)
{
	struct wait wait = {socket, name, timeout_s, look_drained,
			    "it stays draining; `tollgate node ready` takes it back"};

	return run(&wait);
}

static enum wait_state look_up(const struct node *node, struct strbuf *text)
{
	if (node->drained || node->state == NODE_MAINT) {
		strbuf_puts(text, "somebody took it out of service again");
		return WAIT_CONFLICT;
	}
	if (node->state == NODE_UP && node->settled)
		return WAIT_DONE;
	strbuf_printf(text, "%s, its check says %s %.50s", node->status,
		      node->check[0] != '\0' ? node->check : "nothing yet", node->reason);
	return WAIT_ON;
}

enum cli_exit node_wait_up(const char *socket, const char *name, int64_t timeout_s)
{
	struct wait wait = {socket, name, timeout_s, look_up, "it takes requests as soon as its checks pass"};

	return run(&wait);
}
