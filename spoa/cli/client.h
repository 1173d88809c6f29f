/* The command line's connection to Redis: one command after the other, errors turned into sentences
 * that say what to do. Every function that fails has printed why. */
#ifndef TOLLGATE_CLI_CLIENT_H
#define TOLLGATE_CLI_CLIENT_H

#include <hiredis/hiredis.h>

#include "base/slice.h"
#include "cli/command.h"

struct client;

/* Connects to --redis or $TOLLGATE_REDIS_URL and logs in. NULL with *ret_exit on failure. */
struct client *client_open(const struct cli *cli, enum cli_exit *ret_exit);

/* NULLs the pointer. */
void client_close(struct client **client);

/* Sends one command and waits for its reply, which the caller frees. NULL when it failed, also when
 * Redis answered with an error. */
redisReply *client_call(struct client *client, const struct slice *argv, size_t argc);

/* Queues a command; its reply is fetched by client_reply() in order. */
bool client_queue(struct client *client, const struct slice *argv, size_t argc);
redisReply *client_reply(struct client *client);

#endif
