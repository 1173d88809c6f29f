/* Pieces of a manual page in the man macros of troff. */
#ifndef TOLLGATE_CLI_MAN_TEXT_H
#define TOLLGATE_CLI_MAN_TEXT_H

#include <stdio.h>

#include "base/slice.h"

/* Text within a line, escaped; `man_line` for the start of one, where a dot or a quote means something. */
void man_text(const char *text, FILE *out);
void man_line(struct slice line, FILE *out);

/* The head of an entry in a list, in bold, with a value in italics unless it is NULL. */
void man_term(const char *name, const char *value, FILE *out);

/* The same for an option: with its dashes. */
void man_option(const char *name, const char *value, FILE *out);

#endif
