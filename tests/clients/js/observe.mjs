// Notes the body of every request as it leaves, so that a test can look for exactly these bytes at a node.
// Imported before any client library, since some keep the fetch they find when they load.
import { createHash } from "node:crypto";

const send = globalThis.fetch;
let last = null;

globalThis.fetch = (input, init) => {
	const body = init?.body;
	if (typeof body === "string" || body instanceof Uint8Array)
		last = { sha256: createHash("sha256").update(body).digest("hex"), bytes: Buffer.byteLength(body) };
	else if (body != null) throw new Error(`a body that cannot be noted: ${body.constructor?.name}`);
	return send(input, init);
};

/** The body that was sent last: {sha256, bytes}. */
export const sentBody = () => last;

/** fetch that leaves no note, for the tests' own questions. */
export const ask = send;
