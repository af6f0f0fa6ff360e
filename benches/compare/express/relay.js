// Media relayed as it is written today: the carrier's socket joined to a runtime's, message by
// message, by `ws`. The webhook names the socket.
"use strict";

const http = require("node:http");
const { WebSocket, WebSocketServer } = require("ws");

const { PORT, RUNTIME_URL } = process.env;

const server = http.createServer((req, res) => {
  req.resume();
  req.on("end", () => {
    res.setHeader("content-type", "text/xml");
    res.end(
      `<?xml version="1.0" encoding="UTF-8"?><Response><Connect>` +
        `<Stream url="ws://127.0.0.1:${PORT}/media"/></Connect></Response>`,
    );
  });
});

const sockets = new WebSocketServer({ server, perMessageDeflate: false });
sockets.on("connection", (carrier) => {
  const runtime = new WebSocket(RUNTIME_URL, { perMessageDeflate: false });
  const held = [];
  runtime.on("open", () => {
    for (const [data, binary] of held.splice(0)) runtime.send(data, { binary });
  });
  carrier.on("message", (data, binary) => {
    if (runtime.readyState === WebSocket.OPEN) runtime.send(data, { binary });
    else held.push([data, binary]);
  });
  runtime.on("message", (data, binary) => carrier.send(data, { binary }));
  carrier.on("close", () => runtime.terminate());
  runtime.on("close", () => carrier.close());
  carrier.on("error", () => runtime.terminate());
  runtime.on("error", () => carrier.terminate());
});
server.listen(Number(PORT), "127.0.0.1");
