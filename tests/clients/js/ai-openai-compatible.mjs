// `ai` with `@ai-sdk/openai-compatible`, which speaks Chat Completions.
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { aiTests } from "./ai.mjs";
import { gate } from "./gate.mjs";

const provider = (apiKey) => createOpenAICompatible({
	name: "tollgate", baseURL: `${gate.url}/v1`, apiKey, supportsStructuredOutputs: true,
});

export const tests = aiTests("ai-openai-compatible", provider, { tollgate: { reasoningEffort: "high" } });
