// `@langchain/ollama`, which speaks the native API through the `ollama` package.
import assert from "node:assert/strict";
import { ChatOllama, OllamaEmbeddings } from "@langchain/ollama";
import { checkRetry, gate, notOffered, remark } from "./gate.mjs";
import { langchainTests } from "./langchain.mjs";

const access = (key) => ({ baseUrl: gate.url, headers: { Authorization: `Bearer ${key}` } });
const model = (key, more = {}) => new ChatOllama({ ...access(key), model: gate.model, ...more });
const embedder = new OllamaEmbeddings({ ...access(gate.keys.user), model: gate.embedder });
// The class is not exported; it is the one of an error the package raised.
const raised = await model("tg_wrong", { maxRetries: 0 }).invoke("x").catch((error) => error);
assert.equal(raised.constructor.name, "ResponseError");

async function thinking() {
	const answer = await model(gate.keys.user, { think: true }).invoke("langchain-ollama think");
	assert.equal(answer.additional_kwargs.reasoning_content, gate.thought);
	return remark("thoughts come in `additional_kwargs.reasoning_content`");
}

export const tests = {
	...langchainTests("langchain-ollama", { model, embedder, types: { any: raised.constructor } }),
	thinking,
	responses: async () => notOffered(!("responses" in model("tg_x").client), "another API"),
	retry: () => checkRetry((key) => model(key).invoke("langchain-ollama retry"), { retries: false }),
};
