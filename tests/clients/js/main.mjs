// Runs one client's tests and prints one JSON object a test:   node main.mjs CLIENT main|retry
import "./observe.mjs";
import { gate, NotOffered } from "./gate.mjs";

const SECONDS = 30;
const [name, part] = process.argv.slice(2);
const { tests } = await import(`./${name}.mjs`);

gate.limited = gate.keys.limited[`${name}-${part}`];

// A note is for whoever watches the tests; a remark, and why something is not "yes", stands in the table.
function report(feature, result, note) {
	const remark = result !== "yes" || Boolean(note?.remark);
	process.stdout.write(`${JSON.stringify({ feature, result, note: String(note?.remark ?? note ?? ""), remark })}\n`);
}

async function within(seconds, work) {
	let timer;
	const late = new Promise((_, reject) => {
		timer = setTimeout(() => reject(new Error(`no end within ${seconds} s`)), seconds * 1000);
	});
	return Promise.race([work, late]).finally(() => clearTimeout(timer));
}

for (const [feature, test] of Object.entries(tests)) {
	if ((feature === "retry") !== (part === "retry")) continue;
	try {
		report(feature, "yes", await within(part === "retry" ? 5 * SECONDS : SECONDS, test()));
	} catch (error) {
		if (error instanceof NotOffered) report(feature, "n.a.", error.message);
		else {
			report(feature, "no", error?.message ?? error);
			console.error(`--- ${name} ${feature}\n`, error);
		}
	}
}
process.exit(0);
