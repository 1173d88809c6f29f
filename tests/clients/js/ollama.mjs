// The `ollama` package: the native API.
import assert from "node:assert/strict";
import { Ollama } from "ollama";
import {
	checkImage, checkLeaves, checkRetry, checkStream, checkVector, city, citySchema, collect, errorTests, gate, image,
	notOffered, remark,
} from "./gate.mjs";

const open = (key = gate.keys.user) => new Ollama({ host: gate.url, headers: { Authorization: `Bearer ${key}` } });
const client = open();
const chat = (content, more = {}) => ({ model: gate.model, messages: [{ role: "user", content }], ...more });
const tools = [{ type: "function", function: { name: "find_city", description: "Finds it.", parameters: citySchema } }];

async function plain() {
	const answer = await client.chat(chat("ollama plain"));
	assert.equal(answer.message.content, gate.answer);
	assert.ok(answer.eval_count > 0);
	assert.equal((await client.generate({ model: gate.model, prompt: "ollama plain" })).response, gate.answer);
	// the way of programs that can send no header
	const keyless = new Ollama({ host: `${gate.url}/k/${gate.keys.user}` });
	assert.equal((await keyless.chat(chat("ollama path"))).message.content, gate.answer);
}

async function stream() {
	const parts = await client.chat(chat("ollama stream", { stream: true }));
	checkStream(await collect(parts, ({ message }) => message.content));
	const generated = await client.generate({ model: gate.model, prompt: "ollama stream", stream: true });
	checkStream(await collect(generated, ({ response }) => response));
}

async function callTools() {
	const messages = [{ role: "user", content: "Call find_city" }];
	const { message } = await client.chat({ model: gate.model, messages, tools });
	assert.deepEqual(message.tool_calls[0].function.arguments, city);
	messages.push(message, { role: "tool", tool_name: "find_city", content: "Lisbon" });
	messages.push({ role: "user", content: "And now?" });
	assert.equal((await client.chat({ model: gate.model, messages, tools })).message.content, gate.answer);
	const calls = [];
	for await (const part of await client.chat(chat("Call find_city", { tools, stream: true })))
		calls.push(...(part.message.tool_calls ?? []));
	assert.deepEqual(calls[0].function.arguments, city);
}

async function json() {
	const loose = await client.chat(chat("ollama json", { format: "json" }));
	assert.equal(typeof JSON.parse(loose.message.content), "object");
	const strict = await client.chat(chat("ollama schema", { format: citySchema }));
	assert.deepEqual(JSON.parse(strict.message.content), city);
}

async function thinking() {
	const { message } = await client.chat(chat("ollama think", { think: true }));
	assert.deepEqual([message.thinking, message.content], [gate.thought, gate.afterThought]);
	const parts = await client.chat(chat("ollama think", { think: "high", stream: true }));
	assert.equal((await collect(parts, (part) => part.message.thinking)).join(""), gate.thought);
	return remark("thoughts come in `thinking`");
}

async function images() {
	const messages = [{ role: "user", content: "ollama image", images: [image] }];
	assert.equal((await client.chat({ model: gate.model, messages })).message.content, gate.answer);
	return checkImage();
}

async function embeddings() {
	checkVector((await client.embed({ model: gate.embedder, input: gate.embedded })).embeddings[0]);
	checkVector((await client.embeddings({ model: gate.embedder, prompt: gate.embedded })).embedding);
}

async function models() {
	const { models: listed } = await client.list();
	assert.ok(listed.some(({ name }) => name === `${gate.model}:latest`));
	const shown = await client.show({ model: gate.model });
	assert.ok(shown.capabilities.includes("completion"));
	assert.ok(Array.isArray((await client.ps()).models));
}

async function abort() {
	const parts = await client.chat(chat("ollama abort", { model: gate.slow, stream: true }));
	return checkLeaves(parts, () => parts.abort());
}

const once = (key, model) => open(key).chat(chat("ollama error", { model }));
// The class is not exported; it is the one of an error the package raised.
const raised = await once("tg_wrong", gate.model).catch((error) => error);
assert.equal(raised.constructor.name, "ResponseError");

export const tests = {
	chat: plain, stream, tools: callTools, json, thinking, images, embeddings,
	responses: async () => notOffered(!("responses" in client), "another API"),
	models, abort, ...errorTests(once, { any: raised.constructor }),
	retry: () => checkRetry((key) => open(key).chat(chat("ollama retry")), { retries: false }),
};
