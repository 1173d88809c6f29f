// What a client's tests stand on: the gate and its keys, what the nodes and the audit log saw, and the checks that
// all clients share. TOLLGATE_CLIENTS_CONFIG names the file that matrix.py wrote.
import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { ask, sentBody } from "./observe.mjs";

export const gate = JSON.parse(readFileSync(process.env.TOLLGATE_CLIENTS_CONFIG, "utf8"));

/** Thrown by a test of something that the client, or Ollama behind it, does not have. */
export class NotOffered extends Error {}

/** Ends a test as "not offered", after making sure that it is so. */
export function notOffered(missing, note) {
	assert.ok(missing, `offered after all: ${note}`);
	throw new NotOffered(note);
}

/** What a test returns when the table's reader should know it, too. */
export const remark = (text) => ({ remark: text });

/** A JSON schema that the simulated model fills with the names and kinds of its fields. */
export const citySchema = {
	type: "object",
	properties: { city: { type: "string" }, people: { type: "integer" } },
	required: ["city", "people"],
	additionalProperties: false,
};
export const city = { city: "city", people: 7 };

// 4 MB that compress to nothing less.
export const image = (() => {
	const bytes = Buffer.alloc(4_000_000);
	for (let i = 0, x = 1; i < bytes.length; i++) bytes[i] = (x = (x * 1_103_515_245 + 12_345) & 0x7fffffff) >> 16;
	return bytes;
})();

export async function collect(pieces, textOf) {
	const texts = [];
	for await (const piece of pieces) texts.push(textOf(piece) ?? "");
	return texts.filter((text) => text !== "");
}

/** A streamed answer: the node's words in their order, in several pieces. */
export function checkStream(texts) {
	assert.equal(texts.join(""), gate.answer);
	assert.ok(texts.length > 3, `${texts.length} pieces`);
}

export function checkVector(vector) {
	assert.equal(vector.length, gate.vector.length);
	vector.forEach((value, i) => assert.ok(Math.abs(value - gate.vector[i]) < 1e-5));
}

/** Whether the call fails with this class of error and status, and the text reaches the program. */
async function checkError(call, { type, status, text, textOf }) {
	const error = await call().then(
		() => assert.fail("no error was raised"),
		(raised) => raised,
	);
	assert.ok(error instanceof type, `${error.constructor.name}: ${error.message}`);
	assert.equal(error.status ?? error.statusCode ?? error.status_code, status);
	assert.ok(textOf(error).includes(text), textOf(error));
	return error;
}

/**
 * The five refusals a program meets. make(key, model) starts a call that does not retry; types gives the class of
 * error a status, or `any` for all; textOf says where the error has the gate's words.
 */
export function errorTests(make, types, textOf = ({ message }) => message) {
	const refused = (status, key, model, text) => async () => {
		const type = types[status] ?? types.any;
		const error = await checkError(() => make(key, model), { type, status, text, textOf });
		return error.constructor.name;
	};
	return {
		error_400: refused(400, gate.keys.user, "not a name", "the model's name is not valid"),
		error_401: refused(401, "tg_wrong", gate.model, "the API key is not one of this gateway"),
		error_403: refused(403, gate.keys.forbidden, gate.model, "this API key may not use this model"),
		error_404: refused(404, gate.keys.user, "absent", "model 'absent' not found"),
		error_429: async () => {
			await make(gate.limited, gate.model).catch(() => {});
			return refused(429, gate.limited, gate.model, "limit of 1 requests a minute is reached")();
		},
	};
}

// ---- what others saw ----------------------------------------------------------------------------------

async function until(what, seconds, look) {
	for (const end = performance.now() + seconds * 1000; ; await sleep(20)) {
		const found = await look();
		if (found) return found;
		assert.ok(performance.now() < end, `not within ${seconds} s: ${what}`);
	}
}

