// The `@anthropic-ai/sdk` package: Messages and models.
import assert from "node:assert/strict";
import Anthropic, {
	AuthenticationError, BadRequestError, NotFoundError, PermissionDeniedError, RateLimitError,
} from "@anthropic-ai/sdk";
import {
	checkImage, checkIntact, checkLeaves, checkRetry, checkStream, city, citySchema, collect, errorTests, gate, image,
	notOffered, remark,
} from "./gate.mjs";

const open = (apiKey = gate.keys.user, more = {}) => new Anthropic({ baseURL: gate.url, apiKey, ...more });
const client = open();
const chat = (content, more = {}) =>
	({ model: gate.model, max_tokens: 4000, messages: [{ role: "user", content }], ...more });
const tools = [{ name: "find_city", description: "Finds it.", input_schema: citySchema }];
const text = ({ content }) => content.find(({ type }) => type === "text")?.text;

async function plain() {
	const message = await client.messages.create(chat("anthropic plain"));
	assert.equal(text(message), gate.answer);
	assert.equal(message.stop_reason, "end_turn");
	assert.ok(message.usage.output_tokens > 0);
	// the way of Claude Code: a bearer token, and a query that asks for beta features
	const bearer = new Anthropic({ baseURL: gate.url, authToken: gate.keys.user, apiKey: null });
	assert.equal(text(await bearer.beta.messages.create(chat("anthropic bearer"))), gate.answer);
}

async function stream() {
	const events = client.messages.stream(chat("anthropic stream"));
	const texts = [];
	events.on("text", (delta) => texts.push(delta));
	const message = await events.finalMessage();
	checkStream(texts);
	assert.ok(message.usage.output_tokens > 0);
}

async function callTools() {
	const messages = [{ role: "user", content: "Call find_city" }];
	const asked = await client.messages.create({ ...chat(""), messages, tools });
	const call = asked.content.find(({ type }) => type === "tool_use");
	assert.equal(asked.stop_reason, "tool_use");
	assert.deepEqual(call.input, city);
	const result = { type: "tool_result", tool_use_id: call.id, content: "Lisbon" };
	messages.push({ role: "assistant", content: asked.content }, { role: "user", content: [result] });
	assert.equal(text(await client.messages.create({ ...chat(""), messages, tools })), gate.answer);
	const streamed = await client.messages.stream(chat("Call find_city", { tools })).finalMessage();
	assert.deepEqual(streamed.content.find(({ type }) => type === "tool_use").input, city);
}

async function json() {
	const format = { type: "json_schema", schema: citySchema };
	const message = await client.messages.create(chat("anthropic json", { output_config: { format } }));
	await checkIntact();
	notOffered(text(message) === gate.answer, "Ollama's /v1/messages takes no schema; the request passes whole");
}

async function thinking() {
	const asked = chat("anthropic think", { thinking: { type: "enabled", budget_tokens: 2000 } });
	const whole = await client.messages.create(asked);
	assert.equal(whole.content[0].thinking, gate.thought);
	assert.equal(text(whole), gate.afterThought);
	const events = client.messages.stream(asked);
	const thoughts = [];
	events.on("thinking", (delta) => thoughts.push(delta));
	await events.done();
	assert.equal(thoughts.join(""), gate.thought);
	return remark("thoughts come in `thinking` blocks");
}

async function images() {
	const source = { type: "base64", media_type: "image/png", data: image.toString("base64") };
	const message = await client.messages.create(chat([{ type: "image", source }, { type: "text", text: "what?" }]));
	assert.equal(text(message), gate.answer);
	return checkImage();
}

async function models() {
	const names = await collect(client.models.list(), ({ id }) => id);
	assert.ok(names.includes(`${gate.model}:latest`), names.join());
	assert.equal((await client.models.retrieve(gate.model)).id, gate.model);
}

async function abort() {
	const controller = new AbortController();
	const slow = chat("anthropic abort", { model: gate.slow, stream: true });
	return checkLeaves(await client.messages.create(slow, { signal: controller.signal }), () => controller.abort());
}

const once = (key, model) => open(key, { maxRetries: 0 }).messages.create(chat("anthropic error", { model }));

export const tests = {
	chat: plain, stream, tools: callTools, json, thinking, images,
	embeddings: async () => notOffered(!("embeddings" in client), "Anthropic's API has none"),
	responses: async () => notOffered(!("responses" in client), "another API"),
	models, abort,
	...errorTests(once, {
		400: BadRequestError, 401: AuthenticationError, 403: PermissionDeniedError, 404: NotFoundError,
		429: RateLimitError,
	}),
	retry: () => checkRetry((key) => open(key).messages.create(chat("anthropic retry"))),
};
