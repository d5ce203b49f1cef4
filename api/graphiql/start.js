"use strict";

// The name under which GraphiQL's libraries look for the nonce of styles that they add.
window.__webpack_nonce__ = document.currentScript.nonce;

// Read once and never written back: a pasted token does not get into the address.
const given = new URLSearchParams(location.search);
const headers = given.get("headers") ?? undefined;
const send = GraphiQL.createFetcher({ url: location.pathname });

function fetcher(operation, options) {
  // GraphiQL asks for the schema before its editor of headers is there.
  if (operation.operationName === "IntrospectionQuery" && headers && !options?.headers) {
    return send(operation, { ...options, headers: JSON.parse(headers) });
  }
  return send(operation, options);
}

ReactDOM.createRoot(document.getElementById("graphiql")).render(
  React.createElement(GraphiQL, {
    fetcher,
    headers,
    query: given.get("query") ?? undefined,
    variables: given.get("variables") ?? undefined,
    // Its history keeps the headers of each query. They end with the tab.
    storage: sessionStorage,
    defaultEditorToolsVisibility: given.has("variables") ? "variables" : "headers",
  }),
);
