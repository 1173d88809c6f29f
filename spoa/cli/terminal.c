/* termios and the few sequences that every terminal since the VT220 knows. */
#include "cli/terminal.h"

#include <poll.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "base/clock.h"
#include "cli/interrupt.h"

static struct termios saved;

bool terminal_enter(void)
{
	if (!isatty(STDOUT_FILENO) || tcgetattr(STDIN_FILENO, &saved) != 0)
		return false;
	struct termios raw = saved;
	/* Ctrl-C and Ctrl-Z come as keys: nothing can end or stop us with the screen in this state. */
	raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO | ISIG);
	raw.c_cc[VMIN] = 0;
	raw.c_cc[VTIME] = 0;
	interrupt_catch();
	if (tcsetattr(STDIN_FILENO, TCSANOW, &raw) != 0)
		return false;
	(void)fputs("\033[?1049h\033[?25l", stdout);
	return true;
}

void terminal_leave(void)
{
	(void)fputs("\033[?25h\033[?1049l", stdout);
	(void)fflush(stdout);
	(void)tcsetattr(STDIN_FILENO, TCSANOW, &saved);
}

void terminal_size(size_t *ret_columns, size_t *ret_rows)
{
	struct winsize size = {0};

	bool told = ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 && size.ws_row > 0;
	*ret_columns = told ? size.ws_col : 80;
	*ret_rows = told ? size.ws_row : 24;
}

void terminal_show(struct slice text)
{
	size_t columns, rows;
	struct slice line;

	terminal_size(&columns, &rows);
	(void)fputs("\033[H", stdout);
	for (size_t row = 0; row < rows && text.n > 0 && slice_next(&text, '\n', &line); row++) {
		(void)fwrite(line.p, 1, line.n < columns ? line.n : columns, stdout);
		(void)fputs(row + 1 < rows ? "\033[K\n" : "\033[K", stdout);
	}
	(void)fputs("\033[J", stdout);
	(void)fflush(stdout);
}

/* Reads what was typed. False when it means to leave or the terminal is gone. */
static bool read_keys(void)
{
	char keys[64];
	ssize_t n = read(STDIN_FILENO, keys, sizeof(keys));

	for (ssize_t i = 0; i < n; i++)
		if (keys[i] == 'q' || keys[i] == 'Q' || keys[i] == 3)
			return false;
	return n > 0;
}

bool terminal_wait(int64_t ms)
{
	int64_t end = clock_mono_us() + ms * 1000;

	for (;;) {
		int64_t left = (end - clock_mono_us()) / 1000;
		struct pollfd fd = {.fd = STDIN_FILENO, .events = POLLIN};
		if (interrupt_seen())
			return false;
		if (left <= 0)
			return true;
		/* a new size of the window ends poll(), and the screen is drawn anew */
		int ready = poll(&fd, 1, (int)left);
		if (ready > 0 && !read_keys())
			return false;
	}
}
