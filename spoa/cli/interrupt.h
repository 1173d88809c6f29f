/* Commands that wait end at SIGINT, SIGTERM or SIGHUP with what they have to say, not in the middle. */
#ifndef TOLLGATE_CLI_INTERRUPT_H
#define TOLLGATE_CLI_INTERRUPT_H

#include <stdbool.h>
#include <stdint.h>

/* From now on the signals only set a flag. */
void interrupt_catch(void);

bool interrupt_seen(void);

/* False when a signal came before or while it slept. */
bool interrupt_sleep(int64_t ms);

#endif
