// A client of GraphQL over server-sent events, in distinct connections mode. Prints a JSON line for whatever happens.
import { createInterface } from "node:readline";
import { createClient } from "graphql-sse";

const told = JSON.parse(process.argv[2]);
const print = (event, more = {}) => console.log(JSON.stringify({ event, at: Date.now(), ...more }));

const client = createClient({
  url: told.url,
  headers: told.params,
  retryAttempts: 0,
  fetchFn: async (...request) => {
    const response = await fetch(...request);
    print("connected", { client: 0, status: response.status, type: response.headers.get("content-type") });
    return response;
  },
});
for (const query of told.queries) {
  client.subscribe(
    { query },
    {
      next: (result) => print("next", { client: 0, result }),
      error: (error) => print("error", { client: 0, status: error.response?.status, message: String(error) }),
      complete: () => print("complete", { client: 0 }),
    },
  );
}

createInterface({ input: process.stdin }).on("line", (line) => {
  if (line === "leave") {
    client.dispose();
    process.exit(0);
  }
});