async function nodeEvents(sha256) {
	const events = [];
	for (const url of gate.sims) events.push(...(await (await ask(`${url}/state`)).json()).events);
	return events.filter((event) => event.body_sha256 === sha256);
}

/** Whether the last request reached exactly one node, byte for byte; returns the node's record of it. */
export async function checkIntact() {
	const { sha256, bytes } = sentBody();
	const [event, ...more] = await until("the body at a node", 5, async () => {
		const events = await nodeEvents(sha256);
		return events.length > 0 && events;
	});
	assert.equal(more.length, 0, "more than one node");
	assert.equal(event.body_bytes, bytes);
	return event;
}

export async function checkImage() {
	const event = await checkIntact();
	assert.equal(event.images, 1);
	assert.ok(event.body_bytes > (image.length * 4) / 3);
	return `${(event.body_bytes / 1e6).toFixed(1)} MB whole at the node`;
}

/** Reads some pieces of a stream that takes minutes, calls stop, and expects the node to be free within a second. */
export async function checkLeaves(stream, stop) {
	const pieces = stream[Symbol.asyncIterator]();
	for (let i = 0; i < 3; i++) assert.equal((await pieces.next()).done, false);
	const { sha256 } = sentBody();
	const [running] = await nodeEvents(sha256);
	assert.equal(running?.outcome, null, "the node is not at work");
	const left = Date.now() / 1000;
	await stop(pieces);
	for (let done = false; !done; ) done = await pieces.next().then(({ done }) => done, () => true);
	const ended = await until("the node is free", 5, async () => {
		const [event] = await nodeEvents(sha256);
		return event.outcome && event;
	});
	const seconds = ended.end_unix - left;
	assert.equal(ended.outcome, "cancelled");
	assert.ok(seconds < 1, `free only after ${seconds} s`);
	return `node free after ${Math.max(0, seconds * 1000).toFixed(0)} ms`;
}

// ---- retries -------------------------------------------------------------------------------------------

function decisions(key) {
	const id = key.split("_")[1];
	const lines = readdirSync(gate.audit).filter((name) => name.endsWith(".jsonl"))
		.flatMap((name) => readFileSync(path.join(gate.audit, name), "utf8").split("\n"));
	return lines.filter((line) => line.includes(id) && line.includes('"decision"')).map((line) => JSON.parse(line));
}

/**
 * Calls with a key whose one request a minute is used up, as a program with default settings would. The attempts are
 * those the audit log knows. Without `retries` the client must give up at once.
 */
export async function checkRetry(call, { retries = true } = {}) {
	const key = gate.limited;
	const body = JSON.stringify({ model: gate.model, messages: [{ role: "user", content: "first" }], stream: false });
	const first = await ask(`${gate.url}/api/chat`, { method: "POST", body, headers: { authorization: `Bearer ${key}` } });
	assert.equal(first.status, 200, await first.text());
	// so that what is left to wait is below a minute: some clients obey no longer Retry-After
	await sleep(4000);
	const start = performance.now();
	const error = await call(key).then(() => null, (raised) => raised);
	const seconds = (performance.now() - start) / 1000;
	// the log's writer works in groups, so the last attempt may be a moment late
	if (error) await sleep(1000);
	const seen = await until("the attempts in the audit log", 5, () => {
		const found = decisions(key);
		return found.length > 1 && (error || found.at(-1).status === 200) && found;
	});
	const attempts = seen.length - 1;
	if (!retries) {
		assert.ok(error && attempts === 1, `${attempts} attempts`);
		throw new NotOffered("it does not retry: one attempt, then its error");
	}
	assert.equal(error, null, `${attempts} attempts in ${seconds.toFixed(1)} s, then ${error?.message}`);
	assert.deepEqual(seen.map(({ status }) => status), [200, 429, 200]);
	assert.ok(seconds > 50 && seconds < 75, `${seconds} s`);
	return `${attempts} attempts, the second after ${seconds.toFixed(0)} s, as Retry-After said`;
}
