// `@langchain/openai`, which speaks Chat Completions and Responses through the `openai` package.
import assert from "node:assert/strict";
import { ChatOpenAI, OpenAIEmbeddings } from "@langchain/openai";
import {
	AuthenticationError, BadRequestError, NotFoundError, PermissionDeniedError, RateLimitError,
} from "openai";
import { checkRetry, checkStream, collect, gate, remark } from "./gate.mjs";
import { langchainTests } from "./langchain.mjs";

const access = (apiKey) => ({ apiKey, configuration: { baseURL: `${gate.url}/v1` } });
const model = (key, more = {}) => new ChatOpenAI({ ...access(key), model: gate.model, ...more });
const embedder = new OpenAIEmbeddings({ ...access(gate.keys.user), model: gate.embedder });

async function thinking() {
	const own = model(gate.keys.user, { useResponsesApi: true, modelKwargs: { reasoning: { effort: "high" } } });
	const { contentBlocks } = await own.invoke("langchain-openai think");
	assert.equal(contentBlocks.find(({ type }) => type === "reasoning")?.reasoning, gate.thought);
	assert.equal(contentBlocks.find(({ type }) => type === "text").text, gate.afterThought);
	return remark("over Responses, asked for in `modelKwargs`: of its own it asks only models of OpenAI's names to think");
}

async function responses() {
	const own = model(gate.keys.user, { useResponsesApi: true });
	assert.equal((await own.invoke("langchain-openai response")).text, gate.answer);
	checkStream(await collect(await own.stream("langchain-openai response"), ({ text }) => text));
}

export const tests = {
	...langchainTests("langchain-openai", {
		model, embedder,
		types: {
			400: BadRequestError, 401: AuthenticationError, 403: PermissionDeniedError, 404: NotFoundError,
			429: RateLimitError,
		},
	}),
	thinking, responses,
	retry: () => checkRetry((key) => model(key).invoke("langchain-openai retry")),
};
