// A client of graphql-transport-ws. Prints a JSON line for whatever happens; takes "pause", "resume" and "leave" as lines.
import { createInterface } from "node:readline";
import { createClient } from "graphql-ws";
import WebSocket from "ws";

const told = JSON.parse(process.argv[2]);
const print = (event, more = {}) => console.log(JSON.stringify({ event, at: Date.now(), ...more }));
const sockets = [];

class Socket extends WebSocket {
  constructor(address, protocols) {
    super(address, protocols, told.origin ? { origin: told.origin } : {});
    sockets.push(this);
  }
}

const clients = Array.from({ length: told.clients ?? 1 }, (_, client) => {
  const made = createClient({
    url: told.url.replace(/^http/, "ws"),
    webSocketImpl: Socket,
    connectionParams: told.params,
    retryAttempts: 0,
    on: {
      connected: () => print("connected", { client }),
      closed: (close) => print("closed", { client, code: close.code, reason: close.reason }),
    },
  });
  for (const query of told.queries) {
    made.subscribe(
      { query },
      {
        next: (result) => print("next", { client, result }),
        error: (error) =>
          print("error", Array.isArray(error) ? { client, errors: error } : { client, code: error.code }),
        complete: () => print("complete", { client }),
      },
    );
  }
  return made;
});

createInterface({ input: process.stdin }).on("line", async (line) => {
  if (line === "pause") sockets.forEach((socket) => socket.pause());
  if (line === "resume") sockets.forEach((socket) => socket.resume());
  if (line === "leave") {
    await Promise.all(clients.map((client) => client.dispose()));
    process.exit(0);
  }
});
