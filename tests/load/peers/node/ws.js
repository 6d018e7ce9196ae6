// Echo and fan-out with `ws`: a message at a time, for the library has no way to batch them.

import { WebSocketServer } from "ws";
import { port, role } from "./role.js";

const receivers = new Set();

new WebSocketServer({ host: "127.0.0.1", port }).on("connection", (socket, request) => {
  // A connection that fails ends alone.
  socket.on("error", () => {});
  const { searchParams } = new URL(request.url, "http://localhost");
  switch (role(Object.fromEntries(searchParams))) {
    case "echo":
      socket.on("message", (data, binary) => socket.send(data, { binary }));
      break;
    case "publisher":
      socket.on("message", (data, binary) => {
        for (const receiver of receivers) receiver.send(data, { binary });
      });
      break;
    case "receiver":
      receivers.add(socket);
      socket.on("close", () => receivers.delete(socket));
      break;
  }
});
