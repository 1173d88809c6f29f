// The Vercel AI SDK over a provider: what its tests share, whichever API the provider speaks.
import assert from "node:assert/strict";
import { APICallError, embed, generateText, jsonSchema, Output, stepCountIs, streamText, tool } from "ai";
import {
	checkImage, checkLeaves, checkRetry, checkStream, checkVector, city, citySchema, collect, errorTests, gate, image,
	notOffered,
} from "./gate.mjs";

/**
 * provider(key): a provider instance; thinkOptions: the provider options that ask for thoughts; errorText: where an
 * error has the gate's words.
 */
export function aiTests(name, provider, thinkOptions, errorText) {
	const own = provider(gate.keys.user);
	const model = own(gate.model);

	async function plain() {
		const { text, usage } = await generateText({ model, prompt: `${name} plain` });
		assert.equal(text, gate.answer);
		assert.ok(usage.outputTokens > 0);
	}

	async function stream() {
		checkStream(await collect(streamText({ model, prompt: `${name} stream` }).textStream, (text) => text));
	}

	async function callTools() {
		const given = [];
		const find_city = tool({
			description: "Finds it.",
			inputSchema: jsonSchema(citySchema),
			execute: async (input) => given.push(input) && "Lisbon",
		});
		const { steps, text } = await generateText({
			model, prompt: "Call find_city", tools: { find_city }, stopWhen: stepCountIs(3),
			// the simulated model would ask again for as long as it is offered the tool
			prepareStep: ({ stepNumber }) => stepNumber > 0 ? { activeTools: [] } : {},
		});
		assert.deepEqual([given, steps.length, text], [[city], 2, gate.answer]);
		const streamed = streamText({ model, prompt: "Call find_city", tools: { find_city } });
		assert.deepEqual((await streamed.toolCalls)[0].input, city);
	}

	async function json() {
		const output = Output.object({ schema: jsonSchema(citySchema) });
		assert.deepEqual((await generateText({ model, prompt: `${name} json`, output })).output, city);
	}

	async function thinking() {
		const asked = { model, prompt: `${name} think`, providerOptions: thinkOptions };
		const whole = await generateText(asked);
		assert.deepEqual([whole.reasoningText, whole.text], [gate.thought, gate.afterThought]);
		const parts = streamText(asked).fullStream;
		const thoughts = await collect(parts, (part) => part.type === "reasoning-delta" ? part.text : "");
		assert.equal(thoughts.join(""), gate.thought);
	}

	async function images() {
		const part = { type: "image", image: image.toString("base64"), mediaType: "image/png" };
		const content = [{ type: "text", text: `${name} image` }, part];
		const { text } = await generateText({ model, messages: [{ role: "user", content }] });
		assert.equal(text, gate.answer);
		return checkImage();
	}

	async function embeddings() {
		const { embedding } = await embed({ model: own.embeddingModel(gate.embedder), value: gate.embedded });
		checkVector(embedding);
	}

	async function abort() {
		const controller = new AbortController();
		const slow = streamText({
			model: own(gate.slow), prompt: `${name} abort`, abortSignal: controller.signal, onError: () => {},
		});
		return checkLeaves(slow.textStream, () => controller.abort());
	}

	const once = (key, asked) => generateText({ model: provider(key)(asked), prompt: `${name} error`, maxRetries: 0 });
	const again = (key) => generateText({ model: provider(key)(gate.model), prompt: `${name} retry` });

	return {
		chat: plain, stream, tools: callTools, json, thinking, images, embeddings,
		responses: async () => notOffered(!("responses" in own), "the provider has none"),
		models: async () => notOffered(!("models" in own || "list" in own), "the SDK lists no models"),
		abort, ...errorTests(once, { any: APICallError }, errorText), retry: () => checkRetry(again),
	};
}
