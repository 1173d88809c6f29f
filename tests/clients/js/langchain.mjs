// LangChain over a chat model and an embedder: what its tests share, whichever API they speak.
import assert from "node:assert/strict";
import { AIMessage, HumanMessage, ToolMessage } from "@langchain/core/messages";
import { tool } from "@langchain/core/tools";
import {
	checkImage, checkLeaves, checkStream, checkVector, city, citySchema, collect, errorTests, gate, image, notOffered,
} from "./gate.mjs";

/** model(key, settings): a chat model; embedder: embeddings; types: the class of error of a status. */
export function langchainTests(name, { model, embedder, types }) {
	const own = model(gate.keys.user);

	async function plain() {
		const answer = await own.invoke(`${name} plain`);
		assert.equal(answer.text, gate.answer);
		assert.ok(answer.usage_metadata.output_tokens > 0);
	}

	async function stream() {
		checkStream(await collect(await own.stream(`${name} stream`), ({ text }) => text));
	}

	async function callTools() {
		const find = tool(() => "Lisbon", { name: "find_city", description: "Finds it.", schema: citySchema });
		const bound = own.bindTools([find]);
		const asked = await bound.invoke("Call find_city");
		assert.deepEqual(asked.tool_calls[0].args, city);
		const result = await find.invoke(asked.tool_calls[0]);
		assert.ok(result instanceof ToolMessage && asked instanceof AIMessage);
		const answer = await bound.invoke([new HumanMessage("Call find_city"), asked, result, new HumanMessage("And now?")]);
		assert.equal(answer.text, gate.answer);
	}

	async function structured() {
		const shaped = own.withStructuredOutput(citySchema, { method: "jsonSchema", name: "city" });
		assert.deepEqual(await shaped.invoke(`${name} json`), city);
	}

	async function images() {
		const url = `data:image/png;base64,${image.toString("base64")}`;
		const content = [{ type: "text", text: `${name} image` }, { type: "image_url", image_url: { url } }];
		assert.equal((await own.invoke([new HumanMessage({ content })])).text, gate.answer);
		return checkImage();
	}

	async function abort() {
		const controller = new AbortController();
		const slow = model(gate.keys.user, { model: gate.slow, maxRetries: 0 });
		return checkLeaves(await slow.stream(`${name} abort`, { signal: controller.signal }), () => controller.abort());
	}

	const once = (key, asked) => model(key, { model: asked, maxRetries: 0 }).invoke(`${name} error`);

	return {
		chat: plain, stream, tools: callTools, json: structured, images,
		embeddings: async () => checkVector(await embedder.embedQuery(gate.embedded)),
		models: async () => notOffered(!("models" in own || "list" in own), "LangChain lists no models"),
		abort, ...errorTests(once, types),
	};
}
