// The `openai` package: Chat Completions, Responses, embeddings and models.
import assert from "node:assert/strict";
import OpenAI, {
	AuthenticationError, BadRequestError, NotFoundError, PermissionDeniedError, RateLimitError,
} from "openai";
import { zodResponseFormat } from "openai/helpers/zod";
import { z } from "zod";
import {
	checkImage, checkLeaves, checkRetry, checkStream, checkVector, city, citySchema, collect, errorTests, gate, image,
	remark,
} from "./gate.mjs";

const open = (apiKey = gate.keys.user, more = {}) => new OpenAI({ baseURL: `${gate.url}/v1`, apiKey, ...more });
const client = open();
const chat = (text, more = {}) => ({ model: gate.model, messages: [{ role: "user", content: text }], ...more });
const tools = [{ type: "function", function: { name: "find_city", description: "Finds it.", parameters: citySchema } }];

async function plain() {
	const { choices, usage } = await client.chat.completions.create(chat("openai plain"));
	assert.equal(choices[0].message.content, gate.answer);
	assert.ok(usage.completion_tokens > 0);
}

async function stream() {
	const options = { stream: true, stream_options: { include_usage: true } };
	const chunks = [];
	for await (const chunk of await client.chat.completions.create(chat("openai stream", options))) chunks.push(chunk);
	checkStream(chunks.map(({ choices }) => choices[0]?.delta.content ?? "").filter((text) => text));
	assert.ok(chunks.at(-1).usage.completion_tokens > 0);
}

async function callTools() {
	const messages = [{ role: "user", content: "Call find_city" }];
	const asked = await client.chat.completions.create({ model: gate.model, messages, tools });
	const [call] = asked.choices[0].message.tool_calls;
	assert.equal(asked.choices[0].finish_reason, "tool_calls");
	assert.deepEqual(JSON.parse(call.function.arguments), city);
	messages.push(asked.choices[0].message, { role: "tool", tool_call_id: call.id, content: "Lisbon" });
	messages.push({ role: "user", content: "And now?" });
	const { choices } = await client.chat.completions.create({ model: gate.model, messages, tools });
	assert.equal(choices[0].message.content, gate.answer);
	const runner = client.chat.completions.stream(chat("Call find_city", { tools }));
	assert.equal((await runner.finalChatCompletion()).choices[0].message.tool_calls[0].function.name, "find_city");
}

async function json() {
	const loose = await client.chat.completions.create(chat("openai json", { response_format: { type: "json_object" } }));
	assert.equal(typeof JSON.parse(loose.choices[0].message.content), "object");
	const shape = z.object({ city: z.string(), people: z.number().int() });
	const strict = await client.chat.completions.parse(
		chat("openai schema", { response_format: zodResponseFormat(shape, "city") }));
	assert.deepEqual(strict.choices[0].message.parsed, city);
}

async function thinking() {
	const whole = await client.chat.completions.create(chat("openai think", { reasoning_effort: "high" }));
	assert.equal(whole.choices[0].message.reasoning, gate.thought);
	const chunks = await client.chat.completions.create(chat("openai think", { reasoning_effort: "high", stream: true }));
	const thoughts = await collect(chunks, ({ choices }) => choices[0].delta.reasoning);
	assert.equal(thoughts.join(""), gate.thought);
	return remark("thoughts come in `reasoning`");
}

async function images() {
	const url = `data:image/png;base64,${image.toString("base64")}`;
	const content = [{ type: "text", text: "openai image" }, { type: "image_url", image_url: { url } }];
	const { choices } = await client.chat.completions.create(chat(content));
	assert.equal(choices[0].message.content, gate.answer);
	return checkImage();
}

async function embeddings() {
	const { data } = await client.embeddings.create({ model: gate.embedder, input: [gate.embedded] });
	checkVector(data[0].embedding);
}

async function responses() {
	const whole = await client.responses.create({ model: gate.model, input: "openai response" });
	assert.equal(whole.output_text, gate.answer);
	const events = await client.responses.create({ model: gate.model, input: "openai response", stream: true });
	checkStream(await collect(events, (event) => event.type === "response.output_text.delta" ? event.delta : ""));
	const called = await client.responses.create({
		model: gate.model, input: "Call find_city",
		tools: [{ type: "function", name: "find_city", parameters: citySchema, strict: true }],
	});
	assert.deepEqual(JSON.parse(called.output.find(({ type }) => type === "function_call").arguments), city);
}

async function models() {
	const names = await collect(client.models.list(), ({ id }) => id);
	assert.ok(names.includes(`${gate.model}:latest`), names.join());
	assert.equal((await client.models.retrieve(gate.model)).object, "model");
}

async function abort() {
	const controller = new AbortController();
	const slow = chat("openai abort", { model: gate.slow, stream: true });
	const chunks = await client.chat.completions.create(slow, { signal: controller.signal });
	return checkLeaves(chunks, () => controller.abort());
}

const once = (key, model) => open(key, { maxRetries: 0 }).chat.completions.create(chat("openai error", { model }));

export const tests = {
	chat: plain, stream, tools: callTools, json, thinking, images, embeddings, responses, models, abort,
	...errorTests(once, {
		400: BadRequestError, 401: AuthenticationError, 403: PermissionDeniedError, 404: NotFoundError,
		429: RateLimitError,
	}),
	retry: () => checkRetry((key) => open(key).chat.completions.create(chat("openai retry"))),
};
