// What agents do with `fetch`, each by its name. `input.base` is the address of a server that has /json (an object), /echo (what
// was sent), /status/404, /redirect (to /json), /gzip (compressed text), /slow (later than 100 ms) and /headers (what was sent).

const problemOf = async (attempt) => {
  try {
    await attempt();
    return "nothing was thrown";
  } catch (error) {
    return error.name;
  }
};

export async function run({ base }) {
  const idioms = {};
  let response = await fetch(`${base}/json`);
  idioms["status"] = [response.status, response.ok];
  idioms["JSON is announced"] = response.headers.get("Content-Type")?.includes("json") ?? false;
  const data = await response.json();
  idioms["JSON"] = typeof data;

  response = await fetch(`${base}/json`);
  idioms["text"] = JSON.stringify(JSON.parse(await response.text())) === JSON.stringify(data);

  response = await fetch(`${base}/echo`, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ question: 42 }),
  });
  idioms["POST JSON"] = (await response.text()).includes("42");

  response = await fetch(`${base}/echo`, { method: "POST", body: new URLSearchParams({ name: "ada" }) });
  idioms["POST a form"] = (await response.text()).includes("name=ada");

  const form = new FormData();
  form.append("file", new Blob(["content of a file"], { type: "text/plain" }), "a.txt");
  response = await fetch(`${base}/echo`, { method: "POST", body: form });
  idioms["POST a file"] = (await response.text()).includes("content of a file");

  response = await fetch(new Request(`${base}/echo`, { method: "PUT", body: new TextEncoder().encode("some bytes") }));
  idioms["PUT bytes by a Request"] = (await response.text()).includes("some bytes");

  response = await fetch(`${base}/headers`, { headers: new Headers({ "X-Idiom": "sent-with-the-request" }) });
  idioms["headers"] = (await response.text()).includes("sent-with-the-request");

  const url = new URL("/echo", base);
  url.searchParams.set("q", "a b");
  response = await fetch(url, { method: "HEAD" });
  idioms["HEAD of a URL object"] = [response.url === url.href, await response.text()];

  response = await fetch(`${base}/status/404`);
  idioms["404 is no exception"] = [response.status, response.ok];

  response = await fetch(`${base}/redirect`);
  idioms["a redirect is followed"] = [response.status, response.redirected];
  response = await fetch(`${base}/redirect`, { redirect: "manual" });
  idioms["a redirect is looked at"] = [response.status >= 300 && response.status < 400, response.headers.has("location")];
  idioms["a redirect is refused"] = await problemOf(() => fetch(`${base}/redirect`, { redirect: "error" }));

  response = await fetch(`${base}/gzip`);
  idioms["compressed text"] = [response.headers.has("content-encoding"), (await response.text()).length > 0];

  response = await fetch(`${base}/json`);
  let size = 0;
  for await (const chunk of response.body) size += chunk.length;
  idioms["a body in chunks"] = size === (await (await fetch(`${base}/json`)).arrayBuffer()).byteLength;

  const all = await Promise.all(["/json", "/status/404", "/gzip"].map((path) => fetch(base + path)));
  idioms["several at once"] = all.map(({ status }) => status);

  idioms["a timeout"] = await problemOf(() => fetch(`${base}/slow`, { signal: AbortSignal.timeout(20) }));
  const controller = new AbortController();
  setTimeout(() => controller.abort(), 20);
  idioms["an abort"] = await problemOf(() => fetch(`${base}/slow`, { signal: controller.signal }));

  idioms["an address that is none"] = await problemOf(() => fetch("no address"));
  idioms["what is not granted"] = await problemOf(() => fetch("https://not-granted.example/"));
  return idioms;
}
