/* The flag and the sleep that minds it. */
#include "cli/interrupt.h"

#include <poll.h>
#include <signal.h>

static volatile sig_atomic_t seen;

static void on_signal(int number)
{
	(void)number;
	seen = 1;
}

void interrupt_catch(void)
{
	struct sigaction action = {.sa_handler = on_signal};

	(void)sigemptyset(&action.sa_mask);
	(void)sigaction(SIGINT, &action, NULL);
	(void)sigaction(SIGTERM, &action, NULL);
	(void)sigaction(SIGHUP, &action, NULL);
}

bool interrupt_seen(void)
{
	return seen != 0;
}

bool interrupt_sleep(int64_t ms)
{
	if (seen == 0)
		(void)poll(NULL, 0, (int)ms);
	return seen == 0;
}
