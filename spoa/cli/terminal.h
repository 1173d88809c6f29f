/* A terminal drawn on as a whole: ANSI sequences, no curses. */
#ifndef TOLLGATE_CLI_TERMINAL_H
#define TOLLGATE_CLI_TERMINAL_H

#include "base/slice.h"

/* Takes the second screen and single keys without echo. False when stdin or stdout is no terminal. */
bool terminal_enter(void);

/* Gives both back as they were. */
void terminal_leave(void);

/* Columns and rows; 80 and 24 when the terminal does not tell. */
void terminal_size(size_t *ret_columns, size_t *ret_rows);

/* Shows a text of lines from the top left corner on, each cut to the width. */
void terminal_show(struct slice text);

/* Waits so long. False when somebody wants to leave: q, Ctrl-C, or a signal. */
bool terminal_wait(int64_t ms);

#endif
