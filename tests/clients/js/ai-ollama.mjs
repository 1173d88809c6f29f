// `ai` with `ollama-ai-provider-v2`, which speaks the native API.
import assert from "node:assert/strict";
import { generateText } from "ai";
import { createOllama } from "ollama-ai-provider-v2";
import { aiTests } from "./ai.mjs";
import { gate, remark } from "./gate.mjs";

const provider = (key) => createOllama({ baseURL: `${gate.url}/api`, headers: { Authorization: `Bearer ${key}` } });

const tests = aiTests("ai-ollama", provider, { ollama: { think: true } }, ({ responseBody }) => responseBody);
const { error_401, images } = tests;

// Two habits of the provider that its users should know, kept true by tests.
tests.error_401 = async () => {
	await error_401();
	const model = provider("tg_wrong")(gate.model);
	await assert.rejects(generateText({ model, prompt: "x", maxRetries: 0 }), { message: "Unauthorized" });
	return remark("the provider looks for OpenAI's errors: `message` has the status, the words are in `responseBody`");
};
tests.images = async () => {
	await images();
	return remark("images as base64: the provider writes a `Uint8Array` as a list of numbers, ten times as long");
};

export { tests };
